//! The keeper of a run's journal, from its start to what it leaves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::journal::{Durability, JournalHealth, JournalKeeper};
use crate::order::GatewayJournal;
use crate::report::JournalReport;
use crate::runtime::{Beside, BesideThread, BesideWaker, Clock, Closing, Placement, Role};
use crate::world::wait_until;

/// The keeper before it runs.
pub(super) struct JournalParts {
    pub(super) keeper: JournalKeeper,
    pub(super) folder: PathBuf,
    pub(super) durability: Durability,
}

/// The keeper's thread.
pub(super) struct JournalThread {
    thread: BesideThread,
    closing: Closing<JournalKeeper>,
    folder: PathBuf,
    health: JournalHealth,
}

/// Where a keeper of a simulated world is left.
pub(super) struct JournalClosing {
    closing: Closing<JournalKeeper>,
    folder: PathBuf,
    health: JournalHealth,
}

/// A journal whose threads have ended.
pub(super) struct JournalLeft {
    /// `None` when a disk holds its thread up.
    pub(super) keeper: Option<JournalKeeper>,
    pub(super) folder: PathBuf,
    pub(super) health: JournalHealth,
}

impl JournalParts {
    /// The keeper for a world without threads, where `waker` ends its sleep.
    pub(super) fn in_world(self, waker: BesideWaker) -> (Placement, JournalClosing) {
        let JournalParts { keeper, folder, .. } = self;
        keeper.waker().set(waker);
        let (closing, health) = (keeper.closing(), keeper.health().clone());
        let placement = Placement::new(Role::Peer, Box::new(keeper));
        (placement, JournalClosing { closing, folder, health })
    }
}

impl JournalClosing {
    /// To be called when all agents are closed.
    pub(super) fn left(self) -> JournalLeft {
        JournalLeft { keeper: self.closing.take(), folder: self.folder, health: self.health }
    }
}

impl JournalThread {
    pub(super) fn start(parts: JournalParts, clock: Clock) -> std::io::Result<JournalThread> {
        let JournalParts { keeper, folder, .. } = parts;
        let (closing, health) = (keeper.closing(), keeper.health().clone());
        // Orders may wait for it.
        let place = Beside::without_sockets()?.urgent();
        keeper.waker().set(place.waker());
        let thread = place.start("journal", Box::new(keeper), clock)?;
        Ok(JournalThread { thread, closing, folder, health })
    }

    /// Ends the thread; left behind when a disk holds it up for longer than `deadline`.
    pub(super) fn stop(self, deadline: Duration) -> JournalLeft {
        self.thread.ask_to_stop();
        let is_finished = wait_until(deadline, || self.thread.is_finished());
        let is_joined = is_finished && self.thread.join().is_ok();
        let keeper = if is_joined { self.closing.take() } else { None };
        JournalLeft { keeper, folder: self.folder, health: self.health }
    }
}

impl JournalLeft {
    /// Writes the end of it, and says what it holds.
    pub(super) fn finish(self, gateway: Option<GatewayJournal>, left: u64) -> JournalReport {
        let JournalLeft { keeper, folder, health } = self;
        let (Some(gateway), Some(mut keeper)) = (gateway, keeper) else {
            return report(&folder, &health);
        };
        let end = gateway.end(left);
        keeper.finish(&end);
        report(&folder, &health)
    }
}

fn report(folder: &Path, health: &JournalHealth) -> JournalReport {
    JournalReport {
        path: Some(folder.display().to_string()),
        records: health.records(),
        missed: health.missed(),
        failure: health.failure(),
        ..JournalReport::default()
    }
}
