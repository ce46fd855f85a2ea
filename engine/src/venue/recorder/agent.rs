//! The agent that writes what sessions tell.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_ring::{Consumer, LaneOptions, lane};

use super::files::ConnectionFiles;
use super::tap::{Kind, Piece, Tap};
use super::totals::{RecordedConnection, RecorderTotals};
use crate::runtime::Agent;
use crate::world::{Clock, File, Files};

/// Pieces on their way, a connection: 16 MiB, three of the longest frames that are known.
const PIECES: usize = 4_096;
/// Pieces of a connection in one duty cycle.
const PIECES_PER_CYCLE: usize = 1_024;
/// What is kept back is written this often, ns.
const FLUSH_NS: u64 = 1_000_000_000;
/// Without anything to do the lanes are looked at this often, ns.
const POLL_NS: u64 = 5_000_000;
/// The list of snapshots, and what is in a venue's folder beside it.
const REST_INDEX: &str = "rest_index.jsonl";
const KIND_FILE: &str = "venue.txt";
/// The folder of what the venue says of its instruments.
const INSTRUMENTS: &str = "instruments";

/// How a [`Recorder`] records.
#[derive(Clone, Debug)]
pub struct RecorderOptions {
    /// Where the folders of the venues are made. They must not be there yet.
    pub folder: PathBuf,
    /// A file with frames has at most so many bytes, if not one frame has more.
    pub file_bytes_max: u64,
    /// All files together; then the recording ends.
    pub bytes_max: u64,
}

/// The agent.
pub struct Recorder {
    options: RecorderOptions,
    files: Files,
    connections: Vec<Connection>,
    totals: RecorderTotals,
    bytes: u64,
    has_ended: bool,
    flush_due_ns: u64,
    clock: Clock,
}

/// One recorded connection.
struct Connection {
    pieces: Consumer<Piece>,
    lost: Arc<AtomicU64>,
    folder: PathBuf,
    files: ConnectionFiles,
    /// The list of snapshots, where it has any.
    index: Option<File>,
    /// The text whose pieces are arriving.
    text: Vec<u8>,
    /// Texts that came after the end.
    unwritten: u64,
}

impl Recorder {
    /// A recorder of nothing yet.
    #[must_use]
    pub fn new(options: RecorderOptions, clock: Clock, files: Files) -> Recorder {
        Recorder {
            options,
            files,
            connections: Vec::new(),
            totals: RecorderTotals::default(),
            bytes: 0,
            has_ended: false,
            flush_due_ns: 0,
            clock,
        }
    }

    /// What it has done, for whoever started it.
    #[must_use]
    pub fn totals(&self) -> RecorderTotals {
        self.totals.clone()
    }

    /// How it records.
    #[must_use]
    pub fn options(&self) -> &RecorderOptions {
        &self.options
    }

    /// The tap of one more session: of this venue of this kind, in this role.
    ///
    /// # Errors
    /// The system's, when the venue's folder can't be made, or is there already.
    pub fn tap(&mut self, venue: &str, kind: &str, role: &str, clock: &Clock) -> io::Result<Tap> {
        let folder = self.options.folder.join(venue);
        if !self.connections.iter().any(|connection| connection.folder == folder) {
            self.files.make_private_folder(&self.options.folder)?;
            self.files.make_new_folder(&folder)?;
            let mut file = self.files.create_private(&folder.join(KIND_FILE))?;
            file.write_all(format!("{kind}\n").as_bytes())?;
        }
        let name = format!("{venue}:{role}>recorder");
        let (publisher, pieces) = lane(LaneOptions { name, capacity: PIECES });
        let lost = Arc::new(AtomicU64::new(0));
        let max = self.options.file_bytes_max;
        self.connections.push(Connection {
            pieces,
            lost: Arc::clone(&lost),
            files: ConnectionFiles::new(self.files.clone(), folder.clone(), role, max),
            folder,
            index: None,
            text: Vec::new(),
            unwritten: 0,
        });
        let (venue, role) = (venue.to_owned(), role.to_owned());
        let connection = RecordedConnection { venue, role, ..RecordedConnection::default() };
        self.totals.change(|totals| totals.connections.push(connection));
        Ok(Tap::new(publisher, lost, clock.clone()))
    }

    /// Takes what has come; how much.
    fn take(&mut self) -> usize {
        let mut work = 0;
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            let mut texts = Vec::new();
            let text = &mut connection.text;
            work += connection.pieces.poll(PIECES_PER_CYCLE, |piece| {
                text.extend_from_slice(piece.used());
                if piece.is_last == 1 {
                    let kind = Kind::ALL.get(usize::from(piece.kind)).copied();
                    texts.push((kind, piece.time_ns, std::mem::take(text)));
                }
            });
            for (kind, time_ns, text) in texts {
                self.write(index, kind.unwrap_or(Kind::Note), time_ns, &text);
            }
            let connection = &self.connections[index];
            let lost = connection.lost.load(Ordering::Relaxed) + connection.unwritten;
            self.totals.change(|totals| totals.connections[index].lost = lost);
        }
        work
    }

    fn write(&mut self, index: usize, kind: Kind, time_ns: i64, text: &[u8]) {
        let is_full = self.bytes + text.len() as u64 > self.options.bytes_max;
        if is_full && !self.has_ended {
            let mib = self.options.bytes_max >> 20;
            self.end(format!("{mib} MiB are full, as much as it may take"));
        }
        if self.has_ended {
            self.connections[index].unwritten += 1;
            return;
        }
        match self.try_write(index, kind, time_ns, text) {
            Ok(bytes) => {
                self.bytes += bytes;
                let files = self.connections[index].files.parts;
                self.totals.change(|totals| {
                    let totals = &mut totals.connections[index];
                    totals.bytes += bytes;
                    totals.files = files;
                    match kind {
                        Kind::Frame => totals.frames += 1,
                        Kind::Sent => totals.sent += 1,
                        Kind::Snapshot => totals.snapshots += 1,
                        Kind::Instruments => totals.instrument_lists += 1,
                        Kind::Note => totals.note(time_ns, &String::from_utf8_lossy(text)),
                    }
                });
            }
            Err(error) => {
                self.connections[index].unwritten += 1;
                self.end(format!("writing failed: {error} (code: io)"));
            }
        }
    }

    fn try_write(
        &mut self,
        index: usize,
        kind: Kind,
        time_ns: i64,
        text: &[u8],
    ) -> io::Result<u64> {
        let connection = &mut self.connections[index];
        match kind {
            Kind::Frame => connection.files.frame(time_ns, text),
            Kind::Sent => connection.files.sent(time_ns, text),
            Kind::Note => connection.files.note(time_ns, &String::from_utf8_lossy(text)),
            Kind::Snapshot => self.write_snapshot(index, time_ns, text),
            Kind::Instruments => self.write_instruments(index, text),
        }
    }

    fn write_instruments(&mut self, index: usize, text: &[u8]) -> io::Result<u64> {
        let folder = self.connections[index].folder.clone();
        let number = self.number_of(&folder, |totals| totals.instrument_lists);
        let file = folder.join(INSTRUMENTS).join(format!("{number:06}.json"));
        self.files.create_private(&file)?.write_all(text)?;
        Ok(text.len() as u64)
    }

    /// The number of a venue's next one of what is counted, from 1.
    fn number_of(&self, folder: &Path, counted: fn(&RecordedConnection) -> u64) -> u64 {
        self.totals.change(|totals| {
            let of_venue = totals.connections.iter().zip(&self.connections);
            let of_venue = of_venue.filter(|(_, connection)| connection.folder == folder);
            of_venue.map(|(totals, _)| counted(totals)).sum::<u64>() + 1
        })
    }

    fn write_snapshot(&mut self, index: usize, time_ns: i64, text: &[u8]) -> io::Result<u64> {
        let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
        let (native, body) = (String::from_utf8_lossy(&text[..end]), text.get(end + 1..));
        let folder = self.connections[index].folder.clone();
        // All connections of a venue have one list.
        let first = self.connections.iter().position(|c| c.folder == folder).unwrap_or(index);
        let number = self.number_of(&folder, |totals| totals.snapshots);
        let file = format!("rest/{number:06}.json");
        self.files.create_private(&folder.join(&file))?.write_all(body.unwrap_or_default())?;
        let us = time_ns / 1_000;
        let recv_s = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
        let symbol = serde_json::Value::from(native.as_ref());
        let line = format!("{{\"symbol\":{symbol},\"recv_s\":{recv_s},\"file\":\"{file}\"}}\n");
        let list = match &mut self.connections[first].index {
            Some(list) => list,
            none => none.insert(self.files.create_private(&folder.join(REST_INDEX))?),
        };
        list.write_all(line.as_bytes())?;
        Ok((text.len() + line.len()) as u64)
    }

    /// Nothing more is recorded; what was stays.
    fn end(&mut self, why: String) {
        log::error!(
            "[recorder] {}: {why}; nothing more is recorded",
            self.options.folder.display()
        );
        self.has_ended = true;
        self.totals.change(|totals| totals.end = Some(why));
        self.flush();
    }

    fn flush(&mut self) {
        let flushed = self.connections.iter_mut().map(|connection| connection.files.flush());
        let failed = flushed.filter_map(Result::err).last();
        if let Some(error) = failed.filter(|_| !self.has_ended) {
            self.has_ended = true;
            let why = format!("writing failed: {error} (code: io)");
            log::error!("[recorder] {}: {why}", self.options.folder.display());
            self.totals.change(|totals| totals.end = Some(why));
        }
    }
}

impl Agent for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    fn duty_cycle(&mut self) -> usize {
        let work = self.take();
        let now_ns = self.clock.now_ns();
        if now_ns >= self.flush_due_ns {
            self.flush_due_ns = now_ns + FLUSH_NS;
            self.flush();
        }
        work
    }

    fn next_timer_ns(&self) -> u64 {
        self.clock.now_ns() + POLL_NS
    }

    /// When it is asked to stop, what has come by then is still to be written.
    fn is_done(&self) -> bool {
        false
    }

    fn on_close(mut self: Box<Self>) {
        while self.take() > 0 {}
        self.flush();
    }
}

#[cfg(test)]
mod tests;
