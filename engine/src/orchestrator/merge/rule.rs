//! Merge rules, and the table in which the orchestrator looks them up.

use pitlane_ring::Bits;
use thiserror::Error;

use crate::event::{Event, EventKind, InstrumentId};

/// Rules there can be at a time; their numbers are below it.
pub const MERGE_RULES_MAX: usize = 64;

/// Venues that can be merged have numbers below this: one bit each in a word.
pub const MERGE_VENUES_MAX: usize = 64;

/// The longest window, ns: one minute.
pub const WINDOW_NS_MAX: u64 = 60_000_000_000;

/// Kinds that can be merged have codes 1 to 4: a place each in the table.
const KINDS: usize = 4;

/// What is to be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeRule {
    /// Its number, below [`MERGE_RULES_MAX`]: the `venue` of its merged events.
    pub id: u16,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Quote, trade, book or bar.
    pub kind: EventKind,
    /// Bit n set: venue n has to contribute. At least two.
    pub providers: u64,
    /// Length of a window, ns, 1 to [`WINDOW_NS_MAX`].
    pub window_ns: u64,
    /// Events with which a window closes even when a venue is missing; at least the number of
    /// venues.
    pub max_events: u32,
}

/// What can be wrong with a merge, whatever its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MergeProblem {
    /// One venue alone can't be merged.
    #[error("{0} venues, at least 2 are needed")]
    Venues(u32),
    /// Not quote, trade, book or bar.
    #[error("events of kind {0} can't be merged")]
    Kind(EventKind),
    /// The window is too short or too long.
    #[error("a window of {0} ns is not in 1 to {WINDOW_NS_MAX}")]
    Window(u64),
    /// A window could never become complete.
    #[error("{0} events are fewer than its venues")]
    Events(u32),
}

/// What is wrong with a rule of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MergeRuleError {
    /// Its number is too large.
    #[error("merge rule {id}: the number is not below {MERGE_RULES_MAX}")]
    Id {
        /// The number.
        id: u16,
    },
    /// Another rule has its number.
    #[error("merge rule {id}: the number is used twice")]
    Twice {
        /// The number.
        id: u16,
    },
    /// It can't be merged so.
    #[error("merge rule {id}: {problem}")]
    Merge {
        /// The rule.
        id: u16,
        /// Why.
        problem: MergeProblem,
    },
}

/// Rules by (venue, instrument, kind): a look-up is two indices. Immutable; a change is another
/// table.
#[derive(Debug, Default)]
pub struct MergeTable {
    rules: Vec<MergeRule>,
    /// By number.
    by_id: Vec<Option<MergeRule>>,
    /// By instrument: its row in `feeds` plus one, 0 for none.
    rows: Vec<u32>,
    /// By (row, venue, kind): bit n set: rule n takes the stream.
    feeds: Vec<u64>,
}

impl MergeRule {
    /// Whether it can be merged so, whatever its number.
    ///
    /// # Errors
    /// [`MergeProblem`], the first.
    pub fn check(&self) -> Result<(), MergeProblem> {
        let venues = self.providers.count_ones();
        if venues < 2 {
            Err(MergeProblem::Venues(venues))
        } else if place_of(self.kind).is_none() {
            Err(MergeProblem::Kind(self.kind))
        } else if !(1..=WINDOW_NS_MAX).contains(&self.window_ns) {
            Err(MergeProblem::Window(self.window_ns))
        } else if self.max_events < venues {
            Err(MergeProblem::Events(self.max_events))
        } else {
            Ok(())
        }
    }

    fn problem(&self) -> Option<MergeRuleError> {
        let id = self.id;
        if usize::from(id) >= MERGE_RULES_MAX {
            return Some(MergeRuleError::Id { id });
        }
        self.check().err().map(|problem| MergeRuleError::Merge { id, problem })
    }
}

impl MergeTable {
    /// A table of these rules, in any order.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn new(rules: &[MergeRule]) -> Result<MergeTable, Vec<MergeRuleError>> {
        let mut problems: Vec<MergeRuleError> =
            rules.iter().filter_map(MergeRule::problem).collect();
        let mut table = MergeTable { by_id: vec![None; MERGE_RULES_MAX], ..Self::default() };
        for rule in rules {
            match table.by_id.get_mut(usize::from(rule.id)) {
                Some(place @ None) => *place = Some(*rule),
                Some(Some(_)) => problems.push(MergeRuleError::Twice { id: rule.id }),
                None => {} // told above
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        rules.iter().for_each(|rule| table.add(rule));
        Ok(table)
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &[MergeRule] {
        &self.rules
    }

    /// The rule with this number.
    #[inline]
    pub(super) fn rule(&self, id: usize) -> Option<&MergeRule> {
        self.by_id.get(id)?.as_ref()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Bit n set: rule n takes the event.
    #[inline]
    pub(super) fn feeds(&self, event: &Event) -> u64 {
        match EventKind::from_code(event.kind_code) {
            Some(kind) => self.feeds_of(event.venue, event.instrument, kind),
            None => 0,
        }
    }

    /// Bit n set: rule n takes the stream.
    #[inline]
    pub(super) fn feeds_of(&self, venue: u16, instrument: u32, kind: EventKind) -> u64 {
        let Some(place) = place_of(kind) else { return 0 };
        let row = self.rows.get(instrument as usize).copied().unwrap_or(0);
        if row == 0 || usize::from(venue) >= MERGE_VENUES_MAX {
            return 0;
        }
        self.feeds[index(row, usize::from(venue), place)]
    }

    fn add(&mut self, rule: &MergeRule) {
        let Some(place) = place_of(rule.kind) else { return };
        let instrument = rule.instrument.index();
        if self.rows.len() <= instrument {
            self.rows.resize(instrument + 1, 0);
        }
        if self.rows[instrument] == 0 {
            self.feeds.extend([0; MERGE_VENUES_MAX * KINDS]);
            self.rows[instrument] = (self.feeds.len() / (MERGE_VENUES_MAX * KINDS)) as u32;
        }
        for venue in bits(rule.providers) {
            self.feeds[index(self.rows[instrument], venue, place)] |= 1 << rule.id;
        }
        self.rules.push(*rule);
    }
}

fn index(row: u32, venue: usize, place: usize) -> usize {
    ((row as usize - 1) * MERGE_VENUES_MAX + venue) * KINDS + place
}

/// The place of a kind that can be merged.
#[inline]
fn place_of(kind: EventKind) -> Option<usize> {
    match kind {
        EventKind::Quote => Some(0),
        EventKind::Trade => Some(1),
        EventKind::Book => Some(2),
        EventKind::Bar => Some(3),
        EventKind::Merged
        | EventKind::BookState
        | EventKind::Instrument
        | EventKind::Balance
        | EventKind::ExecReport
        | EventKind::ControlAck
        | EventKind::ControlResult
        | EventKind::Risk
        | EventKind::StreamState
        | EventKind::MarkPrice => None,
    }
}

/// The numbers of the bits that are set, lowest first.
#[inline]
pub(super) fn bits(word: u64) -> impl Iterator<Item = usize> {
    Bits(word).map(|bit| bit as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: u16) -> MergeRule {
        MergeRule {
            id,
            instrument: InstrumentId(3),
            kind: EventKind::Quote,
            providers: 0b101,
            window_ns: 1_000,
            max_events: 10,
        }
    }

    #[test]
    fn a_stream_finds_the_rules_that_take_it_and_no_other() {
        let book = MergeRule { kind: EventKind::Book, providers: 0b11, ..rule(63) };
        let table = MergeTable::new(&[rule(0), rule(7), book]).unwrap();
        let feeds = |venue, instrument, kind| table.feeds_of(venue, instrument, kind);
        assert_eq!(feeds(0, 3, EventKind::Quote), 1 | 1 << 7);
        assert_eq!(feeds(2, 3, EventKind::Quote), 1 | 1 << 7);
        assert_eq!(feeds(1, 3, EventKind::Book), 1 << 63);
        assert_eq!(feeds(1, 3, EventKind::Quote), 0);
        assert_eq!(feeds(0, 3, EventKind::Trade), 0);
        assert_eq!(feeds(0, 2, EventKind::Quote), 0);
        assert_eq!(feeds(u16::MAX, u32::MAX, EventKind::Quote), 0);
        assert_eq!(feeds(0, 3, EventKind::ExecReport), 0);
        assert_eq!(table.rules().len(), 3);
        assert!(MergeTable::default().is_empty());
        assert_eq!(MergeTable::default().feeds_of(0, 0, EventKind::Quote), 0);
    }

    #[test]
    fn everything_wrong_with_the_rules_is_told() {
        let rules = [
            MergeRule { id: 64, ..rule(0) },
            MergeRule { providers: 1, ..rule(1) },
            MergeRule { kind: EventKind::Risk, ..rule(2) },
            MergeRule { window_ns: 0, ..rule(3) },
            MergeRule { window_ns: WINDOW_NS_MAX + 1, ..rule(4) },
            MergeRule { max_events: 1, ..rule(5) },
            rule(6),
            rule(6),
        ];
        let problems = MergeTable::new(&rules).unwrap_err();
        let wrong = |id, problem| MergeRuleError::Merge { id, problem };
        let expected = [
            MergeRuleError::Id { id: 64 },
            wrong(1, MergeProblem::Venues(1)),
            wrong(2, MergeProblem::Kind(EventKind::Risk)),
            wrong(3, MergeProblem::Window(0)),
            wrong(4, MergeProblem::Window(WINDOW_NS_MAX + 1)),
            wrong(5, MergeProblem::Events(1)),
            MergeRuleError::Twice { id: 6 },
        ];
        assert_eq!(problems, expected);
        assert_eq!(problems[2].to_string(), "merge rule 2: events of kind risk can't be merged");
    }
}
