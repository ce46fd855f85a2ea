//! The command line of `latency`, as clap derives it.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::log_reader::{Selection, Tags};
use super::unit::{Unit, parse_interval, parse_seconds};

const EXAMPLES: &str = "\
Examples:
  latency summary run.hlog                  one line a series: rate, percentiles, maximum
  latency percentiles run.hlog --tag dispatch
                                            its percentile distribution, as .hgrm
  latency diff base.hlog new.hlog --fail-if 'p99>+10%'
                                            exit code 1 when p99 got over 10 % worse
  latency sla run.hlog --rule 'p99.99<50us' --rule 'max<1ms'
  latency plot a.hlog b.hlog -o runs.html   curves of both, in one page that needs no network
  latency slice run.hlog --start 10 --end 60 | latency summary -
                                            `-` is standard input
  latency processor -i run.hlog -o out      what Java's HistogramLogProcessor would write

Logs are HdrHistogram interval logs (.hlog, encodings V0, V1 and V2) of nanoseconds. Percentiles of several
intervals or files are those of their summed histograms; they are never averaged.

Exit codes: 0 done; 1 a rule does not hold; 2 command line; 3 a file can't be read or written";

/// Tools for latency histograms: reads, compares, plots and judges HdrHistogram interval logs.
#[derive(Debug, Parser)]
#[command(name = "latency", version, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true, subcommand_required = true)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `latency` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// One line for each series: count, rate, percentiles, maximum.
    ///
    /// Several files are summed by tag, or shown side by side with --by file.
    Summary(SummaryArgs),
    /// The series of a log, with their intervals and times.
    Tags(TagsArgs),
    /// The percentile distribution of a series, as .hgrm or CSV.
    ///
    /// With --unit ms it is what the Java tools print.
    Percentiles(PercentilesArgs),
    /// One line for each interval: its own percentiles, and those of all up to it.
    Intervals(IntervalsArgs),
    /// The flags of Java's HistogramLogProcessor, and the same output.
    #[command(disable_help_flag = true, after_help = super::processor::FLAGS)]
    Processor {
        /// Flags of the Java tool; -h lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAG")]
        flags: Vec<String>,
    },
}

/// Which intervals of a log.
#[derive(Clone, Debug, Args)]
pub struct RangeArgs {
    /// Earliest start of an interval, from the log's start: 10, 12.5, 90s, 5m, 1h.
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub start: Option<f64>,
    /// Latest start of an interval, from the log's start.
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub end: Option<f64>,
}

impl RangeArgs {
    /// These intervals of these series.
    #[must_use]
    pub fn of(&self, tags: Tags) -> Selection {
        let (start_s, end_s) = (self.start.unwrap_or(0.0), self.end.unwrap_or(f64::MAX));
        Selection { tags, start_s, end_s }
    }
}

/// Which series of a log, where one is needed.
#[derive(Clone, Debug, Args)]
pub struct TagArgs {
    /// The series [default: the one without a tag]
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
}

impl TagArgs {
    /// The tag, or else the untagged series.
    #[must_use]
    pub fn one(&self) -> Tags {
        self.tag.clone().map_or(Tags::Untagged, Tags::Only)
    }

    /// The tag, or else all series.
    #[must_use]
    pub fn all(&self) -> Tags {
        self.tag.clone().map_or(Tags::All, Tags::Only)
    }
}

/// How results are shown.
#[derive(Clone, Copy, Debug, Args)]
pub struct ShowArgs {
    /// Unit of values.
    #[arg(long, value_name = "UNIT", default_value = "us")]
    pub unit: Unit,
    /// Print JSON instead of text; values are in the unit asked for.
    #[arg(long)]
    pub json: bool,
}

/// Options of `summary`.
#[derive(Clone, Debug, Args)]
pub struct SummaryArgs {
    /// Logs; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// Only this series.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// What a line stands for; by file it is the untagged series of each, or that of --tag.
    #[arg(long, value_name = "WHAT", default_value = "tag")]
    pub by: By,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// What a line of a summary stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// A series, over all files.
    Tag,
    /// A file.
    File,
}

/// Options of `tags`.
#[derive(Clone, Debug, Args)]
pub struct TagsArgs {
    /// The log; - is standard input.
    pub file: String,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Options of `percentiles`.
#[derive(Clone, Debug, Args)]
pub struct PercentilesArgs {
    /// Logs, summed; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    /// Comma-separated values.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Rows for each halving of what is left to 100 %, 1 to 1000.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub ticks: u32,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// Options of `intervals`.
#[derive(Clone, Debug, Args)]
pub struct IntervalsArgs {
    /// The log; - is standard input.
    pub file: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    /// Comma-separated values.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Show a moving window of this length instead: 60s, 5m.
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub window: Option<f64>,
    /// The percentile of the moving window.
    #[arg(long, value_name = "PERCENTILE", default_value_t = 99.0, requires = "window")]
    #[arg(value_parser = parse_percentile)]
    pub window_percentile: f64,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

fn parse_percentile(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "expected a percentile, 0 to 100".into())
}

#[allow(dead_code)]
fn unused() -> Option<Duration> {
    parse_interval("1ms").ok()
}
