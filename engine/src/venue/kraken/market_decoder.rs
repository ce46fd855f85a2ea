//! Frames of Kraken's channels: `{"channel":..,"type":..,"data":[..]}`, and replies.
//!
//! Every frame becomes messages or one typed error, whatever the bytes. Prices are JSON numbers
//! with all their decimals: they are read as texts.

use simd_json::Node;
use zerocopy::FromZeros;

use crate::event::{Bar, Level, parse_scaled};
use crate::venue::codec::{
    DIFF_LEVELS_MAX, DecodeError, Value, bar_of, best_of, boolean, elements, need_date_ns,
    need_elements, need_number, need_text, need_word, pick, trade_of,
};
use crate::venue::protocol::{
    BookUpdate, FrameParts, MarketFrames, MarketMessage, MarketSink, in_book, numbered_reply,
};
use crate::venue::{LetterReason, Symbol};

/// Most events of a frame; a book, its status, or a few trades.
pub(super) const EVENTS_MAX: usize = 64;
/// The venue tells no code with the refusal of a request, but a text.
const NO_CODE: i32 = 0;
const NO_COUNT: &str = "field trades is no integer";

pub(super) fn decode(
    frames: &mut MarketFrames,
    frame: &[u8],
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    frames.parse_numbers_as_texts(frame, |parts, nodes| read_frame(parts, nodes, sink))
}

fn read_frame(
    parts: &mut FrameParts,
    nodes: &[Node<'_>],
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    let [channel, kind, data] = pick(nodes, ["channel", "type", "data"])?;
    if channel.is_none() {
        sink.take(read_reply(nodes)?);
        return Ok(());
    }
    let channel = need_text(channel, "field channel is no text")?;
    if channel == "status" && !is_online(data)? {
        return Err(DecodeError::unknown("the venue says that it is not online"));
    }
    if matches!(channel, "heartbeat" | "status" | "instrument") {
        // A sign of life, that the venue is online, and reference data that nobody here subscribes
        // to.
        sink.take(MarketMessage::KeptAlive);
        return Ok(());
    }
    let kinds = [("snapshot", true), ("update", false)];
    let missing = "field type missing or no text";
    let is_whole = need_word(kind, missing, kinds, "type of a frame not known")?;
    let data = need_elements(data, EVENTS_MAX)?;
    if channel == "trade" && is_whole {
        // Trades of before the subscription.
        sink.take(MarketMessage::KeptAlive);
        return Ok(());
    }
    for part in data {
        let [name] = pick(part, ["symbol"])?;
        let symbol = parts.find(need_text(name, "field symbol missing or no text")?)?;
        sink.take(match channel {
            "book" => read_book(parts, part, symbol, is_whole).map_err(in_book(symbol))?,
            "ticker" => read_ticker(part, symbol)?,
            "trade" => read_trade(part, symbol)?,
            "ohlc" => read_bar(part, symbol)?,
            _ => return Err(DecodeError::unknown("channel not known")),
        });
    }
    Ok(())
}

fn read_book<'p>(
    parts: &'p mut FrameParts,
    nodes: &[Node<'_>],
    symbol: Symbol,
    is_whole: bool,
) -> Result<MarketMessage<'p>, DecodeError> {
    let [bids, asks, checksum, timestamp] = pick(nodes, ["bids", "asks", "checksum", "timestamp"])?;
    for (side, levels) in [(bids, &mut parts.bids), (asks, &mut parts.asks)] {
        let side = side.ok_or(DecodeError::field("a side of the book missing"))?;
        read_levels(side, symbol, levels)?;
    }
    let checksum = need_number(checksum, "field checksum missing")?;
    let checksum = u32::try_from(checksum)
        .map(Some)
        .map_err(|_| DecodeError::field("field checksum is no integer of 32 bits"))?;
    // Snapshots of before 2025 have no time.
    let venue_time_ns = match timestamp {
        None if is_whole => 0,
        _ => need_date_ns(timestamp, "field timestamp missing or no time")?,
    };
    let update_id = parts.count(symbol);
    let previous_id = update_id - 1;
    let update = BookUpdate { is_whole, update_id, previous_id, checksum, venue_time_ns };
    Ok(parts.book(symbol, update))
}

/// Reads `[{"price":..,"qty":..}, ..]`. Its numbers have the decimals that the checksum counts:
/// those of the instrument.
fn read_levels(
    nodes: &[Node<'_>],
    symbol: Symbol,
    out: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    out.clear();
    let levels = elements(nodes).ok_or(DecodeError::field("levels are no array"))?;
    if levels.len() > DIFF_LEVELS_MAX {
        return Err(DecodeError::new(LetterReason::Oversize, "too many levels"));
    }
    for level in levels {
        let [price, qty] = pick(level, ["price", "qty"])?;
        let price = need_text(price, "field price missing")?;
        let qty = need_text(qty, "field qty missing")?;
        if decimals(price) != symbol.scales.price || decimals(qty) != symbol.scales.qty {
            return Err(DecodeError::number(
                "other decimals than the instrument's price_scale and qty_scale",
            ));
        }
        let price = parse_scaled(price.as_bytes(), symbol.scales.price)?;
        let qty = parse_scaled(qty.as_bytes(), symbol.scales.qty)?;
        if price <= 0 || qty < 0 {
            return Err(DecodeError::nonsense("level at no price or of negative quantity"));
        }
        out.push(Level { price, qty });
    }
    Ok(())
}

/// Whether `[{"system":..}]` is the word of a venue at work. Others are `maintenance`,
/// `cancel_only` and `post_only`: a letter says so, and books that stop are told by their silence.
pub(super) fn is_online(data: Value<'_, '_>) -> Result<bool, DecodeError> {
    let status = data.and_then(elements).and_then(|mut all| all.next());
    let [system] = pick(status.ok_or(DecodeError::field("data is no array"))?, ["system"])?;
    Ok(need_text(system, "field system missing or no text")? == "online")
}

/// Digits behind the point.
fn decimals(number: &str) -> u8 {
    number.split_once('.').map_or(0, |(_, fraction)| fraction.len().min(u8::MAX.into()) as u8)
}

fn read_ticker<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [timestamp] = pick(nodes, ["timestamp"])?;
    let quote = best_of(nodes, ["bid", "bid_qty", "ask", "ask_qty"], symbol.scales)?;
    // Tickers of before 2026 have no time.
    let venue_time_ns =
        timestamp.map_or(Ok(0), |_| need_date_ns(timestamp, "field timestamp is no time"))?;
    Ok(MarketMessage::Quote { symbol, update_id: 0, venue_time_ns, quote })
}

fn read_trade<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [side, price, qty, id, timestamp] =
        pick(nodes, ["side", "price", "qty", "trade_id", "timestamp"])?;
    // The side of the taker.
    let sides = [("buy", false), ("sell", true)];
    let buyer_is_maker =
        need_word(side, "field side missing or no text", sides, "side of a trade not known")?;
    Ok(MarketMessage::Trade {
        symbol,
        trade_id: need_number(id, "field trade_id missing or no integer")?,
        venue_time_ns: need_date_ns(timestamp, "field timestamp missing or no time")?,
        trade: trade_of(price, qty, symbol.scales, buyer_is_maker)?,
    })
}

/// A bar that is still open: the venue does not say that one has ended, but begins the next one.
fn read_bar<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [trades, begin, interval, timestamp] =
        pick(nodes, ["trades", "interval_begin", "interval", "timestamp"])?;
    let minutes = need_number(interval, "field interval is no integer")?;
    let interval_s = u32::try_from(minutes).ok().and_then(|minutes| minutes.checked_mul(60));
    let bar = Bar {
        open_time_ns: need_date_ns(begin, "field interval_begin missing or no time")?,
        interval_s: interval_s.ok_or(DecodeError::field("field interval is no integer"))?,
        trades: u32::try_from(need_number(trades, NO_COUNT)?)
            .map_err(|_| DecodeError::field(NO_COUNT))?,
        ..Bar::new_zeroed()
    };
    let bar = bar_of(nodes, symbol.scales, bar)?;
    let venue_time_ns = need_date_ns(timestamp, "field timestamp missing or no time")?;
    Ok(MarketMessage::Bar { symbol, venue_time_ns, bar })
}

/// `{"method":"subscribe","req_id":7,"result":{..},"success":true,..}`, one for each symbol of the
/// request, and `{"method":"pong",..}`.
fn read_reply<'a>(nodes: &[Node<'_>]) -> Result<MarketMessage<'a>, DecodeError> {
    let [method, success, id] = pick(nodes, ["method", "success", "req_id"])?;
    match need_text(method, "frame with neither channel nor method")? {
        "pong" => return Ok(MarketMessage::KeptAlive),
        "subscribe" | "unsubscribe" => (),
        _ => return Err(DecodeError::unknown("reply to a method that is not known")),
    }
    let is_done = boolean(success).ok_or(DecodeError::field("field success missing"))?;
    numbered_reply(id, (!is_done).then_some(NO_CODE))
}
