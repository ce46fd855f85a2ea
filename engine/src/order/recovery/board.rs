//! What recovery has found, for people who ask: at the venues, order by order.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::safety::TradingSwitch;

/// Orders whose lines are kept for a venue; all are counted.
const LINES_MAX: usize = 1_000;

/// One order that was open on record, and what the venue says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FoundOrder {
    /// Our name of it at the venue.
    pub name: String,
    /// The strategy's number, by the order of the configuration.
    pub consumer: u16,
    /// The venue's symbol.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Its limit price; 0 for an order without one.
    pub price: String,
    /// Its quantity.
    pub qty: String,
    /// Filled on record.
    pub filled_before: String,
    /// Filled by the venue's word.
    pub filled: String,
    /// Its status on record.
    pub was: String,
    /// What it was found as: `open`, `filled`, `canceled`, `expired`, `rejected`, `never_arrived`,
    /// or `unknown`: the venue does not know it and it may still turn up.
    pub found: String,
}

/// What one venue's order session has found of the orders on record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VenueRecoveryFigures {
    /// The venue.
    pub venue: String,
    /// Whether it has answered for all of them.
    pub is_done: bool,
    /// Orders that were open on record.
    pub recorded: u64,
    /// Still open.
    pub open: u64,
    /// Not known to the venue, and may still turn up; they count as open.
    pub unknown: u64,
    /// Filled in whole meanwhile.
    pub filled: u64,
    /// Ended otherwise: cancelled, expired, refused.
    pub ended: u64,
    /// Never seen by the venue.
    pub never_arrived: u64,
    /// Each of them, in the order of consumers and their numbers.
    pub orders: Vec<FoundOrder>,
}

#[derive(Debug, Default)]
struct Found {
    venues: Vec<VenueRecoveryFigures>,
    /// Switched on once no order was found open: an operator is asked only where there is one.
    asks: Option<TradingSwitch>,
}

/// Written by the order sessions at the start, read by anyone at any time.
#[derive(Debug, Default)]
pub struct RecoveryBoard(Mutex<Found>);

impl RecoveryBoard {
    /// Trading is off until each venue has answered, and then until an operator switches it on,
    /// unless no order was found open.
    pub(crate) fn ask(&self, trading: TradingSwitch) {
        self.0.lock().asks = Some(trading);
    }

    /// A venue will be asked about so many orders.
    pub fn expect(&self, venue: &str, recorded: usize) {
        self.0.lock().venues.push(VenueRecoveryFigures {
            venue: venue.to_owned(),
            recorded: recorded as u64,
            is_done: recorded == 0,
            ..VenueRecoveryFigures::default()
        });
    }

    /// A venue has answered. Whether trading waits for an operator now.
    pub fn found(&self, venue: &str, orders: Vec<FoundOrder>) -> bool {
        let mut found = self.0.lock();
        if let Some(figures) = found.venues.iter_mut().find(|figures| figures.venue == venue) {
            let count =
                |what: &str| orders.iter().filter(|order| order.found == what).count() as u64;
            figures.is_done = true;
            (figures.open, figures.filled) = (count("open"), count("filled"));
            (figures.unknown, figures.never_arrived) = (count("unknown"), count("never_arrived"));
            let told = figures.open + figures.unknown + figures.filled + figures.never_arrived;
            figures.ended = orders.len() as u64 - told;
            figures.orders = orders;
            figures.orders.truncate(LINES_MAX);
        }
        let is_open = |figures: &VenueRecoveryFigures| figures.open + figures.unknown > 0;
        let is_any_open = found.venues.iter().any(is_open);
        if is_any_open || found.venues.iter().any(|figures| !figures.is_done) {
            return found.asks.is_some() && is_any_open;
        }
        if let Some(trading) = found.asks.take() {
            trading.set(true);
        }
        false
    }

    /// What was found so far, by venue; empty where there was nothing to ask for.
    #[must_use]
    pub fn read(&self) -> Vec<VenueRecoveryFigures> {
        self.0.lock().venues.iter().filter(|figures| figures.recorded > 0).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(found: &str) -> FoundOrder {
        FoundOrder { found: found.to_owned(), ..FoundOrder::default() }
    }

    #[test]
    fn trading_goes_on_by_itself_only_once_every_venue_has_answered_and_nothing_is_open() {
        for (found, is_on) in [("filled", true), ("open", false), ("unknown", false)] {
            let (board, trading) = (RecoveryBoard::default(), TradingSwitch::new(false));
            board.ask(trading.clone());
            board.expect("one", 1);
            board.expect("two", 1);
            assert!(!board.found("one", vec![order("canceled")]));
            assert!(!trading.is_on(), "the other has not answered");
            assert_eq!(board.found("two", vec![order(found)]), !is_on, "an operator is needed");
            assert_eq!(trading.is_on(), is_on, "{found}");
            assert_eq!((board.read()[0].ended, board.read()[1].recorded), (1, 1));
        }
    }

    #[test]
    fn without_a_question_the_switch_is_left_alone() {
        let board = RecoveryBoard::default();
        board.expect("one", 1);
        assert!(!board.found("one", vec![order("open")]));
        assert_eq!((board.read()[0].open, board.read()[0].is_done), (1, true));
    }
}
