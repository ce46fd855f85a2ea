//! The dead-letter file: one JSON object a line, written by housekeeping.
//!
//! Promises: a line is written whole or not at all, also on a full disk. A letter of raw input that
//! can't be written is counted and gone. A critical event that can't be written brings the last
//! resort about at once ([`LastResort`]) and is kept in memory and tried again each second, in
//! order, and once more at the end; only what then still can't be written is lost, and counted as
//! that.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::letters::{LetterChunk, LetterSource, UNDELIVERED};
use super::run_file::RunFile;
use super::thinning::{Thinned, Thinning};
use crate::event::{ConsumerId, Event, EventKind};
use crate::instrument::Instruments;
use crate::rate::SecondCount;
use crate::safety::{HaltReason, LastResort};
use crate::text::{escaped_json, masked_bytes};
use crate::world::Clock;

/// Critical events kept in memory while the file can't take them. The order sessions read nothing
/// more by then, so what comes is what was on its way: lanes and spills.
const KEPT_MAX: usize = 65_536;

/// Who sends letters of events that it could not deliver.
pub(crate) const DISPATCHER: &str = "dispatcher";

/// Between two attempts to write what is kept, ns.
const AGAIN_NS: u64 = 1_000_000_000;

/// Joins the chunks of all senders and writes the file. Owned by housekeeping.
pub struct DeadLetterFile {
    file: RunFile,
    sources: Vec<LetterSource>,
    names: LetterNames,
    flood_gate: FloodGate,
    last_resort: LastResort,
    kept: VecDeque<Formed>,
    clock: Clock,
    /// When writing what is kept was tried last.
    tried_ns: Option<u64>,
    /// Events that the dispatcher could not deliver to the consumers they were for.
    undelivered: Vec<Event>,
    written: u64,
    failures: u64,
    has_failed: bool,
}

/// What numbers mean in letters.
#[derive(Clone, Debug)]
pub struct LetterNames {
    /// By venue number.
    pub venues: Vec<LetterVenue>,
    /// By consumer number.
    pub consumers: Vec<String>,
    /// Of the run.
    pub instruments: Arc<Instruments>,
}

/// A venue in letters.
#[derive(Clone, Debug)]
pub struct LetterVenue {
    /// Its name.
    pub name: String,
    /// Its kind: the dialect in which its frames are.
    pub kind: &'static str,
}

/// Letters of one session and reason that are written in a second; the rest is counted.
const ALIKE_PER_S_MAX: u32 = 50;
/// Bytes of raw input that are written in a second, of any kind.
const RAW_BYTES_PER_S_MAX: u64 = 1 << 20;

/// What keeps a flood of raw input from filling the disk, in seconds of the letters' own time.
struct FloodGate {
    alike: Thinning,
    bytes_in_second: SecondCount,
    /// Letters that passed by their kind and were left out by their size.
    too_large: u64,
}

impl FloodGate {
    fn new() -> FloodGate {
        let alike = Thinning::new(ALIKE_PER_S_MAX);
        FloodGate { alike, bytes_in_second: SecondCount::default(), too_large: 0 }
    }

    fn admits(&mut self, session: &str, chunk: &LetterChunk, bytes: usize) -> bool {
        let kind = format!("{session}: {}", chunk.reason());
        if let Thinned::LeftOut { note } = self.alike.take(&kind, chunk.wall_ns) {
            if let Some(count) = note {
                log::warn!(
                    "[dead letters] {kind}: more than {ALIKE_PER_S_MAX} letters a second: {count} so \
                     far are counted, not written"
                );
            }
            return false;
        }
        let in_second = self.bytes_in_second.add(bytes as u64, chunk.wall_ns);
        let fits = in_second <= RAW_BYTES_PER_S_MAX;
        if !fits {
            if self.too_large == 0 {
                log::warn!(
                    "[dead letters] {kind}: more than {RAW_BYTES_PER_S_MAX} bytes a second: what is \
                     beyond is counted, not written"
                );
            }
            self.too_large += 1;
        }
        fits
    }

    fn left_out(&self) -> u64 {
        self.alike.left_out() + self.too_large
    }
}

/// A letter as a line.
struct Formed {
    /// With its end.
    line: String,
    is_critical: bool,
    owner: Option<ConsumerId>,
}

impl DeadLetterFile {
    /// A file, made with its first letter; `clock` says when it is tried again.
    #[must_use]
    pub fn new(
        file: RunFile,
        clock: Clock,
        sources: Vec<LetterSource>,
        names: LetterNames,
        last_resort: LastResort,
    ) -> DeadLetterFile {
        DeadLetterFile {
            file,
            sources,
            names,
            flood_gate: FloodGate::new(),
            last_resort,
            kept: VecDeque::new(),
            clock,
            tried_ns: None,
            undelivered: Vec::new(),
            written: 0,
            failures: 0,
            has_failed: false,
        }
    }

    /// Writes what has come in; returns how many letters.
    pub fn drain(&mut self) -> u64 {
        let mut letters = Vec::new();
        let Self { sources, names, flood_gate, undelivered, .. } = self;
        for LetterSource { session, lane, raw } in sources {
            lane.poll(usize::MAX, |chunk| {
                raw.extend_from_slice(chunk.raw());
                if chunk.is_last() {
                    // What a quarantined consumer turns away itself, it has taken note of.
                    if chunk.is_critical() && session == DISPATCHER {
                        undelivered.extend(Event::from_used_bytes(raw));
                    }
                    if chunk.is_critical() || flood_gate.admits(session, chunk, raw.len()) {
                        letters.push(Formed::new(chunk, raw, session, names));
                    }
                    raw.clear();
                }
            });
        }
        let now_ns = self.clock.now_ns();
        let is_time = |tried_ns: u64| now_ns.saturating_sub(tried_ns) >= AGAIN_NS;
        if !self.kept.is_empty() && self.tried_ns.is_none_or(is_time) {
            self.write_kept();
        }
        let count = letters.len() as u64;
        letters.into_iter().for_each(|letter| self.take(letter));
        count
    }

    /// Critical events that the dispatcher could not deliver since the last call, in order.
    pub(crate) fn take_undelivered(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.undelivered)
    }

    /// Writes the last, and gives up what can't be written.
    pub fn finish(&mut self) {
        self.drain();
        self.write_kept();
        for letter in std::mem::take(&mut self.kept) {
            self.lose(letter.owner);
        }
    }

    /// Letters in the file.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Letters that the file could not take.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Letters of raw input that were counted and not written, since too many like them came in one
    /// second.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.flood_gate.left_out()
    }

    /// Where the file lies; `None` when no letter was written.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.is_made().then_some(self.file.path())
    }

    fn take(&mut self, letter: Formed) {
        // Behind critical events that wait, critical events wait: they stay in order.
        let must_wait = letter.is_critical && !self.kept.is_empty();
        if !must_wait && self.write_line(&letter) {
            self.written += 1;
        } else if !letter.is_critical {
            self.failures += 1;
        } else if self.kept.len() == KEPT_MAX {
            self.lose(letter.owner);
        } else {
            self.last_resort.halt(HaltReason::FileFailed);
            self.tried_ns.get_or_insert_with(|| self.clock.now_ns());
            self.kept.push_back(letter);
        }
    }

    fn write_kept(&mut self) {
        while let Some(letter) = self.kept.pop_front() {
            if !self.write_line(&letter) {
                self.kept.push_front(letter);
                self.tried_ns = Some(self.clock.now_ns());
                return;
            }
            self.written += 1;
        }
        self.tried_ns = None;
    }

    fn lose(&mut self, owner: Option<ConsumerId>) {
        self.failures += 1;
        self.last_resort.lose(owner, HaltReason::FileFailed);
    }

    /// Writes a line, whole; the first failure is logged.
    fn write_line(&mut self, letter: &Formed) -> bool {
        match self.file.append(letter.line.as_bytes(), letter.is_critical) {
            Ok(()) => true,
            Err(error) => {
                if !self.has_failed {
                    self.has_failed = true;
                    log::error!(
                        "[dead letters] writing {} failed: {error}",
                        self.file.path().display()
                    );
                }
                false
            }
        }
    }
}

impl Formed {
    fn new(chunk: &LetterChunk, raw: &[u8], session: &str, names: &LetterNames) -> Formed {
        let (is_critical, owner) = (chunk.is_critical(), chunk.owner());
        let venue = names.venues.get(usize::from(chunk.venue));
        let mut letter = json!({
            "wall_ns": chunk.wall_ns,
            "venue": venue.map_or("engine", |venue| &venue.name),
            "session": session,
            "trace_id": chunk.trace_id,
            "reason": chunk.reason(),
            "detail": chunk.detail(),
            "bytes": chunk.total_bytes,
        });
        if let Some(venue) = venue {
            letter["kind"] = venue.kind.into();
        }
        if let Some(owner) = owner {
            letter["consumer"] = names.consumers.get(owner.index()).cloned().into();
        }
        if chunk.reason() == UNDELIVERED
            && let Some(event) = Event::from_used_bytes(raw)
        {
            name_event(&mut letter, &event, names);
        }
        // An event has fields of its own, and none for a secret; input is whatever a venue sends.
        let is_input = owner.is_none() && !is_critical && chunk.reason() != UNDELIVERED;
        let kept = if is_input { masked_bytes(raw) } else { Cow::Borrowed(raw) };
        // Text stays readable; what is no UTF-8, or an event, is kept exactly, in hexadecimal.
        match std::str::from_utf8(&kept) {
            Ok(text) if owner.is_none() && !is_critical => letter["raw"] = text.into(),
            _ => {
                let hex: String = kept.iter().map(|byte| format!("{byte:02x}")).collect();
                letter["raw_hex"] = hex.into();
            }
        }
        if raw.len() < chunk.total_bytes as usize {
            letter["cut_to_bytes"] = raw.len().into();
        }
        let line = format!("{}\n", escaped_json(&letter.to_string()));
        Formed { line, is_critical, owner }
    }
}

/// What an event's numbers mean, so that the letter can be read without the run's configuration.
fn name_event(letter: &mut serde_json::Value, event: &Event, names: &LetterNames) {
    letter["event"] = event.kind().map(EventKind::name).into();
    if let Some(spec) = names.instruments.get(event.instrument_id()) {
        letter["instrument"] = spec.symbol.as_str().into();
        letter["price_scale"] = spec.price_scale.into();
        letter["qty_scale"] = spec.qty_scale.into();
    }
}

#[cfg(test)]
mod tests {
    use super::super::letters::tests::letter;
    use super::super::letters::{CHUNK_BYTES, Letter, LetterSender, letter_lane};
    use super::super::run_file::FileLimits;
    use super::*;
    use crate::world::{FileConditions, Files, ManualTime, VirtualFiles};

    fn critical(raw: &[u8]) -> Letter<'_> {
        Letter { is_critical: true, owner: Some(ConsumerId(1)), ..letter(raw) }
    }

    fn file_at(path: &Path) -> (LetterSender, DeadLetterFile, LastResort) {
        let (sender, file, resort, _time) = file_among(&Files::Real, path);
        (sender, file, resort)
    }

    fn file_among(
        files: &Files,
        path: &Path,
    ) -> (LetterSender, DeadLetterFile, LastResort, ManualTime) {
        let (sender, source) = letter_lane("sim:orders", 128);
        let venues = vec![LetterVenue { name: "sim".into(), kind: "plain" }];
        let names = LetterNames {
            venues,
            consumers: vec!["one".into(), "two".into()],
            instruments: Arc::new(Instruments::new(Vec::new()).unwrap()),
        };
        let resort = crate::safety::Quarantine::new(2, false).last_resort().clone();
        let run_file = RunFile::new(files, path, FileLimits::DEFAULT, Vec::new());
        let (clock, time) = Clock::manual(0);
        let file = DeadLetterFile::new(run_file, clock, vec![source], names, resort.clone());
        (sender, file, resort, time)
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn letters_of_any_size_are_joined_and_written_one_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.jsonl");
        let (mut sender, mut file, _) = file_at(&path);
        let long = "x".repeat(3 * CHUNK_BYTES + 5);
        for raw in [&b"{oops"[..], long.as_bytes(), &[0xff, 0x00], b""] {
            sender.send(letter(raw));
        }
        sender.send(critical(b"event"));
        assert_eq!(file.drain(), 5);
        let lines = lines(&path);
        assert_eq!(lines[0]["raw"], "{oops");
        assert_eq!((&lines[0]["venue"], &lines[0]["detail"]), (&"sim".into(), &"field q".into()));
        assert_eq!(lines[0]["kind"], "plain", "its dialect");
        assert_eq!(
            (&lines[0]["session"], &lines[0]["consumer"]),
            (&"sim:orders".into(), &().into())
        );
        assert_eq!(lines[1]["raw"].as_str().unwrap(), long);
        assert_eq!(lines[2]["raw_hex"], "ff00");
        assert_eq!(lines[3]["bytes"], 0);
        assert_eq!(
            (&lines[4]["consumer"], &lines[4]["raw_hex"]),
            (&"two".into(), &"6576656e74".into())
        );
    }

    #[test]
    fn what_a_venue_echoes_of_a_secret_is_not_kept_as_text_nor_in_hexadecimal() {
        crate::text::hide("SecretOfTheLetters");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.jsonl");
        let (mut sender, mut file, _) = file_at(&path);
        sender.send(letter(b"{bad SecretOfTheLetters}"));
        sender.send(letter(b"\xff SecretOfTheLetters"));
        file.drain();
        let lines = lines(&path);
        assert_eq!(lines[0]["raw"], "{bad ***}");
        assert_eq!(lines[1]["raw_hex"], "ff202a2a2a");
    }

    #[test]
    fn a_flood_of_one_kind_is_thinned_out_and_critical_events_never() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sender, mut file, _) = file_at(&dir.path().join("dead.jsonl"));
        for _ in 0..100 {
            sender.send(letter(b"x"));
            file.drain();
        }
        let limit = u64::from(ALIKE_PER_S_MAX);
        assert_eq!((file.written(), file.suppressed()), (limit, 100 - limit));
        for _ in 0..100 {
            sender.send(critical(b"event"));
            file.drain();
        }
        assert_eq!((file.written(), file.suppressed()), (limit + 100, 100 - limit));
        sender.send(Letter { wall_ns: 1_000_000_001, ..letter(b"x") });
        file.drain();
        assert_eq!(file.written(), limit + 101, "the next second");
    }

    #[test]
    fn large_letters_are_thinned_out_by_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sender, mut file, _) = file_at(&dir.path().join("dead.jsonl"));
        let large = vec![b'x'; 50_000];
        for _ in 0..40 {
            sender.send(letter(&large));
            file.drain();
        }
        let written = RAW_BYTES_PER_S_MAX / 50_000;
        assert_eq!((file.written(), file.suppressed()), (written, 40 - written));
    }

    #[test]
    fn a_full_disk_counts_raw_input_and_goes_on() {
        let (mut sender, mut file, resort) = file_at(Path::new("/dev/full"));
        sender.send(letter(b"y"));
        file.drain();
        file.finish();
        assert_eq!((file.written(), file.failures()), (0, 1));
        assert!(!resort.is_halted(), "raw input is no reason to halt");
    }

    #[test]
    fn a_critical_event_on_a_full_disk_halts_and_is_lost_only_at_the_end() {
        // FR-016, F21
        let (mut sender, mut file, resort) = file_at(Path::new("/dev/full"));
        sender.send(critical(b"one"));
        sender.send(critical(b"two"));
        file.drain();
        assert_eq!(resort.reason(), Some(HaltReason::FileFailed));
        assert_eq!((resort.lost(ConsumerId(1)), file.kept.len()), (0, 2));
        file.finish();
        assert_eq!((resort.lost(ConsumerId(1)), file.failures(), file.written()), (2, 2, 0));
    }

    #[test]
    fn a_disk_that_is_full_for_a_while_tears_nothing_and_gets_every_critical_event_in_order() {
        let full = FileConditions { room_bytes: 300, ..FileConditions::default() };
        let disk = VirtualFiles::new(1, full);
        let files = Files::Virtual(disk.clone());
        let path = Path::new("/run/dead.jsonl");
        let (mut sender, mut file, resort, time) = file_among(&files, path);
        for number in 0..4_u8 {
            sender.send(critical(&[number]));
        }
        file.drain();
        assert!(disk.totals().full > 0 && resort.is_halted());
        let kept = file.kept.len();
        assert!(kept > 0 && files.read_text(path).unwrap().ends_with('\n'), "no torn line");
        disk.set_conditions(FileConditions::default());
        file.drain();
        assert_eq!(file.kept.len(), kept, "it is tried again after a second, not at once");
        time.advance_ns(AGAIN_NS);
        file.drain();
        let text = files.read_text(path).unwrap();
        let raw = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let raw: Vec<_> = raw.map(|line: serde_json::Value| line["raw_hex"].clone()).collect();
        assert_eq!((raw, file.written()), (["00", "01", "02", "03"].map(Into::into).into(), 4));
    }

    #[test]
    fn what_was_kept_is_written_in_order_once_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        // A folder stands where the file should be.
        let path = dir.path().join("dead.jsonl");
        std::fs::create_dir(&path).unwrap();
        let (mut sender, mut file, resort) = file_at(&path);
        sender.send(critical(b"1"));
        file.drain();
        assert!(resort.is_halted(), "the fault happened");
        std::fs::remove_dir(&path).unwrap();
        sender.send(critical(b"2"));
        sender.send(letter(b"3"));
        file.finish();
        let raw: Vec<_> = lines(&path).iter().map(|line| line["raw_hex"].clone()).collect();
        assert_eq!(raw[1..], ["31", "32"], "raw input need not wait");
        assert_eq!((file.written(), file.failures(), resort.lost(ConsumerId(1))), (3, 0, 0));
    }
}
