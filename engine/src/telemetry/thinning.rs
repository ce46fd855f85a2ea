//! Thins out what comes too often: so many of a kind a second, the rest is counted and told at
//! times.
//!
//! A venue that goes wrong says the same thing a thousand times a second. The first ones are news,
//! the rest would fill the disk and bury everything else.

use std::collections::HashMap;

use crate::rate::SecondCount;

/// Kinds that are told apart; what comes later shares one count.
const KINDS_MAX: usize = 1_024;
/// Between two notes on one kind.
const NOTE_PAUSE_NS: i64 = 10_000_000_000;

/// What becomes of one of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinned {
    /// It passes.
    Passes,
    /// It is left out.
    LeftOut {
        /// How many of its kind were left out so far; `Some` when that should be told now.
        note: Option<u64>,
    },
}

/// Counts by kind, in whole seconds of the caller's time.
#[derive(Debug)]
pub(super) struct Thinning {
    per_s_max: u32,
    kinds: HashMap<String, Kind>,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Kind {
    in_second: SecondCount,
    left_out: u64,
    noted_ns: Option<i64>,
}

impl Thinning {
    /// Lets `per_s_max` of each kind pass in a second.
    pub(super) fn new(per_s_max: u32) -> Thinning {
        Thinning { per_s_max, kinds: HashMap::new(), left_out: 0 }
    }

    /// Takes one of a kind at `now_ns`. Time may step; a step only begins a new second.
    pub(super) fn take(&mut self, kind: &str, now_ns: i64) -> Thinned {
        let kind = if self.kinds.len() >= KINDS_MAX { "" } else { kind };
        if !self.kinds.contains_key(kind) {
            self.kinds.insert(kind.to_owned(), Kind::default());
        }
        let Some(entry) = self.kinds.get_mut(kind) else { return Thinned::Passes };
        if entry.in_second.add(1, now_ns) <= u64::from(self.per_s_max) {
            return Thinned::Passes;
        }
        self.left_out += 1;
        entry.left_out += 1;
        let is_due = entry.noted_ns.is_none_or(|noted_ns| now_ns >= noted_ns + NOTE_PAUSE_NS);
        if is_due {
            entry.noted_ns = Some(now_ns);
        }
        Thinned::LeftOut { note: is_due.then_some(entry.left_out) }
    }

    /// How many were left out.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    #[test]
    fn each_kind_has_its_own_second_and_its_own_notes() {
        let mut thinning = Thinning::new(2);
        let mut take = |kind: &str, now_ns| thinning.take(kind, now_ns);
        assert_eq!([take("a", 0), take("a", 1)], [Thinned::Passes; 2]);
        assert_eq!(take("a", 2), Thinned::LeftOut { note: Some(1) });
        assert_eq!(take("a", 3), Thinned::LeftOut { note: None });
        assert_eq!(take("b", 4), Thinned::Passes);
        assert_eq!([take("a", SECOND_NS), take("a", SECOND_NS)], [Thinned::Passes; 2]);
        assert_eq!(take("a", SECOND_NS), Thinned::LeftOut { note: None });
        let later_ns = 2 + NOTE_PAUSE_NS;
        assert_eq!([take("a", later_ns), take("a", later_ns)], [Thinned::Passes; 2]);
        assert_eq!(take("a", later_ns), Thinned::LeftOut { note: Some(4) });
        assert_eq!(thinning.left_out(), 4);
    }

    #[test]
    fn the_number_of_kinds_is_bounded() {
        let mut thinning = Thinning::new(1);
        for number in 0..10 * KINDS_MAX {
            thinning.take(&number.to_string(), 0);
        }
        assert!(thinning.kinds.len() <= KINDS_MAX + 1);
    }
}
