//! What a quote, a trade and a bar must be to be believed (F17), however their frame was read.

use simd_json::Node;

use super::error::DecodeError;
use super::object::{Value, need_scaled, need_text, pick};
use crate::event::{Bar, Level, MarkPrice, Price, Qty, Quote, Side, Trade};
use crate::venue::Scales;

/// A side is a positive price with a positive quantity, or it is empty and both are 0.
#[inline]
pub(in crate::venue) fn check_quote(quote: &Quote) -> Result<(), DecodeError> {
    let Quote { bid_price, bid_qty, ask_price, ask_qty } = *quote;
    // Nearly all quotes have two sides: all that is asked of such a one, without a branch in it.
    if (bid_price > 0) & (bid_qty > 0) & (ask_qty > 0) & (bid_price < ask_price) {
        return Ok(());
    }
    check_sides(quote)
}

#[cold]
fn check_sides(quote: &Quote) -> Result<(), DecodeError> {
    let Quote { bid_price, bid_qty, ask_price, ask_qty } = *quote;
    let is_side = |price: i64, qty: i64| price >= 0 && qty >= 0 && (price == 0) == (qty == 0);
    if !is_side(bid_price, bid_qty) || !is_side(ask_price, ask_qty) {
        return Err(DecodeError::nonsense("side of a quote neither whole nor empty"));
    }
    if bid_price >= ask_price && ask_price > 0 {
        return Err(DecodeError::nonsense("bid at or above ask"));
    }
    Ok(())
}

/// The largest part of a position's value that one funding is believed to cost: all of it, in the
/// units of [`MarkPrice`].
const FUNDING_MAX_E12: u64 = 1_000_000_000_000;

pub(in crate::venue) fn check_mark(mark: &MarkPrice) -> Result<(), DecodeError> {
    if mark.mark_price_e10 <= 0 || mark.index_price_e10 < 0 {
        return Err(DecodeError::nonsense("mark at no price, or index below 0"));
    }
    if mark.funding_rate_e12.unsigned_abs() > FUNDING_MAX_E12 {
        return Err(DecodeError::nonsense("funding of more than the position's value"));
    }
    Ok(())
}

#[inline]
pub(in crate::venue) fn make_trade(
    price: i64,
    qty: i64,
    buyer_is_maker: bool,
) -> Result<Trade, DecodeError> {
    if price <= 0 || qty <= 0 {
        return Err(DecodeError::nonsense("trade at no price or of no quantity"));
    }
    let aggressor = if buyer_is_maker { Side::Sell } else { Side::Buy };
    Ok(Trade::single(Price(price), Qty(qty), aggressor))
}

/// [`make_trade`] of price and quantity in text.
#[inline]
pub(in crate::venue) fn trade_of(
    price: Value<'_, '_>,
    qty: Value<'_, '_>,
    scales: Scales,
    buyer_is_maker: bool,
) -> Result<Trade, DecodeError> {
    let price = need_scaled(price, scales.price, "price of a trade missing or no text")?;
    let qty = need_scaled(qty, scales.qty, "quantity of a trade missing or no text")?;
    make_trade(price, qty, buyer_is_maker)
}

/// The quote of a frame that has its four numbers, in the order of `names`: price and quantity of
/// the bid, then of the ask. An empty text is none.
#[inline]
pub(in crate::venue) fn best_of(
    nodes: &[Node<'_>],
    names: [&str; 4],
    scales: Scales,
) -> Result<Quote, DecodeError> {
    let number = |value, scale| match need_text(value, "side of a quote missing or no text")? {
        "" => Ok(0),
        _ => need_scaled(value, scale, "side of a quote missing or no text"),
    };
    let [bid_price, bid_qty, ask_price, ask_qty] = pick(nodes, names)?;
    let quote = Quote {
        bid_price: number(bid_price, scales.price)?,
        bid_qty: number(bid_qty, scales.qty)?,
        ask_price: number(ask_price, scales.price)?,
        ask_qty: number(ask_qty, scales.qty)?,
    };
    check_quote(&quote)?;
    Ok(quote)
}

/// The prices and the volume of a bar, under the names that venues agree on; the rest is that of
/// `bar`.
pub(in crate::venue) fn bar_of(
    nodes: &[Node<'_>],
    scales: Scales,
    bar: Bar,
) -> Result<Bar, DecodeError> {
    let [open, high, low, close, volume] = pick(nodes, ["open", "high", "low", "close", "volume"])?;
    let number = |value, scale| need_scaled(value, scale, "number of a bar missing or no text");
    let bar = Bar {
        open: number(open, scales.price)?,
        high: number(high, scales.price)?,
        low: number(low, scales.price)?,
        close: number(close, scales.price)?,
        volume: number(volume, scales.qty)?,
        ..bar
    };
    check_bar(&bar)?;
    Ok(bar)
}

/// The quote of a frame that has the best level of each side; a side without orders has none.
pub(in crate::venue) fn quote_of(bids: &[Level], asks: &[Level]) -> Result<Quote, DecodeError> {
    if bids.len().max(asks.len()) > 1 {
        return Err(DecodeError::nonsense("more than one level in a best quote"));
    }
    let best = |side: &[Level]| side.first().map_or((0, 0), |level| (level.price, level.qty));
    let ((bid_price, bid_qty), (ask_price, ask_qty)) = (best(bids), best(asks));
    let quote = Quote { bid_price, bid_qty, ask_price, ask_qty };
    check_quote(&quote)?;
    Ok(quote)
}

/// Prices and volume of a bar, which must not contradict each other.
pub(in crate::venue) fn check_bar(bar: &Bar) -> Result<(), DecodeError> {
    let body = (bar.open.min(bar.close), bar.open.max(bar.close));
    if bar.low <= 0 || bar.low > body.0 || bar.high < body.1 || bar.volume < 0 {
        return Err(DecodeError::nonsense("prices or volume of a bar contradict each other"));
    }
    Ok(())
}
