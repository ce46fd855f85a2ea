//! A recorded session: its frames with their times, and the snapshots that were fetched in it.
//!
//! Two layouts are read, in one folder each:
//! - `*.jsonl`, one raw frame of a combined stream a line, with `NAME.recv_ns.txt` (or `.recv_s.txt`)
//!   beside it: the time of each line. A line that is a REST snapshot (`{"lastUpdateId":..`) is one.
//! - the same with `rest_index.jsonl`: one object a snapshot, with `symbol`, `recv_s` and `file`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

/// The list of snapshots, where they are files of their own.
const REST_INDEX: &str = "rest_index.jsonl";
/// How a line begins that is a snapshot.
const SNAPSHOT_START: &str = r#"{"lastUpdateId""#;
const NS_PER_S: i64 = 1_000_000_000;

/// Why a recording can't be played.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum RecordingError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: no recorded frames (*.jsonl) in it", path.display())]
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
    Snapshot { symbol: String, body: String },
}

/// A whole session, in the order of its times.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub(super) steps: Vec<(i64, Step)>,
    streams: Vec<String>,
    symbols: Vec<String>,
}

impl Recording {
    /// Reads a folder.
    ///
    /// # Errors
    /// [`RecordingError`] names the file, and the line where there is one.
    pub fn load(folder: &Path) -> Result<Recording, RecordingError> {
        let mut recording = Recording::default();
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
            let path = entry.map_err(|e| unreadable(folder, e))?.path();
            let is_frames = path.extension().is_some_and(|e| e == "jsonl")
                && path.file_name().is_none_or(|name| name != REST_INDEX);
            if is_frames {
                files.push(path);
            }
        }
        files.sort();
        for file in &files {
            recording.add_frames(file)?;
        }
        let index = folder.join(REST_INDEX);
        if index.exists() {
            recording.add_snapshots(folder, &index)?;
        }
        if recording.frames() == 0 {
            return Err(RecordingError::Empty { path: folder.to_owned() });
        }
        recording.steps.sort_by_key(|(time_ns, _)| *time_ns);
        Ok(recording)
    }

    /// How many frames it has.
    #[must_use]
    pub fn frames(&self) -> u64 {
        let frames = self.steps.iter().filter(|(_, step)| matches!(step, Step::Frame { .. }));
        frames.count() as u64
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

    fn add_frames(&mut self, path: &Path) -> Result<(), RecordingError> {
        let text = fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
        let times = times_of(path, text.lines().count())?;
        for (index, (line, time_ns)) in text.lines().zip(times).enumerate() {
            let step = self.step_of(line).map_err(|problem| RecordingError::Line {
                path: path.to_owned(),
                line: index + 1,
                problem,
            })?;
            self.steps.push((time_ns, step));
        }
        Ok(())
    }

    fn step_of(&mut self, line: &str) -> Result<Step, String> {
        if line.starts_with(SNAPSHOT_START) {
            // Among its frames a recording has one symbol: that is whose snapshot it is.
            let symbol = match self.symbols.as_slice() {
                [symbol] => symbol.clone(),
                others => return Err(format!("a snapshot of one of {} symbols", others.len())),
            };
            return Ok(Step::Snapshot { symbol, body: line.to_owned() });
        }
        let (stream, data) = combined(line).ok_or("no frame of a combined stream")?;
        Ok(Step::Frame { stream: self.stream(stream), data: data.to_owned() })
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
        let text = fs::read_to_string(index).map_err(|e| unreadable(index, e))?;
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |problem: &str| RecordingError::Line {
                path: index.to_owned(),
                line: number,
                problem: problem.to_owned(),
            };
            let entry: Value = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
            let text = |name: &str| entry[name].as_str().map(str::to_owned);
            let symbol = text("symbol").ok_or_else(|| wrong("symbol missing"))?;
            let file = text("file").ok_or_else(|| wrong("file missing"))?;
            let time_ns = parse_seconds(&entry["recv_s"].to_string())
                .ok_or_else(|| wrong("recv_s missing or no time"))?;
            let file = folder.join(file);
            let body = fs::read_to_string(&file).map_err(|e| unreadable(&file, e))?;
            self.steps.push((time_ns, Step::Snapshot { symbol, body }));
        }
        Ok(())
    }
}

/// Stream and data of `{"stream":"..","data":..}`; both as they stand in the text.
fn combined(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_end().strip_prefix(r#"{"stream":""#)?;
    let (stream, rest) = rest.split_once('"')?;
    let data = rest.strip_prefix(r#","data":"#)?.strip_suffix('}')?;
    stream.contains('@').then_some((stream, data))
}

/// The times of a file's lines, ns since the Unix epoch.
fn times_of(path: &Path, frames: usize) -> Result<Vec<i64>, RecordingError> {
    let in_ns = path.with_extension("recv_ns.txt");
    let in_s = path.with_extension("recv_s.txt");
    let (file, is_ns) = if in_ns.exists() { (in_ns, true) } else { (in_s, false) };
    let text = fs::read_to_string(&file).map_err(|e| unreadable(&file, e))?;
    let mut times = Vec::with_capacity(frames);
    for (number, line) in (1..).zip(text.lines()) {
        let time_ns = if is_ns { line.trim().parse().ok() } else { parse_seconds(line.trim()) };
        times.push(time_ns.ok_or_else(|| RecordingError::Line {
            path: file.clone(),
            line: number,
            problem: format!("{line:?} is no time"),
        })?);
    }
    if times.len() != frames {
        return Err(RecordingError::Times { path: file, times: times.len(), frames });
    }
    Ok(times)
}

/// Decimal seconds as ns; digits below a nanosecond are dropped.
fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(NS_PER_S)?.checked_add(nine.parse().ok()?)
}

fn unreadable(path: &Path, source: std::io::Error) -> RecordingError {
    RecordingError::Unreadable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    const TRADE: &str = r#"{"stream":"abcusdt@trade","data":{"e":"trade","s":"ABCUSDT"}}"#;
    const DEPTH: &str = r#"{"stream":"abcusdt@depth@100ms","data":{"e":"depthUpdate"}}"#;

    #[test]
    fn frames_and_the_snapshot_among_them_are_read_in_the_order_of_their_times() {
        let lines = format!("{TRADE}\n{DEPTH}\n{{\"lastUpdateId\":7}}\n");
        let dir = folder(&[("a.jsonl", &lines), ("a.recv_ns.txt", "30\n10\n20\n")]);
        let recording = Recording::load(dir.path()).unwrap();
        assert_eq!((recording.frames(), recording.symbols()), (2, &["ABCUSDT".to_owned()][..]));
        assert_eq!(recording.streams(), ["abcusdt@trade", "abcusdt@depth@100ms"]);
        let times: Vec<i64> = recording.steps.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [10, 20, 30]);
        let Step::Snapshot { symbol, body } = &recording.steps[1].1 else { panic!("a snapshot") };
        assert_eq!((symbol.as_str(), body.as_str()), ("ABCUSDT", r#"{"lastUpdateId":7}"#));
    }

    #[test]
    fn snapshots_of_an_index_lie_between_the_frames() {
        let index = r#"{"symbol":"ABCUSDT","recv_s":1.5,"file":"s.json"}"#;
        let lines = format!("{TRADE}\n{DEPTH}\n");
        let dir = folder(&[
            ("ws.jsonl", &lines),
            ("ws.recv_s.txt", "1.0000000001\n2\n"),
            (REST_INDEX, index),
            ("s.json", "{}"),
        ]);
        let recording = Recording::load(dir.path()).unwrap();
        let times: Vec<i64> = recording.steps.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [1_000_000_000, 1_500_000_000, 2_000_000_000]);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let error =
            |files: &[(&str, &str)]| Recording::load(folder(files).path()).unwrap_err().to_string();
        assert!(error(&[]).contains("no recorded frames"));
        let text = error(&[("a.jsonl", "{\"x\":1}\n"), ("a.recv_ns.txt", "1\n")]);
        assert!(text.contains("a.jsonl:1: no frame"), "{text}");
        let text = error(&[("a.jsonl", TRADE), ("a.recv_ns.txt", "x\n")]);
        assert!(text.contains("a.recv_ns.txt:1: \"x\" is no time"), "{text}");
        let text = error(&[("a.jsonl", TRADE), ("a.recv_ns.txt", "1\n2\n")]);
        assert!(text.contains("2 times for 1 lines"), "{text}");
        assert!(error(&[("a.jsonl", TRADE)]).contains("recv_s.txt: cannot be read"));
        let missing = Recording::load(Path::new("/nowhere")).unwrap_err();
        assert!(matches!(missing, RecordingError::Unreadable { .. }));
    }
}
