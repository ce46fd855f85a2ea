//! A recorded session: its frames with their times, and the snapshots that were fetched in it.
//!
//! Two layouts are read, in one folder each:
//! - `*.jsonl` (or `*.jsonl.gz`), one raw frame of a combined stream a line, with
//!   `NAME.recv_ns.txt` (or `.recv_s.txt`) beside it: the time of each line. A line that is a REST
//!   snapshot (`{"lastUpdateId":..`) is one.
//! - the same with `rest_index.jsonl`: one object a snapshot, with `symbol`, `recv_s` and `file`.
//!
//! The order of a file is the truth; times only pace. A clock that was set back while recording
//! changes nothing but the pace. Answers to requests and frames that belong to no symbol
//! (`!ticker@arr`) are left out, counted, and named by file and line in [`Recording::notes`].

mod text;
mod update_ids;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::dialect::{DialectKind, USUAL};
use super::frame_kind::FrameKind;
use crate::world::Files;
use text::{lines, parse_seconds, times_of};
pub(super) use update_ids::UpdateIds;
use update_ids::{Ranges, number};

/// The list of snapshots, where they are files of their own.
const REST_INDEX: &str = "rest_index.jsonl";
/// How a line begins that is a snapshot.
const SNAPSHOT_START: &str = r#"{"lastUpdateId""#;
const NS_PER_MS: i64 = 1_000_000;

/// A file that begins at most this long before the one before it has ended goes on where that one
/// ended, on a clock that was set back in between. One that begins earlier was recorded beside it.
const SET_BACK_NS_MAX: i64 = 2_000_000_000;

/// Why a recording can't be played.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum RecordingError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: no recorded frames (*.jsonl, *.jsonl.gz) in it", path.display())]
    Empty { path: PathBuf },
    #[error("{}:{line}: {problem}", path.display())]
    Line { path: PathBuf, line: usize, problem: String },
    #[error("{}: {times} times for {frames} lines", path.display())]
    Times { path: PathBuf, times: usize, frames: usize },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A frame of this stream was received; its data, as the venue sent it.
    Frame { stream: usize, data: String },
    /// A snapshot of this symbol was received.
    Snapshot { symbol: String, last_update_id: u64, body: String },
}

/// A whole session, in the order in which it was received.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(super) dialect: &'static DialectKind,
    pub(super) steps: Vec<(i64, Step)>,
    streams: Vec<String>,
    symbols: Vec<String>,
    ranges: Ranges,
    left_out: u64,
    notes: Vec<String>,
    /// What a note was made of already.
    noted: BTreeSet<String>,
}

/// Where a step stands, for what can be said against it only once everything was read.
struct Place<'a> {
    path: &'a Path,
    line: usize,
}

impl Place<'_> {
    fn error(&self, problem: String) -> RecordingError {
        RecordingError::Line { path: self.path.to_owned(), line: self.line, problem }
    }
}

impl Recording {
    /// Reads a folder.
    ///
    /// # Errors
    /// [`RecordingError`] names the file, and the line where there is one.
    pub fn load(folder: &Path) -> Result<Recording, RecordingError> {
        let mut recording = Recording {
            dialect: &USUAL,
            steps: Vec::new(),
            streams: Vec::new(),
            symbols: Vec::new(),
            ranges: Ranges::default(),
            left_out: 0,
            notes: Vec::new(),
            noted: BTreeSet::new(),
        };
        let mut files = Vec::new();
        for path in Files::Real.list(folder).map_err(|e| unreadable(folder, e))? {
            let is_index = path.file_name().is_some_and(|name| name == REST_INDEX);
            // What was sent while recording is no part of what was received.
            if !is_index && text::stem(&path).is_some_and(|stem| !stem.ends_with(".sent")) {
                files.push(path);
            }
        }
        let mut last_ns = None;
        for file in &files {
            recording.add_frames(file, &mut last_ns)?;
        }
        let index = folder.join(REST_INDEX);
        if Files::Real.is_there(&index) {
            recording.add_snapshots(folder, &index)?;
        }
        if recording.frames() == 0 {
            return Err(RecordingError::Empty { path: folder.to_owned() });
        }
        // Stable: what has one time stays in the order of its file.
        recording.steps.sort_by_key(|(time_ns, _)| *time_ns);
        Ok(recording)
    }

    /// How many frames it has.
    #[must_use]
    pub fn frames(&self) -> u64 {
        let frames = self.steps.iter().filter(|(_, step)| matches!(step, Step::Frame { .. }));
        frames.count() as u64
    }

    /// Lines that are not played: answers to requests, and streams that belong to no symbol.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What is to be known about how it is played, each with file and line.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The data of every frame, in their order.
    pub fn frame_texts(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|(_, step)| match step {
            Step::Frame { data, .. } => Some(data.as_str()),
            Step::Snapshot { .. } => None,
        })
    }

    /// The streams it has, as they are subscribed to.
    #[must_use]
    pub fn streams(&self) -> &[String] {
        &self.streams
    }

    /// The venue's symbols in it, upper case.
    #[must_use]
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// Adds a file behind those that were added before; `last_ns` is the time of their last line.
    fn add_frames(&mut self, path: &Path, last_ns: &mut Option<i64>) -> Result<(), RecordingError> {
        let text = text::read(path)?;
        let times = times_of(path, lines(&text).count())?;
        if times.is_none() {
            self.note(
                "times",
                format!("{}: no file of times beside it: paced by event times", path.display()),
            );
        }
        let mut times = times.map(Vec::into_iter);
        let mut floor_ns = None;
        let first = self.steps.len();
        let mut unowned = Vec::new();
        for (line, text) in lines(&text) {
            let place = Place { path, line };
            let time_ns = match &mut times {
                Some(times) => times.next(),
                None => event_time_ns(text),
            };
            let own_ns = time_ns.or(floor_ns).unwrap_or(0);
            let floor = *floor_ns.get_or_insert_with(|| match *last_ns {
                Some(last) if own_ns < last && last - own_ns <= SET_BACK_NS_MAX => last,
                _ => own_ns,
            });
            let time_ns = own_ns.max(floor);
            floor_ns = Some(time_ns);
            match self.step_of(text, &place)? {
                Some(step) => {
                    if matches!(&step, Step::Snapshot { .. }) {
                        unowned.push((self.steps.len(), line));
                    }
                    self.steps.push((time_ns, step));
                }
                None => self.left_out += 1,
            }
        }
        // Without times of their own, steps at the beginning have that of the first that has one.
        let known = self.steps[first..].iter().map(|(time_ns, _)| *time_ns).find(|ns| *ns > 0);
        let unknown = self.steps[first..].iter_mut().take_while(|(time_ns, _)| *time_ns == 0);
        unknown.for_each(|(time_ns, _)| *time_ns = known.unwrap_or(0));
        *last_ns = floor_ns.or(*last_ns);
        unowned.into_iter().try_for_each(|(step, line)| self.own(step, &Place { path, line }))
    }

    /// What a line is; `None` when it is left out.
    fn step_of(&mut self, line: &str, place: &Place<'_>) -> Result<Option<Step>, RecordingError> {
        if line.starts_with(SNAPSHOT_START) {
            let last_update_id = last_update_id(line).map_err(|problem| place.error(problem))?;
            let (symbol, body) = (String::new(), line.to_owned());
            return Ok(Some(Step::Snapshot { symbol, last_update_id, body }));
        }
        let at = format!("{}:{}", place.path.display(), place.line);
        let Some((stream, data)) = combined(line) else {
            let is_answer = serde_json::from_str::<Value>(line)
                .is_ok_and(|value| value.get("id").is_some() && value.get("e").is_none());
            if !is_answer {
                let problem = r#"no frame {"stream":"..","data":..} of a combined stream"#;
                return Err(place.error(problem.to_owned()));
            }
            self.note("answers", format!("{at}: answers to requests are left out"));
            return Ok(None);
        };
        let Some((symbol, _)) = stream.split_once('@').filter(|(symbol, _)| is_symbol(symbol))
        else {
            let text =
                format!("{at}: frames of {stream:?}, which belong to no symbol, are left out");
            self.note(stream, text);
            return Ok(None);
        };
        if self.dialect.recorded.frame_kind(stream) == FrameKind::Depth
            && let Some(ids) = UpdateIds::of(data)
        {
            self.ranges.add(&symbol.to_ascii_uppercase(), ids);
        }
        Ok(Some(Step::Frame { stream: self.stream(stream), data: data.to_owned() }))
    }

    /// Finds the symbol of a snapshot that stands among the frames, once all frames of its file are
    /// known.
    fn own(&mut self, step: usize, place: &Place<'_>) -> Result<(), RecordingError> {
        let Some((_, Step::Snapshot { symbol, last_update_id, .. })) = self.steps.get_mut(step)
        else {
            return Ok(());
        };
        *symbol = match (self.symbols.as_slice(), self.ranges.owner(*last_update_id)) {
            ([only], _) => only.clone(),
            (_, Some(owner)) => owner.to_owned(),
            (all, None) => {
                let problem = format!(
                    "a snapshot of one of {} symbols: its lastUpdateId {last_update_id} lies among the \
                     updates of none or of several",
                    all.len()
                );
                return Err(place.error(problem));
            }
        };
        Ok(())
    }

    fn note(&mut self, what: &str, text: String) {
        if self.noted.insert(what.to_owned()) {
            self.notes.push(text);
        }
    }

    fn stream(&mut self, name: &str) -> usize {
        if let Some(index) = self.streams.iter().position(|known| known == name) {
            return index;
        }
        let symbol = name.split('@').next().unwrap_or_default().to_ascii_uppercase();
        if !self.symbols.contains(&symbol) {
            self.symbols.push(symbol);
        }
        self.streams.push(name.to_owned());
        self.streams.len() - 1
    }

    fn add_snapshots(&mut self, folder: &Path, index: &Path) -> Result<(), RecordingError> {
        let text = text::read(index)?;
        let mut seen = BTreeMap::new();
        for (line, text) in lines(&text) {
            let wrong = |problem: String| Place { path: index, line }.error(problem);
            let entry: Value = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
            let field = |name: &str| {
                let text = entry[name].as_str().map(str::to_owned);
                text.ok_or_else(|| wrong(format!("{name} missing")))
            };
            let (symbol, file) = (field("symbol")?, field("file")?);
            let time_ns = parse_seconds(&entry["recv_s"].to_string())
                .ok_or_else(|| wrong("recv_s missing or no time".to_owned()))?;
            let file = folder.join(file);
            let body = text::read(&file)?;
            let at = |problem| wrong(format!("{}: {problem}", file.display()));
            let last_update_id = last_update_id(&body).map_err(at)?;
            if let Some(owner) = self.ranges.other_owner(&symbol, last_update_id) {
                return Err(at(format!(
                    "lastUpdateId {last_update_id} lies among the updates of {owner}, not of {symbol}"
                )));
            }
            if seen.insert((symbol.clone(), last_update_id), line).is_some() {
                let text = format!("{}:{line}: the snapshot is listed twice", index.display());
                self.note("twice", text);
                continue;
            }
            self.steps.push((time_ns, Step::Snapshot { symbol, last_update_id, body }));
        }
        Ok(())
    }
}

/// Whether the part of a stream's name before the `@` can be a symbol.
fn is_symbol(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The id of a snapshot, which must be whole JSON with both sides.
fn last_update_id(body: &str) -> Result<u64, String> {
    let value: Value = serde_json::from_str(body).map_err(|error| format!("no JSON: {error}"))?;
    match value["lastUpdateId"].as_u64() {
        Some(id) if value["bids"].is_array() && value["asks"].is_array() => Ok(id),
        _ => Err("no snapshot with lastUpdateId, bids and asks".to_owned()),
    }
}

/// The event time of a frame, ns since the Unix epoch; best price frames of spot have none.
fn event_time_ns(line: &str) -> Option<i64> {
    let ms = i64::try_from(number(line, "\"E\":")?).ok()?;
    ms.checked_mul(NS_PER_MS)
}

/// Stream and data of `{"stream":"..","data":..}`; both as they stand in the text.
fn combined(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_end().strip_prefix(r#"{"stream":""#)?;
    let (stream, rest) = rest.split_once('"')?;
    let data = rest.strip_prefix(r#","data":"#)?.strip_suffix('}')?;
    Some((stream, data))
}

fn unreadable(path: &Path, source: std::io::Error) -> RecordingError {
    RecordingError::Unreadable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn load(files: &[(&str, &str)]) -> Result<Recording, String> {
        Recording::load(folder(files).path()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn error(files: &[(&str, &str)]) -> String {
        load(files).expect_err("the recording was read")
    }

    fn times(recording: &Recording) -> Vec<i64> {
        recording.steps.iter().map(|(time, _)| *time).collect()
    }

    const TRADE: &str = r#"{"stream":"abcusdt@trade","data":{"e":"trade","E":5,"s":"ABCUSDT"}}"#;

    fn diff(symbol: &str, first: u64, last: u64) -> String {
        let data = format!(r#"{{"e":"depthUpdate","E":9,"U":{first},"u":{last}}}"#);
        format!(r#"{{"stream":"{symbol}@depth@100ms","data":{data}}}"#)
    }

    fn snapshot(id: u64) -> String {
        format!(r#"{{"lastUpdateId":{id},"bids":[],"asks":[]}}"#)
    }

    #[test]
    fn the_order_of_the_file_is_the_truth_and_times_only_pace() {
        // K11: the clock steps back behind the first line.
        let text = format!("{TRADE}\n{}\n{}\n", diff("abcusdt", 7, 8), snapshot(7));
        let recording = load(&[("a.jsonl", &text), ("a.recv_ns.txt", "30\n10\n20\n")]).unwrap();
        assert_eq!((recording.frames(), recording.symbols()), (2, &["ABCUSDT".to_owned()][..]));
        assert_eq!(recording.streams(), ["abcusdt@trade", "abcusdt@depth@100ms"]);
        assert_eq!(times(&recording), [30, 30, 30]);
        assert!(matches!(recording.steps[0].1, Step::Frame { stream: 0, .. }));
        let Step::Snapshot { symbol, last_update_id, .. } = &recording.steps[2].1 else {
            panic!("no snapshot")
        };
        assert_eq!((symbol.as_str(), *last_update_id), ("ABCUSDT", 7));
    }

    #[test]
    fn a_file_goes_on_where_the_one_before_ended_or_was_recorded_beside_it() {
        let text = format!("{TRADE}\n{TRADE}\n");
        let of = |second: &str| {
            load(&[
                ("a.jsonl", &text),
                ("a.recv_s.txt", "10\n20\n"),
                ("b.jsonl", &text),
                ("b.recv_s.txt", second),
            ])
            .map(|recording| times(&recording).iter().map(|ns| ns / 1_000_000_000).collect())
        };
        let of = |second: &str| -> Vec<i64> { of(second).unwrap() };
        assert_eq!(of("19\n30\n"), [10, 20, 20, 30], "set back by a second");
        assert_eq!(of("11\n21\n"), [10, 11, 20, 21], "beside it");
    }

    #[test]
    fn snapshots_of_an_index_lie_between_the_frames_and_count_once() {
        let index = r#"{"symbol":"ABCUSDT","recv_s":1.5,"file":"s.json"}"#;
        let text = format!("{TRADE}\n{}\n", diff("abcusdt", 7, 8));
        let recording = load(&[
            ("ws.jsonl", &text),
            ("ws.recv_s.txt", "1.0000000001\n2\n"),
            (REST_INDEX, &format!("{index}\n{index}\n")),
            ("s.json", &snapshot(7)),
        ])
        .unwrap();
        assert_eq!(times(&recording), [1_000_000_000, 1_500_000_000, 2_000_000_000]);
        assert!(recording.notes()[0].contains("rest_index.jsonl:2: "), "{:?}", recording.notes());
    }

    #[test]
    fn a_snapshot_of_another_symbol_is_refused() {
        let text = format!("{}\n{}\n", diff("abcusdt", 7, 8), diff("xyzusdt", 50_007, 50_008));
        let index = concat!(
            r#"{"symbol":"ABCUSDT","recv_s":1,"file":"a.json"}"#,
            "\n",
            r#"{"symbol":"XYZUSDT","recv_s":1,"file":"x.json"}"#
        );
        let of = |a: u64, x: u64| {
            load(&[
                ("ws.jsonl", &text),
                ("ws.recv_s.txt", "1\n2\n"),
                (REST_INDEX, index),
                ("a.json", &snapshot(a)),
                ("x.json", &snapshot(x)),
            ])
        };
        assert_eq!(of(7, 50_007).map(|recording| recording.steps.len()), Ok(4));
        let text = of(50_007, 7).unwrap_err();
        assert!(text.contains("rest_index.jsonl:1: "), "{text}");
        assert!(text.ends_with("lies among the updates of XYZUSDT, not of ABCUSDT"), "{text}");
    }

    #[test]
    fn the_snapshot_among_several_symbols_is_the_ones_with_its_updates() {
        let lines = [snapshot(50_007), diff("abcusdt", 7, 8), diff("xyzusdt", 50_007, 50_008)];
        let text = lines.join("\n");
        let recording = load(&[("a.jsonl", &text), ("a.recv_s.txt", "1\n2\n3")]).unwrap();
        let Step::Snapshot { symbol, .. } = &recording.steps[0].1 else { panic!("no snapshot") };
        assert_eq!(symbol, "XYZUSDT");
    }

    #[test]
    fn what_is_usual_beside_frames_is_read_or_left_out_with_a_note() {
        let ack = r#"{"result":null,"id":1}"#;
        let all = r#"{"stream":"!ticker@arr","data":[]}"#;
        let text = format!("\u{feff}{TRADE}\r\n{ack}\r\n\r\n{all}\r\n{all}\r\n");
        // No file of times: paced by the event times.
        let dir = folder(&[]);
        let file = fs::File::create(dir.path().join("a.jsonl.gz")).unwrap();
        let mut packed = GzEncoder::new(file, Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap();
        let recording = Recording::load(dir.path()).unwrap();
        assert_eq!((recording.frames(), recording.left_out()), (1, 3));
        assert_eq!(times(&recording), [5_000_000]);
        let notes = recording.notes().join("\n");
        for expected in ["paced by event times", "a.jsonl.gz:2: ", "a.jsonl.gz:4: ", "!ticker@arr"]
        {
            assert!(notes.contains(expected), "{expected}: {notes}");
        }
        assert_eq!(recording.notes().len(), 3, "{notes}");
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        assert!(error(&[]).contains("no recorded frames"));
        let text = error(&[("a.jsonl", "{\"x\":1}\n"), ("a.recv_ns.txt", "1\n")]);
        assert!(text.contains("a.jsonl:1: no frame"), "{text}");
        let text = error(&[("a.jsonl", TRADE), ("a.recv_ns.txt", "x\n")]);
        assert!(text.contains("a.recv_ns.txt:1: \"x\" is no time"), "{text}");
        let text = error(&[("a.jsonl", TRADE), ("a.recv_ns.txt", "1\n2\n")]);
        assert!(text.contains("2 times for 1 lines"), "{text}");
        let text = error(&[("a.jsonl", &format!("{TRADE}\n{{\"lastUpdateId\":7}}"))]);
        assert!(text.contains("a.jsonl:2: no snapshot"), "{text}");
        assert!(error(&[("a.jsonl.gz", "no gzip")]).contains("a.jsonl.gz: cannot be read"));
        let missing = Recording::load(Path::new("/nowhere")).unwrap_err();
        assert!(matches!(missing, RecordingError::Unreadable { .. }));
    }
}
