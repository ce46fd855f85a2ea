//! A venue's time: how far its clock is from ours, and how well that is known.
//!
//! A request is refused when its time stamp is not the venue's (Binance: more than 1 s ahead, or
//! older than its `recvWindow`; code -1021), and the machine's own clock may be wrong by any
//! amount. So stamps are made from the venue's time, as its own words bound it:
//!
//! - its time read between our sending and its answer lies between the two, by our clock;
//! - a stamp that has arrived is not from the future.
//!
//! Promises: the estimate is kept against monotonic time, so that no step of the machine's clock
//! moves it; a measurement narrows it, and what is known widens with age; one that contradicts what
//! is known counts once a second one agrees with it; one that is more than a day from our clock is
//! never believed. Reading the time takes no lock.

mod bounds;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use self::bounds::{Bounds, PLAUSIBLE_NS};
use crate::world::Clock;

/// A measurement is taken this often, ns: at the drift above, 4 ms apart.
const INTERVAL_NS: u64 = 60_000_000_000;
/// The first few follow each other quickly: the first one of a connection pays for its set-up.
const FIRST_NS: u64 = 250_000_000;
const FIRST_COUNT: u64 = 3;
/// So many questions without a time, and none with one, are told.
const FAILURES_TOLD: u32 = 2;
/// A measurement that failed, or that contradicts what is known, is taken again after this time.
const AGAIN_NS: u64 = 1_000_000_000;
/// A logon waits so long for the first measurement, ns.
const FIRST_WAIT_NS: u64 = 300_000_000;
/// An order connection asks by itself when nobody else has cleared a doubt in this time, ns.
const KEEPER_WAIT_NS: u64 = 300_000_000;
/// A stamp that is refused although the time was measured has it measured anew; so long no request
/// is worth sending, ns.
const DOUBT_MAX_NS: u64 = 2_000_000_000;
/// Stamps are of whole milliseconds.
const STAMP_NS: i64 = 1_000_000;
/// Difference between the clocks from which people are told, and below which they are told that it
/// is over, ns: a venue that allows 1 s ahead leaves that much.
const TOLD_NS: i64 = 500_000_000;
const FINE_NS: i64 = 250_000_000;

/// The venue's time is not known from itself.
const UNMEASURED: i64 = i64::MIN;

/// The time of one venue. Cheap to clone: all of the venue's agents share it.
#[derive(Clone, Debug)]
pub struct VenueClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    venue: String,
    clock: Clock,
    /// The venue's time at our monotonic 0, ns since the Unix epoch, or [`UNMEASURED`].
    base_ns: AtomicI64,
    /// Until when a refused stamp makes the estimate a doubt.
    doubt_until_ns: AtomicU64,
    /// Until when a logon waits for the first measurement.
    first_by_ns: AtomicU64,
    /// An agent of its own measures.
    has_keeper: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bounds: Option<Bounds>,
    /// A measurement that contradicts the bounds.
    suspect: Option<Bounds>,
    /// The next measurement is due then.
    due_ns: u64,
    count: u64,
    refused: u64,
    steps: u64,
    /// Steps of the machine's clock that are known of.
    own_steps: u32,
    is_told: bool,
    is_absurd_told: bool,
    /// Questions that gave no time.
    failures: u32,
}

/// What became of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// It agrees with what is known, or is the first.
    Taken,
    /// It contradicts what is known: the next one decides.
    Suspect,
    /// The second one that says the venue's time has jumped: it counts.
    Stepped,
    /// It is more than a day from our clock, or its answer came before its question.
    Refused,
}

/// What is known of a venue's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct VenueClockReading {
    /// Whether the venue has told its time yet; the rest is 0 before.
    pub is_measured: bool,
    /// How far the venue's clock is ahead of ours, ns.
    pub ahead_ns: i64,
    /// The most by which that is wrong, ns.
    pub uncertainty_ns: u64,
    /// Since the last measurement that counted, ns.
    pub age_ns: u64,
    /// Measurements that counted.
    pub measurements: u64,
    /// Measurements that were not believed.
    pub refused: u64,
    /// Jumps of the venue's time.
    pub steps: u64,
}

impl fmt::Display for VenueClockReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_measured {
            return f.write_str("the venue has not told its time");
        }
        let way = if self.ahead_ns < 0 { "behind" } else { "ahead of" };
        let (ahead_us, uncertainty_us) =
            (self.ahead_ns.unsigned_abs() / 1_000, self.uncertainty_ns / 1_000);
        write!(
            f,
            "the venue's clock is {}.{:03} ms {way} ours",
            ahead_us / 1_000,
            ahead_us % 1_000
        )?;
        write!(f, " (+- {}.{:03} ms)", uncertainty_us / 1_000, uncertainty_us % 1_000)
    }
}

impl VenueClock {
    /// The time of `venue`, by `clock` as long as the venue has not told it.
    #[must_use]
    pub fn new(venue: &str, clock: Clock) -> VenueClock {
        VenueClock(Arc::new(Shared {
            venue: venue.to_owned(),
            clock,
            base_ns: AtomicI64::new(UNMEASURED),
            doubt_until_ns: AtomicU64::new(0),
            first_by_ns: AtomicU64::new(0),
            has_keeper: AtomicBool::new(false),
            state: Mutex::default(),
        }))
    }

    /// The venue's time at a monotonic reading, ns since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn at_ns(&self, now_ns: u64) -> i64 {
        match self.0.base_ns.load(Ordering::Relaxed) {
            UNMEASURED => self.0.clock.wall_at_ns(now_ns),
            base_ns => base_ns.saturating_add_unsigned(now_ns),
        }
    }

    /// The venue's time in whole milliseconds, as requests carry it.
    #[inline]
    #[must_use]
    pub fn at_ms(&self, now_ns: u64) -> i64 {
        self.at_ns(now_ns) / 1_000_000
    }

    /// Whether the venue has told its time.
    #[inline]
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.0.base_ns.load(Ordering::Relaxed) != UNMEASURED
    }

    /// Whether a stamp was refused and the time is still being measured anew: what is sent now
    /// would be refused as well. Never for longer than 2 s.
    #[inline]
    #[must_use]
    pub fn is_in_doubt(&self, now_ns: u64) -> bool {
        now_ns < self.0.doubt_until_ns.load(Ordering::Relaxed)
    }

    /// An agent will measure the time, from now on: for a moment a logon waits for its first word.
    pub fn is_kept(&self, now_ns: u64) {
        self.0.has_keeper.store(true, Ordering::Relaxed);
        self.0.first_by_ns.store(now_ns + FIRST_WAIT_NS, Ordering::Relaxed);
    }

    /// Whether a logon is better sent a moment later, with the venue's time.
    #[must_use]
    pub fn is_awaited(&self, now_ns: u64) -> bool {
        !self.is_measured() && now_ns < self.0.first_by_ns.load(Ordering::Relaxed)
    }

    /// Whether an order connection is to ask: no agent measures, or none has cleared a doubt.
    #[must_use]
    pub fn is_due_on_orders(&self, now_ns: u64) -> bool {
        let doubted_ns = self.0.doubt_until_ns.load(Ordering::Relaxed).saturating_sub(DOUBT_MAX_NS);
        let is_kept = self.0.has_keeper.load(Ordering::Relaxed);
        let is_late = self.is_in_doubt(now_ns) && now_ns >= doubted_ns + KEEPER_WAIT_NS;
        if is_kept { is_late } else { self.is_measured_or_doubted(now_ns) && self.is_due(now_ns) }
    }

    /// A venue whose stamps nobody has refused need not know how to tell its time.
    fn is_measured_or_doubted(&self, now_ns: u64) -> bool {
        self.is_measured() || self.is_in_doubt(now_ns)
    }

    /// Whether the time is to be measured now. Whoever does says so by [`VenueClock::asked`].
    #[must_use]
    pub fn is_due(&self, now_ns: u64) -> bool {
        let state = self.0.state.lock();
        now_ns >= state.due_ns || state.own_steps != self.0.clock.steps()
    }

    /// When the time is to be measured next, ns.
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        self.0.state.lock().due_ns
    }

    /// The venue is asked for its time: nobody else needs to for a while.
    pub fn asked(&self, now_ns: u64) {
        let mut state = self.0.state.lock();
        state.own_steps = self.0.clock.steps();
        state.due_ns = now_ns + AGAIN_NS.max(FIRST_NS);
    }

    /// It gave no time: it is asked again in its turn, and not before.
    pub fn failed(&self, now_ns: u64) {
        self.0.first_by_ns.store(0, Ordering::Relaxed);
        let mut state = self.0.state.lock();
        state.due_ns = now_ns + INTERVAL_NS;
        state.failures = state.failures.saturating_add(1);
        if state.count == 0 && state.failures == FAILURES_TOLD {
            log::warn!(
                "[{}] the venue's time could not be had: until it is, requests carry this \
                 machine's clock",
                self.0.venue
            );
        }
    }

    /// The venue refused a stamp (Binance: -1021): its time is measured at once.
    pub fn doubt(&self, now_ns: u64) {
        if !self.is_in_doubt(now_ns) {
            self.0.doubt_until_ns.store(now_ns + DOUBT_MAX_NS, Ordering::Relaxed);
            let mut state = self.0.state.lock();
            state.due_ns = now_ns;
            // What is known has just been disproved.
            state.suspect = None;
            state.bounds = None;
        }
    }

    /// Takes the venue's time that was read between `sent_ns` and `received_ns`, ns since the Unix
    /// epoch.
    pub fn measured(&self, sent_ns: u64, received_ns: u64, time_ns: i64) -> Measured {
        let new = Bounds {
            low_ns: time_ns.saturating_sub_unsigned(received_ns),
            high_ns: time_ns.saturating_add(STAMP_NS).saturating_sub_unsigned(sent_ns),
            at_ns: received_ns,
        };
        let ours_ns = self.0.clock.wall_at_ns(received_ns);
        let mut state = self.0.state.lock();
        if sent_ns > received_ns || time_ns.saturating_sub(ours_ns).saturating_abs() > PLAUSIBLE_NS
        {
            state.refused += 1;
            // Who says such a thing again and again is asked less often.
            let wait_ns = if state.refused <= FIRST_COUNT { AGAIN_NS } else { INTERVAL_NS };
            state.due_ns = state.due_ns.max(received_ns + wait_ns);
            if !std::mem::replace(&mut state.is_absurd_told, true) {
                let (venue, days) = (&self.0.venue, time_ns.saturating_sub(ours_ns) / PLAUSIBLE_NS);
                log::error!(
                    "[{venue}] the venue's time is {days} days from ours, and is not believed; \
                     check this machine's clock"
                );
            }
            return Measured::Refused;
        }
        let outcome = state.take(new);
        state.due_ns = received_ns
            + match outcome {
                Measured::Suspect | Measured::Refused => AGAIN_NS,
                _ if state.count < FIRST_COUNT => FIRST_NS,
                _ => INTERVAL_NS,
            };
        if outcome != Measured::Suspect {
            self.0.doubt_until_ns.store(0, Ordering::Relaxed);
            self.store(&mut state, received_ns);
        }
        if outcome == Measured::Stepped {
            log::warn!("[{}] the venue's time has jumped", self.0.venue);
        }
        outcome
    }

    /// Takes the stamp of a message that was received at `received_ns`: it is not from the future.
    /// One that seems to be has the time measured; it moves nothing by itself.
    pub fn heard(&self, received_ns: u64, time_ns: i64) {
        let low_ns = time_ns.saturating_sub_unsigned(received_ns);
        let ours_ns = self.0.clock.wall_at_ns(received_ns);
        if time_ns.saturating_sub(ours_ns).saturating_abs() > PLAUSIBLE_NS {
            return;
        }
        let mut state = self.0.state.lock();
        let Some(bounds) = state.bounds.map(|bounds| bounds.widened(received_ns)) else { return };
        if low_ns > bounds.high_ns {
            state.due_ns = state.due_ns.min(received_ns + AGAIN_NS);
        } else if low_ns > bounds.low_ns {
            state.bounds = Some(Bounds { low_ns, ..bounds });
            self.store(&mut state, received_ns);
        }
    }

    /// Makes what is known the time that is read.
    fn store(&self, state: &mut State, now_ns: u64) {
        let Some(bounds) = state.bounds else { return };
        self.0.base_ns.store(bounds.middle_ns(), Ordering::Relaxed);
        let ahead_ns = self.ahead_ns(&bounds, now_ns);
        let sure_ns = ahead_ns.abs().saturating_sub_unsigned(bounds.uncertainty_ns());
        if sure_ns > TOLD_NS && !state.is_told {
            state.is_told = true;
            let (venue, ms) = (&self.0.venue, ahead_ns.abs() / 1_000_000);
            let way = if ahead_ns < 0 { "ahead of" } else { "behind" };
            log::warn!(
                "[{venue}] our clock is {ms} ms {way} venue {venue} (+- {} ms): requests carry the \
                 venue's time; set this machine's clock, as by a time service",
                bounds.uncertainty_ns().div_ceil(1_000_000)
            );
        } else if ahead_ns.abs() < FINE_NS && state.is_told {
            state.is_told = false;
            log::info!("[{}] our clock agrees with the venue's again", self.0.venue);
        }
    }

    fn ahead_ns(&self, bounds: &Bounds, now_ns: u64) -> i64 {
        let ours_ns = self.0.clock.wall_at_ns(now_ns);
        bounds.middle_ns().saturating_add_unsigned(now_ns).saturating_sub(ours_ns)
    }

    /// What is known at `now_ns`.
    #[must_use]
    pub fn reading(&self, now_ns: u64) -> VenueClockReading {
        let state = self.0.state.lock();
        let Some(bounds) = state.bounds else {
            return VenueClockReading { refused: state.refused, ..VenueClockReading::default() };
        };
        let widened = bounds.widened(now_ns);
        VenueClockReading {
            is_measured: true,
            ahead_ns: self.ahead_ns(&widened, now_ns),
            uncertainty_ns: widened.uncertainty_ns(),
            age_ns: now_ns.saturating_sub(bounds.at_ns),
            measurements: state.count,
            refused: state.refused,
            steps: state.steps,
        }
    }
}

impl State {
    fn take(&mut self, new: Bounds) -> Measured {
        let known = self.bounds.map(|bounds| bounds.widened(new.at_ns));
        let Some(known) = known else {
            (self.bounds, self.suspect) = (Some(new), None);
            self.count += 1;
            return Measured::Taken;
        };
        if let Some(both) = known.both(&new) {
            (self.bounds, self.suspect) = (Some(both), None);
            self.count += 1;
            return Measured::Taken;
        }
        let suspect = self.suspect.map(|bounds| bounds.widened(new.at_ns));
        if let Some(both) = suspect.and_then(|suspect| suspect.both(&new)) {
            (self.bounds, self.suspect) = (Some(both), None);
            self.count += 1;
            self.steps += 1;
            return Measured::Stepped;
        }
        self.suspect = Some(new);
        self.refused += 1;
        Measured::Suspect
    }
}

#[cfg(test)]
mod tests;
