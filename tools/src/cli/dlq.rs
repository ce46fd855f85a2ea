//! Arguments of `dlq`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::duration::parse_duration;

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
