//! The command line of `latency`, as clap derives it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use super::console::Console;
use super::error::VerbError;
use super::log_reader::{Selection, Tags};
use super::rule::{Allowance, Rule, parse_allowance, parse_rule};
use super::unit::{Unit, parse_interval, parse_seconds};
use crate::duration::parse_duration;
use crate::exit::Exit;

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

Logs are HdrHistogram interval logs (.hlog, also .gz; encodings V0, V1 and V2) of nanoseconds; say
--recorded-in us of one in microseconds. Percentiles of several intervals or files are those of their
summed histograms; they are never averaged.

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
    /// Copy the intervals of a time range into another log, as they are.
    Slice(SliceArgs),
    /// Sum logs into one, by time and series: those of several processes, or of several runs.
    ///
    /// Intervals of one series with the same start (in ms) and length become one; others stay
    /// apart.
    Merge(MergeArgs),
    /// Write a log for each series, without tags, for tools that know none.
    Split(SplitArgs),
    /// Fill in what a sender on schedule would have seen: repairs coordinated omission afterwards.
    ///
    /// Only for logs that are known to have been recorded by a sender that waited for each answer.
    Correct(CorrectArgs),
    /// Compare two runs; exit code 1 when one of --fail-if is met.
    ///
    /// Warns when the run headers differ, since then the runs are not alike.
    Diff(DiffArgs),
    /// Judge a run by rules; exit code 1 when one does not hold.
    Sla(SlaArgs),
    /// The table of latency by rate: a line for each log of a folder.
    Rates(RatesArgs),
    /// Draw percentile curves and a timeline of maxima, as SVG or as one HTML page.
    ///
    /// The page needs no network. Values show when the pointer rests on a curve.
    Plot(PlotArgs),
    /// Record what the machine itself does to a thread that spins on a core.
    ///
    /// Each core gets a pinned thread with a tick every --resolution; how late a tick is seen is
    /// recorded under the tag core:N, ticks that were slept through included.
    Hiccup(HiccupArgs),
    /// Watch a log that is being written, or a running engine.
    ///
    /// Of a log: rate and percentiles of the last minute, by series. Of an engine: consumers,
    /// stages, lanes and cores, by the last interval. Arrows scroll, q quits. Without a terminal it
    /// prints a table each time.
    Top(TopArgs),
    /// Intervals as CSV or JSON lines, or the whole log as Prometheus text.
    Export(ExportArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
        /// Refused: a script has no JSON form.
        #[arg(long, hide = true)]
        json: bool,
    },
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
    /// Unit of the values in the log, for logs of tools that do not record nanoseconds.
    #[arg(long, value_name = "UNIT", default_value = "ns")]
    pub recorded_in: Unit,
}

impl RangeArgs {
    /// These intervals of these series.
    #[must_use]
    pub fn of(&self, tags: Tags) -> Selection {
        let all = Selection::of(tags);
        let (start_s, end_s) = (self.start.unwrap_or(all.start_s), self.end.unwrap_or(all.end_s));
        let value_ns = self.recorded_in.ratio() as u64;
        Selection { start_s, end_s, value_ns, ..all }
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

/// Where a verb writes a log.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<String>,
    /// Print what was written as JSON; needs --output.
    #[arg(long, requires = "output")]
    pub json: bool,
}

impl OutputArgs {
    /// The file, or `None` for standard output.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.output.as_deref()
    }

    /// Tells what was written, when asked.
    ///
    /// # Errors
    /// [`VerbError::Output`].
    pub fn report(&self, intervals: u64, console: &mut Console<'_>) -> Result<Exit, VerbError> {
        if self.json {
            console.print_json(&json!({ "written": self.output, "intervals": intervals }))?;
        }
        Ok(Exit::Ok)
    }
}

/// Options of `slice`.
#[derive(Clone, Debug, Args)]
pub struct SliceArgs {
    /// The log; - is standard input.
    pub file: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

/// Options of `merge`.
#[derive(Clone, Debug, Args)]
pub struct MergeArgs {
    /// Logs; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

/// Options of `split`.
#[derive(Clone, Debug, Args)]
pub struct SplitArgs {
    /// The log; - is standard input.
    pub file: String,
    /// What a file stands for.
    #[arg(long, value_name = "WHAT", default_value = "tag")]
    pub by: SplitBy,
    /// Folder for the logs, made when it is missing.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Beginning of their names [default: the log's own name]
    #[arg(long, value_name = "NAME")]
    pub prefix: Option<String>,
    /// Print what was written as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a file of `split` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SplitBy {
    /// A series.
    Tag,
}

/// Options of `correct`.
#[derive(Clone, Debug, Args)]
pub struct CorrectArgs {
    /// The log; - is standard input.
    pub file: String,
    /// Time between two sends of the schedule: 1ms, 100us.
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    pub expected_interval: Duration,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

/// Options of `diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The log to compare with.
    pub base: String,
    /// The log to judge.
    pub new: String,
    /// What is too much, as [TAG:]METRIC and a difference: 'p99>+10%', 'max>+1ms', 'rate<-1%'.
    /// Repeatable.
    #[arg(long, value_name = "RULE", value_parser = parse_allowance)]
    pub fail_if: Vec<Allowance>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// Options of `sla`.
#[derive(Clone, Debug, Args)]
pub struct SlaArgs {
    /// The log; - is standard input.
    pub file: String,
    /// What must hold, as [TAG:]METRIC and a limit: 'p99.99<50us', 'max<1ms', 'count>=1000'.
    /// Repeatable.
    #[arg(long, value_name = "RULE", value_parser = parse_rule)]
    pub rule: Vec<Rule>,
    /// A file of rules, one a line; # starts a comment.
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// Options of `rates`.
#[derive(Clone, Debug, Args)]
pub struct RatesArgs {
    /// The folder with a log for each rate.
    pub dir: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// Options of `plot`.
#[derive(Clone, Debug, Args)]
pub struct PlotArgs {
    /// Logs, drawn over each other; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// Where to write: a name that ends in .svg or .html.
    #[arg(short, long, value_name = "FILE")]
    pub output: String,
    /// The series; repeatable [default: the one without a tag]
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// A file of rules, drawn as steps: percentile rules with an upper limit, and max.
    #[arg(long, value_name = "FILE")]
    pub sla: Option<String>,
    /// Draw the highest value of each interval over time, too.
    #[arg(long)]
    pub timeline: bool,
    /// Title above the curves.
    #[arg(long, value_name = "TEXT", default_value = "Latency by percentile")]
    pub title: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// Options of `hiccup`.
#[derive(Clone, Debug, Args)]
pub struct HiccupArgs {
    /// Cores, as the system numbers them: 2,3.
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    pub cores: Vec<usize>,
    /// Where to write.
    #[arg(short, long, value_name = "FILE", default_value = "hiccup.hlog")]
    pub output: PathBuf,
    /// Stop after this long: 10s, 5m, 1h [default: run until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Time between two ticks.
    #[arg(long, value_name = "TIME", default_value = "10us", value_parser = parse_interval)]
    pub resolution: Duration,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// Options of `top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// The log, or a running engine's control socket or run folder [default: the one engine that
    /// runs here]
    #[arg(value_name = "FILE|SOCKET")]
    pub file: Option<String>,
    /// Print what is there now and end.
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub show: ShowArgs,
}

/// Options of `export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// The log; - is standard input.
    pub file: String,
    /// The form; prom is in seconds, whatever --unit says.
    #[arg(long, value_name = "FORM", default_value = "csv")]
    pub format: Format,
    /// Same as --format jsonl.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Unit of values.
    #[arg(long, value_name = "UNIT", default_value = "us")]
    pub unit: Unit,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub tag: TagArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values, a line for each interval.
    Csv,
    /// A JSON object a line, for each interval.
    Jsonl,
    /// The text format of Prometheus, over the whole log.
    Prom,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_teaches_with_examples_and_exit_codes() {
        let help = Cli::command().render_help().to_string();
        for text in ["latency diff base.hlog", "standard input", "Exit codes", "never averaged"] {
            assert!(help.contains(text), "{text} is missing from:\n{help}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let lines = [
            "summary",
            "summary a --unit s",
            "percentiles a --csv --json",
            "percentiles a --ticks 0",
            "intervals a --window-percentile 50",
            "intervals a --window 60s --window-percentile 101",
            "slice a --start x",
            "slice a --json",
            "sla a --rule p99",
            "diff a",
            "correct a",
            "correct a --expected-interval 0ns",
            "hiccup",
            "plot a",
            "fly",
        ];
        for line in lines {
            let words = std::iter::once("latency").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{line} was taken");
        }
    }
}
