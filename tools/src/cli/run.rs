//! Arguments of a run.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use pitlane_engine::venue::registry::VenueKind;

use crate::duration::parse_duration;

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
    /// The strategies of `simulate --real`: what they are told goes to a new file, and beside it
    /// lies the plan. The run ends with the process that has started it.
    #[arg(long, value_name = "FILE", hide = true, conflicts_with_all = ["recording", "record_run"])]
    pub witness: Option<PathBuf>,
    /// The process that has started it.
    #[arg(long, value_name = "PID", hide = true, requires = "witness")]
    pub judge: Option<i32>,
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
