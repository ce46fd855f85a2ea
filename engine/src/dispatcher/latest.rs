//! The last word on each book and stream, told to whoever subscribes later: without it a newcomer
//! would take a stale stream for a quiet one, and not know a live book from one that is not.

use crate::event::{BookState, Event, EventKind, InstrumentId, StreamState, StreamStatus, VenueId};

/// Kinds that have words, by their codes from 1 on.
const KINDS: usize = 4;
const BOOK: usize = EventKind::Book.code() as usize - 1;

/// The words, by (venue, instrument, kind).
pub(super) struct LatestWords {
    instruments: usize,
    words: Box<[Word]>,
}

/// One word, with what its event's header has; no word as long as its status is 0.
#[derive(Clone, Copy, Default)]
struct Word {
    sequence: u64,
    venue_time_ns: i64,
    receive_ns: u64,
    trace_id: u64,
    silent_ns: u64,
    status_code: u8,
    reason_code: u8,
    epoch: u8,
}

impl LatestWords {
    /// Of so many venues and instruments.
    pub(super) fn new(venues: usize, instruments: usize) -> LatestWords {
        let words = vec![Word::default(); venues * instruments * KINDS].into();
        LatestWords { instruments, words }
    }

    /// Whether the event is a word on a book or a stream, or a balance: what is not only for those
    /// who are subscribed to it.
    #[inline]
    pub(super) fn is_word(event: &Event) -> bool {
        const WORDS: u64 = 1 << EventKind::BookState.code()
            | 1 << EventKind::StreamState.code()
            | 1 << EventKind::Balance.code();
        // One test for all of them: every event passes here.
        WORDS >> (event.kind_code & 63) & 1 == 1
    }

    /// Keeps the word if the event is one on a book or a stream.
    #[cold]
    pub(super) fn note(&mut self, event: &Event) {
        let mut word = Word {
            sequence: event.sequence,
            venue_time_ns: event.venue_time_ns,
            receive_ns: event.receive_ns,
            trace_id: event.trace_id,
            epoch: event.epoch,
            ..Word::default()
        };
        let kind = if let Some(state) = event.get::<BookState>() {
            (word.status_code, word.reason_code) = (state.status_code, state.reason_code);
            BOOK
        } else if let Some(state) = event.get::<StreamState>() {
            (word.status_code, word.silent_ns) = (state.status_code, state.silent_ns);
            usize::from(state.kind_code).wrapping_sub(1)
        } else {
            return;
        };
        let place = self.place(event.venue_id(), event.instrument_id(), kind);
        if let Some(kept) = place.and_then(|place| self.words.get_mut(place)) {
            *kept = word;
        }
    }

    /// What a new subscriber to this kind has to know: the state of the book, or that the stream is
    /// stale. `None` where nothing was said, or all is well.
    pub(super) fn word(&self, venue: VenueId, id: InstrumentId, kind: EventKind) -> Option<Event> {
        let kind_code = match kind {
            EventKind::BookState => EventKind::Book.code(),
            EventKind::Quote | EventKind::Trade | EventKind::Bar => kind.code(),
            _ => return None,
        };
        let word = *self.words.get(self.place(venue, id, usize::from(kind_code) - 1)?)?;
        let mut event = if word.status_code == 0 {
            return None;
        } else if kind == EventKind::BookState {
            let Word { status_code, reason_code, .. } = word;
            Event::new(&BookState { status_code, reason_code, reserved: [0; 6] })
        } else if word.status_code == StreamStatus::Stale.code() {
            let Word { status_code, silent_ns, .. } = word;
            Event::new(&StreamState { kind_code, status_code, reserved: [0; 6], silent_ns })
        } else {
            return None;
        };
        (event.venue, event.instrument, event.epoch) = (venue.0, id.0, word.epoch);
        (event.sequence, event.venue_time_ns) = (word.sequence, word.venue_time_ns);
        (event.receive_ns, event.trace_id) = (word.receive_ns, word.trace_id);
        event.stamp_decoded(word.receive_ns);
        Some(event)
    }

    fn place(&self, venue: VenueId, id: InstrumentId, kind: usize) -> Option<usize> {
        let row = venue.index() * self.instruments + id.index();
        (kind < KINDS && id.index() < self.instruments).then_some(row * KINDS + kind)
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
        let mut words = LatestWords::new(2, 3);
        let state = |words: &LatestWords, venue, id| {
            let event = words.word(VenueId(venue), InstrumentId(id), EventKind::BookState)?;
            assert_eq!((event.venue, event.instrument, event.trace_id), (venue, id, 77));
            event.get::<BookState>()?.status()
        };
        assert_eq!(state(&words, 1, 2), None, "nothing was said yet");
        words.note(&of(&book(BookStatus::Live), 1, 2));
        words.note(&of(&book(BookStatus::Stale), 1, 2));
        words.note(&of(&book(BookStatus::Live), 0, 2));
        assert_eq!(state(&words, 1, 2), Some(BookStatus::Stale));
        assert_eq!((state(&words, 0, 2), state(&words, 1, 1)), (Some(BookStatus::Live), None));
    }

    #[test]
    fn a_stale_stream_is_told_and_one_that_is_well_is_not() {
        let mut words = LatestWords::new(1, 1);
        let word = |words: &LatestWords, kind| {
            words.word(VenueId(0), InstrumentId(0), kind)?.get::<StreamState>().copied()
        };
        words.note(&of(&quotes(StreamStatus::Stale), 0, 0));
        assert_eq!(word(&words, EventKind::Quote), Some(quotes(StreamStatus::Stale)));
        assert_eq!(word(&words, EventKind::Trade), None);
        words.note(&of(&quotes(StreamStatus::Live), 0, 0));
        assert_eq!(word(&words, EventKind::Quote), None);
        // Of no venue, instrument or kind that there is.
        words.note(&of(&quotes(StreamStatus::Stale), 7, 0));
        words.note(&of(&quotes(StreamStatus::Stale), 0, 7));
        let nonsense = StreamState { kind_code: 200, ..quotes(StreamStatus::Stale) };
        words.note(&of(&nonsense, 0, 0));
        assert_eq!(word(&words, EventKind::Quote), None);
    }
}
