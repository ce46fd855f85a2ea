//! Dead letters: raw input or events that could not go on, kept with their reason in a JSONL file.
//!
//! A pinned thread cuts a letter into fixed chunks and publishes them into a lane of its own; housekeeping
//! joins them and writes one line a letter. A lane without room drops the letter, whole, and counts it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_ring::{Consumer, LaneOptions, Publisher, Record, lane};
use serde_json::json;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Raw bytes in one chunk.
pub const CHUNK_BYTES: usize = 960;

/// Raw bytes kept of one letter; the rest is cut and the cut is stated.
const LETTER_BYTES_MAX: usize = 64 * 1024;

/// Part of a dead letter in its lane.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct LetterChunk {
    wall_ns: i64,
    trace_id: u64,
    total_bytes: u32,
    chunk_bytes: u32,
    venue: u16,
    is_last: u8,
    reason_bytes: u8,
    detail_bytes: u8,
    reserved: [u8; 3],
    words: [u8; 32],
    bytes: [u8; CHUNK_BYTES],
}

const _: () = assert!(size_of::<LetterChunk>() == 1024);

impl Record for LetterChunk {
    fn used_bytes(&self) -> usize {
        size_of::<LetterChunk>() - CHUNK_BYTES + self.chunk_bytes as usize
    }
}

/// Counts of one sender, readable by anyone.
#[derive(Debug, Default)]
pub struct DeadLetterCounts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl DeadLetterCounts {
    /// Letters handed to the file's writer.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Letters that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// A pinned thread's side.
pub struct LetterSender {
    lane: Publisher<LetterChunk>,
    counts: Arc<DeadLetterCounts>,
    chunk: Box<LetterChunk>,
}

/// A lane for dead letters with room for `capacity` chunks, a power of two.
#[must_use]
pub fn letter_lane(name: &str, capacity: usize) -> (LetterSender, Consumer<LetterChunk>) {
    let (publisher, consumer) = lane(LaneOptions { name: format!("letters:{name}"), capacity });
    let counts = Arc::default();
    let chunk = Box::new(LetterChunk::new_zeroed());
    (LetterSender { lane: publisher, counts, chunk }, consumer)
}

impl LetterSender {
    /// The counts, for the report.
    #[must_use]
    pub fn counts(&self) -> Arc<DeadLetterCounts> {
        Arc::clone(&self.counts)
    }

    /// How many letters of one part each find room now, at most `limit`.
    pub fn room(&mut self, limit: usize) -> usize {
        self.lane.room(limit)
    }

    /// Keeps `raw`. `reason` and `detail` are short texts; together at most 32 bytes are kept of them.
    pub fn send(&mut self, letter: Letter<'_>) {
        let kept = &letter.raw[..letter.raw.len().min(LETTER_BYTES_MAX)];
        let chunks = kept.len().div_ceil(CHUNK_BYTES).max(1);
        if self.lane.room(chunks) < chunks {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let chunk = &mut *self.chunk;
        chunk.wall_ns = letter.wall_ns;
        chunk.trace_id = letter.trace_id;
        chunk.venue = letter.venue;
        chunk.total_bytes = u32::try_from(letter.raw.len()).unwrap_or(u32::MAX);
        let reason = &letter.reason.as_bytes()[..letter.reason.len().min(12)];
        let detail = &letter.detail.as_bytes()[..letter.detail.len().min(20)];
        chunk.reason_bytes = reason.len() as u8;
        chunk.detail_bytes = detail.len() as u8;
        chunk.words[..reason.len()].copy_from_slice(reason);
        chunk.words[12..12 + detail.len()].copy_from_slice(detail);
        for index in 0..chunks {
            let part = &kept[index * CHUNK_BYTES..kept.len().min((index + 1) * CHUNK_BYTES)];
            chunk.bytes[..part.len()].copy_from_slice(part);
            chunk.chunk_bytes = part.len() as u32;
            chunk.is_last = u8::from(index + 1 == chunks);
            let published = self.lane.try_publish(chunk);
            debug_assert!(published.is_ok(), "room was checked");
        }
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// A dead letter on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Wall time, ns since the Unix epoch.
    pub wall_ns: i64,
    /// Trace of the frame or event.
    pub trace_id: u64,
    /// The venue it came from.
    pub venue: u16,
    /// Why; at most 12 bytes are kept.
    pub reason: &'static str,
    /// More on why; at most 20 bytes are kept.
    pub detail: &'static str,
    /// The bytes as they came.
    pub raw: &'a [u8],
}

/// Joins the chunks of all senders and writes the file. Owned by housekeeping.
pub struct DeadLetterFile {
    path: PathBuf,
    file: Option<File>,
    len: u64,
    sources: Vec<Source>,
    venues: Vec<String>,
    recent: VecDeque<String>,
    written: u64,
    failures: u64,
}

struct Source {
    lane: Consumer<LetterChunk>,
    raw: Vec<u8>,
}

/// Lines kept in memory for the report.
const RECENT_MAX: usize = 16;

impl DeadLetterFile {
    /// A file at `path`, created with its first letter. `venues` are the names by venue number.
    #[must_use]
    pub fn new(
        path: &Path,
        lanes: Vec<Consumer<LetterChunk>>,
        venues: Vec<String>,
    ) -> DeadLetterFile {
        let sources = lanes.into_iter().map(|lane| Source { lane, raw: Vec::new() }).collect();
        DeadLetterFile {
            path: path.to_owned(),
            file: None,
            len: 0,
            sources,
            venues,
            recent: VecDeque::new(),
            written: 0,
            failures: 0,
        }
    }

    /// Writes what has come in; returns how many letters.
    pub fn drain(&mut self) -> u64 {
        let mut lines = Vec::new();
        let Self { sources, venues, .. } = self;
        for Source { lane, raw } in sources {
            lane.poll(usize::MAX, |chunk| {
                let bytes = &chunk.bytes[..(chunk.chunk_bytes as usize).min(CHUNK_BYTES)];
                raw.extend_from_slice(bytes);
                if chunk.is_last == 1 {
                    lines.push(format_letter(chunk, raw, venues));
                    raw.clear();
                }
            });
        }
        for line in &lines {
            if let Err(error) = self.write_line(line) {
                self.failures += 1;
                if self.failures == 1 {
                    log::error!("[dead letters] writing {} failed: {error}", self.path.display());
                }
            } else {
                self.written += 1;
            }
        }
        let count = lines.len() as u64;
        for line in lines {
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(line);
        }
        count
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

    /// Where the file lies; `None` when no letter was written.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.is_some().then_some(self.path.as_path())
    }

    fn write_line(&mut self, line: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(&self.path)?),
        };
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        if let Err(error) = file.write_all(&bytes) {
            if file.set_len(self.len).is_ok() {
                let _position = file.seek(SeekFrom::Start(self.len));
            }
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

fn format_letter(chunk: &LetterChunk, raw: &[u8], venues: &[String]) -> String {
    let text = |from: usize, bytes: u8| {
        let end = (from + bytes as usize).min(chunk.words.len());
        String::from_utf8_lossy(&chunk.words[from..end]).into_owned()
    };
    let venue = venues.get(usize::from(chunk.venue)).map_or("engine", String::as_str);
    let mut letter = json!({
        "wall_ns": chunk.wall_ns,
        "venue": venue,
        "trace_id": chunk.trace_id,
        "reason": text(0, chunk.reason_bytes),
        "detail": text(12, chunk.detail_bytes),
        "bytes": chunk.total_bytes,
    });
    // Text stays readable; what is no UTF-8 is kept exactly, in hexadecimal.
    match std::str::from_utf8(raw) {
        Ok(text) => letter["raw"] = text.into(),
        Err(_) => {
            letter["raw_hex"] = raw.iter().map(|b| format!("{b:02x}")).collect::<String>().into();
        }
    }
    if raw.len() < chunk.total_bytes as usize {
        letter["cut_to_bytes"] = raw.len().into();
    }
    letter.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(raw: &[u8]) -> Letter<'_> {
        Letter { wall_ns: 1, trace_id: 7, venue: 0, reason: "malformed", detail: "field q", raw }
    }

    #[test]
    fn letters_of_any_size_are_joined_and_written_one_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.jsonl");
        let (mut sender, lane) = letter_lane("t", 128);
        let mut file = DeadLetterFile::new(&path, vec![lane], vec!["sim".into()]);
        let long = "x".repeat(3 * CHUNK_BYTES + 5);
        sender.send(letter(b"{oops"));
        sender.send(letter(long.as_bytes()));
        sender.send(letter(&[0xff, 0x00]));
        sender.send(letter(b""));
        assert_eq!(file.drain(), 4);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["raw"], "{oops");
        assert_eq!((&lines[0]["venue"], &lines[0]["detail"]), (&"sim".into(), &"field q".into()));
        assert_eq!(lines[1]["raw"].as_str().unwrap(), long);
        assert_eq!(lines[2]["raw_hex"], "ff00");
        assert_eq!(lines[3]["bytes"], 0);
    }

    #[test]
    fn a_full_lane_drops_whole_letters_and_counts_them() {
        let (mut sender, lane) = letter_lane("t", 2);
        let counts = sender.counts();
        let long = vec![b'x'; 2 * CHUNK_BYTES];
        sender.send(letter(&long));
        sender.send(letter(b"y"));
        assert_eq!((counts.sent(), counts.dropped()), (1, 1));
        let dir = tempfile::tempdir().unwrap();
        let mut file = DeadLetterFile::new(&dir.path().join("d"), vec![lane], vec![]);
        assert_eq!(file.drain(), 1);
    }

    #[test]
    fn a_full_disk_counts_and_goes_on() {
        let (mut sender, lane) = letter_lane("t", 8);
        let mut file = DeadLetterFile::new(Path::new("/dev/full"), vec![lane], vec![]);
        sender.send(letter(b"y"));
        file.drain();
        assert_eq!((file.written(), file.failures()), (0, 1));
    }
}
