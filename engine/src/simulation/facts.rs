//! What the checkers read of an engine's report: of the report itself, or of its text, as the
//! process that printed it has left it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::report::{LaneReport, PoolReport, Report};

/// What an engine says of itself at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Facts {
    /// The accounts hold.
    pub(super) identity_holds: bool,
    /// Critical events that never arrived.
    pub(super) critical_lost: u64,
    /// Why trading was halted.
    pub(super) halted: Option<String>,
    /// By number.
    pub(super) consumers: Vec<ConsumerFacts>,
    /// Lanes between the stages.
    pub(super) lanes: Vec<LaneFacts>,
    /// Pools of what is held across events.
    pub(super) pools: Vec<PoolFacts>,
    /// Slots of all of them that were never returned.
    pub(super) slots_owned: u64,
    /// Books at the end.
    pub(super) books: BTreeMap<String, BookFacts>,
    /// Orders.
    pub(super) orders: OrderFacts,
    /// The journal.
    pub(super) journal: JournalFacts,
    /// Threads that did not end.
    pub(super) threads_left_behind: Vec<String>,
    /// How the run ends: the process's exit code.
    #[serde(skip)]
    pub(super) exit_code: u8,
}

/// One strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ConsumerFacts {
    pub(super) name: String,
    /// Why it was quarantined.
    pub(super) quarantine: Option<Value>,
    /// Callbacks that failed.
    pub(super) failures: u64,
}

/// One lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct LaneFacts {
    pub(super) name: String,
    pub(super) in_flight: u64,
    pub(super) double_returns: u64,
}

/// One pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct PoolFacts {
    pub(super) name: String,
    pub(super) in_use: u64,
    pub(super) double_returns: u64,
}

/// One book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct BookFacts {
    pub(super) status: String,
}

/// Orders over all strategies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct OrderFacts {
    pub(super) left_at_venues: Vec<LeftFacts>,
}

/// An order that may still rest at its venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct LeftFacts {
    pub(super) venue: String,
    pub(super) name: String,
    pub(super) state: String,
}

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct JournalFacts {
    pub(super) path: Option<String>,
    pub(super) missed: u64,
    pub(super) failure: Option<Value>,
}

impl Facts {
    /// Of a report in this process.
    pub(super) fn of(report: &Report) -> Facts {
        let lane = |of: &LaneReport| LaneFacts {
            name: of.name.clone(),
            in_flight: of.in_flight,
            double_returns: of.double_returns,
        };
        let pool = |of: &PoolReport| PoolFacts {
            name: of.name.clone(),
            in_use: of.in_use,
            double_returns: of.double_returns,
        };
        let consumers = report.consumers.iter().map(|of| ConsumerFacts {
            name: of.name.clone(),
            quarantine: of.quarantine.as_ref().and_then(|why| serde_json::to_value(why).ok()),
            failures: of.failures,
        });
        let books = report.books.iter();
        let left = report.orders.left_at_venues.iter().map(|of| LeftFacts {
            venue: of.venue.clone(),
            name: of.name.clone(),
            state: of.state.clone(),
        });
        let journal = &report.journal;
        let halted = report.halted.and_then(|why| serde_json::to_value(why).ok());
        Facts {
            identity_holds: report.identity_holds,
            critical_lost: report.critical_lost,
            halted: halted.and_then(|why| why.as_str().map(str::to_owned)),
            consumers: consumers.collect(),
            lanes: report.lanes.iter().map(lane).collect(),
            pools: report.pools.iter().map(pool).collect(),
            slots_owned: report.slots_owned,
            books: books
                .map(|(symbol, of)| (symbol.clone(), BookFacts { status: of.status.to_owned() }))
                .collect(),
            orders: OrderFacts { left_at_venues: left.collect() },
            journal: JournalFacts {
                path: journal.path.clone(),
                missed: journal.missed,
                failure: journal.failure.and_then(|why| serde_json::to_value(why).ok()),
            },
            threads_left_behind: report.threads_left_behind.clone(),
            exit_code: report.exit_code(),
        }
    }

    /// Of the JSON object that `pitlane run --report json` has printed, and of how it ended.
    ///
    /// # Errors
    /// What the text lacks.
    pub fn parse(text: &str, exit_code: u8) -> Result<Facts, serde_json::Error> {
        let facts: Facts = serde_json::from_str(text)?;
        Ok(Facts { exit_code, ..facts })
    }

    /// Callbacks of all strategies that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.consumers.iter().map(|of| of.failures).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalFailure;
    use crate::report::JournalReport;
    use crate::safety::HaltReason;

    #[test]
    fn a_report_and_its_text_are_the_same_facts() {
        let lane = LaneReport {
            name: "link".to_owned(),
            slots: 8,
            high_water: 7,
            full: 6,
            published: 5,
            in_flight: 4,
            double_returns: 3,
        };
        let path = Some("journal".to_owned());
        let failure = Some(JournalFailure::Write);
        let report = Report {
            critical_lost: 3,
            halted: Some(HaltReason::FileFailed),
            journal: JournalReport { path, failure, ..JournalReport::default() },
            threads_left_behind: vec!["core-1".to_owned()],
            lanes: vec![lane],
            ..Report::default()
        };
        let text = serde_json::to_string(&report).unwrap();
        let facts = Facts::parse(&text, report.exit_code()).unwrap();
        assert_eq!(facts, Facts::of(&report));
        assert_eq!((facts.critical_lost, facts.lanes[0].in_flight), (3, 4));
        assert_eq!(facts.halted.as_deref(), Some("file_failed"));
        assert!(Facts::parse("{}", 0).is_err(), "a report that says nothing");
    }
}
