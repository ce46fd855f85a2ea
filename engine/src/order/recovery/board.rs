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
    /// Filled as the venue told it.
    pub filled: String,
    /// Its status on record.
    pub was: String,
    /// What it was found as: `open`, `filled`, `canceled`, `expired`, `rejected`, `never_arrived`,
    /// or `unknown`: the venue does not know it and it may still turn up.
    pub found: String,
}

/// An order that the account has open and that is in no book of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherOrder {
    /// Its name at the venue. Raw: it must be escaped before it is shown.
    pub name: String,
    /// The venue's symbol.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Its limit price, in the venue's words.
    pub price: String,
    /// Its quantity.
    pub qty: String,
    /// Filled so far.
    pub filled: String,
    /// `stranger`; `unrecorded`, where the name has the form of ours and no start on record has
    /// given it out; `ended_on_record`, where one has and its end is on record.
    pub what: String,
    /// It was cancelled by this start.
    pub is_canceled: bool,
}

/// What the account has of an asset, beside what is on record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FoundBalance {
    /// The asset.
    pub asset: String,
    /// Free and locked by the venue's last report on record.
    pub recorded: String,
    /// What our orders have traded since, before fees.
    pub traded: String,
    /// Free and locked now.
    pub found: String,
    /// What is found above that: fees of what was traded, and whatever others have done.
    pub difference: String,
}

/// What one venue's order session has found of the orders on record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VenueRecoveryFigures {
    /// The venue.
    pub venue: String,
    /// Whether it has answered for all of them.
    pub is_done: bool,
    /// Whether it has told all that the account has open; `others` is whole only then.
    pub is_listed: bool,
    /// Whether it has told what the account has.
    pub has_balances: bool,
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
    /// Orders of ours that were not on record and are taken up; they are counted above, too.
    pub adopted: u64,
    /// Open orders of the account that are in no book of ours.
    pub others_count: u64,
    /// Each that was on record or is taken up, in the order of consumers and their numbers.
    pub orders: Vec<FoundOrder>,
    /// The others: left alone, unless they were cancelled.
    pub others: Vec<OtherOrder>,
    /// Assets of which the account has not what is on record.
    pub balances: Vec<FoundBalance>,
}

impl VenueRecoveryFigures {
    fn take(&mut self, of: VenueFound) {
        let all = || of.orders.iter().chain(&of.adopted);
        let count = |what: &str| all().filter(|order| order.found == what).count() as u64;
        self.is_done = true;
        (self.is_listed, self.has_balances) = (of.is_listed, of.has_balances);
        (self.open, self.filled) = (count("open"), count("filled"));
        (self.unknown, self.never_arrived) = (count("unknown"), count("never_arrived"));
        let told = self.open + self.unknown + self.filled + self.never_arrived;
        self.ended = all().count() as u64 - told;
        self.adopted = of.adopted.len() as u64;
        self.orders = of.orders;
        self.orders.extend(of.adopted);
        self.orders.truncate(LINES_MAX);
        (self.others, self.others_count) = of.others;
        self.balances = of.balances;
    }

    /// What of it an operator is asked about, where that is configured; `None` for nothing.
    fn question(&self) -> Option<String> {
        let others = |what: &str| {
            let its = |of: &&OtherOrder| of.what == what && !of.is_canceled;
            self.others.iter().filter(its).count() as u64
        };
        let of = [
            (self.open, "open"),
            (self.unknown, "not known there, and may still turn up"),
            (others("unrecorded"), "unrecorded: named like ours, and in no record"),
            (others("ended_on_record"), "open although their end is on record"),
        ];
        let of = of.into_iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = of.map(|(count, what)| format!("{count} {what}")).collect();
        (!words.is_empty()).then(|| format!("orders at {}: {}", self.venue, words.join("; ")))
    }

    fn is_worth_a_line(&self) -> bool {
        let found = self.adopted + self.others_count + self.balances.len() as u64;
        self.recorded > 0 || self.is_done && found > 0
    }
}

/// What a venue's session has found.
#[derive(Clone, Debug, Default)]
pub struct VenueFound {
    /// Whether the venue has told all that the account has open.
    pub is_listed: bool,
    /// Whether it has told what the account has.
    pub has_balances: bool,
    /// Orders that were on record.
    pub orders: Vec<FoundOrder>,
    /// Orders of ours that were not.
    pub adopted: Vec<FoundOrder>,
    /// The others that are shown, and how many there are.
    pub others: (Vec<OtherOrder>, u64),
    /// Assets that differ from what is on record.
    pub balances: Vec<FoundBalance>,
}

#[derive(Debug, Default)]
struct Found {
    venues: Vec<VenueRecoveryFigures>,
    /// Switched on once no order was found open, where it was off until then: an operator is asked
    /// only where there is one.
    asks: Option<(TradingSwitch, bool)>,
}

/// Written by the order sessions at the start, read by anyone at any time.
#[derive(Debug, Default)]
pub struct RecoveryBoard(Mutex<Found>);

impl RecoveryBoard {
    /// An operator is asked before there is trading, where an order is found open. `is_held`:
    /// trading is off until each venue has answered.
    pub fn ask(&self, trading: TradingSwitch, is_held: bool) {
        self.0.lock().asks = Some((trading, is_held));
    }

    /// Somebody has turned trading off for a reason of its own: what venues answer turns it on no
    /// more.
    pub(crate) fn ask_no_more(&self) {
        self.0.lock().asks = None;
    }

    /// A venue will be asked about so many orders.
    pub fn expect(&self, venue: &str, recorded: usize) {
        self.0.lock().venues.push(VenueRecoveryFigures {
            venue: venue.to_owned(),
            recorded: recorded as u64,
            ..VenueRecoveryFigures::default()
        });
    }

    /// A venue has answered. Why trading waits for an operator now; `None` where it does not.
    pub fn found(&self, venue: &str, of: VenueFound) -> Option<String> {
        let mut found = self.0.lock();
        if let Some(figures) = found.venues.iter_mut().find(|figures| figures.venue == venue) {
            figures.take(of);
        }
        let questions: Vec<String> =
            found.venues.iter().filter_map(VenueRecoveryFigures::question).collect();
        if !questions.is_empty() {
            let (trading, is_held) = found.asks.as_mut()?;
            if !*is_held {
                trading.set(false);
                *is_held = true;
            }
            // An operator may have answered before the last venue has.
            return (!trading.is_on()).then(|| questions.join(", "));
        }
        if found.venues.iter().all(|figures| figures.is_done)
            && let Some((trading, true)) = found.asks.take()
        {
            trading.set(true);
        }
        None
    }

    /// What was found so far, by venue; those where nothing was are left out.
    #[must_use]
    pub fn read(&self) -> Vec<VenueRecoveryFigures> {
        self.0.lock().venues.iter().filter(|of| of.is_worth_a_line()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(what: &str) -> VenueFound {
        let order = FoundOrder { found: what.to_owned(), ..FoundOrder::default() };
        VenueFound { orders: vec![order], ..VenueFound::default() }
    }

    fn other(what: &str) -> VenueFound {
        let other = OtherOrder { what: what.to_owned(), ..OtherOrder::default() };
        VenueFound { others: (vec![other], 1), ..VenueFound::default() }
    }

    #[test]
    fn trading_goes_on_by_itself_only_once_every_venue_has_answered_and_nothing_is_open() {
        for (found_there, is_on) in [
            (found("filled"), true),
            (found("open"), false),
            (found("unknown"), false),
            (other("stranger"), true),
            (other("unrecorded"), false),
            (other("ended_on_record"), false),
        ] {
            let (board, trading) = (RecoveryBoard::default(), TradingSwitch::new(false));
            board.ask(trading.clone(), true);
            board.expect("one", 1);
            board.expect("two", 1);
            assert_eq!(board.found("one", found("canceled")), None);
            assert!(!trading.is_on(), "the other has not answered");
            let question = board.found("two", found_there);
            assert_eq!(question.is_none(), is_on, "an operator is needed: {question:?}");
            assert_eq!(trading.is_on(), is_on);
            assert_eq!((board.read()[0].ended, board.read()[1].recorded), (1, 1));
        }
    }

    #[test]
    fn an_order_that_nobody_expected_stops_trading_where_an_operator_is_asked() {
        let (board, trading) = (RecoveryBoard::default(), TradingSwitch::new(true));
        board.ask(trading.clone(), false);
        board.expect("one", 0);
        assert!(board.read().is_empty(), "nothing is known of it");
        let question = board.found("one", other("unrecorded")).expect("an operator is asked");
        assert!(question.contains("orders at one: 1 unrecorded"), "{question}");
        assert!(!question.contains("1 open"), "nothing on record is open: {question}");
        assert!(!trading.is_on());
        trading.set(true);
        board.expect("two", 0);
        assert_eq!(board.found("two", found("filled")), None, "an operator has answered");
        assert!(trading.is_on());
        assert_eq!(board.read()[0].others_count, 1);
        let (board, trading) = (RecoveryBoard::default(), TradingSwitch::new(true));
        board.ask(trading.clone(), false);
        board.expect("one", 0);
        assert!(board.found("one", VenueFound::default()).is_none() && trading.is_on());
        assert!(board.read().is_empty());
    }

    #[test]
    fn without_a_question_the_switch_is_left_alone() {
        let board = RecoveryBoard::default();
        board.expect("one", 1);
        assert_eq!(board.found("one", found("open")), None);
        assert_eq!((board.read()[0].open, board.read()[0].is_done), (1, true));
    }
}
