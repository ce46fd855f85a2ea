//! When data counts as dead: a connection whose heartbeats still work (F13).

use crate::event::EventKind;

/// Silence after which data counts as dead, by kind, ns; `None` = not watched. A venue sends
/// nothing about a symbol that doesn't trade, so these depend on what is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SilenceLimits {
    /// No quote of any symbol: the connection is given up.
    pub quote_ns: Option<u64>,
    /// No trade of any symbol: the connection is given up.
    pub trade_ns: Option<u64>,
    /// No diff of any symbol: the connection is given up.
    pub depth_ns: Option<u64>,
    /// No bar of any symbol: the connection is given up.
    pub bar_ns: Option<u64>,
    /// The least silence of one stream that counts; beyond it what is usual for the stream decides.
    /// Its subscribers are told, and it is subscribed to anew.
    pub stream_ns: Option<u64>,
}

impl Default for SilenceLimits {
    /// A stream is stale after 30 s at the earliest; no kind is watched as long as it isn't known
    /// what is subscribed to.
    fn default() -> SilenceLimits {
        SilenceLimits {
            quote_ns: None,
            trade_ns: None,
            depth_ns: None,
            bar_ns: None,
            stream_ns: Some(30_000_000_000),
        }
    }
}

/// The kinds watched, each at its place in [`SilenceWatch::heard_ns`].
const WATCHED: [EventKind; 4] =
    [EventKind::Quote, EventKind::Trade, EventKind::Book, EventKind::Bar];

/// When each kind of data was last heard on a connection.
#[derive(Clone, Debug)]
pub(super) struct SilenceWatch {
    limits: SilenceLimits,
    is_connected: bool,
    heard_ns: [u64; WATCHED.len()],
}

impl SilenceWatch {
    pub(super) fn new(limits: SilenceLimits) -> SilenceWatch {
        SilenceWatch { limits, is_connected: false, heard_ns: [0; WATCHED.len()] }
    }

    /// Silence is measured from now on.
    pub(super) fn start(&mut self, now_ns: u64) {
        self.is_connected = true;
        self.heard_ns = [now_ns; WATCHED.len()];
    }

    /// Nothing is expected until the next start.
    pub(super) fn stop(&mut self) {
        self.is_connected = false;
    }

    /// A frame of this kind was read.
    #[inline]
    pub(super) fn heard(&mut self, kind: EventKind, now_ns: u64) {
        let place = match kind {
            EventKind::Quote => 0,
            EventKind::Trade => 1,
            EventKind::Book => 2,
            EventKind::Bar => 3,
            _ => return,
        };
        self.heard_ns[place] = now_ns;
    }

    /// The first kind that was silent for longer than its limit.
    #[inline]
    pub(super) fn dead(&self, now_ns: u64) -> Option<EventKind> {
        if !self.is_connected {
            return None;
        }
        let SilenceLimits { quote_ns, trade_ns, depth_ns, bar_ns, .. } = self.limits;
        let limits = [quote_ns, trade_ns, depth_ns, bar_ns];
        let is_dead = |limit_ns: Option<u64>, heard_ns: u64| {
            limit_ns.is_some_and(|limit_ns| now_ns.saturating_sub(heard_ns) > limit_ns)
        };
        let mut watched = WATCHED.into_iter().zip(limits.into_iter().zip(self.heard_ns));
        watched
            .find(|(_, (limit_ns, heard_ns))| is_dead(*limit_ns, *heard_ns))
            .map(|(kind, _)| kind)
    }
}
