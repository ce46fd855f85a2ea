//! Market data frames of the venue's streams, bare or combined (`{"stream":..,"data":..}`).
//!
//! Promises: every frame becomes exactly one message or one typed error, whatever the bytes; an
//! unknown kind or enum value is an error and never a default; prices are positive and quantities
//! not negative (F17); no allocation per frame in steady state. Does not know whether a diff
//! follows the one before: that is the book's part.

use simd_json::Node;

use super::{depth_scan, ticker_scan};
use crate::event::{Bar, Level, MarkPrice, Quote};
use crate::venue::book::Diff;
use crate::venue::codec::{
    DIFF_LEVELS_MAX, DecodeError, JsonBuffer, Letters, check_bar, check_mark, check_quote, is_null,
    make_trade, members, milliseconds_to_ns, read_levels, signed, unsigned,
};
use crate::venue::protocol::MarketMessage;
use crate::venue::{Scales, Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 64 * 1024;

/// Decodes market frames of one connection.
pub struct MarketDecoder {
    json: JsonBuffer,
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
    frame_bytes_max: usize,
    /// Each diff names the one before it, by `pu`.
    has_links: bool,
}

impl MarketDecoder {
    /// A decoder for these symbols that refuses frames above `frame_bytes_max`.
    #[must_use]
    pub fn new(symbols: SymbolMap, frame_bytes_max: usize) -> MarketDecoder {
        MarketDecoder {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            symbols,
            bids: Vec::with_capacity(DIFF_LEVELS_MAX),
            asks: Vec::with_capacity(DIFF_LEVELS_MAX),
            frame_bytes_max,
            has_links: false,
        }
    }

    /// A decoder of frames in which each diff names the one before it.
    pub(in crate::venue) fn of_linked_diffs(
        symbols: SymbolMap,
        frame_bytes_max: usize,
    ) -> MarketDecoder {
        MarketDecoder { has_links: true, ..MarketDecoder::new(symbols, frame_bytes_max) }
    }

    /// Decodes one frame.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong. Where the frame was a diff of a configured symbol, its
    /// `book` names the instrument: that book now has a hole.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &[u8]) -> Result<MarketMessage<'a>, DecodeError> {
        if frame.len() > self.frame_bytes_max {
            return self.decode_by_tape(frame);
        }
        if let Some(message) = ticker_scan::scan(frame, &self.symbols) {
            return Ok(message);
        }
        let levels = [&mut self.bids, &mut self.asks];
        let Some(scanned) = depth_scan::scan(frame, &self.symbols, self.has_links, levels) else {
            return self.decode_by_tape(frame);
        };
        let diff = Diff {
            first_update_id: scanned.first_update_id,
            final_update_id: scanned.final_update_id,
            previous_update_id: scanned.previous_update_id,
            checksum: None,
            venue_time_ns: scanned.venue_time_ns,
            bids: &self.bids,
            asks: &self.asks,
        };
        Ok(MarketMessage::Depth { symbol: scanned.symbol, diff })
    }

    /// Decodes one frame without the scanner of the venue's usual field order.
    ///
    /// # Errors
    /// As [`MarketDecoder::decode`], which gives the same for every frame.
    #[doc(hidden)]
    #[inline]
    pub fn decode_by_tape<'a>(
        &'a mut self,
        frame: &[u8],
    ) -> Result<MarketMessage<'a>, DecodeError> {
        let MarketDecoder { json, symbols, bids, asks, has_links, .. } = self;
        let levels = DiffLevels { bids, asks, has_links: *has_links };
        json.parse(frame, |nodes| read_frame(nodes, symbols, levels))
    }

    /// The symbols it knows.
    #[must_use]
    pub fn symbols(&self) -> &SymbolMap {
        &self.symbols
    }
}

/// Where the levels of a diff go, and what else it has.
struct DiffLevels<'a> {
    bids: &'a mut Vec<Level>,
    asks: &'a mut Vec<Level>,
    has_links: bool,
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
    levels: DiffLevels<'a>,
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
        Some(data) => read_event(data, symbols, levels),
        None if envelope.id.is_some() => read_reply(&envelope),
        None => read_event(nodes, symbols, levels),
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
    levels: DiffLevels<'a>,
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
            let diff = read_diff(nodes, &fields, symbol.scales, levels)
                .map_err(|error| DecodeError { book: Some(symbol.instrument), ..error })?;
            Ok(MarketMessage::Depth { symbol, diff })
        }
        "bookTicker" => read_quote(&fields, symbols),
        "trade" => read_trade(&fields, b't', symbols),
        "aggTrade" => read_trade(&fields, b'a', symbols),
        "kline" => read_bar(&fields, symbols),
        "markPriceUpdate" => read_mark(&fields, symbols),
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

/// Of contracts: `p` mark, `i` index, `r` rate of the funding at `T`, which those that are
/// delivered have not (an empty text, and 0).
fn read_mark<'a>(
    fields: &Letters<'_, '_>,
    symbols: &SymbolMap,
) -> Result<MarketMessage<'a>, DecodeError> {
    let symbol = read_symbol(fields, symbols)?;
    let is_funded = fields.unsigned(b'T')? > 0;
    let mark = MarkPrice {
        mark_price_e10: fields.scaled(b'p', MarkPrice::PRICE_SCALE)?,
        index_price_e10: fields.scaled(b'i', MarkPrice::PRICE_SCALE)?,
        funding_rate_e12: if is_funded { fields.scaled(b'r', MarkPrice::RATE_SCALE)? } else { 0 },
        next_funding_ns: fields.time_ns(b'T')?,
    };
    check_mark(&mark)?;
    Ok(MarketMessage::Mark { symbol, venue_time_ns: fields.time_ns(b'E')?, mark })
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
    check_bar(&bar)?;
    let close_time_ns = milliseconds_to_ns(kline.unsigned(b'T')?)?;
    let length_ns = i64::from(bar.interval_s) * 1_000_000_000;
    let is_month = kline.text(b'i')? == "1M";
    if !is_month && close_time_ns.saturating_sub(bar.open_time_ns) != length_ns - 1_000_000 {
        return Err(DecodeError::nonsense("a bar does not end where its interval does"));
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
    nodes: &[Node<'_>],
    fields: &Letters<'_, '_>,
    scales: Scales,
    levels: DiffLevels<'a>,
) -> Result<Diff<'a>, DecodeError> {
    let first_update_id = fields.unsigned(b'U')?;
    let final_update_id = fields.unsigned(b'u')?;
    if final_update_id < first_update_id {
        return Err(DecodeError::nonsense("last update of a diff before its first"));
    }
    let DiffLevels { bids, asks, has_links } = levels;
    let previous_update_id = if has_links { read_link(nodes)? } else { 0 };
    let venue_time_ns = fields.time_ns(b'E')?;
    let side = |letter| fields.get(letter).ok_or(DecodeError::field("a side of the diff missing"));
    read_levels(side(b'b')?, scales, DIFF_LEVELS_MAX, bids)?;
    read_levels(side(b'a')?, scales, DIFF_LEVELS_MAX, asks)?;
    Ok(Diff {
        first_update_id,
        final_update_id,
        previous_update_id,
        checksum: None,
        venue_time_ns,
        bids,
        asks,
    })
}

/// The last update of the diff before: `pu`, the one name of two letters.
fn read_link(nodes: &[Node<'_>]) -> Result<u64, DecodeError> {
    let mut links = members(nodes).filter(|(name, _)| *name == "pu");
    let (_, link) = links.next().ok_or(DecodeError::field("field pu missing"))?;
    if links.next().is_some() {
        return Err(DecodeError::malformed("field pu twice"));
    }
    unsigned(link).ok_or(DecodeError::field("field pu of the wrong type"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::InstrumentId;
    use crate::venue::LetterReason;

    const FRAME_BYTES_MAX: usize = 512 * 1024;
    const TICKER: &str = r#"{"u":7,"s":"BTCUSDT","b":"1.50","B":"2","a":"1.60","A":"3"}"#;
    const TRADE: &str =
        r#"{"e":"trade","E":9,"s":"BTCUSDT","t":7,"p":"1.5","q":"2","T":8,"m":true,"M":true}"#;
    const DIFF: &str = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":9,"s":"BTCUSDT","U":5,"u":7,"b":[["1.50","2"],["1.40","0"]],"a":[["1.60","3"]]}}"#;
    const MARK: &str = r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000001","ap":"11794.1","i":"11784.62659091","P":"11784.25641265","r":"-0.00038167","T":1562306400000}"#;
    const KLINE: &str = r#"{"e":"kline","E":9,"s":"BTCUSDT","k":{"t":60000,"T":119999,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"1.50","c":"1.60","h":"1.70","l":"1.40","v":"10","n":2,"x":true,"q":"1","V":"1","Q":"1","B":"0"}}"#;

    fn decoder() -> MarketDecoder {
        MarketDecoder::new(SymbolMap::of_test(&["BTCUSDT"]), FRAME_BYTES_MAX)
    }

    fn refused(frame: &str) -> DecodeError {
        let mut decoder = decoder();
        let error = match decoder.decode(frame.as_bytes()) {
            Err(error) => error,
            Ok(message) => panic!("{frame} was decoded as {message:?}"),
        };
        // The next message is fine (F16).
        assert!(decoder.decode(TICKER.as_bytes()).is_ok());
        error
    }

    fn reason(frame: &str) -> LetterReason {
        refused(frame).reason
    }

    #[test]
    fn a_quote_is_read_in_the_instruments_scales() {
        let mut decoder = decoder();
        let message = decoder.decode(TICKER.as_bytes()).unwrap();
        let MarketMessage::Quote { symbol, update_id: 7, venue_time_ns: 0, quote } = message else {
            panic!("{message:?}");
        };
        assert_eq!(symbol.instrument, InstrumentId(0));
        let expected = Quote { bid_price: 150, bid_qty: 200_000, ask_price: 160, ask_qty: 300_000 };
        assert_eq!(quote, expected);
        // An empty side is one without price and quantity.
        let empty = TICKER.replace(r#""a":"1.60","A":"3""#, r#""a":"0.00","A":"0.00""#);
        assert!(decoder.decode(empty.as_bytes()).is_ok());
    }

    #[test]
    fn a_mark_price_is_read_with_more_places_than_the_instrument_has() {
        let mut decoder = decoder();
        let Ok(MarketMessage::Mark { mark, venue_time_ns, .. }) = decoder.decode(MARK.as_bytes())
        else {
            panic!("a mark price");
        };
        let expected = MarkPrice {
            mark_price_e10: 117_941_500_000_100,
            index_price_e10: 117_846_265_909_100,
            funding_rate_e12: -381_670_000,
            next_funding_ns: 1_562_306_400_000_000_000,
        };
        assert_eq!((mark, venue_time_ns), (expected, 1_562_305_380_000_000_000));
        // What is delivered has no funding.
        let delivered = MARK
            .replace(r#""r":"-0.00038167""#, r#""r":"""#)
            .replace(r#""T":1562306400000"#, r#""T":0"#);
        let Ok(MarketMessage::Mark { mark, .. }) = decoder.decode(delivered.as_bytes()) else {
            panic!("a mark price");
        };
        assert_eq!((mark.funding_rate_e12, mark.next_funding_ns), (0, 0));
        let with = |from: &str, to: &str| reason(&MARK.replace(from, to));
        assert_eq!(with("-0.00038167", ""), LetterReason::Number);
        assert_eq!(with("-0.00038167", "1.1"), LetterReason::Nonsense);
        assert_eq!(with("11794.15000001", "0"), LetterReason::Nonsense);
        assert_eq!(with("11784.62659091", "-1"), LetterReason::Nonsense);
        assert_eq!(with(r#""T":1562306400000"#, r#""T":"1""#), LetterReason::Field);
    }

    #[test]
    fn the_aggressor_is_the_one_that_was_not_the_maker() {
        let mut decoder = decoder();
        for (maker, bought, sold) in [("true", 0, 200_000), ("false", 200_000, 0)] {
            let frame = TRADE.replace(r#""m":true"#, &format!(r#""m":{maker}"#));
            let Ok(MarketMessage::Trade { trade_id: 7, venue_time_ns: 9_000_000, trade, .. }) =
                decoder.decode(frame.as_bytes())
            else {
                panic!("{frame}");
            };
            assert_eq!((trade.buy_qty, trade.sell_qty), (bought, sold));
            assert_eq!(trade.last_price, 150);
        }
        let aggregate =
            TRADE.replace(r#""e":"trade""#, r#""e":"aggTrade""#).replace(r#""t":"#, r#""a":"#);
        let message = decoder.decode(aggregate.as_bytes()).unwrap();
        assert!(matches!(message, MarketMessage::Trade { trade_id: 7, .. }));
    }

    #[test]
    fn a_diff_is_read_with_its_deletions() {
        let mut decoder = decoder();
        let Ok(MarketMessage::Depth { diff, .. }) = decoder.decode(DIFF.as_bytes()) else {
            panic!("a diff");
        };
        assert_eq!((diff.first_update_id, diff.final_update_id), (5, 7));
        assert_eq!(diff.venue_time_ns, 9_000_000);
        assert_eq!(diff.bids, [Level { price: 150, qty: 200_000 }, Level { price: 140, qty: 0 }]);
        assert_eq!(diff.asks, [Level { price: 160, qty: 300_000 }]);
    }

    #[test]
    fn a_bar_is_read_with_its_interval_and_whether_it_is_over() {
        let mut decoder = decoder();
        let Ok(MarketMessage::Bar { bar, .. }) = decoder.decode(KLINE.as_bytes()) else {
            panic!("a bar");
        };
        assert_eq!((bar.open, bar.high, bar.low, bar.close), (150, 170, 140, 160));
        assert_eq!((bar.open_time_ns, bar.interval_s), (60_000_000_000, 60));
        assert_eq!((bar.closed, bar.trades, bar.volume), (1, 2, 1_000_000));
        assert_eq!(interval_s("1M"), Ok(2_592_000));
        assert_eq!(reason(&KLINE.replace("1m", "2m")), LetterReason::Unknown);
    }

    #[test]
    fn replies_and_notices_are_control() {
        let mut decoder = decoder();
        for (frame, id, error) in [
            (r#"{"result":null,"id":1}"#, 1, None),
            (r#"{"result":["btcusdt@aggTrade"],"id":3}"#, 3, None),
            (r#"{"error":{"code":2,"msg":"Invalid request"},"id":5}"#, 5, Some(2)),
            (r#"{"code":-1121,"msg":"Invalid symbol.","id":6}"#, 6, Some(-1121)),
        ] {
            let message = decoder.decode(frame.as_bytes()).unwrap();
            let MarketMessage::Reply { id: i, error: e } = message else { panic!("{frame}") };
            assert_eq!((i, e), (id, error), "{frame}");
        }
        for frame in [
            r#"{"e":"serverShutdown","E":1770123456789}"#,
            r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#,
        ] {
            assert!(matches!(decoder.decode(frame.as_bytes()), Ok(MarketMessage::Shutdown)));
        }
    }

    #[test]
    fn corrupt_json_is_a_typed_error() {
        // F16
        for end in 1..DIFF.len() {
            assert_eq!(reason(&DIFF[..end]), LetterReason::Malformed, "{end}");
        }
        assert_eq!(reason(""), LetterReason::Malformed);
        assert_eq!(reason("pong"), LetterReason::Malformed);
        assert_eq!(reason(&format!("{TICKER}x")), LetterReason::Malformed);
        assert_eq!(reason(&format!("{TICKER}{TICKER}")), LetterReason::Malformed);
        assert_eq!(reason(&"[".repeat(100_000)), LetterReason::Malformed);
        assert_eq!(reason(&r#"{"data":"#.repeat(50_000)), LetterReason::Malformed);
        let nested = format!(r#"{{"b":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refused(&nested).detail, "nested too deeply");
        assert_eq!(reason(&TICKER.replace(":7", ":1e999")), LetterReason::Number);
        assert_eq!(reason(&TICKER.replace(":7", ":18446744073709551616")), LetterReason::Number);
        assert_eq!(reason(&TICKER.replace(":7", ":7.0")), LetterReason::Field);
        let twice = TICKER.replace(r#""u":7"#, r#""u":7,"u":8"#);
        assert_eq!(refused(&twice).detail, "field u twice");
        assert_eq!(reason(r#"{"data":{},"data":{}}"#), LetterReason::Malformed);
        let mut bad_utf8 = TICKER.as_bytes().to_vec();
        bad_utf8[12] = 0xff;
        let error = decoder().decode(&bad_utf8).map(|_| ()).unwrap_err();
        assert_eq!((error.reason, error.detail), (LetterReason::Malformed, "not UTF-8"));
        let oversize = format!("{}{TICKER}", " ".repeat(FRAME_BYTES_MAX));
        assert_eq!(reason(&oversize), LetterReason::Oversize);
    }

    #[test]
    fn well_formed_nonsense_is_refused_at_decode() {
        // F17
        let with = |frame: &str, from: &str, to: &str| {
            let changed = frame.replace(from, to);
            assert_ne!(changed, frame);
            reason(&changed)
        };
        assert_eq!(with(TICKER, r#""B":"2""#, r#""B":"-2""#), LetterReason::Nonsense);
        assert_eq!(with(TICKER, r#""B":"2""#, r#""B":"0""#), LetterReason::Nonsense);
        assert_eq!(with(TICKER, "1.50", "0.00"), LetterReason::Nonsense);
        assert_eq!(with(TICKER, "1.50", "1.60"), LetterReason::Nonsense);
        assert_eq!(with(TICKER, "1.50", "NaN"), LetterReason::Number);
        assert_eq!(with(TICKER, "1.50", "1.505"), LetterReason::Number);
        assert_eq!(with(TICKER, r#""1.50""#, "1.50"), LetterReason::Field);
        assert_eq!(with(TICKER, "BTCUSDT", "BTCUSD"), LetterReason::Symbol);
        assert_eq!(with(TRADE, r#""p":"1.5""#, r#""p":"0""#), LetterReason::Nonsense);
        assert_eq!(with(TRADE, r#""q":"2""#, r#""q":"-2""#), LetterReason::Nonsense);
        assert_eq!(with(TRADE, r#""m":true"#, r#""m":1"#), LetterReason::Field);
        assert_eq!(with(TRADE, r#""E":9"#, r#""E":18446744073709551615"#), LetterReason::Number);
        assert_eq!(with(KLINE, r#""l":"1.40""#, r#""l":"1.55""#), LetterReason::Nonsense);
        assert_eq!(with(DIFF, r#""U":5"#, r#""U":8"#), LetterReason::Nonsense);
        assert_eq!(with(DIFF, r#"["1.40","0"]"#, r#"["1.40","-1"]"#), LetterReason::Nonsense);
        assert_eq!(with(DIFF, r#"["1.40","0"]"#, r#"["0","1"]"#), LetterReason::Nonsense);
        assert_eq!(with(DIFF, r#"["1.40","0"]"#, r#"["1.40"]"#), LetterReason::Field);
        assert_eq!(with(DIFF, r#"["1.40","0"]"#, r#"["1.40","0",[]]"#), LetterReason::Field);
        let many = vec![r#"["1.40","0"]"#; DIFF_LEVELS_MAX + 1].join(",");
        assert_eq!(with(DIFF, r#"["1.40","0"]"#, &many), LetterReason::Oversize);
    }

    #[test]
    fn a_refused_diff_names_its_book_and_nothing_else_does() {
        let book = |frame: &str| refused(frame).book;
        assert_eq!(book(&DIFF.replace("1.40", "x")), Some(InstrumentId(0)));
        assert_eq!(book(&DIFF.replace(r#""u":7"#, r#""u":"7""#)), Some(InstrumentId(0)));
        assert_eq!(book(&DIFF.replace("BTCUSDT", "ETHUSDT")), None);
        assert_eq!(book(&TICKER.replace("1.50", "x")), None);
    }

    #[test]
    fn unknown_kinds_are_errors_and_never_defaults() {
        for frame in [
            r#"{"e":"24hrTicker","E":1,"s":"BTCUSDT"}"#,
            r#"{"lastUpdateId":160,"bids":[],"asks":[]}"#,
            r#"[{}]"#,
            r#"{}"#,
            r#"7"#,
            r#"{"id":"text","result":null}"#,
            r#"{"id":null,"result":null}"#,
            r#"{"id":4}"#,
            r#"{"code":-1121,"msg":"Invalid symbol."}"#,
        ] {
            assert_eq!(reason(frame), LetterReason::Unknown, "{frame}");
        }
        assert_eq!(refused(r#"{"e":"trade","s":"BTCUSDT"}"#).detail, "field p missing");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(frame in prop::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = decoder().decode(&frame);
        }

        #[test]
        fn a_changed_frame_never_panics_and_leaves_the_decoder_whole(
            original in prop::sample::select(vec![TICKER, TRADE, DIFF, KLINE, MARK]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut frame = original.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            frame.truncate(cut.index(frame.len()) + 1);
            let mut decoder = decoder();
            let _outcome = decoder.decode(&frame);
            prop_assert!(decoder.decode(original.as_bytes()).is_ok());
        }
    }
}
