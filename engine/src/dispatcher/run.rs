//! A run: market events that were there together, and go out lane by lane.

use pitlane_ring::Bits;

use crate::event::{Event, EventKind};

/// Market events in a run at most: what is there, a lone one at once. Under backlog all of them go
/// into one consumer's lane before the next, with one store of its cursor, so that the lines of a
/// lane cross in a row. Their copies (two lines of a quote) must stay in the first cache, and each
/// has a bit in a word.
pub(super) const RUN: usize = u64::BITS as usize;

/// What holds for all events of a run, so that it is not asked for each copy.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The kind of all of them; `None` when there are several.
    pub(super) kind: Option<EventKind>,
    /// The lowest routing version among them.
    pub(super) oldest_version: u32,
}

impl Run {
    pub(super) fn of(staged: &[Event]) -> Run {
        let kind = staged.first().and_then(Event::kind);
        Run {
            kind: kind.filter(|kind| staged.iter().all(|event| event.kind_code == kind.code())),
            oldest_version: staged.iter().map(|event| event.routing_version).min().unwrap_or(0),
        }
    }
}

/// Those staged events that are marked, in order.
#[inline]
pub(super) fn marked_of(staged: &[Event], marked: u64) -> impl Iterator<Item = &Event> {
    Bits(marked).map(move |place| &staged[place as usize])
}
