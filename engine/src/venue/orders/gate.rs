//! What may leave now: the one place that every request passes.

use super::requests_in_flight::Asked;
use crate::event::RejectReason;
use crate::rate::Rate;
use crate::venue::governor::{Governor, HoldReason, PauseScope, RequestClass};
use crate::venue::protocol::Outcome;

/// Between two questions about orders at their rate, ns: five a second of weight 4 are a fifth of
/// what Binance allows an address.
const QUERY_INTERVAL_NS: u64 = 200_000_000;

/// Questions at once after a pause.
const QUERY_BURST: u64 = 5;

/// Holds requests back while the venue allows no more, and queries to their share of the budget.
#[derive(Debug)]
pub(super) struct Gate {
    governor: Governor,
    queries: Rate,
    query_due_ns: u64,
    /// Code with which an order was refused last; 0 before the first.
    pub(super) refused_last: i32,
    /// The venue wanted a pause and did not say for how long.
    pub(super) is_slowed: bool,
    /// Codes for too many requests of one kind.
    by_kind: &'static [i32],
    /// The message in hand was answered over REST.
    pub(super) is_over_rest: bool,
    /// How long the answer in hand wants nothing, by its `Retry-After`, ns.
    pub(super) rest_wait_ns: Option<u64>,
}

impl Gate {
    /// Where a venue counts each kind of request by itself, `by_kind` are the codes that say so.
    pub(super) fn new(governor: Governor, by_kind: &'static [i32]) -> Gate {
        let queries = Rate::every(QUERY_INTERVAL_NS, QUERY_BURST);
        Gate {
            governor,
            queries,
            query_due_ns: 0,
            refused_last: 0,
            is_slowed: false,
            by_kind,
            is_over_rest: false,
            rest_wait_ns: None,
        }
    }

    /// Whether a request of this class and weight may be sent now.
    #[inline]
    pub(super) fn may_send(&mut self, class: RequestClass, weight: u32, now_ns: u64) -> bool {
        let mut due_ns = self.query_due_ns;
        if class == RequestClass::Query && !self.queries.admits(&mut due_ns, now_ns) {
            return false;
        }
        let is_allowed = self.governor.may_send(class, weight, now_ns).is_ok();
        if is_allowed {
            self.query_due_ns = due_ns;
        }
        is_allowed
    }

    /// Whether a new order of a strategy may be sent now.
    ///
    /// # Errors
    /// Why not, as the strategy is told.
    #[inline]
    pub(super) fn may_order(
        &mut self,
        consumer: u16,
        weight: u32,
        now_ns: u64,
    ) -> Result<(), RejectReason> {
        let held = self.governor.may_order(consumer, weight, now_ns);
        held.map_err(|held_back| match held_back.reason {
            HoldReason::Share => RejectReason::FairShare,
            _ => RejectReason::SlowDown,
        })
    }

    /// What an answer of this status stops that wants nothing for a while.
    pub(super) fn slow_down_scope(&self, status: u16) -> PauseScope {
        match (self.is_over_rest, status) {
            // A ban of the address: who knocks on, be it with cancels, is banned for longer.
            (_, 418) => PauseScope::Address,
            // What is asked too often there holds up no cancel over a session that stands.
            (true, _) => PauseScope::AllButCancels,
            (false, _) => PauseScope::Address,
        }
    }

    /// What a failure of this request means here. Where too many new orders came in, cancels are
    /// counted by themselves: they go on.
    pub(super) fn meaning(&self, asked: Asked, outcome: Outcome, code: i32) -> Outcome {
        let adds_risk = matches!(asked, Asked::Submit(_) | Asked::Amend(_));
        match outcome {
            Outcome::SlowDown if adds_risk && self.by_kind.contains(&code) => {
                Outcome::TooManyOrders
            }
            outcome => outcome,
        }
    }

    /// What the venue allows.
    pub(super) fn governor(&self) -> &Governor {
        &self.governor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ClientOrderId, ConsumerId};
    use crate::order::OrderKey;
    use crate::venue::governor::{Counted, Limit, PauseCause};
    use crate::world::Clock;

    #[test]
    fn who_has_used_up_its_share_is_told_so_and_not_to_slow_down() {
        let limit = Limit { counts: Counted::Orders, amount: 100, window_ns: 10_000_000_000 };
        let mut gate = Gate::new(Governor::named("x", &[limit], 3), &[]);
        while gate.may_order(0, 1, 0).is_ok() {}
        assert_eq!(gate.may_order(0, 1, 0), Err(RejectReason::FairShare));
        assert_eq!(gate.may_order(1, 1, 0), Ok(()), "there is room for another");
    }

    #[test]
    fn a_pause_holds_all_and_the_budget_holds_queries_only() {
        let mut gate = Gate::new(Governor::default(), &[50_011]);
        for _ in 0..5 {
            assert!(gate.may_send(RequestClass::Query, 4, 0));
        }
        assert!(!gate.may_send(RequestClass::Query, 4, 0));
        assert!(gate.may_send(RequestClass::Order, 1, 0));
        assert!(gate.may_send(RequestClass::Query, 4, 1_000_000_000));
        let order = OrderKey { consumer: ConsumerId(0), id: ClientOrderId(1) };
        for (asked, code, outcome) in [
            (Asked::Submit(order), 50_011, Outcome::TooManyOrders),
            (Asked::Amend(order), 50_011, Outcome::TooManyOrders),
            (Asked::Cancel(order), 50_011, Outcome::SlowDown),
            (Asked::Submit(order), 60_014, Outcome::SlowDown),
        ] {
            assert_eq!(gate.meaning(asked, Outcome::SlowDown, code), outcome, "{asked:?} {code}");
        }
        let (clock, cause) = (Clock::manual(0).0, PauseCause::default());
        gate.governor().pause(PauseScope::Address, 3_000_000_000, cause, &clock);
        assert!(!gate.may_send(RequestClass::Cancel, 1, 2_999_999_999));
        assert!(gate.may_send(RequestClass::Cancel, 1, 3_000_000_000));
        // Told at a door, such as a handshake: a session that stands may take orders back.
        let door = PauseScope::Connects;
        let slow_down = PauseCause { status: 429, code: 0 };
        gate.governor().obey_http(door, slow_down, Some(9_000_000_000), &clock);
        assert!(gate.may_send(RequestClass::Cancel, 1, 8_000_000_000));
        assert_eq!(gate.may_order(0, 1, 8_000_000_000), Err(RejectReason::SlowDown));
        let banned = PauseCause { status: 418, code: 0 };
        gate.governor().obey_http(door, banned, Some(9_000_000_000), &clock);
        assert!(!gate.may_send(RequestClass::Cancel, 1, 8_000_000_000));
    }
}
