//! What the segments before a number come to, in one file, so that a start need not read them.
//!
//! The file is written beside the segments, synced, and then given its name; what is in it is whole
//! or of no use. Its body is whoever's who folds the records; here it is bytes.

use std::io;
use std::path::{Path, PathBuf};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::segment_name::{number_in, numbered_path};
use crate::world::Files;

/// The end of a checkpoint's name, and of one that is being written.
const EXTENSION: &str = "checkpoint";
const UNFINISHED: &str = "checkpoint-new";
const MAGIC: [u8; 8] = *b"PITLCHKP";
/// Version of header and body.
const FORMAT: u16 = 2;
const HEADER_BYTES: usize = size_of::<Header>();

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    format: u16,
    header_bytes: u16,
    /// CRC-32 of the whole file with this field 0.
    crc: u32,
    number: u64,
    last_sequence: u64,
    last_epoch: u64,
    written_ns: i64,
    body_bytes: u64,
    next_begun_ns: i64,
}

const _: () = assert!(HEADER_BYTES == 64);

/// What a checkpoint stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointFacts {
    /// The first segment that is read behind it.
    pub number: u64,
    /// Sequence of the last record that is in it.
    pub last_sequence: u64,
    /// The start of an engine that wrote that.
    pub last_epoch: u64,
    /// When it was written: wall time, ns since the Unix epoch.
    pub written_ns: i64,
    /// When the segment was begun that is read first behind it, ns since the Unix epoch: no other
    /// journal's was.
    pub next_begun_ns: i64,
}

/// A checkpoint's file, whole or not.
#[derive(Debug)]
pub struct CheckpointFile {
    /// Its file.
    pub path: PathBuf,
    /// Number in its name.
    pub number: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// What it stands for, and its body; or why it is of no use.
    pub content: Result<(CheckpointFacts, Vec<u8>), &'static str>,
}

pub(crate) fn checkpoint_path(folder: &Path, number: u64) -> PathBuf {
    numbered_path(folder, number, EXTENSION)
}

pub(super) fn number_of(path: &Path) -> Option<u64> {
    number_in(path, EXTENSION)
}

/// The numbers of a folder's checkpoints, newest first.
pub(crate) fn checkpoint_numbers(files: &Files, folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> =
        files.list(folder)?.iter().filter_map(|path| number_of(path)).collect();
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    Ok(numbers)
}

/// The checkpoints of a folder, newest first.
///
/// # Errors
/// Of the folder; what is wrong with a file stands in its content.
pub fn read_checkpoints(files: &Files, folder: &Path) -> io::Result<Vec<CheckpointFile>> {
    let numbers = checkpoint_numbers(files, folder)?.into_iter();
    Ok(numbers.map(|number| read_checkpoint(files, folder, number)).collect())
}

/// One of them.
pub(crate) fn read_checkpoint(files: &Files, folder: &Path, number: u64) -> CheckpointFile {
    let path = checkpoint_path(folder, number);
    let text = files.read(&path).map_err(|_| "can't be read");
    let bytes = text.as_ref().map_or(0, |text| text.len() as u64);
    let content = text.and_then(|text| content(text, number));
    CheckpointFile { path, number, bytes, content }
}

fn content(mut text: Vec<u8>, number: u64) -> Result<(CheckpointFacts, Vec<u8>), &'static str> {
    let (header, _) = Header::read_from_prefix(&text).map_err(|_| "too short")?;
    if header.magic != MAGIC {
        return Err("no checkpoint");
    }
    text[12..16].fill(0);
    if crc32fast::hash(&text) != header.crc {
        return Err("torn or has rotted");
    }
    // Of another version, only what is before the checksum is known to be where it is here.
    match header.format {
        FORMAT => {}
        ..FORMAT => return Err("of an older version, which this program does not read"),
        _ => return Err("of a later version, which this program does not read"),
    }
    let is_whole = (text.len() - HEADER_BYTES) as u64 == header.body_bytes
        && usize::from(header.header_bytes) == HEADER_BYTES;
    if !is_whole {
        return Err("torn or has rotted");
    }
    if header.number != number {
        return Err("under another one's name");
    }
    let Header { last_sequence, last_epoch, written_ns, next_begun_ns, .. } = header;
    let facts = CheckpointFacts { number, last_sequence, last_epoch, written_ns, next_begun_ns };
    Ok((facts, text.split_off(HEADER_BYTES)))
}

/// Writes one; on the disk when this returns.
///
/// # Errors
/// The system's. Nothing that was there before is touched then.
pub(crate) fn write_checkpoint(
    files: &Files,
    folder: &Path,
    facts: CheckpointFacts,
    body: &[u8],
) -> io::Result<()> {
    let CheckpointFacts { number, last_sequence, last_epoch, written_ns, next_begun_ns } = facts;
    let header = Header {
        magic: MAGIC,
        format: FORMAT,
        header_bytes: HEADER_BYTES as u16,
        crc: 0,
        number,
        last_sequence,
        last_epoch,
        written_ns,
        body_bytes: body.len() as u64,
        next_begun_ns,
    };
    let mut text = Vec::with_capacity(HEADER_BYTES + body.len());
    text.extend_from_slice(header.as_bytes());
    text.extend_from_slice(body);
    let crc = crc32fast::hash(&text);
    text[12..16].copy_from_slice(&crc.to_le_bytes());
    let unfinished = numbered_path(folder, number, UNFINISHED);
    let written = files.create_private(&unfinished).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync()
    });
    let named = written.and_then(|()| files.rename(&unfinished, &checkpoint_path(folder, number)));
    if named.is_err() {
        // The room that it takes belongs to the segments.
        let _ = files.remove(&unfinished);
    }
    named
}

/// Removes what was left of checkpoints by engines that were killed while they wrote one.
///
/// # Errors
/// Of the folder, or of the first file that can't be removed.
pub(crate) fn remove_unfinished(files: &Files, folder: &Path) -> io::Result<()> {
    let is_one = |path: &PathBuf| path.extension().is_some_and(|of| of == UNFINISHED);
    files.list(folder)?.iter().filter(|path| is_one(path)).try_for_each(|path| files.remove(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{FileConditions, VirtualFiles};

    #[test]
    fn a_checkpoint_is_whole_or_of_no_use_at_every_byte_and_bit() {
        let folder = Path::new("/journal");
        let files = Files::Virtual(VirtualFiles::new(7, FileConditions::default()));
        files.make_private_folder(folder).unwrap();
        let facts = CheckpointFacts {
            number: 17,
            last_sequence: 9,
            last_epoch: 3,
            written_ns: 5,
            next_begun_ns: 7,
        };
        write_checkpoint(&files, folder, facts, b"what it comes to").unwrap();
        let older = CheckpointFacts { number: 5, ..facts };
        write_checkpoint(&files, folder, older, b"").unwrap();
        let read = || read_checkpoints(&files, folder).unwrap();
        assert_eq!(read().iter().map(|of| of.number).collect::<Vec<_>>(), [17, 5]);
        let (found, body) = read().remove(0).content.unwrap();
        assert_eq!((found, body.as_slice()), (facts, b"what it comes to".as_slice()));
        assert_eq!(read().remove(1).content.unwrap().0, older);
        let path = checkpoint_path(folder, 17);
        let whole = files.read(&path).unwrap();
        let is_refused = |bytes: &[u8]| {
            files.create_private(&path).unwrap().write_all(bytes).unwrap();
            let read = read();
            assert!(read[1].content.is_ok(), "the one before is as it was");
            read[0].content.is_err()
        };
        for cut in 0..whole.len() {
            assert!(is_refused(&whole[..cut]), "cut at {cut}");
        }
        for bit in 0..8 * whole.len() {
            let mut rotten = whole.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert!(is_refused(&rotten), "bit {bit}");
        }
        assert!(!is_refused(&whole));
        files.rename(&path, &checkpoint_path(folder, 18)).unwrap();
        assert_eq!(read()[0].content.as_ref().err(), Some(&"under another one's name"));
    }
}
