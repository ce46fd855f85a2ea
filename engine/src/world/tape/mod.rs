//! The record of what enters an engine that runs on one thread, and its playing.
//!
//! A [`Tape`] is attached to the thread that runs the agents. As long as it records, the seams of
//! the world (clock, network, names) note what they give, and whoever runs the agents notes which
//! of them had a duty cycle. While it plays, the same places are given what was noted, and nothing
//! real is touched. What leaves is not kept but hashed: each write to a connection and each
//! callback of a strategy, so that the first that differs is found where it happens.
//!
//! A world without a tape has neither: its clock and its network are other variants, and pay
//! nothing. A record that finds no room ends where it is; its engine goes on.
//!
//! The form of the files is in `engine/docs/replay.md`.

mod attached;
mod connection;
mod entry;
mod error;
mod files;
mod note;
mod pen;
mod places;
mod player;
mod sent;
mod spool;
mod sums;
mod writer;

pub(super) use attached::clock;
pub use attached::{Tape, attach, detach};
pub(crate) use attached::{
    call, cycle, end, flush, is_on, kept, malformed, next_step, operate, orders, outside, poll,
    state, stop, sums, wants_orders,
};
pub(super) use connection::Begun;
pub use connection::{Line, TapedStream};
pub(crate) use entry::Tag;
pub use error::{Difference, Malformed, TapeError};
pub use files::{TapeFolder, TapeReader};
pub(crate) use files::{missing_above, remove_record};
pub use note::{CallNote, Happening, Observer, Step};
pub use pen::{Pen, TapeDrain, TapeState};
pub use player::Player;
pub use sent::{bytes_text, received_text, sent_text, unmasked};
pub use sums::{CallSum, SessionSum, Sums};
pub(crate) use sums::{hash_of, mixed};
pub use writer::Writer;

#[cfg(test)]
mod tests;
