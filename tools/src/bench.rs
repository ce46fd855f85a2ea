//! `pitlane bench`: the real pipeline under open-loop load, one run a rate.
//!
//! Events are due on a schedule, whether or not the engine keeps up, and their latency counts from
//! the moment at which they were due (no coordinated omission). Beside it stands the time from
//! publication to the last consumer, which a schedule that is late does not touch. A rate that was
//! not reached to 99.9 % is no result: its log is named `.FAIL.hlog`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Closure, Context};
use pitlane_engine::event::{Event, Interest};
use pitlane_engine::report::Report;
use pitlane_engine::telemetry::{LatencyFigures, WARM_UP_LINE};
use pitlane_engine::world::Files;
use pitlane_engine::{Engine, LaunchOptions, OwnVenue, Params, StrategyRegistry, launch_with};
use serde::Serialize;

use crate::cli::BenchArgs;
use crate::exit::Exit;
use crate::table::{count, render, table};
use crate::terminal::Terminal;

/// A rate counts as reached from here on, in thousandths of a per cent of the offered one.
const REACHED_MIN: u64 = 99_900;
/// Pause between two polls of the clock and the stop flag.
const POLL: Duration = Duration::from_millis(5);
/// The name under which the empty handler is registered.
const HANDLER: &str = "bench";

/// One rate's result.
#[derive(Serialize)]
struct RateResult {
    offered_per_s: u32,
    achieved_per_s: u64,
    is_reached: bool,
    identity_holds: bool,
    critical_lost: u64,
    /// Whose accounts are missing, since they did not end in time: on a machine that has no time
    /// for them.
    threads_left_behind: Vec<String>,
    allocations_steady_state: Option<u64>,
    /// From the moment at which an event was due to the end of its callback.
    end_to_end: LatencyFigures,
    /// From publication to the end of the last consumer's callback.
    fanout_last: LatencyFigures,
    hlog: PathBuf,
}

/// Runs every rate and prints the tables. Exit code 1 when a rate was not reached or an account is
/// wrong.
pub(crate) fn bench(
    args: &BenchArgs,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let folder = args.out.clone().unwrap_or_else(|| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        PathBuf::from(format!("bench-{}", since_epoch.unwrap_or_default().as_secs()))
    });
    Files::Real.make_private_folder(&folder).map_err(|error| {
        terminal.complain(&format!("{}: cannot be made: {error}", folder.display()));
        Exit::StartRefused
    })?;
    let mut results = Vec::new();
    for rate in &args.rates {
        if stop.load(Ordering::Acquire) {
            break;
        }
        terminal.say(&format!(
            "{} events/s to {} consumers for {} s ...\n",
            count(u64::from(rate.0)),
            args.consumers,
            args.duration.as_secs_f32()
        ));
        results.push(one_rate(rate.0, args, &folder, stop, terminal)?);
    }
    let is_good = results.iter().all(|r| r.is_reached && r.identity_holds && r.critical_lost == 0);
    let text = match args.json {
        true => serde_json::to_string(&results).map(|json| format!("{json}\n")),
        false => Ok(tables(&results, args.consumers, &folder)),
    };
    terminal.print(&text.unwrap_or_default())?;
    Ok(if is_good { Exit::Ok } else { Exit::Failed })
}

fn one_rate(
    rate: u32,
    args: &BenchArgs,
    folder: &Path,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<RateResult, Exit> {
    let runs = folder.join("runs");
    let config = configuration(rate, args, &runs);
    let registry = StrategyRegistry::new().with(HANDLER, |_params: &Params| {
        Ok(Closure::new(Interest::ALL, |_event: &Event, _context: &mut Context| Ok(())))
    });
    let options = LaunchOptions { own_venue: OwnVenue::Synthetic, ..LaunchOptions::default() };
    let engine = launch_with(config, &registry, options).map_err(|error| {
        terminal.complain(&error.to_string());
        Exit::StartRefused
    })?;
    wait(&engine, args.warm_up, stop);
    let (from, from_events) = (Instant::now(), engine.status().events_in);
    wait(&engine, args.warm_up + args.duration, stop);
    let (elapsed, events) = (from.elapsed(), engine.status().events_in - from_events);
    let Some(report) = engine.stop() else {
        terminal.complain("the engine left no report");
        return Err(Exit::Failed);
    };
    let achieved_per_s = (u128::from(events) * 1_000_000_000 / elapsed.as_nanos().max(1)) as u64;
    let is_reached = achieved_per_s * 100_000 >= u64::from(rate) * REACHED_MIN;
    let achieved = format!("#[Achieved: {achieved_per_s} events/s of {rate}]\n");
    let hlog = keep_log(&report, folder, rate, is_reached, &achieved).map_err(|error| {
        terminal.complain(&format!("the log of {rate} events/s could not be kept: {error}"));
        Exit::Failed
    })?;
    let stage = |name: &str| report.stages.get(name).copied().unwrap_or_default();
    Ok(RateResult {
        offered_per_s: rate,
        achieved_per_s,
        is_reached,
        identity_holds: report.identity_holds,
        critical_lost: report.critical_lost,
        threads_left_behind: report.threads_left_behind.clone(),
        allocations_steady_state: report.allocations_steady_state,
        end_to_end: stage("end_to_end"),
        fanout_last: stage("fanout:last"),
        hlog,
    })
}

fn configuration(rate: u32, args: &BenchArgs, runs: &Path) -> Config {
    let mut config = Config::default_run();
    config.engine.run_dir = runs.to_owned();
    config.control.enabled = false;
    config.engine.warm_up_ms = args.warm_up.as_millis() as u64;
    config.simulated.events_per_s = rate;
    // One event in so many is followed to its last consumer: at most 2,000 a second.
    config.telemetry.fanout_every = u64::from(rate / 2_000).max(1);
    config.consumers = (1..=args.consumers)
        .map(|number| ConsumerConfig {
            name: format!("bench-{number}"),
            ..ConsumerConfig::of_strategy(HANDLER)
        })
        .collect();
    config
}

fn wait(engine: &Engine, until: Duration, stop: &AtomicBool) {
    let until_ns = until.as_nanos() as u64;
    while engine.status().uptime_ns < until_ns
        && !stop.load(Ordering::Acquire)
        && !engine.has_failed()
    {
        std::thread::sleep(POLL);
    }
}

/// Copies the run's log to its name in `folder` without the warm-up, so that it holds what the
/// table shows, and adds what was achieved, which only its end can say.
fn keep_log(
    report: &Report,
    folder: &Path,
    rate: u32,
    is_reached: bool,
    achieved: &str,
) -> std::io::Result<PathBuf> {
    let ending = if is_reached { "hlog" } else { "FAIL.hlog" };
    let path = folder.join(format!("rate-{rate}.{ending}"));
    let Some(hlog) = &report.hlog else { return Err(std::io::ErrorKind::NotFound.into()) };
    let mut kept = BufWriter::new(File::create(&path)?);
    copy_measured(BufReader::new(File::open(hlog)?), &mut kept)?;
    kept.write_all(achieved.as_bytes())?;
    kept.flush()?;
    std::fs::remove_file(hlog)?;
    Ok(path)
}

/// Copies a log without the intervals of its warm-up, and without the engine's own word on the
/// rate, which counts the warm-up in.
fn copy_measured(mut log: impl BufRead, kept: &mut impl Write) -> std::io::Result<()> {
    let warm_up = format!("#[{WARM_UP_LINE}]\n");
    let (mut line, mut is_warm) = (Vec::new(), false);
    while log.read_until(b'\n', &mut line)? > 0 {
        let is_interval = !line.starts_with(b"#") && !line.starts_with(b"\"");
        if line == warm_up.as_bytes() {
            is_warm = true;
            kept.write_all(b"#[Warm-up: left out]\n")?;
        } else if (is_warm || !is_interval) && !line.starts_with(b"#[Achieved") {
            kept.write_all(&line)?;
        }
        line.clear();
    }
    Ok(())
}

fn tables(results: &[RateResult], consumers: u16, folder: &Path) -> String {
    let mut text = format!(
        "From the moment at which an event was due to the end of its callback, {consumers} consumers, \
         in us\n\n"
    );
    text.push_str(&rates(results, |result| &result.end_to_end));
    text.push_str("\nFrom publication to the end of the last consumer's callback, in us\n\n");
    text.push_str(&rates(results, |result| &result.fanout_last));
    text.push_str(&format!("\nInterval logs: {}\n", folder.display()));
    for result in results.iter().filter(|result| !result.identity_holds) {
        let why = match result.threads_left_behind.is_empty() {
            true => String::new(),
            false => format!(": {} did not end in time", result.threads_left_behind.join(", ")),
        };
        let rate = count(u64::from(result.offered_per_s));
        text.push_str(&format!("AN ACCOUNT DOES NOT HOLD at {rate} events/s{why}\n"));
    }
    text
}

/// The form of exchange-core: one line a rate.
fn rates(results: &[RateResult], figures: impl Fn(&RateResult) -> &LatencyFigures) -> String {
    let heads =
        [">rate", ">achieved", ">50%", ">90%", ">95%", ">99%", ">99.9%", ">99.99%", ">worst"];
    let mut table = table(&heads);
    for result in results {
        let f = figures(result);
        let fail = if result.is_reached { "" } else { " FAIL" };
        let mut cells = vec![
            count(u64::from(result.offered_per_s)),
            format!("{}{fail}", count(result.achieved_per_s)),
        ];
        let values = [f.p50_ns, f.p90_ns, f.p95_ns, f.p99_ns, f.p999_ns, f.p9999_ns, f.max_ns];
        cells.extend(values.map(micros_of_use));
        table.add_row(cells);
    }
    render(&table)
}

/// Microseconds with the digits that are good for something: a tenth, and none from ten
/// milliseconds on.
fn micros_of_use(ns: u64) -> String {
    match ns {
        0..10_000_000 => format!("{}.{}", count(ns / 1_000), ns % 1_000 / 100),
        _ => count(ns / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_log_holds_what_was_measured_and_nothing_of_the_warm_up() {
        let log = format!(
            "#[Load: 9]\n\"StartTimestamp\"\n0.0,1.0,2.0,A\n#[{WARM_UP_LINE}]\n1.0,1.0,2.0,B\n\
             Tag=wire,1.0,1.0,2.0,C\n#[Achieved: 8]\n"
        );
        let mut kept = Vec::new();
        copy_measured(log.as_bytes(), &mut kept).unwrap();
        let expected = "#[Load: 9]\n\"StartTimestamp\"\n#[Warm-up: left out]\n1.0,1.0,2.0,B\n\
                        Tag=wire,1.0,1.0,2.0,C\n";
        assert_eq!(String::from_utf8(kept).unwrap(), expected);
    }
}
