//! How the journal is, as every thread sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde::Serialize;

/// Why a journal takes no more records. It is never tried again: what a disk did with a write that
/// failed is not known, nor what it did with those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum JournalFailure {
    /// The next segment could not be made.
    NoSegment = 1,
    /// A record could not be written.
    Write = 2,
    /// What was written could not be synced.
    Sync = 3,
    /// A word on an order found no place on its way here.
    Overrun = 4,
}

impl JournalFailure {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            JournalFailure::NoSegment => "its next segment could not be made: is the disk full?",
            JournalFailure::Write => "a record could not be written",
            JournalFailure::Sync => "what was written could not be synced to the disk",
            JournalFailure::Overrun => "words on orders came faster than they could be recorded",
        }
    }
}

/// Whether the journal is well, and how far it is. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct JournalHealth(Arc<State>);

#[derive(Debug, Default)]
struct State {
    failure: AtomicU8,
    records: AtomicU64,
    segment: AtomicU64,
    /// The last segment with a record of the next two.
    requested_segment: AtomicU64,
    /// Up to this sequence the disk is asked to have it.
    requested: AtomicU64,
    synced: AtomicU64,
    missed: AtomicU64,
}

impl JournalHealth {
    /// Fails, for good. The first call says so in the log.
    #[cold]
    pub fn fail(&self, failure: JournalFailure, detail: &str) {
        let code = failure as u8;
        let first =
            self.0.failure.compare_exchange(0, code, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if first {
            let words = failure.words();
            log::error!(
                "[journal] TRADING HALTED: {words}: {detail}. No new orders are sent; \
                 cancels are, and market data goes on. Mend the disk, and start again"
            );
        }
    }

    /// Why it takes nothing more; `None` as long as it does.
    #[inline]
    #[must_use]
    pub fn failure(&self) -> Option<JournalFailure> {
        Some(match self.0.failure.load(Ordering::Acquire) {
            0 => return None,
            1 => JournalFailure::NoSegment,
            2 => JournalFailure::Write,
            3 => JournalFailure::Sync,
            _ => JournalFailure::Overrun,
        })
    }

    /// Records that were appended.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// Words that were not recorded.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0.missed.load(Ordering::Acquire)
    }

    /// Counts a word that was not recorded.
    #[cold]
    pub fn miss(&self) {
        self.0.missed.fetch_add(1, Ordering::AcqRel);
        self.fail(JournalFailure::Overrun, "their lane was full");
    }

    /// A segment was begun: those before it are full.
    pub(super) fn begun(&self, segment: u64) {
        self.0.segment.store(segment, Ordering::Release);
    }

    /// The segment that is written to.
    pub(crate) fn segment(&self) -> u64 {
        self.0.segment.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn appended(&self, records: u64) {
        self.0.records.store(records, Ordering::Relaxed);
    }

    /// Asks for a sync up to `sequence`, which is in `segment`.
    pub(super) fn request(&self, segment: u64, sequence: u64) {
        self.0.requested_segment.store(segment, Ordering::Relaxed);
        self.0.requested.store(sequence, Ordering::Release);
    }

    /// What is asked for: segment and sequence.
    pub(super) fn requested(&self) -> (u64, u64) {
        let sequence = self.0.requested.load(Ordering::Acquire);
        (self.0.requested_segment.load(Ordering::Relaxed), sequence)
    }

    pub(crate) fn set_synced(&self, sequence: u64) {
        self.0.synced.store(sequence, Ordering::Release);
    }

    /// Up to this sequence records outlast the end of the machine.
    #[inline]
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.0.synced.load(Ordering::Acquire)
    }
}
