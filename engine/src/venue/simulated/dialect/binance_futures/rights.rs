//! What REST says of the account. It may read; whether it may trade is an
//! option of the venue.

use serde_json::{Value, json};

use crate::venue::simulated::server::HttpRequest;

/// The answer; `None`: something else is asked for.
pub(super) fn rights(request: &HttpRequest, trades: bool) -> Option<Value> {
    let symbol = request.parameter("symbol").unwrap_or_default();
    match request.path.as_str() {
        "/fapi/v1/accountConfig" => Some(json!({
            "feeTier": 0, "canTrade": trades, "canDeposit": true, "canWithdraw": false,
            "dualSidePosition": false, "updateTime": 0, "multiAssetsMargin": false,
            "tradeGroupId": -1,
        })),
        "/fapi/v1/commissionRate" => Some(json!({
            "symbol": symbol, "makerCommissionRate": "0.001000", "takerCommissionRate": "0.001000",
        })),
        "/fapi/v1/symbolConfig" => Some(json!([{
            "symbol": symbol, "marginType": "CROSSED", "isAutoAddMargin": "false", "leverage": 1,
            "maxNotionalValue": "1000000",
        }])),
        _ => None,
    }
}
