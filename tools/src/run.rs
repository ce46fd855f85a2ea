//! `pitlane run`: from arguments to a running engine, and from its report to an exit code.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pitlane_engine::config::Config;
use pitlane_engine::report::{FindingKind, Report};
use pitlane_engine::runtime::{CorePlan, HostCores};
use pitlane_engine::simulation::real;
use pitlane_engine::text::{escaped, masked};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::ReplayPace;
use pitlane_engine::world::Files;
use pitlane_engine::{
    Engine, LaunchError, LaunchOptions, LiveStatus, RecordRun, RecordedEngine, RecordedSession,
    StrategyRegistry, launch_recorded, launch_with,
};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::cli::{ReportForm, RunArgs, Speed};
use crate::config_file::{load, misconfigured, refused};
use crate::exit::Exit;
use crate::plan_text::plan_text;
use crate::report_text::report_text;
use crate::status::StatusLine;
use crate::terminal::Terminal;

/// Pause between two polls of the stop flag: what a person calls at once.
const POLL: Duration = Duration::from_millis(20);

/// Runs the engine; returns when it has stopped and the report is printed.
pub(crate) fn run(
    args: &RunArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let witnessed = args.witness.as_deref().map(|told| witnessed(args, registry, told, terminal));
    let witnessed = witnessed.transpose()?;
    let registry = witnessed.as_ref().unwrap_or(registry);
    let mut config = configured(args, terminal)?;
    let recorded = recording(args, &mut config, terminal)?;
    let plan = plan_of(&config, terminal)?;
    let shown = format!("{}\n", plan_text(&config, &plan));
    match args.report {
        ReportForm::Text => terminal.print(&escaped(&shown))?,
        // Standard output belongs to the JSON object alone.
        ReportForm::Json => terminal.say(&escaped(&shown)),
    }
    let interval = Duration::from_millis(config.telemetry.interval_ms);
    if stop.load(Ordering::Acquire) {
        terminal.say("note: stopped before the engine was started\n");
        return Ok(Exit::Ok);
    }
    let options = LaunchOptions { recorded, ..LaunchOptions::default() };
    let engine = Running::start(args, config, registry, options);
    let engine = engine.map_err(|error| refused(&error, terminal))?;
    watch(&engine, args.duration, interval, stop, terminal);
    let Some(report) = engine.stop() else {
        terminal.complain("the engine left no report");
        return Err(Exit::Failed);
    };
    let printed = print_report(&report, args.report, terminal);
    // Last, so that it stands where a person looks, the gravest at the very end.
    for finding in report.findings.iter().rev() {
        match finding.kind {
            FindingKind::Notice => terminal.say(&format!("note: {}\n", escaped(&finding.text))),
            _ => terminal.complain(&finding.text),
        }
    }
    match Exit::of_report(&report) {
        Exit::Ok => printed.map(|()| Exit::Ok),
        exit => Ok(exit),
    }
}

/// The strategies of a simulated run, which write down what they are told. Whoever has started this
/// process judges it, and takes it along when it ends.
fn witnessed(
    args: &RunArgs,
    registry: &StrategyRegistry,
    told: &Path,
    terminal: &mut Terminal<'_>,
) -> Result<StrategyRegistry, Exit> {
    let bound = set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from);
    // It may have ended before the system was asked.
    let is_orphan = args.judge.is_some_and(|judge| Pid::as_raw(getppid()) != judge);
    let bound = bound.and_then(|()| match is_orphan {
        true => Err(io::Error::other("whoever has started this process is gone")),
        false => Ok(()),
    });
    let plan = bound.and_then(|()| real::read_plan(&told.with_file_name("plan.toml")));
    let registry = plan.and_then(|plan| real::witnessed_in_file(registry, &plan, told));
    registry.map_err(|error| {
        terminal.complain(&format!("[witness] {}: {error}", told.display()));
        Exit::Unreadable
    })
}

/// An engine, on its threads or recorded.
enum Running {
    Threads(Box<Engine>),
    Recorded(Box<RecordedEngine>),
}

impl Running {
    fn start(
        args: &RunArgs,
        config: Config,
        registry: &StrategyRegistry,
        options: LaunchOptions,
    ) -> Result<Running, LaunchError> {
        let Some(folder) = args.record_run.clone() else {
            let engine = launch_with(config, registry, options)?;
            return Ok(Running::Threads(Box::new(engine)));
        };
        let record = RecordRun { folder, bytes_max: args.record_mib << 20 };
        let engine = launch_recorded(config, registry, options, record)?;
        Ok(Running::Recorded(Box::new(engine)))
    }

    fn status(&self) -> LiveStatus {
        match self {
            Running::Threads(engine) => engine.status(),
            Running::Recorded(engine) => engine.status(),
        }
    }

    /// Whether it can or is to go on no more.
    fn is_over(&self) -> bool {
        match self {
            Running::Threads(engine) => {
                let is_played = engine.recording().is_some_and(|recording| recording.is_over);
                is_played || engine.is_killed() || engine.has_failed()
            }
            Running::Recorded(engine) => engine.is_killed() || engine.has_failed(),
        }
    }

    fn stop(self) -> Option<Report> {
        match self {
            Running::Threads(engine) => engine.stop(),
            Running::Recorded(engine) => engine.stop(),
        }
    }
}

/// The configuration of a run: the file, or the default, with what the arguments change.
pub(crate) fn configured(args: &RunArgs, terminal: &mut Terminal<'_>) -> Result<Config, Exit> {
    let mut config = load(args.config.as_deref(), terminal)?;
    if let Some(seed) = args.seed {
        config.simulated.seed = seed;
    }
    if let Some(events_per_s) = args.events_per_s {
        config.simulated.events_per_s = events_per_s;
    }
    if let Some(standby) = args.standby {
        config.simulated.standby = standby;
    }
    if let Some((first, others)) = args.venues.split_first() {
        config.simulated.kind.clone_from(first);
        config.simulated.others = others.to_vec();
    }
    VenueKind::settle(&mut config);
    let is_simulated = config.simulated.enabled && config.venues.is_empty();
    let is_played = args.recording.is_some();
    if config.risk.trading
        && is_simulated
        && !config.simulated_take_orders.contains(&true)
        && !is_played
    {
        config.risk.trading = false;
        terminal
            .say("note: trading is off: no orders are taken at a simulated venue of this kind\n");
    }
    Ok(config)
}

/// The plan on this machine.
pub(crate) fn plan_of(config: &Config, terminal: &mut Terminal<'_>) -> Result<CorePlan, Exit> {
    CorePlan::make(config, &HostCores::read()).map_err(|error| {
        terminal.complain(&format!("[engine] core plan failed: {error}"));
        Exit::StartRefused
    })
}

/// Loads the recording and starts its server, which then is the one venue of the configuration.
fn recording(
    args: &RunArgs,
    config: &mut Config,
    terminal: &mut Terminal<'_>,
) -> Result<Option<RecordedSession>, Exit> {
    let Some(folder) = &args.recording else { return Ok(None) };
    if args.venues.len() > 1 {
        terminal.complain("--recording plays one venue: name one kind with --venue, or none");
        return Err(Exit::Usage);
    }
    let asked = args.venues.first().map(String::as_str).or(config.recorded_kind());
    let (kind, recording) = VenueKind::recording(folder, asked).map_err(|error| {
        terminal.complain(&error.to_string());
        Exit::Unreadable
    })?;
    for note in recording.notes() {
        terminal.say(&format!("note: {}\n", escaped(note)));
    }
    let (streams, symbols) = (recording.streams(), recording.symbols().to_vec());
    let stream_path = recording.stream_path();
    let pace = match args.speed.unwrap_or(Speed::Times(1.0)) {
        Speed::Max => ReplayPace::Max,
        Speed::Times(factor) => ReplayPace::PerMille((factor * 1_000.0).round() as u32),
    };
    let session =
        RecordedSession::start(recording, config.simulated.bind, pace).map_err(|error| {
            terminal.complain(&format!("[recording] start failed: {error}"));
            Exit::StartRefused
        })?;
    config
        .play_recording(kind.name, (session.address(), stream_path), streams, &symbols)
        .map_err(|error| misconfigured(&error, terminal))?;
    Ok(Some(session))
}

/// Waits for the end of the duration or the recording, the stop flag, or a core that has ended by
/// itself.
fn watch(
    engine: &Running,
    duration: Option<Duration>,
    interval: Duration,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) {
    let started = Instant::now();
    let mut line = StatusLine::default();
    let mut next_line = interval;
    loop {
        let elapsed = started.elapsed();
        let is_over = duration.is_some_and(|duration| elapsed >= duration);
        if is_over || stop.load(Ordering::Acquire) || engine.is_over() {
            break;
        }
        if terminal.err_is_terminal && elapsed >= next_line {
            terminal.say(&line.update(&engine.status()));
            next_line = elapsed + interval;
        }
        let left = duration.map_or(POLL, |duration| duration - elapsed);
        std::thread::sleep(POLL.min(left));
    }
    terminal.say(line.end());
}

fn print_report(
    report: &Report,
    form: ReportForm,
    terminal: &mut Terminal<'_>,
) -> Result<(), Exit> {
    let (text, name) = match form {
        ReportForm::Text => (escaped(&report_text(report)).into_owned(), "report.txt"),
        ReportForm::Json => match serde_json::to_string(report) {
            Ok(json) => (format!("{json}\n"), "report.json"),
            Err(error) => {
                terminal.complain(&format!("cannot write the report as JSON: {error}"));
                return Err(Exit::Failed);
            }
        },
    };
    let printed = terminal.print(&text);
    if printed.is_err() {
        keep_report(report, &masked(&text), name, terminal);
    }
    printed
}

/// A report that nobody could be shown is left beside the run's other files.
fn keep_report(report: &Report, text: &str, name: &str, terminal: &mut Terminal<'_>) {
    let Some(folder) = report.hlog.as_deref().and_then(|log| Path::new(log).parent()) else {
        return;
    };
    let path = folder.join(name);
    let kept =
        Files::Real.create_private(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    let shown = path.display();
    match kept {
        Ok(()) => terminal.complain(&format!("the report lies in {shown}")),
        Err(error) => {
            terminal.complain(&format!("the report is lost: {shown}: {error}"));
            // A part of it would pass for the whole.
            let _ = Files::Real.remove(&path);
        }
    }
}
