//! Where words on orders and limits leave the event's way for the journal, beside delivery.

use pitlane_ring::Publisher;

use super::health::JournalHealth;
use crate::event::Event;

/// The dispatcher's way to the journal. It never waits: a word that finds no room is counted, and
/// the journal has failed then.
pub(crate) struct WordTap {
    lane: Publisher<Event>,
    health: JournalHealth,
}

impl WordTap {
    /// Over the lane to whoever appends.
    pub(crate) fn new(lane: Publisher<Event>, health: JournalHealth) -> WordTap {
        WordTap { lane, health }
    }

    /// Hands an exec report or a risk notice on.
    #[inline]
    pub(crate) fn take(&mut self, event: &Event) {
        if self.lane.try_publish(event).is_err() {
            self.health.miss();
        }
    }
}
