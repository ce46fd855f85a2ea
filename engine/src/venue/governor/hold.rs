//! Why and until when a request must wait.

use super::Counted;

/// A request that must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// When it may be tried again, ns of the engine's clock.
    pub until_ns: u64,
    /// Why.
    pub reason: HoldReason,
}

/// Why a request must wait. Stable order: reasons are indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// The weight that the venue allows is used up.
    Weight,
    /// The orders, or the amendments, that the venue allows are used up.
    Orders,
    /// The attempts to connect that the venue allows are used up.
    Connects,
    /// The requests that the venue allows are used up.
    Requests,
    /// The venue has asked for a pause, or banned us.
    Pause,
    /// Its strategy's share of the orders is used up.
    Share,
    /// Attempts to connect are spread over time: half of them are used.
    Pace,
    /// The venue refused the same again and again.
    Refusals,
    /// The messages of a connection that the venue allows are used up.
    Messages,
    /// Another request is being decided on this very moment.
    Busy,
}

/// How many there are.
pub const HOLD_REASONS: usize = 10;

impl HoldReason {
    /// All of them.
    pub const ALL: [HoldReason; HOLD_REASONS] = [
        HoldReason::Weight,
        HoldReason::Orders,
        HoldReason::Connects,
        HoldReason::Requests,
        HoldReason::Pause,
        HoldReason::Share,
        HoldReason::Pace,
        HoldReason::Refusals,
        HoldReason::Messages,
        HoldReason::Busy,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HoldReason::Weight => "weight",
            HoldReason::Orders => "orders",
            HoldReason::Connects => "connects",
            HoldReason::Requests => "requests",
            HoldReason::Pause => "pause",
            HoldReason::Share => "share",
            HoldReason::Pace => "pace",
            HoldReason::Refusals => "refusals",
            HoldReason::Messages => "messages",
            HoldReason::Busy => "busy",
        }
    }

    pub(super) const fn of_limit(counts: Counted) -> HoldReason {
        match counts {
            Counted::Weight => HoldReason::Weight,
            Counted::Orders | Counted::Amends => HoldReason::Orders,
            Counted::Connects => HoldReason::Connects,
            Counted::Requests => HoldReason::Requests,
        }
    }
}
