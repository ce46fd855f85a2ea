//! What REST says of the key. It may read; whether it may trade is an
//! option of the venue.

use serde_json::{Value, json};

/// The answer.
pub(super) fn rights(trades: bool) -> Value {
    json!({
        "ipRestrict": true, "createTime": 1_700_000_000_000_i64, "enableReading": true,
        "enableWithdrawals": false, "enableInternalTransfer": false, "enableMargin": false,
        "enableFutures": false, "permitsUniversalTransfer": false, "enableVanillaOptions": false,
        "enableFixApiTrade": false, "enableFixReadOnly": false,
        "enableSpotAndMarginTrading": trades, "enablePortfolioMarginTrading": false,
    })
}
