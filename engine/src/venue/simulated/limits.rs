//! What the venue allows, and what it does to who takes more.
//!
//! Source: the venue's "Limits" and "Unfilled order count" pages. Weights count by address (here:
//! all clients together), orders by account. Windows are whole minutes, ten seconds and days of the
//! venue's clock. Who goes on after a 429 is banned: two minutes, then twice as long each time, at
//! most three days.

use std::collections::VecDeque;
use std::sync::Arc;

use super::moment::Moment;
use super::penalties::{Penalties, Penalty};

const MINUTE_MS: i64 = 60_000;
/// Connection attempts are counted over this time.
const ATTEMPTS_WINDOW_NS: u64 = 300_000_000_000;
/// Requests of one minute after its first 429 that lead to a ban.
const IGNORED_MAX: u32 = 10;
const BAN_FIRST_MS: i64 = 2 * MINUTE_MS;
const BAN_MAX_MS: i64 = 3 * 24 * 60 * MINUTE_MS;

/// What happens to who breaks a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// What the real venue does.
    Strict,
    /// It is counted as a penalty and nothing else.
    CountOnly,
}

/// The venue's limits; the default is the real venue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRules {
    /// Whether they are enforced.
    pub enforcement: Enforcement,
    /// Request weight of an address in a minute.
    pub weight_per_min: u32,
    /// Unfilled orders of an account in ten seconds.
    pub orders_per_10s: u32,
    /// Unfilled orders of an account in a day.
    pub orders_per_day: u32,
    /// WebSocket connection attempts of an address in five minutes.
    pub connections_per_5min: usize,
    /// Streams of one connection.
    pub streams_per_connection: usize,
    /// Messages of a client in a second on a stream connection, pings and pongs included.
    pub messages_per_s: u32,
    /// A connection is closed after this time, milliseconds.
    pub connection_life_ms: u64,
    /// So long before, it is told, milliseconds.
    pub shutdown_notice_ms: u64,
}

impl Default for LimitRules {
    fn default() -> LimitRules {
        LimitRules {
            enforcement: Enforcement::Strict,
            weight_per_min: 6_000,
            orders_per_10s: 50,
            orders_per_day: 160_000,
            connections_per_5min: 300,
            streams_per_connection: 1_024,
            messages_per_s: 5,
            connection_life_ms: 24 * 60 * 60 * 1_000,
            shutdown_notice_ms: 10 * 60 * 1_000,
        }
    }
}

impl LimitRules {
    /// Whether they are more than counted.
    pub(super) fn is_strict(&self) -> bool {
        self.enforcement == Enforcement::Strict
    }
}

/// The answer to a request for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Granted,
    /// Not before then, milliseconds of the epoch.
    SlowDown {
        until_ms: i64,
    },
    /// The address is banned until then, milliseconds of the epoch.
    Banned {
        until_ms: i64,
    },
}

/// An order count that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderCountExceeded {
    pub limit: u32,
    /// `10 SECOND` or `1 DAY`, as the venue writes it.
    pub interval: &'static str,
    /// When the window ends, milliseconds of the epoch.
    pub until_ms: i64,
}

/// A count that starts anew in each window of time.
#[derive(Clone, Copy, Debug)]
struct Window {
    length_ms: i64,
    number: i64,
    count: u32,
}

/// The counts of one address and its account.
pub struct Limits {
    rules: LimitRules,
    penalties: Arc<Penalties>,
    weight: Window,
    /// Requests of this minute after its first refusal.
    ignored: u32,
    bans: u32,
    banned_until_ms: i64,
    orders_10s: Window,
    orders_day: Window,
    attempts_ns: VecDeque<u64>,
}

impl Limits {
    pub fn new(rules: LimitRules, penalties: Arc<Penalties>) -> Limits {
        Limits {
            rules,
            penalties,
            weight: Window::of(MINUTE_MS),
            ignored: 0,
            bans: 0,
            banned_until_ms: 0,
            orders_10s: Window::of(10_000),
            orders_day: Window::of(24 * 60 * MINUTE_MS),
            attempts_ns: VecDeque::new(),
        }
    }

    pub fn rules(&self) -> &LimitRules {
        &self.rules
    }

    /// Charges the weight of a request, also of one that is refused for it.
    pub fn charge(&mut self, weight: u32, now: Moment) -> Admission {
        let now_ms = now.epoch_ms;
        if now_ms < self.banned_until_ms {
            self.penalties.add(Penalty::WhileBanned);
            return Admission::Banned { until_ms: self.banned_until_ms };
        }
        if self.weight.count(now_ms) <= self.rules.weight_per_min {
            self.ignored = 0;
        }
        self.weight.add(weight, now_ms);
        if self.weight.count(now_ms) <= self.rules.weight_per_min {
            return Admission::Granted;
        }
        self.penalties.add(Penalty::Weight);
        self.ignored += 1;
        if !self.is_strict() {
            return Admission::Granted;
        }
        if self.ignored > IGNORED_MAX {
            self.penalties.add(Penalty::Ban);
            let length_ms = (BAN_FIRST_MS << self.bans.min(16)).min(BAN_MAX_MS);
            self.bans += 1;
            self.ban(length_ms, now);
            return Admission::Banned { until_ms: self.banned_until_ms };
        }
        Admission::SlowDown { until_ms: self.weight.end_ms(now_ms) }
    }

    /// Gives weight back: some requests weigh nothing once they have succeeded.
    pub fn refund(&mut self, weight: u32, now: Moment) {
        self.weight.take_back(weight, now.epoch_ms);
    }

    /// Bans the address, whatever it did.
    pub fn ban(&mut self, length_ms: i64, now: Moment) {
        self.banned_until_ms = now.epoch_ms + length_ms;
    }

    /// Counts a connection attempt.
    pub fn connect(&mut self, now: Moment) -> Admission {
        let is_old = |&at_ns: &u64| at_ns + ATTEMPTS_WINDOW_NS <= now.ns;
        while self.attempts_ns.front().is_some_and(is_old) {
            self.attempts_ns.pop_front();
        }
        if self.attempts_ns.len() < self.rules.connections_per_5min {
            self.attempts_ns.push_back(now.ns);
            return Admission::Granted;
        }
        self.penalties.add(Penalty::Connections);
        if !self.is_strict() {
            return Admission::Granted;
        }
        let oldest_ns = self.attempts_ns.front().copied().unwrap_or(now.ns);
        let wait_ms = (oldest_ns + ATTEMPTS_WINDOW_NS - now.ns) / 1_000_000 + 1;
        Admission::SlowDown { until_ms: now.epoch_ms + wait_ms as i64 }
    }

    /// Counts an order, or refuses it.
    ///
    /// # Errors
    /// Which count is used up.
    pub fn order(&mut self, now: Moment) -> Result<(), OrderCountExceeded> {
        let now_ms = now.epoch_ms;
        let rules = self.rules;
        let counts = [
            (&self.orders_10s, rules.orders_per_10s, "10 SECOND"),
            (&self.orders_day, rules.orders_per_day, "1 DAY"),
        ];
        for (window, limit, interval) in counts {
            if window.count(now_ms) >= limit {
                self.penalties.add(Penalty::OrderCount);
                if self.is_strict() {
                    let until_ms = window.end_ms(now_ms);
                    return Err(OrderCountExceeded { limit, interval, until_ms });
                }
            }
        }
        self.orders_10s.add(1, now_ms);
        self.orders_day.add(1, now_ms);
        Ok(())
    }

    /// A request came that needs a logon, before any.
    pub fn before_logon(&self) {
        self.penalties.add(Penalty::BeforeLogon);
    }

    /// Gives an order's count back: once it is filled, or refused for itself, it counts no more.
    pub fn give_back(&mut self, now: Moment) {
        self.orders_10s.take_back(1, now.epoch_ms);
        self.orders_day.take_back(1, now.epoch_ms);
    }

    /// Whether a connection may have so many streams.
    pub fn streams(&self, count: usize) -> bool {
        if count > self.rules.streams_per_connection {
            self.penalties.add(Penalty::Streams);
            return !self.is_strict();
        }
        true
    }

    /// Used weight of the minute, orders of ten seconds, orders of the day.
    pub fn used(&self, now: Moment) -> [u32; 3] {
        [&self.weight, &self.orders_10s, &self.orders_day].map(|window| window.count(now.epoch_ms))
    }

    fn is_strict(&self) -> bool {
        self.rules.is_strict()
    }
}

impl Window {
    fn of(length_ms: i64) -> Window {
        Window { length_ms, number: 0, count: 0 }
    }

    fn count(&self, now_ms: i64) -> u32 {
        if self.number == now_ms / self.length_ms { self.count } else { 0 }
    }

    fn end_ms(&self, now_ms: i64) -> i64 {
        (now_ms / self.length_ms + 1) * self.length_ms
    }

    fn add(&mut self, count: u32, now_ms: i64) {
        self.count = self.count(now_ms).saturating_add(count);
        self.number = now_ms / self.length_ms;
    }

    fn take_back(&mut self, count: u32, now_ms: i64) {
        self.count = self.count(now_ms).saturating_sub(count);
        self.number = now_ms / self.length_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment { ns: 1, epoch_ms: 600_000 };

    fn limits(enforcement: Enforcement) -> Limits {
        let rules = LimitRules { enforcement, ..LimitRules::default() };
        Limits::new(rules, Arc::default())
    }

    #[test]
    fn weight_beyond_the_minutes_is_refused_until_it_ends_and_then_punished() {
        let mut limits = limits(Enforcement::Strict);
        assert_eq!(limits.charge(6_000, START), Admission::Granted);
        for _ in 0..IGNORED_MAX {
            assert_eq!(limits.charge(1, START), Admission::SlowDown { until_ms: 660_000 });
        }
        assert_eq!(limits.charge(1, START), Admission::Banned { until_ms: 720_000 });
        assert_eq!(
            limits.charge(1, START.later_ms(60_000)),
            Admission::Banned { until_ms: 720_000 }
        );
        assert_eq!(limits.charge(1, START.later_ms(120_000)), Admission::Granted);
        assert_eq!(limits.penalties.count(Penalty::Weight), u64::from(IGNORED_MAX) + 1);
        assert_eq!(limits.penalties.count(Penalty::Ban), 1);
        assert_eq!(limits.penalties.count(Penalty::WhileBanned), 1);
    }

    #[test]
    fn a_second_ban_lasts_twice_as_long() {
        let mut limits = limits(Enforcement::Strict);
        (0..=IGNORED_MAX).for_each(|_| _ = limits.charge(7_000, START));
        let later = START.later_ms(120_000);
        (0..IGNORED_MAX).for_each(|_| _ = limits.charge(7_000, later));
        assert_eq!(limits.charge(1, later), Admission::Banned { until_ms: 720_000 + 240_000 });
    }

    #[test]
    fn who_only_counts_refuses_nothing() {
        let mut limits = limits(Enforcement::CountOnly);
        assert_eq!(limits.charge(6_001, START), Admission::Granted);
        assert!((0..51).all(|_| limits.order(START).is_ok()));
        assert!(limits.streams(1_025));
        assert_eq!(limits.penalties.total(), 3);
    }

    #[test]
    fn fills_give_orders_back() {
        let mut limits = limits(Enforcement::Strict);
        assert!((0..50).all(|_| limits.order(START).is_ok()));
        let refusal = limits.order(START).expect_err("the fifty-first");
        assert_eq!((refusal.limit, refusal.interval, refusal.until_ms), (50, "10 SECOND", 610_000));
        limits.give_back(START);
        assert!(limits.order(START).is_ok());
        assert_eq!(limits.used(START), [0, 50, 50]);
        assert_eq!(limits.used(START.later_ms(10_000)), [0, 0, 50]);
    }

    #[test]
    fn three_hundred_connections_in_five_minutes_are_enough() {
        let mut limits = limits(Enforcement::Strict);
        assert!((0..300).all(|_| limits.connect(START) == Admission::Granted));
        assert!(matches!(limits.connect(START), Admission::SlowDown { .. }));
        assert_eq!(limits.connect(START.later_ms(300_000)), Admission::Granted);
    }
}
