//! Intake accounting of a venue session: frames = decoded + control + refused (REQUIREMENTS,
//! intake).

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_utils::CachePadded;

macro_rules! intake {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// The counters of one session, written by it alone and read by anyone.
        #[derive(Debug, Default)]
        pub struct IntakeStats {
            $($(#[$doc])* $field: AtomicU64,)+
            state: AtomicU8,
            dead_man_until_ns: AtomicU64,
            trouble: Mutex<Option<SessionTrouble>>,
            positions: Mutex<Vec<PositionDifference>>,
        }

        /// A reading of [`IntakeStats`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
        pub struct VenueCounters { $($(#[$doc])* pub $field: u64,)+ }

        impl IntakeStats {
            $($(#[$doc])* #[inline] pub fn $field(&self) { self.bump(&self.$field, 1); })+

            /// The counters now.
            #[must_use]
            pub fn read(&self) -> VenueCounters {
                VenueCounters { $($field: self.$field.load(Ordering::Relaxed),)+ }
            }
        }

        impl VenueCounters {
            /// Adds every counter of `other`.
            pub fn merge(&mut self, other: &VenueCounters) {
                $(self.$field += other.$field;)+
            }
        }
    };
}

intake! {
    /// WebSocket data frames read, whole.
    frames,
    /// Frames that were decoded into market data or exec reports (also when a book was not yet
    /// live).
    decoded,
    /// Frames that belong to the protocol: replies to requests, logons, shutdown notices.
    control,
    /// Frames that could not be decoded; each is a dead letter.
    refused,
    /// Refused frames that were well-formed but of a kind this adapter doesn't know.
    unknown,
    /// Events published into the pipeline.
    events,
    /// Market events left out since they had been told, such as a bar's end.
    repeats,
    /// Connections lost or given up, each followed by a reconnect.
    reconnects,
    /// Connections that the next one took over from before they ended.
    handed_over,
    /// Next connections that were lost or given up before they took over.
    hand_overs_lost,
    /// Exec reports that had been told before (LM-06).
    duplicates,
    /// Messages of the venue that contradict what is known of an order; each is an alarm and a
    /// query.
    contradictions,
    /// Orders that live, or have filled, after the engine had told their end by inference.
    revived,
    /// Gaps found in a venue's sequence.
    gaps,
    /// Books that were not the venue's, by its checksum.
    mismatches,
    /// Live books held against a fresh snapshot, or asked to be.
    refreshes,
    /// Of those, books that were doubted: by quotes, or since they stood still beside trades.
    doubted,
    /// Live books that were not what a fresh snapshot says.
    differing,
    /// Snapshots requested.
    snapshots,
    /// Answers to them, failures included.
    snapshots_answered,
    /// Streams told as stale: silent for longer than is usual for them.
    stale,
    /// Streams subscribed to anew since they were silent.
    resubscribed,
    /// Numbers and times that were not believed: far from what could follow.
    implausible,
    /// Duty cycles in which the socket was not read because the link ahead was full.
    backpressure,
}

/// Why a session has no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionTrouble {
    /// What ended the connection, or the last attempt.
    pub reason: String,
    /// Since when there is none, ns of the engine's clock.
    pub since_ns: u64,
    /// When the next attempt is due, ns of the engine's clock.
    pub next_try_ns: u64,
}

/// A position of which the venue says otherwise than what is counted here. Plain decimals, below 0
/// when short.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PositionDifference {
    /// The instrument, `BASE-QUOTE`.
    pub symbol: String,
    /// What our orders have bought less what they have sold, all strategies together.
    pub ours: String,
    /// What the account holds.
    pub venues: String,
}

/// Where a session's connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SessionState {
    /// Between two attempts.
    #[default]
    Waiting,
    /// TCP.
    Connecting,
    /// WebSocket.
    Handshake,
    /// Messages are exchanged.
    Open,
    /// Closed for good.
    Ended,
    /// Closed until its venue is switched on.
    Off,
}

impl SessionState {
    const ALL: [SessionState; 6] = [
        SessionState::Waiting,
        SessionState::Connecting,
        SessionState::Handshake,
        SessionState::Open,
        SessionState::Ended,
        SessionState::Off,
    ];

    /// Its name in readings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SessionState::Waiting => "waiting",
            SessionState::Connecting => "connecting",
            SessionState::Handshake => "handshake",
            SessionState::Open => "open",
            SessionState::Ended => "ended",
            SessionState::Off => "off",
        }
    }
}

impl IntakeStats {
    /// Where the connection is from now on.
    pub fn set_state(&self, state: SessionState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// When the venue's timer that cancels all runs out, ns of the engine's clock; 0: it does not
    /// run.
    pub fn set_dead_man(&self, until_ns: u64) {
        self.dead_man_until_ns.store(until_ns, Ordering::Relaxed);
    }

    /// When the venue's timer that cancels all runs out, as far as is known, ns of the engine's
    /// clock; `None` where it does not run.
    #[must_use]
    pub fn dead_man_until_ns(&self) -> Option<u64> {
        Some(self.dead_man_until_ns.load(Ordering::Relaxed)).filter(|until_ns| *until_ns > 0)
    }

    /// The positions of which the venue says otherwise, from now on.
    #[cold]
    pub fn set_positions(&self, positions: Vec<PositionDifference>) {
        if let Ok(mut told) = self.positions.lock() {
            *told = positions;
        }
    }

    /// The positions of which the venue says otherwise than what is counted here.
    #[must_use]
    pub fn positions(&self) -> Vec<PositionDifference> {
        self.positions.lock().map(|told| told.clone()).unwrap_or_default()
    }

    /// Where the connection is.
    #[must_use]
    pub fn state(&self) -> SessionState {
        let code = usize::from(self.state.load(Ordering::Relaxed));
        SessionState::ALL.get(code).copied().unwrap_or_default()
    }

    /// The connection was lost, or an attempt failed. Never waits: beside a reader it is left out,
    /// and the next attempt tells.
    pub fn set_trouble(&self, reason: String, now_ns: u64, next_try_ns: u64) {
        if let Ok(mut trouble) = self.trouble.try_lock() {
            let since_ns = trouble.as_ref().map_or(now_ns, |before| before.since_ns);
            *trouble = Some(SessionTrouble { reason, since_ns, next_try_ns });
        }
    }

    /// There is a connection again.
    pub fn clear_trouble(&self) {
        if let Ok(mut trouble) = self.trouble.try_lock() {
            *trouble = None;
        }
    }

    /// Why there is no connection; `None` where all is well, or was never tried.
    #[must_use]
    pub fn trouble(&self) -> Option<SessionTrouble> {
        self.trouble.lock().ok().and_then(|trouble| trouble.clone())
    }

    /// Counters for one session.
    #[must_use]
    pub fn new() -> Arc<CachePadded<IntakeStats>> {
        Arc::default()
    }

    #[inline]
    fn bump(&self, counter: &AtomicU64, count: u64) {
        // One writer: a load and a store, no locked instruction.
        counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }
}

impl VenueCounters {
    /// The intake identity: every frame was decoded, was control, or was refused.
    #[must_use]
    pub fn identity_holds(&self) -> bool {
        self.frames == self.decoded + self.control + self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_sees_a_frame_that_was_lost() {
        let stats = IntakeStats::new();
        stats.frames();
        stats.frames();
        stats.decoded();
        assert!(!stats.read().identity_holds());
        stats.refused();
        assert!(stats.read().identity_holds());
    }

    #[test]
    fn trouble_lasts_since_its_begin_and_says_what_was_last() {
        let stats = IntakeStats::new();
        assert_eq!(stats.trouble(), None);
        stats.set_trouble("refused".into(), 5, 10);
        stats.set_trouble("no answer".into(), 12, 20);
        let (reason, since_ns, next_try_ns) = ("no answer".to_owned(), 5, 20);
        assert_eq!(stats.trouble(), Some(SessionTrouble { reason, since_ns, next_try_ns }));
        stats.clear_trouble();
        assert_eq!(stats.trouble(), None);
    }
}
