//! A recorded engine, run again: the same agents, given what was kept.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::assemble::Assembly;
use super::one_thread::{OneThreadOptions, SIMULATED_CORES, SIMULATED_WALL_START_NS};
use super::options::{LaunchError, LaunchOptions};
use super::pipeline_plan::pipeline_plan;
use super::scheduled::{OfThread, Scheduled};
use crate::config::{Config, CoresConfig};
use crate::consumer::{StrategyRegistry, install_panic_hook};
use crate::report::Report;
use crate::runtime::{CorePlan, HoldRates, HostCores, LiveThread};
use crate::telemetry::log_by_clock;
use crate::venue::registry::VenueKind;
use crate::world::tape::{
    self, Difference, Malformed, Observer, Player, Step, Sums, Tape, TapeError, TapeReader,
};
use crate::world::{Clock, Entropy, Files, Net, Spawn, VirtualFiles, World};

/// What a run was, as the first entry of its record has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunHead {
    /// The version of the engine that ran.
    pub(super) version: String,
    /// Its configuration, without keys.
    pub(super) config: String,
    /// The root of its chance.
    pub(super) entropy: u64,
    /// Wall time at its start, ns.
    pub(super) wall_start_ns: i64,
}

/// The thread that runs all.
pub(super) const THREAD: &str = "engine";

/// A record that is about to be played.
pub struct Replay {
    player: Player,
    folder: PathBuf,
    /// As the tape has it: what is not kept reads this.
    clock: Clock,
    entropy: Entropy,
    disk: VirtualFiles,
    holds: HoldRates,
    head: Option<RunHead>,
}

/// How a replay ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplayEnd {
    /// Every callback and every byte was what was recorded.
    Equal,
    /// The first that was not.
    Differs(Difference),
    /// What comes next in the record can't be read.
    Malformed(Malformed),
    /// All were, as far as the record goes: it has no end.
    Cut,
    /// An observer has ended it.
    Halted,
}

/// What came of a replay.
pub struct Played {
    /// How it ended.
    pub end: ReplayEnd,
    /// What has left.
    pub sums: Sums,
    /// What had left when it was recorded; `None` when the record has no end.
    pub recorded: Option<Sums>,
    /// Duty cycles.
    pub cycles: u64,
    /// Time that passed in the record, ns.
    pub ns: u64,
    /// The agent that was at work when it differed.
    pub agent: Option<String>,
    /// The report of the engine that ran.
    pub report: Report,
}

impl Replay {
    /// The record of a live run in `folder`, all of whose checksums hold.
    ///
    /// # Errors
    /// [`LaunchError::Tape`]: no record, one of another version, or a damaged one.
    pub fn open(files: &Files, folder: &Path) -> Result<Replay, LaunchError> {
        let (clock, time) = Clock::manual(0);
        let reader = TapeReader::open(files, folder)?;
        let mut player = Player::new(reader, move |now_ns| time.advance_to_ns(now_ns));
        drop(clock);
        let head = player.head().unwrap_or_default();
        let head = serde_json::from_str(&head).map_err(|error| {
            player.malformed(format!("what the run was has another form: {error}"));
            player.start_error(folder).unwrap_or(TapeError::Empty { path: folder.to_owned() })
        });
        let head: RunHead = head?;
        let (clock, time) = Clock::manual(head.wall_start_ns);
        player.move_time(move |now_ns| time.advance_to_ns(now_ns));
        let entropy = Entropy::seeded(head.entropy);
        let disk = VirtualFiles::new(0, crate::world::FileConditions::default());
        let kept = Files::Virtual(disk.clone());
        for (path, bytes) in player.files() {
            put(&kept, &path, &bytes)?;
        }
        if let Some(error) = player.start_error(folder) {
            return Err(error.into());
        }
        let (holds, folder) = (HoldRates::default(), folder.to_owned());
        Ok(Replay { player, folder, clock, entropy, disk, holds, head: Some(head) })
    }

    /// The record in `folder` of an engine in a simulated world of these options.
    ///
    /// # Errors
    /// As [`Replay::open`].
    pub fn of_simulated(
        files: &Files,
        folder: &Path,
        options: &OneThreadOptions,
    ) -> Result<Replay, LaunchError> {
        let (clock, time) = Clock::manual(SIMULATED_WALL_START_NS);
        let entropy = Entropy::seeded(options.seed);
        let disk = VirtualFiles::new(entropy.seed("files"), options.files);
        let reader = TapeReader::open(files, folder)?;
        let player = Player::new(reader, move |now_ns| time.advance_to_ns(now_ns));
        let (holds, folder) = (options.holds, folder.to_owned());
        Ok(Replay { player, folder, clock, entropy, disk, holds, head: None })
    }

    /// The configuration of the run; `None` when the record has none, or one of another version of
    /// the engine.
    #[must_use]
    pub fn config(&self) -> Option<Config> {
        let mut config: Config = toml::from_str(&self.head.as_ref()?.config).ok()?;
        VenueKind::settle(&mut config);
        Some(config)
    }

    /// The version of the engine that was recorded.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.head.as_ref().map(|head| head.version.as_str())
    }

    /// The number of the run, as the names of its orders have it.
    #[must_use]
    pub fn run(&self) -> u32 {
        self.entropy.run_number()
    }

    /// Has `observer` see what happens.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.player.observe(observer);
    }

    /// Lets the engine find a file that is in no record, as a private key.
    ///
    /// # Errors
    /// [`LaunchError::RunDir`], when it can't be read.
    pub fn lend(&self, path: &Path) -> Result<(), LaunchError> {
        let read = Files::Real.read(path);
        let bytes = read.map_err(|source| LaunchError::RunDir { path: path.to_owned(), source })?;
        put(&Files::Virtual(self.disk.clone()), path, &bytes)
    }

    /// Runs the engine of `config` over the record, on the calling thread, at full speed.
    ///
    /// # Errors
    /// As [`super::launch`].
    pub fn play(
        self,
        config: &Config,
        registry: &StrategyRegistry,
        launch: &LaunchOptions,
    ) -> Result<Played, LaunchError> {
        install_panic_hook();
        let Replay { player, folder, clock, entropy, disk, holds, head } = self;
        tape::attach(Tape::Playing(player));
        let world = World {
            clock: clock.taped(),
            entropy,
            net: Net::Taped(None),
            files: Files::Virtual(disk),
            spawn: Spawn::Replay,
        };
        let played = log_by_clock(&clock, || {
            let cores = match head {
                Some(_) => plan_on_one_core(config)?,
                None => CorePlan::make(config, &HostCores::of(0..SIMULATED_CORES))?,
            };
            let on = (clock.clone(), &cores);
            let (thread, engine) = engine_on_tape(config, registry, world, (launch, holds), on)?;
            Ok(play(thread, engine))
        });
        // What the engine could not start for may be what the record does not have.
        let start_error = match tape::detach() {
            Some(Tape::Playing(player)) if played.is_err() => player.start_error(&folder),
            _ => None,
        };
        start_error.map_or(played, |error| Err(error.into()))
    }
}

/// Makes the engine of a world with a tape, on a thread that runs it.
pub(super) fn engine_on_tape(
    config: &Config,
    registry: &StrategyRegistry,
    world: World,
    (launch, holds): (&LaunchOptions, HoldRates),
    (clock, cores): (Clock, &CorePlan),
) -> Result<(LiveThread, Scheduled), LaunchError> {
    let source = |source| LaunchError::Thread { name: "(poller)".to_owned(), source };
    let mut thread = LiveThread::new(clock).map_err(source)?;
    let mut plan = pipeline_plan(config, registry, cores, launch)?;
    plan.tape_strategies();
    let mut assembly = Assembly::new(config, world, &plan, cores)?;
    let flips = assembly.build(plan, launch)?;
    let (placements, engine) = assembly.schedule(flips, cores, launch, holds)?;
    placements.into_iter().for_each(|placement| thread.add(placement));
    Ok((thread, engine))
}

/// The plan of all agents on one thread, the same on any machine.
pub(super) fn plan_on_one_core(config: &Config) -> Result<CorePlan, LaunchError> {
    let mut alone = config.clone();
    alone.cores = CoresConfig { dispatch: None, consumers: None, pin: true };
    let mut plan = CorePlan::make(&alone, &HostCores::of(0..1))?;
    let rest: Vec<_> = plan.cores.drain(1..).flat_map(|core| core.agents).collect();
    if let Some(first) = plan.cores.first_mut() {
        first.agents.extend(rest);
        first.name = THREAD.to_owned();
    }
    plan.notes.clear();
    Ok(plan)
}

fn play(mut thread: LiveThread, mut engine: Scheduled) -> Played {
    let mut recorded = None;
    let end = loop {
        match tape::next_step() {
            Step::Cycle(number) => {
                let _work = thread.cycle(number);
            }
            Step::Operate(text) => match serde_json::from_str(&text) {
                Ok(request) => drop(engine.begin(request)),
                Err(error) => {
                    tape::malformed(format!("a command of an operator can't be read: {error}"));
                }
            },
            Step::Poll(number) => drop(engine.poll(number)),
            Step::Stop(step) => engine.stop(step),
            Step::End(sums) => {
                let end = match Some(&sums) == tape::sums().as_ref() {
                    true => ReplayEnd::Equal,
                    false => ReplayEnd::Differs(Difference {
                        what: "the sums at the end are others".to_owned(),
                        ..Difference::default()
                    }),
                };
                recorded = Some(sums);
                break end;
            }
            Step::Over => break ReplayEnd::Cut,
            Step::Differs(difference) => break ReplayEnd::Differs(difference),
            Step::Malformed(malformed) => break ReplayEnd::Malformed(malformed),
            Step::Halted => break ReplayEnd::Halted,
        }
    };
    let sums = tape::sums().unwrap_or_default();
    let (cycles, ns) = match tape::detach() {
        Some(Tape::Playing(player)) => (player.cycles(), player.now_ns()),
        _ => (0, 0),
    };
    let agent = match &end {
        ReplayEnd::Differs(difference) => difference.agent.and_then(|number| thread.name(number)),
        _ => None,
    };
    let agent = agent.map(str::to_owned);
    let report = engine.finish(thread.into_agents(), OfThread::default());
    Played { end, sums, recorded, cycles, ns, agent, report }
}

/// Puts a file on the disk of a replay.
fn put(files: &Files, path: &Path, bytes: &[u8]) -> Result<(), LaunchError> {
    let failed = |source| LaunchError::RunDir { path: PathBuf::from(path), source };
    let mut file = files.create_private(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}
