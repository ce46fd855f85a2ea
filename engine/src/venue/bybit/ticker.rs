//! Tickers of contracts, of which mark price and funding are read. The first one behind a
//! subscription tells all, those behind it what has changed: what a frame does not name is as it
//! was.
//!
//! Promises: what is told is what the venue has said since that snapshot; once a frame was refused,
//! nothing more is told of its contract until the next snapshot, since what it said is lost.
//! Nothing is allocated for a frame. That a contract is silent then, and subscribed to anew, is the
//! feed's part: to it a ticker that names no part of the mark price says that it is as it was.

use crate::event::{EventKind, MarkPrice};
use crate::venue::Symbol;
use crate::venue::codec::{
    DecodeError, Value, check_mark, need_scaled, need_text, need_time_ns, need_word, pick, text,
};
use crate::venue::protocol::MarketMessage;

pub(super) const OTHER_SYMBOL: DecodeError =
    DecodeError::nonsense("data of another symbol than the topic's");

/// What the tickers of one connection have told, by the symbols' slots; `None`: no snapshot yet.
pub(super) struct Tickers(Box<[Option<Ticker>]>);

/// What is read of a frame.
#[derive(Clone, Copy)]
pub(super) struct TickerFrame<'t, 'a> {
    pub(super) kind: Value<'t, 'a>,
    pub(super) time: Value<'t, 'a>,
    pub(super) data: Value<'t, 'a>,
}

/// One contract; `None` and 0: not told, or told to be none.
#[derive(Clone, Copy, Debug, Default)]
struct Ticker {
    mark_e10: Option<i64>,
    index_e10: i64,
    rate_e12: Option<i64>,
    next_funding_ns: i64,
}

impl Tickers {
    pub(super) fn new(symbols: usize) -> Tickers {
        Tickers(vec![None; symbols].into())
    }

    /// A new connection; or something was lost, and nobody knows of which contract.
    pub(super) fn restart(&mut self) {
        self.0.fill(None);
    }

    /// Reads a frame of the topic of `name`: the mark price, once it is known, or that it is as it
    /// was; before that, a sign of life.
    #[inline]
    pub(super) fn take<'m>(
        &mut self,
        frame: TickerFrame<'_, '_>,
        (name, symbol): (&str, Symbol),
    ) -> Result<MarketMessage<'m>, DecodeError> {
        let place = &mut self.0[symbol.slot];
        // Every refusal below leaves nothing known.
        let before = place.take();
        let kinds = [("snapshot", true), ("delta", false)];
        let missing = "field type missing or no text";
        let is_whole = need_word(frame.kind, missing, kinds, "type of a frame not known")?;
        let data = frame.data.ok_or(DecodeError::field("field data missing"))?;
        let names = ["symbol", "markPrice", "indexPrice", "fundingRate", "nextFundingTime"];
        let [of, parts @ ..] = pick(data, names)?;
        if need_text(of, "field symbol missing or no text")? != name {
            return Err(OTHER_SYMBOL);
        }
        let known = if is_whole { Some(Ticker::default()) } else { before };
        let ticker = known.unwrap_or_default().with(parts)?;
        if known.is_none() {
            return Ok(MarketMessage::KeptAlive);
        }
        let is_named = parts.iter().any(Option::is_some);
        let message = match ticker.told()? {
            Some(mark) if is_named => {
                let venue_time_ns = need_time_ns(frame.time, "no time")?;
                MarketMessage::Mark { symbol, venue_time_ns, mark }
            }
            Some(_) => MarketMessage::Unchanged { symbol, kind: EventKind::MarkPrice },
            None => MarketMessage::KeptAlive,
        };
        *place = Some(ticker);
        Ok(message)
    }
}

impl Ticker {
    /// The same, with what a frame names. An empty text is none: what is delivered has no funding,
    /// and what does not trade yet may have no price.
    #[inline]
    fn with(mut self, parts: [Value<'_, '_>; 4]) -> Result<Ticker, DecodeError> {
        let [mark, index, rate, funding] = parts;
        let is_empty = |value: Value<'_, '_>| value.and_then(text) == Some("");
        if is_empty(mark) {
            self.mark_e10 = None;
        } else if mark.is_some() {
            let price = need_scaled(mark, MarkPrice::PRICE_SCALE, "field markPrice is no text")?;
            self.mark_e10 = Some(price);
        }
        if is_empty(index) {
            self.index_e10 = 0;
        } else if index.is_some() {
            self.index_e10 =
                need_scaled(index, MarkPrice::PRICE_SCALE, "field indexPrice is no text")?;
        }
        if is_empty(rate) {
            self.rate_e12 = None;
        } else if rate.is_some() {
            let rate = need_scaled(rate, MarkPrice::RATE_SCALE, "field fundingRate is no text")?;
            self.rate_e12 = Some(rate);
        }
        if is_empty(funding) {
            self.next_funding_ns = 0;
        } else if funding.is_some() {
            self.next_funding_ns = need_time_ns(funding, "field nextFundingTime is no time")?;
        }
        Ok(self)
    }

    /// What is believed; `None` without a mark price, as on spot.
    #[inline]
    fn told(&self) -> Result<Option<MarkPrice>, DecodeError> {
        let Some(mark_price_e10) = self.mark_e10 else { return Ok(None) };
        let next_funding_ns = self.next_funding_ns;
        let funding_rate_e12 = match self.rate_e12 {
            _ if next_funding_ns == 0 => 0,
            Some(rate) => rate,
            None => return Err(DecodeError::field("time of a funding without its rate")),
        };
        let index_price_e10 = self.index_e10;
        let mark = MarkPrice { mark_price_e10, index_price_e10, funding_rate_e12, next_funding_ns };
        check_mark(&mark)?;
        Ok(Some(mark))
    }
}

#[cfg(test)]
mod tests;
