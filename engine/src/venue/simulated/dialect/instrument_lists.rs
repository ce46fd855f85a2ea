//! What REST says of instruments, whatever the words.

use crate::event::format_scaled;
use crate::venue::simulated::exchange::{Exchange, Market};
use crate::venue::simulated::moment::Moment;

/// The rules of one instrument, as text.
pub(super) struct Rules {
    pub(super) native: String,
    pub(super) assets: [String; 2],
    pub(super) tick: String,
    pub(super) step: String,
    pub(super) min_notional: String,
    pub(super) is_trading: bool,
}

impl Rules {
    fn of(market: &Market, now: Moment) -> Rules {
        let symbol = &market.symbol;
        let text = |value: u64, scale: u32| {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            format_scaled(value, scale as u8).to_string()
        };
        Rules {
            native: symbol.name.clone(),
            assets: [symbol.base_asset.clone(), symbol.quote_asset.clone()],
            tick: text(symbol.tick, symbol.price_scale),
            step: text(symbol.step, symbol.qty_scale),
            min_notional: text(symbol.min_notional, symbol.price_scale),
            is_trading: !market.is_closed(now.epoch_ms),
        }
    }
}

/// Those of the markets that are wanted, each in the words of a venue.
pub(super) fn listed(
    exchange: &Exchange,
    now: Moment,
    is_wanted: impl Fn(&str) -> bool,
    word: impl Fn(&Rules) -> String,
) -> String {
    let wanted = exchange.markets().iter().filter(|market| is_wanted(&market.symbol.name));
    wanted.map(|market| word(&Rules::of(market, now))).collect::<Vec<_>>().join(",")
}
