//! Frames of OKX's public channels: `{"arg":{..},"action":..,"data":[..]}`, events, and `pong`.
//!
//! Every frame becomes messages or one typed error, whatever the bytes; nothing is allocated for a
//! frame in steady state.

use simd_json::Node;

use crate::event::{Level, Quote};
use crate::venue::book::Diff;
use crate::venue::codec::{
    DIFF_LEVELS_MAX, DecodeError, JsonBuffer, Value, check_quote, elements, make_trade,
    need_scaled, need_text, need_time_ns, pick, quote_of, read_wide_levels, signed, text, unsigned,
};
use crate::venue::protocol::{MarketMessage, MarketSink, WholeBook};
use crate::venue::{Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start: a snapshot of 400 levels has 25,000.
const FRAME_BYTES_USUAL: usize = 64 * 1024;
/// Price, quantity, a word that is always 0, and the number of orders.
const LEVEL_WIDTH: usize = 4;
/// Says that the connection closes in a minute, for an upgrade.
const CLOSES_SOON: &str = "64008";

/// Decodes market frames of one connection.
pub(super) struct MarketDecoder {
    json: JsonBuffer,
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
    /// By the symbols' slots: how many frames of a book have come. It numbers those of captures
    /// of before 2023, which have no numbers.
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
    /// Most events of a frame: the venue puts one trade into each.
    pub(super) const EVENTS_MAX: usize = 32;

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
        if frame == b"pong" {
            sink.take(MarketMessage::KeptAlive);
            return Ok(());
        }
        let MarketDecoder { json, symbols, bids, asks, counted } = self;
        let mut reader = Reader { symbols, bids, asks, counted };
        json.parse(frame, |nodes| reader.read_frame(nodes, sink))
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
        let [event, arg, action, data] = pick(nodes, ["event", "arg", "action", "data"])?;
        if event.is_some() {
            sink.take(read_event(nodes, event)?);
            return Ok(());
        }
        let arg = arg.ok_or(DecodeError::unknown("frame with neither event nor arg"))?;
        let [channel, name] = pick(arg, ["channel", "instId"])?;
        let channel = need_text(channel, "field channel missing or no text")?;
        let name = need_text(name, "field instId missing or no text")?;
        let symbol = self.symbols.lookup(name.as_bytes()).ok_or(DecodeError::symbol())?;
        let data = data.and_then(elements).ok_or(DecodeError::field("data is no array"))?;
        if data.len() == 0 || data.len() > MarketDecoder::EVENTS_MAX {
            return Err(DecodeError::nonsense("no data, or too many in a frame"));
        }
        match channel {
            "books" => data.into_iter().try_for_each(|book| {
                let message = self.read_book(book, symbol, action);
                let message = message
                    .map_err(|error| DecodeError { book: Some(symbol.instrument), ..error })?;
                sink.take(message);
                Ok(())
            }),
            "bbo-tbt" => data.into_iter().try_for_each(|best| {
                sink.take(self.read_best(best, symbol)?);
                Ok(())
            }),
            "tickers" => data.into_iter().try_for_each(|ticker| {
                sink.take(read_ticker(ticker, symbol)?);
                Ok(())
            }),
            "trades" => data.into_iter().try_for_each(|trade| {
                sink.take(read_trade(trade, name, symbol)?);
                Ok(())
            }),
            _ => Err(DecodeError::unknown("channel not known")),
        }
    }

    fn read_book(
        &mut self,
        nodes: &[Node<'_>],
        symbol: Symbol,
        action: Value<'_, '_>,
    ) -> Result<MarketMessage<'_>, DecodeError> {
        let is_whole = match need_text(action, "field action missing or no text")? {
            "snapshot" => true,
            "update" => false,
            _ => return Err(DecodeError::unknown("action not known")),
        };
        let [ts, checksum, id, previous] = pick(nodes, ["ts", "checksum", "seqId", "prevSeqId"])?;
        self.read_sides(nodes, symbol)?;
        let venue_time_ns = need_time_ns(ts, "field ts missing or no time")?;
        let (final_update_id, previous_update_id) = self.numbers(symbol, id, previous)?;
        // Nothing but zeros since June 2026: 0 is none.
        let checksum = match checksum.map(signed) {
            None | Some(Some(0)) => None,
            Some(sum) => Some(
                sum.and_then(|sum| i32::try_from(sum).ok())
                    .ok_or(DecodeError::field("field checksum is no integer of 32 bits"))?
                    .cast_unsigned(),
            ),
        };
        let (bids, asks) = (&self.bids[..], &self.asks[..]);
        Ok(if is_whole {
            let last_update_id = final_update_id;
            let book = WholeBook { last_update_id, venue_time_ns, bids, asks, checksum };
            MarketMessage::Book { symbol, book }
        } else {
            let diff = Diff {
                first_update_id: final_update_id,
                final_update_id,
                previous_update_id,
                checksum,
                venue_time_ns,
                bids,
                asks,
            };
            MarketMessage::Depth { symbol, diff }
        })
    }

    /// The update's number, and that of the one before; 0 in a snapshot, where the venue says -1.
    fn numbers(
        &mut self,
        symbol: Symbol,
        id: Value<'_, '_>,
        previous: Value<'_, '_>,
    ) -> Result<(u64, u64), DecodeError> {
        let Some(id) = id else {
            let counted = &mut self.counted[symbol.slot];
            *counted += 1;
            return Ok((*counted, *counted - 1));
        };
        let id = unsigned(id).ok_or(DecodeError::field("field seqId is no integer"))?;
        let previous = previous.and_then(signed);
        let previous = previous.ok_or(DecodeError::field("field prevSeqId missing"))?;
        Ok((id, u64::try_from(previous).unwrap_or(0)))
    }

    fn read_sides(&mut self, nodes: &[Node<'_>], symbol: Symbol) -> Result<(), DecodeError> {
        let [bids, asks] = pick(nodes, ["bids", "asks"])?;
        for (side, levels) in [(bids, &mut *self.bids), (asks, &mut *self.asks)] {
            let side = side.ok_or(DecodeError::field("a side of the book missing"))?;
            read_wide_levels(side, LEVEL_WIDTH, symbol.scales, DIFF_LEVELS_MAX, levels)?;
        }
        Ok(())
    }

    fn read_best(
        &mut self,
        nodes: &[Node<'_>],
        symbol: Symbol,
    ) -> Result<MarketMessage<'_>, DecodeError> {
        let [ts, id] = pick(nodes, ["ts", "seqId"])?;
        self.read_sides(nodes, symbol)?;
        let quote = quote_of(self.bids, self.asks)?;
        let update_id = id.map_or(Some(0), unsigned);
        Ok(MarketMessage::Quote {
            symbol,
            update_id: update_id.ok_or(DecodeError::field("field seqId is no integer"))?,
            venue_time_ns: need_time_ns(ts, "field ts missing or no time")?,
            quote,
        })
    }
}

/// The best quote within the statistics of a day. It has no number.
fn read_ticker<'a>(nodes: &[Node<'_>], symbol: Symbol) -> Result<MarketMessage<'a>, DecodeError> {
    let [bid_price, bid_qty, ask_price, ask_qty, ts] =
        pick(nodes, ["bidPx", "bidSz", "askPx", "askSz", "ts"])?;
    // Where there is none, the text is empty.
    let number = |value, scale, detail| match need_text(value, detail)? {
        "" => Ok(0),
        _ => need_scaled(value, scale, detail),
    };
    let quote = Quote {
        bid_price: number(bid_price, symbol.scales.price, "field bidPx missing or no text")?,
        bid_qty: number(bid_qty, symbol.scales.qty, "field bidSz missing or no text")?,
        ask_price: number(ask_price, symbol.scales.price, "field askPx missing or no text")?,
        ask_qty: number(ask_qty, symbol.scales.qty, "field askSz missing or no text")?,
    };
    check_quote(&quote)?;
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
    let buyer_is_maker = match need_text(side, "field side missing or no text")? {
        "buy" => false,
        "sell" => true,
        _ => return Err(DecodeError::unknown("side of a trade not known")),
    };
    let price = need_scaled(price, symbol.scales.price, "field px missing or no text")?;
    let qty = need_scaled(qty, symbol.scales.qty, "field sz missing or no text")?;
    let id = need_text(id, "field tradeId missing or no text")?;
    Ok(MarketMessage::Trade {
        symbol,
        trade_id: id.parse().map_err(|_| DecodeError::field("field tradeId is no integer"))?,
        venue_time_ns: need_time_ns(ts, "field ts missing or no time")?,
        trade: make_trade(price, qty, buyer_is_maker)?,
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
    let event = need_text(event, "field event is no text")?;
    let error = match event {
        "subscribe" | "unsubscribe" => None,
        "error" => {
            let code = code.and_then(|code| code.parse().ok());
            Some(code.ok_or(DecodeError::field("error without a code"))?)
        }
        "notice" if code == Some(CLOSES_SOON) => return Ok(MarketMessage::Shutdown),
        "channel-conn-count" => return Ok(MarketMessage::KeptAlive),
        _ => return Err(DecodeError::unknown("event not known")),
    };
    match id.and_then(text).map(str::parse) {
        Some(Ok(id)) => Ok(MarketMessage::Reply { id, error }),
        // Captures of before 2024 have confirmations without a number.
        None if error.is_none() => Ok(MarketMessage::KeptAlive),
        _ => Err(DecodeError::unknown("reply without a number of ours")),
    }
}
