//! Stamps and publishes events of one venue.

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::event::{Event, EventPayload, InstrumentId, VenueId};
use crate::runtime::Clock;
use crate::venue::{EventOutlet, IntakeStats};

/// Stamps and publishes events of one venue, and counts them.
pub(super) struct Stamper {
    pub(super) venue: VenueId,
    pub(super) clock: Clock,
    pub(super) stats: Arc<CachePadded<IntakeStats>>,
    /// Trace of the frame in hand, or of the last one: what is published without a frame of its own
    /// (a snapshot, a book that went silent) belongs to it (LM-08).
    pub(super) trace_id: u64,
    /// Number of the connection, wrapping: sequences are compared within one.
    pub(super) epoch: u8,
}

/// Where an event comes from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) instrument: InstrumentId,
    pub(super) sequence: u64,
    pub(super) venue_time_ns: i64,
    pub(super) receive_ns: u64,
    pub(super) trace_id: u64,
    /// How often the stream was numbered anew on its connections.
    pub(super) renumbered: u8,
}

impl Origin {
    /// Of an event that no frame has caused; it belongs to the last one (LM-08).
    pub(super) fn of_no_frame(instrument: InstrumentId, now_ns: u64, stamper: &Stamper) -> Origin {
        let (sequence, venue_time_ns, trace_id) = (0, 0, stamper.trace_id);
        Origin { instrument, sequence, venue_time_ns, receive_ns: now_ns, trace_id, renumbered: 0 }
    }
}

impl Stamper {
    #[inline]
    pub(super) fn publish<P: EventPayload>(
        &mut self,
        payload: &P,
        origin: Origin,
        outlet: &mut impl EventOutlet,
    ) {
        self.publish_with(payload, origin, outlet, |_event| ());
    }

    /// Publishes an event of which `finish` says more.
    #[inline]
    pub(super) fn publish_with<P: EventPayload>(
        &mut self,
        payload: &P,
        origin: Origin,
        outlet: &mut impl EventOutlet,
        finish: impl FnOnce(&mut Event),
    ) {
        outlet.publish_with(|event| {
            event.start(payload);
            event.epoch = self.epoch.wrapping_add(origin.renumbered);
            event.venue = self.venue.0;
            event.instrument = origin.instrument.0;
            event.sequence = origin.sequence;
            event.venue_time_ns = origin.venue_time_ns;
            event.receive_ns = origin.receive_ns;
            event.trace_id = origin.trace_id;
            finish(event);
            event.stamp_decoded(self.clock.now_ns());
        });
        self.stats.events();
    }
}
