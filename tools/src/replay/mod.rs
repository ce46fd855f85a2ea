//! `pitlane replay`: a recorded run again, and whether it comes to the same.

mod story;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use pitlane_engine::config::Config;
use pitlane_engine::text::escaped;
use pitlane_engine::world::Files;
use pitlane_engine::world::tape::{Difference, Sums, TapeError};
use pitlane_engine::{LaunchError, LaunchOptions, Played, Replay, ReplayEnd, StrategyRegistry};

use crate::cli::ReplayArgs;
use crate::config_file::{load, refused};
use crate::exit::Exit;
use crate::table::count;
use crate::terminal::Terminal;
use story::{Story, Wanted};

/// Runs the record again at full speed, and says whether callbacks and bytes were the same.
pub(crate) fn replay(
    args: &ReplayArgs,
    registry: &StrategyRegistry,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let opened = Replay::open(&Files::Real, &args.dir);
    let mut replay = opened.map_err(|error| unplayable(&error, terminal))?;
    let config = configured(args, &replay, terminal)?;
    for path in config.venues.iter().filter_map(|venue| venue.private_key_file.as_deref()) {
        replay.lend(path).map_err(|error| unplayable(&error, terminal))?;
    }
    let names: Vec<_> = config.consumers.iter().map(|consumer| consumer.name.clone()).collect();
    let wanted = match (args.until, args.explain) {
        (Some(trace), _) => Some(Wanted::Until(trace)),
        (_, Some(trace)) => Some(Wanted::Explain(trace)),
        _ => None,
    };
    let story = wanted.map(|wanted| {
        let story = Arc::new(Mutex::new(String::new()));
        let specs = config.instruments.iter().map(|entry| entry.spec());
        let teller = Story::new(wanted, Arc::clone(&story), names.clone(), specs, replay.run());
        replay.observe(Box::new(teller));
        story
    });
    let started = Instant::now();
    let played = replay
        .play(&config, registry, &LaunchOptions::default())
        .map_err(|error| unplayable(&error, terminal))?;
    let took_ms = started.elapsed().as_millis().max(1);
    let told = story.map(|story| std::mem::take(&mut *story.lock()));
    let is_untold = told.as_ref().is_some_and(String::is_empty);
    let mut text = told.unwrap_or_default();
    text.push_str(&outcome(&args.dir, &played, &names, took_ms as u64));
    terminal.print(&text)?;
    if is_untold {
        terminal.complain("no callback that was played has an event of that trace");
    }
    Ok(match exit(&played.end) {
        Exit::Ok if is_untold => Exit::Failed,
        exit => exit,
    })
}

fn exit(end: &ReplayEnd) -> Exit {
    match end {
        ReplayEnd::Equal | ReplayEnd::Halted => Exit::Ok,
        ReplayEnd::Differs(_) => Exit::Failed,
        ReplayEnd::Malformed(_) => Exit::Unreadable,
        ReplayEnd::Cut => Exit::MarketDataIncomplete,
    }
}

/// The configuration of the run, or the one that is to be tried in its place.
fn configured(
    args: &ReplayArgs,
    replay: &Replay,
    terminal: &mut Terminal<'_>,
) -> Result<Config, Exit> {
    if replay.version() != Some(env!("CARGO_PKG_VERSION")) {
        let version = replay.version().unwrap_or("unknown");
        terminal.say(&format!("note: the run was of version {}\n", escaped(version)));
    }
    if let Some(file) = &args.config {
        return load(Some(file), terminal);
    }
    replay.config().ok_or_else(|| {
        terminal.complain("[replay] the configuration of the run can't be read: give --config");
        Exit::Unreadable
    })
}

/// Says why a record can't be played.
fn unplayable(error: &LaunchError, terminal: &mut Terminal<'_>) -> Exit {
    match error {
        LaunchError::Tape(_) | LaunchError::RunDir { .. } => {
            terminal.complain(&error.to_string());
            match error {
                LaunchError::Tape(TapeError::StartDiffers(_)) => Exit::Failed,
                LaunchError::Tape(TapeError::Empty { .. }) => Exit::MarketDataIncomplete,
                _ => Exit::Unreadable,
            }
        }
        other => refused(other, terminal),
    }
}

/// What came of it, as a person reads it.
fn outcome(folder: &Path, played: &Played, names: &[String], took_ms: u64) -> String {
    let Played { end, sums, recorded, cycles, ns, agent, .. } = played;
    let mut text = String::new();
    let shown = folder.display().to_string();
    let _infallible = writeln!(
        text,
        "Replayed {}: {}.{:01} s in {}.{:03} s, {} duty cycles\n",
        escaped(&shown),
        ns / 1_000_000_000,
        ns % 1_000_000_000 / 100_000_000,
        took_ms / 1_000,
        took_ms % 1_000,
        count(*cycles),
    );
    text.push_str(&sums_text(sums, names));
    let hash = sums.hash();
    let _infallible = match end {
        ReplayEnd::Equal => writeln!(text, "\nEqual: hash {hash:016x}, as recorded"),
        ReplayEnd::Halted => writeln!(text, "\nStopped there, equal so far: hash {hash:016x}"),
        ReplayEnd::Cut => writeln!(
            text,
            "\nThe record has no end: the run was ended at once, or its record found no room. \
             Equal as far as it goes: hash {hash:016x}"
        ),
        ReplayEnd::Malformed(malformed) => {
            let what = escaped(&malformed.to_string()).into_owned();
            writeln!(text, "\nDAMAGED: {what}\nEqual up to there: hash {hash:016x}")
        }
        ReplayEnd::Differs(difference) => {
            let named = difference_text(difference, agent.as_deref(), names);
            let then = recorded.as_ref().map(|sums| format!(", {:016x} recorded", sums.hash()));
            writeln!(text, "\nDIFFERS: {named}\nhash {hash:016x}{}", then.unwrap_or_default())
        }
    };
    text
}

/// Callbacks and bytes, each with its hash.
pub(crate) fn sums_text(sums: &Sums, names: &[String]) -> String {
    let mut text =
        String::from("consumer or session                        callbacks or bytes  hash\n");
    for (number, sum) in sums.consumers.iter().enumerate() {
        let name = names.get(number).map_or("?", String::as_str);
        let _infallible = writeln!(text, "{name:<40} {:>20}  {:016x}", count(sum.calls), sum.hash);
    }
    for sum in &sums.sessions {
        let place = escaped(&sum.place);
        let _infallible = writeln!(text, "{place:<40} {:>20}  {:016x}", count(sum.bytes), sum.hash);
    }
    text
}

fn difference_text(difference: &Difference, agent: Option<&str>, names: &[String]) -> String {
    let mut text = escaped(&difference.to_string()).into_owned();
    if let Some(agent) = agent {
        let _infallible = write!(text, ", agent {agent}");
    }
    if let Some(name) = difference.consumer.and_then(|number| names.get(usize::from(number))) {
        let _infallible = write!(text, ", consumer {name}");
    }
    text
}
