//! Order, dedupe and flood control of single streams (LM-03). A stream is (venue, instrument,
//! kind).
//!
//! Each adapter declares what the sequences of its kinds promise ([`crate::venue::StreamOrder`]);
//! nothing is promised between streams. What is in order passes at once, without a copy, whatever
//! else goes on.
//!
//! - **Contiguous**: an event behind a gap is held, for `lateness` at most and with at most
//!   `max_buffered` of its stream, until what is missing has come. Then, or when the gap is given
//!   up, it passes in its place. Held events lie in a pool; when it is dry, those that wait longest
//!   are released early.
//! - **Monotonic**: what is not newer than the last one is dropped.
//! - **Old news**: in a contiguous stream, bits of the last 64 numbers tell what came before (a
//!   duplicate) from what comes after its gap was given up (late). Farther back, everything counts
//!   as a duplicate. In a monotonic stream the same number is a duplicate and a lower one late.
//!   Held numbers are looked up too.
//! - **Epochs**: sequences are compared within one connection. The session numbers its connections
//!   in the header's `epoch`; with another one the stream starts anew at whatever number comes, and
//!   what is held passes before it. A [`crate::event::BookState`] starts its book's stream anew
//!   too: a book that is synchronised again may stand at the number it had.
//! - **No number**: an event with sequence 0 passes in order of arrival and moves nothing.
//! - **Floods**: with a limit set, a stream's market events above its rate and burst are dropped,
//!   after they were put in order, and counted. Critical events and reference data never are.
//!
//! Critical events are not ordered here. All memory is taken at the start.

mod gap;
mod sequencer;
mod stats;
#[cfg(test)]
mod tests;

pub(crate) use sequencer::{Sequencer, SequencerOptions};
pub use stats::{StreamCounts, StreamStats};
