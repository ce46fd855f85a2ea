//! What a venue promises of the sequences of its streams.

use crate::event::EventKind;

/// How the sequence of a stream (venue, instrument, kind) goes within one connection. Each adapter
/// declares it for its kinds; an event whose sequence is 0 has no place in any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamOrder {
    /// Says nothing: events pass in the order in which they came.
    #[default]
    Unsequenced,
    /// Grows from event to event, by any amount: a gap means nothing, what does not grow is old.
    Monotonic,
    /// Grows by one from event to event: a gap means that something is missing.
    Contiguous,
}

/// The declaration of one venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOrders {
    /// Of its quotes.
    pub quote: StreamOrder,
    /// Of its trades.
    pub trade: StreamOrder,
    /// Of its books.
    pub book: StreamOrder,
    /// Of its bars.
    pub bar: StreamOrder,
}

impl StreamOrders {
    /// The declaration for one kind. Merged events, mark prices, reference data and critical events
    /// are not ordered here.
    #[must_use]
    pub const fn of(&self, kind: EventKind) -> StreamOrder {
        match kind {
            EventKind::Quote => self.quote,
            EventKind::Trade => self.trade,
            EventKind::Book => self.book,
            EventKind::Bar => self.bar,
            EventKind::Merged
            | EventKind::BookState
            | EventKind::Instrument
            | EventKind::Balance
            | EventKind::ExecReport
            | EventKind::ControlAck
            | EventKind::ControlResult
            | EventKind::Risk
            | EventKind::StreamState
            | EventKind::MarkPrice => StreamOrder::Unsequenced,
        }
    }
}
