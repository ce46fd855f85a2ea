//! What `AssetPairs` says: of all, by names of their own.

use crate::venue::simulated::dialect::instrument_lists::{Rules, listed};
use crate::venue::simulated::exchange::Exchange;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::HttpRequest;

/// The answer; `None`: it is asked for something else.
pub(super) fn instruments(
    request: &HttpRequest,
    exchange: &Exchange,
    now: Moment,
) -> Option<String> {
    if request.path != "/0/public/AssetPairs" {
        return None;
    }
    let all = listed(
        exchange,
        now,
        |_| true,
        |rules| {
            let Rules { native, assets: [base, quote], tick, step, min_notional, is_trading } =
                rules;
            let status = if *is_trading { "online" } else { "cancel_only" };
            let places = step.split_once('.').map_or(0, |(_, places)| places.len());
            format!(
                r#""{native}":{{"altname":"{native}","wsname":"{native}","base":"{base}","quote":"{quote}","lot_decimals":{places},"tick_size":"{tick}","ordermin":"{step}","costmin":"{min_notional}","status":"{status}"}}"#
            )
        },
    );
    Some(format!(r#"{{"error":[],"result":{{{all}}}}}"#))
}
