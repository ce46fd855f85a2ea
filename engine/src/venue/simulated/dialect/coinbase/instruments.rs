//! What `market/products` says of those that are asked for.

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
    if request.path != "/api/v3/brokerage/market/products" {
        return None;
    }
    let wanted = request.query.split('&').filter_map(|pair| pair.strip_prefix("product_ids="));
    let wanted: Vec<&str> = wanted.collect();
    let list = listed(
        exchange,
        now,
        |native| wanted.contains(&native),
        |rules| {
            let Rules { native, assets: [base, quote], tick, step, min_notional, is_trading } =
                rules;
            let is_ended = !is_trading;
            format!(
                r#"{{"product_id":"{native}","base_currency_id":"{base}","quote_currency_id":"{quote}","price_increment":"{tick}","base_increment":"{step}","base_min_size":"{step}","quote_min_size":"{min_notional}","status":"online","trading_disabled":{is_ended}}}"#
            )
        },
    );
    let count = wanted.len();
    Some(format!(r#"{{"products":[{list}],"num_products":{count}}}"#))
}
