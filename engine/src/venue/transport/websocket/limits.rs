//! Deadlines and limits of a session.

use std::time::Duration;

use crate::config::SessionConfig;
use crate::venue::transport::BackoffOptions;

const SECOND_NS: u64 = 1_000_000_000;
/// A venue that takes a connection, answers a subscription and hangs up does all that within a
/// second. Binance allows 300 attempts in 5 minutes and address: from this long on the shortest
/// wait is harmless.
const HEALTHY_NS: u64 = 10 * SECOND_NS;
/// More than the answers to a subscription or a logon.
const HEALTHY_FRAMES: u64 = 4;

/// Deadlines and limits of a session, all by the engine's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// From the attempt to connect to the answered handshake, ns.
    pub handshake_ns: u64,
    /// From the first byte of a frame (or fragmented message) to its last, ns.
    pub frame_ns: u64,
    /// Between two of our pings, ns.
    pub ping_interval_ns: u64,
    /// Nothing read at all, also no pong: the connection is given up, ns.
    pub idle_ns: u64,
    /// A connection that has lasted for less proves nothing: the waits go on growing, ns.
    pub healthy_ns: u64,
    /// Nor does one that brought fewer frames, of any kind.
    pub healthy_frames: u64,
    /// Messages that may be sent in a second, pings and pongs included, at least 2; `None`: as many
    /// as one likes.
    pub messages_per_s: Option<u32>,
    /// What an attempt to connect weighs against the venue's budget of requests.
    pub connect_weight: u32,
    /// Waits between attempts.
    pub backoff: BackoffOptions,
    /// Largest frame, and largest joined message, bytes.
    pub frame_bytes_max: usize,
}

/// Weight of an attempt to connect: the most that a venue is known to count (Binance, WebSocket
/// API).
const CONNECT_WEIGHT: u32 = 2;
/// The frame that [`SessionLimits::frame_ns`] is meant for, bytes.
const FRAME_BYTES_TIMED: usize = 1024 * 1024;

impl SessionLimits {
    /// Lets frames of so many bytes through. A longer one has as much more time to arrive.
    pub fn allow_frames_of(&mut self, bytes: usize) {
        if bytes > self.frame_bytes_max {
            self.frame_bytes_max = bytes;
            self.frame_ns *= bytes.div_ceil(FRAME_BYTES_TIMED).max(1) as u64;
        }
    }
}

impl Default for SessionLimits {
    /// Those of the configuration's `[session]`.
    fn default() -> SessionLimits {
        SessionLimits {
            handshake_ns: 5 * SECOND_NS,
            frame_ns: 2 * SECOND_NS,
            ping_interval_ns: 20 * SECOND_NS,
            idle_ns: 60 * SECOND_NS,
            healthy_ns: HEALTHY_NS,
            healthy_frames: HEALTHY_FRAMES,
            messages_per_s: None,
            connect_weight: CONNECT_WEIGHT,
            backoff: BackoffOptions::default(),
            frame_bytes_max: 1024 * 1024,
        }
    }
}

/// Deadlines as the configuration has them, in ms.
impl From<&SessionConfig> for SessionLimits {
    fn from(config: &SessionConfig) -> SessionLimits {
        let ns = |ms: u64| Duration::from_millis(ms).as_nanos() as u64;
        SessionLimits {
            handshake_ns: ns(config.handshake_ms),
            frame_ns: ns(config.frame_ms),
            ping_interval_ns: ns(config.ping_interval_ms),
            idle_ns: ns(config.idle_ms),
            healthy_ns: HEALTHY_NS,
            healthy_frames: HEALTHY_FRAMES,
            messages_per_s: None,
            connect_weight: CONNECT_WEIGHT,
            backoff: BackoffOptions {
                min_ns: ns(config.backoff_min_ms),
                max_ns: ns(config.backoff_max_ms),
            },
            frame_bytes_max: config.frame_bytes_max,
        }
    }
}
