//! What a venue allows, as it publishes it.

use crate::venue::governor::Limit;

/// What a refusal over HTTP says in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The venue's code; 0 where there is none.
    pub code: i32,
    /// Not before then, ms since the Unix epoch, where the venue says so.
    pub retry_at_ms: Option<i64>,
}

/// The limits of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueLimits {
    /// Topics that one market connection may carry, at least 1.
    pub topics_per_connection: usize,
    /// Topics named in one request to subscribe, at least 1.
    pub topics_per_request: usize,
    /// Messages that the venue takes on a market connection in a second, pings and pongs included,
    /// at least 2.
    pub messages_per_s: u32,
    /// Between two requests to subscribe on one connection, ns.
    pub subscribe_interval_ns: u64,
    /// What requests, orders and connections are counted by, until the venue says otherwise.
    pub counted: &'static [Limit],
}
