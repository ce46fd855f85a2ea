//! Arguments of what judges the engine: `bench`, `verify`, `soak`, `simulate`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::duration::parse_duration;

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
    /// For real: this binary as a process of its own, on real sockets, files and clocks, behind a
    /// proxy on loopback that spoils the network. Crashes are kill -9. One seed at a time.
    #[arg(long, conflicts_with_all = ["minutes", "hours", "shrink", "twice", "marks", "jobs"])]
    pub real: bool,
    /// With `--real`, the time with faults of each run; a calm follows until all has healed.
    #[arg(id = "real-time", long = "for", value_name = "TIME", requires = "real")]
    #[arg(default_value = "20s", value_parser = parse_real_time)]
    pub real_time: Duration,
    /// With `--real`, a folder in which the files of each run stay, for a look.
    #[arg(long, value_name = "DIR", requires = "real")]
    pub keep: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// The time with faults of a run for real.
fn parse_real_time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    let allowed = Duration::from_secs(1)..=Duration::from_secs(3_600);
    allowed.contains(&time).then_some(time).ok_or_else(|| "1s to 1h".to_owned())
}
