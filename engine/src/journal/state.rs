//! What a strategy wants to know after a restart, kept beside the journal.
//!
//! Each strategy has two files of its own in the journal's folder, written in turn: what stands in
//! the other is whole while one is written, so that a process that dies in the middle loses the
//! newest state and no more. All numbers are little endian; see `docs/journal.md`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pitlane_ring::Exchange;
use thiserror::Error;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::world::{Files, fnv_of};

/// The most that a strategy may save, bytes.
pub const STATE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a name.
const NAME_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"PITLSAVE";
/// Version of the layout.
const FORMAT: u16 = 1;
const HEADER_BYTES: usize = size_of::<Header>();

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    format: u16,
    header_bytes: u16,
    /// CRC-32 of the whole file with this field 0.
    crc: u32,
    /// Which of both files is newer.
    generation: u64,
    /// Wall time, ns since the Unix epoch.
    at_ns: i64,
    version: u32,
    state_bytes: u32,
    /// The strategy's name, padded with zeros.
    name: [u8; NAME_BYTES],
    reserved: [u8; 24],
}

const _: () = assert!(HEADER_BYTES == 128);

/// What a strategy has saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    /// Its own version of what it saves.
    pub version: u32,
    /// When it was saved, ns since the Unix epoch.
    pub at_ns: i64,
    /// What it has written.
    pub bytes: Vec<u8>,
}

/// A strategy wants to save more than it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a state of {wanted} bytes and more: saves_bytes() says {room} (code: state_too_large)")]
pub struct StateTooLarge {
    /// What it would have come to.
    pub wanted: usize,
    /// What there is room for.
    pub room: usize,
}

/// Where a strategy writes its state: memory that is there from the start.
#[derive(Debug)]
pub struct StateBuffer {
    version: u32,
    at_ns: i64,
    bytes: Vec<u8>,
    room: usize,
}

impl StateBuffer {
    /// An empty one with room for so many bytes.
    #[must_use]
    pub fn with_room(room: usize) -> StateBuffer {
        StateBuffer { version: 0, at_ns: 0, bytes: Vec::with_capacity(room), room }
    }

    /// Empties it for a state of this version.
    pub(crate) fn begin(&mut self, version: u32, at_ns: i64) {
        self.bytes.clear();
        (self.version, self.at_ns) = (version, at_ns);
    }

    /// Writes bytes behind what is there.
    ///
    /// # Errors
    /// [`StateTooLarge`] when there is no room; nothing is written then.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), StateTooLarge> {
        let wanted = self.bytes.len().saturating_add(bytes.len());
        if wanted > self.room {
            return Err(StateTooLarge { wanted, room: self.room });
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes that have still room.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room - self.bytes.len()
    }

    /// As it would be restored.
    #[must_use]
    pub fn saved(&self) -> SavedState {
        SavedState { version: self.version, at_ns: self.at_ns, bytes: self.bytes.clone() }
    }
}

/// The way of a strategy's states to whoever writes them, and of their memory back.
#[derive(Debug, Default)]
pub(crate) struct StatePort {
    filled: Exchange<StateBuffer>,
    empty: Exchange<StateBuffer>,
}

impl StatePort {
    /// A way with memory for two states of so many bytes.
    pub(crate) fn with_room(room: usize) -> (Arc<StatePort>, Box<StateBuffer>) {
        let port = StatePort::default();
        let _ignored = port.empty.put(Box::new(StateBuffer::with_room(room)));
        (Arc::new(port), Box::new(StateBuffer::with_room(room)))
    }

    /// Memory for the next state: what was written, or else what waits and is older.
    pub(crate) fn memory(&self) -> Option<Box<StateBuffer>> {
        self.empty.take().or_else(|| self.filled.take())
    }

    /// Enqueues a state to be written; gives it back while the place is taken.
    pub(crate) fn put(&self, state: Box<StateBuffer>) -> Result<(), Box<StateBuffer>> {
        self.filled.put(state)
    }
}

/// The files of one strategy.
pub(super) struct StateFiles {
    name: String,
    port: Arc<StatePort>,
    paths: [PathBuf; 2],
    generation: u64,
    text: Vec<u8>,
    fails: bool,
}

impl StateFiles {
    pub(super) fn new(
        files: &Files,
        folder: &Path,
        name: &str,
        port: Arc<StatePort>,
    ) -> StateFiles {
        let found = paths(folder, name).map(|path| read(files, &path, name).ok());
        let newest = found.iter().flatten().map(|(generation, _)| *generation).max();
        StateFiles {
            name: name.to_owned(),
            port,
            paths: paths(folder, name),
            generation: newest.unwrap_or_default(),
            text: Vec::new(),
            fails: false,
        }
    }

    /// Writes what the strategy has left; whether there was anything.
    pub(super) fn write(&mut self, files: &Files, is_durable: bool) -> bool {
        let Some(state) = self.port.filled.take() else { return false };
        // Only what was written counts: one that fails is tried again over the same file, and the
        // other file, which has the last whole state, is left alone.
        let generation = self.generation + 1;
        fill(&mut self.text, &self.name, generation, &state);
        let path = &self.paths[(generation % 2) as usize];
        let written = files.create_private(path).and_then(|mut file| {
            file.write_all(&self.text)?;
            if is_durable { file.sync() } else { Ok(()) }
        });
        if let Err(error) = &written
            && !self.fails
        {
            log::error!(
                "[journal] the state of {} could not be saved to {}: {error} (code: io). A restart \
                 would begin with an older one, or with none",
                self.name,
                path.display()
            );
        }
        self.fails = written.is_err();
        if written.is_ok() {
            self.generation = generation;
        }
        let _ignored = self.port.empty.put(state);
        true
    }
}

fn paths(folder: &Path, name: &str) -> [PathBuf; 2] {
    let hash = fnv_of(name.as_bytes());
    [0, 1].map(|half| folder.join(format!("{hash:016x}-{half}.state")))
}

/// Whether a file is called as the states of a strategy are.
pub(super) fn is_state(path: &Path) -> bool {
    let is_one = path.extension().is_some_and(|of| of == "state");
    let stem = path.file_stem().filter(|_| is_one).and_then(|stem| stem.to_str());
    let halves = stem.and_then(|stem| stem.split_once('-'));
    halves.is_some_and(|(hash, half)| {
        let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash && matches!(half, "0" | "1")
    })
}

fn fill(text: &mut Vec<u8>, name: &str, generation: u64, state: &StateBuffer) {
    let mut header = Header::new_zeroed();
    header.magic = MAGIC;
    (header.format, header.header_bytes) = (FORMAT, HEADER_BYTES as u16);
    (header.generation, header.at_ns) = (generation, state.at_ns);
    (header.version, header.state_bytes) = (state.version, state.bytes.len() as u32);
    let len = name.len().min(NAME_BYTES);
    header.name[..len].copy_from_slice(&name.as_bytes()[..len]);
    text.clear();
    text.extend_from_slice(header.as_bytes());
    text.extend_from_slice(&state.bytes);
    let crc = crc32fast::hash(text);
    text[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// Reads one file.
fn read(files: &Files, path: &Path, name: &str) -> Result<(u64, SavedState), &'static str> {
    let mut text = files.read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "not there",
        _ => "can't be read",
    })?;
    let (header, _) = Header::read_from_prefix(&text).map_err(|_| "too short")?;
    if header.magic != MAGIC {
        return Err("no state of a strategy");
    }
    if header.format != FORMAT || usize::from(header.header_bytes) != HEADER_BYTES {
        return Err("of a version that this engine does not read");
    }
    text[12..16].fill(0);
    let is_whole = text.len() == HEADER_BYTES + header.state_bytes as usize
        && crc32fast::hash(&text) == header.crc;
    if !is_whole {
        return Err("torn or has rotted");
    }
    let len = name.len().min(NAME_BYTES);
    if header.name[..len] != name.as_bytes()[..len] {
        return Err("another strategy's");
    }
    let bytes = text.split_off(HEADER_BYTES);
    Ok((header.generation, SavedState { version: header.version, at_ns: header.at_ns, bytes }))
}

/// The newest state of a strategy that is whole; `None` where there is none.
#[must_use]
pub fn read_state(files: &Files, folder: &Path, name: &str) -> Option<SavedState> {
    let found = paths(folder, name).map(|path| (read(files, &path, name), path));
    let bad = found.iter().filter_map(|(read, path)| {
        let reason = read.as_ref().err().filter(|reason| **reason != "not there")?;
        Some(format!("{} is {reason}", path.display()))
    });
    let bad: Vec<String> = bad.collect();
    let whole = found.into_iter().filter_map(|(read, _)| read.ok());
    let newest = whole.max_by_key(|(generation, _)| *generation).map(|(_, state)| state);
    match (bad.is_empty(), &newest) {
        (true, _) => {}
        (false, Some(_)) => log::warn!("[journal] {}: the other state is taken", bad.join(", ")),
        (false, None) => {
            log::error!("[journal] {}: {name} begins without its state", bad.join(", "));
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{FileConditions, VirtualFiles};

    fn folder() -> &'static Path {
        Path::new("/journal")
    }

    fn disk() -> Files {
        let files = Files::Virtual(VirtualFiles::new(7, FileConditions::default()));
        files.make_private_folder(folder()).unwrap();
        files
    }

    /// Saves a state as a strategy and a keeper do.
    fn save(files: &Files, name: &str, version: u32, bytes: &[u8]) {
        let (port, mut state) = StatePort::with_room(64);
        let mut its = StateFiles::new(files, folder(), name, Arc::clone(&port));
        state.begin(version, 5);
        state.put(bytes).unwrap();
        port.put(state).unwrap();
        assert!(its.write(files, false) && !its.write(files, false));
    }

    #[test]
    fn only_what_is_called_as_a_state_is_one() {
        for path in paths(folder(), "one") {
            assert!(is_state(&path), "{path:?}");
        }
        for name in ["0123456789abcdef-2.state", "key.state", "0123456789abcdef-0.state.bak"] {
            assert!(!is_state(&folder().join(name)), "{name}");
        }
    }

    #[test]
    fn the_newest_state_of_a_name_is_found_and_no_other() {
        let files = disk();
        assert_eq!(read_state(&files, folder(), "one"), None);
        for round in 0..5_u8 {
            save(&files, "one", u32::from(round), &[round; 9]);
            let expected =
                SavedState { version: u32::from(round), at_ns: 5, bytes: vec![round; 9] };
            assert_eq!(read_state(&files, folder(), "one"), Some(expected));
        }
        assert_eq!(read_state(&files, folder(), "two"), None);
        assert_eq!(files.list(folder()).unwrap().len(), 2, "two files, however often");
    }

    #[test]
    fn a_newest_file_that_is_cut_anywhere_or_rotten_in_any_bit_leaves_the_one_before() {
        let files = disk();
        save(&files, "one", 1, b"before");
        save(&files, "one", 2, b"newest");
        let path = &paths(folder(), "one")[0];
        let whole = files.read(path).unwrap();
        let before = |bytes: &[u8]| {
            files.create_private(path).unwrap().write_all(bytes).unwrap();
            let state = read_state(&files, folder(), "one").expect("one of both is whole");
            (state.version, state.bytes == b"before")
        };
        for cut in 0..whole.len() {
            assert_eq!(before(&whole[..cut]), (1, true), "cut at {cut}");
        }
        for bit in 0..8 * whole.len() {
            let mut rotten = whole.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(before(&rotten), (1, true), "bit {bit}");
        }
        assert_eq!(before(&whole), (2, false));
    }

    #[test]
    fn saves_that_fail_in_a_row_leave_the_last_whole_state() {
        let dir = tempfile::tempdir().unwrap();
        let (files, folder) = (Files::Real, dir.path());
        let (port, mut state) = StatePort::with_room(64);
        let mut its = StateFiles::new(&files, folder, "one", Arc::clone(&port));
        let mut save = |state: &mut Option<Box<StateBuffer>>, version: u32| {
            let mut next = state.take().or_else(|| port.memory()).unwrap();
            next.begin(version, 5);
            next.put(b"whole").unwrap();
            port.put(next).unwrap();
            assert!(its.write(&files, false));
            read_state(&files, folder, "one").map(|state| state.version)
        };
        state.begin(0, 0);
        let mut first = Some(state);
        assert_eq!(save(&mut first, 1), Some(1));
        // Nothing can be written where the next one goes.
        let next = &paths(folder, "one")[0];
        std::fs::create_dir(next).unwrap();
        for version in 2..6 {
            assert_eq!(save(&mut None, version), Some(1), "{version}");
        }
        std::fs::remove_dir(next).unwrap();
        assert_eq!(save(&mut None, 6), Some(6));
    }

    #[test]
    fn a_state_has_the_room_that_was_asked_for() {
        let mut state = StateBuffer::with_room(4);
        state.begin(1, 0);
        state.put(b"abc").unwrap();
        assert_eq!(state.put(b"de"), Err(StateTooLarge { wanted: 5, room: 4 }));
        assert_eq!((state.room(), state.saved().bytes), (1, b"abc".to_vec()));
    }

    #[test]
    fn what_waits_is_overtaken_by_what_is_newer() {
        let (port, mut first) = StatePort::with_room(4);
        first.begin(1, 0);
        port.put(first).unwrap();
        let mut second = port.memory().expect("there are two");
        second.begin(2, 0);
        let second = port.put(second).expect_err("the first has not been written");
        assert_eq!(port.memory().expect("the first").version, 1);
        port.put(second).unwrap();
        assert_eq!(port.filled.take().unwrap().version, 2);
    }
}
