//! A recorded session: its frames with their times, and the snapshots that were fetched in it.
//!
//! A folder, or one file of it, is read:
//! - `*.jsonl` (or `*.jsonl.gz`), one raw frame a line, with `NAME.recv_ns.txt` (or `.recv_s.txt`)
//!   beside it: the time of each line. Among the frames there may be snapshots that were fetched
//!   over REST.
//! - `rest_index.jsonl`, for snapshots that are files of their own: one object each, with `symbol`,
//!   `recv_s` and `file`.
//! - `instruments/*.json`, or `rest_exchangeInfo*.json` beside the frames: what REST said of
//!   instruments. It is not played.
//! - `venue.txt`: the kind of venue, by its name in the configuration. Optional.
//!
//! What a line is, the kind of venue says ([`RecordedDialect`]). The order of a file is the truth;
//! times only pace. A clock that was set back while recording changes nothing but the pace. Lines
//! that are not played, such as answers to requests, are counted, and named by file and line in
//! [`Recording::notes`].

mod text;
mod twins;
mod update_ids;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::dialect::{RecordedDialect, RecordedFrame, RecordedLine, UpdateIds};
use super::frame_kind::FrameKind;
use super::server::Session;
use crate::config::RecordedSymbol;
use crate::world::Files;
use text::{lines, parse_seconds, times_of};
use twins::Twins;
use update_ids::Ranges;

/// The list of snapshots, where they are files of their own.
const REST_INDEX: &str = "rest_index.jsonl";
/// Where the kind of venue stands.
const KIND_FILE: &str = "venue.txt";

/// The folder of what the venue says of its instruments, and how files beside the frames begin that
/// have it.
const INSTRUMENTS: &str = "instruments";
const INSTRUMENTS_START: &str = "rest_exchangeInfo";

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
    #[error("{}:{line}: {text:?} is no time", path.display())]
    Time { path: PathBuf, line: usize, text: String },
    #[error(
        "{}: the same frames lie packed and unpacked beside each other: remove one of both",
        path.display()
    )]
    Twice { path: PathBuf },
    #[error(
        "{} and {} hold the same frames: name the file that is meant, or take the other one out of \
         the folder",
        first.display(), second.display()
    )]
    SameFrames { first: PathBuf, second: PathBuf },
    #[error("[recording] start failed: {} {problem}", path.display())]
    Kind { path: PathBuf, problem: String },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A frame was received; its data, as the venue sent it. Before it so many frames of the
    /// connection were lost.
    Frame { stream: usize, updates: Option<UpdateIds>, lost: u64, data: String },
    /// A snapshot of this symbol was received.
    Snapshot { symbol: String, last_update_id: u64, body: String },
}

/// A stream of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordedStream {
    /// As it is subscribed to.
    pub(super) name: String,
    pub(super) symbol: String,
    pub(super) kind: FrameKind,
}

/// A whole session, in the order in which it was received.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(super) dialect: &'static dyn RecordedDialect,
    pub(super) steps: Vec<(i64, Step)>,
    pub(super) streams: Vec<RecordedStream>,
    symbols: Vec<RecordedSymbol>,
    ranges: Ranges,
    left_out: u64,
    /// What the venue says of its instruments, as it says it.
    instrument_lists: Vec<String>,
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
    /// One without frames, of venues that speak so.
    pub(in crate::venue) fn empty(dialect: &'static dyn RecordedDialect) -> Recording {
        Recording {
            dialect,
            steps: Vec::new(),
            streams: Vec::new(),
            symbols: Vec::new(),
            ranges: Ranges::default(),
            left_out: 0,
            instrument_lists: Vec::new(),
            notes: Vec::new(),
            noted: BTreeSet::new(),
        }
    }

    /// Reads a folder, or one file with frames. After an error it holds what came before.
    ///
    /// # Errors
    /// [`RecordingError`] names the file, and the line where there is one.
    pub(in crate::venue) fn read(&mut self, path: &Path) -> Result<(), RecordingError> {
        let listed = match Files::Real.list(path) {
            Err(error) if error.kind() == ErrorKind::NotADirectory => vec![path.to_owned()],
            listed => listed.map_err(|error| unreadable(path, error))?,
        };
        let is_frames = |file: &PathBuf| {
            let is_index = file.file_name().is_some_and(|name| name == REST_INDEX);
            // What was sent while recording is no part of what was received.
            !is_index && text::stem(file).is_some_and(|stem| !stem.ends_with(".sent"))
        };
        let files: Vec<&PathBuf> = listed.iter().filter(|file| is_frames(file)).collect();
        // Sorted, so that both forms of one name stand beside each other.
        if let Some(pair) = files.windows(2).find(|two| text::stem(two[0]) == text::stem(two[1])) {
            return Err(RecordingError::Twice { path: pair[1].to_owned() });
        }
        let (mut last_ns, mut before) = (None, None);
        let mut twins = Twins::default();
        for file in files {
            let series = text::series(file);
            if series != before {
                // Recorded beside the one before, whenever it began.
                (last_ns, before) = (None, series);
            }
            self.add_frames(file, &mut last_ns, &mut twins)?;
        }
        let index = path.join(REST_INDEX);
        if listed.contains(&index) {
            self.add_snapshots(path, &index)?;
        }
        self.add_instrument_lists(path, &listed)?;
        if self.frames() == 0 {
            return Err(RecordingError::Empty { path: path.to_owned() });
        }
        self.note_books_without_snapshots();
        // Stable: what has one time stays in the order of its file.
        self.steps.sort_by_key(|(time_ns, _)| *time_ns);
        Ok(())
    }

    /// The kind of venue that the folder says its frames are of.
    ///
    /// # Errors
    /// When it can't be read.
    pub(in crate::venue) fn kind_beside(path: &Path) -> Result<Option<String>, RecordingError> {
        let folder = if text::stem(path).is_some() { path.parent() } else { Some(path) };
        let file = folder.unwrap_or(Path::new("")).join(KIND_FILE);
        if !Files::Real.is_there(&file) {
            return Ok(None);
        }
        let text = text::read(&file)?;
        Ok(Some(text.trim().to_owned()))
    }

    /// How many frames of streams it has.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.steps.iter().filter(|(_, step)| matches!(step, Step::Frame { .. })).count() as u64
    }

    /// Lines that are not played: answers to requests, and streams that belong to no symbol.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What the venue says of its instruments in it, each as the venue said it.
    pub(in crate::venue) fn instrument_lists(&self) -> &[String] {
        &self.instrument_lists
    }

    /// What is to be known about how it is played, each with file and line.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The data of every frame of a stream, in their order.
    pub fn frame_data(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.steps.iter().filter_map(|(_, step)| match step {
            Step::Frame { data, .. } => Some(self.data_of(Cow::from(data))),
            _ => None,
        })
    }

    /// What a frame's data were on the wire.
    fn data_of<'d>(&self, data: Cow<'d, str>) -> Cow<'d, [u8]> {
        match (self.dialect.binary(&data), data) {
            (Some(binary), _) => Cow::Owned(binary),
            (None, Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            (None, Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        }
    }

    /// Everything in it, in its order: the time, ns, the data, and of a snapshot over REST the
    /// symbol. Where frames of a connection are numbered, they are so without those left out.
    pub(in crate::venue) fn everything(
        &self,
    ) -> impl Iterator<Item = (i64, Cow<'_, [u8]>, Option<&str>)> {
        let mut session = Session::new(0);
        session.numbered_by = self.dialect.numbered_by().map(|field| (field, 0));
        self.steps.iter().map(move |(time_ns, step)| match step {
            Step::Frame { data, lost, .. } => {
                session.skip_numbers(*lost);
                let numbered = session.number(data.as_bytes()).map(String::from_utf8);
                let text = numbered.and_then(Result::ok).map_or(Cow::from(data), Cow::from);
                (*time_ns, self.data_of(text), None)
            }
            Step::Snapshot { symbol, body, .. } => {
                (*time_ns, Cow::from(body.as_bytes()), Some(symbol.as_str()))
            }
        })
    }

    /// The streams it has, as they are subscribed to.
    #[must_use]
    pub fn streams(&self) -> Vec<String> {
        self.streams.iter().map(|stream| stream.name.clone()).collect()
    }

    /// Path of its market data.
    #[must_use]
    pub fn stream_path(&self) -> &'static str {
        self.dialect.stream_path()
    }

    /// The venue's symbols in it.
    #[must_use]
    pub fn symbols(&self) -> &[RecordedSymbol] {
        &self.symbols
    }

    /// Adds a file behind those that were added before; `last_ns` is the time of their last line.
    fn add_frames(
        &mut self,
        path: &Path,
        last_ns: &mut Option<i64>,
        twins: &mut Twins,
    ) -> Result<(), RecordingError> {
        let mut text = text::read(path)?;
        if let Some(first) = twins.add(path, lines(&text).map(|(_, line)| line)) {
            return Err(RecordingError::SameFrames { first, second: path.to_owned() });
        }
        let torn = text::cut_torn_end(&mut text);
        if let Some(line) = torn {
            self.left_out += 1;
            let at = format!("{}:{line}", path.display());
            self.note(&at, format!("{at}: the last line is cut off, and left out"));
        }
        let times = times_of(path, lines(&text).count(), torn.is_some())?;
        if times.is_none() {
            self.note(
                "times",
                format!("{}: no file of times beside it: paced by event times", path.display()),
            );
        }
        let mut times = times.map(Vec::into_iter);
        let mut floor_ns = None;
        let (mut lost, mut next_number) = (0, None);
        let first = self.steps.len();
        let mut unowned = Vec::new();
        for (line, text) in lines(&text) {
            let place = Place { path, line };
            let time_ns = match &mut times {
                Some(times) => times.next(),
                None => self.dialect.event_time_ns(text),
            };
            let own_ns = time_ns.or(floor_ns).unwrap_or(0);
            let floor = *floor_ns.get_or_insert_with(|| match *last_ns {
                Some(last) if own_ns < last && last - own_ns <= SET_BACK_NS_MAX => last,
                _ => own_ns,
            });
            let time_ns = own_ns.max(floor);
            floor_ns = Some(time_ns);
            if let Some(number) = self.dialect.number(text) {
                lost += number.saturating_sub(next_number.unwrap_or(number));
                next_number = Some(number + 1);
            }
            match self.step_of(text, &place)? {
                Some(mut step) => {
                    if let Step::Frame { lost: before, .. } = &mut step {
                        *before = std::mem::take(&mut lost);
                    }
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
        let wrong = |problem| place.error(problem);
        Ok(Some(match self.dialect.line(line).map_err(wrong)? {
            RecordedLine::Snapshot => {
                let last_update_id = self.dialect.snapshot_id(line).map_err(wrong)?;
                Step::Snapshot { symbol: String::new(), last_update_id, body: line.to_owned() }
            }
            RecordedLine::Frame(frame) => {
                if let Some(ids) = frame.updates {
                    self.ranges.add(&frame.symbol, ids);
                }
                let stream = self.stream(&frame);
                if let Some((price_scale, qty_scale)) = self.dialect.scales(frame.data) {
                    let known =
                        self.symbols.iter_mut().find(|known| *known.native == *frame.symbol);
                    if let Some(known) = known {
                        (known.price_scale, known.qty_scale) = (price_scale, qty_scale);
                    }
                }
                let (updates, data) = (frame.updates, frame.data.to_owned());
                Step::Frame { stream, updates, lost: 0, data }
            }
            RecordedLine::Instruments => {
                self.instrument_lists.push(line.to_owned());
                return Ok(None);
            }
            RecordedLine::LeftOut(what) => {
                let at = format!("{}:{}", place.path.display(), place.line);
                self.note(&what, format!("{at}: {what} are left out"));
                return Ok(None);
            }
        }))
    }

    /// Adds what REST said of instruments, where that lies in files of its own.
    fn add_instrument_lists(
        &mut self,
        path: &Path,
        listed: &[PathBuf],
    ) -> Result<(), RecordingError> {
        let is_list = |file: &&PathBuf| {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(INSTRUMENTS_START) && name.ends_with(".json")
        };
        let own = listed.iter().filter(is_list).cloned();
        let folder = path.join(INSTRUMENTS);
        let in_folder = match listed.contains(&folder) {
            true => Files::Real.list(&folder).map_err(|error| unreadable(&folder, error))?,
            false => Vec::new(),
        };
        for file in own.chain(in_folder) {
            self.instrument_lists.push(text::read(&file)?);
        }
        Ok(())
    }

    /// Finds the symbol of a snapshot that stands among the frames, once all frames of its file are
    /// known.
    fn own(&mut self, step: usize, place: &Place<'_>) -> Result<(), RecordingError> {
        let Some((_, Step::Snapshot { symbol, last_update_id, .. })) = self.steps.get_mut(step)
        else {
            return Ok(());
        };
        *symbol = match (self.symbols.as_slice(), self.ranges.owner(*last_update_id)) {
            ([only], _) => only.native.clone(),
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

    fn stream(&mut self, frame: &RecordedFrame<'_>) -> usize {
        let RecordedFrame { stream, symbol, kind, .. } = frame;
        if let Some(index) = self.streams.iter().position(|known| known.name == **stream) {
            return index;
        }
        let (name, symbol) = (stream.to_string(), symbol.to_string());
        if !self.symbols.iter().any(|known| known.native == symbol) {
            self.symbols.push(RecordedSymbol::new(&symbol));
        }
        self.streams.push(RecordedStream { name, symbol, kind: *kind });
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
            let last_update_id = self.dialect.snapshot_id(&body).map_err(at)?;
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
            if !self.symbols.iter().any(|known| known.native == symbol) {
                let at = format!("{}:{line}", index.display());
                self.note(&at, format!("{at}: no frame is of {symbol}"));
            }
            self.steps.push((time_ns, Step::Snapshot { symbol, last_update_id, body }));
        }
        Ok(())
    }

    /// Says of books that are kept by changes and never told whole that they can't become live.
    fn note_books_without_snapshots(&mut self) {
        let is_whole = |native: &str| {
            self.steps
                .iter()
                .any(|(_, step)| matches!(step, Step::Snapshot { symbol, .. } if *symbol == native))
        };
        let missing: Vec<_> = self.ranges.symbols().filter(|native| !is_whole(native)).collect();
        if !missing.is_empty() {
            let text = format!(
                "no snapshot of {}: its book can't become live (snapshots are listed in \
                 {REST_INDEX}, or stand among the frames)",
                missing.join(", ")
            );
            self.note("snapshots", text);
        }
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> RecordingError {
    RecordingError::Unreadable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
