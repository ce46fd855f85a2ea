//! What Bybit says of an account and its key.
//!
//! Source: "Get API Key Information" (any key may ask it), "Get Account Info" and "Get Fee Rate".

use serde_json::Value;

use crate::venue::protocol::{AccountMode, AccountQuestion, AccountWords, Right, Way};
use crate::venue::protocol::{need, need_texts};

pub(super) const QUESTIONS: &[AccountQuestion] = &[
    AccountQuestion { name: "the key's permissions", way: Way::Rest, weight: 1 },
    AccountQuestion { name: "the account's mode", way: Way::Rest, weight: 1 },
    AccountQuestion { name: "its fees", way: Way::Rest, weight: 1 },
];

/// The path of one of them, and its query.
pub(super) fn path(place: usize, native: &str) -> (&'static str, String) {
    match place {
        0 => ("/v5/user/query-api", String::new()),
        1 => ("/v5/account/info", String::new()),
        _ => ("/v5/account/fee-rate", format!("category=spot&symbol={native}")),
    }
}

pub(super) fn read(place: usize, answer: &Value, words: &mut AccountWords) -> Result<(), String> {
    let code = answer["retCode"].as_i64().ok_or("retCode missing or no number")?;
    if code != 0 {
        return Err(format!("{} (code: {code})", need(answer, "retMsg").unwrap_or_default()));
    }
    let told = &answer["result"];
    match place {
        0 => read_key(told, words)?,
        1 => {
            let margin = need(told, "marginMode")?;
            let status = &told["unifiedMarginStatus"];
            words.modes.push(AccountMode::told(format!("{margin}, unified status {status}")));
        }
        _ => {
            let first = &told["list"][0];
            let (maker, taker) = (need(first, "makerFeeRate")?, need(first, "takerFeeRate")?);
            words.fees.push(format!("maker {maker}, taker {taker} of the value"));
        }
    }
    Ok(())
}

fn read_key(told: &Value, words: &mut AccountWords) -> Result<(), String> {
    let reads_only = match told["readOnly"].as_i64() {
        Some(0) => false,
        Some(1) => true,
        _ => return Err("readOnly is neither 0 nor 1".to_owned()),
    };
    let spot = need_texts(&told["permissions"], "Spot")?;
    let all = format!("readOnly {}, Spot {spot:?}", u8::from(reads_only));
    // Any key may be asked with.
    words.key_reads = Right::of(true, all.clone());
    words.key_trades = Right::of(!reads_only && spot.contains(&"SpotTrade"), all);
    let wallet = need_texts(&told["permissions"], "Wallet").unwrap_or_default();
    if wallet.contains(&"Withdraw") && !reads_only {
        words.notes.push("it may withdraw: no engine needs that".to_owned());
    }
    let addresses = need_texts(told, "ips").unwrap_or_default();
    let is_free = addresses.is_empty() || addresses.contains(&"*");
    let bound = if is_free { "to no address" } else { "to addresses" };
    words.notes.push(format!("it is bound {bound}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_trades_spot_where_it_does_more_than_read_and_has_that_permission() {
        for (read_only, spot, expected) in [
            (0, json!(["SpotTrade"]), true),
            (1, json!(["SpotTrade"]), false),
            (0, json!([]), false),
        ] {
            let answer = json!({"retCode": 0, "retMsg": "", "result": {
                "readOnly": read_only, "permissions": {"Spot": spot, "Wallet": ["Withdraw"]},
                "ips": ["*"],
            }});
            let mut words = AccountWords::default();
            assert_eq!(read(0, &answer, &mut words), Ok(()));
            assert_eq!(words.key_trades.map(|right| right.is_given), Some(expected));
            assert_eq!(words.notes.len(), 2 - read_only as usize);
        }
        let mut words = AccountWords::default();
        let mode = json!({"retCode": 0, "result": {"marginMode": "REGULAR_MARGIN",
            "unifiedMarginStatus": 4}});
        assert_eq!(read(1, &mode, &mut words), Ok(()));
        assert_eq!(words.modes[0].words, "REGULAR_MARGIN, unified status 4");
        let fees = json!({"retCode": 0, "result": {"list": [{"symbol": "BTCUSDT",
            "takerFeeRate": "0.001", "makerFeeRate": "0.0008"}]}});
        assert_eq!(read(2, &fees, &mut words), Ok(()));
        let refused = json!({"retCode": 10003, "retMsg": "API key is invalid."});
        assert!(read(0, &refused, &mut words).is_err());
        assert!(read(0, &json!({"retCode": 0, "result": {"readOnly": 2}}), &mut words).is_err());
    }
}
