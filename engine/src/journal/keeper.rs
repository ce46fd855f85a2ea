//! What may wait for a disk: makes the next segment, syncs, and ends what was used.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::health::{JournalFailure, JournalHealth};
use super::keeper_waker::KeeperWaker;
use super::segment_name::segment_path;
use super::writer::{Durability, JournalEnd, JournalOptions, JournalWriter, Prepared, SegmentPort};
use crate::runtime::{Agent, Clock, Closing};
use crate::world::{Files, FolderLock, SegmentFile};

/// Between two polls of a keeper that nobody wakes, ns.
const POLL_NS: u64 = 100_000_000;

/// The agent, on a thread beside the cores.
pub struct JournalKeeper {
    pub(super) files: Files,
    pub(super) folder: PathBuf,
    pub(super) options: JournalOptions,
    pub(super) port: Arc<SegmentPort>,
    pub(super) health: JournalHealth,
    pub(super) waker: KeeperWaker,
    pub(super) clock: Clock,
    /// Segments that may have records which are not synced, and those not used yet.
    pub(super) held: VecDeque<(u64, SegmentFile)>,
    pub(super) next_number: u64,
    pub(super) synced: u64,
    pub(super) next_poll_ns: u64,
    pub(super) closing: Closing<JournalKeeper>,
    pub(super) _lock: FolderLock,
}

impl JournalKeeper {
    /// Where it is left when its thread ends.
    #[must_use]
    pub fn closing(&self) -> Closing<JournalKeeper> {
        self.closing.clone()
    }

    /// What its thread is woken by.
    #[must_use]
    pub fn waker(&self) -> KeeperWaker {
        self.waker.clone()
    }

    /// How the journal is.
    #[must_use]
    pub fn health(&self) -> &JournalHealth {
        &self.health
    }

    /// Whether it syncs what is written.
    #[must_use]
    pub fn syncs(&self) -> bool {
        self.options.durability == Durability::FsyncBatch
    }

    /// Makes room for a record of any size: for who appends before the agent runs.
    ///
    /// # Errors
    /// Why there is none.
    pub fn make_room(&mut self, writer: &mut JournalWriter) -> Result<(), JournalFailure> {
        while writer.room() == 0 {
            if self.prepare() == 0 {
                return Err(self.health.failure().unwrap_or(JournalFailure::NoSegment));
            }
        }
        Ok(())
    }

    /// Ends the journal where its writer has: syncs it, gives the rest of the last segment back and
    /// removes the one that was not used.
    pub fn finish(&mut self, end: &JournalEnd) {
        self.health.request(end.segment, end.sequence);
        self.sync();
        drop((self.port.next.take(), self.port.used.take()));
        for (number, mut file) in self.held.drain(..) {
            let is_used = number <= end.segment && end.used_bytes > 0;
            let ended = if !is_used {
                self.files.remove(&segment_path(&self.folder, number))
            } else if number == end.segment {
                file.cut(end.used_bytes as u64)
            } else {
                Ok(())
            };
            if let Err(error) = ended {
                log::warn!("[journal] ending segment {number} failed: {error} (code: io)");
            }
        }
    }

    /// Has the disk take what is asked for. Never again once that failed.
    fn sync(&mut self) -> usize {
        let (segment, sequence) = self.health.requested();
        if self.health.failure() == Some(JournalFailure::Sync) || sequence <= self.synced {
            return 0;
        }
        for (number, file) in self.held.iter_mut().take_while(|(number, _)| *number <= segment) {
            if let Err(error) = file.sync() {
                let detail = format!("segment {number}: {error} (code: io)");
                self.health.fail(JournalFailure::Sync, &detail);
                return 0;
            }
        }
        self.synced = sequence;
        self.health.set_synced(sequence);
        self.let_go(segment);
        1
    }

    /// Segments before this one are on the disk, or nobody wants them there.
    fn let_go(&mut self, segment: u64) {
        while self.held.front().is_some_and(|(number, _)| *number < segment) {
            self.held.pop_front();
        }
    }

    fn prepare(&mut self) -> usize {
        if self.port.next.is_full() || self.health.failure().is_some() {
            return 0;
        }
        let number = self.next_number;
        let path = segment_path(&self.folder, number);
        match self.files.create_segment(&path, self.options.segment_bytes as u64, self.syncs()) {
            Ok((segment, file)) => {
                self.held.push_back((number, file));
                self.next_number += 1;
                let put = self.port.next.put(Box::new(Prepared { number, segment }));
                debug_assert!(put.is_ok(), "only the keeper fills it");
                1
            }
            Err(error) => {
                let path = path.display();
                let detail = format!("{path}: {error} (code: io)");
                self.health.fail(JournalFailure::NoSegment, &detail);
                0
            }
        }
    }
}

impl Agent for JournalKeeper {
    fn name(&self) -> &str {
        "journal"
    }

    fn duty_cycle(&mut self) -> usize {
        let now_ns = self.clock.now_ns();
        let work = match self.options.durability {
            Durability::FsyncBatch => self.sync(),
            Durability::Os => {
                self.let_go(self.health.segment());
                0
            }
        };
        drop(self.port.used.take());
        self.next_poll_ns = now_ns + POLL_NS;
        work + self.prepare()
    }

    fn next_timer_ns(&self) -> u64 {
        self.next_poll_ns
    }

    /// Whoever owns it ends it, once the writer has ended.
    fn is_done(&self) -> bool {
        false
    }

    fn on_close(self: Box<Self>) {
        let closing = self.closing.clone();
        closing.put(*self);
    }
}
