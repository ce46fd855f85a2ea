//! What Binance's futures say of an account: in one-way mode alone orders can be sent here. What
//! the key may do is told at the address of spot, and is not asked for.
//!
//! Source: "Futures Account Configuration" (`GET /fapi/v1/accountConfig`), "User Commission Rate"
//! (`commissionRate`), "Symbol Configuration" (`symbolConfig`).

use serde_json::Value;

use crate::venue::protocol::{AccountMode, AccountQuestion, AccountWords, Right, Way};
use crate::venue::protocol::{need, need_bool};

pub(super) const QUESTIONS: &[AccountQuestion] = &[
    AccountQuestion { name: "the account's configuration", way: Way::Rest, weight: 5 },
    AccountQuestion { name: "its commission", way: Way::Rest, weight: 20 },
    AccountQuestion { name: "the symbol's configuration", way: Way::Rest, weight: 5 },
];

/// The path of one of them, and its query.
pub(super) fn path(place: usize, native: &str) -> (&'static str, String) {
    let of_symbol = format!("symbol={native}");
    match place {
        0 => ("/fapi/v1/accountConfig", String::new()),
        1 => ("/fapi/v1/commissionRate", of_symbol),
        _ => ("/fapi/v1/symbolConfig", of_symbol),
    }
}

pub(super) fn read(place: usize, answer: &Value, words: &mut AccountWords) -> Result<(), String> {
    match place {
        0 => {
            let may_trade = need_bool(answer, "canTrade")?;
            words.account_trades = Right::of(may_trade, format!("canTrade {may_trade}"));
            let is_hedged = need_bool(answer, "dualSidePosition")?;
            words.modes.push(match is_hedged {
                false => AccountMode::told("one-way position mode"),
                true => AccountMode {
                    is_fine: false,
                    words: "hedge mode (dualSidePosition): each order would be refused (-4061)"
                        .to_owned(),
                },
            });
            if answer["multiAssetsMargin"].as_bool() == Some(true) {
                words.modes.push(AccountMode::told("multi-assets margin"));
            }
        }
        1 => {
            let native = need(answer, "symbol")?;
            let maker = need(answer, "makerCommissionRate")?;
            let taker = need(answer, "takerCommissionRate")?;
            words.fees.push(format!("{native}: maker {maker}, taker {taker} of the value"));
        }
        _ => {
            let first = &answer[0];
            let (native, margin) = (need(first, "symbol")?, need(first, "marginType")?);
            let leverage = &first["leverage"];
            words.modes.push(AccountMode::told(format!("{native}: {margin}, leverage {leverage}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hedge_mode_is_named_as_what_no_order_gets_through() {
        let mut words = AccountWords::default();
        let config = json!({
            "feeTier": 0, "canTrade": true, "canDeposit": true, "canWithdraw": true,
            "dualSidePosition": true, "multiAssetsMargin": false,
        });
        assert_eq!(read(0, &config, &mut words), Ok(()));
        assert!(!words.modes[0].is_fine && words.account_trades.is_some());
        let rate = json!({"symbol": "BTCUSDT", "makerCommissionRate": "0.0002",
            "takerCommissionRate": "0.0004"});
        assert_eq!(read(1, &rate, &mut words), Ok(()));
        assert_eq!(words.fees, ["BTCUSDT: maker 0.0002, taker 0.0004 of the value"]);
        let symbol = json!([{"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 21}]);
        assert_eq!(read(2, &symbol, &mut words), Ok(()));
        assert_eq!(words.modes[1].words, "BTCUSDT: CROSSED, leverage 21");
        assert!(read(0, &json!({"canTrade": 1}), &mut words).is_err());
        assert!(read(2, &json!([]), &mut words).is_err());
    }
}
