//! Frames that were kept as dead letters, read again by the protocols of their kind.

use super::codec::DecodeError;
use super::protocol::{MarketMessage, MarketProtocol, MarketSink, OrderDecoder, OrderMessage};
use super::{LetterReason, SymbolMap};

/// Reads a frame and says in a few words what it is.
pub(super) type ReadFrame = dyn FnMut(&[u8]) -> Result<String, DecodeError>;

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
    /// known which of them it came from. Says what it is, in a few words.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong with it.
    pub fn read(&mut self, role: Option<&str>, frame: &[u8]) -> Result<String, DecodeError> {
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
        protocol.decode(frame, &mut told)?;
        Ok(if told.0.is_empty() { "sign of life".to_owned() } else { told.0.join(", ") })
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
            // The letter is about one of them.
            OrderMessage::Balances { unreadable: Some(error), .. } => return Err(error),
            OrderMessage::Balances { .. } => "balances",
            OrderMessage::Reply(_) => "reply to a request",
            OrderMessage::Unasked(failure) => {
                let (code, message) = (failure.code, failure.message.escape_default());
                return Ok(format!("failure of no request: {message} (code: {code})"));
            }
            OrderMessage::Closing(why) => return Ok(format!("end of the session: {why}")),
            OrderMessage::Other(name) => name,
        };
        Ok(what.to_owned())
    })
}

/// What the messages of a frame are.
#[derive(Default)]
struct Told(Vec<String>);

impl MarketSink for Told {
    fn take(&mut self, message: MarketMessage<'_>) {
        self.0.push(match message {
            MarketMessage::Quote { update_id, .. } => format!("quote, update {update_id}"),
            MarketMessage::Trade { trade_id, .. } => format!("trade {trade_id}"),
            MarketMessage::Bar { .. } => "bar".to_owned(),
            MarketMessage::Depth { diff, .. } => {
                format!("diff of {} bids and {} asks", diff.bids.len(), diff.asks.len())
            }
            MarketMessage::Book { book, .. } => {
                format!("book of {} bids and {} asks", book.bids.len(), book.asks.len())
            }
            MarketMessage::Gap => "lost frames before it".to_owned(),
            MarketMessage::KeptAlive => "sign of life".to_owned(),
            MarketMessage::Reply { id, .. } => format!("reply to request {id}"),
            MarketMessage::Shutdown => "notice of shutdown".to_owned(),
        });
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
        let diff = Ok("diff of 1 bids and 0 asks".to_owned());
        for role in [Some("market"), Some("market-2"), None] {
            assert_eq!(spot.read(role, DIFF.as_bytes()), diff, "{role:?}");
        }
        assert!(spot.read(Some("orders"), DIFF.as_bytes()).is_err());
        for role in [Some("orders"), None] {
            assert_eq!(spot.read(role, STATUS.as_bytes()), Ok("listStatus".to_owned()), "{role:?}");
        }
        let refused = reader("binance_futures").read(Some("market"), DIFF.as_bytes());
        assert_eq!(refused.unwrap_err().detail, "field pu missing");
        assert!(reader("binance_futures").read(Some("orders"), STATUS.as_bytes()).is_err());
    }

    #[test]
    fn of_two_refusals_the_one_that_says_more_is_told() {
        let mut spot = reader("binance");
        let bad_diff = DIFF.replace("1.50", "x");
        assert_eq!(spot.read(None, bad_diff.as_bytes()).unwrap_err().reason, LetterReason::Number);
    }
}
