//! The interval log: HdrHistogram V2 lines, written whole, one series end to end and a tag per
//! stage.
//!
//! The format is the one of the HdrHistogram tools (version 1.3). The version comment and the
//! legend are not written by the histogram crate, so they are written here.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use jiff::Timestamp;
use thiserror::Error;

use super::run_file::{FileLimits, RunFile};
use crate::world::Files;

/// Highest latency a histogram tells apart: one hour. Above it, values are recorded as one hour.
pub const HLOG_HIGHEST_NS: u64 = 3_600_000_000_000;

/// What the tags of series begin with that count events in a lane and hold no times.
pub const GAUGE_PREFIX: &str = "lane:";

/// The line of the run header that says so, for readers of the log.
pub const GAUGES_LINE: &str = "Values: ns; lane:NAME counts events that wait";

/// The comment between the last interval of the warm-up and the first one that reports count.
pub const WARM_UP_LINE: &str = "Warm-up: ends here, and is left out of the report";

/// Significant decimal digits of a recorded value.
const DIGITS: u8 = 3;

/// The log's `Interval_Max` column is in milliseconds, values are in nanoseconds.
const MAX_DIVISOR: f64 = 1e6;

/// A quarter of a GiB a file, and 2 GiB in all: some 18 hours of the default run at its fullest.
const LIMITS: FileLimits = FileLimits { bytes_max: 256 << 20, set_aside_max: 7 };

/// An empty histogram of 1 ns to one hour with three digits, about 270 KiB.
#[must_use]
pub fn new_histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, HLOG_HIGHEST_NS, DIGITS) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are constants that the crate accepts"),
    }
}

/// An empty histogram of numbers of events up to `most`, with three digits: 24 KiB for a lane of
/// 4,096.
pub(super) fn gauge_histogram(most: u64) -> Histogram<u64> {
    match Histogram::new_with_bounds(1, most.max(2), DIGITS) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the crate accepts every upper bound from 2 on"),
    }
}

/// One of times with one digit up to a millisecond: a kilobyte, for what is recorded and never
/// read.
pub(super) fn coarse_histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 1_000_000, 1) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are constants that the crate accepts"),
    }
}

/// Why a log could not be written.
#[derive(Debug, Error)]
#[error("[hlog] {operation} {} failed: {source}", path.display())]
pub struct HlogError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Writes one interval log. Each line reaches the file in one write; a write that fails in the
/// middle is cut off again, so that the file never holds a torn line (F21).
pub struct HlogWriter {
    file: RunFile,
    encoder: LineEncoder,
    line: Vec<u8>,
    failures: u64,
}

impl HlogWriter {
    /// Creates the log at `path` among `files`. `started` is the wall time of the engine's clock at
    /// 0 ns; `header` are the lines of the run header, each without the surrounding `#[...]`.
    ///
    /// # Errors
    /// [`HlogError`] when the file can't be created or its header not be written.
    pub fn create(
        files: &Files,
        path: &Path,
        started: SystemTime,
        header: &[String],
    ) -> Result<HlogWriter, HlogError> {
        let since_epoch = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let head = log_head(since_epoch.as_secs_f64(), header).into_bytes();
        let mut file = RunFile::new(files, path, LIMITS, head);
        file.make().map_err(|source| HlogError {
            operation: "creating",
            path: path.to_owned(),
            source,
        })?;
        Ok(HlogWriter { file, encoder: LineEncoder::new(), line: Vec::new(), failures: 0 })
    }

    /// Appends one interval. An empty `tag` is the untagged series. `start` is relative to the base
    /// time.
    ///
    /// # Errors
    /// [`HlogError`] when the line can't be written; the file ends with its last whole line.
    pub fn append(
        &mut self,
        tag: &str,
        start: Duration,
        length: Duration,
        histogram: &Histogram<u64>,
    ) -> Result<(), HlogError> {
        let encoded = self.encoder.encode(&mut self.line, tag, start, length, histogram);
        let written = encoded.and_then(|()| self.file.append(&self.line, false));
        written.map_err(|source| self.failed(source))
    }

    /// Appends a comment, `#[text]`.
    ///
    /// # Errors
    /// [`HlogError`] when it can't be written; the file ends with its last whole line.
    pub fn comment(&mut self, text: &str) -> Result<(), HlogError> {
        let written = self.file.append(comment(text).as_bytes(), false);
        written.map_err(|source| self.failed(source))
    }

    fn failed(&mut self, source: io::Error) -> HlogError {
        self.failures += 1;
        HlogError { operation: "writing", path: self.file.path().to_owned(), source }
    }

    /// Where the log lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Lines that could not be written.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }
}

fn comment(text: &str) -> String {
    format!("#[{}]\n", text.replace(['\r', '\n'], " "))
}

/// The day and time in UTC, in the form of the Java tools.
fn date(start_s: f64) -> String {
    let stamp = Timestamp::from_millisecond((start_s * 1e3) as i64);
    stamp.map_or("no date".to_owned(), |stamp| {
        stamp.strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
    })
}

/// What stands in front of the intervals: version, times (`start_s` in seconds since the epoch,
/// which the lines' times are relative to), run header, legend. Lines of `header` come without `#[`
/// and `]`.
#[must_use]
pub fn log_head(start_s: f64, header: &[String]) -> String {
    let mut text = String::from("#[Logged with pitlane ");
    text.push_str(env!("CARGO_PKG_VERSION"));
    text.push_str("]\n#[Histogram log format version 1.3]\n");
    let date = date(start_s);
    text.push_str(&format!("#[StartTime: {start_s:.3} (seconds since epoch), {date}]\n"));
    text.push_str(&format!("#[BaseTime: {start_s:.3} (seconds since epoch)]\n"));
    for line in header {
        text.push_str(&comment(line));
    }
    text.push_str(
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\
         \"Interval_Compressed_Histogram\"\n",
    );
    text
}

/// Encodes the lines of a log.
pub struct LineEncoder {
    serializer: V2DeflateSerializer,
}

impl Default for LineEncoder {
    fn default() -> LineEncoder {
        LineEncoder::new()
    }
}

impl LineEncoder {
    /// With buffers that are reused from line to line.
    #[must_use]
    pub fn new() -> LineEncoder {
        LineEncoder { serializer: V2DeflateSerializer::new() }
    }

    /// Makes `line` the line of one interval. An empty `tag` is the untagged series; characters
    /// that a tag can't hold become `_`. `start` is relative to the log's base time; values are
    /// nanoseconds.
    ///
    /// # Errors
    /// [`io::Error`] for a count above `i64::MAX`.
    pub fn encode(
        &mut self,
        line: &mut Vec<u8>,
        tag: &str,
        start: Duration,
        length: Duration,
        histogram: &Histogram<u64>,
    ) -> io::Result<()> {
        let tag: String = tag.chars().map(|c| if " ,\r\n".contains(c) { '_' } else { c }).collect();
        line.clear();
        let mut builder = IntervalLogWriterBuilder::new();
        builder.with_max_value_divisor(MAX_DIVISOR);
        let mut writer = builder.begin_log_with(line, &mut self.serializer)?;
        let tag = if tag.is_empty() { None } else { Tag::new(&tag) };
        writer.write_histogram(histogram, start, length, tag).map_err(io::Error::other)?;
        // The builder opens every log with a comment on the divisor: that is not part of the line.
        let header = line.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        line.drain(..header);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn a_head_names_its_day() {
        let head = log_head(1_700_000_000.127, &[]);
        let line =
            "#[StartTime: 1700000000.127 (seconds since epoch), Tue Nov 14 22:13:20 UTC 2023]";
        assert!(head.contains(line), "{head}");
        assert!(head.contains("\n#[BaseTime: 1700000000.127 (seconds since epoch)]\n"), "{head}");
    }

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.hlog");
        let header = vec!["Plan: one core".to_owned()];
        let mut writer =
            HlogWriter::create(&Files::Real, &path, SystemTime::now(), &header).unwrap();
        let mut histogram = new_histogram();
        histogram.saturating_record(1_500_000);
        let second = Duration::from_secs(1);
        writer.append("", Duration::ZERO, second, &histogram).unwrap();
        writer.append("queue:a b", second, second, &histogram).unwrap();
        writer.comment("Achieved: 7 events/s\nof 8").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("#[Histogram log format version 1.3]"));
        assert!(text.contains("#[Plan: one core]"));
        let legend = text.lines().position(|line| line.starts_with("\"StartTimestamp\"")).unwrap();
        let lines: Vec<_> = text.lines().skip(legend + 1).collect();
        assert!(lines[0].starts_with("0.000,1.000,1.500,HIST"), "{}", lines[0]);
        assert!(lines[1].starts_with("Tag=queue:a_b,1.000,1.000,1.500,HIST"));
        assert_eq!(lines[2], "#[Achieved: 7 events/s of 8]");
        let body: String = lines[..2].iter().map(|line| format!("{line}\n")).collect();
        let mut count = 0;
        for entry in IntervalLogIterator::new(body.as_bytes()) {
            let Ok(LogEntry::Interval(interval)) = entry else { panic!("no interval") };
            let raw = base64_decode(interval.encoded_histogram());
            let mut reader = hdrhistogram::serialization::Deserializer::new();
            let read: Histogram<u64> =
                Deserializer::deserialize(&mut reader, &mut &raw[..]).unwrap();
            assert_eq!(read.len(), 1);
            count += 1;
        }
        assert_eq!(count, 2);
    }

    /// Enough of base64 for the test, so that it does not lean on the writer's own dependency.
    fn base64_decode(text: &str) -> Vec<u8> {
        const SET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bits = 0_u32;
        let mut count = 0;
        let mut out = Vec::new();
        for byte in text.bytes().filter(|byte| *byte != b'=') {
            let value = SET.iter().position(|c| *c == byte).unwrap() as u32;
            bits = bits << 6 | value;
            count += 6;
            if count >= 8 {
                count -= 8;
                out.push((bits >> count) as u8);
                bits &= (1 << count) - 1;
            }
        }
        out
    }

    #[test]
    fn a_full_disk_is_an_error_and_not_a_crash() {
        // F21: /dev/full refuses every write.
        let error =
            HlogWriter::create(&Files::Real, Path::new("/dev/full"), SystemTime::now(), &[])
                .err()
                .unwrap();
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}
