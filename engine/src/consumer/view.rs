//! A typed view of an event: its payload, with the header one call away.

use std::ops::Deref;

use crate::event::{
    Book, ClientOrderId, Event, EventPayload, ExecReport, InstrumentId, Level, TraceId, VenueId,
};

/// An event whose payload is known to be `P`. It dereferences to the payload and can't outlive the
/// callback it was given to.
#[derive(Debug)]
pub struct View<'a, P> {
    event: &'a Event,
    payload: &'a P,
}

impl<P> Clone for View<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for View<'_, P> {}

impl<'a, P: EventPayload> View<'a, P> {
    /// The view of `event` as `P`; `None` when it is of another kind.
    #[inline]
    #[must_use]
    pub fn of(event: &'a Event) -> Option<View<'a, P>> {
        event.get::<P>().map(|payload| View { event, payload })
    }
}

impl<'a, P> View<'a, P> {
    /// The whole event with its header: stamps, sequence, routing version, conflated count.
    #[inline]
    #[must_use]
    pub fn event(&self) -> &'a Event {
        self.event
    }

    /// The instrument it speaks of.
    #[inline]
    #[must_use]
    pub fn instrument(&self) -> InstrumentId {
        self.event.instrument_id()
    }

    /// The venue it came from.
    #[inline]
    #[must_use]
    pub fn venue(&self) -> VenueId {
        self.event.venue_id()
    }

    /// The trace of the frame it came from.
    #[inline]
    #[must_use]
    pub fn trace(&self) -> TraceId {
        self.event.trace()
    }
}

impl<P> Deref for View<'_, P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        self.payload
    }
}

impl<'a> View<'a, Book> {
    /// Bids in use, highest first; at most ten.
    #[inline]
    #[must_use]
    pub fn bids(&self) -> &'a [Level] {
        let count = usize::from(self.event.bid_levels).min(self.payload.bids.len());
        &self.payload.bids[..count]
    }

    /// Asks in use, lowest first; at most ten.
    #[inline]
    #[must_use]
    pub fn asks(&self) -> &'a [Level] {
        let count = usize::from(self.event.ask_levels).min(self.payload.asks.len());
        &self.payload.asks[..count]
    }
}

impl View<'_, ExecReport> {
    /// The order this report is about.
    #[inline]
    #[must_use]
    pub fn order(&self) -> ClientOrderId {
        ClientOrderId(self.client_order_id)
    }
}
