//! What OKX says of an account and its key.
//!
//! Source: "Get account configuration" (`perm`, `acctLv`, `posMode`, `ip`) and "Get fee rates" of
//! the venue's reference: a negative rate is taken, a positive one is given.

use serde_json::Value;

use crate::venue::protocol::need;
use crate::venue::protocol::{AccountMode, AccountQuestion, AccountWords, Right, Way};

pub(super) const QUESTIONS: &[AccountQuestion] = &[
    AccountQuestion { name: "the account's configuration", way: Way::Rest, weight: 1 },
    AccountQuestion { name: "its fees", way: Way::Rest, weight: 1 },
];

pub(super) fn path(place: usize, native: &str) -> String {
    match place {
        0 => "/api/v5/account/config".to_owned(),
        _ => format!("/api/v5/account/trade-fee?instType=SPOT&instId={native}"),
    }
}

pub(super) fn read(place: usize, answer: &Value, words: &mut AccountWords) -> Result<(), String> {
    let code = need(answer, "code")?;
    if code != "0" {
        return Err(format!("{} (code: {code})", need(answer, "msg").unwrap_or_default()));
    }
    let told = &answer["data"][0];
    if place > 0 {
        let (maker, taker) = (need(told, "maker")?, need(told, "taker")?);
        words.fees.push(format!("maker {maker}, taker {taker} of the value (negative: taken)"));
        return Ok(());
    }
    let perm = need(told, "perm")?;
    let has = |wanted: &str| perm.split(',').any(|one| one.trim() == wanted);
    words.key_reads = Right::of(has("read_only"), format!("perm {perm}"));
    words.key_trades = Right::of(has("trade"), format!("perm {perm}"));
    if has("withdraw") {
        words.notes.push("it may withdraw: no engine needs that".to_owned());
    }
    words.notes.push(match need(told, "ip").unwrap_or_default() {
        "" => "it is bound to no address".to_owned(),
        _ => "it is bound to addresses".to_owned(),
    });
    let (level, mode) = (need(told, "acctLv")?, need(told, "posMode")?);
    let level = match level {
        "1" => "spot mode",
        "2" => "futures mode",
        "3" => "multi-currency margin",
        "4" => "portfolio margin",
        other => other,
    };
    words.modes.push(AccountMode::told(format!("{level}, {mode}")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_key_may_is_in_one_text() {
        let config = |perm: &str| {
            json!({"code": "0", "msg": "", "data": [{
                "acctLv": "1", "posMode": "net_mode", "perm": perm, "ip": "1.2.3.4",
            }]})
        };
        let mut words = AccountWords::default();
        assert_eq!(read(0, &config("read_only"), &mut words), Ok(()));
        let given = |right: &Option<Right>| right.as_ref().map(|right| right.is_given);
        assert_eq!((given(&words.key_reads), given(&words.key_trades)), (Some(true), Some(false)));
        assert_eq!(words.modes[0].words, "spot mode, net_mode");
        let mut words = AccountWords::default();
        assert_eq!(read(0, &config("read_only,withdraw,trade"), &mut words), Ok(()));
        assert_eq!((given(&words.key_trades), words.notes.len()), (Some(true), 2));
        let fees = json!({"code": "0", "data": [{"maker": "-0.0008", "taker": "-0.001"}]});
        assert_eq!(read(1, &fees, &mut words), Ok(()));
        assert_eq!(words.fees.len(), 1);
        let refused = json!({"code": "50113", "msg": "Invalid Sign", "data": []});
        assert_eq!(read(0, &refused, &mut words), Err("Invalid Sign (code: 50113)".to_owned()));
    }
}
