//! Frames of Bybit's public streams: `{"topic":..,"type":..,"ts":..,"data":..}`, and replies.
//!
//! Every frame becomes messages or one typed error, whatever the bytes.

use simd_json::Node;
use zerocopy::FromZeros;

use super::ticker::{OTHER_SYMBOL, TickerFrame, Tickers};
use crate::event::{Bar, Side, Trade};
use crate::venue::Symbol;
use crate::venue::codec::{
    DecodeError, Value, bar_of, boolean, need_elements, need_text, need_time_ns, need_unsigned,
    need_word, pick, quote_of, text, trade_of,
};
use crate::venue::protocol::{
    BookUpdate, FrameParts, MarketFrames, MarketMessage, MarketSink, in_book, numbered_reply,
};

/// Most events of a frame. One of trades has up to 1,024 elements: neighbours of one aggressor and
/// price are one event, and so is all that lies beyond this many.
pub(super) const EVENTS_MAX: usize = 32;
/// The venue tells no code with the refusal of a subscription.
const NO_CODE: i32 = 0;
/// Names of what a frame of data has.
const NAMES: [&str; 5] = ["topic", "type", "ts", "cts", "data"];

pub(super) fn decode(
    frames: &mut MarketFrames,
    tickers: &mut Tickers,
    frame: &[u8],
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    // Of a frame whose topic can't be read nobody knows what of which contract it said.
    let mut may_be_any = true;
    let read = frames.parse(frame, |parts, nodes| {
        let fields = pick(nodes, NAMES)?;
        may_be_any = fields[0].is_some_and(|topic| text(topic).is_none());
        read_frame((parts, tickers), nodes, fields, sink)
    });
    if read.is_err() && may_be_any {
        tickers.restart();
    }
    read
}

fn read_frame(
    (parts, tickers): (&mut FrameParts, &mut Tickers),
    nodes: &[Node<'_>],
    [topic, kind, ts, cts, data]: [Value<'_, '_>; NAMES.len()],
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    if topic.is_none() {
        sink.take(read_reply(nodes)?);
        return Ok(());
    }
    let (channel, rest) = split(need_text(topic, "field topic is no text")?)?;
    if channel == "tickers" {
        let frame = TickerFrame { kind, time: ts, data };
        sink.take(tickers.take(frame, (rest, parts.find(rest)?))?);
        return Ok(());
    }
    let data = data.ok_or(DecodeError::field("field data missing"))?;
    let (depth, name) = match channel {
        "orderbook" | "kline" => split(rest)?,
        _ => ("", rest),
    };
    let symbol = parts.find(name)?;
    match channel {
        "orderbook" if !depth.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(DecodeError::unknown("kind of order book not known"))
        }
        "orderbook" => {
            // The time of the matching engine; older frames have that of the sending alone.
            let time = if cts.is_some() { cts } else { ts };
            let update = read_update(parts, (kind, time), data, (name, symbol));
            sink.take(match depth {
                "1" => quote(parts, symbol, update?)?,
                _ => {
                    let update = update.map_err(in_book(symbol))?;
                    parts.book(symbol, update)
                }
            });
            Ok(())
        }
        "publicTrade" => read_trades(data, name, symbol, sink),
        "kline" => {
            let bars = || need_elements(Some(data), EVENTS_MAX);
            let interval_s = interval_s(depth)?;
            for bar in bars()? {
                read_bar(bar, symbol, interval_s)?;
            }
            for bar in bars()? {
                sink.take(read_bar(bar, symbol, interval_s)?);
            }
            Ok(())
        }
        _ => Err(DecodeError::unknown("channel not known")),
    }
}

/// The parts of a topic before and behind its first point.
fn split(topic: &str) -> Result<(&str, &str), DecodeError> {
    topic.split_once('.').ok_or(DecodeError::unknown("topic of no known form"))
}

/// Reads both sides, and gives what is said beside them.
fn read_update(
    parts: &mut FrameParts,
    (kind, time): (Value<'_, '_>, Value<'_, '_>),
    data: &[Node<'_>],
    (topic_name, symbol): (&str, Symbol),
) -> Result<BookUpdate, DecodeError> {
    let kinds = [("snapshot", true), ("delta", false)];
    let missing = "field type missing or no text";
    let is_whole = need_word(kind, missing, kinds, "type of a frame not known")?;
    let venue_time_ns = need_time_ns(time, "no time")?;
    let [name, bids, asks, id] = pick(data, ["s", "b", "a", "u"])?;
    if need_text(name, "field s missing or no text")? != topic_name {
        return Err(OTHER_SYMBOL);
    }
    parts.read_sides([bids, asks], 2, symbol)?;
    let update_id = need_unsigned(id, "field u missing or no integer")?;
    Ok(BookUpdate { is_whole, update_id, previous_id: 0, checksum: None, venue_time_ns })
}

fn quote<'a>(
    parts: &FrameParts,
    symbol: Symbol,
    update: BookUpdate,
) -> Result<MarketMessage<'a>, DecodeError> {
    let BookUpdate { is_whole, update_id, venue_time_ns, .. } = update;
    if !is_whole {
        return Err(DecodeError::unknown("best quote that is not told whole"));
    }
    let quote = quote_of(&parts.bids, &parts.asks)?;
    Ok(MarketMessage::Quote { symbol, update_id, venue_time_ns, quote })
}

/// Trades that are one event, and what tells which ones are.
struct Run {
    symbol: Symbol,
    trade_id: u64,
    venue_time_ns: i64,
    trade: Trade,
}

impl Run {
    fn read(nodes: &[Node<'_>], name: &str, symbol: Symbol) -> Result<Run, DecodeError> {
        let [time, symbol_text, side, qty, price, seq] =
            pick(nodes, ["T", "s", "S", "v", "p", "seq"])?;
        if need_text(symbol_text, "field s missing or no text")? != name {
            return Err(OTHER_SYMBOL);
        }
        // The side of the taker.
        let sides = [("Buy", false), ("Sell", true)];
        let buyer_is_maker =
            need_word(side, "field S missing or no text", sides, "side of a trade not known")?;
        Ok(Run {
            symbol,
            // Frames of before 2025 have none.
            trade_id: seq.map_or(Ok(0), |_| need_unsigned(seq, "field seq is no integer"))?,
            venue_time_ns: need_time_ns(time, "field T missing or no time")?,
            trade: trade_of(price, qty, symbol.scales, buyer_is_maker)?,
        })
    }

    /// Whether the trade that follows is of the same aggressor, price and update.
    fn goes_on_with(&self, next: &Run) -> bool {
        let side = |trade: &Trade| if trade.buy_qty > 0 { Side::Buy } else { Side::Sell };
        self.trade_id == next.trade_id
            && side(&self.trade) == side(&next.trade)
            && (self.trade.first_price, self.trade.last_price)
                == (next.trade.first_price, next.trade.last_price)
    }

    fn absorb(&mut self, next: &Run) {
        self.trade.absorb(&next.trade);
        (self.trade_id, self.venue_time_ns) = (next.trade_id, next.venue_time_ns);
    }

    fn message<'a>(&self) -> MarketMessage<'a> {
        let Run { symbol, trade_id, venue_time_ns, trade } = *self;
        MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade }
    }
}

/// All trades of a frame are read before the first one is told: a frame counts whole or not at all.
fn read_trades(
    nodes: &[Node<'_>],
    name: &str,
    symbol: Symbol,
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    let trades = || need_elements(Some(nodes), usize::MAX);
    for trade in trades()? {
        Run::read(trade, name, symbol)?;
    }
    let (mut told, mut run) = (0, None::<Run>);
    for trade in trades()? {
        let next = Run::read(trade, name, symbol)?;
        match &mut run {
            Some(run) if run.goes_on_with(&next) || told + 1 == EVENTS_MAX => run.absorb(&next),
            _ => {
                if let Some(run) = run.replace(next) {
                    sink.take(run.message());
                    told += 1;
                }
            }
        }
    }
    if let Some(last) = run {
        sink.take(last.message());
    }
    Ok(())
}

fn read_bar<'a>(
    nodes: &[Node<'_>],
    symbol: Symbol,
    interval_s: u32,
) -> Result<MarketMessage<'a>, DecodeError> {
    let [start, confirm, timestamp] = pick(nodes, ["start", "confirm", "timestamp"])?;
    let bar = Bar {
        open_time_ns: need_time_ns(start, "field start missing or no time")?,
        interval_s,
        closed: u64::from(boolean(confirm).ok_or(DecodeError::field("field confirm missing"))?),
        // The venue does not count its trades.
        ..Bar::new_zeroed()
    };
    let bar = bar_of(nodes, symbol.scales, bar)?;
    let venue_time_ns = need_time_ns(timestamp, "field timestamp missing or no time")?;
    Ok(MarketMessage::Bar { symbol, venue_time_ns, bar })
}

/// Length of an interval in seconds. A month has no fixed length: it is given as 30 days.
fn interval_s(interval: &str) -> Result<u32, DecodeError> {
    const MINUTE: u32 = 60;
    const DAY: u32 = 24 * 60 * MINUTE;
    Ok(match interval {
        "1" => MINUTE,
        "3" => 3 * MINUTE,
        "5" => 5 * MINUTE,
        "15" => 15 * MINUTE,
        "30" => 30 * MINUTE,
        "60" => 60 * MINUTE,
        "120" => 120 * MINUTE,
        "240" => 240 * MINUTE,
        "360" => 360 * MINUTE,
        "720" => 720 * MINUTE,
        "D" => DAY,
        "W" => 7 * DAY,
        "M" => 30 * DAY,
        _ => return Err(DecodeError::unknown("interval of a bar not known")),
    })
}

/// `{"success":true,"ret_msg":"","conn_id":..,"req_id":"7","op":"subscribe"}`; pongs differ between
/// the products.
fn read_reply<'a>(nodes: &[Node<'_>]) -> Result<MarketMessage<'a>, DecodeError> {
    let [op, success, message, id] = pick(nodes, ["op", "success", "ret_msg", "req_id"])?;
    match need_text(op, "frame with neither topic nor op")? {
        "pong" => return Ok(MarketMessage::KeptAlive),
        "ping" if message.and_then(text) == Some("pong") => return Ok(MarketMessage::KeptAlive),
        "subscribe" | "unsubscribe" => (),
        _ => return Err(DecodeError::unknown("reply to an op that is not known")),
    }
    let is_done = boolean(success).ok_or(DecodeError::field("field success missing"))?;
    let id = id.filter(|id| text(id) != Some(""));
    numbered_reply(id, (!is_done).then_some(NO_CODE))
}
