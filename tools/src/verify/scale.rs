//! How much of everything: quick for CI, at most a minute on two cores; full, at most ten minutes.

/// The counts of one scale. They are printed with what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// Its name.
    pub(crate) name: &'static str,
    /// Numbers of subscribers for SC-001 and SC-003.
    pub(crate) subscribers: &'static [u32],
    /// Fan-outs timed for SC-001, at 1,000 a second.
    pub(crate) timed_events: u64,
    /// Events for SC-002, at 200,000 a second.
    pub(crate) memory_events: u64,
    /// Events for SC-003 at 1,000 a second, and at 100,000 a second.
    pub(crate) occupancy_events: [u64; 2],
    /// Flips for SC-004 and SC-010 each.
    pub(crate) flips: u64,
    /// Flips of the storm at 100,000 events a second.
    pub(crate) storm_flips: u64,
    /// Events for SC-005, and their rate.
    pub(crate) leak_events: u64,
    pub(crate) leak_events_per_s: u32,
    /// Events for SC-006, at 25,000 a second.
    pub(crate) failure_events: u64,
    /// Wrong accesses for SC-007 and SC-008 each.
    pub(crate) wrong_accesses: u64,
    /// Events for SC-009.
    pub(crate) burnt_events: u64,
    /// Events for the accounts, at 20,000 a second.
    pub(crate) account_events: u64,
    /// Length of the callback that stalls for F04, ms.
    pub(crate) stall_ms: u64,
}

impl Scale {
    /// For CI.
    pub(crate) const QUICK: Scale = Scale {
        name: "quick",
        subscribers: &[10],
        timed_events: 4_000,
        memory_events: 1_000_000,
        occupancy_events: [2_000, 300_000],
        flips: 1_000,
        storm_flips: 1_000,
        leak_events: 100_000,
        leak_events_per_s: 25_000,
        failure_events: 50_000,
        wrong_accesses: 10_000,
        burnt_events: 1_000,
        account_events: 20_000,
        stall_ms: 400,
    };

    /// As REQUIREMENTS states them.
    pub(crate) const FULL: Scale = Scale {
        name: "full",
        subscribers: &[10, 20, 50],
        timed_events: 20_000,
        memory_events: 10_000_000,
        occupancy_events: [10_000, 2_000_000],
        flips: 10_000,
        storm_flips: 10_000,
        leak_events: 10_000_000,
        leak_events_per_s: 100_000,
        failure_events: 500_000,
        wrong_accesses: 100_000,
        burnt_events: 10_000,
        account_events: 400_000,
        stall_ms: 2_000,
    };

    /// For the canary: as little as shows a planted fault.
    pub(crate) const CANARY: Scale = Scale {
        name: "canary",
        subscribers: &[10],
        timed_events: 1_000,
        memory_events: 200_000,
        occupancy_events: [500, 100_000],
        flips: 200,
        storm_flips: 300,
        leak_events: 10_000,
        leak_events_per_s: 25_000,
        failure_events: 10_000,
        wrong_accesses: 1_000,
        burnt_events: 200,
        account_events: 10_000,
        stall_ms: 300,
    };
}
