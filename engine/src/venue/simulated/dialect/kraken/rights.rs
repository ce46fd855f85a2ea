//! What REST says of the key. It may read; whether it may trade is an
//! option of the venue.

use serde_json::json;

/// A result, by the last part of the path; `None`: something else is asked for.
pub(super) fn rights(name: &str, trades: bool) -> Option<String> {
    let reads = ["query-funds", "query-open-trades", "query-closed-trades", "create-ws-token"];
    let all = if trades { &["modify-trades", "close-trades"][..] } else { &[] };
    let told = match name {
        "GetApiKeyInfo" => {
            let all = [&reads[..], all].concat();
            json!({"api_key_name": "simulated", "permissions": all})
        }
        "TradeVolume" => json!({
            "currency": "USDT", "volume": "0", "fees": {"PAIR": {"fee": "0.1000"}},
            "fees_maker": {"PAIR": {"fee": "0.1000"}},
        }),
        _ => return None,
    };
    Some(told.to_string())
}
