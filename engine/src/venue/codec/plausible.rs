//! What a quote, a trade and a bar must be to be believed (F17), however their frame was read.

use super::error::DecodeError;
use crate::event::{Bar, Level, Price, Qty, Quote, Side, Trade};

/// A side is a positive price with a positive quantity, or it is empty and both are 0.
#[inline]
pub(in crate::venue) fn check_quote(quote: &Quote) -> Result<(), DecodeError> {
    let is_side = |price: i64, qty: i64| price >= 0 && qty >= 0 && (price == 0) == (qty == 0);
    if !is_side(quote.bid_price, quote.bid_qty) || !is_side(quote.ask_price, quote.ask_qty) {
        return Err(DecodeError::nonsense("side of a quote neither whole nor empty"));
    }
    if quote.bid_price >= quote.ask_price && quote.ask_price > 0 {
        return Err(DecodeError::nonsense("bid at or above ask"));
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
