//! A strategy that misbehaves at stated rates: what the containment around every strategy is tested
//! with.

#![allow(clippy::disallowed_methods, reason = "the faults that it plants take real time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Context, Strategy, StrategyResult};
use crate::consumer::Params;
use crate::event::Event;
use crate::world::SplitMix64;

/// A million: rates are stated in events out of that many.
const MILLION: u64 = 1_000_000;

/// How often a [`Faulty`] strategy misbehaves, in events out of a million; together at most a
/// million. Which events are struck follows from the seed alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Seed of the sequence.
    pub seed: u64,
    /// Panics.
    pub panic_ppm: u32,
    /// Returned errors.
    pub error_ppm: u32,
    /// Sleeps of `stall`.
    pub stall_ppm: u32,
    /// Busy loops of `burn`.
    pub burn_ppm: u32,
    /// Allocations of `allocate_bytes`, freed at once.
    pub allocate_ppm: u32,
    /// Length of a sleep.
    pub stall: Duration,
    /// Length of a busy loop.
    pub burn: Duration,
    /// Size of an allocation.
    pub allocate_bytes: usize,
}

/// What a [`Faulty`] strategy did, counted on its own side before it does it: the other side of
/// every account of failures. Readable by anyone.
#[derive(Debug, Default)]
pub struct FaultCounts {
    events: AtomicU64,
    panics: AtomicU64,
    errors: AtomicU64,
    stalls: AtomicU64,
    burns: AtomicU64,
    allocations: AtomicU64,
}

impl FaultCounts {
    /// Events it was called with.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Panics.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Errors.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Sleeps.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::Relaxed)
    }

    /// Busy loops.
    #[must_use]
    pub fn burns(&self) -> u64 {
        self.burns.load(Ordering::Relaxed)
    }

    /// Allocations.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }
}

/// Takes every kind of event, and panics, fails, sleeps, spins or allocates by its plan.
#[derive(Debug)]
pub struct Faulty {
    plan: FaultPlan,
    random: SplitMix64,
    counts: Arc<FaultCounts>,
}

/// What happens on one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Panic,
    Error,
    Stall,
    Burn,
    Allocate,
}

impl Faulty {
    /// A strategy that follows `plan` and counts what it does in `counts`.
    #[must_use]
    pub fn new(plan: FaultPlan, counts: Arc<FaultCounts>) -> Faulty {
        Faulty { plan, random: SplitMix64::new(plan.seed), counts }
    }

    /// Parameters, all whole numbers and 0 without one: `seed`, `panic_ppm`, `error_ppm`,
    /// `stall_ppm`, `burn_ppm`, `allocate_ppm` (events out of a million), `stall_us`, `burn_us`,
    /// `allocate_bytes`.
    ///
    /// # Errors
    /// One line on what is wrong with the parameters.
    pub fn from_params(params: &Params) -> Result<Faulty, String> {
        let mut plan = FaultPlan::default();
        for (key, value) in params {
            let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
            let number = number.ok_or_else(|| format!("{key} = {value}: a whole number from 0"))?;
            let ppm = u32::try_from(number).ok().filter(|ppm| u64::from(*ppm) <= MILLION);
            let ppm = || ppm.ok_or_else(|| format!("{key} = {number}: at most 1000000"));
            match key.as_str() {
                "seed" => plan.seed = number,
                "panic_ppm" => plan.panic_ppm = ppm()?,
                "error_ppm" => plan.error_ppm = ppm()?,
                "stall_ppm" => plan.stall_ppm = ppm()?,
                "burn_ppm" => plan.burn_ppm = ppm()?,
                "allocate_ppm" => plan.allocate_ppm = ppm()?,
                "stall_us" => plan.stall = Duration::from_micros(number),
                "burn_us" => plan.burn = Duration::from_micros(number),
                "allocate_bytes" => plan.allocate_bytes = number as usize,
                _ => return Err(format!("unknown key {key}")),
            }
        }
        match plan.total_ppm() {
            0..=MILLION => Ok(Faulty::new(plan, Arc::default())),
            total => Err(format!("the rates add up to {total}, above 1000000")),
        }
    }

    fn next_fault(&mut self) -> Fault {
        let mut draw = self.random.next_u64() % MILLION;
        for (ppm, fault) in self.plan.rates() {
            if draw < u64::from(ppm) {
                return fault;
            }
            draw -= u64::from(ppm);
        }
        Fault::None
    }
}

impl FaultPlan {
    fn rates(&self) -> [(u32, Fault); 5] {
        [
            (self.panic_ppm, Fault::Panic),
            (self.error_ppm, Fault::Error),
            (self.stall_ppm, Fault::Stall),
            (self.burn_ppm, Fault::Burn),
            (self.allocate_ppm, Fault::Allocate),
        ]
    }

    fn total_ppm(&self) -> u64 {
        self.rates().iter().map(|(ppm, _)| u64::from(*ppm)).sum()
    }
}

impl Strategy for Faulty {
    fn on_event(&mut self, _event: &Event, _ctx: &mut Context) -> StrategyResult {
        let fault = self.next_fault();
        let counts = &*self.counts;
        count(&counts.events);
        match fault {
            Fault::None => {}
            Fault::Panic => {
                let number = count(&counts.panics);
                panic!("planted panic {number}");
            }
            Fault::Error => {
                count(&counts.errors);
                return Err("planted error".into());
            }
            Fault::Stall => {
                count(&counts.stalls);
                std::thread::sleep(self.plan.stall);
            }
            Fault::Burn => {
                count(&counts.burns);
                let started = Instant::now();
                while started.elapsed() < self.plan.burn {
                    std::hint::spin_loop();
                }
            }
            Fault::Allocate => {
                count(&counts.allocations);
                drop(std::hint::black_box(vec![0_u8; self.plan.allocate_bytes.max(1)]));
            }
        }
        Ok(())
    }
}

/// One writer: a load and a store. Returns the new count.
fn count(counter: &AtomicU64) -> u64 {
    let number = counter.load(Ordering::Relaxed) + 1;
    counter.store(number, Ordering::Relaxed);
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Price, Qty};
    use crate::testing::Harness;

    fn quotes(harness: &mut Harness, number: u64) {
        (0..number).for_each(|_| harness.quote(Price(1), Qty(1), Price(2), Qty(1)));
    }

    #[test]
    fn what_was_injected_is_what_was_reported() {
        // SC-006 in small; the same seed strikes the same events.
        crate::consumer::install_panic_hook();
        let plan =
            FaultPlan { seed: 11, panic_ppm: 100_000, error_ppm: 50_000, ..FaultPlan::default() };
        let injected = [(); 2].map(|()| {
            let counts = Arc::new(FaultCounts::default());
            let mut harness = Harness::new(Faulty::new(plan, Arc::clone(&counts)));
            quotes(&mut harness, 2_000);
            assert!(counts.panics() > 100 && counts.errors() > 50, "{counts:?}");
            assert_eq!(harness.failures().total, counts.panics() + counts.errors());
            assert_eq!(counts.events(), 2_000);
            (counts.panics(), counts.errors())
        });
        assert_eq!(injected[0], injected[1]);
    }

    #[test]
    fn every_kind_of_fault_happens_and_is_counted() {
        let short = Duration::from_micros(1);
        let plan = FaultPlan {
            stall_ppm: 200_000,
            burn_ppm: 200_000,
            allocate_ppm: 200_000,
            stall: short,
            burn: short,
            allocate_bytes: 64,
            ..FaultPlan::default()
        };
        let counts = Arc::new(FaultCounts::default());
        let mut harness = Harness::new(Faulty::new(plan, Arc::clone(&counts)));
        quotes(&mut harness, 200);
        assert!(counts.stalls() > 10 && counts.burns() > 10 && counts.allocations() > 10);
        assert_eq!((harness.failures().total, counts.events()), (0, 200));
    }

    #[test]
    fn parameters_are_checked() {
        let of = |text: &str| Faulty::from_params(&text.parse().unwrap());
        assert_eq!(of("panic_ppm = 5\nstall_us = 7").unwrap().plan.stall.as_micros(), 7);
        let wrong = ["panic_ppm = 1000001", "panic_ppm = -1", "depth = 1", "burn_us = \"x\""];
        for text in wrong {
            assert!(of(text).is_err(), "{text} was taken");
        }
        assert!(of("panic_ppm = 600000\nerror_ppm = 600000").is_err(), "above a million in all");
    }
}
