//! What `instruments-info` says of one symbol at a time.

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
    if request.path != "/v5/market/instruments-info" {
        return None;
    }
    let ms = now.epoch_ms;
    let wanted = request.parameter("symbol").unwrap_or_default();
    let list = listed(
        exchange,
        now,
        |native| wanted == native,
        |rules| {
            let Rules { native, assets: [base, quote], tick, step, min_notional, is_trading } =
                rules;
            let status = if *is_trading { "Trading" } else { "Settling" };
            let lots = format!(
                r#"{{"basePrecision":"{step}","minOrderQty":"{step}","minOrderAmt":"{min_notional}"}}"#
            );
            format!(
                r#"{{"symbol":"{native}","baseCoin":"{base}","quoteCoin":"{quote}","status":"{status}","lotSizeFilter":{lots},"priceFilter":{{"tickSize":"{tick}"}}}}"#
            )
        },
    );
    Some(match list.is_empty() {
        true => format!(
            r#"{{"retCode":10001,"retMsg":"params error: symbol invalid {wanted}","result":{{}},"time":{ms}}}"#
        ),
        false => format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","list":[{list}]}},"time":{ms}}}"#
        ),
    })
}
