//! Where reports and notices leave the event's way for the journal, beside delivery.

use pitlane_ring::Publisher;

use super::health::JournalHealth;
use crate::event::Event;

/// The dispatcher's way to the journal. It never waits: an event that finds no room is counted, and
/// the journal has failed then.
pub(crate) struct JournalTap {
    lane: Publisher<Event>,
    health: JournalHealth,
}

impl JournalTap {
    /// Over the lane to whoever appends.
    pub(crate) fn new(lane: Publisher<Event>, health: JournalHealth) -> JournalTap {
        JournalTap { lane, health }
    }

    /// Hands an exec report or a risk notice on.
    #[inline]
    pub(crate) fn take(&mut self, event: &Event) {
        if self.lane.try_publish(event).is_err() {
            self.health.miss();
        }
    }
}
