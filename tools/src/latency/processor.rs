//! `latency processor`: takes the flags of Java's `HistogramLogProcessor` and writes the same
//! files.
//!
//! Its exit codes and messages are ours: Java ends with 1 on a malformed line and with a stack
//! trace on a log without the wanted series. `-alltags` does what it says, where Java takes it and
//! does nothing. And with `-correctLogWithKnownCoordinatedOmission` series stay apart, where Java
//! (2.1.11) loses the tag of what it corrects: without `-tag` it sums all series, with `-tag` it
//! ends with a stack trace.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};

use super::console::Console;
use super::counts::Counts;
use super::distribution::Distribution;
use super::error::VerbError;
use super::hgrm::{HgrmForm, hgrm};
use super::interval::Interval;
use super::interval_text::{LineForm, Window, check_windows, interval_legend, interval_line};
use super::java_format::{fixed, plain, start_time};
use super::log_reader::{LogReader, Selection, Tags};
use super::log_writer::refuse_input;
use super::series::read;
use crate::exit::Exit;

/// The flags, for `--help` and for a wrong command line.
pub const FLAGS: &str = "\
Flags of the Java tool:
  -i FILE                      log to process [default: standard input]
  -o FILE                      write FILE (intervals) and FILE.hgrm (percentiles)
                               [default: percentiles on standard output]
  -tag TAG                     the series to process [default: lines without a tag]
  -alltags                     all lines, whatever their tag
  -listtags                    list the tags and do nothing else
  -csv                         comma-separated values
  -start S, -end S             range in seconds from the log's start
  -outputValueUnitRatio R      divide values by R [default: 1000000, ms of ns]
  -percentilesOutputTicksPerHalf N
                               rows for each halving of what is left to 100 % [default: 5]
  -mwp PERCENTILE              also FILE.mwp: this percentile of a moving window
  -mwpl MS                     length of that window [default: 60000]
  -correctLogWithKnownCoordinatedOmission I
                               fill in what a sender on a schedule of I would have seen
  -v                           taken for compatibility
  -h                           this text
";

#[derive(Debug, PartialEq)]
struct Flags {
    input: String,
    output: Option<String>,
    selection: Selection,
    list_tags: bool,
    csv: bool,
    ratio: f64,
    ticks: u32,
    window_percentile: f64,
    window_ms: i64,
    window: bool,
    expected: u64,
    help: bool,
}

impl Flags {
    fn parse(args: &[String]) -> Result<Flags, String> {
        let mut flags = Flags {
            input: "-".to_owned(),
            output: None,
            // As the Java tool: what lies before the start time is not read.
            selection: Selection { start_s: 0.0, ..Selection::of(Tags::Untagged) },
            list_tags: false,
            csv: false,
            ratio: 1e6,
            ticks: 5,
            window_percentile: 99.0,
            window_ms: 60_000,
            window: false,
            expected: 0,
            help: false,
        };
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{flag}: its value is missing"));
            match flag.as_str() {
                "-csv" => flags.csv = true,
                "-v" => {}
                "-h" => flags.help = true,
                "-listtags" => flags.list_tags = true,
                "-alltags" => flags.selection.tags = Tags::All,
                "-i" => flags.input = value()?.clone(),
                "-o" => flags.output = Some(value()?.clone()),
                "-tag" => flags.selection.tags = Tags::Only(value()?.clone()),
                "-start" => flags.selection.start_s = number(flag, value()?, 0.0..=f64::MAX)?,
                "-end" => flags.selection.end_s = number(flag, value()?, 0.0..=f64::MAX)?,
                "-outputValueUnitRatio" => {
                    flags.ratio = number(flag, value()?, f64::MIN_POSITIVE..=f64::MAX)?;
                }
                "-percentilesOutputTicksPerHalf" => {
                    flags.ticks = number(flag, value()?, 1.0..=10_000.0)? as u32;
                }
                "-mwp" => {
                    flags.window_percentile = number(flag, value()?, 0.0..=100.0)?;
                    flags.window = true;
                }
                "-mwpl" => {
                    flags.window_ms = number(flag, value()?, 0.0..=1e15)? as i64;
                    flags.window = true;
                }
                "-correctLogWithKnownCoordinatedOmission" => {
                    flags.expected = number(flag, value()?, 0.0..=1e18)? as u64;
                }
                "--json" | "-json" => {
                    return Err(format!(
                        "{flag}: what this verb writes is the Java tool's, byte for byte; `latency \
                         percentiles --json` and `latency intervals --json` say the same as JSON"
                    ));
                }
                _ => return Err(format!("{flag}: the Java tool has no such flag")),
            }
        }
        Ok(flags)
    }
}

fn number(flag: &str, text: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{flag}: `{text}` is no number in its range"))
}

/// Runs the verb with the Java tool's own flags.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &[String], console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let flags =
        Flags::parse(args).map_err(|what| VerbError::Usage(format!("{what}\n\n{FLAGS}")))?;
    if flags.help {
        console.print(FLAGS)?;
    } else if flags.list_tags {
        list_tags(&flags, console)?;
    } else {
        process(&flags, console)?;
    }
    Ok(Exit::Ok)
}

fn list_tags(flags: &Flags, console: &mut Console<'_>) -> Result<(), VerbError> {
    let mut untagged = false;
    // Java sorts by UTF-16 code units.
    let mut tags: BTreeSet<(Vec<u16>, String)> = BTreeSet::new();
    let all = Selection { tags: Tags::All, ..flags.selection.clone() };
    read(&flags.input, &all, console, |reader, _, _| {
        match reader.record().tag {
            None => untagged = true,
            Some(tag) => {
                tags.insert((tag.encode_utf16().collect(), tag.to_owned()));
            }
        }
        Ok(())
    })?;
    let mut text = "Tags found in input file:\n".to_owned();
    if untagged {
        text.push_str("[NO TAG (default)]\n");
    }
    tags.iter().for_each(|(_, tag)| text.push_str(&format!("{tag}\n")));
    console.print(&text)
}

/// One of the files that `-o` asks for.
struct Output {
    name: String,
    file: BufWriter<File>,
}

impl Output {
    fn create(name: String) -> Result<Output, VerbError> {
        let file = File::create(&name).map_err(|source| VerbError::output(&name, source))?;
        Ok(Output { name, file: BufWriter::new(file) })
    }

    fn write(&mut self, text: &str) -> Result<(), VerbError> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|source| VerbError::output(&self.name, source))
    }

    fn close(mut self) -> Result<(), VerbError> {
        self.file.flush().map_err(|source| VerbError::output(&self.name, source))
    }
}

/// What the processor writes while it reads.
struct Processor<'a> {
    flags: &'a Flags,
    form: LineForm,
    intervals: Option<Output>,
    window_log: Option<Output>,
    /// Percentiles, collected until the end.
    percentiles: String,
    total: Option<Counts>,
    window: Option<Window>,
    line: String,
}

fn process(flags: &Flags, console: &mut Console<'_>) -> Result<(), VerbError> {
    let mut processor = Processor {
        flags,
        form: LineForm { ratio: flags.ratio, csv: flags.csv },
        intervals: None,
        window_log: None,
        percentiles: String::new(),
        total: None,
        window: None,
        line: String::new(),
    };
    read(&flags.input, &flags.selection, console, |reader, interval, _| {
        if flags.expected > 0 {
            processor.add(reader, &interval.corrected(flags.expected))
        } else {
            processor.add(reader, interval)
        }
    })?;
    processor.finish(console)
}

impl Processor<'_> {
    fn open_outputs(&mut self) -> Result<(), VerbError> {
        let Some(name) = &self.flags.output else { return Ok(()) };
        for suffix in ["", ".hgrm", ".mwp"] {
            let output = format!("{name}{suffix}");
            refuse_input(&output, std::slice::from_ref(&self.flags.input))?;
        }
        let mut intervals = Output::create(name.clone())?;
        intervals.write(&self.range("Interval percentile log"))?;
        self.intervals = Some(intervals);
        self.percentiles = self.range("Overall percentile distribution");
        if self.flags.window {
            let mut window_log = Output::create(format!("{name}.mwp"))?;
            let percentile = plain(self.flags.window_percentile);
            window_log
                .write(&self.range(&format!("Moving window log for {percentile} percentile")))?;
            self.window_log = Some(window_log);
        }
        Ok(())
    }

    fn range(&self, title: &str) -> String {
        let selection = &self.flags.selection;
        let mut text = format!("#[{title} between ");
        fixed(&mut text, selection.start_s, 3, 0);
        text.push_str(" and ");
        if selection.end_s < f64::MAX {
            fixed(&mut text, selection.end_s, 3, 0);
        } else {
            text.push_str("<Infinite>");
        }
        text.push_str(" seconds (relative to StartTime)]\n");
        text
    }

    fn add(&mut self, reader: &LogReader, interval: &Interval) -> Result<(), VerbError> {
        let first = self.total.is_none();
        if first {
            self.open_outputs()?; // not before the input has shown that it is a log
        }
        let total = self.total.get_or_insert_with(|| Counts::shaped(interval.layout()));
        total.add(interval);
        self.line.clear();
        if first && reader.start_s() > 0.0 {
            start_time(&mut self.line, reader.start_s());
            self.percentiles.push_str(&self.line);
        }
        let end_ms = reader.record().end_ms();
        let end_s = end_ms as f64 / 1_000.0 - reader.start_s();
        if let Some(log) = &mut self.intervals {
            if first {
                self.line.push_str(interval_legend(self.form.csv));
            }
            interval_line(&mut self.line, end_s, interval, total, self.form);
            log.write(&self.line)?;
        }
        if let Some(log) = &mut self.window_log {
            let (length_ms, percentile) = (self.flags.window_ms, self.flags.window_percentile);
            let window = self.window.get_or_insert_with(|| Window::new(length_ms, percentile));
            window.add(end_ms, interval);
            let held = check_windows(std::iter::once(&*window));
            held.map_err(|problem| reader.refuse(problem))?;
            self.line.clear();
            if first {
                self.line.push_str(&window.legend(self.form.csv));
            }
            window.line(&mut self.line, end_s, self.form);
            log.write(&self.line)?;
        }
        Ok(())
    }

    fn finish(mut self, console: &mut Console<'_>) -> Result<(), VerbError> {
        let Flags { ticks, ratio, csv, output, .. } = self.flags;
        if let Some(total) = &self.total {
            let form = HgrmForm { ticks: *ticks, ratio: *ratio, csv: *csv };
            self.percentiles.push_str(&hgrm(total, form));
        }
        match output {
            None => console.print(&self.percentiles)?,
            Some(name) => {
                let mut file = Output::create(format!("{name}.hgrm"))?;
                file.write(&self.percentiles)?;
                file.close()?;
            }
        }
        self.intervals.map_or(Ok(()), Output::close)?;
        self.window_log.map_or(Ok(()), Output::close)
    }
}
