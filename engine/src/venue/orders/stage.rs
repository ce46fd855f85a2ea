//! Where an order session stands.

/// Frames and commands taken in one duty cycle, each.
pub(super) const BATCH: usize = 32;
/// Room in the link that one frame needs: what one message tells, or the balances of a few assets.
pub(super) const EVENTS_PER_FRAME_MAX: usize = 8;
/// Between two polls for overdue answers and held back requests, ns.
pub(super) const POLL_NS: u64 = 50_000_000;
/// Cancels of one request, at most: no venue takes more.
pub(super) const CANCELS_MAX: usize = 20;
/// Queries that may be on their way at a time.
pub(super) const QUERIES_MAX: usize = 4;

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Down,
    /// Waits for the venue's time before it logs on, or logs on again.
    Timing,
    /// So many steps of the logon were written.
    LoggingOn(usize),
    /// Asks for the orders that were open when the connection was lost.
    Asking,
    Ready,
}

/// Where the session stands towards its venue's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It connects, and stays connected.
    On,
    /// It takes no new order, and ends what is open until then, ns.
    Leaving { by_ns: u64 },
    /// It has no connection.
    Off,
}
