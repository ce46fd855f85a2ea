//! What has to hold in every run, each by itself and by its number. No check asks the engine
//! whether it was right: orders, trades, balances and books are held against the simulated venue's
//! own record, and deliveries against what strategies were given.

mod delivery;
mod evidence;
mod journal;
mod lifetime;
mod limits;
mod market;
mod orders;

use serde::Serialize;

use super::told::ConsumerNotes;
use crate::event::Event;
pub(super) use evidence::Evidence;

/// A check of an event that a consumer is given at a time (ns), before it is noted: what is wrong.
type OnEvent = fn(&ConsumerNotes, &Event, u64) -> Option<String>;

/// One promise, and how it is checked.
pub struct Invariant {
    /// Its number.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// What is promised.
    pub promise: &'static str,
    /// At every event that a strategy is given.
    pub(super) on_event: Option<OnEvent>,
    /// Of the whole run, after its end.
    pub(super) at_rest: Option<fn(&Evidence<'_>) -> Vec<String>>,
    /// Why it is not checked, or not whole.
    pub gap: Option<&'static str>,
    /// It is checked by the driver of runs, not within one.
    by_driver: bool,
}

impl Invariant {
    /// Whether any of it is checked.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.by_driver || self.on_event.is_some() || self.at_rest.is_some()
    }
}

/// One that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Number of the [`Invariant`].
    pub invariant: u8,
    /// Virtual time, ns since the start.
    pub at_ns: u64,
    /// Step of the run.
    pub step: u64,
    /// What was found.
    pub what: String,
    /// The last events before it, oldest first.
    pub last: Vec<String>,
}

const fn invariant(number: u8, name: &'static str, promise: &'static str) -> Invariant {
    let (on_event, at_rest, gap, by_driver) = (None, None, None, false);
    Invariant { number, name, promise, on_event, at_rest, gap, by_driver }
}

/// All of them, by number from 1.
pub static ALL: [Invariant; 20] = [
    Invariant {
        at_rest: Some(orders::conservation),
        ..invariant(1, "order_conservation", "each order is at the venue at most once, and ends")
    },
    Invariant {
        at_rest: Some(orders::proof_of_end),
        ..invariant(2, "proof_of_end", "an end that was told holds, or was taken back")
    },
    Invariant {
        at_rest: Some(orders::fills),
        ..invariant(3, "fill_conservation", "fills told = trades in the ledger, once, at its price")
    },
    Invariant {
        on_event: Some(orders::quantities),
        ..invariant(4, "quantities", "filled never falls, and quantities add up in each report")
    },
    Invariant {
        at_rest: Some(orders::positions),
        ..invariant(5, "positions", "position and cash = fold of fills = the account at the venue")
    },
    Invariant {
        on_event: Some(delivery::critical_sequence),
        at_rest: Some(delivery::nothing_critical_lost),
        ..invariant(
            6,
            "critical_lane",
            "critical events come in sequence, none is lost or repeated",
        )
    },
    Invariant {
        at_rest: Some(delivery::accounts),
        ..invariant(7, "accounts", "each event is accounted for, at audits during the run too")
    },
    Invariant {
        on_event: Some(market::book_is_live),
        at_rest: Some(market::truth),
        ..invariant(8, "market_truth", "a live book, a quote, a trade is the venue's of its number")
    },
    Invariant {
        on_event: Some(market::freshness),
        gap: Some("quotes carry no time of the venue, so that only trades are judged"),
        ..invariant(
            9,
            "freshness",
            "nothing older than the stale bound while it is said to be live",
        )
    },
    Invariant {
        at_rest: Some(delivery::slots),
        gap: Some("reads through old handles are caught by checked lanes, which panic"),
        ..invariant(10, "slots", "a slot is returned once")
    },
    Invariant {
        at_rest: Some(delivery::nothing_held),
        ..invariant(11, "nothing_held", "slots, sockets and files are given back")
    },
    Invariant {
        on_event: Some(delivery::routing_version),
        ..invariant(12, "routing_version", "routing versions never go back")
    },
    Invariant {
        gap: Some("held in short runs apart, of public trades: others' orders move the market"),
        by_driver: true,
        ..invariant(13, "isolation", "a consumer that misbehaves changes nothing for the others")
    },
    Invariant {
        at_rest: Some(limits::open_orders),
        gap: Some("of the limits only open orders: rates at the venue depend on the network"),
        ..invariant(14, "exposure", "at the venue no limit is exceeded at any time")
    },
    Invariant {
        at_rest: Some(limits::nothing_after_kill),
        ..invariant(15, "kill", "after a kill no new order reaches the venue")
    },
    Invariant {
        at_rest: Some(limits::penalties),
        ..invariant(16, "pace", "the venue punishes nothing")
    },
    Invariant {
        at_rest: Some(limits::logon),
        gap: Some("shutdown notices: the next connection is not made before the old one is cut"),
        ..invariant(17, "logon", "nothing is sent before the logon; rollovers lose nothing")
    },
    Invariant {
        at_rest: Some(journal::on_record),
        gap: Some("an engine is not killed between two calls to the system of one duty cycle"),
        ..invariant(18, "recovery", "after a kill -9 and a restart the state is the same")
    },
    Invariant {
        by_driver: true,
        ..invariant(19, "determinism", "one seed, one hash of all outputs (--twice)")
    },
    Invariant {
        at_rest: Some(lifetime::liveness),
        ..invariant(20, "liveness", "with faults off all heals within the calm, and a stop ends")
    },
];

/// What a whole run has broken, by the number of the invariant.
pub(super) fn judged(evidence: &Evidence<'_>) -> Vec<(u8, String)> {
    let mut found = Vec::new();
    for invariant in &ALL {
        let broken = invariant.at_rest.map_or(Vec::new(), |check| check(evidence));
        found.extend(broken.into_iter().map(|what| (invariant.number, what)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariants_stand_at_their_numbers_and_each_that_is_not_checked_says_why() {
        for (index, invariant) in ALL.iter().enumerate() {
            assert_eq!(usize::from(invariant.number), index + 1);
            assert!(invariant.is_checked() || invariant.gap.is_some(), "{}", invariant.name);
        }
    }
}
