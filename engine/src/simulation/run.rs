//! One run: launched, troubled, calmed, stopped, and judged.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use super::facts::Facts;
use super::invariants::{self, Evidence, Violation};
use super::isolation;
use super::marks;
use super::notes::SharedNotes;
use super::operator;
use super::plan::{Crash, Disk, End, Plan};
use super::schedule::{Action, schedule};
use super::witness::{LISTENER, TRADER, witnessed};
use crate::config::{Config, ConsumerConfig, JournalDurability, JournalKeep};
use crate::consumer::StrategyRegistry;
use crate::control::ConsumerAudit;
use crate::control::protocol::{ControlRequest, Reply};
use crate::launch::{
    LaunchError, LaunchOptions, OneThreadEngine, OneThreadOptions, SIMULATED_WALL_START_NS,
    launch_one_thread,
};
use crate::venue::registry::VenueKind;
use crate::venue::simulated::{FaultName, Ledger, SimulatedVenueReport};
use crate::world::{FileConditions, Files, NetConditions};

pub(super) const MS: u64 = 1_000_000;
/// A plan has at most three refusals of a kind: the third pause in a row is four minutes.
const SLOWED_MS_MAX: u64 = 240_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Between two checks whether something was violated, ns.
const POLL_NS: u64 = 5 * SECOND_NS;
/// Virtual time that an orderly stop may take, ns.
const STOP_NS: u64 = 10 * SECOND_NS;
/// Strategies that no run has: the one is the listener, the other misbehaves in real time.
const LEFT_OUT: [&str; 2] = ["noop", "faulty"];
/// Silence after which a stream is told as stale, ms.
pub(super) const SILENCE_MS: u64 = 2_000;

/// The journal that all engines of a run with crashes keep.
pub(super) const JOURNAL: &str = "/journal";

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was violated; empty when all held. A run ends with the first that shows while it runs.
    pub violations: Vec<Violation>,
    /// A hash of all that strategies were told, of all bytes on the network and on the disk, and of
    /// how many duty cycles that took.
    pub hash: u64,
    /// Events that strategies were given.
    pub events: u64,
    /// Trades of our orders at the venue.
    pub trades: u64,
    /// Virtual time that has passed, ns.
    pub virtual_ns: u64,
    /// How often each rare thing happened; see [`marks::ALL`].
    pub reached: BTreeMap<&'static str, u64>,
    /// `stop` was raised: nothing was judged.
    pub is_cut_short: bool,
}

/// Runs `plan` with the strategies of `registry`, a listener and a random trader, and judges it.
/// Raising `stop` ends it early.
///
/// # Errors
/// As [`launch_one_thread`].
pub fn run(
    plan: &Plan,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
) -> Result<Outcome, LaunchError> {
    let notes = SharedNotes::default();
    {
        let mut notes = notes.lock();
        notes.age_ns_max = age_ns_max(plan);
        notes.wall_start_ns = SIMULATED_WALL_START_NS;
    }
    let witnessed = witnessed(registry, &notes, &plan.strategies, plan.seed);
    let config = config(plan, registry);
    let launch = LaunchOptions { venue_faults: plan.fault_plan(), ..LaunchOptions::default() };
    let options = OneThreadOptions {
        seed: plan.seed,
        conditions: plan.net_conditions(),
        // The files of a run are made before anything goes wrong: without them none is started.
        files: FileConditions::default(),
        holds: plan.holds(),
    };
    let engine = launch_one_thread(&config, &witnessed, &launch, options)?;
    // The checker reads all that was ever on record.
    engine.files().keep_removed();
    engine.files().set_conditions(plan.file_conditions());
    let consumers = config.consumers.iter().map(|consumer| consumer.name.clone()).collect();
    let venues = config.venue_names();
    let of = Engines { config, registry: witnessed, launch, consumers, venues };
    let (armed, lives, killed_ns) = (None, Lives::default(), None);
    let run = Run { plan, engine, notes, of, stop, armed, lives, killed_ns };
    // The engine contains what strategies do; a panic of its own is a violation like any other.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| run.whole()));
    let mut outcome = outcome.unwrap_or_else(|payload| panicked(payload.as_ref(), plan));
    if outcome.violations.is_empty() && !outcome.is_cut_short {
        outcome.violations = isolation::compared(plan)?;
    }
    Ok(outcome)
}

/// What an event may be old while it is said to be live, ns; 0 = nobody can say.
pub(super) fn age_ns_max(plan: &Plan) -> u64 {
    let Plan { network, strategies, cores, .. } = plan;
    let way_ms = (network.latency_us + network.jitter_us) / 1_000;
    // Holds of the stages before it add up.
    let held_ms = strategies.hold_ms + u64::from(cores.holds.min(3)) * cores.hold_ms;
    // A stream that is often quiet is told as stale after four times its longest pause.
    // Some other kinds tell at a subscription what was traded before it.
    let is_judged = (0..=plan.venues.others.len()).all(|place| plan.is_usual(place));
    u64::from(is_judged) * (4 * SILENCE_MS + way_ms + held_ms + 1_000) * MS
}

/// The outcome of a run whose engine panicked.
fn panicked(payload: &(dyn Any + Send), plan: &Plan) -> Outcome {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("?");
    let (what, last) = (format!("the engine panicked: {text}"), Vec::new());
    let violation = Violation { invariant: 20, at_ns: plan.length_ns(), step: 0, what, last };
    Outcome { violations: vec![violation], ..Outcome::default() }
}

pub(super) fn config(plan: &Plan, registry: &StrategyRegistry) -> Config {
    let mut config = Config::default_run();
    config.simulated.events_per_s = plan.load.events_per_s;
    config.simulated.seed = plan.seed;
    config.simulated.others.clone_from(&plan.venues.others);
    config.simulated.standby = plan.venues.more;
    if !plan.venues.kind.is_empty() {
        config.simulated.kind.clone_from(&plan.venues.kind);
    }
    VenueKind::settle(&mut config);
    config.telemetry.interval_ms = 30_000;
    // Short, so that silence of every kind is noticed within a short run.
    (config.session.ping_interval_ms, config.session.idle_ms) = (3_000, 9_000);
    config.session.silence_ms = SILENCE_MS;
    let (load, lanes) = (&plan.load, &mut config.lanes);
    lanes.venue = load.link_slots;
    (lanes.market, lanes.critical) = (load.market_slots, load.critical_slots);
    (lanes.spill, lanes.order) = (load.spill_slots, load.order_slots);
    if plan.disk != Disk::default() {
        // A journal that can't be written halts trading, as it should: such a run keeps none.
        config.journal.durability = JournalDurability::None;
    }
    if !plan.crash.is_empty() {
        config.journal.dir = Some(JOURNAL.into());
        if plan.crash.iter().any(|crash| crash.loses_power) {
            config.journal.durability = JournalDurability::FsyncBatch;
        }
        config.risk.on_start = plan.restart.on_start;
        if plan.restart.segment_kib > 0 {
            config.journal.segment_bytes = plan.restart.segment_kib as usize * 1_024;
        }
        if plan.restart.checkpoint_segments > 0 {
            config.journal.checkpoint_segments = plan.restart.checkpoint_segments;
        }
        if plan.restart.removes_segments {
            config.journal.keep = JournalKeep::Needed;
        }
    }
    if plan.strategies.failures_max > 0 {
        config.engine.max_failures = plan.strategies.failures_max;
    }
    let of_registry = registry.names().filter(|name| !LEFT_OUT.contains(name));
    let names = [LISTENER, TRADER].into_iter().chain(of_registry);
    config.consumers = names.map(ConsumerConfig::of_strategy).collect();
    config
}

/// Accounts of an audit that do not hold.
pub(super) fn broken_accounts(consumers: &[ConsumerAudit]) -> Vec<String> {
    let broken = consumers.iter().filter(|of| of.not_reached.is_none() && !of.holds);
    let text = |of: &ConsumerAudit| {
        let kinds: Vec<_> = of.kinds.iter().filter(|kind| !kind.holds).collect();
        let (lane, what) = (of.lane, &of.consumer);
        format!("{what}: an audit does not hold: lane {lane}, kinds {kinds:?}")
    };
    broken.map(text).collect()
}

/// What is wrong when a command that puts things right is refused in these words; nothing of a
/// strategy that was quarantined, which stays so, nor of a halt by a disk that the plan took away,
/// in which a critical event may have found no place at all.
pub(super) fn refused_in_calm(plan: &Plan, command: &str, words: &str) -> Option<String> {
    let is_halted = plan.disk != Disk::default() && words.contains("halted for good");
    let is_due = is_halted || words.contains("quarantined");
    (!is_due).then(|| format!("in the calm {command} was refused: {words}"))
}

/// What every engine of a run is made of.
pub(super) struct Engines {
    pub(super) config: Config,
    pub(super) registry: StrategyRegistry,
    pub(super) launch: LaunchOptions,
    consumers: Vec<String>,
    venues: Vec<String>,
}

/// The engines before the last one.
#[derive(Default)]
pub(super) struct Lives {
    /// By the number of an engine that followed, the orders that its journal had as open and heard
    /// of when it began.
    pub(super) taken_up: BTreeMap<u32, BTreeSet<(u16, u64)>>,
    /// Times without an engine, ns.
    pub(super) downs: Vec<(u64, u64)>,
    /// Engines that began behind a checkpoint.
    pub(super) from_checkpoint: u64,
}

impl Lives {
    /// Trades of our orders that nobody of ours heard of when they were made.
    fn trades_unheard(&self, ledgers: &[Ledger]) -> u64 {
        let trades = ledgers.iter().flat_map(|ledger| &ledger.trades);
        let at_ns = trades.map(|trade| trade.at_ms * MS.cast_signed() - SIMULATED_WALL_START_NS);
        let is_unheard = |at_ns: &i64| {
            self.downs.iter().any(|(from, to)| (*from..*to).contains(&at_ns.cast_unsigned()))
        };
        at_ns.filter(is_unheard).count() as u64
    }
}

pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) engine: OneThreadEngine,
    pub(super) notes: SharedNotes,
    pub(super) of: Engines,
    pub(super) stop: &'a AtomicBool,
    /// A crash that comes with a write.
    pub(super) armed: Option<Crash>,
    pub(super) lives: Lives,
    pub(super) killed_ns: Option<u64>,
}

impl Run<'_> {
    fn whole(mut self) -> Outcome {
        for (at_ns, action) in schedule(self.plan, &self.of.consumers, &self.of.venues) {
            self = match self.until(at_ns) {
                Ok(next) => next,
                Err(outcome) => return outcome,
            };
            if self.is_over() {
                return self.cut_short();
            }
            self.notes.lock().step += 1;
            match action {
                Action::Crash(crash) => match self.begin_crash(crash) {
                    Ok(next) => self = next,
                    Err(outcome) => return outcome,
                },
                other => self.act(other),
            }
        }
        let trouble_ns = self.plan.trouble_ms * MS;
        self = match self.until(trouble_ns) {
            Ok(next) => next,
            Err(outcome) => return outcome,
        };
        self.disarm();
        if !self.is_over() && self.plan.end != End::KillInTrouble {
            self.calm();
        }
        if self.is_over() {
            return self.cut_short();
        }
        self.end()
    }

    pub(super) fn run_until(&mut self, end_ns: u64) {
        while self.engine.now_ns() < end_ns && !self.is_over() && !self.engine.is_dead() {
            self.engine.run_ns((end_ns - self.engine.now_ns()).min(POLL_NS));
        }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || !self.notes.lock().found.is_empty()
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Command(request) => {
                let _ = self.engine.operate(request);
            }
            Action::Audit => self.audit(),
            Action::OutageBegins => {
                let refuse_ppm = 1_000_000;
                let conditions = NetConditions { refuse_ppm, ..self.plan.net_conditions() };
                self.engine.net().set_conditions(conditions);
                self.engine.net().cut_all();
            }
            Action::OutageEnds => self.engine.net().set_conditions(self.plan.net_conditions()),
            Action::Hold(number, ns) => self.engine.hold_agent(number, ns),
            Action::SetClock(ns) => self.engine.set_system_clock(ns),
            // It takes the engine with it, and is done where that is owned.
            Action::Crash(_) => {}
        }
    }

    /// The accounts of all consumers that reach the cut.
    fn audit(&mut self) {
        for notes in self.notes.lock().consumers.values_mut() {
            notes.marks += 1;
        }
        let Ok(Reply::Audit { consumers, .. }) = self.engine.operate(ControlRequest::Audit {})
        else {
            return;
        };
        let at_ns = self.engine.now_ns();
        let mut notes = self.notes.lock();
        broken_accounts(&consumers).into_iter().for_each(|what| notes.violated(7, at_ns, what));
    }

    /// Ends all trouble, and lets what was on its way come to rest.
    fn calm(&mut self) {
        self.engine.calm_venues();
        self.engine.net().set_conditions(NetConditions::default());
        let room_bytes = self.plan.file_conditions().room_bytes;
        let files = FileConditions { room_bytes, ..FileConditions::default() };
        self.engine.files().set_conditions(files);
        self.notes.lock().step += 1;
        for command in operator::restoring(&self.of.consumers, &self.of.venues) {
            let shown = format!("{command:?}");
            let outcome = self.engine.operate(command);
            let Err(refusal) = outcome else { continue };
            if let Some(what) = refused_in_calm(self.plan, &shown, &refusal.to_string()) {
                let at_ns = self.engine.now_ns();
                self.notes.lock().violated(20, at_ns, what);
            }
        }
        self.run_until(self.plan.length_ns());
        let slowed_ns = self.slowed_ns();
        if slowed_ns > 0 {
            self.run_until(self.engine.now_ns() + slowed_ns + self.plan.calm_ms * MS);
        }
        self.audit();
        self.look_for_lost_cancels();
    }

    /// How long the engine still waits since a venue told it to slow down and not for how long,
    /// ns. Held against the venue's own count of such refusals, and bounded: who waits without a
    /// reason, or for ever, has not healed.
    fn slowed_ns(&self) -> u64 {
        let has_refused = |venue: &SimulatedVenueReport| venue.faults(FaultName::RefuseRest) > 0;
        if !self.engine.simulated_venues().iter().any(has_refused) {
            return 0;
        }
        let allowances = self.engine.allowances();
        let pauses = allowances.iter().flat_map(|of| &of.pauses);
        let left_ms = pauses.filter(|pause| pause.status == 429).map(|pause| pause.left_ms).max();
        left_ms.unwrap_or(0).min(SLOWED_MS_MAX) * MS
    }

    /// Cancels that have had no outcome since the calm began: each has one within it.
    fn look_for_lost_cancels(&mut self) {
        let status = self.engine.status();
        if status.halted.is_some() {
            // Nothing is read any more; the report names what may be left at the venue.
            return;
        }
        let (at_ns, calm_ns) = (self.engine.now_ns(), self.plan.trouble_ms * MS);
        let mut notes = self.notes.lock();
        let lost = notes.lost_cancels(calm_ns, &status);
        lost.into_iter().for_each(|what| notes.violated(20, at_ns, what));
    }

    /// What there is to tell of a run that is over before its end.
    fn cut_short(self) -> Outcome {
        let violations = mem::take(&mut self.notes.lock().found);
        let is_cut_short = violations.is_empty();
        let mut outcome = Outcome { violations, is_cut_short, ..Outcome::default() };
        self.figures(&mut outcome);
        outcome
    }

    fn figures(&self, outcome: &mut Outcome) {
        let notes = self.notes.lock();
        let (net, files) = (self.engine.net_totals(), self.engine.files().totals());
        let parts = [net.hash, files.hash, net.bytes, self.engine.cycles(), self.engine.now_ns()];
        let mix = |hash: u64, part: u64| {
            (hash ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
        };
        outcome.hash = parts.into_iter().fold(notes.hash, mix);
        (outcome.events, outcome.virtual_ns) = (notes.events, self.engine.now_ns());
    }

    /// The three agents that have cost the most.
    fn busiest(&self) -> String {
        let mut loads: Vec<_> = self.engine.loads().collect();
        loads.sort_by_key(|(_, load)| std::cmp::Reverse(load.busy + load.waits));
        let shown = loads.iter().take(3).map(|(name, load)| format!("{name} {load:?}"));
        shown.collect::<Vec<_>>().join(", ")
    }

    fn end(mut self) -> Outcome {
        self.notes.lock().step += 1;
        let of_session = |session: crate::control::SessionStatus| {
            (format!("{}:{}", session.venue, session.role), session.state)
        };
        let sessions: Vec<_> = self.engine.status().sessions.into_iter().map(of_session).collect();
        let (cycles, busiest) = (self.engine.cycles(), self.busiest());
        if self.plan.end != End::Stop {
            let _answer = self.engine.operate(ControlRequest::Kill {});
            self.killed_ns = Some(self.engine.now_ns());
        }
        let stopped_ns = self.engine.now_ns();
        let behind = self.engine.stop(STOP_NS);
        let mut outcome = Outcome::default();
        self.figures(&mut outcome);
        let Run { plan, engine, notes, killed_ns, of, lives, .. } = self;
        let (net, files) = (engine.net().clone(), engine.files().clone());
        let (ledgers, symbols) = (engine.ledgers(), engine.symbols());
        let (simulated, penalties) = (engine.simulated_venues(), engine.penalties());
        let at_ns = engine.now_ns();
        let report = engine.finish();
        let mut notes = notes.lock();
        outcome.trades = ledgers.iter().map(|ledger| ledger.trades.len() as u64).sum();
        outcome.reached = marks::reached(&notes, &report, &simulated, net.totals(), files.totals());
        outcome.reached.insert("crash", lives.downs.len() as u64);
        let taken_up: usize = lives.taken_up.values().map(BTreeSet::len).sum();
        outcome.reached.insert("taken_up", taken_up as u64);
        outcome.reached.insert("filled_while_down", lives.trades_unheard(&ledgers));
        outcome.reached.insert("from_checkpoint", lives.from_checkpoint);
        notes.prints.settle();
        let (facts, disk) = (Facts::of(&report), Files::Virtual(files.with_removed()));
        let evidence = Evidence {
            plan,
            taken_up: &lives.taken_up,
            consumers: &notes.consumers,
            told: &notes.told,
            prints: notes.prints.as_slice(),
            report: &facts,
            ledgers: &ledgers,
            symbols: &symbols,
            simulated: &simulated,
            penalties: &penalties,
            sessions: &sessions,
            behind: &behind,
            wall_start_ns: SIMULATED_WALL_START_NS,
            slack_ms: 0,
            stopped_ns,
            files: &disk,
            open_ends: net.open_ends(),
            open_handles: files.open_handles(),
            cycles,
            busiest: &busiest,
            killed_ns,
            open_orders_max: of.config.risk.max_open_orders as usize,
        };
        invariants::judged(&evidence)
            .into_iter()
            .for_each(|(number, what)| notes.violated(number, at_ns, what));
        outcome.violations = mem::take(&mut notes.found);
        outcome
    }
}
