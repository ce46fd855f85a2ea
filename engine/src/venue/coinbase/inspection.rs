//! What Coinbase says of a key, and of what is paid.
//!
//! Source: "Get API Key Permissions" (`key_permissions`) and "Get Transaction Summary".

use serde_json::Value;

use crate::venue::protocol::{AccountMode, AccountQuestion, AccountWords, Right, Way};
use crate::venue::protocol::{need, need_bool};

pub(super) const QUESTIONS: &[AccountQuestion] = &[
    AccountQuestion { name: "the key's permissions", way: Way::Rest, weight: 1 },
    AccountQuestion { name: "its fees", way: Way::Rest, weight: 1 },
];

/// The path of one of them, and its query.
pub(super) fn path(place: usize) -> (&'static str, &'static str) {
    match place {
        0 => ("/api/v3/brokerage/key_permissions", ""),
        _ => ("/api/v3/brokerage/transaction_summary", "?product_type=SPOT"),
    }
}

pub(super) fn read(place: usize, answer: &Value, words: &mut AccountWords) -> Result<(), String> {
    if place > 0 {
        let tier = &answer["fee_tier"];
        let (maker, taker) = (need(tier, "maker_fee_rate")?, need(tier, "taker_fee_rate")?);
        words.fees.push(format!("maker {maker}, taker {taker} of the value"));
        return Ok(());
    }
    let right = |name: &str| -> Result<Option<Right>, String> {
        let is_given = need_bool(answer, name)?;
        Ok(Right::of(is_given, format!("{name} {is_given}")))
    };
    (words.key_reads, words.key_trades) = (right("can_view")?, right("can_trade")?);
    if answer["can_transfer"].as_bool() == Some(true) {
        words.notes.push("it may transfer: no engine needs that".to_owned());
    }
    if let Some(portfolio) = answer["portfolio_type"].as_str() {
        words.modes.push(AccountMode::told(format!("portfolio of type {portfolio}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rights_are_truth_values_and_nothing_else_counts() {
        let mut words = AccountWords::default();
        let key = json!({"can_view": true, "can_trade": false, "can_transfer": true,
            "portfolio_uuid": "u", "portfolio_type": "DEFAULT"});
        assert_eq!(read(0, &key, &mut words), Ok(()));
        let is_given = |right: &Option<Right>| right.as_ref().map(|right| right.is_given);
        assert_eq!(is_given(&words.key_reads), Some(true));
        assert_eq!(is_given(&words.key_trades), Some(false));
        assert_eq!((words.notes.len(), words.modes.len()), (1, 1));
        let summary = json!({"fee_tier": {"maker_fee_rate": "0.006", "taker_fee_rate": "0.012"}});
        assert_eq!(read(1, &summary, &mut words), Ok(()));
        assert_eq!(words.fees, ["maker 0.006, taker 0.012 of the value"]);
        assert!(read(0, &json!({"can_view": 1}), &mut words).is_err());
    }
}
