//! What REST says of account and key. It may read; whether it may trade is an
//! option of the venue.

use serde_json::{Value, json};

use crate::venue::simulated::server::HttpRequest;

/// A result; `None`: something else is asked for.
pub(super) fn rights(request: &HttpRequest, trades: bool) -> Option<Value> {
    let symbol = request.parameter("symbol").unwrap_or_default();
    match request.path.as_str() {
        "/v5/user/query-api" => Some(json!({
            "id": "1", "note": "simulated", "apiKey": "", "readOnly": u8::from(!trades),
            "permissions": {"Spot": ["SpotTrade"], "Wallet": [], "ContractTrade": []},
            "ips": ["127.0.0.1"], "uta": 1,
        })),
        "/v5/account/info" => Some(json!({
            "unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN", "spotHedgingStatus": "OFF",
            "isMasterTrader": false, "dcpStatus": "OFF", "timeWindow": 0,
        })),
        "/v5/account/fee-rate" => Some(json!({
            "list": [{"symbol": symbol, "takerFeeRate": "0.001", "makerFeeRate": "0.001"}],
        })),
        _ => None,
    }
}
