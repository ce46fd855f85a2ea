//! The outlet of a running session: its link to the orchestrator and its dead-letter lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pitlane_ring::{Publisher, Record};

use super::{EventOutlet, LetterReason};
use crate::event::{Event, EventKind, VenueId};
use crate::order::trading::Marks;
use crate::runtime::Clock;
use crate::telemetry::{Letter, LetterSender};

/// The most room a session ever asks about.
const ROOM_ASKED: usize = 64;

/// An [`EventOutlet`] over lanes. Dropping it closes the link, and tells the gateway when it
/// belonged to the last order session.
pub struct LaneOutlet {
    link: Publisher<Event>,
    letters: LetterSender,
    clock: Clock,
    venue: VenueId,
    /// Where the venue's last prices are left.
    marks: Arc<Marks>,
    open_sessions: Option<Arc<AtomicUsize>>,
    /// Where books and trades are copied to, in paper mode.
    copies: Option<Publisher<Event>>,
}

impl LaneOutlet {
    /// An outlet for a session of a venue, whose last prices it leaves with `marks`.
    /// `open_sessions` is given for order sessions.
    #[must_use]
    pub fn new(
        link: Publisher<Event>,
        letters: LetterSender,
        clock: Clock,
        (venue, marks): (VenueId, Arc<Marks>),
        open_sessions: Option<Arc<AtomicUsize>>,
    ) -> LaneOutlet {
        LaneOutlet { link, letters, clock, venue, marks, open_sessions, copies: None }
    }

    /// The same, which copies all of its events of books and trades as far as there is room.
    #[must_use]
    pub fn copying_to(mut self, copies: Option<Publisher<Event>>) -> LaneOutlet {
        self.copies = copies;
        self
    }
}

impl EventOutlet for LaneOutlet {
    #[inline]
    fn room(&mut self) -> usize {
        self.link.room(ROOM_ASKED)
    }

    #[inline]
    fn publish(&mut self, event: &Event) {
        self.publish_with(|slot| slot.copy_used_from(event));
    }

    #[inline]
    fn publish_with(&mut self, write: impl FnOnce(&mut Event)) {
        let Self { link, marks, copies, .. } = self;
        let published = link.try_publish_with(|slot| {
            write(slot);
            marks.take(slot);
            if let Some(copies) = copies {
                copy(copies, slot);
            }
        });
        debug_assert!(published.is_ok(), "the session asked for room");
    }

    fn dead_letter(&mut self, reason: LetterReason, detail: &'static str, raw: &[u8]) {
        self.letters.send(Letter {
            wall_ns: self.clock.wall_ns(),
            trace_id: 0,
            venue: self.venue.0,
            reason: reason.name(),
            detail,
            is_critical: false,
            owner: None,
            raw,
        });
    }
}

/// Copies what an exchange follows.
fn copy(copies: &mut Publisher<Event>, event: &Event) {
    let kind = event.kind();
    if matches!(kind, Some(EventKind::Book | EventKind::BookState | EventKind::Trade)) {
        // A full lane loses it; the next book tells all again.
        let _full = copies.try_publish(event);
    }
}

impl Drop for LaneOutlet {
    fn drop(&mut self) {
        if let Some(open) = &self.open_sessions {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
