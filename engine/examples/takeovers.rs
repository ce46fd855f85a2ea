//! Take-overs in the real engine, one after the other, for the sanitizers.
//!
//! `cargo run --release -p pitlane-engine --example takeovers -- [ROUNDS]`, or `scripts/tsan.sh`
//!
//! In each round some consumers of a core hold it up in turn, so that everything else on it moves
//! to another thread several times, while market data, exec reports and routing flips go on. A
//! round fails unless there was a take-over, every account holds, and no critical event is missing
//! or out of order.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::{Event, ExecReport};
use pitlane_engine::report::Report;
use pitlane_engine::runtime::HostCores;
use pitlane_engine::venue::SyntheticLoad;
use pitlane_engine::{
    Engine, LaunchOptions, OwnVenue, Params, RouteChange, StrategyRegistry, launch_with,
};

const ROUNDS: u64 = 3;
const CONSUMERS: u64 = 6;
/// Those with a lower number hold their core up, once each.
const SLOW: u64 = 3;
/// Far beyond the budget of 5 ms, also where a sanitizer makes everything ten times slower.
const HOLD: Duration = Duration::from_millis(400);
const EVENTS_PER_S: u32 = 1_000;
const FLIPS: u64 = 50;
const PATIENCE: Duration = Duration::from_secs(120);

/// What all consumers of a round saw, together.
#[derive(Default)]
struct Seen {
    events: AtomicU64,
    out_of_order: AtomicU64,
}

/// Follows the numbers of its reports, and sleeps once when it is slow.
struct Follower {
    number: u64,
    events: u64,
    last_report: u64,
    seen: Arc<Seen>,
}

impl Strategy for Follower {
    fn on_event(&mut self, event: &Event, _ctx: &mut Context) -> StrategyResult {
        self.events += 1;
        self.seen.events.fetch_add(1, Ordering::Relaxed);
        if let Some(report) = event.get::<ExecReport>() {
            let is_next = report.venue_order_number() == self.last_report + 1;
            self.last_report = report.venue_order_number();
            self.seen.out_of_order.fetch_add(u64::from(!is_next), Ordering::Relaxed);
        }
        if self.number < SLOW && self.events == 100 * (self.number + 1) {
            std::thread::sleep(HOLD);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).map_or(Ok(ROUNDS), |text| text.parse());
    let Ok(rounds) = rounds else {
        eprintln!("usage: takeovers [ROUNDS]");
        return ExitCode::from(2);
    };
    for round in 1..=rounds {
        match run() {
            Ok(told) => println!("round {round} of {rounds}: {told}"),
            Err(problem) => {
                eprintln!("round {round} of {rounds}: {problem}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn run() -> Result<String, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let seen = Arc::<Seen>::default();
    let engine = launched(dir.path(), &seen)?;
    let route = engine.routes().first().copied().ok_or("there are no routes")?;
    let started = Instant::now();
    let mut flips = 0;
    while engine.demotions().len() < SLOW as usize - 1 || flips < FLIPS {
        if engine.has_failed() || started.elapsed() > PATIENCE {
            return Err(format!("{} take-overs, {flips} flips", engine.demotions().len()));
        }
        let change = RouteChange { route, is_on: flips % 2 == 1 };
        engine.flip(flips + 1, &[change]).map_err(|error| error.to_string())?;
        flips += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    let report = engine.stop().ok_or("there is no report")?;
    judged(&report, &seen, flips)
}

fn launched(run_dir: &std::path::Path, seen: &Arc<Seen>) -> Result<Engine, String> {
    let mut config = Config::default_run();
    config.engine.run_dir = run_dir.to_owned();
    config.telemetry.hlog = false;
    config.simulated.events_per_s = EVENTS_PER_S;
    config.consumers.clear();
    let ids = HostCores::read().ids;
    config.cores.dispatch = ids.first().copied();
    config.cores.consumers = ids.last().map(|last| vec![*last]);
    let mut registry = StrategyRegistry::new();
    for number in 0..CONSUMERS {
        let (name, seen) = (format!("consumer-{number}"), Arc::clone(seen));
        config.consumers.push(ConsumerConfig::of_strategy(&name));
        registry = registry.with(&name, move |_: &Params| {
            Ok(Follower { number, events: 0, last_report: 0, seen: Arc::clone(&seen) })
        });
    }
    let options = LaunchOptions {
        own_venue: OwnVenue::Synthetic,
        load: SyntheticLoad { critical_per_mille: 100, ..SyntheticLoad::default() },
        ..LaunchOptions::default()
    };
    launch_with(config, &registry, options).map_err(|error| error.to_string())
}

fn judged(report: &Report, seen: &Seen, flips: u64) -> Result<String, String> {
    let out_of_order = seen.out_of_order.load(Ordering::Relaxed);
    if !report.identity_holds || report.critical_lost != 0 || out_of_order != 0 {
        return Err(format!(
            "account holds: {}, critical lost: {}, out of order: {out_of_order}",
            report.identity_holds, report.critical_lost
        ));
    }
    Ok(format!(
        "{} take-overs, {flips} flips, {} callbacks, nothing lost or out of order",
        report.demotions.len(),
        seen.events.load(Ordering::Relaxed)
    ))
}
