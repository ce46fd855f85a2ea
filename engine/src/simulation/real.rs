//! One seed for real: what a driver outside needs to run the shipped binary as it was built, on
//! real sockets, files and clocks, against a simulated venue behind a proxy, and to judge it by the
//! checkers of every simulated run.
//!
//! The driver starts processes and carries bytes; it is no part of the engine. Here is what it is
//! told to do ([`possible`], [`schedule`]), with what the engine is started ([`config`],
//! [`venue_options`], [`witnessed_in_file`]), and who judges ([`Judge`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::facts::Facts;
use super::invariants::{self, Evidence, Violation};
use super::notes::SharedNotes;
use super::on_record::OnRecord;
use super::plan::{Cores, Disk, MachineClock, Plan, Venues};
use super::run::{self, MS};
use super::told_file;
use crate::config::{Config, Profile, VenueConfig};
use crate::consumer::StrategyRegistry;
use crate::control::{ConsumerAudit, Status};
use crate::venue::protocol::{KeyError, Keys};
use crate::venue::registry::VenueKind;
use crate::venue::simulated::{
    Fault, FaultName, Ledger, LimitRules, SimulatedSymbol, SimulatedVenueOptions,
    SimulatedVenueReport,
};
use crate::world::Files;

pub use super::operator::restoring;
pub use super::schedule::{Action, schedule};
pub use super::witness::witnessed_in_file;

/// What a loaded machine may add to the age of an event or to the way of an order, ms.
const SLACK_MS: u64 = 3_000;
/// Time after which a strategy's books have numbers from after a restart of them: none may be older
/// than ten seconds.
const NUMBERS_ANEW: Duration = Duration::from_secs(12);
/// The shortest calm, ms.
const CALM_MIN_MS: u64 = 2_000;
/// Name of the venue in the engine's configuration.
const VENUE: &str = "real";
/// The venue's one API key.
const API_KEY: &str = "simulated";
/// The key pair of RFC 8410, section 10.3: known to all, of a venue that is this process's own.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

/// Invariants that a run for real can't judge, or not whole, and why.
pub static NOT_JUDGED: &[(u8, &str)] = &[
    (11, "of sockets and files: the system takes back those of a process"),
    (13, "needs two runs that are the same but for one strategy: real time makes none"),
    (18, "of the journal's segments that are removed: a run for real keeps them all"),
    (19, "time is real: a seed gives the same plan, and never the same bytes"),
    (20, "of duty cycles: nobody counts them in another process"),
];

/// What of `plan` can be done to a process from outside, and what was left out.
#[must_use]
pub fn possible(plan: &Plan) -> (Plan, Vec<&'static str>) {
    let (mut real, mut without) = (plan.clone(), Vec::new());
    let mut leave_out = |is_there: bool, what| {
        if is_there {
            without.push(what);
        }
    };
    leave_out(plan.venues != Venues::default(), "other kinds of venues, and more of them");
    leave_out(plan.disk != Disk::default(), "faults of the disk");
    leave_out(plan.clock.steps > 0 || plan.clock.drift_ppm != 0, "steps and drift of the clock");
    leave_out(plan.cores.holds > 0, "agents without a core");
    leave_out(plan.strategies.hold_ppm > 0, "callbacks that take long");
    leave_out(plan.network.lost_name_ppm > 0, "names that are not found");
    let kills = || plan.crash.iter().filter(|crash| crash.at_ms < plan.trouble_ms);
    let in_write = kills().any(|crash| crash.at_write + crash.again_at_write > 0);
    leave_out(in_write, "kills in the middle of a chosen write: they come at once");
    leave_out(kills().any(|crash| crash.loses_power), "the loss of power");
    (real.venues, real.disk) = (Venues::default(), Disk::default());
    (real.clock, real.cores) = (MachineClock::default(), Cores::default());
    (real.strategies.hold_ppm, real.strategies.hold_ms) = (0, 0);
    (real.network.lost_name_ppm, real.restart.removes_segments) = (0, false);
    for crash in &mut real.crash {
        (crash.at_write, crash.again_at_write, crash.loses_power) = (0, 0, false);
    }
    (real, without)
}

/// Where everything of a run for real lies.
#[derive(Clone, Debug)]
pub struct Places {
    folder: PathBuf,
}

impl Places {
    /// All of it in this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Places {
        Places { folder: folder.to_owned() }
    }

    /// The plan, for the engine's strategies.
    #[must_use]
    pub fn plan(&self) -> PathBuf {
        self.folder.join("plan.toml")
    }

    /// The engine's configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("pitlane.toml")
    }

    /// The engine's control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("control/pitlane.sock")
    }

    /// What strategies of the engine of this number were told, beside the plan.
    #[must_use]
    pub fn told(&self, engine: usize) -> PathBuf {
        self.folder.join(format!("told-{engine}"))
    }

    /// What the engine of this number prints as `what`.
    #[must_use]
    pub fn output(&self, engine: usize, what: &str) -> PathBuf {
        self.folder.join(format!("engine-{engine}.{what}"))
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }
}

/// The configuration of the engine, which reaches its venue at `venue`.
#[must_use]
pub fn config(
    plan: &Plan,
    registry: &StrategyRegistry,
    places: &Places,
    venue: SocketAddr,
) -> Config {
    let mut config = run::config(plan, registry);
    let kind = VenueKind::usual();
    let (stream, api) =
        kind.dialect.map_or(("", None), |dialect| (dialect.stream_path, dialect.api_path));
    config.simulated.enabled = false;
    config.venues = vec![VenueConfig {
        name: VENUE.to_owned(),
        kind: kind.name.to_owned(),
        stream_url: format!("ws://{venue}{stream}"),
        rest_url: format!("http://{venue}"),
        api_url: api.map(|path| format!("ws://{venue}{path}")),
        api_key: Some(API_KEY.to_owned()),
        private_key_file: Some(places.key()),
        ..VenueConfig::default()
    }];
    config.engine.run_dir = places.folder.join("runs");
    config.engine.profile = Profile::Quiet;
    config.cores.pin = false;
    config.control.socket = Some(places.socket());
    config.journal.dir = Some(places.journal());
    // A second of silence of a loaded machine is no stall of a strategy.
    config.engine.stall_budget_ms = 1_000;
    config.engine.quarantine_after_ms = 30_000;
    config
}

/// A configuration as the text of its file.
///
/// # Errors
/// None but of a configuration that no file can say.
pub fn config_text(config: &Config) -> io::Result<String> {
    toml::to_string(config).map_err(io::Error::other)
}

/// The plan that stands in a file.
///
/// # Errors
/// When it can't be read, or is none.
pub fn read_plan(path: &Path) -> io::Result<Plan> {
    let text = Files::Real.read_text(path)?;
    Plan::default().with_file(&text).map_err(io::Error::other)
}

/// What the venue is started with. Writes the engine's key for it.
///
/// # Errors
/// When the key can't be written.
pub fn venue_options(plan: &Plan, places: &Places) -> io::Result<SimulatedVenueOptions> {
    let mut file = Files::Real.create_private(&places.key())?;
    file.write_all(PRIVATE_KEY.as_bytes())?;
    let verifying_key = verifying_key(&places.key()).map_err(io::Error::other)?;
    Ok(SimulatedVenueOptions {
        seed: plan.seed,
        events_per_s: plan.load.events_per_s,
        api_key: API_KEY.to_owned(),
        verifying_key,
        limits: LimitRules::default(),
        fault_plan: plan.fault_plan(),
        ..SimulatedVenueOptions::default()
    })
}

fn verifying_key(private_key_file: &Path) -> Result<Vec<u8>, KeyError> {
    let keys = Keys { api_key: API_KEY, private_key_file, files: &Files::Real, chance: 0 };
    let orders = VenueKind::usual().orders.map(|orders| (orders.with_keys)(keys));
    Ok(orders.transpose()?.map(|keyed| keyed.verifying_key).unwrap_or_default())
}

/// How long a calm is at least, ms: what the venue has begun to hold back comes within it.
#[must_use]
pub fn calm_min_ms(plan: &Plan, venue: &SimulatedVenueReport) -> u64 {
    let begun = plan.venue_fault.iter().filter(|of| venue.faults(of.fault.name()) > 0);
    let longest = begun.map(|of| lasts(&of.fault).as_millis() as u64).max();
    CALM_MIN_MS + longest.unwrap_or(0)
}

/// For how long a fault goes on by itself.
fn lasts(fault: &Fault) -> Duration {
    match *fault {
        Fault::Stall { duration }
        | Fault::DataStall { duration }
        | Fault::ReplicaLag { duration }
        | Fault::Ban { duration }
        | Fault::MarketBreak { duration } => duration,
        Fault::UnknownOutcome { reply_after, enters_after } => {
            reply_after.max(enters_after.unwrap_or_default())
        }
        Fault::FalseRefusal { enters_after, .. } => enters_after,
        Fault::LateForward { delay } => delay,
        Fault::ServerShutdown { notice } => notice,
        // Which of two books is the newer is told by numbers that have all begun anew.
        Fault::IdRestart => NUMBERS_ANEW,
        _ => Duration::ZERO,
    }
}

/// Faults of the plan that the venue has done, by name.
#[must_use]
pub fn venue_faults_done(venue: &SimulatedVenueReport) -> BTreeMap<String, u64> {
    let done = FaultName::ALL.iter().map(|name| (format!("{name:?}"), venue.faults(*name)));
    done.filter(|(_, count)| *count > 0).collect()
}

/// What is known of a run at its end.
#[derive(Debug)]
pub struct Ending {
    /// What the last engine has said of itself.
    pub facts: Facts,
    /// Sessions by name, and their states at the end of the calm.
    pub sessions: Vec<(String, String)>,
    /// When it was told to stop, ns since the start of the run.
    pub stopped_ns: u64,
    /// When the operator's kill was answered.
    pub killed_ns: Option<u64>,
    /// The venue's own record.
    pub ledger: Ledger,
    /// What is traded there.
    pub symbols: Vec<SimulatedSymbol>,
    /// What the venue has counted.
    pub venue: SimulatedVenueReport,
    /// What it has punished.
    pub penalties: BTreeMap<&'static str, u64>,
}

/// What a judge has found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What was violated; empty when all that was judged holds.
    pub violations: Vec<Violation>,
    /// Callbacks with an event.
    pub events: u64,
    /// Trades of our orders at the venue.
    pub trades: u64,
    /// Orders that were open on record when an engine began.
    pub taken_up: u64,
}

/// Who judges a run: it reads what the strategies of all its engines were told, the journal and the
/// venue's own record.
pub struct Judge {
    plan: Plan,
    notes: SharedNotes,
    wall_start_ns: i64,
    journal: PathBuf,
    open_orders_max: usize,
    /// Told by the present engine, and no whole record yet.
    unread: Vec<u8>,
    taken_up: BTreeMap<u32, BTreeSet<(u16, u64)>>,
    /// Of the engine that is about to begin.
    known: Option<BTreeSet<(u16, u64)>>,
}

impl Judge {
    /// Of a run that begins at this wall time, ns since the Unix epoch.
    #[must_use]
    pub fn new(plan: &Plan, config: &Config, places: &Places, wall_start_ns: i64) -> Judge {
        let notes = SharedNotes::default();
        {
            let mut notes = notes.lock();
            (notes.wall_start_ns, notes.age_ns_max) =
                (wall_start_ns, run::age_ns_max(plan) + SLACK_MS * MS);
        }
        Judge {
            plan: plan.clone(),
            notes,
            wall_start_ns,
            journal: places.journal(),
            open_orders_max: config.risk.max_open_orders as usize,
            unread: Vec::new(),
            taken_up: BTreeMap::new(),
            known: None,
        }
    }

    /// Takes what has come since of the file of what the present engine's strategies are told.
    pub fn told(&mut self, bytes: &[u8], at_ns: u64) {
        self.unread.extend_from_slice(bytes);
        let mut notes = self.notes.lock();
        match told_file::tell(&mut notes, &self.unread) {
            Some(taken) => drop(self.unread.drain(..taken)),
            None => {
                self.unread.clear();
                notes.violated(20, at_ns, "what strategies were told can't be read".to_owned());
            }
        }
    }

    /// An audit is about to be asked for.
    pub fn audit_begins(&mut self) {
        self.notes.lock().consumers.values_mut().for_each(|notes| notes.marks += 1);
    }

    /// What an audit has said.
    pub fn audited(&mut self, consumers: &[ConsumerAudit], at_ns: u64) {
        let broken = run::broken_accounts(consumers);
        broken.into_iter().for_each(|what| self.violated(7, at_ns, what));
    }

    /// A command that puts things right was refused in these words.
    pub fn refused_in_calm(&mut self, command: &str, words: &str, at_ns: u64) {
        if let Some(what) = run::refused_in_calm(&self.plan, command, words) {
            self.violated(20, at_ns, what);
        }
    }

    /// The engine was killed, and all that its strategies were told was taken.
    pub fn killed(&mut self, has_halted: bool, at_ns: u64) {
        self.unread.clear();
        let on_record = OnRecord::read(&Files::Real, &self.journal);
        let dead = on_record.last_run;
        let known = self.notes.lock().begin_life(&on_record, dead, has_halted, at_ns);
        self.known = Some(known);
    }

    /// The engine that follows answers.
    pub fn follows(&mut self) {
        if let Some(known) = self.known.take() {
            let run = OnRecord::read(&Files::Real, &self.journal).last_run;
            self.taken_up.insert(run, known);
        }
    }

    /// Next step of the run.
    pub fn step(&mut self) {
        self.notes.lock().step += 1;
    }

    /// Cancels without an outcome since before the calm.
    #[must_use]
    pub fn lost_cancels(&self, status: &Status) -> Vec<String> {
        self.notes.lock().lost_cancels(self.plan.trouble_ms * MS, status)
    }

    /// Whether something was violated.
    #[must_use]
    pub fn has_found(&self) -> bool {
        !self.notes.lock().found.is_empty()
    }

    /// Notes a violation that the driver has seen.
    pub fn violated(&mut self, invariant: u8, at_ns: u64, what: String) {
        self.notes.lock().violated(invariant, at_ns, what);
    }

    /// What was found of a run that could not go on.
    #[must_use]
    pub fn gave_up(self) -> Verdict {
        let mut notes = self.notes.lock();
        let (violations, events) = (mem::take(&mut notes.found), notes.events);
        Verdict { violations, events, ..Verdict::default() }
    }

    /// Judges the whole run.
    #[must_use]
    pub fn judge(self, ending: &Ending) -> Verdict {
        let mut notes = self.notes.lock();
        let at_ns = ending.stopped_ns;
        notes.prints.settle();
        let evidence = Evidence {
            plan: &self.plan,
            taken_up: &self.taken_up,
            consumers: &notes.consumers,
            told: &notes.told,
            prints: notes.prints.as_slice(),
            report: &ending.facts,
            ledgers: std::slice::from_ref(&ending.ledger),
            symbols: std::slice::from_ref(&ending.symbols),
            simulated: std::slice::from_ref(&ending.venue),
            penalties: &ending.penalties,
            sessions: &ending.sessions,
            behind: &ending.facts.threads_left_behind,
            wall_start_ns: self.wall_start_ns,
            slack_ms: SLACK_MS,
            stopped_ns: at_ns,
            files: &Files::Real,
            open_ends: 0,
            open_handles: 0,
            cycles: 0,
            busiest: "",
            killed_ns: ending.killed_ns,
            open_orders_max: self.open_orders_max,
        };
        let found = invariants::judged(&evidence);
        found.into_iter().for_each(|(number, what)| notes.violated(number, at_ns, what));
        Verdict {
            violations: mem::take(&mut notes.found),
            events: notes.events,
            trades: ending.ledger.trades.len() as u64,
            taken_up: self.taken_up.values().map(|of| of.len() as u64).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::draw;
    use crate::simulation::invariants::ALL;

    #[test]
    fn every_plan_becomes_one_that_can_be_done_and_says_what_it_has_lost() {
        let mut lost = BTreeSet::new();
        for seed in 0..300 {
            let plan = draw(seed, 20_000);
            let (real, without) = possible(&plan);
            assert_eq!(possible(&real), (real.clone(), Vec::new()), "seed {seed}");
            assert_eq!(real.network.cut_ppm, plan.network.cut_ppm, "seed {seed}");
            assert_eq!((real.venue_fault, real.outage), (plan.venue_fault, plan.outage));
            assert_eq!(real.crash.len(), plan.crash.len(), "seed {seed}");
            lost.extend(without);
        }
        assert_eq!(lost.len(), 8, "{lost:?}");
    }

    #[test]
    fn the_configuration_is_the_same_after_its_text_and_refused_by_nobody() {
        let places = Places::in_folder(Path::new("/run"));
        let venue = SocketAddr::from(([127, 0, 0, 1], 8_080));
        for seed in 0..50 {
            let (plan, _) = possible(&draw(seed, 20_000));
            let config = config(&plan, &StrategyRegistry::new(), &places, venue);
            let text = toml::to_string(&config).unwrap();
            let read = Config::parse(&text, "pitlane.toml").unwrap();
            assert_eq!(toml::to_string(&read).unwrap(), text, "seed {seed}");
            assert!(!read.simulated.enabled && read.journal.dir.is_some(), "seed {seed}");
        }
    }

    #[test]
    fn what_is_not_judged_is_named_by_its_number() {
        for (number, why) in NOT_JUDGED {
            assert!(ALL.iter().any(|it| it.number == *number), "{number}: {why}");
        }
    }
}
