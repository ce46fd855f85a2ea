//! Where a venue session puts what it decoded: the link to the orchestrator, and the dead letters.

use zerocopy::FromZeros;

use super::transport::WireError;
use crate::event::Event;

/// Why raw input became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterReason {
    /// Not JSON, or not UTF-8.
    Malformed,
    /// JSON of a kind, or with an enum value, that the adapter doesn't know.
    Unknown,
    /// A field is missing or of the wrong type.
    Field,
    /// A number that is no plain decimal, too precise, or out of range.
    Number,
    /// A symbol that isn't configured.
    Symbol,
    /// Values that contradict each other or can't be (a price of 0, filled above quantity).
    Nonsense,
    /// A frame above the limit.
    Oversize,
    /// A report on an order that isn't ours, or that contradicts what is known of it (EDGE-15).
    Order,
}

/// Takes events and dead letters from a session. Implemented by the runtime over lanes, and by
/// tests over vectors.
pub trait EventOutlet {
    /// How many events can be published before the link is full. A session reads a frame only when
    /// there is room for everything the frame may give, so that the link loses nothing.
    fn room(&mut self) -> usize;

    /// Publishes one event. The caller made sure of the room.
    fn publish(&mut self, event: &Event);

    /// Publishes the event that `write` makes in the place where it will lie, which may hold an
    /// older one: all that counts as used must be written. The caller made sure of the room.
    #[inline]
    fn publish_with(&mut self, write: impl FnOnce(&mut Event)) {
        let mut event = Event::new_zeroed();
        write(&mut event);
        self.publish(&event);
    }

    /// Keeps raw input that was refused. Bounded and counted; never fails. `detail` is a short
    /// static text such as the field's name.
    fn dead_letter(&mut self, reason: LetterReason, detail: &'static str, raw: &[u8]);
}

impl LetterReason {
    /// The reason in the dead-letter file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LetterReason::Malformed => "malformed",
            LetterReason::Unknown => "unknown",
            LetterReason::Field => "field",
            LetterReason::Number => "number",
            LetterReason::Symbol => "symbol",
            LetterReason::Nonsense => "nonsense",
            LetterReason::Oversize => "oversize",
            LetterReason::Order => "order",
        }
    }

    /// The reason of a frame that broke the WebSocket protocol.
    #[must_use]
    pub const fn of_wire(error: WireError) -> LetterReason {
        match error {
            WireError::Oversize { .. } => LetterReason::Oversize,
            WireError::Masked
            | WireError::ReservedBits
            | WireError::Opcode(_)
            | WireError::FragmentedControl
            | WireError::LongControl
            | WireError::UnexpectedContinuation
            | WireError::UnfinishedMessage
            | WireError::Utf8
            | WireError::CloseFrame => LetterReason::Malformed,
        }
    }
}
