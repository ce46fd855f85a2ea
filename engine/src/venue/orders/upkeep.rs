//! What keeps the account's stream alive at a venue that ends it unless it is asked not to.
//!
//! A request in time that was not answered, or was refused, is made again. Where the venue says
//! that the stream is gone, or keeps up one of another name, the session begins anew, and logs on
//! to a new one.

use crate::venue::protocol::OrderProtocol;

/// The pause after a failure, ns.
const AGAIN_NS: u64 = 60_000_000_000;

/// When the stream is kept up next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upkeep {
    /// ns of the engine's clock; `u64::MAX`: not at all, or its answer is awaited.
    pub(super) due_ns: u64,
    /// It was answered, and the answer not yet held against the stream that stands.
    pub(super) is_answered: bool,
}

impl Default for Upkeep {
    fn default() -> Upkeep {
        Upkeep { due_ns: u64::MAX, is_answered: false }
    }
}

impl Upkeep {
    /// Of a stream that begins now, or was kept up just now.
    pub(super) fn begun<P: OrderProtocol>(now_ns: u64) -> Upkeep {
        let due_ns = P::UPKEEP_NS.map_or(u64::MAX, |every_ns| now_ns + every_ns);
        Upkeep { due_ns, is_answered: false }
    }

    /// It was not done, or nobody knows.
    pub(super) fn failed(&mut self, now_ns: u64) {
        self.due_ns = now_ns + AGAIN_NS;
    }
}
