//! The recording end: what enters becomes entries.

use std::io;
use std::path::Path;

use super::entry::{Kept, Tag, put_error};
use super::note::CallNote;
use super::pen::{Pen, TapeDrain, TapeState};
use super::places::Places;
use super::sums::{Sums, hash_of};

/// Notes what enters. Nothing here waits or, once each consumer and place is known, allocates.
pub struct Writer {
    pub(super) pen: Pen,
    last_ns: u64,
    sums: Sums,
    pub(super) places: Places,
}

impl Writer {
    /// One that writes with `pen`.
    #[must_use]
    pub fn new(pen: Pen) -> Writer {
        Writer { pen, last_ns: 0, sums: Sums::roomy(), places: Places::default() }
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> TapeState {
        self.pen.state()
    }

    /// What has left so far.
    #[must_use]
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Notes what the run is; the first entry.
    pub fn head(&mut self, text: &str) {
        self.tag(Tag::Head);
        self.pen.counted(text.as_bytes());
    }

    /// Notes the sums, and leaves the last block.
    pub fn end(&mut self) {
        self.tag(Tag::End);
        self.sums.put(&mut self.pen);
        self.flush();
    }

    /// From here on nothing waits for the disk: what is noted goes through a ring of `slots` blocks
    /// of 4 KiB, a power of two. What takes it to the disk; `None` where there is a ring already.
    #[must_use]
    pub fn through_ring(&mut self, slots: usize) -> Option<TapeDrain> {
        self.pen.through_ring(slots)
    }

    /// Leaves what is noted, so that it is on the disk although little happens.
    pub fn flush(&mut self) {
        self.pen.flush();
    }

    /// Notes a whole file that the engine reads before its agents run; behind the head.
    pub fn file(&mut self, path: &Path, bytes: &[u8]) {
        self.tag(Tag::File);
        self.pen.counted(path.as_os_str().as_encoded_bytes());
        self.pen.counted(bytes);
    }

    #[inline]
    pub(super) fn tag(&mut self, tag: Tag) {
        self.pen.byte(tag as u8);
    }

    #[inline]
    pub(super) fn clock(&mut self, now_ns: u64) {
        self.tag(Tag::Clock);
        self.pen.number(now_ns.wrapping_sub(self.last_ns));
        self.last_ns = now_ns;
    }

    #[inline]
    pub(super) fn cycle(&mut self, agent: usize) {
        self.tag(Tag::Cycle);
        self.pen.number(agent as u64);
    }

    #[inline]
    pub(super) fn call(&mut self, note: &CallNote<'_>) {
        self.sums.called(note.consumer, note.hash);
        self.tag(Tag::Call);
        self.pen.number(u64::from(note.consumer));
        self.pen.bytes(&(note.hash as u32).to_le_bytes());
    }

    #[inline]
    pub(super) fn read(&mut self, connection: usize, read: &io::Result<usize>, into: &[u8]) {
        self.tag(Tag::Read);
        self.pen.number(connection as u64);
        match read {
            Ok(count) => {
                self.pen.byte(0);
                self.pen.counted(&into[..*count]);
            }
            Err(error) => put_error(error, &mut self.pen),
        }
    }

    #[inline]
    pub(super) fn wrote(&mut self, connection: usize, taken: &io::Result<usize>, of: &[u8]) {
        self.tag(Tag::Write);
        self.pen.number(connection as u64);
        match taken {
            Ok(count) => {
                let hash = hash_of(&of[..*count]);
                let session = self.places.session(connection, of, &mut self.sums);
                self.sums.wrote(session, *count as u64, hash);
                self.pen.byte(0);
                self.pen.number(*count as u64);
                self.pen.number((of.len() - *count) as u64);
                self.pen.bytes(&(hash as u32).to_le_bytes());
            }
            Err(error) => put_error(error, &mut self.pen),
        }
    }
}
