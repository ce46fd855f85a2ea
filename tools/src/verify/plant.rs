//! Faults planted by `verify --canary`: a check that does not notice its own is worth nothing.

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// None: the check as it is.
    None,
    /// A consumer burns 100 us on every event.
    SlowConsumer,
    /// A consumer allocates on one event in a hundred.
    Allocation,
    /// Lanes far too small for the load, and a consumer that stalls.
    SmallLanes,
    /// A pool of one place for what waits for its turn.
    SmallPool,
    /// A slot of a market lane is never returned.
    LeakedSlot,
    /// The engine keeps one failure to itself.
    SwallowedFailure,
    /// A lane, or a pool, that forgets that a slot was returned.
    ForgottenReturn,
    /// All consumers on one core, judged against all.
    OneCore,
    /// A market event vanishes without being counted.
    LostMarketEvent,
    /// A stale event is handled by a consumer that skips.
    StaleEvent,
    /// A critical event vanishes without being counted.
    LostCriticalEvent,
    /// Nothing is taken from a consumer that stalls.
    NoTakeOver,
}

impl Plant {
    /// The fault in words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Plant::None => "nothing",
            Plant::SlowConsumer => "a consumer that burns 100 us on every event",
            Plant::Allocation => "an allocation on one event in a hundred",
            Plant::SmallLanes => "lanes of 64 slots before a consumer that stalls",
            Plant::SmallPool => "a pool of one place for what waits for its turn",
            Plant::LeakedSlot => "a slot that is never returned",
            Plant::SwallowedFailure => "a failure that is not reported",
            Plant::ForgottenReturn => "a ring that forgets that a slot was returned",
            Plant::OneCore => "all consumers on one core",
            Plant::StaleEvent => "a stale event handled by a consumer that skips",
            Plant::LostMarketEvent => "a market event lost without being counted",
            Plant::LostCriticalEvent => "a critical event lost without being counted",
            Plant::NoTakeOver => "a watchdog that takes nothing from a consumer that stalls",
        }
    }
}
