//! A run: market events that were there together, and go out lane by lane.

use pitlane_ring::Bits;

use crate::event::{Event, EventKind};

/// Market events in a run at most: what is there, a lone one at once. Under backlog all of them go
/// into one consumer's lane before the next, with one store of its cursor, so that the lines of a
/// lane cross in a row. Their copies (two lines of a quote) must stay in the first cache, and each
/// has a bit in a word.
pub(super) const RUN: usize = u64::BITS as usize;

/// What holds for all events of a run, so that it is not asked for each copy. Kept up to date as
/// they are staged.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The kind of all of them; `None` when there are several.
    pub(super) kind: Option<EventKind>,
    /// The lowest routing version among them.
    pub(super) oldest_version: u32,
}

impl Run {
    /// Of one event.
    #[inline]
    pub(super) fn of(kind: EventKind, version: u32) -> Run {
        Run { kind: Some(kind), oldest_version: version }
    }

    /// With one more event.
    #[inline]
    pub(super) fn and(self, kind: EventKind, version: u32) -> Run {
        let oldest_version = self.oldest_version.min(version);
        Run { kind: self.kind.filter(|of_all| *of_all == kind), oldest_version }
    }
}

/// Those staged events that are marked, in order.
#[inline]
pub(super) fn marked_of(staged: &[Event], marked: u64) -> impl Iterator<Item = &Event> {
    Bits(marked).map(move |place| &staged[place as usize])
}
