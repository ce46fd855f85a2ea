//! What whoever runs the agents is told, and who watches.

use super::error::{Difference, Malformed};
use super::sums::Sums;

/// A callback of a strategy.
#[derive(Clone, Copy, Debug)]
pub struct CallNote<'a> {
    /// The number of the consumer.
    pub consumer: u16,
    /// The callback's name, or the kind of its event.
    pub name: &'static str,
    /// Of all that it was given.
    pub hash: u64,
    /// The trace of its event; 0 = none.
    pub trace_id: u64,
    /// The event's sequence; 0 = none.
    pub sequence: u64,
    /// The bytes of the event in use; none for a callback without.
    pub event: &'a [u8],
}

/// What comes next in a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A duty cycle of the agent with this number.
    Cycle(usize),
    /// An operator asks for this, as one JSON object.
    Operate(String),
    /// A look whether the request of this number is answered.
    Poll(u64),
    /// A step of the stop.
    Stop(u64),
    /// The end: what has left in all, as it was recorded.
    End(Sums),
    /// The record ends without an end: the process was killed, or the record had no room.
    Over,
    /// What was done was not what was recorded.
    Differs(Difference),
    /// What is in the record can't be read.
    Malformed(Malformed),
    /// An observer asked for it.
    Halted,
}

/// What happens in a replay, for who watches it.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// Bytes that were read.
    Read {
        /// Where from.
        place: &'a str,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes that were written.
    Wrote {
        /// Where to.
        place: &'a str,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A callback that is about to be made.
    Call(&'a CallNote<'a>),
    /// Orders that a callback has made, by their numbers.
    Orders {
        /// The number of the consumer.
        consumer: u16,
        /// The trace of the event of the callback.
        trace_id: u64,
        /// The numbers.
        ids: &'a [u64],
    },
}

/// Watches a replay.
pub trait Observer: Send {
    /// What happens, and the last reading of the clock, ns. False ends the replay there: a callback
    /// is not made.
    fn sees(&mut self, at_ns: u64, happening: &Happening<'_>) -> bool;
}
