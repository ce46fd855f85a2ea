//! A storm of routing flips at full load: what it costs the events, and what the dispatcher's step
//! takes.
//!
//! Bursts of flips, one due each millisecond, alternate with times without any, in one run, so that
//! both are measured on the same machine in the same seconds. A flip turns the quote routes of
//! three consumers off and on; the one consumer whose routes never change times every event from
//! when it was due to when the dispatcher has stamped it for its lanes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pitlane_engine::config::OnFlip;
use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::control::RoutingChange;
use pitlane_engine::dispatcher::RouteKey;
use pitlane_engine::event::{Event, EventKind};
use pitlane_engine::{Engine, RouteChange};

use super::finding::{Finding, Verdict};
use super::flips::{FlipWitness, Seen, read};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use crate::table::{count, micros};

const CONSUMERS: usize = 10;
const EVENTS_PER_S: u32 = 100_000;
const CRITICAL_PER_MILLE: u16 = 100;
/// Consumers whose routes a flip changes.
const CHANGED: usize = 3;
const MARKET_SLOTS: usize = 8_192;
/// Flips of a burst, and the time without any after it.
const BURST: u64 = 100;
const CALM: Duration = Duration::from_millis(100);
/// Between two flips that are due: 1 kHz. On few cores the thread that asks for them may come late
/// to its turn; it then makes up for what is due, and the rate that came out is printed.
const PERIOD: Duration = Duration::from_millis(1);
/// Between two checks whether a flip is due.
const PAUSE: Duration = Duration::from_micros(100);
/// Left out at both ends of a calm time, ns.
const MARGIN_NS: u64 = 5_000_000;
/// How many times its calm figure a percentile may be, and what is as good as any.
const TIMES_MAX: u64 = 2;
const FLOOR_NS: u64 = 1_000;
/// Time that a flip may take at most, all in all, on a machine that does other things as well.
const PATIENCE_PER_FLIP: Duration = Duration::from_millis(50);

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let flips = setting.scale.storm_flips;
    let samples = Arc::<Mutex<Vec<Sample>>>::default();
    let seen: Vec<Arc<Seen>> = (1..CONSUMERS).map(|_| Arc::default()).collect();
    let trial = trial(setting, &samples, &seen);
    let mut driver = Driver { flips, ..Driver::default() };
    let patience = PATIENCE_PER_FLIP * flips as u32 + Duration::from_secs(20);
    let report = trial.run_until(patience, PAUSE, |engine| driver.step(engine))?.report;

    let samples = std::mem::take(&mut *samples.lock());
    let (storm, calm) = driver.split(&samples);
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(|seen| of(seen)).sum::<u64>();
    let disorder = sum(|seen| seen.testimony.out_of_order() + read(&seen.disorder));
    let stale: u64 = seen.iter().step_by(2).map(|seen| read(&seen.stale)).sum();
    let skipped: u64 = report.consumers.iter().map(|consumer| consumer.terms.skipped).sum();
    let allocations = report.allocations_steady_state;
    let finding = Finding {
        done: format!(
            "{} flips, one due each millisecond ({}/s came out: who asks for them shares the \
             cores), each of the quote routes of {CHANGED} of {CONSUMERS} consumers, through \
             Engine::change; {} events/s, 10 % critical; bursts of {BURST}, and 100 ms without, in \
             turn",
            count(flips),
            count(driver.flips_per_s()),
            count(u64::from(EVENTS_PER_S)),
        ),
        measured: format!(
            "critical lost {}, {disorder} out of order, {stale} stale handled by consumers that \
             skip; due to dispatched p50 {} us, p90 {} us in flips, {}, {} us without; the \
             dispatcher's step: half in {} us, longest {} us; {} allocations",
            report.critical_lost,
            micros(storm.p50_ns),
            micros(storm.p90_ns),
            micros(calm.p50_ns),
            micros(calm.p90_ns),
            micros(driver.median_step_ns()),
            micros(driver.steps_ns.iter().copied().max().unwrap_or(0)),
            allocations.map_or("uncounted".to_owned(), count),
        ),
        bound: format!(
            "0 critical lost or out of order, 0 stale handled, 0 allocations; p50 and p90 in flips \
             at most {TIMES_MAX} times those without, or {} us",
            FLOOR_NS / 1_000
        ),
        verdict: Verdict::Skipped,
        attack: format!(
            "{} of {} flips completed, {} changed routes, {} events skipped as stale; {} and {} \
             events timed",
            count(driver.completed),
            count(flips),
            count(driver.changed),
            count(skipped),
            count(storm.count),
            count(calm.count)
        ),
    };
    let fits = |with_ns: u64, without_ns: u64| with_ns <= FLOOR_NS.max(TIMES_MAX * without_ns);
    let is_in_time = fits(storm.p50_ns, calm.p50_ns) && fits(storm.p90_ns, calm.p90_ns);
    Ok(finding.judged(&[
        driver.completed == flips && driver.changed == flips * CHANGED as u64,
        report.critical_lost == 0 && disorder == 0 && report.identity_holds,
        stale == 0 && skipped > 0,
        allocations.is_none_or(|count| count == 0),
        storm.count > 0 && calm.count > 0,
        is_in_time || setting.judges_no_times(),
    ]))
}

/// The run: one consumer that times, and nine of which some are flipped.
fn trial<'s>(
    setting: &'s Setting<'s>,
    samples: &Arc<Mutex<Vec<Sample>>>,
    seen: &[Arc<Seen>],
) -> Trial<'s> {
    let mut trial = Trial::new(setting, 0, EVENTS_PER_S);
    trial.load.critical_per_mille = CRITICAL_PER_MILLE;
    trial.config.telemetry.fanout_every = 1_000;
    trial.config.lanes.market = MARKET_SLOTS;
    let shared = Arc::clone(samples);
    let room = (setting.scale.storm_flips * 10 * u64::from(EVENTS_PER_S) / 1_000) as usize;
    let make = move || Timer { own: Vec::with_capacity(room), all: Arc::clone(&shared) };
    trial = trial.consumer("steady", make);
    for (number, seen) in seen.iter().enumerate() {
        let seen = Arc::clone(seen);
        let name = format!("flipped-{number}");
        trial = trial.consumer(&name, move || FlipWitness::new(Arc::clone(&seen), Duration::ZERO));
        let on_flip = if number % 2 == 0 { OnFlip::Skip } else { OnFlip::Deliver };
        trial.config.consumers[number + 1].on_flip = on_flip;
    }
    if setting.has(Plant::LostCriticalEvent) {
        trial.faults.lose_critical_event = 100;
    }
    trial
}

/// When an event was due, and how much later the dispatcher stamped it; ns.
type Sample = (u64, u64);

#[derive(Clone, Copy, Debug, Default)]
struct Delay {
    count: u64,
    p50_ns: u64,
    p90_ns: u64,
}

impl Delay {
    fn of(mut delays_ns: Vec<u64>) -> Delay {
        delays_ns.sort_unstable();
        let at = |percent: usize| delays_ns.get(delays_ns.len() * percent / 100).copied();
        Delay {
            count: delays_ns.len() as u64,
            p50_ns: at(50).unwrap_or(0),
            p90_ns: at(90).unwrap_or(0),
        }
    }
}

/// Flips in bursts.
#[derive(Default)]
struct Driver {
    flips: u64,
    attempts: u64,
    completed: u64,
    changed: u64,
    quotes: Vec<RouteKey>,
    /// First and last swap of each burst, ns since the engine's start.
    bursts: Vec<(u64, u64)>,
    steps_ns: Vec<u64>,
    calm_since: Option<Instant>,
    /// When the next flip of the burst is due; `None` before its first one.
    due: Option<Instant>,
}

impl Driver {
    /// One flip, or a moment of calm; true once all were tried.
    fn step(&mut self, engine: &Engine) -> bool {
        if self.quotes.is_empty() {
            if engine.status().uptime_ns < 2 * CALM.as_nanos() as u64 {
                return false;
            }
            // Not those of the first consumer: it times.
            let routes = engine.routes().into_iter();
            let is_flipped =
                |route: &RouteKey| route.kind == EventKind::Quote && route.consumer.0 > 0;
            self.quotes = routes.filter(is_flipped).collect();
        }
        if self.calm_since.is_some_and(|since| since.elapsed() < CALM) {
            return false;
        }
        self.calm_since = None;
        if self.attempts == self.flips || self.quotes.is_empty() {
            return true;
        }
        let due = self.due.unwrap_or_else(Instant::now);
        if Instant::now() < due {
            return false;
        }
        self.flip(engine);
        self.due = Some(due + PERIOD);
        if self.attempts.is_multiple_of(BURST) {
            (self.calm_since, self.due) = (Some(Instant::now()), None);
        }
        false
    }

    fn flip(&mut self, engine: &Engine) {
        let is_first = self.attempts.is_multiple_of(BURST);
        let from = (self.attempts / 2) as usize * CHANGED;
        let is_on = self.attempts % 2 == 1;
        self.attempts += 1;
        let routes =
            (from..from + CHANGED).filter_map(|index| self.quotes.get(index % self.quotes.len()));
        let changes: Vec<RoutingChange> = routes
            .map(|route| RoutingChange::Route(RouteChange { route: *route, is_on }))
            .collect();
        let Ok(outcome) = engine.change(self.attempts, &changes) else { return };
        self.completed += 1;
        self.changed += changes.len() as u64;
        self.steps_ns.push(outcome.step_ns);
        match self.bursts.last_mut() {
            Some((_, last_ns)) if !is_first => *last_ns = outcome.swapped_ns,
            _ => self.bursts.push((outcome.swapped_ns, outcome.swapped_ns)),
        }
    }

    /// Flips a second, within the bursts.
    fn flips_per_s(&self) -> u64 {
        let ns: u64 = self.bursts.iter().map(|(from_ns, to_ns)| to_ns - from_ns).sum();
        self.completed * 1_000_000_000 / ns.max(1)
    }

    fn median_step_ns(&self) -> u64 {
        let mut steps_ns = self.steps_ns.clone();
        steps_ns.sort_unstable();
        steps_ns.get(steps_ns.len() / 2).copied().unwrap_or(0)
    }

    /// The delays during bursts, and those between two of them.
    fn split(&self, samples: &[Sample]) -> (Delay, Delay) {
        let storms = self.bursts.iter().copied();
        let calms =
            self.bursts.windows(2).map(|pair| (pair[0].1 + MARGIN_NS, pair[1].0 - MARGIN_NS));
        (Delay::of(within(samples, storms)), Delay::of(within(samples, calms)))
    }
}

fn within(samples: &[Sample], spans: impl Iterator<Item = (u64, u64)>) -> Vec<u64> {
    let of_span = |(from_ns, to_ns): (u64, u64)| {
        let first = samples.partition_point(|(due_ns, _)| *due_ns < from_ns);
        let samples = samples[first..].iter();
        samples.take_while(move |(due_ns, _)| *due_ns < to_ns).map(|(_, delay_ns)| *delay_ns)
    };
    spans.flat_map(of_span).collect()
}

/// Times every market event until it was stamped for its lanes.
struct Timer {
    own: Vec<Sample>,
    all: Arc<Mutex<Vec<Sample>>>,
}

impl Strategy for Timer {
    fn on_event(&mut self, event: &Event, _ctx: &mut Context) -> StrategyResult {
        let is_market = event.kind().is_some_and(|kind| !kind.is_critical());
        if is_market && self.own.len() < self.own.capacity() {
            let delay_ns = event.dispatched_ns().saturating_sub(event.receive_ns);
            self.own.push((event.receive_ns, delay_ns));
        }
        Ok(())
    }

    fn on_stop(&mut self, _ctx: &mut Context) -> StrategyResult {
        self.own.sort_unstable();
        std::mem::swap(&mut self.own, &mut *self.all.lock());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_what_is_between_them_are_told_apart() {
        let ms = 1_000_000;
        let samples: Vec<Sample> =
            (0..60).map(|at| (at * ms, if (20..40).contains(&at) { 3 } else { 9 })).collect();
        let bursts = vec![(0, 20 * ms), (40 * ms, 60 * ms)];
        let (storm, calm) = Driver { bursts, ..Driver::default() }.split(&samples);
        assert_eq!((storm.count, storm.p50_ns, storm.p90_ns), (40, 9, 9));
        assert_eq!((calm.count, calm.p50_ns, calm.p90_ns), (10, 3, 3));
    }
}
