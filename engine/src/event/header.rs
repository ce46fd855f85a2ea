//! The event's memory: one header line and the inline payload.

use std::fmt;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::{EventKind, InstrumentId, TraceId, VenueId};

/// Version of the event schema; a reader refuses what it does not know.
pub const SCHEMA_VERSION: u8 = 2;

/// Bytes of the inline payload, sized by the largest kind (ten levels a side).
pub const PAYLOAD_BYTES: usize = 320;

/// One event. Construct it with [`Event::new`] and a payload; see [`super::Payload`] to read it.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Event {
    /// Schema version, [`SCHEMA_VERSION`].
    pub schema: u8,
    /// Code of the [`EventKind`], 1 to 13; 0 is no event.
    pub kind_code: u8,
    /// Subscribers this event was fanned out to, saturating; set by the dispatcher.
    pub fanout: u8,
    /// Levels in use on the bid side of a book payload.
    pub bid_levels: u8,
    /// Levels in use on the ask side of a book payload.
    pub ask_levels: u8,
    /// Number of the connection that the venue's sequences belong to, wrapping: with another one
    /// the sequence of a stream starts anew, wherever it stands (EDGE-10).
    pub epoch: u8,
    /// Venue number, [`VenueId`]; of a merged event the number of its merge rule.
    pub venue: u16,
    /// Instrument number, [`InstrumentId`].
    pub instrument: u32,
    /// Routing version current when the orchestrator stamped the event (FR-014).
    pub routing_version: u32,
    /// Trace of the frame this event came from (LM-08).
    pub trace_id: u64,
    /// The venue's sequence in the stream (venue, instrument, kind); 0 where the stream has none.
    pub sequence: u64,
    /// The venue's own time, ns since the Unix epoch; 0 where the frame has none.
    pub venue_time_ns: i64,
    /// When the bytes were read from the socket, ns of the engine's clock.
    pub receive_ns: u64,
    /// When decoding ended, ns after `receive_ns`, saturating.
    pub decode_after_ns: u32,
    /// When the dispatcher published it, ns after `receive_ns`, saturating.
    pub dispatch_after_ns: u32,
    /// How many events this one replaced or absorbed (LM-04).
    pub conflated: u32,
    /// Number of this copy in its consumer's critical stream, from 1; 0 on other kinds.
    pub critical_sequence: u32,
    pub(crate) payload: [u64; PAYLOAD_BYTES / 8],
}

/// Bytes before the payload: one line.
pub(super) const HEADER_BYTES: usize = 64;

const _: () = assert!(size_of::<Event>() == HEADER_BYTES + PAYLOAD_BYTES);
const _: () = assert!(align_of::<Event>() == 64);

/// Saturating difference of two clock readings that the header keeps in 32 bits (4.29 s).
#[inline]
fn after_ns(base_ns: u64, now_ns: u64) -> u32 {
    u32::try_from(now_ns.saturating_sub(base_ns)).unwrap_or(u32::MAX)
}

impl Event {
    /// An event of its used bytes, as they are kept; what is not among them is zero.
    #[must_use]
    pub fn of_used(bytes: &[u8]) -> Event {
        let mut event = Event::new_zeroed();
        let count = bytes.len().min(size_of::<Event>());
        event.as_mut_bytes()[..count].copy_from_slice(&bytes[..count]);
        event
    }

    /// The kind; `None` when the slot holds no valid event.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> Option<EventKind> {
        EventKind::from_code(self.kind_code)
    }

    /// The venue this event came from.
    #[inline]
    #[must_use]
    pub fn venue_id(&self) -> VenueId {
        VenueId(self.venue)
    }

    /// The instrument this event speaks of.
    #[inline]
    #[must_use]
    pub fn instrument_id(&self) -> InstrumentId {
        InstrumentId(self.instrument)
    }

    /// The trace of the frame this event came from.
    #[inline]
    #[must_use]
    pub fn trace(&self) -> TraceId {
        TraceId(self.trace_id)
    }

    /// Records that decoding ended at `now_ns`.
    #[inline]
    pub fn stamp_decoded(&mut self, now_ns: u64) {
        self.decode_after_ns = after_ns(self.receive_ns, now_ns);
    }

    /// Records that the dispatcher took the event at `now_ns`.
    #[inline]
    pub fn stamp_dispatched(&mut self, now_ns: u64) {
        self.dispatch_after_ns = after_ns(self.receive_ns, now_ns);
    }

    /// When the dispatcher took the event, ns of the engine's clock.
    #[inline]
    #[must_use]
    pub fn dispatched_ns(&self) -> u64 {
        self.receive_ns + u64::from(self.dispatch_after_ns)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("trace", &self.trace_id)
            .field("venue", &self.venue)
            .field("instrument", &self.instrument)
            .field("sequence", &self.sequence)
            .field("payload", &self.payload())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zeroed_slot_is_no_event() {
        let event = Event::new_zeroed();
        assert_eq!(event.kind(), None);
        assert!(event.payload().is_none());
    }

    #[test]
    fn stamps_are_relative_and_saturate() {
        let mut event = Event::new_zeroed();
        event.receive_ns = 1_000;
        event.stamp_decoded(1_250);
        event.stamp_dispatched(u64::MAX);
        assert_eq!(event.decode_after_ns, 250);
        assert_eq!(event.dispatch_after_ns, u32::MAX);
        // A clock that stepped back never gives a negative latency (EDGE-22).
        event.stamp_decoded(10);
        assert_eq!(event.decode_after_ns, 0);
    }
}
