//! What was read of a folder of segments.

use std::path::PathBuf;

use super::checkpoint_file::CheckpointFacts;
use super::format::SegmentHeader;
use super::reader::StopReason;
use super::stops::Stop;

/// Segments behind a torn one that a writer may have used before the torn one was on the disk: one
/// is made ready while another is written, and the thread that makes them is the one that syncs.
const UNSYNCED_MAX: usize = 2;

/// What is known of one segment.
#[derive(Clone, Debug)]
pub struct SegmentFacts {
    /// Number in its name.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: usize,
    /// Bytes of it up to the end of the last whole record.
    pub used_bytes: usize,
    /// Its header; `None` where it has none that can be read.
    pub header: Option<SegmentHeader>,
    /// Whole records in it.
    pub records: u64,
    /// Wall time of its first and last record, ns since the Unix epoch.
    pub times_ns: Option<(i64, i64)>,
    /// Why there are no more.
    pub stop: StopReason,
    /// A later start of the engine has found it so, and gone on behind its last whole record.
    pub is_healed: bool,
}

/// What was read of a folder.
#[derive(Clone, Debug, Default)]
pub struct FolderRead {
    /// The segments, in order.
    pub segments: Vec<SegmentFacts>,
    /// Records that were given.
    pub records: u64,
    /// Sequence of the last of them; 0 for none.
    pub last_sequence: u64,
    /// When the last of them was appended: wall time, ns since the Unix epoch; 0 for none.
    pub last_time_ns: i64,
    /// The last start of an engine that is on record; 0 for none.
    pub last_epoch: u64,
    /// Number in the name of the last file; 0 for none.
    pub last_number: u64,
    /// Where the valid prefix ends, if not in order.
    pub stop: Option<Stop>,
    /// Segments behind that, which were not read.
    pub unread: usize,
    /// Whole records behind that in its own segment: what stands there has rotted, or the power was
    /// lost before the disk had it.
    pub records_behind: u64,
    /// The checkpoint behind which it was read.
    pub base: Option<CheckpointFacts>,
}

impl FolderRead {
    /// Up to this segment a checkpoint stands for all; where there is none, the first one.
    pub(crate) fn begin(&self) -> u64 {
        let first = self.segments.first().map(|facts| facts.number);
        self.base.map(|base| base.number).or(first).unwrap_or(1)
    }

    /// Whether nothing is lost but what a crash may have torn: the last record of the last segment.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.stop.is_none() || self.unread == 0
    }

    /// Whether what lies behind the end may be what one start had not synced when the power was
    /// lost: a disk may have written a later segment before an earlier one.
    #[must_use]
    pub fn may_have_lost_power(&self) -> bool {
        let torn = self.segments.iter().position(|of| self.is_torn(of));
        let Some((torn, behind)) = torn.and_then(|at| self.segments[at..].split_first()) else {
            return false;
        };
        let is_of_its_start = |of: &SegmentFacts| match (torn.header, of.header) {
            (Some(torn), Some(of)) => torn.epoch == of.epoch,
            _ => true,
        };
        self.unread <= UNSYNCED_MAX && behind.iter().all(is_of_its_start)
    }

    /// Number of the segment that is to be read next.
    pub(super) fn next_number(&self) -> u64 {
        // That of a checkpoint is the first which is read behind it.
        let is_behind_one = self.segments.is_empty() && self.base.is_some();
        if is_behind_one { self.last_number } else { self.last_number + 1 }
    }

    /// Whether the valid prefix ends before a segment of a later start. Each start has the disk
    /// take what the one before has left and goes on behind it: no loss of power leaves that.
    pub(super) fn ends_before_a_later_start(&self) -> bool {
        let torn = self.segments.iter().find(|of| self.is_torn(of)).and_then(|of| of.header);
        torn.is_some_and(|header| header.epoch > self.last_epoch && self.last_epoch > 0)
    }

    pub(super) fn is_torn(&self, segment: &SegmentFacts) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.path == segment.path)
    }
}

impl FolderRead {
    /// Nothing but a checkpoint was read.
    pub(crate) fn behind(base: Option<CheckpointFacts>) -> FolderRead {
        let facts = base.unwrap_or_default();
        FolderRead {
            last_sequence: facts.last_sequence,
            last_time_ns: facts.written_ns,
            last_epoch: facts.last_epoch,
            // Its segment may be lost. Another one under that number would disown the checkpoint.
            last_number: facts.number,
            base,
            ..FolderRead::default()
        }
    }

    /// A segment was read to its end, behind which so many whole records lie.
    pub(super) fn end(&mut self, facts: SegmentFacts, behind: u64) {
        if self.stop.is_some() {
            self.unread += usize::from(facts.stop != StopReason::Unused);
        } else if !facts.stop.is_clean() {
            self.records_behind = behind;
            self.stop = Some(Stop {
                path: facts.path.clone(),
                offset: facts.used_bytes,
                last_sequence: self.last_sequence,
                reason: facts.stop,
            });
        }
        self.segments.push(facts);
    }

    /// Whether a segment's records are the next ones. A start of the engine goes on behind what a
    /// crash has torn; so the tear is healed.
    pub(super) fn goes_on_with(&mut self, header: &SegmentHeader) -> bool {
        let has_more_before = self.records > 0 || self.base.is_some() || self.stop.is_some();
        if has_more_before && header.first_sequence != self.last_sequence + 1 {
            return false;
        }
        if self.stop.is_some() {
            if self.unread > 0 || header.epoch <= self.last_epoch {
                return false;
            }
            (self.stop, self.records_behind) = (None, 0);
            if let Some(torn) = self.segments.iter_mut().rev().find(|of| !of.stop.is_clean()) {
                torn.is_healed = true;
            }
        }
        true
    }
}
