//! Keeps one book in step with its venue: buffer, snapshot, replay, live, gap, resync (LM-07).
//!
//! Promises: a book is `Live` only while every diff since its snapshot was applied without a hole;
//! nothing is applied to a book that isn't; the sequence rule is checked on every diff for the life
//! of the stream. A snapshot is wanted only once a diff of the present stream is buffered: before
//! that nothing proves that the subscription works, and a quiet symbol could look live without
//! being so. Does not request snapshots, read clocks or publish: its owner does.

use super::L2Book;
use super::buffer::DiffBuffer;
use super::check::{CheckBoard, CheckOutcome};
use super::sequence::{BookRule, Diff, Judged};
use crate::event::{BookStatus, BookStatusReason, Level, Side};

/// Diffs kept while a live book is held against a snapshot; beyond, the question is given up.
const CHECKED_DIFFS_MAX: usize = 64;

/// Limits of a [`BookSync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookSyncOptions {
    /// Levels a side of the book.
    pub levels_max: usize,
    /// Levels a side that the venue keeps up: those behind them fall out without a word. `None`
    /// where it tells every level that goes.
    pub depth: Option<usize>,
    /// Diffs kept while waiting for a snapshot.
    pub buffered_diffs_max: usize,
    /// Levels, of both sides, in all diffs kept. At least what one diff may have.
    pub buffered_levels_max: usize,
}

/// What a diff did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffOutcome {
    /// Applied: the book changed.
    Applied,
    /// Kept until the snapshot is there.
    Buffered,
    /// Of no use: the stream has not told the book yet.
    Early,
    /// Older than what was applied or kept; ignored.
    Old,
    /// A hole before it. The book is distrusted and the buffer restarts with this diff.
    Gap,
    /// The book crossed when it was applied. The book is distrusted and the buffer is empty.
    Crossed,
    /// The book is not the venue's, by its checksum. It is distrusted.
    Mismatch,
}

/// What a snapshot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// Joined with the diffs kept: the book is live.
    Joined,
    /// Newer than every diff kept: the book is live once the stream has reached it.
    Ahead,
    /// Older than the first diff kept: another one is needed.
    TooOld,
    /// The book crossed on the way: another one is needed.
    Crossed,
    /// The book is not the venue's, by its checksum: another one is needed.
    Mismatch,
    /// The book is in step already, or no diff is there to join; ignored.
    NotNeeded,
    /// Without any level, or of prices that are far from the last one: another one is needed.
    Implausible,
}

/// Counters of a [`BookSync`] since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookSyncCounters {
    /// Diffs applied.
    pub applied: u64,
    /// Diffs ignored because they were older than the book or the buffer.
    pub old: u64,
    /// Holes found.
    pub gaps: u64,
    /// Levels whose removal was asked for but which weren't there.
    pub missing_removals: u64,
    /// Times the book crossed.
    pub crossings: u64,
    /// Times the book was held against the venue's checksum.
    pub checksums: u64,
    /// Times the book was not the venue's, by its checksum.
    pub mismatches: u64,
    /// Times the buffer was full and started again.
    pub buffer_overflows: u64,
    /// First and last update of the first diff applied after the last snapshot; 0 when none was.
    pub first_applied: (u64, u64),
}

/// One book and its place in the venue's sequence.
#[derive(Clone, Debug)]
pub struct BookSync {
    rule: BookRule,
    depth: Option<usize>,
    book: L2Book,
    buffer: DiffBuffer,
    status: BookStatus,
    reason: BookStatusReason,
    /// Last update that is in the book; of meaning while it is not syncing.
    last_update_id: u64,
    /// Venue time of the last diff applied since the snapshot.
    last_applied_ns: Option<i64>,
    /// The book is a snapshot that the stream has not reached yet.
    is_ahead: bool,
    /// Where snapshots come in the stream: whether the next one has to be asked for. `None` where
    /// they come from elsewhere.
    is_missed: Option<bool>,
    /// The book is live and to be held against a snapshot: where it was when that was asked for.
    /// Diffs are kept since then.
    checked_from: Option<u64>,
    counters: BookSyncCounters,
}

impl BookSync {
    /// An empty book that waits for its first diff.
    #[must_use]
    pub fn new(rule: BookRule, options: &BookSyncOptions) -> BookSync {
        BookSync {
            rule,
            depth: options.depth,
            book: L2Book::new(options.levels_max),
            buffer: DiffBuffer::new(options.buffered_diffs_max, options.buffered_levels_max),
            status: BookStatus::Syncing,
            reason: BookStatusReason::Start,
            last_update_id: 0,
            last_applied_ns: None,
            is_ahead: false,
            is_missed: None,
            checked_from: None,
            counters: BookSyncCounters::default(),
        }
    }

    /// An empty book that the stream itself will tell.
    #[must_use]
    pub fn in_band(rule: BookRule, options: &BookSyncOptions) -> BookSync {
        let nothing_kept =
            BookSyncOptions { buffered_diffs_max: 0, buffered_levels_max: 0, ..*options };
        BookSync { is_missed: Some(false), ..BookSync::new(rule, &nothing_kept) }
    }

    /// Takes the next diff of the stream.
    #[inline]
    pub fn on_diff(&mut self, diff: &Diff<'_>) -> DiffOutcome {
        match self.status {
            BookStatus::Live | BookStatus::Stale => self.follow(diff),
            BookStatus::Syncing if self.is_ahead => self.follow(diff),
            BookStatus::Syncing if self.is_missed.is_some() => {
                self.is_missed = Some(true);
                DiffOutcome::Early
            }
            BookStatus::Syncing => self.keep(diff),
        }
    }

    /// Takes the next diff of one of two connections that both tell this book. `waits`: what the
    /// other one has yet to bring is left to it, and this diff is of no use without.
    #[cold]
    pub fn on_diff_beside(&mut self, diff: &Diff<'_>, waits: bool) -> DiffOutcome {
        if self.status == BookStatus::Syncing && !self.is_ahead {
            return if waits { DiffOutcome::Old } else { self.on_diff(diff) };
        }
        match self.rule.judge_beside(diff, self.last_update_id) {
            Judged::Follows => self.take_next(diff),
            Judged::Hole if !waits => self.restart(diff),
            Judged::Old | Judged::Hole => {
                self.counters.old += 1;
                DiffOutcome::Old
            }
        }
    }

    /// Takes the book as the stream tells it: whatever was known of it before is over.
    pub fn on_whole(
        &mut self,
        last_update_id: u64,
        bids: &[Level],
        asks: &[Level],
    ) -> SnapshotOutcome {
        self.book.load(bids, asks);
        self.end_check();
        self.last_update_id = last_update_id;
        self.last_applied_ns = None;
        self.is_ahead = false;
        self.is_missed = self.is_missed.map(|_| false);
        self.counters.first_applied = (0, 0);
        if self.book.crossed() {
            self.counters.crossings += 1;
            self.distrust(BookStatusReason::Crossed);
            return SnapshotOutcome::Crossed;
        }
        self.set(BookStatus::Live, BookStatusReason::Synced);
        SnapshotOutcome::Joined
    }

    /// The book was held against the venue's checksum; one that does not agree is distrusted.
    pub fn checked(&mut self, agrees: bool) {
        self.counters.checksums += 1;
        if !agrees {
            self.counters.mismatches += 1;
            self.distrust(BookStatusReason::Checksum);
        }
    }

    /// Takes a snapshot of the venue: its last update and its levels, best first.
    pub fn on_snapshot(
        &mut self,
        last_update_id: u64,
        bids: &[Level],
        asks: &[Level],
    ) -> SnapshotOutcome {
        if self.status != BookStatus::Syncing || self.is_ahead {
            return SnapshotOutcome::NotNeeded;
        }
        let Some(first_followed) = self.first_not_in(last_update_id) else {
            return SnapshotOutcome::NotNeeded;
        };
        if bids.is_empty() && asks.is_empty() {
            return SnapshotOutcome::Implausible;
        }
        let follows =
            |diff: Diff<'_>| self.rule.judge(&diff, last_update_id, true) == Judged::Follows;
        if !self.buffer.get(first_followed).is_none_or(follows) {
            return SnapshotOutcome::TooOld;
        }
        let newest = self.buffer.last().map_or(0, |diff| diff.final_update_id);
        self.book.load(bids, asks);
        self.last_update_id = last_update_id;
        self.last_applied_ns = None;
        self.counters.old += first_followed as u64;
        self.counters.first_applied = (0, 0);
        let buffer = std::mem::replace(&mut self.buffer, DiffBuffer::new(0, 0));
        for index in first_followed..buffer.len() {
            if let Some(diff) = buffer.get(index) {
                self.apply(&diff);
            }
        }
        self.buffer = buffer;
        self.buffer.clear();
        if self.book.crossed() {
            self.counters.crossings += 1;
            self.distrust(BookStatusReason::Crossed);
            return SnapshotOutcome::Crossed;
        }
        if last_update_id > newest {
            // A number that is absurd looks like this, too: only the stream can tell.
            self.is_ahead = true;
            return SnapshotOutcome::Ahead;
        }
        self.set(BookStatus::Live, BookStatusReason::Synced);
        SnapshotOutcome::Joined
    }

    /// The book can't be trusted any more: its levels go, and diffs are kept until a new snapshot
    /// joins.
    pub fn distrust(&mut self, reason: BookStatusReason) {
        self.book.clear();
        self.end_check();
        self.last_applied_ns = None;
        self.is_ahead = false;
        // A new connection tells every book by itself.
        self.is_missed = self.is_missed.map(|_| reason != BookStatusReason::Disconnected);
        self.set(BookStatus::Syncing, reason);
    }

    /// A snapshot is asked for to hold the book against: diffs are kept from now on. False, and
    /// nothing is kept, when the book is not live.
    pub fn begin_check(&mut self) -> bool {
        if self.status != BookStatus::Live {
            return false;
        }
        self.end_check();
        self.checked_from = Some(self.last_update_id);
        true
    }

    /// Holds the book against the snapshot that was asked for: its last update and its levels, best
    /// first. `is_last` compares even where the stream has not come to where the snapshot is.
    pub fn check(
        &self,
        board: &mut CheckBoard,
        (last_update_id, bids, asks): (u64, &[Level], &[Level]),
        is_last: bool,
    ) -> CheckOutcome {
        let Some(from) = self.checked_from.filter(|_| self.status == BookStatus::Live) else {
            return CheckOutcome::Unclear;
        };
        if last_update_id < from {
            return CheckOutcome::Unclear;
        }
        if last_update_id > self.last_update_id && !is_last {
            return CheckOutcome::Ahead;
        }
        if last_update_id > self.last_update_id && !self.buffer.is_empty() {
            // The stream is on its way there: what it has brought is older than the snapshot.
            return CheckOutcome::Unclear;
        }
        board.compare(&self.book, (last_update_id, bids, asks), &self.buffer)
    }

    /// Holds a live book against what the stream tells whole in its place: its last update and its
    /// levels, best first. Where that is of a later update, what changed in between was told to
    /// nobody: then only a book that differs in most levels is known to be wrong.
    pub fn check_whole(
        &self,
        board: &mut CheckBoard,
        venues: (u64, &[Level], &[Level]),
    ) -> CheckOutcome {
        if self.status != BookStatus::Live {
            return CheckOutcome::Unclear;
        }
        let outcome = board.compare(&self.book, venues, &self.buffer);
        let is_of_one_update = venues.0 == self.last_update_id;
        match outcome {
            CheckOutcome::Differs(_) if !is_of_one_update && board.is_mostly(&self.book) => {
                CheckOutcome::Agrees
            }
            outcome => outcome,
        }
    }

    /// No snapshot will come, or it was used.
    pub fn end_check(&mut self) {
        self.buffer.clear();
        self.checked_from = None;
    }

    /// Nothing was heard for too long: a live book is stale until the next diff follows it. Says
    /// whether that changed anything.
    pub fn silent(&mut self) -> bool {
        if self.status != BookStatus::Live {
            return false;
        }
        self.set(BookStatus::Stale, BookStatusReason::Silent);
        true
    }

    /// The book. Of meaning while the status is not `Syncing`.
    #[inline]
    #[must_use]
    pub fn book(&self) -> &L2Book {
        &self.book
    }

    /// How its changes follow each other.
    #[must_use]
    pub fn rule(&self) -> BookRule {
        self.rule
    }

    /// Whether the book can be trusted.
    #[inline]
    #[must_use]
    pub fn status(&self) -> BookStatus {
        self.status
    }

    /// Why the status is what it is.
    #[inline]
    #[must_use]
    pub fn reason(&self) -> BookStatusReason {
        self.reason
    }

    /// Whether a snapshot has to be asked for: the book isn't in step and a diff is there to join,
    /// or the stream went on without it.
    #[inline]
    #[must_use]
    pub fn wants_snapshot(&self) -> bool {
        let is_missed = self.is_missed.unwrap_or(!self.buffer.is_empty());
        self.status == BookStatus::Syncing && is_missed
    }

    /// Last update that is in the book; of meaning while the status is not `Syncing`.
    #[inline]
    #[must_use]
    pub fn last_update_id(&self) -> u64 {
        self.last_update_id
    }

    /// Venue time of the last diff applied, ns since the Unix epoch; 0 when none was since the
    /// snapshot.
    #[inline]
    #[must_use]
    pub fn last_applied_ns(&self) -> i64 {
        self.last_applied_ns.unwrap_or(0)
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> BookSyncCounters {
        self.counters
    }

    fn set(&mut self, status: BookStatus, reason: BookStatusReason) {
        self.status = status;
        self.reason = reason;
    }

    /// A diff of a book in step.
    #[inline]
    fn follow(&mut self, diff: &Diff<'_>) -> DiffOutcome {
        match self.rule.judge(diff, self.last_update_id, self.last_applied_ns.is_none()) {
            Judged::Follows => self.take_next(diff),
            Judged::Old if self.is_ahead && diff.final_update_id == self.last_update_id => {
                self.counters.old += 1;
                self.reached();
                DiffOutcome::Applied
            }
            Judged::Old if !self.numbering_fell_back(diff) => {
                self.counters.old += 1;
                DiffOutcome::Old
            }
            Judged::Old | Judged::Hole => self.restart(diff),
        }
    }

    /// The diff that follows.
    #[inline]
    fn take_next(&mut self, diff: &Diff<'_>) -> DiffOutcome {
        self.apply(diff);
        if self.checked_from.is_some() {
            self.keep_for_check(diff);
        }
        if self.book.crossed() {
            self.counters.crossings += 1;
            self.distrust(BookStatusReason::Crossed);
            return DiffOutcome::Crossed;
        }
        if self.status != BookStatus::Live {
            self.reached();
        }
        DiffOutcome::Applied
    }

    #[cold]
    fn keep_for_check(&mut self, diff: &Diff<'_>) {
        if self.buffer.len() == CHECKED_DIFFS_MAX || !self.buffer.push(diff) {
            self.end_check();
        }
    }

    /// The stream has come to where the book is.
    #[cold]
    fn reached(&mut self) {
        self.is_ahead = false;
        self.set(BookStatus::Live, BookStatusReason::Synced);
    }

    /// A diff of a book that waits for its snapshot.
    fn keep(&mut self, diff: &Diff<'_>) -> DiffOutcome {
        if let Some(last) = self.buffer.last() {
            match self.rule.judge(diff, last.final_update_id, false) {
                Judged::Follows => {}
                Judged::Old if diff.venue_time_ns <= last.venue_time_ns => {
                    self.counters.old += 1;
                    return DiffOutcome::Old;
                }
                Judged::Old | Judged::Hole => return self.restart(diff),
            }
        }
        if !self.buffer.push(diff) {
            // No hole in the venue's sequence, but one in ours: only a newer snapshot can join.
            self.counters.buffer_overflows += 1;
            self.buffer.clear();
            let _fits = self.buffer.push(diff);
        }
        DiffOutcome::Buffered
    }

    /// A hole before `diff`, or the book is where the stream never comes to: start again with
    /// `diff` as the first one kept.
    #[cold]
    pub fn restart(&mut self, diff: &Diff<'_>) -> DiffOutcome {
        self.counters.gaps += 1;
        self.distrust(BookStatusReason::Gap);
        let _fits = self.buffer.push(diff);
        DiffOutcome::Gap
    }

    /// A repeat carries its old time. An old number with a *newer* time is a venue that numbers
    /// anew (F18): taken for a repeat, every later diff would be ignored for ever.
    fn numbering_fell_back(&self, diff: &Diff<'_>) -> bool {
        self.last_applied_ns.is_some_and(|last_ns| diff.venue_time_ns > last_ns)
    }

    #[inline]
    fn apply(&mut self, diff: &Diff<'_>) {
        for (side, levels) in [(Side::Buy, diff.bids), (Side::Sell, diff.asks)] {
            for level in levels {
                let applied = self.book.apply(side, level.price, level.qty);
                self.counters.missing_removals += u64::from(applied == super::Applied::Missing);
            }
        }
        if let Some(depth) = self.depth {
            // Not before the whole change is in: a level that one part of it pushes out may be
            // back in by another.
            self.book.truncate(depth);
        }
        if self.last_applied_ns.is_none() {
            self.counters.first_applied = (diff.first_update_id, diff.final_update_id);
        }
        self.counters.applied += 1;
        self.last_update_id = diff.final_update_id;
        self.last_applied_ns = Some(diff.venue_time_ns);
    }

    /// Index of the first diff kept that a snapshot at `last_update_id` doesn't hold yet (the
    /// number of diffs when it holds all); `None` when no diff is kept.
    fn first_not_in(&self, last_update_id: u64) -> Option<usize> {
        if self.buffer.is_empty() {
            return None;
        }
        let is_old = |index: &usize| {
            let judged =
                |diff: Diff<'_>| self.rule.judge(&diff, last_update_id, true) == Judged::Old;
            self.buffer.get(*index).is_some_and(judged)
        };
        Some((0..self.buffer.len()).take_while(is_old).count())
    }
}

#[cfg(test)]
mod tests;
