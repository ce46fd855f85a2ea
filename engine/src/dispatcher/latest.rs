//! The last state on each book and stream, told to whoever subscribes later: without it a newcomer
//! would take a stale stream for a quiet one, and not know a live book from one that is not.

use crate::event::{BookState, Event, EventKind, InstrumentId, StreamState, StreamStatus, VenueId};

/// Kinds that have states.
const KINDS: usize = EventKind::STREAMS.len();

/// The states, by (venue, instrument, kind).
pub(super) struct LatestStates {
    instruments: usize,
    states: Box<[State]>,
}

/// One state, with what its event's header has; no state as long as its status is 0.
#[derive(Clone, Copy, Default)]
struct State {
    sequence: u64,
    venue_time_ns: i64,
    receive_ns: u64,
    trace_id: u64,
    silent_ns: u64,
    status_code: u8,
    reason_code: u8,
    epoch: u8,
}

impl LatestStates {
    /// Of so many venues and instruments.
    pub(super) fn new(venues: usize, instruments: usize) -> LatestStates {
        let states = vec![State::default(); venues * instruments * KINDS].into();
        LatestStates { instruments, states }
    }

    /// Whether the event is a state on a book or a stream, or a balance: what is not only for those
    /// who are subscribed to it.
    #[inline]
    pub(super) fn is_state(event: &Event) -> bool {
        const STATES: u64 = 1 << EventKind::BookState.code()
            | 1 << EventKind::StreamState.code()
            | 1 << EventKind::Balance.code();
        // One test for all of them: every event passes here.
        STATES >> (event.kind_code & 63) & 1 == 1
    }

    /// Keeps the state if the event is one on a book or a stream.
    #[cold]
    pub(super) fn note(&mut self, event: &Event) {
        let mut latest = State {
            sequence: event.sequence,
            venue_time_ns: event.venue_time_ns,
            receive_ns: event.receive_ns,
            trace_id: event.trace_id,
            epoch: event.epoch,
            ..State::default()
        };
        let kind = if let Some(state) = event.get::<BookState>() {
            (latest.status_code, latest.reason_code) = (state.status_code, state.reason_code);
            Some(EventKind::Book)
        } else if let Some(state) = event.get::<StreamState>() {
            (latest.status_code, latest.silent_ns) = (state.status_code, state.silent_ns);
            state.stream()
        } else {
            return;
        };
        let Some(kind) = kind else { return };
        let place = self.place(event.venue_id(), event.instrument_id(), kind);
        if let Some(kept) = place.and_then(|place| self.states.get_mut(place)) {
            *kept = latest;
        }
    }

    /// What a new subscriber to this kind has to know: the state of the book, or that the stream is
    /// stale. `None` where nothing was said, or all is well.
    pub(super) fn state(&self, venue: VenueId, id: InstrumentId, kind: EventKind) -> Option<Event> {
        let stream = match kind {
            EventKind::BookState => EventKind::Book,
            EventKind::Book => return None,
            kind => kind,
        };
        let state = *self.states.get(self.place(venue, id, stream)?)?;
        let mut event = if state.status_code == 0 {
            return None;
        } else if kind == EventKind::BookState {
            let State { status_code, reason_code, .. } = state;
            Event::new(&BookState { status_code, reason_code, reserved: [0; 6] })
        } else if state.status_code == StreamStatus::Stale.code() {
            let State { status_code, silent_ns, .. } = state;
            let kind_code = stream.code();
            Event::new(&StreamState { kind_code, status_code, reserved: [0; 6], silent_ns })
        } else {
            return None;
        };
        (event.venue, event.instrument, event.epoch) = (venue.0, id.0, state.epoch);
        (event.sequence, event.venue_time_ns) = (state.sequence, state.venue_time_ns);
        (event.receive_ns, event.trace_id) = (state.receive_ns, state.trace_id);
        event.stamp_decoded(state.receive_ns);
        Some(event)
    }

    fn place(&self, venue: VenueId, id: InstrumentId, kind: EventKind) -> Option<usize> {
        let row = venue.index() * self.instruments + id.index();
        let place = kind.stream_place()?;
        (id.index() < self.instruments).then_some(row * KINDS + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BookStatus, BookStatusReason};

    fn of<P: crate::event::EventPayload>(payload: &P, venue: u16, instrument: u32) -> Event {
        let mut event = Event::new(payload);
        (event.venue, event.instrument, event.receive_ns, event.trace_id) =
            (venue, instrument, 9, 77);
        event
    }

    fn book(status: BookStatus) -> BookState {
        let reason_code = BookStatusReason::Synced.code();
        BookState { status_code: status.code(), reason_code, reserved: [0; 6] }
    }

    fn quotes(status: StreamStatus) -> StreamState {
        let kind_code = EventKind::Quote.code();
        StreamState { kind_code, status_code: status.code(), reserved: [0; 6], silent_ns: 5 }
    }

    #[test]
    fn a_newcomer_is_told_the_present_state_and_no_earlier_one() {
        let mut states = LatestStates::new(2, 3);
        let state = |states: &LatestStates, venue, id| {
            let event = states.state(VenueId(venue), InstrumentId(id), EventKind::BookState)?;
            assert_eq!((event.venue, event.instrument, event.trace_id), (venue, id, 77));
            event.get::<BookState>()?.status()
        };
        assert_eq!(state(&states, 1, 2), None, "nothing was said yet");
        states.note(&of(&book(BookStatus::Live), 1, 2));
        states.note(&of(&book(BookStatus::Stale), 1, 2));
        states.note(&of(&book(BookStatus::Live), 0, 2));
        assert_eq!(state(&states, 1, 2), Some(BookStatus::Stale));
        assert_eq!((state(&states, 0, 2), state(&states, 1, 1)), (Some(BookStatus::Live), None));
    }

    #[test]
    fn a_stale_stream_is_told_and_one_that_is_well_is_not() {
        let mut states = LatestStates::new(1, 1);
        let state = |states: &LatestStates, kind| {
            states.state(VenueId(0), InstrumentId(0), kind)?.get::<StreamState>().copied()
        };
        states.note(&of(&quotes(StreamStatus::Stale), 0, 0));
        assert_eq!(state(&states, EventKind::Quote), Some(quotes(StreamStatus::Stale)));
        assert_eq!(state(&states, EventKind::Trade), None);
        states.note(&of(&quotes(StreamStatus::Live), 0, 0));
        assert_eq!(state(&states, EventKind::Quote), None);
        // Of no venue, instrument or kind that there is.
        states.note(&of(&quotes(StreamStatus::Stale), 7, 0));
        states.note(&of(&quotes(StreamStatus::Stale), 0, 7));
        let nonsense = StreamState { kind_code: 200, ..quotes(StreamStatus::Stale) };
        states.note(&of(&nonsense, 0, 0));
        assert_eq!(state(&states, EventKind::Quote), None);
    }
}
