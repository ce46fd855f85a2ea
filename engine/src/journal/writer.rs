//! The writing end: one thread appends, and never waits for a disk.

use std::sync::Arc;

use pitlane_ring::Exchange;
use zerocopy::IntoBytes;

use super::format::{
    PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX, RecordBuffer, RecordKind, SEGMENT_HEADER_BYTES,
    SegmentHeader,
};
use super::health::{JournalFailure, JournalHealth};
use super::keeper_waker::KeeperWaker;
use super::payload::Body;
use crate::world::Segment;

/// When a record is safe enough to be acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// In the system's memory: it outlives the process, not the end of the machine.
    #[default]
    Os,
    /// On the disk: it outlives the loss of power. Records are synced in batches.
    FsyncBatch,
}

/// How a journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// When a record may be acted on.
    pub durability: Durability,
    /// Bytes of a segment, all of them allocated before it is used; at least 16 KiB.
    pub segment_bytes: usize,
}

impl Default for JournalOptions {
    /// `os`, 4 MiB.
    fn default() -> JournalOptions {
        JournalOptions { durability: Durability::Os, segment_bytes: 4 << 20 }
    }
}

/// A segment that is allocated and mapped, and not used yet.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) number: u64,
    pub(super) segment: Segment,
}

/// Between the writer and its keeper.
#[derive(Debug, Default)]
pub(super) struct SegmentPort {
    pub(super) next: Exchange<Prepared>,
    pub(super) used: Exchange<Prepared>,
}

/// Where a writer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalEnd {
    pub(super) segment: u64,
    pub(super) used_bytes: usize,
    pub(super) sequence: u64,
}

/// Appends records.
#[derive(Debug)]
pub struct JournalWriter {
    segment: Box<Prepared>,
    used_bytes: usize,
    segment_bytes: usize,
    epoch: u64,
    /// Of the last record.
    sequence: u64,
    /// When the last record was appended, and no later one will be before: wall time, ns.
    time_ns: i64,
    begun: u64,
    /// The next segment, once the keeper has made it.
    next: Option<Box<Prepared>>,
    /// A full one that the keeper could not take yet.
    full: Option<Box<Prepared>>,
    port: Arc<SegmentPort>,
    health: JournalHealth,
    durability: Durability,
    waker: KeeperWaker,
    buffer: Box<RecordBuffer>,
}

impl std::fmt::Debug for RecordBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordBuffer")
    }
}

impl JournalWriter {
    pub(super) fn new(
        (segment, epoch): (Prepared, u64),
        (last_sequence, last_time_ns): (u64, i64),
        options: JournalOptions,
        port: Arc<SegmentPort>,
        health: JournalHealth,
        waker: KeeperWaker,
    ) -> JournalWriter {
        JournalWriter {
            segment: Box::new(segment),
            used_bytes: 0,
            segment_bytes: options.segment_bytes,
            epoch,
            sequence: last_sequence,
            time_ns: last_time_ns,
            begun: last_sequence,
            next: None,
            full: None,
            port,
            health,
            durability: options.durability,
            waker,
            buffer: Box::new(RecordBuffer::new()),
        }
    }

    /// How the journal is.
    #[must_use]
    pub fn health(&self) -> &JournalHealth {
        &self.health
    }

    /// Number of this start of the engine in this folder.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Sequence of the last record; 0 for none.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Bytes of the present segment that are written; 0 before its first record.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// When a record may be acted on.
    #[inline]
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Records of any size for which there is room now. Where it is 0 the keeper is at work: what
    /// is to be recorded has to wait.
    #[inline]
    pub fn room(&mut self) -> usize {
        let left = (self.segment_bytes - self.used_bytes) / RECORD_BYTES_MAX;
        if left > 0 {
            return left;
        }
        if self.next.is_none() {
            self.next = self.port.next.take();
        }
        let fits = (self.segment_bytes - SEGMENT_HEADER_BYTES) / RECORD_BYTES_MAX;
        if self.next.is_some() { fits } else { 0 }
    }

    /// Appends a record; its sequence. No record's time is before that of the one before it: where
    /// the clock of the machine was set back, it stays until that has caught up.
    ///
    /// # Errors
    /// Why it is not on record; nothing will be any more.
    #[inline]
    pub fn append<B: Body>(&mut self, time_ns: i64, body: &B) -> Result<u64, JournalFailure> {
        self.append_bytes(time_ns, (B::KIND, B::VERSION), body.as_bytes())
    }

    /// Appends a record of bytes, of which those beyond [`PAYLOAD_BYTES_MAX`] are left out.
    ///
    /// # Errors
    /// As [`JournalWriter::append`].
    pub fn append_bytes(
        &mut self,
        time_ns: i64,
        kind: (RecordKind, u8),
        payload: &[u8],
    ) -> Result<u64, JournalFailure> {
        if let Some(failure) = self.health.failure() {
            return Err(failure);
        }
        let time_ns = time_ns.max(self.time_ns);
        self.time_ns = time_ns;
        let payload = &payload[..payload.len().min(PAYLOAD_BYTES_MAX)];
        let needed = RECORD_BYTES_MAX - PAYLOAD_BYTES_MAX + payload.len().next_multiple_of(8);
        if self.used_bytes == 0 {
            self.begin(time_ns)?;
        } else if self.used_bytes + needed > self.segment_bytes {
            self.roll(time_ns)?;
        }
        let Self { buffer, segment, used_bytes, sequence, .. } = self;
        let Some(record) = buffer.fill(*sequence + 1, time_ns, kind, payload) else {
            return Err(JournalFailure::Write);
        };
        if let Err(error) = segment.segment.write_at(*used_bytes, record) {
            self.health.fail(JournalFailure::Write, &error.to_string());
            return Err(JournalFailure::Write);
        }
        *used_bytes += record.len();
        *sequence += 1;
        self.health.appended(self.sequence - self.begun);
        Ok(self.sequence)
    }

    /// Asks the keeper to have all that was appended on the disk. [`JournalHealth::synced`] says
    /// how far that is.
    pub fn request_sync(&mut self) {
        self.health.request(self.segment.number, self.sequence);
        self.waker.wake();
    }

    /// Gives it up.
    #[must_use]
    pub fn end(self) -> JournalEnd {
        let JournalWriter { segment, used_bytes, sequence, .. } = self;
        JournalEnd { segment: segment.number, used_bytes, sequence }
    }

    /// Writes the segment's header.
    #[cold]
    fn begin(&mut self, time_ns: i64) -> Result<(), JournalFailure> {
        let number = self.segment.number;
        let header = SegmentHeader::new(self.epoch, number, self.sequence + 1, time_ns);
        if let Err(error) = self.segment.segment.write_at(0, header.as_bytes()) {
            self.health.fail(JournalFailure::Write, &error.to_string());
            return Err(JournalFailure::Write);
        }
        self.used_bytes = SEGMENT_HEADER_BYTES;
        self.health.begun(number);
        Ok(())
    }

    /// Goes on in the next segment.
    #[cold]
    fn roll(&mut self, time_ns: i64) -> Result<(), JournalFailure> {
        let Some(next) = self.next.take().or_else(|| self.port.next.take()) else {
            self.health.fail(JournalFailure::NoSegment, "it was not made in time");
            return Err(JournalFailure::NoSegment);
        };
        let full = std::mem::replace(&mut self.segment, next);
        // The keeper unmaps it, since that takes a while. Only one that the keeper has not taken
        // before the next but one is full would be unmapped here.
        self.full = self.full.take().and_then(|left| self.port.used.put(left).err());
        if self.full.is_none() {
            self.full = self.port.used.put(full).err();
        }
        self.waker.wake();
        self.begin(time_ns)
    }
}
