//! When live books are held against fresh snapshots (LM-07): in turn, spread over time, and out of
//! turn those that are doubted.
//!
//! Promises: one question at a time on a connection; between two of them at least the configured
//! pause; a look costs the same however many books there are.

use std::collections::VecDeque;

/// An answer that has not come after this time is not waited for any more, ns.
const LOST_NS: u64 = 30_000_000_000;
/// An answer that is ahead of the stream waits so long for the stream, ns: diffs come every tenth
/// of a second.
const AHEAD_NS: u64 = 3_000_000_000;
/// Pauses between two books that the stream is to tell again.
const IN_BAND_PAUSES: u64 = 30;

/// How often live books are held against snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPace {
    /// Each book once in this time, ns; 0: never, not even one that is doubted.
    pub every_ns: u64,
    /// Between two questions of one connection, ns.
    pub pause_ns: u64,
}

impl RefreshPace {
    /// The pace where the stream tells books whole: to be told one again costs two messages of the
    /// connection, of which some venues allow few an hour, and the book is without changes until it
    /// comes. Where `has_checksums`, these say most of what it could.
    #[must_use]
    pub fn in_band(self, has_checksums: bool) -> RefreshPace {
        let times = if has_checksums { 24 } else { 6 };
        let pause_ns = self.pause_ns.saturating_mul(IN_BAND_PAUSES);
        RefreshPace { every_ns: self.every_ns.saturating_mul(times), pause_ns }
    }
}

impl Default for RefreshPace {
    /// Each book once in five minutes, and at most one a second.
    fn default() -> RefreshPace {
        RefreshPace { every_ns: 300_000_000_000, pause_ns: 1_000_000_000 }
    }
}

/// The question that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Slot of the book.
    pub(super) slot: usize,
    /// It was asked for out of turn.
    pub(super) is_doubted: bool,
    lost_ns: u64,
    /// Since when an answer waits for the stream, ns.
    ahead_ns: Option<u64>,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Refresh {
    pace: RefreshPace,
    books: usize,
    /// The next one in turn, and when.
    next_slot: usize,
    next_ns: u64,
    /// No question before that.
    may_ask_ns: u64,
    /// Out of turn, each once.
    doubted: VecDeque<usize>,
    asked: Option<Asked>,
}

impl Refresh {
    /// Of so many books.
    pub(super) fn new(pace: RefreshPace, books: usize) -> Refresh {
        let books = if pace.every_ns == 0 { 0 } else { books };
        Refresh {
            pace,
            books,
            next_slot: 0,
            next_ns: u64::MAX,
            may_ask_ns: 0,
            doubted: VecDeque::with_capacity(books),
            asked: None,
        }
    }

    /// There is a connection: turns are counted from now on.
    pub(super) fn start(&mut self, now_ns: u64) {
        self.doubted.clear();
        self.asked = None;
        self.next_ns = match self.books {
            0 => u64::MAX,
            _ => now_ns.saturating_add(self.turn_ns()),
        };
    }

    /// There is none.
    pub(super) fn stop(&mut self) {
        self.doubted.clear();
        (self.asked, self.next_ns) = (None, u64::MAX);
    }

    /// Between two turns, ns.
    fn turn_ns(&self) -> u64 {
        (self.pace.every_ns / self.books.max(1) as u64).max(self.pace.pause_ns).max(1)
    }

    /// Whether books are never asked for.
    pub(super) fn is_off(&self) -> bool {
        self.books == 0
    }

    /// A book is to be asked for out of turn. False where books are never asked for.
    pub(super) fn doubt(&mut self, slot: usize) -> bool {
        if self.books == 0 {
            return false;
        }
        if !self.doubted.contains(&slot) && self.doubted.len() < self.books {
            self.doubted.push_back(slot);
        }
        true
    }

    /// The book that is to be asked for now. `is_live` says which can be.
    #[inline]
    pub(super) fn next(&mut self, now_ns: u64, is_live: impl Fn(usize) -> bool) -> Option<usize> {
        let is_due = now_ns >= self.next_ns || !self.doubted.is_empty();
        if !is_due || now_ns < self.may_ask_ns {
            return None;
        }
        self.take(now_ns, is_live)
    }

    #[cold]
    fn take(&mut self, now_ns: u64, is_live: impl Fn(usize) -> bool) -> Option<usize> {
        if self.asked.is_some_and(|asked| now_ns < asked.lost_ns) {
            return None;
        }
        self.asked = None;
        let (slot, is_doubted) = match self.doubted.pop_front() {
            Some(slot) => (slot, true),
            None => {
                self.next_ns = now_ns + self.turn_ns();
                let slot = self.next_slot;
                self.next_slot = (slot + 1) % self.books;
                (slot, false)
            }
        };
        if !is_live(slot) {
            return None;
        }
        self.may_ask_ns = now_ns + self.pace.pause_ns;
        let lost_ns = now_ns + LOST_NS;
        self.asked = Some(Asked { slot, is_doubted, lost_ns, ahead_ns: None });
        Some(slot)
    }

    /// The question about this book that is under way; `None` when it is about another, or none is.
    pub(super) fn asked(&self, slot: usize) -> Option<Asked> {
        self.asked.filter(|asked| asked.slot == slot)
    }

    /// The answer is ahead of the stream; whether it has waited for it long enough.
    pub(super) fn waits(&mut self, now_ns: u64) -> bool {
        let Some(asked) = &mut self.asked else { return true };
        now_ns >= *asked.ahead_ns.get_or_insert(now_ns) + AHEAD_NS
    }

    /// The answer was used, or it failed.
    pub(super) fn settled(&mut self) {
        self.asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    /// Answers each question at once; when each book was asked for, by second.
    fn turns(
        refresh: &mut Refresh,
        seconds: u64,
        is_live: impl Fn(usize) -> bool,
    ) -> Vec<(u64, usize)> {
        let mut asked = Vec::new();
        for tenth in 0..10 * seconds {
            if let Some(slot) = refresh.next(tenth * S / 10, &is_live) {
                asked.push((tenth / 10, slot));
                refresh.settled();
            }
        }
        asked
    }

    #[test]
    fn books_take_turns_that_are_spread_over_the_time() {
        let mut refresh = Refresh::new(RefreshPace { every_ns: 60 * S, pause_ns: S }, 3);
        refresh.start(0);
        let asked = turns(&mut refresh, 130, |slot| slot != 1);
        assert_eq!(asked, [(20, 0), (60, 2), (80, 0), (120, 2)]);
        refresh.stop();
        assert_eq!(turns(&mut refresh, 130, |_| true), []);
    }

    #[test]
    fn many_books_are_asked_for_no_faster_than_the_pause() {
        let mut refresh = Refresh::new(RefreshPace { every_ns: 60 * S, pause_ns: 2 * S }, 5_000);
        refresh.start(0);
        let asked = turns(&mut refresh, 60, |_| true);
        assert_eq!(asked.len(), 29);
        assert!(asked.windows(2).all(|two| two[1].0 == two[0].0 + 2 && two[1].1 == two[0].1 + 1));
    }

    #[test]
    fn a_doubted_book_is_asked_for_at_once_and_one_question_is_under_way_at_a_time() {
        let mut refresh = Refresh::new(RefreshPace { every_ns: 600 * S, pause_ns: S }, 10);
        refresh.start(0);
        assert!(refresh.doubt(7) && refresh.doubt(7) && refresh.doubt(3));
        assert_eq!(refresh.next(5 * S, |_| true), Some(7));
        assert!(refresh.asked(7).unwrap().is_doubted && refresh.asked(3).is_none());
        assert_eq!(refresh.next(6 * S, |_| true), None);
        refresh.settled();
        assert_eq!(refresh.next(6 * S, |_| true), Some(3));
        assert_eq!(refresh.next(7 * S, |_| true), None, "nobody doubts the next one");
        // Its answer is lost; those in turn go on.
        let asked = turns(&mut refresh, 130, |_| true);
        assert_eq!(asked, [(60, 0), (120, 1)]);
    }

    #[test]
    fn an_answer_ahead_of_the_stream_waits_for_it_a_while() {
        let mut refresh = Refresh::new(RefreshPace::default(), 1);
        refresh.start(0);
        refresh.doubt(0);
        assert_eq!(refresh.next(0, |_| true), Some(0));
        assert!(!refresh.waits(S) && !refresh.waits(3 * S) && refresh.waits(4 * S));
    }

    #[test]
    fn books_of_the_stream_are_asked_for_rarely_and_the_rarer_where_checksums_tell() {
        let pace = RefreshPace { every_ns: 60 * S, pause_ns: S };
        let mut refresh = Refresh::new(pace.in_band(false), 3);
        refresh.start(0);
        assert_eq!(turns(&mut refresh, 400, |_| true), [(120, 0), (240, 1), (360, 2)]);
        assert_eq!(pace.in_band(true).every_ns, 1_440 * S);
        let mut many = Refresh::new(pace.in_band(false), 1_000);
        many.start(0);
        assert_eq!(turns(&mut many, 3_600, |_| true).len(), 119, "two a minute");
        assert!(Refresh::new(RefreshPace { every_ns: 0, pause_ns: S }.in_band(true), 9).is_off());
    }

    #[test]
    fn where_it_is_off_nothing_is_ever_asked_for() {
        let mut refresh = Refresh::new(RefreshPace { every_ns: 0, pause_ns: S }, 4);
        refresh.start(0);
        assert!(!refresh.doubt(2));
        assert_eq!(turns(&mut refresh, 1_000, |_| true), []);
    }
}
