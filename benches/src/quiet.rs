//! A producer that sleeps between two events: how late the last of ten consumers has one, and what
//! that costs of a core.
//!
//! Ours is the real engine with `profile = "quiet"` and a synthetic venue, which sleeps until its
//! next event is due: latency from the dispatcher's stamp to the last callback returned, CPU of the
//! whole process with housekeeping and watchdog. The rivals are ten threads that block on a channel
//! each, and a thread that sleeps until its next event is due: latency from before the first send
//! to the last receipt. Nothing is pinned by the bench itself.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser;
use pitlane_engine::config::{Config, ConsumerConfig, Profile};
use pitlane_engine::consumer::Closure;
use pitlane_engine::event::Interest;
use pitlane_engine::runtime::Clock;
use pitlane_engine::venue::SyntheticLoad;
use pitlane_engine::{LaunchOptions, OwnVenue, Params, StrategyRegistry, launch_with};
use rustix::time::{ClockId, clock_gettime};

use crate::paced::quantile_ns;

const CONSUMERS: usize = 10;
/// Start and first events, which no figure is about.
const WARM_UP: Duration = Duration::from_millis(500);
/// What a rival's thread receives is as large as a quote in a lane.
type Message = [u64; 16];

/// Races a sleeping producer's events to ten consumers.
#[derive(Debug, Parser)]
#[command(name = "quiet", version)]
struct Options {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events a second.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// Events of a run.
    #[arg(long, default_value_t = 3_000)]
    events: u64,
}

/// What one run gave.
struct Figures {
    p50_us: f64,
    p90_us: f64,
    /// CPU time by wall time, % of a core.
    cpu: f64,
}

type Side = (&'static str, fn(&Options) -> Result<Figures, String>);

const SIDES: [Side; 2] = [("pitlane, quiet", ours), ("ten crossbeam threads", crossbeam)];

/// The command line of the binary `quiet`.
#[must_use]
pub fn main() -> ExitCode {
    match race(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("quiet: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn race(options: &Options) -> Result<(), String> {
    crate::machine::header().iter().for_each(|line| println!("{line}"));
    let mut figures: [Vec<Figures>; 2] = Default::default();
    for round in 0..options.rounds {
        for place in 0..SIDES.len() {
            let side = (place + round) % SIDES.len();
            figures[side].push((SIDES[side].1)(options)?);
        }
    }
    println!(
        "{}/s to {CONSUMERS}, last handled; median (lowest-highest) of {} rounds",
        options.rate, options.rounds
    );
    for ((name, _), side) in SIDES.iter().zip(&figures) {
        let of = |of: fn(&Figures) -> f64| Spread::of(side.iter().map(of));
        println!(
            "  {name:24} p50 {:.1} us, p90 {:.1} us, CPU {:.1} % of a core",
            of(|run| run.p50_us),
            of(|run| run.p90_us),
            of(|run| run.cpu)
        );
    }
    let [ours, theirs] = &figures;
    let paired = |of: fn(&Figures) -> f64| ours.iter().zip(theirs).map(move |(a, b)| of(a) / of(b));
    println!(
        "  ours by theirs, of the same round: p50 {:.3}, CPU {:.2}",
        Spread::of(paired(|run| run.p50_us)),
        Spread::of(paired(|run| run.cpu))
    );
    Ok(())
}

/// A median with the lowest and the highest.
struct Spread([f64; 3]);

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Spread([at(values.len() / 2), at(0), at(values.len().saturating_sub(1))])
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, low, high] = self.0;
        let places = f.precision().unwrap_or(1);
        write!(f, "{median:.places$} ({low:.places$}-{high:.places$})")
    }
}

/// CPU time of this process, all threads.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs `events` after the warm-up and returns the CPU share of them.
fn cpu_of(clock: &Clock, events: impl FnOnce()) -> f64 {
    let (cpu, from_ns) = (cpu_time(), clock.now_ns());
    events();
    let wall = Duration::from_nanos(clock.now_ns() - from_ns);
    100.0 * (cpu_time() - cpu).as_secs_f64() / wall.as_secs_f64()
}

fn length(options: &Options) -> Duration {
    Duration::from_secs_f64(options.events as f64 / f64::from(options.rate))
}

fn ours(options: &Options) -> Result<Figures, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut config = Config::default_run();
    config.engine.run_dir = dir.path().to_owned();
    config.engine.profile = Profile::Quiet;
    config.engine.warm_up_ms = WARM_UP.as_millis() as u64;
    config.telemetry.hlog = false;
    config.control.enabled = false;
    config.simulated.events_per_s = options.rate;
    config.consumers.clear();
    let mut registry = StrategyRegistry::new();
    for number in 0..CONSUMERS {
        let name = format!("consumer-{number}");
        config.consumers.push(ConsumerConfig::of_strategy(&name));
        registry = registry
            .with(&name, |_: &Params| Ok(Closure::new(Interest::ALL, |_event, _ctx| Ok(()))));
    }
    let launch = LaunchOptions {
        own_venue: OwnVenue::Synthetic,
        load: SyntheticLoad::default(),
        ..LaunchOptions::default()
    };
    let engine = launch_with(config, &registry, launch).map_err(|error| error.to_string())?;
    thread::sleep(WARM_UP);
    let cpu = cpu_of(&Clock::start(), || thread::sleep(length(options)));
    let report = engine.stop().ok_or("the engine left no report")?;
    let last = report.stages.get("fanout:last").copied().unwrap_or_default();
    if last.count < options.events / 2 || !report.identity_holds {
        return Err(format!("{} fan-outs timed of {}", last.count, options.events));
    }
    let [p50_us, p90_us] = [last.p50_ns, last.p90_ns].map(|ns| ns as f64 / 1e3);
    Ok(Figures { p50_us, p90_us, cpu })
}

fn crossbeam(options: &Options) -> Result<Figures, String> {
    let clock = Clock::start();
    let events = options.events as usize;
    // When the last of them had it: each raises it to its own time.
    let last_ns: Arc<Vec<AtomicU64>> = Arc::new((0..events).map(|_| AtomicU64::new(0)).collect());
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..CONSUMERS).map(|_| crossbeam_channel::bounded::<Message>(1_024)).unzip();
    let receive = |receiver: crossbeam_channel::Receiver<Message>| {
        let (last_ns, clock) = (Arc::clone(&last_ns), clock.clone());
        thread::spawn(move || {
            let mut received = 0;
            while let Ok(message) = receiver.recv() {
                let now_ns = clock.now_ns();
                last_ns[message[0] as usize].fetch_max(now_ns, Ordering::Relaxed);
                received += 1;
            }
            received
        })
    };
    let threads: Vec<_> = receivers.into_iter().map(receive).collect();
    let mut sent_ns = Vec::with_capacity(events);
    let cpu = cpu_of(&clock, || {
        let start_ns = clock.now_ns();
        for number in 0..options.events {
            let due_ns = start_ns + number * 1_000_000_000 / u64::from(options.rate);
            thread::sleep(Duration::from_nanos(due_ns.saturating_sub(clock.now_ns())));
            sent_ns.push(clock.now_ns());
            let message = [number; 16];
            for sender in &senders {
                assert!(sender.send(message).is_ok(), "the receivers outlive the sender");
            }
        }
    });
    drop(senders);
    for thread in threads {
        let received: usize = thread.join().map_err(|_| "a receiver panicked")?;
        if received != events {
            return Err(format!("a receiver had {received} of {events} events"));
        }
    }
    let since =
        |(sent, last): (&u64, &AtomicU64)| last.load(Ordering::Relaxed).saturating_sub(*sent);
    let mut latencies: Vec<u64> = sent_ns.iter().zip(last_ns.iter()).map(since).collect();
    latencies.sort_unstable();
    let [p50_us, p90_us] =
        [0.5, 0.9].map(|quantile| quantile_ns(&latencies, quantile) as f64 / 1e3);
    Ok(Figures { p50_us, p90_us, cpu })
}
