//! What leaves with the next write.

use arrayvec::ArrayVec;

use super::stage::{BATCH, CANCELS_MAX};
use crate::order::OrderKey;

/// Commands on their way to the socket.
#[derive(Default)]
pub(super) struct Outgoing {
    /// Consumer and cause of those whose write is timed.
    pub(super) timed: ArrayVec<(usize, u64), BATCH>,
    /// Orders whose cancels go together.
    pub(super) cancels: ArrayVec<OrderKey, CANCELS_MAX>,
}
