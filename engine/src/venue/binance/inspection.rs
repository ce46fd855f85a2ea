//! What Binance says of an account and its key: spot over the WebSocket API, the key over REST.
//!
//! Source: `account.status` of the WebSocket API, and "Get API Key Permission" of the wallet's REST
//! interface (`GET /sapi/v1/account/apiRestrictions`, weight 1), which testnets do not have.

use serde_json::Value;

use super::credentials::Credentials;
use super::request::write_signed_get;
use crate::venue::protocol::{AccountQuestion, AccountWords, Right, Way};
use crate::venue::protocol::{need, need_bool, need_texts};

pub(super) const QUESTIONS: &[AccountQuestion] = &[
    AccountQuestion { name: "the account's status", way: Way::Session, weight: 20 },
    AccountQuestion { name: "the key's permissions", way: Way::Rest, weight: 1 },
];

/// The second of them.
pub(super) fn write_restrictions(credentials: &Credentials, time_ms: i64, out: &mut Vec<u8>) {
    write_signed_get(credentials, ("/sapi/v1/account/apiRestrictions", ""), time_ms, out);
}

pub(super) fn read(place: usize, answer: &Value, words: &mut AccountWords) -> Result<(), String> {
    match place {
        0 => read_status(&answer["result"], words),
        _ => read_restrictions(answer, words),
    }
}

fn read_status(status: &Value, words: &mut AccountWords) -> Result<(), String> {
    let may_trade = need_bool(status, "canTrade")?;
    let kinds = need_texts(status, "permissions").unwrap_or_default().join(", ");
    words.account_trades =
        Right::of(may_trade, format!("canTrade {may_trade}, permissions {kinds}"));
    let rates = &status["commissionRates"];
    let (maker, taker) = (need(rates, "maker")?, need(rates, "taker")?);
    words.fees.push(format!("maker {maker}, taker {taker} of the value"));
    Ok(())
}

fn read_restrictions(answer: &Value, words: &mut AccountWords) -> Result<(), String> {
    let right = |name: &str| -> Result<Option<Right>, String> {
        let is_given = need_bool(answer, name)?;
        Ok(Right::of(is_given, format!("{name} {is_given}")))
    };
    words.key_reads = right("enableReading")?;
    words.key_trades = right("enableSpotAndMarginTrading")?;
    if answer["enableWithdrawals"].as_bool() == Some(true) {
        words.notes.push("it may withdraw: no engine needs that".to_owned());
    }
    words.notes.push(match need_bool(answer, "ipRestrict")? {
        true => "it is bound to addresses".to_owned(),
        false => "it is bound to no address".to_owned(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn account_and_key_are_read_apart() {
        let mut words = AccountWords::default();
        let status = json!({"id": 1, "status": 200, "result": {
            "commissionRates": {"maker": "0.00100000", "taker": "0.00150000"},
            "canTrade": true, "accountType": "SPOT", "permissions": ["SPOT"],
        }});
        assert_eq!(read(0, &status, &mut words), Ok(()));
        assert!(words.account_trades.as_ref().is_some_and(|right| right.is_given));
        assert_eq!(words.fees, ["maker 0.00100000, taker 0.00150000 of the value"]);
        assert_eq!((&words.key_reads, &words.key_trades), (&None, &None));
        let key = json!({
            "ipRestrict": false, "enableReading": true, "enableWithdrawals": true,
            "enableSpotAndMarginTrading": false, "enableFutures": true,
        });
        assert_eq!(read(1, &key, &mut words), Ok(()));
        assert!(words.key_reads.is_some_and(|right| right.is_given));
        let trades = words.key_trades.unwrap();
        assert_eq!(
            (trades.is_given, trades.words.as_str()),
            (false, "enableSpotAndMarginTrading false")
        );
        assert_eq!(words.notes.len(), 2);
        for broken in [json!({}), json!({"enableReading": "yes"}), json!([])] {
            assert!(read(1, &broken, &mut AccountWords::default()).is_err(), "{broken}");
        }
    }
}
