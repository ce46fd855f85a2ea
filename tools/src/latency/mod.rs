//! `latency`: what a person does with latency histograms, as a library.
//!
//! Reads HdrHistogram interval logs of the Java tools and of any port (encodings V0, V1, V2,
//! compressed or not, with and without tags) as streams: memory depends on the series of a log, not
//! on its length. Figures are those of summed histograms and agree with the Java tools to the last
//! digit.

mod cli;
mod clock;
mod console;
mod counts;
mod distribution;
mod error;
mod export;
mod hgrm;
mod hiccup;
mod interval;
mod interval_text;
mod java_format;
mod judge;
mod keys;
mod layout;
mod line;
mod log_reader;
mod log_writer;
mod merge;
mod payload;
mod percentiles;
mod plot;
mod plot_page;
mod plot_run;
mod plot_svg;
mod processor;
mod progress;
mod rate_text;
mod rates;
mod rule;
mod series;
mod slice;
mod summary;
mod top;
mod top_engine;
mod top_log;
mod top_rows;
mod top_source;
mod unit;

use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::exit::Exit;
use cli::{Cli, Verb};
use console::Console;
use error::VerbError;

/// The command line of the binary. Call it from `main`.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            let _ignored = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let (stdout, mut err) = (io::stdout(), io::stderr());
    let (out_is_terminal, err_is_terminal) = (stdout.is_terminal(), err.is_terminal());
    let mut out = BufWriter::new(stdout.lock());
    let has_printed = false;
    let mut console =
        Console { out: &mut out, err: &mut err, out_is_terminal, err_is_terminal, has_printed };
    run(&cli, &mut console).into()
}

fn run(cli: &Cli, console: &mut Console<'_>) -> Exit {
    let done = match &cli.verb {
        Verb::Summary(args) => summary::run(args, console),
        Verb::Tags(args) => summary::tags(args, console),
        Verb::Percentiles(args) => percentiles::percentiles(args, console),
        Verb::Intervals(args) => percentiles::intervals(args, console),
        Verb::Slice(args) => slice::slice(args, console),
        Verb::Merge(args) => merge::merge(args, console),
        Verb::Split(args) => slice::split(args, console),
        Verb::Correct(args) => merge::correct(args, console),
        Verb::Diff(args) => judge::diff(args, console),
        Verb::Sla(args) => judge::sla(args, console),
        Verb::Rates(args) => rates::run(args, console),
        Verb::Plot(args) => plot::run(args, console),
        Verb::Hiccup(args) => hiccup::run(args, console),
        Verb::Top(args) => top::run(args, console),
        Verb::Export(args) => export::run(args, console),
        Verb::Completions { json: true, .. } => Err(VerbError::Usage(
            "completions are a script of the shell: there is nothing to say as JSON".into(),
        )),
        Verb::Completions { shell, .. } => {
            clap_complete::generate(*shell, &mut Cli::command(), "latency", &mut console.out);
            Ok(Exit::Ok)
        }
        Verb::Processor { flags } => processor::run(flags, console),
    };
    let flushed = console.flush();
    match done.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit,
        Err(VerbError::Closed) => Exit::Ok,
        Err(error) => {
            let _ignored = writeln!(console.err, "error: {error}");
            error.exit()
        }
    }
}

/// What the fuzzer calls: reads `bytes` as a log to its end, and all that can be asked of its
/// intervals.
#[cfg(fuzzing)]
pub fn read_any(bytes: &[u8]) {
    use distribution::Distribution;
    let mut reader = log_reader::LogReader::of_bytes("fuzz", bytes.to_vec());
    let mut interval = interval::Interval::default();
    let all = log_reader::Selection::of(log_reader::Tags::All);
    let mut total: Option<counts::Counts> = None;
    while let Ok(true) = reader.next(&all, &mut interval) {
        let sum = total.get_or_insert_with(|| counts::Counts::shaped(interval.layout()));
        sum.add(&interval);
        assert!(interval.min() <= interval.max());
        assert!(interval.percentile(50.0) <= interval.max());
        let _record = reader.record();
    }
    let _either = reader.finish();
    if let Some(total) = total {
        let curve = total.curve(5);
        assert!(curve.is_sorted_by(|a, b| a.value <= b.value));
    }
}
