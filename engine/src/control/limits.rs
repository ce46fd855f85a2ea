//! The limits of the control protocol, and its version.

/// The version of this protocol. A request that names another one is refused.
pub const VERSION: u32 = 1;

/// Longest line in either direction that a client may send, bytes without the line feed.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Longest `id` of a request, bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Most names in one list of a request.
pub const NAMES_MAX: usize = 256;

/// Interval of [`Watch`](super::protocol::ControlRequest::Watch) when none is given, ms.
pub const WATCH_INTERVAL_MS: u64 = 1_000;

/// Shortest and longest interval of [`Watch`](super::protocol::ControlRequest::Watch), ms.
pub const WATCH_INTERVAL_LIMITS_MS: std::ops::RangeInclusive<u64> = 100..=60_000;

/// Longest window of a merge rule, ms.
pub const WINDOW_MS_MAX: u64 = 60_000;

/// Most events of a merge window.
pub const WINDOW_EVENTS_MAX: u32 = 1_024;
