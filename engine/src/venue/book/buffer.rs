//! Diffs kept while a book waits for its snapshot: bounded, preallocated, flat.

use super::sequence::Diff;
use crate::event::Level;

/// Diffs in the order of arrival. The levels of all of them lie in one vector.
#[derive(Clone, Debug)]
pub(super) struct DiffBuffer {
    diffs: Vec<Kept>,
    levels: Vec<Level>,
    diffs_max: usize,
    levels_max: usize,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    first_update_id: u64,
    final_update_id: u64,
    previous_update_id: u64,
    venue_time_ns: i64,
    bids_at: usize,
    asks_at: usize,
    end: usize,
}

impl DiffBuffer {
    pub(super) fn new(diffs_max: usize, levels_max: usize) -> DiffBuffer {
        DiffBuffer {
            diffs: Vec::with_capacity(diffs_max),
            levels: Vec::with_capacity(levels_max),
            diffs_max,
            levels_max,
        }
    }

    /// Keeps a copy of `diff`; `false` when it doesn't fit any more.
    pub(super) fn push(&mut self, diff: &Diff<'_>) -> bool {
        let levels = self.levels.len() + diff.bids.len() + diff.asks.len();
        if self.diffs.len() == self.diffs_max || levels > self.levels_max {
            return false;
        }
        let bids_at = self.levels.len();
        self.levels.extend_from_slice(diff.bids);
        let asks_at = self.levels.len();
        self.levels.extend_from_slice(diff.asks);
        self.diffs.push(Kept {
            first_update_id: diff.first_update_id,
            final_update_id: diff.final_update_id,
            previous_update_id: diff.previous_update_id,
            venue_time_ns: diff.venue_time_ns,
            bids_at,
            asks_at,
            end: self.levels.len(),
        });
        true
    }

    pub(super) fn get(&self, index: usize) -> Option<Diff<'_>> {
        let kept = self.diffs.get(index)?;
        Some(Diff {
            first_update_id: kept.first_update_id,
            final_update_id: kept.final_update_id,
            previous_update_id: kept.previous_update_id,
            // Of a book that is not there.
            checksum: None,
            venue_time_ns: kept.venue_time_ns,
            bids: &self.levels[kept.bids_at..kept.asks_at],
            asks: &self.levels[kept.asks_at..kept.end],
        })
    }

    pub(super) fn last(&self) -> Option<Diff<'_>> {
        self.get(self.diffs.len().checked_sub(1)?)
    }

    pub(super) fn len(&self) -> usize {
        self.diffs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.diffs.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.diffs.clear();
        self.levels.clear();
    }
}
