//! Frames of Kraken's channels: `{"channel":..,"type":..,"data":[..]}`, and replies.
//!
//! Every frame becomes messages or one typed error, whatever the bytes; nothing is allocated for a
//! frame in steady state. Prices are JSON numbers with all their decimals: they are read as texts.

use simd_json::Node;

use crate::event::{Bar, Level, Quote, parse_scaled};
use crate::venue::book::Diff;
use crate::venue::codec::{
    DIFF_LEVELS_MAX, DecodeError, JsonBuffer, Value, boolean, check_bar, check_quote, elements,
    make_trade, need_date_ns, need_scaled, need_text, pick, text,
};
use crate::venue::protocol::{MarketMessage, MarketSink, WholeBook};
use crate::venue::{LetterReason, Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 64 * 1024;
/// The venue tells no code with the refusal of a request, but a text.
const NO_CODE: i32 = 0;

/// Decodes market frames of one connection.
pub(super) struct MarketDecoder {
    json: JsonBuffer,
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
    /// By the symbols' slots: how many changes of a book have come. It is their number.
    counted: Box<[u64]>,
}

/// What the parts of a frame are read with.
struct Reader<'a> {
    symbols: &'a SymbolMap,
    bids: &'a mut Vec<Level>,
    asks: &'a mut Vec<Level>,
    counted: &'a mut [u64],
}

impl MarketDecoder {
    /// Most events of a frame; a book, its status, or a few trades.
    pub(super) const EVENTS_MAX: usize = 64;

    pub(super) fn new(symbols: SymbolMap, frame_bytes_max: usize) -> MarketDecoder {
        MarketDecoder {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            counted: vec![0; symbols.len()].into(),
            symbols,
            bids: Vec::with_capacity(DIFF_LEVELS_MAX),
            asks: Vec::with_capacity(DIFF_LEVELS_MAX),
        }
    }

    /// A new connection.
    pub(super) fn restart(&mut self) {
        self.counted.fill(0);
    }

    pub(super) fn decode(
        &mut self,
        frame: &[u8],
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let MarketDecoder { json, symbols, bids, asks, counted } = self;
        let mut reader = Reader { symbols, bids, asks, counted };
        json.parse_numbers_as_texts(frame, |nodes| reader.read_frame(nodes, sink))
    }
}

impl Reader<'_> {
    fn read_frame(
        &mut self,
        nodes: &[Node<'_>],
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        if !matches!(nodes.first(), Some(Node::Object { .. })) {
            return Err(DecodeError::unknown("frame is not an object"));
        }
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
            // A sign of life, that the venue is online, and reference data that nobody here
            // subscribes to.
            sink.take(MarketMessage::KeptAlive);
            return Ok(());
        }
        let is_whole = match need_text(kind, "field type missing or no text")? {
            "snapshot" => true,
            "update" => false,
            _ => return Err(DecodeError::unknown("type of a frame not known")),
        };
        let data = data.and_then(elements).ok_or(DecodeError::field("data is no array"))?;
        if data.len() == 0 || data.len() > MarketDecoder::EVENTS_MAX {
            return Err(DecodeError::nonsense("no data, or too many in a frame"));
        }
        match channel {
            "book" => data.into_iter().try_for_each(|book| {
                let symbol = self.find(book)?;
                let message = self.read_book(book, symbol, is_whole);
                sink.take(
                    message
                        .map_err(|error| DecodeError { book: Some(symbol.instrument), ..error })?,
                );
                Ok(())
            }),
            "ticker" => data.into_iter().try_for_each(|ticker| {
                sink.take(read_ticker(ticker, self.find(ticker)?)?);
                Ok(())
            }),
            "trade" if is_whole => {
                // Trades of before the subscription.
                sink.take(MarketMessage::KeptAlive);
                Ok(())
            }
            "trade" => data.into_iter().try_for_each(|trade| {
                sink.take(read_trade(trade, self.find(trade)?)?);
                Ok(())
            }),
            "ohlc" => data.into_iter().try_for_each(|bar| {
                sink.take(read_bar(bar, self.find(bar)?)?);
                Ok(())
            }),
            _ => Err(DecodeError::unknown("channel not known")),
        }
    }

    fn find(&self, nodes: &[Node<'_>]) -> Result<Symbol, DecodeError> {
        let [name] = pick(nodes, ["symbol"])?;
        let name = need_text(name, "field symbol missing or no text")?;
        self.symbols.lookup(name.as_bytes()).ok_or(DecodeError::symbol())
    }

    fn read_book(
        &mut self,
        nodes: &[Node<'_>],
        symbol: Symbol,
        is_whole: bool,
    ) -> Result<MarketMessage<'_>, DecodeError> {
        let [bids, asks, checksum, timestamp] =
            pick(nodes, ["bids", "asks", "checksum", "timestamp"])?;
        for (side, levels) in [(bids, &mut *self.bids), (asks, &mut *self.asks)] {
            let side = side.ok_or(DecodeError::field("a side of the book missing"))?;
            read_levels(side, symbol, levels)?;
        }
        let checksum = need_text(checksum, "field checksum missing")?;
        let checksum = checksum
            .parse()
            .map(Some)
            .map_err(|_| DecodeError::field("field checksum is no integer of 32 bits"))?;
        // Snapshots of before 2025 have no time.
        let venue_time_ns = match timestamp {
            None if is_whole => 0,
            _ => need_date_ns(timestamp, "field timestamp missing or no time")?,
        };
        let counted = &mut self.counted[symbol.slot];
        *counted += 1;
        let final_update_id = *counted;
        let (bids, asks) = (&self.bids[..], &self.asks[..]);
        Ok(if is_whole {
            let last_update_id = final_update_id;
            let book = WholeBook { last_update_id, venue_time_ns, bids, asks, checksum };
            MarketMessage::Book { symbol, book }
        } else {
            let diff = Diff {
                first_update_id: final_update_id,
                final_update_id,
                previous_update_id: final_update_id - 1,
                checksum,
                venue_time_ns,
                bids,
                asks,
            };
            MarketMessage::Depth { symbol, diff }
        })
    }
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
fn is_online(data: Value<'_, '_>) -> Result<bool, DecodeError> {
    let status = data.and_then(elements).and_then(|mut all| all.next());
    let [system] = pick(status.ok_or(DecodeError::field("data is no array"))?, ["system"])?;
    Ok(need_text(system, "field system missing or no text")? == "online")
}

/// Digits behind the point.
fn decimals(number: &str) -> u8 {
    number.split_once('.').map_or(0, |(_, fraction)| fraction.len().min(u8::MAX.into()) as u8)
}

fn read_ticker<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [bid, bid_qty, ask, ask_qty, timestamp] =
        pick(nodes, ["bid", "bid_qty", "ask", "ask_qty", "timestamp"])?;
    let quote = Quote {
        bid_price: need_scaled(bid, symbol.scales.price, "field bid missing")?,
        bid_qty: need_scaled(bid_qty, symbol.scales.qty, "field bid_qty missing")?,
        ask_price: need_scaled(ask, symbol.scales.price, "field ask missing")?,
        ask_qty: need_scaled(ask_qty, symbol.scales.qty, "field ask_qty missing")?,
    };
    check_quote(&quote)?;
    // Tickers of before 2026 have no time.
    let venue_time_ns =
        timestamp.map_or(Ok(0), |_| need_date_ns(timestamp, "field timestamp is no time"))?;
    Ok(MarketMessage::Quote { symbol, update_id: 0, venue_time_ns, quote })
}

fn read_trade<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [side, price, qty, id, timestamp] =
        pick(nodes, ["side", "price", "qty", "trade_id", "timestamp"])?;
    // The side of the taker.
    let buyer_is_maker = match need_text(side, "field side missing or no text")? {
        "buy" => false,
        "sell" => true,
        _ => return Err(DecodeError::unknown("side of a trade not known")),
    };
    let price = need_scaled(price, symbol.scales.price, "field price missing")?;
    let qty = need_scaled(qty, symbol.scales.qty, "field qty missing")?;
    let id = need_text(id, "field trade_id missing")?;
    Ok(MarketMessage::Trade {
        symbol,
        trade_id: id.parse().map_err(|_| DecodeError::field("field trade_id is no integer"))?,
        venue_time_ns: need_date_ns(timestamp, "field timestamp missing or no time")?,
        trade: make_trade(price, qty, buyer_is_maker)?,
    })
}

/// A bar that is still open: the venue does not say that one has ended, but begins the next one.
fn read_bar<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [open, high, low, close, volume, trades, begin, interval, timestamp] = pick(
        nodes,
        [
            "open",
            "high",
            "low",
            "close",
            "volume",
            "trades",
            "interval_begin",
            "interval",
            "timestamp",
        ],
    )?;
    let price = |value, detail| need_scaled(value, symbol.scales.price, detail);
    let count = |value: Value<'_, '_>| value.and_then(text).and_then(|text| text.parse().ok());
    let minutes: Option<u32> = count(interval);
    let interval_s = minutes.and_then(|minutes| minutes.checked_mul(60));
    let bar = Bar {
        open: price(open, "field open missing")?,
        high: price(high, "field high missing")?,
        low: price(low, "field low missing")?,
        close: price(close, "field close missing")?,
        volume: need_scaled(volume, symbol.scales.qty, "field volume missing")?,
        open_time_ns: need_date_ns(begin, "field interval_begin missing or no time")?,
        interval_s: interval_s.ok_or(DecodeError::field("field interval is no integer"))?,
        trades: count(trades).ok_or(DecodeError::field("field trades is no integer"))?,
        closed: 0,
    };
    check_bar(&bar)?;
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
    match id.and_then(text).map(str::parse) {
        Some(Ok(id)) => Ok(MarketMessage::Reply { id, error: (!is_done).then_some(NO_CODE) }),
        // Of a request that had no number: none of ours, but of those who recorded.
        None if is_done => Ok(MarketMessage::KeptAlive),
        _ => Err(DecodeError::unknown("reply without a number of ours")),
    }
}
