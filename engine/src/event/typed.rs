//! The typed views of an event's bytes: one payload type for each kind.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::header::HEADER_BYTES;
use super::{
    Balance, Bar, Book, BookState, ControlAck, ControlResult, Event, EventKind, ExecReport,
    Instrument, MarkPrice, Merged, Quote, Risk, SCHEMA_VERSION, StreamState, Trade,
};

/// An event's payload, typed by its kind.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Payload<'a> {
    Quote(&'a Quote),
    Trade(&'a Trade),
    Book(&'a Book),
    Bar(&'a Bar),
    Merged(&'a Merged),
    BookState(&'a BookState),
    Instrument(&'a Instrument),
    Balance(&'a Balance),
    ExecReport(&'a ExecReport),
    ControlAck(&'a ControlAck),
    ControlResult(&'a ControlResult),
    Risk(&'a Risk),
    StreamState(&'a StreamState),
    MarkPrice(&'a MarkPrice),
}

/// A payload type and its kind; sealed by the list in this file.
pub trait EventPayload: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// The kind whose payload this is.
    const KIND: EventKind;
}

macro_rules! kinds {
    ($($kind:ident),+) => {
        $(impl EventPayload for $kind { const KIND: EventKind = EventKind::$kind; })+

        impl Event {
            /// The payload, typed by the kind; `None` when the slot holds no valid event.
            #[inline]
            #[must_use]
            pub fn payload(&self) -> Option<Payload<'_>> {
                Some(match self.kind()? { $(EventKind::$kind => Payload::$kind(self.view()),)+ })
            }
        }

        /// Bytes of the payload of `kind`.
        #[inline]
        #[must_use]
        pub(super) const fn payload_bytes(kind: EventKind) -> usize {
            match kind { $(EventKind::$kind => size_of::<$kind>(),)+ }
        }
    };
}

kinds!(
    Quote,
    Trade,
    Book,
    Bar,
    Merged,
    BookState,
    Instrument,
    Balance,
    ExecReport,
    ControlAck,
    ControlResult,
    Risk,
    StreamState,
    MarkPrice
);

impl Event {
    /// An event of the payload's kind; every header field but schema and kind is 0.
    #[inline]
    #[must_use]
    pub fn new<P: EventPayload>(payload: &P) -> Event {
        let mut event = Event::new_zeroed();
        event.start(payload);
        event
    }

    /// Makes an older event one of the payload's kind, as [`Event::new`] does. What lies behind the
    /// payload stays as it was.
    #[inline]
    pub(crate) fn start<P: EventPayload>(&mut self, payload: &P) {
        self.as_mut_bytes()[..HEADER_BYTES].zero();
        self.schema = SCHEMA_VERSION;
        self.set(payload);
    }

    /// Replaces kind and payload, and leaves the header as it is.
    #[inline]
    pub fn set<P: EventPayload>(&mut self, payload: &P) {
        self.kind_code = P::KIND.code();
        *self.view_mut() = *payload;
    }

    /// The payload as `P`; `None` when the event is of another kind.
    #[inline]
    #[must_use]
    pub fn get<P: EventPayload>(&self) -> Option<&P> {
        (self.kind_code == P::KIND.code()).then(|| self.view())
    }

    /// The payload as `P` for changing it in place; `None` when the event is of another kind.
    #[inline]
    #[must_use]
    pub fn get_mut<P: EventPayload>(&mut self) -> Option<&mut P> {
        (self.kind_code == P::KIND.code()).then(|| self.view_mut())
    }

    #[inline]
    fn view<P: EventPayload>(&self) -> &P {
        match P::ref_from_prefix(self.payload.as_bytes()) {
            Ok((payload, _)) => payload,
            // Size is asserted where each payload is defined; alignment is at most that of u64.
            Err(_) => unreachable!("a payload fits its event"),
        }
    }

    #[inline]
    fn view_mut<P: EventPayload>(&mut self) -> &mut P {
        match P::mut_from_prefix(self.payload.as_mut_bytes()) {
            Ok((payload, _)) => payload,
            Err(_) => unreachable!("a payload fits its event"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_only_as_its_own_kind() {
        let quote = Quote { bid_price: 1, bid_qty: 2, ask_price: 3, ask_qty: 4 };
        let event = Event::new(&quote);
        assert_eq!(event.get::<Quote>(), Some(&quote));
        assert_eq!(event.get::<Trade>(), None);
        assert!(matches!(event.payload(), Some(Payload::Quote(q)) if *q == quote));
    }
}
