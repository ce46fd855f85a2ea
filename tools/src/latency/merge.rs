//! `latency merge` and `latency correct`: logs into a log of summed or corrected histograms.

use std::slice;

use super::cli::{CorrectArgs, MergeArgs};
use super::console::Console;
use super::counts::{Counts, check_memory};
use super::distribution::Distribution;
use super::error::VerbError;
use super::interval::Interval;
use super::log_reader::{LogReader, Selection, Tags};
use super::log_writer::LogWriter;
use super::series::read;
use crate::exit::Exit;

/// One of the logs, with the interval that comes next in it.
struct MergeInput {
    reader: LogReader,
    interval: Interval,
    more: bool,
}

impl MergeInput {
    fn advance(&mut self) -> Result<(), VerbError> {
        self.more = self.reader.next(&Selection::of(Tags::All), &mut self.interval)?;
        Ok(())
    }
}

/// Intervals of one series, start and length.
struct Sum {
    tag: Option<String>,
    length_ms: i64,
    counts: Counts,
}

/// Runs `merge`: by time; intervals of one series, start (in ms) and length become one.
///
/// # Errors
/// [`VerbError`].
pub fn merge(args: &MergeArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let mut sources = Vec::new();
    for file in &args.files {
        let reader = LogReader::open(file, console.err_is_terminal && args.files.len() == 1)?;
        let mut source = MergeInput { reader, interval: Interval::default(), more: false };
        source.advance()?;
        sources.push(source);
    }
    let starts = sources.iter().filter(|source| source.more).map(|source| source.reader.start_s());
    let start_s = starts.fold(f64::MAX, f64::min);
    let mut output = None;
    while let Some(start_ms) = earliest_ms(&sources) {
        let sums = take_sums(&mut sources, start_ms)?;
        let output = match &mut output {
            Some(output) => output,
            none => {
                let mut started = LogWriter::create(args.output.file(), &args.files)?;
                started.head(start_s, &joint_header(&sources), console)?;
                none.insert(started)
            }
        };
        for sum in sums {
            let at_s = start_ms as f64 / 1e3 - start_s;
            let length_s = sum.length_ms as f64 / 1e3;
            output.interval(sum.tag.as_deref(), at_s, length_s, &sum.counts, console)?;
        }
    }
    for source in &sources {
        source.reader.finish()?.iter().for_each(|warning| console.warn(warning));
    }
    let Some(mut output) = output else { return Ok(Exit::Ok) };
    output.close(console)?;
    args.output.report(output.intervals, console)
}

fn earliest_ms(sources: &[MergeInput]) -> Option<i64> {
    let waiting = sources.iter().filter(|source| source.more);
    waiting.map(|source| source.reader.record().start_ms()).min()
}

/// Takes all intervals that start at `start_ms` from all logs.
fn take_sums(sources: &mut [MergeInput], start_ms: i64) -> Result<Vec<Sum>, VerbError> {
    let mut sums: Vec<Sum> = Vec::new();
    for source in sources {
        while source.more && source.reader.record().start_ms() == start_ms {
            let record = source.reader.record();
            let length_ms = record.end_ms() - start_ms;
            let known = sums.iter_mut().find(|sum| {
                sum.tag.as_deref() == record.tag && (sum.length_ms - length_ms).abs() <= 1
            });
            match known {
                Some(sum) => sum.counts.add(&source.interval),
                None => {
                    let mut counts = Counts::shaped(source.interval.layout());
                    counts.add(&source.interval);
                    sums.push(Sum { tag: record.tag.map(str::to_owned), length_ms, counts });
                }
            }
            let held = sums.iter().map(|sum| &sum.counts);
            check_memory(held).map_err(|problem| source.reader.refuse(problem))?;
            source.advance()?;
        }
    }
    Ok(sums)
}

/// The run headers of all logs, each line once, and the names of the logs.
fn joint_header(sources: &[MergeInput]) -> Vec<String> {
    let names: Vec<_> = sources.iter().map(|source| source.reader.name()).collect();
    let mut header = vec![format!("Merged: {}", names.join(", "))];
    for line in sources.iter().flat_map(|source| source.reader.header()) {
        if !header.contains(line) && !line.starts_with("Logged with") {
            header.push(line.clone());
        }
    }
    header
}

/// Runs `correct`: each interval as it would be without coordinated omission.
///
/// # Errors
/// [`VerbError`].
pub fn correct(args: &CorrectArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let expected_ns = args.expected_interval.as_nanos() as u64;
    let mut output: Option<LogWriter> = None;
    read(&args.file, &Selection::of(args.tag.all()), console, |reader, interval, console| {
        if output.is_none() {
            let mut started = LogWriter::create(args.output.file(), slice::from_ref(&args.file))?;
            let what = format!("Corrected: for an expected interval of {expected_ns} ns");
            let mut header: Vec<_> = reader.header().to_vec();
            header.retain(|line| !line.starts_with("Logged with"));
            header.push(what);
            started.head(reader.start_s(), &header, console)?;
            output = Some(started);
        }
        let Some(output) = &mut output else { return Ok(()) };
        let record = reader.record();
        let start_s = record.absolute_s - reader.start_s();
        // What counts events was not sent on a schedule.
        let corrected = match record.is_gauge {
            true => interval.clone(),
            false => interval.corrected(expected_ns),
        };
        output.interval(record.tag, start_s, record.length_s, &corrected, console)
    })?;
    let Some(mut output) = output else { return Ok(Exit::Ok) };
    output.close(console)?;
    args.output.report(output.intervals, console)
}
