//! What REST says of account and key. It may read; whether it may trade is an
//! option of the venue.

use serde_json::json;

/// An element of `data`; `None`: something else is asked for.
pub(super) fn rights(path: &str, trades: bool) -> Option<String> {
    let perm = if trades { "read_only,trade" } else { "read_only" };
    let told = match path {
        "/api/v5/account/config" => json!({
            "uid": "1", "mainUid": "1", "acctLv": "1", "posMode": "net_mode", "perm": perm,
            "ip": "127.0.0.1", "label": "simulated", "level": "Lv1", "roleType": "0",
        }),
        "/api/v5/account/trade-fee" => {
            json!({"level": "Lv1", "instType": "SPOT", "maker": "-0.001", "taker": "-0.001"})
        }
        _ => return None,
    };
    Some(told.to_string())
}
