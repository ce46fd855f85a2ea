//! Frames of Bybit's public streams: `{"topic":..,"type":..,"ts":..,"data":..}`, and replies.
//!
//! Every frame becomes messages or one typed error, whatever the bytes; nothing is allocated for a
//! frame in steady state.

use simd_json::Node;

use crate::event::{Bar, Level, Side, Trade};
use crate::venue::book::Diff;
use crate::venue::codec::{
    DIFF_LEVELS_MAX, DecodeError, JsonBuffer, boolean, check_bar, elements, make_trade,
    need_scaled, need_text, need_time_ns, need_unsigned, pick, quote_of, read_levels, text,
};
use crate::venue::protocol::{MarketMessage, MarketSink, WholeBook};
use crate::venue::{Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start: a snapshot of 200 levels has 10,000.
const FRAME_BYTES_USUAL: usize = 64 * 1024;
/// The venue tells no code with the refusal of a subscription.
const NO_CODE: i32 = 0;

/// Decodes market frames of one connection.
pub(super) struct MarketDecoder {
    json: JsonBuffer,
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// Where the levels of a book go.
struct Levels<'a> {
    bids: &'a mut Vec<Level>,
    asks: &'a mut Vec<Level>,
}

impl MarketDecoder {
    /// Most events of a frame. One of trades has up to 1,024 elements: neighbours of one aggressor
    /// and price are one event, and so is all that lies beyond this many.
    pub(super) const EVENTS_MAX: usize = 32;

    pub(super) fn new(symbols: SymbolMap, frame_bytes_max: usize) -> MarketDecoder {
        MarketDecoder {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            symbols,
            bids: Vec::with_capacity(DIFF_LEVELS_MAX),
            asks: Vec::with_capacity(DIFF_LEVELS_MAX),
        }
    }

    pub(super) fn decode(
        &mut self,
        frame: &[u8],
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let MarketDecoder { json, symbols, bids, asks } = self;
        json.parse(frame, |nodes| read_frame(nodes, symbols, Levels { bids, asks }, sink))
    }
}

fn read_frame(
    nodes: &[Node<'_>],
    symbols: &SymbolMap,
    levels: Levels<'_>,
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    if !matches!(nodes.first(), Some(Node::Object { .. })) {
        return Err(DecodeError::unknown("frame is not an object"));
    }
    let [topic, kind, ts, cts, data] = pick(nodes, ["topic", "type", "ts", "cts", "data"])?;
    if topic.is_none() {
        sink.take(read_reply(nodes)?);
        return Ok(());
    }
    let topic = need_text(topic, "field topic is no text")?;
    let data = data.ok_or(DecodeError::field("field data missing"))?;
    let (channel, name) =
        topic.split_once('.').ok_or(DecodeError::unknown("topic of no known form"))?;
    match channel {
        "orderbook" => {
            let (depth, name) =
                name.split_once('.').ok_or(DecodeError::unknown("topic of no known form"))?;
            let symbol = find(name, symbols)?;
            let in_book = |error| DecodeError { book: Some(symbol.instrument), ..error };
            let is_whole = match need_text(kind, "field type missing or no text")? {
                "snapshot" => true,
                "delta" => false,
                _ => return Err(in_book(DecodeError::unknown("type of a frame not known"))),
            };
            // The time of the matching engine; older frames have that of the sending alone.
            let time = if cts.is_some() { cts } else { ts };
            let time_ns = need_time_ns(time, "no time").map_err(in_book)?;
            let update = Update { symbol, name, is_whole, time_ns, data };
            match depth {
                "1" => sink.take(read_quote(&update, levels)?),
                _ if depth.bytes().all(|byte| byte.is_ascii_digit()) => {
                    sink.take(read_book(&update, levels).map_err(in_book)?);
                }
                _ => return Err(DecodeError::unknown("kind of order book not known")),
            }
            Ok(())
        }
        "publicTrade" => read_trades(data, name, symbols, sink),
        "kline" => read_bars(data, name, symbols, sink),
        // Statistics of a day, mark price and funding: no event carries them yet.
        "tickers" => {
            find(name, symbols)?;
            sink.take(MarketMessage::KeptAlive);
            Ok(())
        }
        _ => Err(DecodeError::unknown("channel not known")),
    }
}

/// A frame of an order book, its envelope read.
struct Update<'t, 'a> {
    symbol: Symbol,
    name: &'a str,
    is_whole: bool,
    time_ns: i64,
    data: &'t [Node<'a>],
}

fn find(name: &str, symbols: &SymbolMap) -> Result<Symbol, DecodeError> {
    symbols.lookup(name.as_bytes()).ok_or(DecodeError::symbol())
}

/// Reads both sides, and gives the number of the update.
fn read_sides(update: &Update<'_, '_>, levels: &mut Levels<'_>) -> Result<u64, DecodeError> {
    let [name, bids, asks, id] = pick(update.data, ["s", "b", "a", "u"])?;
    if need_text(name, "field s missing or no text")? != update.name {
        return Err(DecodeError::nonsense("data of another symbol than the topic's"));
    }
    let scales = update.symbol.scales;
    let bids = bids.ok_or(DecodeError::field("field b missing"))?;
    let asks = asks.ok_or(DecodeError::field("field a missing"))?;
    read_levels(bids, scales, DIFF_LEVELS_MAX, levels.bids)?;
    read_levels(asks, scales, DIFF_LEVELS_MAX, levels.asks)?;
    need_unsigned(id, "field u missing or no integer")
}

fn read_quote<'a>(
    update: &Update<'_, '_>,
    mut levels: Levels<'_>,
) -> Result<MarketMessage<'a>, DecodeError> {
    let update_id = read_sides(update, &mut levels)?;
    if !update.is_whole {
        return Err(DecodeError::unknown("best quote that is not told whole"));
    }
    let quote = quote_of(levels.bids, levels.asks)?;
    Ok(MarketMessage::Quote {
        symbol: update.symbol,
        update_id,
        venue_time_ns: update.time_ns,
        quote,
    })
}

fn read_book<'a>(
    update: &Update<'_, '_>,
    mut levels: Levels<'a>,
) -> Result<MarketMessage<'a>, DecodeError> {
    let update_id = read_sides(update, &mut levels)?;
    let Levels { bids, asks } = levels;
    let (symbol, venue_time_ns) = (update.symbol, update.time_ns);
    Ok(if update.is_whole {
        let book =
            WholeBook { last_update_id: update_id, venue_time_ns, bids, asks, checksum: None };
        MarketMessage::Book { symbol, book }
    } else {
        let diff = Diff {
            first_update_id: update_id,
            final_update_id: update_id,
            previous_update_id: 0,
            checksum: None,
            venue_time_ns,
            bids,
            asks,
        };
        MarketMessage::Depth { symbol, diff }
    })
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
            return Err(DecodeError::nonsense("data of another symbol than the topic's"));
        }
        // The side of the taker.
        let buyer_is_maker = match need_text(side, "field S missing or no text")? {
            "Buy" => false,
            "Sell" => true,
            _ => return Err(DecodeError::unknown("side of a trade not known")),
        };
        let price = need_scaled(price, symbol.scales.price, "field p missing or no text")?;
        let qty = need_scaled(qty, symbol.scales.qty, "field v missing or no text")?;
        Ok(Run {
            symbol,
            // Frames of before 2025 have none.
            trade_id: seq.map_or(Ok(0), |_| need_unsigned(seq, "field seq is no integer"))?,
            venue_time_ns: need_time_ns(time, "field T missing or no time")?,
            trade: make_trade(price, qty, buyer_is_maker)?,
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
    symbols: &SymbolMap,
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    let symbol = find(name, symbols)?;
    let trades = || elements(nodes).ok_or(DecodeError::field("trades are no array"));
    for trade in trades()? {
        Run::read(trade, name, symbol)?;
    }
    let (mut told, mut run) = (0, None::<Run>);
    for trade in trades()? {
        let next = Run::read(trade, name, symbol)?;
        match &mut run {
            Some(run) if run.goes_on_with(&next) || told + 1 == MarketDecoder::EVENTS_MAX => {
                run.absorb(&next);
            }
            _ => {
                if let Some(run) = run.replace(next) {
                    sink.take(run.message());
                    told += 1;
                }
            }
        }
    }
    let last = run.ok_or(DecodeError::nonsense("a frame of no trade"))?;
    sink.take(last.message());
    Ok(())
}

fn read_bars(
    nodes: &[Node<'_>],
    name: &str,
    symbols: &SymbolMap,
    sink: &mut impl MarketSink,
) -> Result<(), DecodeError> {
    let (interval, name) =
        name.split_once('.').ok_or(DecodeError::unknown("topic of no known form"))?;
    let symbol = find(name, symbols)?;
    let interval_s = interval_s(interval)?;
    let bars = || elements(nodes).ok_or(DecodeError::field("bars are no array"));
    if bars()?.len() > MarketDecoder::EVENTS_MAX {
        return Err(DecodeError::nonsense("too many bars in a frame"));
    }
    for bar in bars()? {
        read_bar(bar, symbol, interval_s)?;
    }
    for bar in bars()? {
        sink.take(read_bar(bar, symbol, interval_s)?);
    }
    Ok(())
}

fn read_bar<'a>(
    nodes: &[Node<'_>],
    symbol: Symbol,
    interval_s: u32,
) -> Result<MarketMessage<'a>, DecodeError> {
    let [start, open, close, high, low, volume, confirm, timestamp] =
        pick(nodes, ["start", "open", "close", "high", "low", "volume", "confirm", "timestamp"])?;
    let price = |value, detail| need_scaled(value, symbol.scales.price, detail);
    let bar = Bar {
        open: price(open, "field open missing or no text")?,
        high: price(high, "field high missing or no text")?,
        low: price(low, "field low missing or no text")?,
        close: price(close, "field close missing or no text")?,
        volume: need_scaled(volume, symbol.scales.qty, "field volume missing or no text")?,
        open_time_ns: need_time_ns(start, "field start missing or no time")?,
        interval_s,
        // The venue does not count them.
        trades: 0,
        closed: u64::from(boolean(confirm).ok_or(DecodeError::field("field confirm missing"))?),
    };
    check_bar(&bar)?;
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
    let op = need_text(op, "frame with neither topic nor op")?;
    match op {
        "pong" => return Ok(MarketMessage::KeptAlive),
        "ping" if message.and_then(text) == Some("pong") => return Ok(MarketMessage::KeptAlive),
        "subscribe" | "unsubscribe" => (),
        _ => return Err(DecodeError::unknown("reply to an op that is not known")),
    }
    let is_done = boolean(success).ok_or(DecodeError::field("field success missing"))?;
    match id.and_then(text).filter(|id| !id.is_empty()).map(str::parse) {
        Some(Ok(id)) => Ok(MarketMessage::Reply { id, error: (!is_done).then_some(NO_CODE) }),
        // Of a request that had no number: none of ours, but of those who recorded.
        None if is_done => Ok(MarketMessage::KeptAlive),
        _ => Err(DecodeError::unknown("reply without a number of ours")),
    }
}
