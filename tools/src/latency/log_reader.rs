//! Reads an interval log as a stream: one line at a time, whatever its size.
//!
//! A line that can't be read is an error with its number. There is one exception: a last line
//! without its line feed is what a writer leaves that was killed in the middle; it becomes a
//! warning.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use pitlane_engine::telemetry::{GAUGE_PREFIX, GAUGES_LINE};

use super::clock::LogClock;
use super::error::{LineProblem, LogError, VerbError};
use super::interval::Interval;
use super::line::{self, Line, LineError, printable};
use super::payload::PayloadDecoder;
use super::progress::Progress;

/// Longest line, in bytes. A histogram with every cell in use needs a tenth of it.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Most tags of a log.
const TAGS_MAX: usize = 4_096;

/// Most lines of a run header that are kept.
const HEADER_LINES_MAX: usize = 256;

/// Most bytes of comments that are kept as they stand.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// What a file compressed by gzip starts with.
const GZIP_MARK: &[u8] = &[0x1f, 0x8b];

/// What some editors put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Which intervals a verb wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Which series.
    pub tags: Tags,
    /// Earliest start, in seconds from the log's start time; negative infinity for all there is.
    pub start_s: f64,
    /// Latest start, in seconds from the log's start time; reading stops behind it.
    pub end_s: f64,
    /// Nanoseconds in one unit of the log's values: 1, unless it was recorded in others.
    pub value_ns: u64,
}

/// Which series of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// All of them.
    All,
    /// Lines without a tag.
    Untagged,
    /// Lines with this tag.
    Only(String),
}

impl Selection {
    /// Everything of these series.
    #[must_use]
    pub fn of(tags: Tags) -> Selection {
        Selection { tags, start_s: f64::NEG_INFINITY, end_s: f64::MAX, value_ns: 1 }
    }

    fn wants(&self, tag: Option<&str>) -> bool {
        match &self.tags {
            Tags::All => true,
            Tags::Untagged => tag.is_none(),
            Tags::Only(name) => tag == Some(name),
        }
    }
}

/// Where and when the current interval is.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its series; `None` for the untagged one.
    pub tag: Option<&'a str>,
    /// Its start in seconds since the epoch (or since whatever the log counts from).
    pub absolute_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// Whether its values count events, as the log says of its lanes; else they are nanoseconds.
    pub is_gauge: bool,
    /// The line as it stands in the log, with its line feed.
    pub raw: &'a [u8],
}

impl Record<'_> {
    /// Its end in whole milliseconds since the epoch, as the Java reader keeps it.
    #[must_use]
    pub fn end_ms(&self) -> i64 {
        ((self.absolute_s + self.length_s) * 1_000.0) as i64
    }

    /// Its start in whole milliseconds since the epoch, as the Java reader keeps it.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        (self.absolute_s * 1_000.0) as i64
    }
}

/// A log that is being read.
pub struct LogReader {
    name: String,
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
    clock: LogClock,
    header: Vec<String>,
    /// Whether the log says that it has series which count events.
    gauges: bool,
    head: Vec<u8>,
    follow: bool,
    decoder: PayloadDecoder,
    latest_s: HashMap<String, f64>,
    untagged_latest_s: Option<f64>,
    /// The first line of a series that starts before the one above it, and how many there are.
    backwards: Option<(u64, u64)>,
    /// The same of lines that start before the log's start time.
    early: Option<(u64, u64)>,
    torn: Option<String>,
    intervals: u64,
    current: Current,
    progress: Progress,
}

#[derive(Default)]
struct Current {
    /// Length of the tag, which starts behind `Tag=`.
    tag_len: Option<usize>,
    absolute_s: f64,
    length_s: f64,
}

impl LogReader {
    /// Opens a file, or standard input for `-`. `progress` when a person looks at standard error.
    ///
    /// # Errors
    /// [`LogError::Io`] when it can't be opened.
    pub fn open(name: &str, progress: bool) -> Result<LogReader, LogError> {
        if name == "-" {
            let name = "standard input";
            let input = BufReader::with_capacity(BUFFER_BYTES, io::stdin());
            let (input, _) =
                unzipped(input).map_err(|source| LogError::Io { file: name.to_owned(), source })?;
            return Ok(LogReader::new(name, input, Progress::new(name, None, progress)));
        }
        let fail = |source| LogError::Io { file: printable(name), source };
        let file = File::open(name).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        if meta.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let input = BufReader::with_capacity(BUFFER_BYTES, file);
        let (input, is_zipped) = unzipped(input).map_err(fail)?;
        // How much there is to read of a compressed file, nobody knows.
        let total = (meta.is_file() && !is_zipped).then_some(meta.len());
        Ok(LogReader::new(name, input, Progress::new(name, total, progress)))
    }

    fn new(name: &str, input: Box<dyn BufRead>, progress: Progress) -> LogReader {
        LogReader {
            name: printable(name),
            input,
            line: Vec::new(),
            number: 0,
            bytes: 0,
            clock: LogClock::default(),
            header: Vec::new(),
            gauges: false,
            head: Vec::new(),
            follow: false,
            decoder: PayloadDecoder::default(),
            latest_s: HashMap::new(),
            untagged_latest_s: None,
            backwards: None,
            early: None,
            torn: None,
            intervals: 0,
            current: Current::default(),
            progress,
        }
    }

    /// Takes the progress bar away for good.
    pub fn hide_progress(&mut self) {
        self.progress.hide();
    }

    /// A log that lies in memory, for tests and the fuzzer.
    #[cfg(any(test, fuzzing))]
    #[must_use]
    pub fn of_bytes(name: &str, bytes: Vec<u8>) -> LogReader {
        LogReader::new(name, Box::new(io::Cursor::new(bytes)), Progress::new(name, None, false))
    }

    /// Reads on to the next interval that is wanted and decodes it. `false` at the end.
    ///
    /// # Errors
    /// [`LogError`] for a line that can't be read.
    pub fn next(
        &mut self,
        selection: &Selection,
        interval: &mut Interval,
    ) -> Result<bool, LogError> {
        while self.read_line()? {
            let fields = match line::parse(&self.line) {
                Ok(Line::Interval(fields)) => fields,
                Ok(Line::Comment(comment)) => {
                    let noted = note_comment(comment, &mut self.clock, &mut self.header);
                    if let Err(problem) = noted {
                        self.broken(problem.into())?;
                        continue;
                    }
                    self.gauges |= self.header.last().is_some_and(|line| line == GAUGES_LINE);
                    self.keep_head();
                    continue;
                }
                Ok(Line::Legend) => {
                    self.keep_head();
                    continue;
                }
                Ok(Line::Blank) => continue,
                Err(problem) => {
                    self.broken(problem.into())?;
                    continue;
                }
            };
            let tag = fields.tag;
            let absolute_s = self.clock.absolute_s(fields.start_s);
            let offset_s = absolute_s - self.clock.start_s();
            self.current =
                Current { tag_len: tag.map(str::len), absolute_s, length_s: fields.length_s };
            if offset_s > selection.end_s {
                self.intervals += 1;
                return Ok(false);
            }
            if offset_s < selection.start_s || !selection.wants(tag) {
                self.note_interval()?;
                continue;
            }
            match self.decoder.decode(fields.payload, interval) {
                Ok(()) => {
                    self.note_interval()?;
                    if selection.value_ns != 1 && !self.record().is_gauge {
                        *interval = interval.scaled(selection.value_ns);
                    }
                    return Ok(true);
                }
                Err(problem) => self.broken(problem.into())?,
            }
        }
        Ok(false)
    }

    /// The interval that [`LogReader::next`] decoded last.
    #[must_use]
    pub fn record(&self) -> Record<'_> {
        let Current { tag_len, absolute_s, length_s } = self.current;
        let line = self.line.trim_ascii_start();
        let tag = tag_len.and_then(|len| str::from_utf8(line.get(4..4 + len)?).ok());
        let is_gauge = self.gauges && tag.is_some_and(|tag| tag.starts_with(GAUGE_PREFIX));
        Record { tag, absolute_s, length_s, is_gauge, raw: &self.line }
    }

    /// The start time of the log in seconds since the epoch, as far as it is known.
    #[must_use]
    pub fn start_s(&self) -> f64 {
        self.clock.start_s()
    }

    /// The comments read so far that tell of the run, without `#[` and `]`.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Comments and legend read so far, as they stand in the log: what a log of its lines starts
    /// with.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    fn keep_head(&mut self) {
        if self.head.len() + self.line.len() <= HEAD_BYTES_MAX {
            self.head.extend_from_slice(&self.line);
        }
    }

    /// From now on a line without its line feed waits for its rest, as in a log that is being
    /// written.
    #[must_use]
    pub fn following(mut self) -> LogReader {
        self.follow = true;
        self
    }

    /// The name for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tags met so far, in order.
    #[must_use]
    pub fn tags(&self) -> Vec<&str> {
        let mut tags: Vec<_> = self.latest_s.keys().map(String::as_str).collect();
        tags.sort_unstable();
        tags
    }

    /// How many intervals read so far start before the log's start time.
    #[must_use]
    pub fn early(&self) -> u64 {
        self.early.map_or(0, |(_, times)| times)
    }

    /// To be called at the end: what a person should know, or the error that there was nothing.
    ///
    /// # Errors
    /// [`LogError::NoInterval`].
    pub fn finish(&self) -> Result<Vec<String>, LogError> {
        let mut warnings = Vec::new();
        if let Some(torn) = &self.torn {
            let cut = "the last line is cut off and was left out";
            warnings.push(format!("{}: line {}: {cut} ({torn})", self.name, self.number));
        }
        if let Some((number, times)) = self.backwards {
            let what = "starts before the line above it: the clock went backwards";
            warnings.push(format!("{}: line {number}: {what}{}", self.name, more(times)));
        }
        if let Some((number, times)) = self.early {
            let what = "starts before the log's StartTime";
            let so = "such intervals count, unless --start asks for a range";
            warnings.push(format!("{}: line {number}: {what}{}; {so}", self.name, more(times)));
        }
        if self.intervals == 0 {
            let what = match (self.bytes, &self.torn) {
                (0, _) => "it is empty",
                (_, Some(_)) => "its only line is cut off, or no interval log at all",
                (_, None) => "only comments",
            };
            return Err(LogError::NoInterval { file: self.name.clone(), what });
        }
        Ok(warnings)
    }

    fn read_line(&mut self) -> Result<bool, LogError> {
        let waiting = self.follow && self.line.last().is_some_and(|byte| *byte != b'\n');
        if !waiting {
            self.line.clear();
        }
        let mut limited = (&mut self.input).take(LINE_BYTES_MAX as u64);
        let read = limited
            .read_until(b'\n', &mut self.line)
            .map_err(|source| LogError::Io { file: self.name.clone(), source })?;
        self.bytes += read as u64;
        if self.number == 0 && self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
        if self.follow && self.line.last() != Some(&b'\n') {
            return Ok(false);
        }
        self.number += u64::from(read > 0);
        if self.number.is_multiple_of(64) {
            self.progress.at(self.bytes);
        }
        if read == LINE_BYTES_MAX && self.line.last() != Some(&b'\n') {
            return Err(self.line_error(LineProblem::TooLong(LINE_BYTES_MAX >> 20)));
        }
        Ok(read > 0)
    }

    /// An error, or a torn tail.
    fn broken(&mut self, problem: LineProblem) -> Result<(), LogError> {
        let is_whole = self.line.last() == Some(&b'\n');
        // A file of lines that end in CR is one line without end, and not torn.
        if is_whole || matches!(problem, LineProblem::Fields(LineError::CarriageReturn)) {
            return Err(self.line_error(problem));
        }
        self.torn = Some(problem.to_string());
        Ok(())
    }

    /// The error that the current line goes too far.
    #[must_use]
    pub fn refuse(&self, problem: LineProblem) -> VerbError {
        self.line_error(problem).into()
    }

    fn line_error(&self, problem: LineProblem) -> LogError {
        LogError::Line { file: self.name.clone(), number: self.number, problem }
    }

    /// Counts the interval and sees whether its series went back in time.
    fn note_interval(&mut self) -> Result<(), LogError> {
        self.intervals += 1;
        let Current { tag_len, absolute_s, .. } = self.current;
        let line = self.line.trim_ascii_start();
        let tag = tag_len.and_then(|len| str::from_utf8(line.get(4..4 + len)?).ok());
        let before = match tag {
            None => self.untagged_latest_s.replace(absolute_s),
            Some(tag) => {
                if let Some(latest) = self.latest_s.get_mut(tag) {
                    Some(std::mem::replace(latest, absolute_s))
                } else if self.latest_s.len() < TAGS_MAX {
                    self.latest_s.insert(tag.to_owned(), absolute_s)
                } else {
                    return Err(self.line_error(LineProblem::TooManyTags(TAGS_MAX)));
                }
            }
        };
        // A tenth of a millisecond is what three decimals may differ by.
        if before.is_some_and(|before| absolute_s < before - 1e-4) {
            let (first, times) = self.backwards.unwrap_or((self.number, 0));
            self.backwards = Some((first, times + 1));
        }
        if absolute_s < self.clock.start_s() - 1e-4 {
            let (first, times) = self.early.unwrap_or((self.number, 0));
            self.early = Some((first, times + 1));
        }
        Ok(())
    }
}

/// The input, decompressed where it is compressed by gzip, and whether it is.
fn unzipped(mut input: impl BufRead + 'static) -> io::Result<(Box<dyn BufRead>, bool)> {
    let start = input.fill_buf()?;
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        let problem = "it is UTF-16: make it UTF-8 first (iconv -f UTF-16 -t UTF-8)";
        return Err(io::Error::other(problem));
    }
    if !start.starts_with(GZIP_MARK) {
        return Ok((Box::new(input), false));
    }
    let unzipped = BufReader::with_capacity(BUFFER_BYTES, Gunzip(MultiGzDecoder::new(input)));
    Ok((Box::new(unzipped), true))
}

/// The decoder, which says of a file that ends too soon that a stream is incomplete.
struct Gunzip<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| {
            let problem = match error.kind() {
                io::ErrorKind::UnexpectedEof => "the gzip data is cut off",
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    "the gzip data is damaged, or something else stands behind it"
                }
                _ => return error,
            };
            io::Error::new(error.kind(), format!("{problem} ({error})"))
        })
    }
}

fn more(times: u64) -> String {
    if times > 1 { format!(", and {} times more", times - 1) } else { String::new() }
}

fn note_comment(
    comment: &str,
    clock: &mut LogClock,
    header: &mut Vec<String>,
) -> Result<(), LineError> {
    if clock.comment(comment)? || comment.starts_with("#[Histogram log format") {
        return Ok(());
    }
    if header.len() < HEADER_LINES_MAX {
        let text = comment.trim_start_matches('#');
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let text = inside.unwrap_or(text);
        let text: String = printable(text).chars().take(400).collect();
        if !text.trim().is_empty() && !header.contains(&text) {
            header.push(text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::super::distribution::Distribution;
    use super::*;

    const LOG: &str = include_str!("../../tests/fixtures/plain.hlog");

    fn count(reader: &mut LogReader, selection: &Selection) -> usize {
        let mut interval = Interval::default();
        let mut count = 0;
        while reader.next(selection, &mut interval).unwrap() {
            count += 1;
        }
        count
    }

    #[test]
    fn a_range_is_relative_to_the_start_time_and_stops_the_reading() {
        let mut reader = LogReader::of_bytes("log", LOG.as_bytes().to_vec());
        let selection = Selection { start_s: 5.0, end_s: 10.0, ..Selection::of(Tags::Untagged) };
        assert_eq!(count(&mut reader, &selection), 5);
        assert_eq!(reader.header()[1], "Rate: 5000/s offered, 4998/s achieved");
        assert!((reader.start_s() - 1_700_000_000.127).abs() < 1e-6);
        assert!(reader.finish().unwrap().is_empty());
    }

    #[test]
    fn a_run_header_keeps_its_own_brackets() {
        let log = format!("#[Cores: [0, 1]]\n# plain\n{LOG}").into_bytes();
        let mut reader = LogReader::of_bytes("log", log);
        assert_eq!(count(&mut reader, &Selection::of(Tags::All)), 30);
        assert_eq!(&reader.header()[..2], ["Cores: [0, 1]", " plain"]);
    }

    #[test]
    fn a_followed_log_waits_for_the_rest_of_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("growing.hlog");
        let cut = LOG.len() - 100;
        std::fs::write(&path, &LOG[..cut]).unwrap();
        let mut reader = LogReader::open(path.to_str().unwrap(), false).unwrap().following();
        let all = Selection::of(Tags::All);
        assert_eq!(count(&mut reader, &all), 29);
        assert_eq!(count(&mut reader, &all), 0, "the last line is not whole yet");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&LOG.as_bytes()[cut..]).unwrap();
        let mut interval = Interval::default();
        assert!(reader.next(&all, &mut interval).unwrap());
        assert_eq!(interval.total(), 500);
    }
}
