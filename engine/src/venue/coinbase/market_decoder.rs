//! Frames of Coinbase's channels: `{"channel":..,"timestamp":..,"sequence_num":..,"events":[..]}`,
//! and `{"type":"error",..}`.
//!
//! Every frame becomes messages or one typed error, whatever the bytes; nothing is allocated for a
//! frame in steady state. Numbers are looked at before anything else: whatever a lost frame held,
//! no book of the connection can be trusted after it.

use simd_json::Node;
use zerocopy::FromZeros;

use super::long_snapshot::{FRAME_BYTES_MIN, LongSnapshot, Piece, head};
use crate::event::{Bar, Level, Trade};
use crate::venue::book::Diff;
use crate::venue::codec::{
    DIFF_LEVELS_MAX, DecodeError, JsonBuffer, Value, bar_of, best_of, elements, need_date_ns,
    need_number, need_scaled, need_text, need_unsigned, need_word, pick, text, trade_of,
};
use crate::venue::protocol::{MarketMessage, MarketSink, WholeBook, in_book, object};
use crate::venue::{LetterReason, Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start; whole books are read without it.
const FRAME_BYTES_USUAL: usize = 64 * 1024;
/// A level of a book is longer than this, bytes: so many levels fit into a frame.
const LEVEL_BYTES_MIN: usize = 90;
/// The venue tells no code with the refusal of a request, but a text.
const NO_CODE: i32 = 0;
/// Trades that one frame may tell; those of 250 ms come together.
const TRADES_MAX: usize = 1_024;

/// Decodes market frames of one connection.
pub(super) struct MarketDecoder {
    json: JsonBuffer,
    state: State,
}

/// All but the buffers that frames are parsed in.
struct State {
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
    trades: Vec<Told>,
    head: Vec<u8>,
    long: LongSnapshot,
    /// What stood before the levels of the frame that is begun.
    begun: Option<(Symbol, Update)>,
    /// The number of the next frame; `None` before the first one of a connection.
    next_number: Option<u64>,
    /// By the symbols' slots: the number of the last frame of a book.
    last: Box<[u64]>,
}

/// A trade as its frame tells it.
#[derive(Clone, Copy)]
struct Told {
    symbol: Symbol,
    trade_id: u64,
    venue_time_ns: i64,
    trade: Trade,
}

/// What the envelope of a book's frame says.
#[derive(Clone, Copy)]
struct Update {
    /// One more than the frame's number, which begins at 0.
    id: u64,
    venue_time_ns: i64,
    is_whole: bool,
}

/// The envelope of a frame.
struct Envelope<'t, 'a> {
    channel: &'a str,
    number: u64,
    timestamp: Value<'t, 'a>,
    events: &'t [Node<'a>],
}

impl MarketDecoder {
    /// Most events of a frame: beyond, trades are told together.
    pub(super) const EVENTS_MAX: usize = 64;
    /// "Candles channel": buckets of five minutes.
    pub(super) const BAR_INTERVAL_S: u32 = 300;

    pub(super) fn new(symbols: SymbolMap, frame_bytes_max: usize) -> MarketDecoder {
        let levels_max = DIFF_LEVELS_MAX.max(frame_bytes_max / LEVEL_BYTES_MIN);
        let levels = || Vec::with_capacity(levels_max);
        MarketDecoder {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            state: State {
                last: vec![0; symbols.len()].into(),
                symbols,
                bids: levels(),
                asks: levels(),
                trades: Vec::with_capacity(TRADES_MAX),
                head: Vec::with_capacity(1_024),
                long: LongSnapshot::default(),
                begun: None,
                next_number: None,
            },
        }
    }

    /// A new connection.
    pub(super) fn restart(&mut self) {
        let state = &mut self.state;
        (state.long, state.begun, state.next_number) = (LongSnapshot::default(), None, None);
        state.last.fill(0);
    }

    /// Whether the last frame is to be handed over again.
    pub(super) fn is_unfinished(&self) -> bool {
        self.state.long.is_begun()
    }

    pub(super) fn decode(
        &mut self,
        frame: &[u8],
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let MarketDecoder { json, state } = self;
        if frame.len() >= FRAME_BYTES_MIN && state.read_piece(frame, json, sink) {
            return Ok(());
        }
        state.long = LongSnapshot::default();
        json.parse(frame, |nodes| state.read_frame(nodes, sink))
    }
}

impl State {
    /// Reads a piece of a long snapshot; false when the frame is none, or not written as one.
    fn read_piece(
        &mut self,
        frame: &[u8],
        json: &mut JsonBuffer,
        sink: &mut impl MarketSink,
    ) -> bool {
        if !self.long.is_of(frame) {
            let mut buffer = std::mem::take(&mut self.head);
            let begun = head(frame, &mut buffer).and_then(|(text, at)| {
                let begun = json.parse(text, |nodes| self.begin(nodes)).ok()??;
                self.long = LongSnapshot::begin(at, frame.len());
                Some(begun)
            });
            self.head = buffer;
            self.begun = begun;
            self.bids.clear();
            self.asks.clear();
        }
        let Some((symbol, update)) = self.begun else { return false };
        match self.long.read(frame, symbol.scales, &mut self.bids, &mut self.asks) {
            Piece::More => true,
            Piece::Whole if self.take_number(update.id - 1, sink).is_ok() => {
                sort(&mut self.bids, &mut self.asks);
                sink.take(self.message(symbol, update));
                true
            }
            Piece::Whole | Piece::Other => false,
        }
    }

    /// What a long frame says before its levels; `None` when it is no whole book of a known symbol.
    fn begin(&self, nodes: &[Node<'_>]) -> Result<Option<(Symbol, Update)>, DecodeError> {
        let envelope = Envelope::read(nodes)?;
        let mut events = elements(envelope.events).into_iter().flatten();
        let (Some(event), None, "l2_data") = (events.next(), events.next(), envelope.channel)
        else {
            return Ok(None);
        };
        let (symbol, update) = self.book_of(event, &envelope)?;
        Ok(update.is_whole.then_some((symbol, update)))
    }

    fn read_frame(
        &mut self,
        nodes: &[Node<'_>],
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let [kind] = pick(object(nodes)?, ["type"])?;
        if kind.and_then(text) == Some("error") {
            sink.take(MarketMessage::NextReply { error: Some(NO_CODE) });
            return Ok(());
        }
        let envelope = Envelope::read(nodes)?;
        self.take_number(envelope.number, sink)?;
        let events = elements(envelope.events).ok_or(DecodeError::field("events is no array"))?;
        match envelope.channel {
            "subscriptions" => sink.take(MarketMessage::NextReply { error: None }),
            "heartbeats" => sink.take(MarketMessage::KeptAlive),
            "l2_data" => {
                for event in events {
                    let (symbol, update) = self.book_of(event, &envelope)?;
                    self.read_levels(event, symbol).map_err(in_book(symbol))?;
                    sink.take(self.message(symbol, update));
                }
            }
            "market_trades" => return self.read_trades(events, sink),
            "ticker" => {
                let (time_ns, mut told) = (envelope.time_ns()?, 0);
                each_part(events, "tickers", |ticker, _| {
                    told += 1;
                    if told > MarketDecoder::EVENTS_MAX {
                        return Err(DecodeError::nonsense("too many tickers in a frame"));
                    }
                    sink.take(read_ticker(ticker, self.find(ticker)?, time_ns)?);
                    Ok(())
                })?;
            }
            "candles" => {
                let (time_ns, mut told) = (envelope.time_ns()?, 0);
                each_part(events, "candles", |candle, is_past| {
                    // Bars of before the subscription are none.
                    told += usize::from(!is_past);
                    if told > MarketDecoder::EVENTS_MAX {
                        return Err(DecodeError::nonsense("too many bars in a frame"));
                    }
                    if !is_past {
                        sink.take(read_bar(candle, self.find(candle)?, time_ns)?);
                    }
                    Ok(())
                })?;
            }
            _ => return Err(DecodeError::unknown("channel not known")),
        }
        Ok(())
    }

    /// Looks whether frames before this one were lost.
    fn take_number(&mut self, number: u64, sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        let expected = self.next_number.unwrap_or(number);
        if number < expected {
            return Err(DecodeError::nonsense("sequence_num at or before the last one"));
        }
        self.next_number = Some(number + 1);
        if number > expected {
            sink.take(MarketMessage::Gap);
        }
        Ok(())
    }

    fn find(&self, nodes: &[Node<'_>]) -> Result<Symbol, DecodeError> {
        let [name] = pick(nodes, ["product_id"])?;
        let name = need_text(name, "field product_id missing or no text")?;
        self.symbols.lookup(name.as_bytes()).ok_or(DecodeError::symbol())
    }

    /// Whose book an event is about, and what its frame says of it.
    fn book_of(
        &self,
        event: &[Node<'_>],
        envelope: &Envelope<'_, '_>,
    ) -> Result<(Symbol, Update), DecodeError> {
        let symbol = self.find(event)?;
        let is_whole = is_past(event).map_err(in_book(symbol))?;
        let venue_time_ns = envelope.time_ns().map_err(in_book(symbol))?;
        Ok((symbol, Update { id: envelope.number + 1, venue_time_ns, is_whole }))
    }

    /// Reads `"updates":[{"side":..,"event_time":..,"price_level":..,"new_quantity":..},..]`.
    fn read_levels(&mut self, event: &[Node<'_>], symbol: Symbol) -> Result<(), DecodeError> {
        self.bids.clear();
        self.asks.clear();
        let [updates] = pick(event, ["updates"])?;
        let updates = updates.and_then(elements);
        for level in updates.ok_or(DecodeError::field("field updates is no array"))? {
            let [side, price, qty] = pick(level, ["side", "price_level", "new_quantity"])?;
            let side = match need_text(side, "field side missing or no text")? {
                "bid" => &mut self.bids,
                "offer" => &mut self.asks,
                _ => return Err(DecodeError::unknown("side of a level not known")),
            };
            let price =
                need_scaled(price, symbol.scales.price, "field price_level missing or no text")?;
            let qty = need_scaled(qty, symbol.scales.qty, "field new_quantity missing or no text")?;
            if price <= 0 || qty < 0 {
                return Err(DecodeError::nonsense("level at no price or of negative quantity"));
            }
            if side.len() == side.capacity() {
                return Err(DecodeError::new(LetterReason::Oversize, "too many levels"));
            }
            side.push(Level { price, qty });
        }
        Ok(())
    }

    /// The levels that were read, as the book or as a change of it.
    fn message(&mut self, symbol: Symbol, update: Update) -> MarketMessage<'_> {
        let Update { id, venue_time_ns, is_whole } = update;
        let previous_update_id = std::mem::replace(&mut self.last[symbol.slot], id);
        let (bids, asks) = (&self.bids[..], &self.asks[..]);
        if is_whole {
            let book = WholeBook { last_update_id: id, venue_time_ns, bids, asks, checksum: None };
            return MarketMessage::Book { symbol, book };
        }
        let diff = Diff {
            first_update_id: id,
            final_update_id: id,
            previous_update_id,
            checksum: None,
            venue_time_ns,
            bids,
            asks,
        };
        MarketMessage::Depth { symbol, diff }
    }

    /// All trades of a frame are read before the first one is told, since the newest comes first.
    fn read_trades<'t, 'a: 't>(
        &mut self,
        events: impl Iterator<Item = &'t [Node<'a>]>,
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let mut trades = std::mem::take(&mut self.trades);
        trades.clear();
        let read = each_part(events, "trades", |trade, is_past| {
            // Trades of before the subscription are none.
            if is_past {
                return Ok(());
            }
            if trades.len() == TRADES_MAX {
                return Err(DecodeError::new(LetterReason::Oversize, "too many trades"));
            }
            trades.push(read_trade(trade, self.find(trade)?)?);
            Ok(())
        });
        let read = read.and_then(|()| tell_trades(&mut trades, sink));
        self.trades = trades;
        read
    }
}

/// Tells trades, of which the newest comes first. Beyond a frame's events the newest ones are told
/// as one.
fn tell_trades(trades: &mut Vec<Told>, sink: &mut impl MarketSink) -> Result<(), DecodeError> {
    let is_one = trades.iter().all(|told| told.symbol == trades[0].symbol);
    if trades.len() > MarketDecoder::EVENTS_MAX && !is_one {
        return Err(DecodeError::nonsense("too many trades of several products in a frame"));
    }
    let mut told = 1;
    while let Some(mut next) = trades.pop() {
        while told == MarketDecoder::EVENTS_MAX
            && let Some(newer) = trades.pop()
        {
            next.trade.absorb(&newer.trade);
            (next.trade_id, next.venue_time_ns) = (newer.trade_id, newer.venue_time_ns);
        }
        told += 1;
        let Told { symbol, trade_id, venue_time_ns, trade } = next;
        sink.take(MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade });
    }
    Ok(())
}

impl<'t, 'a> Envelope<'t, 'a> {
    fn read(nodes: &'t [Node<'a>]) -> Result<Envelope<'t, 'a>, DecodeError> {
        let [channel, timestamp, number, events] =
            pick(nodes, ["channel", "timestamp", "sequence_num", "events"])?;
        Ok(Envelope {
            channel: need_text(channel, "frame with neither channel nor type")
                .map_err(|error| DecodeError { reason: LetterReason::Unknown, ..error })?,
            number: number_of(number)?,
            timestamp,
            events: events.ok_or(DecodeError::field("field events missing"))?,
        })
    }

    fn time_ns(&self) -> Result<i64, DecodeError> {
        need_date_ns(self.timestamp, "field timestamp missing or no time")
    }
}

/// Whether an event tells what was there when the subscription began.
fn is_past(event: &[Node<'_>]) -> Result<bool, DecodeError> {
    let [kind] = pick(event, ["type"])?;
    let kinds = [("snapshot", true), ("update", false)];
    need_word(kind, "field type missing or no text", kinds, "type of an event not known")
}

/// Hands over the elements of the member `name` of all events, and whether their event is a
/// snapshot.
fn each_part<'t, 'a: 't>(
    events: impl Iterator<Item = &'t [Node<'a>]>,
    name: &'static str,
    mut take: impl FnMut(&'t [Node<'a>], bool) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for event in events {
        let is_past = is_past(event)?;
        let [parts] = pick(event, [name])?;
        let parts = parts.and_then(elements);
        for part in parts.ok_or(DecodeError::field("event without its list"))? {
            take(part, is_past)?;
        }
    }
    Ok(())
}

/// Best first, as [`L2Book::load`](crate::venue::book::L2Book::load) takes many levels in one copy;
/// nearly always they are so already.
fn sort(bids: &mut [Level], asks: &mut [Level]) {
    if !bids.is_sorted_by(|a, b| a.price > b.price) {
        bids.sort_unstable_by_key(|level| std::cmp::Reverse(level.price));
    }
    if !asks.is_sorted_by(|a, b| a.price < b.price) {
        asks.sort_unstable_by_key(|level| level.price);
    }
}

/// The number of a frame, behind which there is one more.
fn number_of(number: Value<'_, '_>) -> Result<u64, DecodeError> {
    let number = need_unsigned(number, "field sequence_num missing or no integer")?;
    if number == u64::MAX {
        return Err(DecodeError::nonsense("sequence_num is the last number of all"));
    }
    Ok(number)
}

/// The best quote within the statistics of a day. It has no number.
fn read_ticker<'m>(
    nodes: &[Node<'_>],
    symbol: Symbol,
    venue_time_ns: i64,
) -> Result<MarketMessage<'m>, DecodeError> {
    let names = ["best_bid", "best_bid_quantity", "best_ask", "best_ask_quantity"];
    let quote = best_of(nodes, names, symbol.scales)?;
    Ok(MarketMessage::Quote { symbol, update_id: 0, venue_time_ns, quote })
}

fn read_trade(nodes: &[Node<'_>], symbol: Symbol) -> Result<Told, DecodeError> {
    let [id, price, qty, time, side] = pick(nodes, ["trade_id", "price", "size", "time", "side"])?;
    // The side of the maker: in recordings trades at the ask are called SELL.
    let sides = [("BUY", true), ("SELL", false)];
    let buyer_is_maker =
        need_word(side, "field side missing or no text", sides, "side of a trade not known")?;
    Ok(Told {
        symbol,
        trade_id: need_number(id, "field trade_id missing or no integer")?,
        venue_time_ns: need_date_ns(time, "field time missing or no time")?,
        trade: trade_of(price, qty, symbol.scales, buyer_is_maker)?,
    })
}

/// A bar is closed when it is told after its end: the venue does not say so itself.
fn read_bar<'m>(
    nodes: &[Node<'_>],
    symbol: Symbol,
    venue_time_ns: i64,
) -> Result<MarketMessage<'m>, DecodeError> {
    let [start] = pick(nodes, ["start"])?;
    let start_s = need_text(start, "field start missing or no text")?.parse::<i64>().ok();
    let open_time_ns = start_s.filter(|s| *s > 0).and_then(|s| s.checked_mul(1_000_000_000));
    let open_time_ns = open_time_ns.ok_or(DecodeError::field("field start is no time"))?;
    let ends_ns =
        open_time_ns.saturating_add(i64::from(MarketDecoder::BAR_INTERVAL_S) * 1_000_000_000);
    let bar = Bar {
        open_time_ns,
        interval_s: MarketDecoder::BAR_INTERVAL_S,
        closed: u64::from(venue_time_ns >= ends_ns),
        // The venue does not count its trades.
        ..Bar::new_zeroed()
    };
    let bar = bar_of(nodes, symbol.scales, bar)?;
    Ok(MarketMessage::Bar { symbol, venue_time_ns, bar })
}

#[cfg(test)]
mod tests;
