//! `pitlane soak`: the real engine on a steady load for hours, a line a minute, and a verdict at
//! the end.

mod lag;

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::report::Report;
use pitlane_engine::venue::SyntheticLoad;
use pitlane_engine::{Engine, LaunchOptions, OwnVenue, Params, StrategyRegistry, launch_with};

use crate::cli::SoakArgs;
use crate::exit::Exit;
use crate::table::count;
use crate::terminal::Terminal;
use crate::verify::{RunFolder, Testimony, resident_kib};
use lag::{LagWitness, Lags, no_sums, quantile_ns};

/// Pause between two polls of the stop flag.
const POLL: Duration = Duration::from_millis(20);
const CONSUMERS: usize = 10;
/// Critical events of the load, of 1,000.
const CRITICAL_PER_MILLE: u16 = 50;
/// Growth of resident memory from the first line to the last that is still called flat (SC-002).
const GROWTH_KIB: u64 = 1_024;

const HEAD: &str = "unix_s,uptime_s,events,handled,conflated,failures,resident_kib,allocations,\
slots_owned,fullest_lane,fullest_lane_percent,p50_us,p99_us\n";

/// One line of the file.
#[derive(Clone, Copy, Default)]
struct Reading {
    resident_kib: u64,
    /// Of the pinned threads, since the start; `None` when this build does not count.
    allocations: Option<u64>,
}

/// Runs until the duration is over or the stop flag rises.
pub(crate) fn soak(
    args: &SoakArgs,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let mut file = match &args.csv {
        None => None,
        Some(path) => Some(File::create(path).map_err(|error| {
            terminal.complain(&format!("creating {} failed: {error}", path.display()));
            Exit::Failed
        })?),
    };
    let folder = RunFolder::make(terminal)?;
    let mut soak = Soak::launch(args, &folder, terminal)?;
    soak.write(HEAD, &mut file, terminal)?;
    let started = Instant::now();
    let mut next_line = args.every;
    let mut readings = Vec::new();
    while started.elapsed() < args.duration && !stop.load(Ordering::Acquire) {
        if soak.engine.has_failed() {
            break;
        }
        if started.elapsed() >= next_line {
            let (line, reading) = soak.line();
            soak.write(&line, &mut file, terminal)?;
            readings.push(reading);
            next_line += args.every;
        }
        std::thread::sleep(POLL);
    }
    let seen = soak.seen;
    let Some(report) = soak.engine.stop() else {
        terminal.complain("the engine left no report");
        return Err(Exit::Failed);
    };
    let (text, holds) = verdict(&readings, &report, &seen);
    terminal.say(&text);
    Ok(if holds { Exit::Ok } else { Exit::Failed })
}

struct Soak {
    engine: Engine,
    seen: Vec<Arc<Testimony>>,
    lags: Vec<Arc<Lags>>,
    sums: Vec<u64>,
}

impl Soak {
    fn launch(
        args: &SoakArgs,
        folder: &RunFolder,
        terminal: &mut Terminal<'_>,
    ) -> Result<Soak, Exit> {
        let mut config = Config::default_run();
        config.engine.run_dir = folder.path().to_owned();
        config.telemetry.hlog = false;
        config.telemetry.fanout_every = 100;
        config.simulated.events_per_s = args.events_per_s;
        config.consumers.clear();
        let mut registry = StrategyRegistry::new();
        let (mut seen, mut lags) = (Vec::new(), Vec::new());
        for number in 0..CONSUMERS {
            let name = format!("witness-{number}");
            let (testimony, lag) = (Arc::<Testimony>::default(), Arc::<Lags>::default());
            seen.push(Arc::clone(&testimony));
            lags.push(Arc::clone(&lag));
            let make =
                move |_: &Params| Ok(LagWitness::new(Arc::clone(&testimony), Arc::clone(&lag)));
            registry = registry.with(&name, make);
            config.consumers.push(ConsumerConfig::of_strategy(&name));
        }
        let options = LaunchOptions {
            own_venue: OwnVenue::Synthetic,
            load: SyntheticLoad {
                critical_per_mille: CRITICAL_PER_MILLE,
                ..SyntheticLoad::default()
            },
            ..LaunchOptions::default()
        };
        let engine = launch_with(config, &registry, options).map_err(|error| {
            terminal.complain(&error.to_string());
            Exit::StartRefused
        })?;
        Ok(Soak { engine, seen, lags, sums: no_sums() })
    }

    /// The line of this moment.
    fn line(&mut self) -> (String, Reading) {
        let status = self.engine.status();
        let mut sums = no_sums();
        self.lags.iter().for_each(|lags| lags.add_to(&mut sums));
        let quantile_us = |per_mille| quantile_ns(&self.sums, &sums, per_mille) as f64 / 1_000.0;
        let (p50_us, p99_us) = (quantile_us(500), quantile_us(990));
        let slots_owned: u64 = self.engine.lanes().map(|(_, used, _)| used).sum();
        let (lane, percent) = match &status.fullest_lane {
            Some((name, used, slots)) => (name.as_str(), used * 100 / *slots as u64),
            None => ("none", 0),
        };
        let is_counted = pitlane_ring::alloc::is_installed();
        let allocations = is_counted.then(pitlane_ring::alloc::counted_allocations);
        let reading = Reading { resident_kib: resident_kib(), allocations };
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let line = format!(
            "{},{},{},{},{},{},{},{},{slots_owned},{lane},{percent},{p50_us:.3},{p99_us:.3}\n",
            unix.as_secs(),
            status.uptime_ns / 1_000_000_000,
            status.events_in,
            status.handled,
            status.conflated,
            status.failures,
            reading.resident_kib,
            allocations.map_or_else(String::new, |allocations| allocations.to_string()),
        );
        self.sums = sums;
        (line, reading)
    }

    fn write(
        &self,
        line: &str,
        file: &mut Option<File>,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Exit> {
        let Some(file) = file else { return terminal.print(line) };
        file.write_all(line.as_bytes()).map_err(|error| {
            terminal.complain(&format!("writing the lines failed: {error}"));
            Exit::Failed
        })
    }
}

/// What is to be said at the end, and whether all of it holds. The first line is the one to which
/// the others are compared: before it, memory is touched for the first time.
fn verdict(readings: &[Reading], report: &Report, seen: &[Arc<Testimony>]) -> (String, bool) {
    let first = readings.first().copied().unwrap_or_default();
    let most_kib = readings.iter().map(|reading| reading.resident_kib).max().unwrap_or(0);
    let grown_kib = most_kib.saturating_sub(first.resident_kib);
    let last = readings.last().copied().unwrap_or_default();
    let allocations = last.allocations.unwrap_or(0).saturating_sub(first.allocations.unwrap_or(0));
    let disorder: u64 = seen.iter().map(|testimony| testimony.out_of_order()).sum();
    let is_compared = readings.len() > 1;
    let growth = match (is_compared, first.allocations) {
        (false, _) => "not judged: fewer than two lines".to_owned(),
        (true, None) => {
            format!("{} KiB; allocations are not counted in this build", count(grown_kib))
        }
        (true, Some(_)) => format!("{} KiB, {} allocations", count(grown_kib), count(allocations)),
    };
    let holds = report.identity_holds
        && report.critical_lost == 0
        && disorder == 0
        && report.slots_owned == 0
        && report.threads_left_behind.is_empty()
        && (!is_compared || (grown_kib < GROWTH_KIB && allocations == 0));
    let text = format!(
        "{}: {} events in {} s; growth since the first line: {growth}; accounts {}; \
         critical lost {}, out of order {disorder}; slots owned {}; threads left behind {}\n",
        if holds { "pass" } else { "FAIL" },
        count(report.events_published),
        report.duration_ns / 1_000_000_000,
        if report.identity_holds { "hold" } else { "DO NOT HOLD" },
        report.critical_lost,
        report.slots_owned,
        report.threads_left_behind.len(),
    );
    (text, holds)
}
