//! SC-004 and SC-010: what happens to events while routes change, a thousand times under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pitlane_engine::config::OnFlip;
use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::dispatcher::{FLIP_BEGIN, FLIP_END, RouteKey};
use pitlane_engine::event::{ControlResult, Event, EventClass, EventKind};
use pitlane_engine::report::{ConsumerReport, Report};
use pitlane_engine::{Engine, RouteChange};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use super::witness::{Testimony, Witness};
use crate::table::count;

/// Consumers with an even number pass over what is stale, the others take it.
const CONSUMERS: usize = 4;
const EVENTS_PER_S: u32 = 50_000;
/// Half of the load is critical (F10).
const CRITICAL_PER_MILLE: u16 = 500;
/// CPU time of a market callback: more than there is, so that something always waits in the lanes.
const BURN: Duration = Duration::from_micros(40);
const MARKET_SLOTS: usize = 256;
/// Pause between two flips (F10: 1,000 a second).
const PAUSE: Duration = Duration::from_millis(1);
/// Time that a flip may take at most, all in all, on a machine that does other things as well.
const PATIENCE_PER_FLIP: Duration = Duration::from_millis(50);

/// SC-004: no critical event is lost or out of order.
pub(crate) fn check_critical(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let storm = Storm::run(setting)?;
    let sum = |of: fn(&Seen) -> u64| storm.seen.iter().map(|seen| of(seen)).sum::<u64>();
    let reports = sum(|seen| seen.testimony.reports());
    let disorder = sum(|seen| seen.testimony.out_of_order() + read(&seen.disorder));
    let published = storm.published(EventKind::ExecReport);
    let results = sum(|seen| read(&seen.results));
    let finding = Finding {
        done: storm.done(setting),
        measured: format!(
            "{} flips completed, each a version of its own; {} of {} reports and {} of {} \
             flip notices arrived, {disorder} out of order; critical lost {} by the engine's count",
            count(storm.completed),
            count(reports),
            count(published),
            count(results),
            count(2 * storm.completed),
            storm.report.critical_lost
        ),
        bound: "every flip completed; no critical event lost, none out of order".to_owned(),
        verdict: Verdict::Skipped,
        attack: format!(
            "each flip through Engine::change, as the controller does for strategies and operators; {} \
             stale events queued at {} of the flips; longest swap {} us",
            count(storm.stale_queued),
            count(storm.flips_with_stale),
            storm.longest_step_ns.div_ceil(1_000)
        ),
    };
    Ok(finding.judged(&[
        storm.completed == setting.scale.flips && storm.has_one_version_a_flip,
        reports == published && published > 0 && results == 2 * storm.completed,
        disorder == 0 && storm.report.critical_lost == 0 && storm.report.identity_holds,
        storm.flips_with_stale * 2 >= storm.completed,
    ]))
}

/// SC-010: consumers that skip handle nothing that a flip has made stale.
pub(crate) fn check_stale(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let storm = Storm::run(setting)?;
    let of_skippers = |of: &dyn Fn(&ConsumerReport, &Seen) -> u64| -> u64 {
        storm.report.consumers.iter().zip(&storm.seen).step_by(2).map(|(c, seen)| of(c, seen)).sum()
    };
    // Counted on both sides; a consumer learns of a flip a moment after the engine has decided it.
    let by_engine = of_skippers(&|consumer, _| consumer.stale_handled);
    let by_consumers = of_skippers(&|_, seen| read(&seen.stale));
    let handled = of_skippers(&|_, seen| seen.testimony.market());
    let skipped = of_skippers(&|consumer, _| consumer.terms.skipped);
    let others: u64 =
        storm.report.consumers.iter().skip(1).step_by(2).map(|c| c.stale_handled).sum();
    let finding = Finding {
        done: storm.done(setting),
        measured: format!(
            "consumers that skip: {} stale events handled by their own count, {} by the engine's, \
             among {} market events; {} skipped. Those that \
             take everything: {} stale, as they chose",
            count(by_consumers),
            count(by_engine),
            count(handled),
            count(skipped),
            count(others)
        ),
        bound: "0 where a consumer skips (original: below 5 %); no critical event lost".to_owned(),
        verdict: Verdict::Skipped,
        attack: format!(
            "each flip through Engine::change; a stale event was queued at {} of {} flips, {} in all",
            count(storm.flips_with_stale),
            count(storm.completed),
            count(storm.stale_queued)
        ),
    };
    Ok(finding.judged(&[
        by_consumers == 0 && by_engine == 0,
        handled > 0 && skipped > 0 && others > 0,
        storm.report.critical_lost == 0 && storm.report.identity_holds,
        storm.completed == setting.scale.flips,
        storm.flips_with_stale * 2 >= storm.completed,
    ]))
}

/// What one consumer saw.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) testimony: Arc<Testimony>,
    /// Notices of flips.
    pub(super) results: AtomicU64,
    /// Notices that did not follow the one before.
    pub(super) disorder: AtomicU64,
    /// Market events from before the last flip that it was told of.
    pub(super) stale: AtomicU64,
}

/// Many flips under load.
struct Storm {
    report: Report,
    seen: Vec<Arc<Seen>>,
    completed: u64,
    has_one_version_a_flip: bool,
    stale_queued: u64,
    flips_with_stale: u64,
    longest_step_ns: u64,
}

impl Storm {
    fn run(setting: &Setting<'_>) -> Result<Storm, TrialError> {
        let flips = setting.scale.flips;
        let mut trial = Trial::new(setting, 0, EVENTS_PER_S);
        trial.load.critical_per_mille = CRITICAL_PER_MILLE;
        trial.config.telemetry.fanout_every = 1_000;
        trial.config.lanes.market = MARKET_SLOTS;
        match setting.plant {
            Plant::LostCriticalEvent => trial.faults.lose_critical_event = 100,
            Plant::StaleEvent => trial.faults.handle_stale = 10,
            _ => {}
        }
        let seen: Vec<Arc<Seen>> = (0..CONSUMERS).map(|_| Arc::default()).collect();
        for (number, seen) in seen.iter().enumerate() {
            let seen = Arc::clone(seen);
            let (name, on_flip) = match number % 2 {
                0 => (format!("skips-{number}"), OnFlip::Skip),
                _ => (format!("takes-{number}"), OnFlip::Deliver),
            };
            trial = trial.consumer(&name, move || FlipWitness::new(Arc::clone(&seen), BURN));
            trial.config.consumers[number].on_flip = on_flip;
        }
        let mut driver = Driver { flips, is_one_version_each: true, ..Driver::default() };
        let patience = PATIENCE_PER_FLIP * flips as u32 + Duration::from_secs(20);
        let ran = trial.run_until(patience, PAUSE, |engine| driver.flip(engine))?;
        Ok(Storm {
            report: ran.report,
            seen,
            completed: driver.completed,
            has_one_version_a_flip: driver.is_one_version_each,
            stale_queued: driver.stale_queued,
            flips_with_stale: driver.flips_with_stale,
            longest_step_ns: driver.longest_step_ns,
        })
    }

    fn done(&self, setting: &Setting<'_>) -> String {
        format!(
            "{} flips of quote routes in turn over {CONSUMERS} busy consumers, at {} events/s, \
             half of them critical",
            count(setting.scale.flips),
            count(u64::from(EVENTS_PER_S))
        )
    }

    fn published(&self, kind: EventKind) -> u64 {
        let consumers = self.report.consumers.iter();
        consumers.filter_map(|consumer| consumer.kinds.get(kind.name())).map(|t| t.published).sum()
    }
}

/// Turns one route off and on again, then that of the next consumer.
#[derive(Default)]
struct Driver {
    flips: u64,
    attempts: u64,
    completed: u64,
    is_one_version_each: bool,
    version: Option<u32>,
    quotes: Vec<RouteKey>,
    stale_queued: u64,
    flips_with_stale: u64,
    longest_step_ns: u64,
}

impl Driver {
    /// One flip; true once all were tried.
    fn flip(&mut self, engine: &Engine) -> bool {
        if self.quotes.is_empty() {
            let routes = engine.routes().into_iter();
            self.quotes = routes.filter(|route| route.kind == EventKind::Quote).collect();
        }
        if self.attempts == self.flips || self.quotes.is_empty() {
            return true;
        }
        let route = self.quotes[(self.attempts / 2) as usize % self.quotes.len()];
        let change = RouteChange { route, is_on: self.attempts % 2 == 1 };
        self.attempts += 1;
        if let Ok(outcome) = engine.flip(self.attempts, &[change]) {
            self.completed += 1;
            let is_next = self.version.is_none_or(|before| outcome.version == before + 1);
            self.is_one_version_each &= is_next;
            self.version = Some(outcome.version);
            self.stale_queued += outcome.stale_queued;
            self.flips_with_stale += u64::from(outcome.stale_queued > 0);
            self.longest_step_ns = self.longest_step_ns.max(outcome.step_ns);
        }
        false
    }
}

/// A witness that is busy, and follows what it is told of flips.
pub(super) struct FlipWitness {
    witness: Witness,
    burn: Duration,
    seen: Arc<Seen>,
    /// Phase of the last notice.
    phase: u64,
    /// Version of the last flip that ended.
    version: u32,
}

impl FlipWitness {
    /// One that burns so much CPU time on each market event.
    pub(super) fn new(seen: Arc<Seen>, burn: Duration) -> FlipWitness {
        let witness = Witness::new(Arc::clone(&seen.testimony));
        FlipWitness { witness, burn, seen, phase: FLIP_END, version: 0 }
    }

    fn note(&mut self, phase: u64, version: u32) {
        add(&self.seen.results);
        let is_next = match phase {
            FLIP_BEGIN => self.phase == FLIP_END && version >= self.version,
            FLIP_END => self.phase == FLIP_BEGIN && version > self.version,
            _ => false,
        };
        if !is_next {
            add(&self.seen.disorder);
        }
        self.phase = phase;
        if phase == FLIP_END {
            self.version = version;
        }
    }
}

impl Strategy for FlipWitness {
    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        if let Some(result) = event.get::<ControlResult>() {
            self.note(result.phase, event.routing_version);
            return Ok(());
        }
        if event.kind().is_some_and(|kind| kind.class() == EventClass::Market) {
            if event.routing_version < self.version {
                add(&self.seen.stale);
            }
            let started = Instant::now();
            while !self.burn.is_zero() && started.elapsed() < self.burn {
                std::hint::spin_loop();
            }
        }
        self.witness.on_event(event, ctx)
    }
}

pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// One writer: a load and a store.
fn add(counter: &AtomicU64) {
    counter.store(read(counter) + 1, Ordering::Relaxed);
}
