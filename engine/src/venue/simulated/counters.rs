//! What a running venue counts, readable at any time from any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::fault::FaultName;
use super::frame_kind::FrameKind;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Live counters of a venue; one thread writes, any thread reads.
        #[derive(Debug)]
        pub struct SimulatedVenueCounters {
            frames: [AtomicU64; FrameKind::ALL.len()],
            faults: [AtomicU64; FaultName::ALL.len()],
            $($name: AtomicU64,)*
        }

        /// The counters of a venue at one moment.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct SimulatedVenueReport {
            frames: [u64; FrameKind::ALL.len()],
            faults: [u64; FaultName::ALL.len()],
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Default for SimulatedVenueCounters {
            fn default() -> Self {
                Self {
                    frames: std::array::from_fn(|_| AtomicU64::new(0)),
                    faults: std::array::from_fn(|_| AtomicU64::new(0)),
                    $($name: AtomicU64::new(0),)*
                }
            }
        }

        impl SimulatedVenueCounters {
            /// Reads all counters, each by itself: no cut through all of them.
            #[must_use]
            pub fn report(&self) -> SimulatedVenueReport {
                SimulatedVenueReport {
                    frames: std::array::from_fn(|index| self.frames[index].load(Relaxed)),
                    faults: std::array::from_fn(|index| self.faults[index].load(Relaxed)),
                    $($name: self.$name.load(Relaxed),)*
                }
            }

            $(pub(super) fn $name(&self) {
                self.$name.fetch_add(1, Relaxed);
            })*
        }
    };
}

counters! {
    /// Connections accepted.
    connections,
    /// Connections refused because as many as the server takes were open.
    connections_refused,
    /// WebSocket handshakes completed.
    handshakes,
    /// Connections closed because the client did not read, or answered no ping.
    clients_cut,
    /// HTTP requests answered.
    rest_requests,
    /// New orders asked for, valid or not.
    orders_received,
    /// New orders refused.
    orders_refused,
    /// Cancels asked for, valid or not.
    cancels_received,
    /// Requests that had several of them.
    batches_received,
    /// Executions of the account's orders.
    fills,
    /// Notices of a disconnect sent (`serverShutdown`).
    shutdown_notices,
    /// Pings sent.
    pings,
    /// Times the event loop woke up.
    wakeups,
    /// Market frames owed by the clock that were given up, after a hold-up of more than a second.
    frames_given_up,
}

impl SimulatedVenueCounters {
    pub(super) fn frame(&self, kind: FrameKind) {
        self.frames[kind as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn fault(&self, name: FaultName) {
        self.faults[name as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn give_up_frames(&self, count: u64) {
        // Rare, and at most some seconds of frames.
        (0..count).for_each(|_| self.frames_given_up());
    }
}

impl SimulatedVenueReport {
    /// Frames of a kind that were queued to a client, per client.
    #[must_use]
    pub fn frames(&self, kind: FrameKind) -> u64 {
        self.frames[kind as usize]
    }

    /// Market frames of all kinds.
    #[must_use]
    pub fn market_frames(&self) -> u64 {
        FrameKind::ALL.into_iter().filter(|kind| kind.is_market()).map(|k| self.frames(k)).sum()
    }

    /// How often a fault was injected.
    #[must_use]
    pub fn faults(&self, name: FaultName) -> u64 {
        self.faults[name as usize]
    }
}
