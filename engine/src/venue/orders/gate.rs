//! What may leave now: the one place that every request passes.

use crate::order::RateBucket;
use crate::venue::protocol::RequestClass;

/// Weight of queries a second, averaged over a second: a fifth of what Binance allows an address.
const QUERY_WEIGHT_PER_S: u32 = 20;

/// Holds requests back while the venue wants a pause, and queries to their share of the budget.
#[derive(Debug)]
pub(super) struct Gate {
    queries: RateBucket,
    until_ns: u64,
}

impl Gate {
    pub(super) fn new() -> Gate {
        Gate { queries: RateBucket::new(QUERY_WEIGHT_PER_S), until_ns: 0 }
    }

    /// Whether a request of this class and weight may be sent now.
    #[inline]
    pub(super) fn may_send(&mut self, class: RequestClass, weight: u32, now_ns: u64) -> bool {
        if now_ns < self.until_ns {
            return false;
        }
        class != RequestClass::Query || self.queries.take(now_ns, weight)
    }

    /// The venue wants nothing before `until_ns`.
    pub(super) fn pause_until(&mut self, until_ns: u64) {
        self.until_ns = self.until_ns.max(until_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_all_and_the_budget_holds_queries_only() {
        let mut gate = Gate::new();
        for _ in 0..5 {
            assert!(gate.may_send(RequestClass::Query, 4, 0));
        }
        assert!(!gate.may_send(RequestClass::Query, 4, 0));
        assert!(gate.may_send(RequestClass::Order, 1, 0));
        assert!(gate.may_send(RequestClass::Query, 4, 1_000_000_000));
        gate.pause_until(3_000_000_000);
        gate.pause_until(2_000_000_000);
        assert!(!gate.may_send(RequestClass::Cancel, 1, 2_999_999_999));
        assert!(gate.may_send(RequestClass::Cancel, 1, 3_000_000_000));
    }
}
