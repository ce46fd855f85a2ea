//! Operators' commands on their way to the journal: from the thread of the control socket to the
//! one that appends.

use pitlane_ring::{Publisher, Record};

use super::health::JournalHealth;
use super::payload::ControlCommand;

/// The desk's way to the journal. A command that finds no room is counted, and the journal has
/// failed then.
pub(crate) struct ControlRecord {
    lane: Publisher<ControlCommand>,
    health: JournalHealth,
}

impl ControlRecord {
    /// Over the lane to whoever appends.
    pub(crate) fn new(lane: Publisher<ControlCommand>, health: JournalHealth) -> ControlRecord {
        ControlRecord { lane, health }
    }

    /// Hands a command on.
    pub(crate) fn take(&mut self, text: &str, is_refused: bool) {
        if self.lane.try_publish(&ControlCommand::new(text, is_refused)).is_err() {
            self.health.miss();
        }
    }
}

impl Record for ControlCommand {
    fn used_bytes(&self) -> usize {
        size_of::<ControlCommand>()
    }
}
