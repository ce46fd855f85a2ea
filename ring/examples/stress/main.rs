//! Every way between threads at once, for the sanitizers: lanes with stages and panics, the pair of
//! publishers, returns that compete, the exchange, waking, the lease. Prints what was counted and
//! fails when a sum is wrong. `scripts/tsan.sh` and `scripts/asan.sh` build and run it.
//!
//! `cargo run --release -p pitlane-ring --example stress -- [--records N]`; the other arguments,
//! `--plant-race` and `--plant-overrun`, are for the scripts.
//!
//! Whatever is shared is leaked: the last drop of an `Arc` synchronises by a fence, which
//! ThreadSanitizer does not know, and would report for a race.

mod canary;
mod lanes;
mod others;
mod packet;

use std::process::ExitCode;
use std::time::Instant;

/// Leaves a value for ever.
fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

struct Options {
    records: u64,
    plant_race: bool,
    plant_overrun: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options { records: 200_000, plant_race: false, plant_overrun: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--plant-race" => options.plant_race = true,
            "--plant-overrun" => options.plant_overrun = true,
            "--records" => {
                let count = arguments.next().ok_or("--records needs a number")?;
                options.records = count.parse().map_err(|error| format!("{count}: {error}"))?;
            }
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if options.plant_race {
        canary::race();
    }
    if options.plant_overrun {
        canary::overrun();
    }
    let records = options.records;
    let parts: [(&str, &dyn Fn() -> String); 8] = [
        ("lane, plain", &|| lanes::through_a_lane::<pitlane_ring::Plain>(records)),
        ("lane, checked", &|| lanes::through_a_lane::<pitlane_ring::Checked>(records)),
        ("stage", &|| lanes::through_a_stage(records)),
        ("pair", &|| lanes::through_a_pair(records)),
        ("returns", &|| lanes::competing_returns(records / 20)),
        ("exchange", &|| others::exchange(records / 10)),
        ("wake", &|| others::wake(records / 20)),
        ("lease", &|| others::lease(records / 200)),
    ];
    for (name, part) in parts {
        let started = Instant::now();
        println!("{name:14} {} ({} ms)", part(), started.elapsed().as_millis());
    }
    ExitCode::SUCCESS
}
