//! The governor: the one place that knows what a venue allows, for everything that leaves.
//!
//! Promises: in no window of a limit, wherever the venue's clock has it begin, more leaves than the
//! limit; what the venue itself says of its limits, and of how much of them is used, counts where
//! it is worse than what we think; a pause is obeyed to its end, however long; a request that is
//! held back is told when it may be tried again and why, and is counted. Cancels may use what is
//! held in reserve from all other classes, and no strategy can use up the orders of another. A
//! decision takes no lock that is waited for, and no allocation; a reading changes nothing and
//! holds up no decision.
//!
//! Venues count in fixed windows by their own clocks. Where those windows begin is not known to
//! better than our clocks agree, so each limit is kept over *every* interval of its length: time is
//! cut into slices of a seventh of the window, and the eight slices that such an interval can touch
//! never hold more than the limit.

mod allowance;
mod class;
mod hold;
mod pause;
mod share;
mod shared;
mod shown;
mod told_limits;
mod window;

use std::sync::Arc;

use arrayvec::ArrayVec;
use parking_lot::{Mutex, MutexGuard};

pub use allowance::{Allowance, LimitUse, PauseLeft};
pub use class::{Counted, Limit, REQUEST_CLASSES, RequestClass};
pub use hold::{HOLD_REASONS, HeldBack, HoldReason};
pub use pause::{PauseCause, PauseScope};
pub use told_limits::{ToldLimit, ToldLimits, UnknownLimit};

use self::pause::{Pauses, present};
use self::share::FairShare;
use self::shown::Shown;
use self::window::{Ask, Window};
use super::utc::utc_text;
use crate::world::Clock;

/// Looks whether another decision, which takes nanoseconds, is over.
const TRIES: u32 = 64;

/// A decision that still finds another one under way is asked for again after this time, ns.
const BUSY_NS: u64 = 1_000;

/// No pause is longer, s: a month; the longest ban that a venue is known for lasts three days.
const LONGEST_S: u64 = 31 * 86_400;
/// Pauses that the venue did not measure: after a ban, after 429, and after the firewall's 403, ns.
const BAN_NS: u64 = 120_000_000_000;
const SLOW_DOWN_NS: u64 = 60_000_000_000;
const FIREWALL_NS: u64 = 30_000_000_000;
/// The shortest pause that a venue can want, ns.
const SHORTEST_NS: u64 = 1_000_000_000;

/// Limits that a venue may have; one that it tells beyond them is not known.
const WINDOWS_MAX: usize = 10;
/// Limits that the venue may tell beside those that are known.
const SPARE_WINDOWS: usize = 4;
/// Kinds of limits that are not known and were named in the log.
const NAMED_MAX: usize = 16;

/// One limit in a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LimitReading {
    /// The limit.
    #[serde(flatten)]
    pub limit: Limit,
    /// What counts for it now: the worse of what was sent and of what the venue says.
    pub used: u64,
    /// The venue itself has said the limit.
    pub is_learned: bool,
}

/// One pause in a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PauseReading {
    /// What it stops.
    pub stops: &'static str,
    /// What is left of it, ms.
    pub left_ms: u64,
    /// Why it was imposed.
    #[serde(flatten)]
    pub cause: PauseCause,
}

/// What the governor holds back and how full its limits are.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct GovernorReading {
    /// Held back, by class.
    pub held_back: [u64; REQUEST_CLASSES],
    /// Held back, by reason.
    pub reasons: [u64; HOLD_REASONS],
    /// Sent, by class.
    pub sent: [u64; REQUEST_CLASSES],
    /// What is left of the longest penalty of any class, ms; 0 when there is none.
    pub penalty_left_ms: u64,
    /// Penalties that the venue gave.
    pub penalties: u64,
    /// Limits of kinds that are not known, as often as the venue told them.
    pub unknown_limits: u64,
    /// Each limit.
    pub limits: Vec<LimitReading>,
    /// Each pause that is not over.
    pub pauses: Vec<PauseReading>,
}

/// What one venue allows; shared by all that asks it for anything. The default one knows no limit.
#[derive(Clone, Debug, Default)]
pub struct Governor {
    own: Arc<Shared>,
    /// Where what the address has sent is counted, when another account was there first.
    address: Option<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The venue's name, for the log.
    venue: String,
    state: Mutex<State>,
    shown: Shown,
}

#[derive(Debug, Default)]
struct State {
    windows: ArrayVec<Window, WINDOWS_MAX>,
    /// For limits of orders that the venue tells later: nothing is allocated then.
    spare: Vec<FairShare>,
    pauses: Pauses,
    named: ArrayVec<UnknownLimit, NAMED_MAX>,
}

impl Governor {
    /// A governor of these limits, without a name, for one owner of orders.
    ///
    /// # Panics
    /// With more limits than a venue may have.
    #[must_use]
    pub fn new(limits: &[Limit]) -> Governor {
        Governor::named("venue", limits, 1)
    }

    /// The governor of a venue whose orders belong to so many owners, numbered from 0.
    ///
    /// # Panics
    /// With more limits than a venue may have.
    #[must_use]
    pub fn named(venue: &str, limits: &[Limit], owners: usize) -> Governor {
        let window = |limit: &Limit| {
            let owners = if limit.counts == Counted::Orders { owners } else { 0 };
            Window::new(*limit, FairShare::of(owners))
        };
        let windows: ArrayVec<_, WINDOWS_MAX> = limits.iter().map(window).collect();
        let shown = Shown::default();
        windows.iter().zip(&shown.windows).for_each(|(window, shown)| shown.learned(window));
        let spare = (0..SPARE_WINDOWS).map(|_| FairShare::of(owners)).collect();
        let state = State { windows, spare, ..State::default() };
        let own = Arc::new(Shared { venue: venue.to_owned(), state: Mutex::new(state), shown });
        Governor { own, address: None }
    }

    /// Whether a request of this class and weight may be sent now; it is counted when it may.
    ///
    /// # Errors
    /// [`HeldBack`] says when to try again, and why. What is larger than a whole limit can never be
    /// sent.
    #[inline]
    pub fn may_send(&self, class: RequestClass, weight: u32, now_ns: u64) -> Result<(), HeldBack> {
        self.decide(&Ask { class, weight, owner: None, now_ns })
    }

    /// As [`Governor::may_send`], for a new order of one owner: it has its share of what the venue
    /// allows.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn may_order(&self, owner: u16, weight: u32, now_ns: u64) -> Result<(), HeldBack> {
        self.decide(&Ask { class: RequestClass::Order, weight, owner: Some(owner), now_ns })
    }

    #[inline]
    fn decide(&self, ask: &Ask) -> Result<(), HeldBack> {
        for _ in 0..TRIES {
            let decided = match &self.address {
                None => {
                    self.own.state.try_lock().map(|mut state| state.decide(ask, &self.own.shown))
                }
                Some(address) => Governor::decide_with(&self.own, address, ask),
            };
            if let Some(outcome) = decided {
                return outcome;
            }
            std::hint::spin_loop();
        }
        Err(HeldBack { until_ns: ask.now_ns + BUSY_NS, reason: HoldReason::Busy })
    }

    /// Counts what somebody else held back for a reason of its own.
    pub fn note_held(&self, class: RequestClass, reason: HoldReason) {
        let _guard = self.state();
        self.own.shown.held(class, reason);
    }

    /// The venue wants nothing of this scope before `until_ns`. The log tells it once, with the
    /// time as a wall clock has it.
    ///
    /// One that is longer than any venue imposes says nothing of its end: it is taken for one
    /// without.
    pub fn pause(&self, scope: PauseScope, until_ns: u64, cause: PauseCause, clock: &Clock) {
        let wanted_s = until_ns.saturating_sub(clock.now_ns()) / 1_000_000_000;
        if wanted_s > LONGEST_S {
            log::warn!(
                "[{}] a pause of {wanted_s} s is not believed: taken for one without an end",
                self.own.venue
            );
            return self.pause_untold(scope, BAN_NS, cause, clock);
        }
        let impose = |pauses: &mut Pauses| pauses.impose(scope, until_ns, cause);
        if !self.keeper(scope).change_pauses(impose) {
            return;
        }
        let (venue, what) = (&self.own.venue, scope.name());
        let left_s = until_ns.saturating_sub(clock.now_ns()).div_ceil(1_000_000_000);
        let until = utc_text(clock.wall_at_ns(until_ns) / 1_000_000_000);
        log::warn!("[{venue}] a pause in {what} until {until}, {left_s} s from now ({cause})");
    }

    /// As [`Governor::pause`], where the venue did not say for how long: `first_ns` at first, and
    /// twice as long each time in a row.
    pub fn pause_untold(&self, scope: PauseScope, first_ns: u64, cause: PauseCause, clock: &Clock) {
        let now_ns = clock.now_ns();
        let mut state = self.keeper(scope).state.lock();
        let length_ns = state.pauses.untold_ns(scope, first_ns, now_ns);
        drop(state);
        self.pause(scope, now_ns.saturating_add(length_ns), cause, clock);
    }

    /// Obeys a refusal over HTTP at one of the venue's doors, `door`, that wants the next request
    /// after `wait_ns`, where it says so. Sources: the venue's "IP Limits" (418 and 429 are about
    /// the address; bans last from two minutes to three days) and "HTTP Return Codes" (403 is the
    /// firewall's).
    ///
    /// Only a ban (418) holds back cancels: who was asked at a door to slow down may still take
    /// orders back over a session that stands, since an order that can't be taken back costs more
    /// than a cancel that is refused. What a session is told about its own requests goes further.
    pub fn obey_http(
        &self,
        door: PauseScope,
        cause: PauseCause,
        wait_ns: Option<u64>,
        clock: &Clock,
    ) {
        let (scope, untold_ns) = match (cause.status, wait_ns) {
            (418, _) => (PauseScope::Address, BAN_NS),
            (429, _) => (PauseScope::AllButCancels, SLOW_DOWN_NS),
            (403, Some(_)) => (PauseScope::AllButCancels, 0),
            (403, None) => (door, FIREWALL_NS),
            (500.., Some(_)) => (door, 0),
            _ => return,
        };
        match wait_ns {
            // Who asks to slow down and names no time to come gets a second.
            Some(wait_ns) => {
                let until_ns = clock.now_ns().saturating_add(wait_ns.max(SHORTEST_NS));
                self.pause(scope, until_ns, cause, clock);
            }
            None => self.pause_untold(scope, untold_ns, cause, clock),
        }
    }

    /// The venue granted something of this scope: the next pause of an unknown length is short.
    pub fn granted(&self, scope: PauseScope) {
        self.keeper(scope).state.lock().pauses.granted(scope);
    }

    /// Lifts pauses of a scope, since their cause was set right.
    pub fn lift(&self, scope: PauseScope) {
        self.keeper(scope).change_pauses(|pauses| pauses.lift(scope));
    }

    /// Follows what the venue says of its limits. `wall_ns` is the wall time of `now_ns`.
    #[cold]
    pub fn learn(&self, limits: &ToldLimits, now_ns: u64, wall_ns: i64) {
        let unnamed = match &self.address {
            None => self.own.learn(limits, now_ns, wall_ns),
            Some(address) => {
                let [own, shared] = limits.by_keeper();
                let mut unnamed = self.own.learn(&own, now_ns, wall_ns);
                unnamed.extend(address.learn(&shared, now_ns, wall_ns));
                unnamed
            }
        };
        for name in unnamed {
            let venue = &self.own.venue;
            log::warn!("[{venue}] limit {name}: of a kind that is not known, and not kept");
        }
    }

    /// When a request of this class is out of all pauses, ns.
    #[must_use]
    pub fn paused_until_ns(&self, class: RequestClass) -> u64 {
        let own_ns = self.state().pauses.until_ns(class);
        let address = self.address.as_ref().map(|it| it.state.lock().pauses.of_address_ns(class));
        own_ns.max(address.unwrap_or(0))
    }

    /// The pauses that are not over: scope, end in ns, cause.
    #[must_use]
    pub fn pauses(&self, now_ns: u64) -> Vec<(PauseScope, u64, PauseCause)> {
        let address = self.address.iter().flat_map(|it| present(it.shown.ends(), now_ns));
        let address = address.filter(|(scope, ..)| scope.is_of_address());
        present(self.own.shown.ends(), now_ns).chain(address).collect()
    }

    /// A reading at `now_ns`. It holds up nobody.
    #[must_use]
    pub fn reading(&self, now_ns: u64) -> GovernorReading {
        let shown = &self.own.shown;
        let address = self.address.iter().flat_map(|it| it.shown.limits(now_ns));
        let address = address.filter(|it| shared::is_of_address(it.limit.counts));
        let left_ms = |until_ns: u64| until_ns.saturating_sub(now_ns).div_ceil(1_000_000);
        let pause = |(scope, until_ns, cause): (PauseScope, u64, PauseCause)| PauseReading {
            stops: scope.name(),
            left_ms: left_ms(until_ns),
            cause,
        };
        let pauses: Vec<_> = self.pauses(now_ns).into_iter().map(pause).collect();
        let (held_back, reasons) = shown.all_held();
        GovernorReading {
            held_back,
            reasons,
            sent: shown.all_sent(),
            penalty_left_ms: pauses.iter().map(|pause| pause.left_ms).max().unwrap_or(0),
            penalties: shown.penalties(),
            unknown_limits: shown.unknown_limits(),
            limits: shown.limits(now_ns).chain(address).collect(),
            pauses,
        }
    }

    /// For what is rare, as answers with news of limits. Held for nanoseconds.
    fn state(&self) -> MutexGuard<'_, State> {
        self.own.state.lock()
    }
}

impl Shared {
    fn change_pauses<R>(&self, change: impl FnOnce(&mut Pauses) -> R) -> R {
        let mut state = self.state.lock();
        let changed = change(&mut state.pauses);
        self.shown.paused(&state.pauses);
        changed
    }

    /// Names of kinds that are not known and were not named before.
    fn learn(
        &self,
        limits: &ToldLimits,
        now_ns: u64,
        wall_ns: i64,
    ) -> ArrayVec<UnknownLimit, NAMED_MAX> {
        let mut state = self.state.lock();
        let (unnamed, unknown) = state.learn(limits, now_ns, wall_ns);
        self.shown.unknown(unknown);
        let windows = state.windows.iter().zip(&self.shown.windows);
        windows.for_each(|(window, shown)| shown.learned(window));
        unnamed
    }
}

impl State {
    #[inline]
    fn decide(&mut self, ask: &Ask, shown: &Shown) -> Result<(), HeldBack> {
        let until_ns = self.pauses.until_ns(ask.class);
        if ask.now_ns < until_ns {
            return State::hold(ask, HeldBack { until_ns, reason: HoldReason::Pause }, shown);
        }
        let mut held_back: Option<HeldBack> = None;
        for window in &mut self.windows {
            let held = window.hold(ask);
            if held.is_some_and(|held| held_back.is_none_or(|h| held.until_ns > h.until_ns)) {
                held_back = held;
            }
        }
        if let Some(held_back) = held_back {
            return State::hold(ask, held_back, shown);
        }
        let windows = self.windows.iter_mut().zip(&shown.windows);
        windows.for_each(|(window, shown)| shown.add_to(window, ask));
        shown.sent(ask.class);
        Ok(())
    }

    #[cold]
    fn hold(ask: &Ask, held_back: HeldBack, shown: &Shown) -> Result<(), HeldBack> {
        shown.held(ask.class, held_back.reason);
        Err(held_back)
    }

    /// As [`Shared::learn`], and how many limits were not known.
    fn learn(
        &mut self,
        limits: &ToldLimits,
        now_ns: u64,
        wall_ns: i64,
    ) -> (ArrayVec<UnknownLimit, NAMED_MAX>, u64) {
        let mut unknown = u64::from(limits.unknown_count());
        let mut unnamed = ArrayVec::new();
        for name in limits.unknown() {
            if !self.named.contains(name) && self.named.try_push(*name).is_ok() {
                unnamed.push(*name);
            }
        }
        for told in limits.known() {
            let is_it = |window: &&mut Window| {
                (window.limit.counts, window.limit.window_ns) == (told.counts, told.window_ns)
            };
            if let Some(window) = self.windows.iter_mut().find(is_it) {
                unknown += u64::from(!window.learn(told, now_ns, wall_ns));
                continue;
            }
            // A limit that is new to us. Without its amount there is nothing to keep.
            let Some(amount) = told.amount.filter(|amount| *amount > 0) else { continue };
            let limit = Limit { counts: told.counts, amount, window_ns: told.window_ns };
            let share = self.spare.pop().unwrap_or_default();
            let mut window = Window::new(limit, share);
            unknown += u64::from(!window.learn(told, now_ns, wall_ns));
            if self.windows.try_push(window).is_err() {
                unknown += 1;
            }
        }
        (unnamed, unknown)
    }
}

#[cfg(test)]
mod tests;
