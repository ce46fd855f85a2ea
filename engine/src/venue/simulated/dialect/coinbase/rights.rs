//! What REST says of the key. It may read; whether it may trade is an
//! option of the venue.

use serde_json::{Value, json};

/// The answer, by the last part of the path; `None`: something else is asked for.
pub(super) fn rights(name: &str, trades: bool) -> Option<Value> {
    match name {
        "key_permissions" => Some(json!({
            "can_view": true, "can_trade": trades, "can_transfer": false, "portfolio_uuid": "1",
            "portfolio_type": "DEFAULT",
        })),
        "transaction_summary" => Some(json!({
            "total_volume": 0, "fee_tier": {"pricing_tier": "simulated",
                "maker_fee_rate": "0.001", "taker_fee_rate": "0.001"},
        })),
        _ => None,
    }
}
