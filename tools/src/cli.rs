//! The command line of `pitlane`, as clap derives it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use pitlane_engine::venue::registry::VenueKind;

use crate::ctl::CtlArgs;
use crate::duration::parse_duration;
use crate::exit::Exit;
use crate::guard::GuardArgs;

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
    /// Check endpoints, clock, schema, limits, unknown values, gaps, checksums and books.
    ///
    /// Live: the engine listens to one venue of the configuration, without orders and keys. With a
    /// recording: every frame goes through the decoder and the books of the kind NAME, and the
    /// final books are held against EXPECTED.json, where one names them. Exit code 1 when a check
    /// fails.
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

/// Options of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Configuration file [default: the simulated venue, BTC-USDT and three strategies]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Stop after this long: 500ms, 10s, 5m, 1h [default: run until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Kind of the simulated venue, or of the recording, as `kind` in the configuration; several
    /// (binance,okx) are as many simulated venues at once [default: from the configuration,
    /// binance; of a recording, what its frames fit]
    #[arg(long = "venue", value_name = "KIND", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(VenueKind::names()))]
    pub venues: Vec<String>,
    /// Play a recorded session, a folder or one file of it, instead of the simulated venue, through
    /// the same server and adapter.
    #[arg(long, value_name = "DIR|FILE")]
    pub recording: Option<PathBuf>,
    /// Pace of the recording: recorded, max, or a factor such as 10 [default: recorded]
    #[arg(long, value_name = "SPEED", requires = "recording")]
    pub speed: Option<Speed>,
    /// Keep all that enters the engine in a new folder, for `pitlane replay`. All runs on one core
    /// then.
    #[arg(long, value_name = "DIR", conflicts_with = "recording")]
    pub record_run: Option<PathBuf>,
    /// The most that such a record may take, in MiB; then it ends, and the run goes on.
    #[arg(long, value_name = "NUMBER", default_value_t = 16_384, requires = "record_run")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub record_mib: u64,
    /// Form of the final report; json prints nothing else on stdout.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub report: ReportForm,
    /// Seed of the simulated venue [default: from the configuration, 7]
    #[arg(long, value_name = "NUMBER", conflicts_with = "recording")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Market events a second of the simulated venue, 1 to 200000 [default: from the configuration,
    /// 2000]
    #[arg(long, value_name = "NUMBER", conflicts_with = "recording")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub events_per_s: Option<u32>,
    /// Simulated venues that stand by, 0 to 3: `pitlane ctl venue add simulated_2` [default: from
    /// the configuration, 0]
    #[arg(long, value_name = "NUMBER", conflicts_with = "recording")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=3))]
    pub standby: Option<u32>,
}

/// Options of `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// Rates, in events a second: 1k, 500k, 1M
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1k,10k,100k,500k,1M")]
    pub rates: Vec<Rate>,
    /// Consumers that each get every event, 1 to 50
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=50))]
    pub consumers: u16,
    /// Length of each run after its warm-up
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "5s")]
    pub duration: Duration,
    /// Time at the start of each run that is left out
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    pub warm_up: Duration,
    /// Folder for the interval logs, one a rate [default: bench-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A rate in events a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub u32);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let (digits, unit) = match text.strip_suffix(['k', 'M']) {
            Some(digits) if text.ends_with('k') => (digits, 1_000),
            Some(digits) => (digits, 1_000_000),
            None => (text, 1),
        };
        let rate = digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
        match rate {
            Some(rate @ 1..=10_000_000) => Ok(Rate(rate)),
            _ => Err("expected 1 to 10M events a second, such as 500, 10k or 1M".into()),
        }
    }
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

/// Options of `verify`.
#[derive(Clone, Debug, Default, Args)]
pub struct VerifyArgs {
    /// Small counts, at most a minute on two cores. The default.
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// The counts of the requirements, at most ten minutes.
    #[arg(long)]
    pub full: bool,
    /// Only these criteria: SC-001 to SC-010, FLIPS, ACCOUNTS, F04.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Judge what is exact (counts, allocations, accounts), and show what is judged by time as
    /// information: for machines that others use as well.
    #[arg(long, conflicts_with = "canary")]
    pub exact: bool,
    /// Plant a fault into each check, which must notice it.
    #[arg(long, conflicts_with_all = ["quick", "full"])]
    pub canary: bool,
}

/// Options of `soak`.
#[derive(Clone, Debug, Args)]
pub struct SoakArgs {
    /// How long: 500ms, 10s, 5m, 24h.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_duration)]
    pub duration: Duration,
    /// Time between two lines.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = parse_duration)]
    pub every: Duration,
    /// Where the lines go, as CSV [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Events a second, 1 to 200000.
    #[arg(long, value_name = "NUMBER", default_value = "2000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub events_per_s: u32,
}

/// What `pitlane journal` can do.
#[derive(Debug, Subcommand)]
pub enum JournalVerb {
    /// List the segments of a journal, one a line.
    Ls {
        /// The folder, such as `runs/run-1767225600000/journal`.
        folder: PathBuf,
    },
    /// Read every record, and say up to where the journal is whole. Exit code 1 when it is damaged.
    Verify {
        /// The folder.
        folder: PathBuf,
    },
    /// Print records, one a line.
    Dump {
        /// The folder.
        folder: PathBuf,
        /// Which of them.
        #[command(flatten)]
        filter: RecordFilter,
        /// Only the last so many.
        #[arg(long, value_name = "NUMBER")]
        last: Option<usize>,
    },
    /// Sums: records by kind, orders, fills and ends by strategy.
    Stats {
        /// The folder.
        folder: PathBuf,
    },
    /// Write records for another program, with names in place of numbers.
    Export {
        /// The folder.
        folder: PathBuf,
        /// Which of them.
        #[command(flatten)]
        filter: RecordFilter,
        /// One JSON object a line, or comma-separated values with a head.
        #[arg(long, value_name = "FORM", default_value = "jsonl")]
        format: RecordForm,
        /// A file to write [default: stdout]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Which records.
#[derive(Clone, Debug, Default, Args)]
pub struct RecordFilter {
    /// Only this kind: run_start, named, intent, word, trading, control, run_stop, risk,
    /// balance.
    #[arg(long)]
    pub kind: Option<String>,
    /// Only of the order with this number.
    #[arg(long, value_name = "NUMBER")]
    pub order: Option<u64>,
    /// Only of this strategy.
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
}

/// Form of exported records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RecordForm {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// Comma-separated values with a head.
    Csv,
}

/// Options of `simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// How many seeds, from `--from` on.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    pub from: u64,
    /// This seed alone.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["seeds", "from"])]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Virtual time with faults, of each run, in minutes; a minute of calm follows.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "hours")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub minutes: u64,
    /// The same in hours.
    #[arg(long, value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub hours: Option<u64>,
    /// Plan file (TOML): what it names is as it says in every run, the rest is drawn by the seed.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Print the plan of the first seed, as a plan file, and run nothing.
    #[arg(long, conflicts_with_all = ["list", "shrink", "twice", "json"])]
    pub show: bool,
    /// Print what is checked and what is not, and run nothing.
    #[arg(long, conflicts_with_all = ["shrink", "twice"])]
    pub list: bool,
    /// Make the plan of the first seed that fails as small as it still fails, and print it.
    #[arg(long)]
    pub shrink: bool,
    /// Runs that `--shrink` makes at most; `--within` bounds its time.
    #[arg(long, value_name = "NUMBER", default_value_t = 300)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub shrink_runs: u64,
    /// Begin no further seed once one has failed.
    #[arg(long)]
    pub first: bool,
    /// Run every seed twice: both have to come to the same hash.
    #[arg(long)]
    pub twice: bool,
    /// Fail when a mark is not reached by any seed.
    #[arg(long)]
    pub marks: bool,
    /// Threads, each with a run of its own [default: one]
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Begin no further seed after this much real time: 60s, 10m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub within: Option<Duration>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What `pitlane dlq` can do.
#[derive(Debug, Subcommand)]
pub enum DlqVerb {
    /// List the letters of a file, one a line.
    List {
        /// The file, `dead_letters.jsonl` of a run.
        file: PathBuf,
        /// Which of them.
        #[command(flatten)]
        filter: LetterFilter,
    },
    /// Show one letter whole, with its raw bytes.
    Show {
        /// The file.
        file: PathBuf,
        /// Its number, from 1, as `list` gives it.
        number: usize,
    },
    /// Read letters again, in their venue's dialect: what would be accepted now, or, with a target,
    /// what becomes of each. Without a target nothing is sent anywhere.
    #[command(after_help = REPLAY_HELP)]
    Replay {
        /// The file.
        file: PathBuf,
        /// Which of them.
        #[command(flatten)]
        filter: LetterFilter,
        /// Configuration file with the instruments [default: the simulated venue, BTC-USDT]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where to.
        #[command(flatten)]
        target: ReplayTarget,
    },
}

const REPLAY_HELP: &str = "\
Examples:
  pitlane dlq replay dead_letters.jsonl                       # what would be accepted now
  pitlane dlq replay dead_letters.jsonl --strategy momentum   # through a strategy, offline
  pitlane dlq replay dead_letters.jsonl --consumer momentum --to momentum   # in a running engine

A running engine takes exec reports and risk notices. A report counts only where it is the next
fill of an order that is open: nothing is booked twice.

Exit codes: 0 all of them; 1 some were refused; 2 command line; 3 no file, or no engine";

/// Where replayed letters go.
#[derive(Clone, Debug, Default, Args)]
pub struct ReplayTarget {
    /// Deliver to this consumer of the engine that runs here.
    #[arg(long, value_name = "CONSUMER", conflicts_with_all = ["strategy", "config"])]
    pub to: Option<String>,
    /// The engine's control socket [default: that of the one engine that runs here]
    #[arg(long, value_name = "PATH", requires = "to")]
    pub socket: Option<PathBuf>,
    /// The engine of this process, where several run here.
    #[arg(long, value_name = "NUMBER", requires = "to", conflicts_with = "socket")]
    pub pid: Option<u32>,
    /// Feed this strategy, offline: a consumer of the configuration, or a strategy by its name.
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// Letters that are replayed; more are refused as a whole.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub max: u64,
}

/// Which letters.
#[derive(Clone, Debug, Default, Args)]
pub struct LetterFilter {
    /// Only with this reason: malformed, unknown, field, number, symbol, nonsense, oversize, order,
    /// undelivered.
    #[arg(long)]
    pub reason: Option<String>,
    /// Only from this venue.
    #[arg(long)]
    pub venue: Option<String>,
    /// Only from this session, such as binance:market; or dispatcher, or consumer:NAME.
    #[arg(long)]
    pub session: Option<String>,
    /// Only events that were for this consumer.
    #[arg(long, value_name = "NAME")]
    pub consumer: Option<String>,
    /// Only from the last so long before now: 10m, 1h.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub since: Option<Duration>,
}

/// Form of the final report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// Tables for people.
    #[default]
    Text,
    /// One JSON object on stdout.
    Json,
}

/// Pace of a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as it is taken.
    Max,
    /// This many times as fast as it was recorded, 0.01 to 1000; 1 is the recorded pace.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        match text {
            "max" => Ok(Speed::Max),
            "recorded" => Ok(Speed::Times(1.0)),
            factor => match factor.parse::<f64>() {
                Ok(factor) if (0.01..=1_000.0).contains(&factor) => Ok(Speed::Times(factor)),
                _ => Err("expected max, recorded, or a factor from 0.01 to 1000".into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

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
