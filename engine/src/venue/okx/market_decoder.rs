//! Frames of OKX's public channels: `{"arg":{..},"action":..,"data":[..]}`, events, and `pong`.
//!
//! Every frame becomes messages or one typed error, whatever the bytes.

use simd_json::Node;

use crate::venue::Symbol;
use crate::venue::codec::{
    DecodeError, Value, best_of, need_elements, need_number, need_text, need_time_ns, need_word,
    pick, quote_of, signed, text, trade_of, unsigned,
};
use crate::venue::protocol::{
    BookUpdate, FrameParts, MarketFrames, MarketMessage, MarketSink, in_book, numbered_reply,
};

/// Most events of a frame: the venue puts one trade into each.
pub(super) const EVENTS_MAX: usize = 32;
/// Price, quantity, a word that is always 0, and the number of orders.
const LEVEL_WIDTH: usize = 4;
/// Says that the connection closes in a minute, for an upgrade.
pub(super) const CLOSES_SOON: &str = "64008";

pub(super) fn decode(
    frames: &mut MarketFrames,
    frame: &[u8],
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    if frame == b"pong" {
        sink.take(MarketMessage::KeptAlive);
        return Ok(());
    }
    frames.parse(frame, |parts, nodes| read_frame(parts, nodes, sink))
}

fn read_frame(
    parts: &mut FrameParts,
    nodes: &[Node<'_>],
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    let [event, arg, action, data] = pick(nodes, ["event", "arg", "action", "data"])?;
    if event.is_some() {
        sink.take(read_event(nodes, event)?);
        return Ok(());
    }
    let arg = arg.ok_or(DecodeError::unknown("frame with neither event nor arg"))?;
    let [channel, name] = pick(arg, ["channel", "instId"])?;
    let channel = need_text(channel, "field channel missing or no text")?;
    let name = need_text(name, "field instId missing or no text")?;
    let symbol = parts.find(name)?;
    for part in need_elements(data, EVENTS_MAX)? {
        sink.take(match channel {
            "books" => read_book(parts, part, symbol, action).map_err(in_book(symbol))?,
            "bbo-tbt" => read_best(parts, part, symbol)?,
            "tickers" => read_ticker(part, symbol)?,
            "trades" => read_trade(part, name, symbol)?,
            _ => return Err(DecodeError::unknown("channel not known")),
        });
    }
    Ok(())
}

fn read_book<'p>(
    parts: &'p mut FrameParts,
    nodes: &[Node<'_>],
    symbol: Symbol,
    action: Value<'_, '_>,
) -> Result<MarketMessage<'p>, DecodeError> {
    let actions = [("snapshot", true), ("update", false)];
    let is_whole =
        need_word(action, "field action missing or no text", actions, "action not known")?;
    let [ts, checksum, id, previous, bids, asks] =
        pick(nodes, ["ts", "checksum", "seqId", "prevSeqId", "bids", "asks"])?;
    parts.read_sides([bids, asks], LEVEL_WIDTH, symbol)?;
    let venue_time_ns = need_time_ns(ts, "field ts missing or no time")?;
    let (update_id, previous_id) = numbers(parts, symbol, id, previous)?;
    // Nothing but zeros since June 2026: 0 is none.
    let checksum = match checksum.map(signed) {
        None | Some(Some(0)) => None,
        Some(sum) => Some(
            sum.and_then(|sum| i32::try_from(sum).ok())
                .ok_or(DecodeError::field("field checksum is no integer of 32 bits"))?
                .cast_unsigned(),
        ),
    };
    let update = BookUpdate { is_whole, update_id, previous_id, checksum, venue_time_ns };
    Ok(parts.book(symbol, update))
}

/// The update's number, and that of the one before; 0 in a snapshot, where the venue says -1.
/// Captures of before 2023 have none: they are counted.
fn numbers(
    parts: &mut FrameParts,
    symbol: Symbol,
    id: Value<'_, '_>,
    previous: Value<'_, '_>,
) -> Result<(u64, u64), DecodeError> {
    let Some(id) = id else {
        let counted = parts.count(symbol);
        return Ok((counted, counted - 1));
    };
    let id = unsigned(id).ok_or(DecodeError::field("field seqId is no integer"))?;
    let previous = previous.and_then(signed);
    let previous = previous.ok_or(DecodeError::field("field prevSeqId missing"))?;
    Ok((id, u64::try_from(previous).unwrap_or(0)))
}

fn read_best<'p>(
    parts: &'p mut FrameParts,
    nodes: &[Node<'_>],
    symbol: Symbol,
) -> Result<MarketMessage<'p>, DecodeError> {
    let [ts, id, bids, asks] = pick(nodes, ["ts", "seqId", "bids", "asks"])?;
    parts.read_sides([bids, asks], LEVEL_WIDTH, symbol)?;
    let quote = quote_of(&parts.bids, &parts.asks)?;
    let update_id = id.map_or(Some(0), unsigned);
    Ok(MarketMessage::Quote {
        symbol,
        update_id: update_id.ok_or(DecodeError::field("field seqId is no integer"))?,
        venue_time_ns: need_time_ns(ts, "field ts missing or no time")?,
        quote,
    })
}

/// The best quote within the statistics of a day. It has no number.
fn read_ticker<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [ts] = pick(nodes, ["ts"])?;
    let quote = best_of(nodes, ["bidPx", "bidSz", "askPx", "askSz"], symbol.scales)?;
    let venue_time_ns = need_time_ns(ts, "field ts missing or no time")?;
    Ok(MarketMessage::Quote { symbol, update_id: 0, venue_time_ns, quote })
}

fn read_trade<'a>(
    nodes: &[Node<'_>],
    name: &str,
    symbol: Symbol,
) -> Result<MarketMessage<'a>, DecodeError> {
    let [id, instrument, price, qty, side, ts] =
        pick(nodes, ["tradeId", "instId", "px", "sz", "side", "ts"])?;
    if need_text(instrument, "field instId missing or no text")? != name {
        return Err(DecodeError::nonsense("data of another instrument than the channel's"));
    }
    // The side of the taker.
    let sides = [("buy", false), ("sell", true)];
    let buyer_is_maker =
        need_word(side, "field side missing or no text", sides, "side of a trade not known")?;
    Ok(MarketMessage::Trade {
        symbol,
        trade_id: need_number(id, "field tradeId missing or no integer")?,
        venue_time_ns: need_time_ns(ts, "field ts missing or no time")?,
        trade: trade_of(price, qty, symbol.scales, buyer_is_maker)?,
    })
}

/// `{"id":"7","event":"subscribe","arg":{..},"connId":..}`, one for each topic of the request, and
/// `{"id":"7","event":"error","code":"60018","msg":..}`.
fn read_event<'a>(
    nodes: &[Node<'_>],
    event: Value<'_, '_>,
) -> Result<MarketMessage<'a>, DecodeError> {
    let [id, code] = pick(nodes, ["id", "code"])?;
    let code = code.and_then(text);
    match need_text(event, "field event is no text")? {
        "subscribe" | "unsubscribe" => numbered_reply(id, None),
        "error" => {
            let code = code.and_then(|code| code.parse().ok());
            numbered_reply(id, Some(code.ok_or(DecodeError::field("error without a code"))?))
        }
        "notice" if code == Some(CLOSES_SOON) => Ok(MarketMessage::Shutdown),
        "channel-conn-count" => Ok(MarketMessage::KeptAlive),
        _ => Err(DecodeError::unknown("event not known")),
    }
}
