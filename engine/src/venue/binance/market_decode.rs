//! Market data frames of the venue's streams, bare or combined (`{"stream":..,"data":..}`).
//!
//! Promises: every frame becomes exactly one message or one typed error, whatever the bytes; an unknown
//! kind or enum value is an error and never a default; prices are positive and quantities not negative
//! (F17); no allocation per frame in steady state. Does not know whether a diff follows the one before:
//! that is the book's part.

use simd_json::Node;

use super::error::DecodeError;
use super::fields::{
    Letters, elements, is_null, members, milliseconds_to_ns, signed, text, unsigned,
};
use super::json::JsonBuffer;
use crate::event::{Bar, Level, Price, Qty, Quote, Side, Trade, parse_scaled};
use crate::venue::book::Diff;
use crate::venue::{LetterReason, Scales, Symbol, SymbolMap};

/// Levels a side in one diff. The largest diff in 40 MB of recordings has 1,076 on both sides together.
pub(super) const DIFF_LEVELS_MAX: usize = 5_000;

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 64 * 1024;

/// One decoded frame.
#[derive(Clone, Copy, Debug)]
pub enum MarketMessage<'a> {
    /// `bookTicker`: best bid and offer. Has no venue time.
    Quote {
        /// What it is about.
        symbol: Symbol,
        /// The book's update id, `u`.
        update_id: u64,
        /// The venue's time, ns since the Unix epoch; 0 since spot frames have none.
        venue_time_ns: i64,
        /// Best bid and offer.
        quote: Quote,
    },
    /// `trade` or `aggTrade`. Subscribe to one of the two: their ids are different sequences.
    Trade {
        /// What it is about.
        symbol: Symbol,
        /// Trade id, `t` or `a`.
        trade_id: u64,
        /// Event time, ns since the Unix epoch.
        venue_time_ns: i64,
        /// The trade.
        trade: Trade,
    },
    /// `kline`.
    Bar {
        /// What it is about.
        symbol: Symbol,
        /// Event time, ns since the Unix epoch.
        venue_time_ns: i64,
        /// The bar, closed or not.
        bar: Bar,
    },
    /// `depthUpdate`.
    Depth {
        /// What it is about.
        symbol: Symbol,
        /// The change.
        diff: Diff<'a>,
    },
    /// Answer to a request on this connection.
    Reply {
        /// The request's number.
        id: u64,
        /// The venue's error code; `None` = done.
        error: Option<i32>,
    },
    /// The server will close this connection soon.
    Shutdown,
}

/// Decodes market frames of one connection.
pub struct MarketDecoder {
    json: JsonBuffer,
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl MarketDecoder {
    /// A decoder for these symbols that refuses frames above `frame_bytes_max`.
    #[must_use]
    pub fn new(symbols: SymbolMap, frame_bytes_max: usize) -> MarketDecoder {
        MarketDecoder {
            json: JsonBuffer::new(FRAME_BYTES_USUAL, frame_bytes_max),
            symbols,
            bids: Vec::with_capacity(DIFF_LEVELS_MAX),
            asks: Vec::with_capacity(DIFF_LEVELS_MAX),
        }
    }

    /// Decodes one frame.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong. Where the frame was a diff of a configured symbol, its
    /// `book` names the instrument: that book now has a hole.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &[u8]) -> Result<MarketMessage<'a>, DecodeError> {
        let MarketDecoder { json, symbols, bids, asks } = self;
        json.parse(frame, |nodes| read_frame(nodes, symbols, bids, asks))
    }

    /// The symbols it knows.
    #[must_use]
    pub fn symbols(&self) -> &SymbolMap {
        &self.symbols
    }
}

/// The members of a frame's root that tell what the frame is.
#[derive(Default)]
struct Envelope<'t, 'a> {
    data: Option<&'t [Node<'a>]>,
    id: Option<&'t [Node<'a>]>,
    error: Option<&'t [Node<'a>]>,
    code: Option<&'t [Node<'a>]>,
    has_result: bool,
}

fn read_frame<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    bids: &'a mut Vec<Level>,
    asks: &'a mut Vec<Level>,
) -> Result<MarketMessage<'a>, DecodeError> {
    if !matches!(nodes.first(), Some(Node::Object { .. })) {
        return Err(DecodeError::unknown("frame is not an object"));
    }
    let mut envelope = Envelope::default();
    for (name, value) in members(nodes) {
        let place = match name {
            "data" => &mut envelope.data,
            "id" => &mut envelope.id,
            "error" => &mut envelope.error,
            "code" => &mut envelope.code,
            "result" => {
                envelope.has_result = true;
                continue;
            }
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(DecodeError::malformed("a member of the frame twice"));
        }
    }
    match envelope.data {
        Some(data) => read_event(data, symbols, bids, asks),
        None if envelope.id.is_some() => read_reply(&envelope),
        None => read_event(nodes, symbols, bids, asks),
    }
}

fn read_reply<'a>(envelope: &Envelope<'_, '_>) -> Result<MarketMessage<'a>, DecodeError> {
    let Some(id) = envelope.id.and_then(unsigned) else {
        return Err(DecodeError::unknown("reply without a numeric id"));
    };
    let code = match envelope.error {
        Some(error) if !is_null(error) => {
            Some(members(error).find_map(|(name, value)| (name == "code").then_some(value)))
        }
        _ => envelope.code.map(Some),
    };
    let error = match code {
        Some(code) => Some(
            code.and_then(signed)
                .and_then(|code| i32::try_from(code).ok())
                .ok_or(DecodeError::field("error code missing"))?,
        ),
        None if envelope.has_result => None,
        None => return Err(DecodeError::unknown("reply with neither result nor error")),
    };
    Ok(MarketMessage::Reply { id, error })
}

#[inline]
fn read_event<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    bids: &'a mut Vec<Level>,
    asks: &'a mut Vec<Level>,
) -> Result<MarketMessage<'a>, DecodeError> {
    let fields = Letters::read(nodes)?;
    if fields.get(b'e').is_none() {
        // Spot's bookTicker is the one frame without a kind.
        if fields.get(b'u').is_none() || fields.get(b'B').is_none() {
            return Err(DecodeError::unknown("frame of no known kind"));
        }
        return read_quote(&fields, symbols);
    }
    match fields.text(b'e')? {
        "depthUpdate" => {
            let symbol = read_symbol(&fields, symbols)?;
            let diff = read_diff(&fields, symbol.scales, bids, asks)
                .map_err(|error| DecodeError { book: Some(symbol.instrument), ..error })?;
            Ok(MarketMessage::Depth { symbol, diff })
        }
        "bookTicker" => read_quote(&fields, symbols),
        "trade" => read_trade(&fields, b't', symbols),
        "aggTrade" => read_trade(&fields, b'a', symbols),
        "kline" => read_bar(&fields, symbols),
        "serverShutdown" => Ok(MarketMessage::Shutdown),
        _ => Err(DecodeError::unknown("event kind not known")),
    }
}

#[inline]
fn read_symbol(fields: &Letters<'_, '_>, symbols: &SymbolMap) -> Result<Symbol, DecodeError> {
    symbols.lookup(fields.text(b's')?.as_bytes()).ok_or(DecodeError::symbol())
}

#[inline]
fn read_quote<'a>(
    fields: &Letters<'_, '_>,
    symbols: &SymbolMap,
) -> Result<MarketMessage<'a>, DecodeError> {
    let symbol = read_symbol(fields, symbols)?;
    let quote = Quote {
        bid_price: fields.scaled(b'b', symbol.scales.price)?,
        bid_qty: fields.scaled(b'B', symbol.scales.qty)?,
        ask_price: fields.scaled(b'a', symbol.scales.price)?,
        ask_qty: fields.scaled(b'A', symbol.scales.qty)?,
    };
    check_quote(&quote)?;
    let venue_time_ns = if fields.get(b'E').is_some() { fields.time_ns(b'E')? } else { 0 };
    Ok(MarketMessage::Quote { symbol, update_id: fields.unsigned(b'u')?, venue_time_ns, quote })
}

/// A side is a positive price with a positive quantity, or it is empty and both are 0.
#[inline]
pub(super) fn check_quote(quote: &Quote) -> Result<(), DecodeError> {
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
fn read_trade<'a>(
    fields: &Letters<'_, '_>,
    id_letter: u8,
    symbols: &SymbolMap,
) -> Result<MarketMessage<'a>, DecodeError> {
    let symbol = read_symbol(fields, symbols)?;
    let price = fields.scaled(b'p', symbol.scales.price)?;
    let qty = fields.scaled(b'q', symbol.scales.qty)?;
    // `m`: the buyer was the maker, so the seller came to the book.
    let trade = make_trade(price, qty, fields.boolean(b'm')?)?;
    Ok(MarketMessage::Trade {
        symbol,
        trade_id: fields.unsigned(id_letter)?,
        venue_time_ns: fields.time_ns(b'E')?,
        trade,
    })
}

#[inline]
pub(super) fn make_trade(price: i64, qty: i64, buyer_is_maker: bool) -> Result<Trade, DecodeError> {
    if price <= 0 || qty <= 0 {
        return Err(DecodeError::nonsense("trade at no price or of no quantity"));
    }
    let aggressor = if buyer_is_maker { Side::Sell } else { Side::Buy };
    Ok(Trade::single(Price(price), Qty(qty), aggressor))
}

fn read_bar<'a>(
    fields: &Letters<'_, '_>,
    symbols: &SymbolMap,
) -> Result<MarketMessage<'a>, DecodeError> {
    let symbol = read_symbol(fields, symbols)?;
    let Some(nodes @ [Node::Object { .. }, ..]) = fields.get(b'k') else {
        return Err(DecodeError::field("field k missing or no object"));
    };
    let kline = Letters::read(nodes)?;
    let Scales { price, qty } = symbol.scales;
    let bar = Bar {
        open: kline.scaled(b'o', price)?,
        high: kline.scaled(b'h', price)?,
        low: kline.scaled(b'l', price)?,
        close: kline.scaled(b'c', price)?,
        volume: kline.scaled(b'v', qty)?,
        open_time_ns: milliseconds_to_ns(kline.unsigned(b't')?)?,
        interval_s: interval_s(kline.text(b'i')?)?,
        trades: u32::try_from(kline.unsigned(b'n')?).unwrap_or(u32::MAX),
        closed: u64::from(kline.boolean(b'x')?),
    };
    let body = (bar.open.min(bar.close), bar.open.max(bar.close));
    if bar.low <= 0 || bar.low > body.0 || bar.high < body.1 || bar.volume < 0 {
        return Err(DecodeError::nonsense("prices or volume of a bar contradict each other"));
    }
    Ok(MarketMessage::Bar { symbol, venue_time_ns: fields.time_ns(b'E')?, bar })
}

/// Length of a kline interval in seconds. A month has no fixed length: it is given as 30 days.
fn interval_s(interval: &str) -> Result<u32, DecodeError> {
    const MINUTE: u32 = 60;
    const HOUR: u32 = 60 * MINUTE;
    const DAY: u32 = 24 * HOUR;
    Ok(match interval {
        "1s" => 1,
        "1m" => MINUTE,
        "3m" => 3 * MINUTE,
        "5m" => 5 * MINUTE,
        "15m" => 15 * MINUTE,
        "30m" => 30 * MINUTE,
        "1h" => HOUR,
        "2h" => 2 * HOUR,
        "4h" => 4 * HOUR,
        "6h" => 6 * HOUR,
        "8h" => 8 * HOUR,
        "12h" => 12 * HOUR,
        "1d" => DAY,
        "3d" => 3 * DAY,
        "1w" => 7 * DAY,
        "1M" => 30 * DAY,
        _ => return Err(DecodeError::unknown("kline interval not known")),
    })
}

#[inline]
fn read_diff<'a>(
    fields: &Letters<'_, '_>,
    scales: Scales,
    bids: &'a mut Vec<Level>,
    asks: &'a mut Vec<Level>,
) -> Result<Diff<'a>, DecodeError> {
    let first_update_id = fields.unsigned(b'U')?;
    let final_update_id = fields.unsigned(b'u')?;
    if final_update_id < first_update_id {
        return Err(DecodeError::nonsense("last update of a diff before its first"));
    }
    let venue_time_ns = fields.time_ns(b'E')?;
    let side = |letter| fields.get(letter).ok_or(DecodeError::field("a side of the diff missing"));
    read_levels(side(b'b')?, scales, DIFF_LEVELS_MAX, bids)?;
    read_levels(side(b'a')?, scales, DIFF_LEVELS_MAX, asks)?;
    Ok(Diff { first_update_id, final_update_id, venue_time_ns, bids, asks })
}

/// Reads `[[price, quantity], ..]` into `out`, which is cleared first.
#[inline]
pub(super) fn read_levels(
    nodes: &[Node<'_>],
    scales: Scales,
    levels_max: usize,
    out: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    out.clear();
    let levels = elements(nodes).ok_or(DecodeError::field("levels are no array"))?;
    if levels.len() > levels_max {
        return Err(DecodeError::new(LetterReason::Oversize, "too many levels"));
    }
    for level in levels {
        let [Node::Array { len: 2, .. }, price, qty, ..] = level else {
            return Err(DecodeError::field("level is not [price, quantity]"));
        };
        let number = |node| text(std::slice::from_ref(node));
        let (Some(price), Some(qty)) = (number(price), number(qty)) else {
            return Err(DecodeError::field("level is not [price, quantity] in text"));
        };
        let price = parse_scaled(price.as_bytes(), scales.price)?;
        let qty = parse_scaled(qty.as_bytes(), scales.qty)?;
        if price <= 0 || qty < 0 {
            return Err(DecodeError::nonsense("level at no price or of negative quantity"));
        }
        out.push(Level { price, qty });
    }
    Ok(())
}
