//! The command line of `pitlane`, as clap derives it.

mod dlq;
mod journal;
mod measure;
mod run;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::ctl::CtlArgs;
use crate::duration::parse_duration;
use crate::exit::Exit;
use crate::guard::GuardArgs;
pub use dlq::{DlqVerb, LetterFilter, ReplayTarget};
pub use journal::{JournalVerb, RecordFilter, RecordForm};
pub use measure::{BenchArgs, SimulateArgs, SoakArgs, VerifyArgs};
pub use run::{ReportForm, RunArgs, Speed};

const EXAMPLES: &str = "\
Examples:
  pitlane                              the default run, until Ctrl-C
  pitlane --duration 10s               the same for ten seconds
  pitlane --duration 10s --report json > report.json
  pitlane run --config my.toml         venues and strategies of your own
  pitlane run --recording DIR --speed max
                                       a recorded session through the real adapter
  pitlane venue check binance --config my.toml
                                       endpoints, clock, schema, limits, gaps, books
  pitlane record --config my.toml --out DIR
                                       raw market data, to be played as above
  pitlane run --record-run DIR         keep what enters the engine
  pitlane replay DIR --explain TRACE   and run it again: equal, or the first difference
  pitlane bench --rates 1k,100k        latency under open-loop load, rate by rate
  pitlane plan --config my.toml        which thread on which core, without starting anything
  pitlane config example > my.toml     every key with its meaning, limit and default
  pitlane config check my.toml         what is wrong with it, by line and column
  pitlane verify                       every guarantee, measured on this machine
  pitlane soak --duration 24h          the same engine for a day, and what it grew
  pitlane simulate --seeds 20          bad days by seed, in virtual time
  pitlane simulate --real --seeds 5    the same for this binary, on real sockets
  pitlane ctl status                   what a running engine does now
  pitlane dlq list FILE                what could not be decoded or delivered
  pitlane journal verify DIR           whether the record of orders is whole
  pitlane journal dump DIR --last 20   what came last, before a crash perhaps";

fn after_help() -> String {
    format!("{EXAMPLES}\n\nExit codes:\n{}", Exit::table())
}

/// A pinned, thread-per-core trading engine. Without a verb it runs: without configuration or
/// network it starts its own venue and trades there.
#[derive(Debug, Parser)]
#[command(name = "pitlane", version, after_help = after_help())]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of a run when no verb is given.
    #[command(flatten)]
    pub run: RunArgs,
    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What `pitlane` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the engine until its duration is over, its recording ends, or Ctrl-C.
    ///
    /// The first Ctrl-C (or SIGTERM) stops it in order: venues first, then what is in flight, then
    /// the consumers; a second one ends the process at once.
    Run(RunArgs),
    /// Record the market data of the configured venues, in files that `run --recording` plays.
    ///
    /// The engine runs with all its checks of market data, without strategies and without orders,
    /// so no key is needed. Raw frames, messages sent and snapshots over REST are kept with the
    /// times of their arrival; at the end stands what is missing, and when. Exit code 8 when
    /// anything is.
    Record(RecordArgs),
    /// Run a recorded run again: the same callbacks and bytes, or the first that differs.
    ///
    /// Nothing real is touched. Exit code 0 when all is equal, 1 when it differs, 3 without a
    /// record or with a damaged one, 8 when the record has no end.
    Replay(ReplayArgs),
    /// Look whether a venue speaks as its adapter expects.
    Venue {
        /// What to do.
        #[command(subcommand)]
        verb: VenueVerb,
    },
    /// Show which thread would run what, on which core, and the memory of the lanes. Starts
    /// nothing.
    Plan(PlanArgs),
    /// Load the real pipeline at several rates, and print latencies from the intended send times.
    Bench(BenchArgs),
    /// Run the engine through every success criterion and print one table. Exit code 1 when one
    /// fails.
    Verify(VerifyArgs),
    /// Run the engine for hours on a steady load, and watch that nothing grows.
    Soak(SoakArgs),
    /// Let bad days pass in virtual time, one a seed, and judge them by the venue's own record.
    ///
    /// The whole engine with these strategies, the simulated venue, network, disk, clock and
    /// operator run on one thread; what goes wrong follows from the seed. A calm follows in which
    /// all has to heal. Exit code 1 when an invariant is broken.
    ///
    /// With `--real` the engine is this binary as users run it, a process with real sockets, files,
    /// threads and clock, at a simulated venue behind a faulty proxy; the same checkers judge it.
    Simulate(SimulateArgs),
    /// Read and change a running engine through its control socket.
    Ctl(CtlArgs),
    /// Watch an engine from a process of its own, and cancel all at its venues when it stands
    /// still.
    Guard(GuardArgs),
    /// Read dead letters.
    Dlq {
        /// What to do with them.
        #[command(subcommand)]
        verb: DlqVerb,
    },
    /// Read the journal of orders: what was on record before it acted.
    ///
    /// A journal is a folder of segments. After a crash, `verify` says up to where it is whole,
    /// `dump --last 20` what came last, `export` gives it to another program. Nothing is written.
    Journal {
        /// What to do with it.
        #[command(subcommand)]
        verb: JournalVerb,
    },
    /// Write or check a configuration file.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Print completions for a shell, to be loaded by it.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What `pitlane venue` can do.
#[derive(Debug, Subcommand)]
pub enum VenueVerb {
    /// Check endpoints, clock, schema, limits, unknown values, gaps, checksums and books, what the
    /// venue says of the instruments, and what the account may do.
    ///
    /// Live: the engine's own sessions at one venue of the configuration, without any order: none
    /// is sent, changed or cancelled. Where the venue has an api_url and a key, the order session
    /// signs on and asks what the account has and may do. With a recording: every frame goes
    /// through the decoder and the books of the kind NAME, and the final books are held against
    /// EXPECTED.json, where one names them. Exit code 1 when a check fails.
    Check(VenueCheckArgs),
}

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The record, as `run --record-run` has made it.
    pub dir: PathBuf,
    /// Stop before the first callback with the event of this trace, and show it.
    #[arg(long, value_name = "TRACE", conflicts_with = "explain")]
    pub until: Option<u64>,
    /// Show the whole way of the event of this trace: bytes read, stamps, callbacks, orders, what
    /// was sent for them and what came back.
    #[arg(long, value_name = "TRACE")]
    pub explain: Option<u64>,
    /// Another configuration than that of the run: it is told where it first differs.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Options of `venue check`.
#[derive(Clone, Debug, Args)]
pub struct VenueCheckArgs {
    /// A venue of the configuration; with a recording, its kind.
    pub name: String,
    /// A recorded session, a folder or one file of it, to be checked instead.
    #[arg(long, value_name = "DIR|FILE")]
    pub recording: Option<PathBuf>,
    /// Configuration file [default: the simulated venue]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Leave the account alone: no key is used but for market data.
    #[arg(long, conflicts_with = "recording")]
    pub no_account: bool,
    /// How long to listen: 10s, 5m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub duration: Duration,
}

/// Options of `record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Folder to record in; a folder a venue is made in it, which must not be there yet.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Configuration file, for its venues and instruments [default: the simulated venue]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Stop after this long: 10s, 5m, 1h [default: record until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// MiB after which a connection goes on in its next file, 1 to 65536.
    #[arg(long, value_name = "MIB", default_value_t = 256,
          value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub file_mib: u64,
    /// MiB that all files together may have; then the recording ends.
    #[arg(long, value_name = "MIB", default_value_t = 10_240,
          value_parser = clap::value_parser!(u64).range(1..=16_777_216))]
    pub disk_mib: u64,
}

/// What `pitlane config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Print a commented file with every key, its unit, limit and default.
    Example,
    /// Check a file: unknown keys, limits, and what does not fit together, by line and column.
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// Options of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Configuration file [default: the simulated venue, BTC-USDT and three strategies]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print it as one JSON object.
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::measure::Rate;
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("pitlane").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_run_work_with_and_without_the_verb() {
        let bare = parse("--duration 10s --report json").unwrap();
        assert!(bare.verb.is_none());
        assert_eq!(bare.run.duration, Some(Duration::from_secs(10)));
        assert_eq!(bare.run.report, ReportForm::Json);
        let verb = parse("run --seed 9 --events-per-s 100").unwrap().verb;
        let Some(Verb::Run(args)) = verb else { panic!("{verb:?}") };
        assert_eq!((args.seed, args.events_per_s), (Some(9), Some(100)));
    }

    #[test]
    fn speeds_are_words_or_factors() {
        for (text, speed) in [("max", Speed::Max), ("recorded", Speed::Times(1.0))] {
            let run = parse(&format!("--recording d --speed {text}")).unwrap().run;
            assert_eq!(run.speed, Some(speed));
        }
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        for text in ["0", "-1", "fast", "NaN", "inf", "1001"] {
            assert!(text.parse::<Speed>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn rates_are_numbers_with_a_unit() {
        let verb = parse("bench --rates 500,10k,1M").unwrap().verb;
        let Some(Verb::Bench(args)) = verb else { panic!("{verb:?}") };
        assert_eq!(args.rates, [Rate(500), Rate(10_000), Rate(1_000_000)]);
        for text in ["0", "k", "1G", "-1", "11M", "5000M", "1.5k"] {
            assert!(text.parse::<Rate>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let lines = [
            "--speed max",
            "--recording d --seed 1",
            "--events-per-s 0",
            "--events-per-s 200001",
            "--duration 10",
            "--report xml",
            "config",
            "config check",
            "plan --duration 1s",
            "--seed 1 plan",
            "fly",
        ];
        for line in lines {
            assert!(parse(line).is_err(), "{line} was taken");
        }
    }

    #[test]
    fn help_teaches_with_examples_and_exit_codes() {
        let help = Cli::command().render_help().to_string();
        for text in ["--duration 10s", "config example", "Exit codes", "130"] {
            assert!(help.contains(text), "{text} is missing from:\n{help}");
        }
    }
}
