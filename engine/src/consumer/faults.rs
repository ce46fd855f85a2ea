//! Planted faults of the engine itself: what a check of the engine must be able to see.

/// Faults planted into a consumer's wrapper, to prove that accounts and checks notice them. Each is
/// the number, from 1, of what it strikes; 0 = never. Nothing but tests and `verify --canary` sets
/// one.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerFaults {
    /// The market event that is lost without being counted.
    pub lose_market_event: u64,
    /// The critical event that is lost without being counted.
    pub lose_critical_event: u64,
    /// The stale market event that is handled by a consumer that skips.
    pub handle_stale: u64,
    /// The market event whose slot is never returned.
    pub leak_slot: u64,
    /// The failed callback that nobody hears of.
    pub swallow_failure: u64,
}
