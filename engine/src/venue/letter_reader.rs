//! Frames that were kept as dead letters, read again by the protocols of their kind.

use super::codec::DecodeError;
use super::protocol::{MarketMessage, MarketProtocol, MarketSink, OrderDecoder, OrderMessage};
use super::{LetterReason, SymbolMap};
use crate::event::{Event, EventPayload, InstrumentId};

/// What a frame is.
#[derive(Clone, Debug, Default)]
pub struct FrameContent {
    /// In a few words.
    pub words: String,
    /// Its quotes, trades and bars. Changes of a book are none: without the book that they change
    /// they say nothing.
    pub events: Vec<Event>,
}

/// Reads a frame and says what it is.
pub(super) type ReadFrame = dyn FnMut(&[u8]) -> Result<FrameContent, DecodeError>;

/// A venue's protocols, for frames that were kept.
pub struct LetterReader {
    market: Box<ReadFrame>,
    /// `None` where it takes no orders.
    orders: Option<Box<ReadFrame>>,
}

impl LetterReader {
    pub(super) fn new(market: Box<ReadFrame>, orders: Option<Box<ReadFrame>>) -> LetterReader {
        LetterReader { market, orders }
    }

    /// Reads a frame of the venue's session `role`, such as `market` or `orders`. `None`: it is not
    /// known which of them it came from.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong with it.
    pub fn read(&mut self, role: Option<&str>, frame: &[u8]) -> Result<FrameContent, DecodeError> {
        let is_market = role.is_some_and(|role| role.starts_with("market"));
        match (&mut self.orders, role) {
            (Some(orders), Some("orders")) => orders(frame),
            (Some(orders), _) if !is_market => {
                let of_market = match (self.market)(frame) {
                    Ok(what) => return Ok(what),
                    Err(error) => error,
                };
                // Of two decoders the one that got further says more.
                let is_foreign = of_market.reason == LetterReason::Unknown;
                orders(frame).map_err(|of_orders| if is_foreign { of_orders } else { of_market })
            }
            _ => (self.market)(frame),
        }
    }
}

/// What reads the frames of a market session.
pub(super) fn market_reader<P: MarketProtocol>(
    symbols: SymbolMap,
    frame_bytes_max: usize,
) -> Box<ReadFrame> {
    let mut protocol = P::new(symbols, frame_bytes_max);
    Box::new(move |frame| {
        let mut told = Told::default();
        protocol.decode_whole(frame, &mut told)?;
        let is_empty = told.words.is_empty();
        let words = if is_empty { "sign of life".to_owned() } else { told.words.join(", ") };
        Ok(FrameContent { words, events: told.events })
    })
}

/// What reads the frames of an order session.
pub(super) fn order_reader<D: OrderDecoder>(
    symbols: SymbolMap,
    frame_bytes_max: usize,
) -> Box<ReadFrame> {
    let mut decoder = D::new(symbols, frame_bytes_max);
    Box::new(move |frame| {
        let what = match decoder.decode(frame).map_err(|unread| unread.error)? {
            OrderMessage::Report { .. } => "exec report",
            OrderMessage::State { .. } => "state of an order",
            // The letter is about one of them.
            OrderMessage::Balances { unreadable: Some(error), .. } => return Err(error),
            OrderMessage::Balances { .. } => "balances",
            OrderMessage::Listed { is_whole: false, .. } => {
                return decoder.next_of_frame().map_or(
                    Ok(words("list".to_owned())),
                    |(next, _)| {
                        next.map(|_| words("list".to_owned())).map_err(|unread| unread.error)
                    },
                );
            }
            OrderMessage::Listed { .. } => "list of the account",
            OrderMessage::Reply(_) => "reply to a request",
            OrderMessage::Unasked(failure) => {
                let (code, message) = (failure.code, failure.message.escape_default());
                return Ok(words(format!("failure of no request: {message} (code: {code})")));
            }
            OrderMessage::EndingSoon => "notice of the session's end",
            OrderMessage::Closing(why) => return Ok(words(format!("end of the session: {why}"))),
            OrderMessage::Other(name) => name,
        };
        Ok(words(what.to_owned()))
    })
}

fn words(words: String) -> FrameContent {
    FrameContent { words, events: Vec::new() }
}

/// What the messages of a frame are.
#[derive(Default)]
struct Told {
    words: Vec<String>,
    events: Vec<Event>,
}

impl Told {
    fn event<P: EventPayload>(
        &mut self,
        payload: &P,
        instrument: InstrumentId,
        sequence: u64,
        venue_time_ns: i64,
    ) {
        let mut event = Event::new(payload);
        event.instrument = instrument.0;
        (event.sequence, event.venue_time_ns) = (sequence, venue_time_ns);
        self.events.push(event);
    }
}

impl MarketSink for Told {
    fn take(&mut self, message: MarketMessage<'_>) {
        let words = match message {
            MarketMessage::Quote { symbol, update_id, venue_time_ns, quote } => {
                self.event(&quote, symbol.instrument, update_id, venue_time_ns);
                format!("quote, update {update_id}")
            }
            MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade } => {
                self.event(&trade, symbol.instrument, trade_id, venue_time_ns);
                format!("trade {trade_id}")
            }
            MarketMessage::Bar { symbol, venue_time_ns, bar } => {
                self.event(&bar, symbol.instrument, 0, venue_time_ns);
                "bar".to_owned()
            }
            MarketMessage::Mark { symbol, venue_time_ns, mark } => {
                self.event(&mark, symbol.instrument, 0, venue_time_ns);
                "mark price".to_owned()
            }
            MarketMessage::Depth { diff, .. } => {
                format!("diff of {} bids and {} asks", diff.bids.len(), diff.asks.len())
            }
            MarketMessage::Book { book, .. } => {
                format!("book of {} bids and {} asks", book.bids.len(), book.asks.len())
            }
            MarketMessage::Gap => "lost frames before it".to_owned(),
            MarketMessage::Unchanged { kind, .. } => format!("{} as before", kind.name()),
            MarketMessage::KeptAlive => "sign of life".to_owned(),
            MarketMessage::Reply { id, .. } => format!("reply to request {id}"),
            MarketMessage::NextReply { .. } => "reply to a request".to_owned(),
            MarketMessage::Shutdown => "notice of shutdown".to_owned(),
        };
        self.words.push(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::registry::VenueKind;

    const DIFF: &str =
        r#"{"e":"depthUpdate","E":9,"s":"BTCUSDT","U":5,"u":7,"b":[["1.50","2"]],"a":[]}"#;
    const STATUS: &str = r#"{"subscriptionId":0,"event":{"e":"listStatus","E":1}}"#;

    fn reader(kind: &str) -> LetterReader {
        let symbols = SymbolMap::of_test(&["BTCUSDT"]);
        VenueKind::find(kind).unwrap().letter_reader(symbols, 1 << 20)
    }

    #[test]
    fn a_frame_is_read_by_its_kind_and_session() {
        let mut spot = reader("binance");
        let mut words = |role, frame: &str| spot.read(role, frame.as_bytes()).map(|it| it.words);
        let diff = Ok("diff of 1 bids and 0 asks".to_owned());
        for role in [Some("market"), Some("market-2"), None] {
            assert_eq!(words(role, DIFF), diff, "{role:?}");
        }
        assert!(words(Some("orders"), DIFF).is_err());
        for role in [Some("orders"), None] {
            assert_eq!(words(role, STATUS), Ok("listStatus".to_owned()), "{role:?}");
        }
        let refused = reader("binance_futures").read(Some("market"), DIFF.as_bytes());
        assert_eq!(refused.unwrap_err().detail, "field pu missing");
        assert!(reader("binance_futures").read(Some("orders"), STATUS.as_bytes()).is_err());
    }

    #[test]
    fn a_quote_comes_back_as_an_event() {
        let frame = r#"{"u":4,"s":"BTCUSDT","b":"1.50","B":"1","a":"1.60","A":"2"}"#;
        let events = reader("binance").read(Some("market"), frame.as_bytes()).unwrap().events;
        assert_eq!((events.len(), events[0].sequence), (1, 4));
        assert!(events[0].get::<crate::event::Quote>().is_some());
    }

    #[test]
    fn of_two_refusals_the_one_that_says_more_is_told() {
        let mut spot = reader("binance");
        let bad_diff = DIFF.replace("1.50", "x");
        assert_eq!(spot.read(None, bad_diff.as_bytes()).unwrap_err().reason, LetterReason::Number);
    }
}
