//! The governor: the one place that knows what a venue allows, for everything that leaves.
//!
//! Promises: in no window of a limit, wherever the venue's clock has it begin, more leaves than the
//! limit; a penalty is obeyed to its end, however long; a request that is held back is told when it
//! may be tried again and why, and is counted. Cancels may use what is held in reserve from all
//! other classes. A decision takes no lock that is waited for, and no allocation.
//!
//! Venues count in fixed windows by their own clocks. Where those windows begin is not known to
//! better than our clocks agree, so each limit is kept over *every* interval of its length: time is
//! cut into slices of a seventh of the window, and the eight slices that such an interval can touch
//! never hold more than the limit.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

/// Slices that an interval of a window's length can touch.
const SLICES: usize = 8;

/// Looks whether another decision, which takes nanoseconds, is over.
const TRIES: u32 = 64;

/// A decision that still finds another one under way is asked for again after this time, ns.
const BUSY_NS: u64 = 1_000;

/// What a request is for. Stable order: classes are indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestClass {
    /// A new order, or an amended one.
    Order,
    /// A cancel.
    Cancel,
    /// A question on an order or the account.
    Query,
    /// A book's snapshot.
    Snapshot,
    /// An attempt to connect.
    Connect,
}

/// How many there are.
pub const REQUEST_CLASSES: usize = 5;

impl RequestClass {
    /// All of them.
    pub const ALL: [RequestClass; REQUEST_CLASSES] = [
        RequestClass::Order,
        RequestClass::Cancel,
        RequestClass::Query,
        RequestClass::Snapshot,
        RequestClass::Connect,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RequestClass::Order => "order",
            RequestClass::Cancel => "cancel",
            RequestClass::Query => "query",
            RequestClass::Snapshot => "snapshot",
            RequestClass::Connect => "connect",
        }
    }

    /// The part of each limit that requests of this class may fill, in thousandths; the rest is
    /// held in reserve for those that matter more.
    const fn share(self) -> u64 {
        match self {
            RequestClass::Cancel => 1_000,
            RequestClass::Order | RequestClass::Connect => 950,
            RequestClass::Query => 800,
            RequestClass::Snapshot => 750,
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Weight of requests from one address.
    Weight,
    /// New orders of one account.
    Orders,
    /// Attempts to connect from one address.
    Connects,
}

/// One limit, as a venue publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Limit {
    /// What is counted.
    pub counts: Counted,
    /// How much of it, at least 1.
    pub amount: u32,
    /// In each window of this length, ns, at least 1.
    pub window_ns: u64,
}

/// A request that must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// When it may be tried again, ns of the engine's clock.
    pub until_ns: u64,
    /// Why.
    pub reason: HoldReason,
}

/// Why a request must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// A limit of the venue would be passed.
    Limit(Counted),
    /// The venue has asked for a pause, or banned us.
    Penalty,
    /// Another request is being decided on this very moment.
    Busy,
}

/// What the governor holds back and how full its limits are.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct GovernorReading {
    /// Held back, by class.
    pub held_back: [u64; REQUEST_CLASSES],
    /// Sent, by class.
    pub sent: [u64; REQUEST_CLASSES],
    /// What is left of the longest penalty of any class, ms; 0 when there is none.
    pub penalty_left_ms: u64,
    /// Penalties that the venue gave.
    pub penalties: u64,
    /// Limit, and what of it is used over its window.
    pub limits: Vec<(Limit, u64)>,
}

/// What one venue allows; shared by all that asks it for anything. The default one knows no limit.
#[derive(Clone, Debug, Default)]
pub struct Governor(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    windows: Vec<Window>,
    /// By class: what the venue wants nothing of before that.
    penalty_until_ns: [u64; REQUEST_CLASSES],
    penalties: u64,
    held_back: [u64; REQUEST_CLASSES],
    sent: [u64; REQUEST_CLASSES],
}

impl Governor {
    /// A governor of these limits.
    #[must_use]
    pub fn new(limits: &[Limit]) -> Governor {
        let windows = limits.iter().copied().map(Window::new).collect();
        Governor(Arc::new(Mutex::new(State { windows, ..State::default() })))
    }

    /// Whether a request of this class and weight may be sent now; it is counted when it may.
    ///
    /// # Errors
    /// [`HeldBack`] says when to try again, and why. What is larger than a whole limit can never be
    /// sent.
    #[inline]
    pub fn may_send(&self, class: RequestClass, weight: u32, now_ns: u64) -> Result<(), HeldBack> {
        for _ in 0..TRIES {
            if let Some(mut state) = self.0.try_lock() {
                return state.decide(class, weight, now_ns);
            }
            std::hint::spin_loop();
        }
        Err(HeldBack { until_ns: now_ns + BUSY_NS, reason: HoldReason::Busy })
    }

    /// The venue wants nothing before `until_ns`.
    pub fn penalty(&self, until_ns: u64) {
        self.penalty_of(&RequestClass::ALL, until_ns);
    }

    /// The venue wants nothing of these classes before `until_ns`; the others go on. Too many new
    /// orders are no reason to hold a cancel back.
    pub fn penalty_of(&self, classes: &[RequestClass], until_ns: u64) {
        let mut state = self.state();
        state.penalties += 1;
        for class in classes {
            let until = &mut state.penalty_until_ns[*class as usize];
            *until = (*until).max(until_ns);
        }
    }

    /// A reading at `now_ns`.
    #[must_use]
    pub fn reading(&self, now_ns: u64) -> GovernorReading {
        let mut state = self.state();
        state.windows.iter_mut().for_each(|window| window.advance(now_ns));
        GovernorReading {
            held_back: state.held_back,
            sent: state.sent,
            penalty_left_ms: {
                let until_ns = state.penalty_until_ns.into_iter().max().unwrap_or(0);
                until_ns.saturating_sub(now_ns).div_ceil(1_000_000)
            },
            penalties: state.penalties,
            limits: state.windows.iter().map(|window| (window.limit, window.sum)).collect(),
        }
    }

    /// For what is rare: answers with a word on limits, and readings. Held for nanoseconds.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    fn decide(&mut self, class: RequestClass, weight: u32, now_ns: u64) -> Result<(), HeldBack> {
        let until_ns = self.penalty_until_ns[class as usize];
        let held_back = if now_ns < until_ns {
            Some(HeldBack { until_ns, reason: HoldReason::Penalty })
        } else {
            let windows = self.windows.iter_mut();
            windows
                .filter_map(|window| window.hold(class, weight, now_ns))
                .max_by_key(|h| h.until_ns)
        };
        if let Some(held_back) = held_back {
            self.held_back[class as usize] += 1;
            return Err(held_back);
        }
        for window in &mut self.windows {
            window.add(window.cost(class, weight));
        }
        self.sent[class as usize] += 1;
        Ok(())
    }
}

/// A limit, and what was sent in the slices that count for it.
#[derive(Debug)]
struct Window {
    limit: Limit,
    slice_ns: u64,
    slices: [u64; SLICES],
    /// Number of the slice that is being filled; its place is the remainder by [`SLICES`].
    slice: u64,
    /// Of all slices.
    sum: u64,
}

impl Window {
    fn new(limit: Limit) -> Window {
        let slice_ns = limit.window_ns.div_ceil(SLICES as u64 - 1).max(1);
        Window { limit, slice_ns, slices: [0; SLICES], slice: 0, sum: 0 }
    }

    /// What a request costs here.
    fn cost(&self, class: RequestClass, weight: u32) -> u64 {
        match (self.limit.counts, class) {
            (Counted::Weight, _) => weight.into(),
            (Counted::Orders, RequestClass::Order) | (Counted::Connects, RequestClass::Connect) => {
                1
            }
            (Counted::Orders | Counted::Connects, _) => 0,
        }
    }

    /// Why and until when the request must wait for this limit.
    fn hold(&mut self, class: RequestClass, weight: u32, now_ns: u64) -> Option<HeldBack> {
        self.advance(now_ns);
        let cost = self.cost(class, weight);
        let share = u64::from(self.limit.amount) * class.share() / 1_000;
        // A class that may use only a part of the limit may still send one request that is larger.
        let most = share.max(cost.min(self.limit.amount.into()));
        if cost == 0 || self.sum + cost <= most {
            return None;
        }
        let until_ns = self.room_at(self.sum + cost - most.min(self.sum + cost));
        let reason = HoldReason::Limit(self.limit.counts);
        Some(HeldBack { until_ns: until_ns.max(now_ns + 1), reason })
    }

    /// Forgets the slices that are over.
    fn advance(&mut self, now_ns: u64) {
        let slice = now_ns / self.slice_ns;
        // A clock that stepped back counts on in the slice that it had reached.
        let passed = slice.saturating_sub(self.slice);
        for step in 1..=passed.min(SLICES as u64) {
            let place = ((self.slice + step) % SLICES as u64) as usize;
            self.sum -= std::mem::take(&mut self.slices[place]);
        }
        self.slice = self.slice.max(slice);
    }

    fn add(&mut self, amount: u64) {
        self.slices[(self.slice % SLICES as u64) as usize] += amount;
        self.sum += amount;
    }

    /// When so much of what was sent no longer counts.
    fn room_at(&self, wanted: u64) -> u64 {
        let mut freed = 0;
        for step in 1..=SLICES as u64 {
            freed += self.slices[((self.slice + step) % SLICES as u64) as usize];
            if freed >= wanted {
                return (self.slice + step) * self.slice_ns;
            }
        }
        (self.slice + SLICES as u64) * self.slice_ns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000_000;
    const WEIGHT: Limit = Limit { counts: Counted::Weight, amount: 6_000, window_ns: 60 * S };
    const ORDERS: Limit = Limit { counts: Counted::Orders, amount: 100, window_ns: 10 * S };

    #[test]
    fn snapshots_leave_a_reserve_and_are_told_when_to_come_back() {
        let governor = Governor::new(&[WEIGHT]);
        let ask = |now_ns| governor.may_send(RequestClass::Snapshot, 250, now_ns);
        let sent = (0..40).filter(|_| ask(S).is_ok()).count();
        assert_eq!(sent, 18, "three quarters of 6,000");
        let held_back = ask(S).unwrap_err();
        assert_eq!(held_back.reason, HoldReason::Limit(Counted::Weight));
        assert!(ask(held_back.until_ns - 1).is_err() && ask(held_back.until_ns).is_ok());
        assert!(held_back.until_ns <= S + 70 * S, "{held_back:?}");
        let reading = governor.reading(held_back.until_ns);
        assert_eq!((reading.sent[3], reading.held_back[3]), (19, 24));
    }

    #[test]
    fn cancels_have_what_no_other_kind_may_use() {
        let governor = Governor::new(&[WEIGHT, ORDERS]);
        while governor.may_send(RequestClass::Query, 4, 0).is_ok() {}
        while governor.may_send(RequestClass::Order, 60, 0).is_ok() {}
        let sent = (0..1_000).filter(|_| governor.may_send(RequestClass::Cancel, 1, 0).is_ok());
        assert!(sent.count() >= 300, "a twentieth of 6,000");
    }

    #[test]
    fn orders_are_counted_by_account_and_no_other_kind_is() {
        let governor = Governor::new(&[ORDERS]);
        let order = |now_ns| governor.may_send(RequestClass::Order, 1, now_ns);
        assert_eq!((0..1_000).filter(|_| order(0).is_ok()).count(), 95);
        assert_eq!(order(0).unwrap_err().reason, HoldReason::Limit(Counted::Orders));
        assert!(governor.may_send(RequestClass::Cancel, 1, 0).is_ok());
    }

    #[test]
    fn a_penalty_is_obeyed_to_its_end_and_never_shortened() {
        let governor = Governor::new(&[WEIGHT]);
        let three_days_ns = 3 * 24 * 3_600 * S;
        governor.penalty(three_days_ns);
        governor.penalty(S);
        for class in RequestClass::ALL {
            let held_back = governor.may_send(class, 1, three_days_ns - 1).unwrap_err();
            assert_eq!(held_back.until_ns, three_days_ns);
            assert_eq!(held_back.reason, HoldReason::Penalty);
        }
        assert_eq!(governor.reading(three_days_ns - S).penalty_left_ms, 1_000);
        assert!(governor.may_send(RequestClass::Order, 1, three_days_ns).is_ok());
    }

    #[test]
    fn a_penalty_of_orders_holds_no_cancel_back() {
        let governor = Governor::new(&[WEIGHT, ORDERS]);
        governor.penalty_of(&[RequestClass::Order], 5 * S);
        let may = |class| governor.may_send(class, 1, S).is_ok();
        assert!(!may(RequestClass::Order));
        assert!(may(RequestClass::Cancel) && may(RequestClass::Query));
        assert_eq!(governor.reading(S).penalty_left_ms, 4_000);
        assert!(governor.may_send(RequestClass::Order, 1, 5 * S).is_ok());
    }

    #[test]
    fn a_decision_allocates_nothing() {
        let governor = Governor::new(&[WEIGHT, ORDERS]);
        let allocated = crate::allocations_of(|| {
            for n in 0..1_000 {
                let _sent = governor.may_send(RequestClass::Order, 1, n * S / 10);
            }
        });
        assert_eq!(allocated, 0);
    }

    proptest! {
        /// Whatever is asked for when, and wherever the venue has its windows begin: none holds
        /// more than the limit.
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            amount in 1_u32..400,
            window_ns in 7_u64..100_000,
            offset_ns in 0_u64..100_000,
            demand in prop::collection::vec((0_u64..5_000, 1_u32..300, 0_usize..5), 1..400),
        ) {
            let limit = Limit { counts: Counted::Weight, amount, window_ns };
            let governor = Governor::new(&[limit]);
            let (mut now_ns, mut sent) = (0, Vec::new());
            for (step_ns, weight, class) in demand {
                now_ns += step_ns;
                match governor.may_send(RequestClass::ALL[class], weight, now_ns) {
                    Ok(()) => sent.push((now_ns, weight)),
                    Err(held_back) => prop_assert!(held_back.until_ns > now_ns),
                }
            }
            let mut of_windows = std::collections::HashMap::new();
            for (at_ns, weight) in sent {
                let used: &mut u64 = of_windows.entry((at_ns + offset_ns) / window_ns).or_default();
                *used += u64::from(weight);
                prop_assert!(*used <= u64::from(amount));
            }
        }
    }
}
