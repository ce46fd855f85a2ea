//! F04, EDGE-1: what a consumer that stalls does to its neighbours.
//!
//! A run with the stall is paired with the same run without it. Judged are p50 and p90 of the
//! neighbours over the time in which the other is still held up, from the take-over on. p99 (where
//! the slow one has a core of its own) and the latest event of all (where it had not) are shown
//! beside the hiccups of the same seconds, and fail only above their bound *and* above twice what
//! the machine itself was late, as SC-001's p99 does: on a busy machine a tail is anything's.
//! Latency is taken from when an event was due, so whatever was late counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::Event;
use pitlane_engine::report::Report;
use pitlane_engine::runtime::HostCores;

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use crate::table::{count, micros};

/// Of the events of a run.
const EVENTS_PER_S: u32 = 2_000;
/// When the callback begins that stalls, after the first event.
const STALL_AT: Duration = Duration::from_millis(150);
/// What the take-over may take beyond the budget (FR-003), and with it where the judged time
/// begins.
const TAKE_OVER_NS: u64 = 10_000_000;
/// How many times its paired run a percentile may be, in halves.
const HALVES_MAX: u64 = 3;
/// How many times its paired run p99 may be, on a core of its own.
const P99_TIMES_MAX: u64 = 2;
/// A slice of the scheduler: how long another thread may keep the one that takes over from its
/// core.
const SLICE_NS: u64 = 4_000_000;
/// How many times the hiccups of the same seconds a tail is the machine's.
const HICCUPS: u64 = 2;
/// A percentile below this is as good as any: it is a matter of which cache a line was in.
const FLOOR_NS: u64 = 5_000;

/// What the slow consumer does in its one long callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Nothing,
    Sleep,
    Burn,
}

/// Where the slow one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    SameCore,
    OwnCore,
}

/// The long callback, ns since the engine's start.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from_ns: u64,
    to_ns: u64,
}

/// When an event was due, and how much later it was handled; ns.
type Sample = (u64, u64);

/// What a run leaves.
struct Ran {
    span: Span,
    samples: Vec<Sample>,
    report: Report,
}

/// Percentiles of the neighbours.
#[derive(Clone, Copy, Debug, Default)]
struct Latency {
    count: usize,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
}

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let (mut measured, mut holds, mut attack) = (Vec::new(), true, Vec::new());
    for place in [Place::SameCore, Place::OwnCore] {
        let Some(layout) = Layout::of(place) else {
            measured.push(format!("{}: not on one core", place.name()));
            continue;
        };
        let calm = run(setting, &layout, Hold::Nothing)?;
        for hold in [Hold::Sleep, Hold::Burn] {
            let held = run(setting, &layout, hold)?;
            let compared = compare(place, hold, &held, &calm);
            holds &= compared.holds;
            measured.push(compared.measured);
            attack.push(compared.attack);
        }
    }
    let finding = Finding {
        done: format!(
            "a consumer held up for {} ms in one callback, asleep and burning, on a core shared \
             with its neighbours and on its own; {EVENTS_PER_S} events/s",
            setting.scale.stall_ms
        ),
        measured: measured.join("; "),
        bound: format!(
            "neighbours, from {} ms into the stall on: p50 and p90 within 1.5 times the run without \
             it, or {} us; own core: p99 within {P99_TIMES_MAX} times it; same core: none later than \
             {} ms; these two fail only above {HICCUPS} times the hiccups, too",
            (budget_ns() + TAKE_OVER_NS) / 1_000_000,
            FLOOR_NS / 1_000,
            (budget_ns() + TAKE_OVER_NS + SLICE_NS) / 1_000_000
        ),
        verdict: Verdict::Skipped,
        attack: attack.join("; "),
    };
    Ok(finding.judged(&[holds]))
}

/// What a hold-up cost the neighbours.
struct Compared {
    holds: bool,
    measured: String,
    attack: String,
}

/// Compares a run with a hold-up with the one without.
fn compare(place: Place, hold: Hold, held: &Ran, calm: &Ran) -> Compared {
    let from_ns = held.span.from_ns + budget_ns() + TAKE_OVER_NS;
    let span = Span { from_ns, to_ns: held.span.to_ns };
    let with = Latency::of(&held.samples, span);
    let without = Latency::of(&calm.samples, span);
    let mut holds = with.is_within(without) && with.count > 0 && without.count > 0;
    let slow = held.report.consumers.iter().find(|consumer| consumer.name == SLOW);
    let stalls = slow.map(|consumer| consumer.stalls).unwrap_or_default();
    holds &= stalls.count == 1 && held.report.identity_holds;
    let latest_ns = latest_ns(held);
    let hiccups = held.report.hiccups;
    holds &= match place {
        Place::SameCore => {
            is_no_ones(latest_ns, budget_ns() + TAKE_OVER_NS + SLICE_NS, hiccups.max_ns)
        }
        Place::OwnCore => {
            let bound_ns = FLOOR_NS.max(P99_TIMES_MAX * without.p99_ns);
            is_no_ones(with.p99_ns, bound_ns, hiccups.p99_ns)
        }
    };
    let measured = format!(
        "{}, {}: p50 {} us, p90 {} us, p99 {} us (without: {}, {}, {}), latest {} us (hiccups: \
         p99 {}, latest {})",
        place.name(),
        hold.name(),
        micros(with.p50_ns),
        micros(with.p90_ns),
        micros(with.p99_ns),
        micros(without.p50_ns),
        micros(without.p90_ns),
        micros(without.p99_ns),
        micros(latest_ns),
        micros(hiccups.p99_ns),
        micros(hiccups.max_ns),
    );
    let attack = format!(
        "{} ms {}, {} taken over, {} events meanwhile",
        (held.span.to_ns - held.span.from_ns) / 1_000_000,
        hold.name(),
        held.report.demotions.len(),
        count(with.count as u64)
    );
    Compared { holds, measured, attack }
}

/// Whether a tail is within its bound, or no more than what the machine itself was late.
fn is_no_ones(tail_ns: u64, bound_ns: u64, hiccup_ns: u64) -> bool {
    tail_ns <= bound_ns || tail_ns <= HICCUPS * hiccup_ns
}

const SLOW: &str = "slow";

/// The default stall budget.
fn budget_ns() -> u64 {
    pitlane_engine::config::Config::default_run().engine.stall_budget_ms * 1_000_000
}

/// Cores for one place of the slow consumer.
struct Layout {
    dispatch: usize,
    consumers: Vec<usize>,
    neighbours: usize,
}

impl Layout {
    /// `None` on a machine that has no such place.
    fn of(place: Place) -> Option<Layout> {
        let ids = HostCores::read().ids;
        let (first, last) = (*ids.first()?, *ids.last()?);
        match place {
            Place::SameCore => {
                Some(Layout { dispatch: first, consumers: vec![last], neighbours: 4 })
            }
            // The consumers' cores are taken in turn: the slow one has the first, its neighbour the
            // other, which is the dispatcher's where there are only two.
            Place::OwnCore => {
                let other = *ids.iter().rev().nth(1)?;
                Some(Layout { dispatch: first, consumers: vec![last, other], neighbours: 1 })
            }
        }
    }
}

fn run(setting: &Setting<'_>, layout: &Layout, hold: Hold) -> Result<Ran, TrialError> {
    let stall = Duration::from_millis(setting.scale.stall_ms);
    let length = STALL_AT + stall + STALL_AT;
    let events = length.as_millis() as u64 * u64::from(EVENTS_PER_S) / 1_000;
    let mut trial = Trial::new(setting, events, EVENTS_PER_S);
    trial.config.engine.warm_up_ms = 0;
    trial.config.cores.dispatch = Some(layout.dispatch);
    trial.config.cores.consumers = Some(layout.consumers.clone());
    trial.takes_nothing = setting.has(Plant::NoTakeOver);
    let span = Arc::<Mutex<Span>>::default();
    let shared = Arc::clone(&span);
    trial = trial.consumer(SLOW, move || Slow { hold, stall, span: Arc::clone(&shared), seen: 0 });
    let samples = Arc::<Mutex<Vec<Sample>>>::default();
    for number in 0..layout.neighbours {
        let (shared, room) = (Arc::clone(&samples), events as usize + 16);
        let make = move || Timer { own: Vec::with_capacity(room), all: Arc::clone(&shared) };
        trial = trial.consumer(&format!("neighbour-{number}"), make);
    }
    let report = trial.run()?.report;
    let samples = std::mem::take(&mut *samples.lock());
    let span = *span.lock();
    Ok(Ran { span, samples, report })
}

/// The latest of the events that came in during the stall, the time before the take-over included.
fn latest_ns(ran: &Ran) -> u64 {
    let during = ran.samples.iter().filter(|(due_ns, _)| ran.span.has(*due_ns));
    during.map(|(_, late_ns)| *late_ns).max().unwrap_or(0)
}

impl Span {
    fn has(self, at_ns: u64) -> bool {
        (self.from_ns..self.to_ns).contains(&at_ns)
    }
}

impl Latency {
    fn of(samples: &[Sample], span: Span) -> Latency {
        let within = samples.iter().filter(|(due_ns, _)| span.has(*due_ns));
        let mut late_ns: Vec<u64> = within.map(|(_, late_ns)| *late_ns).collect();
        late_ns.sort_unstable();
        let at = |percent: usize| {
            let index = (late_ns.len() * percent / 100).min(late_ns.len().saturating_sub(1));
            late_ns.get(index).copied().unwrap_or(0)
        };
        Latency { count: late_ns.len(), p50_ns: at(50), p90_ns: at(90), p99_ns: at(99) }
    }

    fn is_within(self, without: Latency) -> bool {
        let fits = |with_ns: u64, without_ns: u64| {
            with_ns <= FLOOR_NS || 2 * with_ns <= HALVES_MAX * without_ns
        };
        fits(self.p50_ns, without.p50_ns) && fits(self.p90_ns, without.p90_ns)
    }
}

impl Hold {
    const fn name(self) -> &'static str {
        match self {
            Hold::Nothing => "calm",
            Hold::Sleep => "asleep",
            Hold::Burn => "burning",
        }
    }
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Place::SameCore => "same core",
            Place::OwnCore => "own core",
        }
    }
}

/// Stalls once.
struct Slow {
    hold: Hold,
    stall: Duration,
    span: Arc<Mutex<Span>>,
    seen: u64,
}

impl Strategy for Slow {
    fn on_event(&mut self, _event: &Event, ctx: &mut Context) -> StrategyResult {
        self.seen += 1;
        if self.seen != STALL_AT.as_millis() as u64 * u64::from(EVENTS_PER_S) / 1_000 {
            return Ok(());
        }
        let started = Instant::now();
        match self.hold {
            Hold::Nothing => {}
            Hold::Sleep => std::thread::sleep(self.stall),
            Hold::Burn => {
                while started.elapsed() < self.stall {
                    std::hint::spin_loop();
                }
            }
        }
        let from_ns = ctx.now_ns();
        let to_ns = from_ns + started.elapsed().as_nanos() as u64;
        *self.span.lock() = Span { from_ns, to_ns };
        Ok(())
    }
}

/// Times every event from when it was due.
struct Timer {
    own: Vec<Sample>,
    all: Arc<Mutex<Vec<Sample>>>,
}

impl Strategy for Timer {
    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        if self.own.len() < self.own.capacity() {
            self.own.push((event.receive_ns, ctx.now_ns().saturating_sub(event.receive_ns)));
        }
        Ok(())
    }

    fn on_stop(&mut self, _ctx: &mut Context) -> StrategyResult {
        self.all.lock().append(&mut self.own);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_of_the_stall_is_judged() {
        let samples: Vec<Sample> = (0..300).map(|at| (at, if at < 200 { 9 } else { 90 })).collect();
        let calm = Latency::of(&samples, Span { from_ns: 50, to_ns: 150 });
        assert_eq!((calm.count, calm.p50_ns, calm.p90_ns), (100, 9, 9));
        let mixed = Latency::of(&samples, Span { from_ns: 100, to_ns: 300 });
        assert_eq!((mixed.count, mixed.p50_ns, mixed.p90_ns), (200, 90, 90));
        assert_eq!(Latency::of(&samples, Span::default()).count, 0);
    }

    #[test]
    fn a_tail_fails_only_above_its_bound_and_above_twice_the_hiccups() {
        assert!(is_no_ones(10, 10, 0) && is_no_ones(20, 10, 10));
        assert!(!is_no_ones(21, 10, 10));
    }

    #[test]
    fn half_as_much_again_is_within_and_more_is_not() {
        let of = |p50_ns, p90_ns| Latency { count: 1, p50_ns, p90_ns, p99_ns: 0 };
        let without = of(100_000, 200_000);
        assert!(of(150_000, 300_000).is_within(without));
        assert!(!of(150_001, 300_000).is_within(without) && !of(1, 300_001).is_within(without));
        assert!(of(5_000, 5_000).is_within(of(1, 1)), "as good as any");
    }
}
