//! What a person types: the verbs of `pitlane`, as a library.
//!
//! A binary registers its strategies and calls [`main`]; everything else (arguments, configuration,
//! the plan, signals, the status line, the report, the exit code) is here, so that a private
//! repository gets the same command line with its own strategies. [`run_cli`] is the same without
//! the process around it.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

#[allow(clippy::disallowed_methods, reason = "measures in real time, and keeps logs")]
mod bench;
mod cli;
mod config_file;
mod contention_text;
#[allow(clippy::disallowed_methods, reason = "talks to an engine over its socket")]
mod ctl;
#[allow(clippy::disallowed_methods, reason = "reads the files that it is told to")]
mod dlq;
#[allow(clippy::disallowed_methods, reason = "looks at this machine")]
pub mod doctor;
mod duration;
mod exit;
#[allow(clippy::disallowed_methods, reason = "watches an engine in real time")]
mod guard;
#[allow(clippy::disallowed_methods, reason = "writes the export that it is told to")]
mod journal;
#[cfg(feature = "latency")]
#[allow(clippy::disallowed_methods, reason = "reads and writes the files that it is told to")]
pub mod latency;
mod limits_text;
mod plan_text;
#[allow(clippy::disallowed_methods, reason = "waits for the end of a run in real time")]
mod record;
mod recovery_text;
#[allow(clippy::disallowed_methods, reason = "measures how long a replay takes")]
mod replay;
mod report_text;
#[allow(clippy::disallowed_methods, reason = "waits for the end of a run in real time")]
mod run;
#[allow(clippy::disallowed_methods, reason = "asks the kernel what is ignored")]
mod signals;
#[allow(clippy::disallowed_methods, reason = "reads a plan, and measures in real time")]
mod simulate;
#[allow(clippy::disallowed_methods, reason = "waits in real time, and keeps lines")]
mod soak;
mod status;
mod table;
mod terminal;
mod trading_text;
mod utc;
#[allow(clippy::disallowed_methods, reason = "waits in real time, and reads what is expected")]
mod venue_check;
#[allow(clippy::disallowed_methods, reason = "attacks a real engine in real time")]
mod verify;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use pitlane_engine::StrategyRegistry;
use pitlane_engine::config::Config;
use pitlane_engine::telemetry::{Sink, SinkWriter};

use cli::{Cli, ConfigVerb, PlanArgs, VenueVerb, Verb};

pub use duration::parse_duration;
pub use exit::{EXITS, Exit};
pub use plan_text::plan_text;
pub use report_text::report_text;
pub use terminal::Terminal;

/// The command line of a binary with these strategies compiled in. Call it from `main`.
#[must_use]
pub fn main(registry: StrategyRegistry) -> ExitCode {
    let mut out = SinkWriter(Sink::standard_output());
    let mut err = SinkWriter(Sink::standard_error());
    let err_is_terminal = io::stderr().is_terminal();
    let mut terminal = Terminal { out: &mut out, err: &mut err, err_is_terminal };
    let exit = match signals::stop_on_signals() {
        Ok(stop) => run_cli(std::env::args_os(), &registry, &stop, &mut terminal),
        Err(error) => {
            terminal.complain(&format!("[signals] start failed: {error}"));
            Exit::StartRefused
        }
    };
    // Within its patience: what a blocked terminal has not taken by then, it does not get.
    let _ = Sink::standard_error().flush();
    exit.into()
}

/// How long a verb that runs an engine waits for a standard output that takes nothing. What waits
/// behind it is the end of the process.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(1);

/// Verbs that own a running engine must end whatever their output does; all others wait for their
/// reader.
fn limit_output(verb: Option<&Verb>) {
    let runs_an_engine = matches!(
        verb,
        None | Some(
            Verb::Run(_) | Verb::Record(_) | Verb::Bench(_) | Verb::Verify(_) | Verb::Soak(_)
        )
    );
    Sink::standard_output().set_patience(runs_an_engine.then_some(OUTPUT_PATIENCE));
}

/// One command. `args` starts with the program's name; raising `stop` ends a run in order.
pub fn run_cli(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Exit {
    let done = parsed(args, terminal).and_then(|cli| {
        limit_output(cli.verb.as_ref());
        command(cli, registry, stop, terminal)
    });
    done.unwrap_or_else(|exit| exit)
}

fn command(
    cli: Cli,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    match cli.verb {
        None => run::run(&cli.run, registry, stop, terminal),
        Some(Verb::Run(args)) => run::run(&args, registry, stop, terminal),
        Some(Verb::Replay(args)) => replay::replay(&args, registry, terminal),
        Some(Verb::Record(args)) => record::record(&args, registry, stop, terminal),
        Some(Verb::Venue { verb: VenueVerb::Check(args) }) => {
            venue_check::check(&args, registry, stop, terminal)
        }
        Some(Verb::Plan(args)) => plan(&args, terminal),
        Some(Verb::Bench(args)) => bench::bench(&args, stop, terminal),
        Some(Verb::Verify(args)) => verify::verify(&args, stop, terminal),
        Some(Verb::Soak(args)) => soak::soak(&args, stop, terminal),
        Some(Verb::Simulate(args)) => simulate::simulate(&args, registry, stop, terminal),
        Some(Verb::Ctl(args)) => ctl::ctl(&args, stop, terminal),
        Some(Verb::Guard(args)) => guard::guard(&args, stop, terminal),
        Some(Verb::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pitlane", &mut text);
            terminal.print(&String::from_utf8_lossy(&text)).map(|()| Exit::Ok)
        }
        Some(Verb::Dlq { verb }) => dlq::dlq(&verb, registry, stop, terminal),
        Some(Verb::Journal { verb }) => journal::journal(&verb, terminal),
        Some(Verb::Config { verb: ConfigVerb::Example }) => {
            terminal.print(&Config::example()).map(|()| Exit::Ok)
        }
        Some(Verb::Config { verb: ConfigVerb::Check { file } }) => {
            let config = config_file::load(Some(&file), terminal)?;
            config_file::check(&config, registry, terminal)?;
            terminal.print(&format!("{}: no problem found\n", file.display())).map(|()| Exit::Ok)
        }
    }
}

fn parsed(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    terminal: &mut Terminal<'_>,
) -> Result<Cli, Exit> {
    Cli::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            terminal.print(&error.render().to_string()).map_or_else(|exit| exit, |()| Exit::Ok)
        }
        _ => {
            terminal.say(&error.render().to_string());
            Exit::Usage
        }
    })
}

fn plan(args: &PlanArgs, terminal: &mut Terminal<'_>) -> Result<Exit, Exit> {
    let config = config_file::load(args.config.as_deref(), terminal)?;
    let plan = run::plan_of(&config, terminal)?;
    let text =
        if args.json { plan_text::plan_json(&config, &plan) } else { plan_text(&config, &plan) };
    terminal.print(&text).map(|()| Exit::Ok)
}
