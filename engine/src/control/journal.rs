//! What the control socket has taken and refused: counted always, logged at a bounded rate.

use super::client::Peer;
use super::protocol::ControlRequest;
use crate::rate::Bucket;

/// Lines about refusals in the log, a second.
const LOG_LINES_PER_S: u32 = 10;

/// Characters of a command in the log.
const COMMAND_CHARS_MAX: usize = 300;

/// The counts, and the lines that the log still takes.
#[derive(Debug)]
pub(super) struct Journal {
    requests: u64,
    refusals: u64,
    lines: Bucket,
    /// Refusals that were not logged one by one.
    unlogged: u64,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal { requests: 0, refusals: 0, lines: Bucket::per_s(LOG_LINES_PER_S), unlogged: 0 }
    }
}

impl Journal {
    /// Requests and refusals since the start.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.requests, self.refusals)
    }

    /// A request was taken.
    pub(super) fn taken(&mut self) {
        self.requests += 1;
    }

    /// A request or a client was refused.
    pub(super) fn refused(&mut self, peer: Option<Peer>, text: &str, now_ns: u64) {
        self.refusals += 1;
        if self.lines.take(now_ns) {
            let peer = peer.map_or_else(String::new, |peer| format!(", {}", who(peer)));
            log::warn!("[control] refused: {text}{peer}");
        } else {
            self.unlogged += 1;
        }
    }

    /// Whether refusals are still to be told of.
    pub(super) fn is_behind(&self) -> bool {
        self.unlogged > 0
    }

    /// Tells how many refusals found no line of their own.
    pub(super) fn catch_up(&mut self, now_ns: u64) {
        if self.is_behind() && self.lines.take(now_ns) {
            log::warn!("[control] {} more refused", self.unlogged);
            self.unlogged = 0;
        }
    }
}

/// A peer in the log.
pub(super) fn who(peer: Peer) -> String {
    format!("user {}, process {}", peer.uid, peer.pid)
}

/// A command in the log: all of it, cut where it is long.
pub(super) fn shown(request: &ControlRequest) -> String {
    let text = serde_json::to_string(request).unwrap_or_default();
    text.chars().take(COMMAND_CHARS_MAX).collect()
}
