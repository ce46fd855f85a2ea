//! What Kraken says of a key: its permissions, and what is paid by it.
//!
//! Source: "Get API Key Info" (any key may ask it) with the words of "API keys", and "Get Trade
//! Volume", whose fees are in percent.

use serde_json::Value;

use crate::venue::protocol::{AccountQuestion, AccountWords, Right, Way, need_texts};

pub(super) const QUESTIONS: &[AccountQuestion] = &[
    AccountQuestion { name: "the key's permissions", way: Way::Rest, weight: 1 },
    AccountQuestion { name: "its fees", way: Way::Rest, weight: 1 },
];
/// What a session reads: balances, open orders, and those that are over.
const READS: [&str; 3] = ["query-funds", "query-open-trades", "query-closed-trades"];
/// What it trades with: orders, and cancels.
const TRADES: [&str; 2] = ["modify-trades", "close-trades"];

/// The last part of the path of one of them, and its parameters.
pub(super) fn path(place: usize, native: &str) -> (&'static str, String) {
    match place {
        0 => ("GetApiKeyInfo", String::new()),
        _ => {
            let asset = |name| match name {
                "BTC" => "XBT",
                "DOGE" => "XDG",
                other => other,
            };
            let pair: String = native.split('/').map(asset).collect();
            ("TradeVolume", format!("&pair={pair}"))
        }
    }
}

pub(super) fn read(place: usize, answer: &Value, words: &mut AccountWords) -> Result<(), String> {
    let errors = need_texts(answer, "error")?;
    if !errors.is_empty() {
        return Err(errors.join(", "));
    }
    let told = &answer["result"];
    if place > 0 {
        let percent = |name: &str| {
            let pairs = told[name].as_object()?;
            pairs.values().next()?["fee"].as_str()
        };
        let taker = percent("fees").ok_or("fees missing")?;
        let maker = percent("fees_maker").unwrap_or(taker);
        words.fees.push(format!("maker {maker} %, taker {taker} % of the value"));
        return Ok(());
    }
    let has = need_texts(told, "permissions")?;
    let right = |wanted: &[&str]| {
        let missing: Vec<_> = wanted.iter().filter(|one| !has.contains(one)).copied().collect();
        let lacks = match missing.is_empty() {
            true => String::new(),
            false => format!("; it lacks {}", missing.join(", ")),
        };
        Right::of(missing.is_empty(), format!("permissions {}{lacks}", has.join(", ")))
    };
    (words.key_reads, words.key_trades) = (right(&READS), right(&TRADES));
    if has.contains(&"withdraw-funds") {
        words.notes.push("it may withdraw: no engine needs that".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_may_not_cancel_may_not_trade() {
        let key =
            |permissions: &[&str]| json!({"error": [], "result": {"permissions": permissions}});
        let all = [&READS[..], &TRADES[..]].concat();
        let mut words = AccountWords::default();
        assert_eq!(read(0, &key(&all), &mut words), Ok(()));
        let is_given = |right: Option<Right>| right.map(|right| right.is_given);
        assert_eq!(is_given(words.key_reads.take()), Some(true));
        assert_eq!(is_given(words.key_trades.take()), Some(true));
        assert_eq!(read(0, &key(&all[..4]), &mut words), Ok(()));
        let trades = words.key_trades.take().unwrap();
        assert!(!trades.is_given && trades.words.ends_with("; it lacks close-trades"));
        let fees = json!({"error": [], "result": {"currency": "ZUSD", "volume": "1",
            "fees": {"XXBTZUSD": {"fee": "0.4000"}}, "fees_maker": {"XXBTZUSD": {"fee": "0.2500"}}}});
        assert_eq!(read(1, &fees, &mut words), Ok(()));
        assert_eq!(words.fees, ["maker 0.2500 %, taker 0.4000 % of the value"]);
        let refused = json!({"error": ["EAPI:Invalid key"]});
        assert_eq!(read(0, &refused, &mut words), Err("EAPI:Invalid key".to_owned()));
        for (native, pair) in
            [("BTC/USD", "XBTUSD"), ("ETH/BTC", "ETHXBT"), ("WBTC/USD", "WBTCUSD")]
        {
            assert_eq!(path(1, native), ("TradeVolume", format!("&pair={pair}")));
        }
    }
}
