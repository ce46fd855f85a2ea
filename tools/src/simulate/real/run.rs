//! One seed, for real.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pitlane_engine::StrategyRegistry;
use pitlane_engine::config::Config;
use pitlane_engine::control::Status;
use pitlane_engine::control::protocol::{ControlRequest, Reply};
use pitlane_engine::simulation::real::{self, Action, Ending, Judge, Places, Verdict};
use pitlane_engine::simulation::{Crash, End, Facts, Plan};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{Penalty, SimulatedVenue};
use pitlane_engine::world::NetConditions;

use super::engine::{Engine, how};
use super::proxy::{Done, Proxy};

const MS: u64 = 1_000_000;
/// Between two looks at the engine while nothing is due.
const LOOK: Duration = Duration::from_millis(5);
/// Between two looks whether all has healed.
const CALM_LOOK: Duration = Duration::from_millis(200);
/// How long a start may take until the engine answers.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a stop may take.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// A pause of a minute, which the venue may have imposed at the last moment, and what it takes to
/// connect behind it: this longer a calm may be than the plan's.
const CALM_MORE: Duration = Duration::from_secs(20);
/// A silent connection is given up after the idle time of the simulator's configuration.
const SILENCE_CALM: Duration = Duration::from_secs(12);

/// What came of a seed.
pub(super) struct Outcome {
    /// What was found.
    pub(super) verdict: Verdict,
    /// What was done to the engine, by name; nothing that was not.
    pub(super) done: BTreeMap<String, u64>,
    /// What of the plan was left out.
    pub(super) without: Vec<&'static str>,
    /// How long it took.
    pub(super) took: Duration,
    /// It was interrupted: nothing was judged.
    pub(super) is_cut_short: bool,
}

/// A folder of one run; it is removed at the end, unless it is to stay.
struct Folder {
    path: PathBuf,
    stays: bool,
}

impl Folder {
    fn new(seed: u64, keep: Option<&Path>) -> io::Result<Folder> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("pitlane-real-{}-{seed}-{}", std::process::id(), since.as_micros());
        let (path, stays) = match keep {
            Some(folder) => (folder.join(format!("seed-{seed}")), true),
            None => (std::env::temp_dir().join(name), false),
        };
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder { path: fs::canonicalize(path)?, stays })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.stays {
            let _nothing_else_can_be_done = fs::remove_dir_all(&self.path);
        }
    }
}

/// Runs a plan for real, with the strategies of `registry`.
///
/// # Errors
/// Why it could not be run, in words.
pub(super) fn run(
    plan: &Plan,
    registry: &StrategyRegistry,
    keep: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Outcome, String> {
    let (plan, without) = real::possible(plan);
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("[simulate] {what}: {error}");
    let folder =
        Folder::new(plan.seed, keep).map_err(|error| failed("the run's folder", &error))?;
    let places = Places::in_folder(&folder.path);
    let options = real::venue_options(&plan, &places);
    let options = options.map_err(|error| failed("the venue's key", &error))?;
    let kind = VenueKind::usual();
    let dialect = kind.dialect.ok_or("[simulate] there is no venue to be simulated")?;
    let venue = SimulatedVenue::start_as(dialect, options);
    let venue = venue.map_err(|error| failed("the venue", &error))?;
    let proxy = Proxy::start(venue.address(), plan.net_conditions(), plan.seed);
    let proxy = proxy.map_err(|error| failed("the proxy", &error))?;
    let config = real::config(&plan, registry, &places, proxy.address());
    let written = real::config_text(&config)
        .and_then(|text| fs::write(places.config(), text))
        .and_then(|()| fs::write(places.plan(), plan.text()));
    written.map_err(|error| failed("the run's files", &error))?;
    let program = std::env::current_exe().map_err(|error| failed("this program", &error))?;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let judge = Judge::new(&plan, &config, &places, wall.as_nanos() as i64);
    let begun = Instant::now();
    let run = Run {
        plan: &plan,
        config: &config,
        places: &places,
        program,
        stop,
        begun,
        venue,
        proxy,
        judge,
        engines: 0,
        done: BTreeMap::new(),
        killed_ns: None,
        sessions: Vec::new(),
    };
    let (verdict, done) = run.whole()?;
    let is_cut_short = stop.load(Ordering::Relaxed);
    Ok(Outcome { verdict, done, without, took: begun.elapsed(), is_cut_short })
}

/// Why a run does not go on.
enum Break {
    /// It was interrupted, or the engine ended by itself: the judge has the reason.
    Over,
    /// The run itself failed.
    Failed(String),
}

struct Run<'a> {
    plan: &'a Plan,
    config: &'a Config,
    places: &'a Places,
    program: PathBuf,
    stop: &'a AtomicBool,
    begun: Instant,
    venue: SimulatedVenue,
    proxy: Proxy,
    judge: Judge,
    engines: usize,
    done: BTreeMap<String, u64>,
    killed_ns: Option<u64>,
    sessions: Vec<(String, String)>,
}

impl Run<'_> {
    fn whole(mut self) -> Result<(Verdict, BTreeMap<String, u64>), String> {
        match self.lived() {
            Ok((facts, stopped_ns)) => {
                self.count_done(&facts);
                let penalty = |of: &Penalty| (of.name(), self.venue.penalties().count(*of));
                let penalties = Penalty::ALL.iter().map(penalty);
                let ending = Ending {
                    facts,
                    sessions: self.sessions,
                    stopped_ns,
                    killed_ns: self.killed_ns,
                    ledger: self.venue.ledger(),
                    symbols: self.venue.symbols().to_vec(),
                    venue: self.venue.counters().report(),
                    penalties: penalties.filter(|(_, count)| *count > 0).collect(),
                };
                Ok((self.judge.judge(&ending), self.done))
            }
            Err(Break::Over) => {
                self.count_done(&Facts::default());
                Ok((self.judge.gave_up(), self.done))
            }
            Err(Break::Failed(why)) => Err(format!("[simulate] seed {}: {why}", self.plan.seed)),
        }
    }

    /// All lives of the engine; what the last has reported, and when it was told to stop.
    fn lived(&mut self) -> Result<(Facts, u64), Break> {
        let consumers: Vec<_> = self.config.consumers.iter().map(|of| of.name.clone()).collect();
        let venues = self.config.venue_names();
        let mut engine = self.start()?;
        for (at_ns, action) in real::schedule(self.plan, &consumers, &venues) {
            self.wait_until(at_ns, &mut engine)?;
            self.judge.step();
            match action {
                Action::Crash(crash) => engine = self.crash(engine, &crash)?,
                other => self.act(other, &mut engine)?,
            }
        }
        self.wait_until(self.plan.trouble_ms * MS, &mut engine)?;
        self.judge.step();
        if self.plan.end != End::KillInTrouble {
            self.calm(&mut engine, &consumers, &venues)?;
        }
        self.end(engine)
    }

    fn now_ns(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    fn count(&mut self, what: &str) {
        *self.done.entry(what.to_owned()).or_default() += 1;
    }

    fn found(&mut self, invariant: u8, what: String) -> Break {
        self.judge.violated(invariant, self.now_ns(), what);
        Break::Over
    }

    /// Whether a run may go on.
    fn check(&mut self, engine: &mut Engine) -> Result<(), Break> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Break::Over);
        }
        if let Some(why) = self.proxy.failure() {
            return Err(Break::Failed(format!("the proxy failed: {why}")));
        }
        let Some(ended) = engine.ended() else { return Ok(()) };
        self.tell(engine)?;
        let (how, words) = (how(ended), engine.last_words());
        Err(self.found(20, format!("the engine {how} by itself: {words}")))
    }

    fn wait_until(&mut self, at_ns: u64, engine: &mut Engine) -> Result<(), Break> {
        loop {
            self.check(engine)?;
            let left = Duration::from_nanos(at_ns.saturating_sub(self.now_ns()));
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK));
        }
    }

    /// Starts the next engine, and waits until it answers.
    fn start(&mut self) -> Result<Engine, Break> {
        let engine = Engine::start(&self.program, self.places, self.engines);
        let mut engine = engine.map_err(|error| {
            Break::Failed(format!("{} does not start: {error}", self.program.display()))
        })?;
        self.engines += 1;
        let began = Instant::now();
        while engine.status().is_none() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Break::Over);
            }
            let is_late = began.elapsed() > START_PATIENCE;
            if let Some(ended) = engine.ended() {
                let (how, words) = (how(ended), engine.last_words());
                return Err(self.found(18, format!("the engine {how} in its start: {words}")));
            }
            if is_late {
                let words = engine.last_words();
                return Err(self.found(18, format!("an engine that starts is silent: {words}")));
            }
            thread::sleep(LOOK);
        }
        self.judge.follows();
        Ok(engine)
    }

    /// Gives the judge what strategies were told since.
    fn tell(&mut self, engine: &mut Engine) -> Result<(), Break> {
        let told = engine.told().map_err(|error| Break::Failed(error.to_string()))?;
        self.judge.told(&told, self.now_ns());
        Ok(())
    }

    fn crash(&mut self, mut engine: Engine, crash: &Crash) -> Result<Engine, Break> {
        let has_halted = engine.status().is_some_and(|status| status.halted.is_some());
        engine.kill();
        self.count("kill -9");
        self.tell(&mut engine)?;
        drop(engine);
        self.judge.killed(has_halted, self.now_ns());
        let until = Instant::now() + Duration::from_millis(crash.down_ms);
        while Instant::now() < until && !self.stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        self.start()
    }

    fn act(&mut self, action: Action, engine: &mut Engine) -> Result<(), Break> {
        match action {
            Action::Command(request) => {
                let _carried_out_or_refused = engine.ask(request);
                self.count("command of an operator");
            }
            Action::Audit => self.audit(engine)?,
            Action::OutageBegins => {
                self.proxy.set_out(true);
                self.count("outage");
            }
            Action::OutageEnds => self.proxy.set_out(false),
            // A plan that can be done has none of them.
            Action::Hold(..) | Action::SetClock(_) | Action::Crash(_) => {}
        }
        Ok(())
    }

    fn audit(&mut self, engine: &mut Engine) -> Result<(), Break> {
        self.tell(engine)?;
        self.judge.audit_begins();
        if let Ok(Reply::Audit { consumers, .. }) = engine.ask(ControlRequest::Audit {}) {
            self.judge.audited(&consumers, self.now_ns());
        }
        Ok(())
    }

    /// Ends all trouble, and waits until all has healed, or had its time to.
    fn calm(
        &mut self,
        engine: &mut Engine,
        consumers: &[String],
        venues: &[String],
    ) -> Result<(), Break> {
        self.venue.calm();
        self.proxy.set_out(false);
        self.proxy.set_conditions(NetConditions::default());
        for command in real::restoring(consumers, venues) {
            let shown = format!("{command:?}");
            if let Err(words) = engine.ask(command) {
                self.check(engine)?;
                self.judge.refused_in_calm(&shown, &words, self.now_ns());
            }
        }
        let began = Instant::now();
        let least_ms = real::calm_min_ms(self.plan, &self.venue.counters().report());
        let mut least = Duration::from_millis(least_ms);
        if self.proxy.done().silences > 0 {
            least = least.max(SILENCE_CALM);
        }
        let most = Duration::from_millis(self.plan.calm_ms) + CALM_MORE;
        loop {
            thread::sleep(CALM_LOOK);
            self.check(engine)?;
            self.tell(engine)?;
            let (calm, status) = (began.elapsed(), engine.status());
            let has_healed = || status.as_deref().is_some_and(|status| self.heals(status, engine));
            if calm >= most || calm >= least && has_healed() {
                break;
            }
        }
        self.audit(engine)?;
        self.tell(engine)?;
        if let Some(status) = engine.status().filter(|status| status.halted.is_none()) {
            let at_ns = self.now_ns();
            let lost = self.judge.lost_cancels(&status);
            lost.into_iter().for_each(|what| self.judge.violated(20, at_ns, what));
        }
        Ok(())
    }

    /// Whether the engine says that all is well. Nobody takes its word: with it the run is stopped
    /// and judged.
    fn heals(&self, status: &Status, engine: &Engine) -> bool {
        let is_open = status.sessions.iter().all(|session| session.state == "open");
        let is_live = status.books.iter().all(|book| book.status == "live");
        let is_doubted = match engine.ask(ControlRequest::Orders {}) {
            Ok(Reply::Orders { orders, .. }) => orders.iter().any(|it| it.certainty == "unknown"),
            _ => true,
        };
        is_open && is_live && !is_doubted && self.judge.lost_cancels(status).is_empty()
    }

    fn end(&mut self, mut engine: Engine) -> Result<(Facts, u64), Break> {
        let status = engine.status();
        let sessions = status.map(|status| status.sessions).unwrap_or_default().into_iter();
        let named = |of: pitlane_engine::control::SessionStatus| {
            (format!("{}:{}", of.venue, of.role), of.state)
        };
        self.sessions = sessions.map(named).collect();
        let stopped_ns = self.now_ns();
        if self.plan.end == End::Stop {
            engine.stop();
        } else {
            if let Err(words) = engine.ask(ControlRequest::Kill {}) {
                return Err(self.found(15, format!("a kill is refused: {words}")));
            }
            self.killed_ns = Some(self.now_ns());
            self.count("kill by the operator");
        }
        let until = Instant::now() + STOP_PATIENCE;
        let ended = loop {
            if let Some(ended) = engine.ended() {
                break ended;
            }
            if Instant::now() > until {
                let words = engine.last_words();
                return Err(self.found(20, format!("a stop does not end: {words}")));
            }
            thread::sleep(LOOK);
        };
        self.tell(&mut engine)?;
        match engine.facts(ended) {
            Ok(facts) => Ok((facts, stopped_ns)),
            Err(why) => Err(self.found(20, format!("{why}: {}", engine.last_words()))),
        }
    }

    /// Adds what venue, proxy and strategies have done wrong.
    fn count_done(&mut self, facts: &Facts) {
        let Done { refused, splits, holds, cuts, silences, outage_cuts, .. } = self.proxy.done();
        let of_proxy = [
            ("connection refused", refused),
            ("write split", splits),
            ("write held up", holds),
            ("connection cut at a byte", cuts),
            ("silence", silences),
            ("connection cut by an outage", outage_cuts),
            ("failure of a strategy", facts.failures()),
        ];
        let of_venue = real::venue_faults_done(&self.venue.counters().report()).into_iter();
        let of_venue = of_venue.map(|(name, count)| (format!("venue: {name}"), count));
        let all = of_proxy.into_iter().map(|(name, count)| (name.to_owned(), count));
        self.done.extend(all.chain(of_venue).filter(|(_, count)| *count > 0));
    }
}
