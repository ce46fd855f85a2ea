//! What `exchangeInfo` says of symbols: of all, whatever is asked for.

use crate::venue::simulated::dialect::instrument_lists::{Rules, listed};
use crate::venue::simulated::exchange::Exchange;
use crate::venue::simulated::moment::Moment;

/// The answer.
pub(super) fn instruments(exchange: &Exchange, now: Moment) -> String {
    let all = listed(
        exchange,
        now,
        |_| true,
        |rules| {
            let Rules { native, assets: [base, quote], tick, step, min_notional, is_trading } =
                rules;
            let status = if *is_trading { "TRADING" } else { "SETTLING" };
            let filters = format!(
                r#"{{"filterType":"PRICE_FILTER","tickSize":"{tick}"}},{{"filterType":"LOT_SIZE","stepSize":"{step}","minQty":"{step}"}},{{"filterType":"MIN_NOTIONAL","notional":"{min_notional}"}}"#
            );
            format!(
                r#"{{"symbol":"{native}","contractType":"PERPETUAL","status":"{status}","baseAsset":"{base}","quoteAsset":"{quote}","filters":[{filters}]}}"#
            )
        },
    );
    let time_ms = now.epoch_ms;
    format!(r#"{{"timezone":"UTC","serverTime":{time_ms},"rateLimits":[],"symbols":[{all}]}}"#)
}
