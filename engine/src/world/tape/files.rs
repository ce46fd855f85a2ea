//! The files of a record: numbered parts of blocks, each with its checksum.

use std::path::{Path, PathBuf};

use super::error::TapeError;
use crate::world::{File, Files};

/// First bytes of each part: these, the version, the number of the part; 16 bytes.
const MAGIC: [u8; 8] = *b"PITTAPE\0";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 16;
/// Before each block: its length, the same with all bits turned, its CRC-32; 4 bytes each. So a
/// length that is damaged does not pass for a block that is cut off.
const BLOCK_HEAD_BYTES: usize = 12;
/// The longest block.
const BLOCK_BYTES_MAX: usize = 1 << 16;
/// What the name of a part begins with.
const PART_PREFIX: &str = "tape-";
/// A part with more bytes is followed by the next.
const PART_BYTES: u64 = 64 << 20;

/// The writing end of a record.
#[derive(Debug)]
pub struct TapeFolder {
    files: Files,
    folder: PathBuf,
    file: File,
    part: u32,
    /// Bytes of the part, and of all parts.
    part_bytes: u64,
    bytes: u64,
    bytes_max: u64,
    /// Head and block, as they are written.
    staged: Vec<u8>,
}

impl TapeFolder {
    /// A record in a new folder, its owner's alone, of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When the folder is there already or can't be made.
    pub fn create(files: &Files, folder: &Path, bytes_max: u64) -> Result<TapeFolder, TapeError> {
        let failed = |source| TapeError::Io { path: folder.to_owned(), source };
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            files.make_private_folder(above).map_err(failed)?;
        }
        files.make_new_folder(folder).map_err(failed)?;
        let begun = files.create_private(&part_path(folder, 0)).and_then(|mut file| {
            file.write_all(&part_head(0))?;
            Ok(file)
        });
        let file = begun.map_err(|source| {
            remove_record(files, folder);
            failed(source)
        })?;
        let bytes = HEAD_BYTES as u64;
        Ok(TapeFolder {
            files: files.clone(),
            folder: folder.to_owned(),
            file,
            part: 0,
            part_bytes: bytes,
            bytes,
            bytes_max,
            staged: Vec::with_capacity(BLOCK_BYTES_MAX),
        })
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether one more block of this length is allowed.
    #[must_use]
    pub fn has_room(&self, len: usize) -> bool {
        self.bytes + (len + BLOCK_HEAD_BYTES + HEAD_BYTES) as u64 <= self.bytes_max
    }

    /// Appends a block of at most 64 KiB.
    ///
    /// # Errors
    /// The system's; a part of the block may be in the file then, which ends the record there.
    pub fn append(&mut self, block: &[u8]) -> Result<(), TapeError> {
        if self.part_bytes > PART_BYTES {
            self.part += 1;
            let path = part_path(&self.folder, self.part);
            let made = self.files.create_private(&path);
            self.file = made.map_err(|source| TapeError::Io { path, source })?;
            self.part_bytes = 0;
            self.write(&part_head(self.part))?;
        }
        let mut staged = std::mem::take(&mut self.staged);
        staged.clear();
        let len = block.len() as u32;
        staged.extend_from_slice(&len.to_le_bytes());
        staged.extend_from_slice(&(!len).to_le_bytes());
        staged.extend_from_slice(&checksum(self.part, block).to_le_bytes());
        staged.extend_from_slice(block);
        let written = self.write(&staged);
        self.staged = staged;
        written
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TapeError> {
        let path = || part_path(&self.folder, self.part);
        let written = self.file.write_all(bytes);
        written.map_err(|source| TapeError::Io { path: path(), source })?;
        self.part_bytes += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// The reading end of a record.
#[derive(Debug)]
pub struct TapeReader {
    files: Files,
    folder: PathBuf,
    /// The part that is read, its number, and how far.
    data: Vec<u8>,
    part: u32,
    at: usize,
    /// A block or a part that is cut off: the process was ended there.
    is_cut: bool,
}

impl TapeReader {
    /// A reader of the record in `folder`, all of whose checksums hold.
    ///
    /// # Errors
    /// [`TapeError`]: no record, one of another version, or a damaged one.
    pub fn open(files: &Files, folder: &Path) -> Result<TapeReader, TapeError> {
        let mut checked = TapeReader::begin(files, folder)?;
        while checked.next_block()?.is_some() {}
        TapeReader::begin(files, folder)
    }

    fn begin(files: &Files, folder: &Path) -> Result<TapeReader, TapeError> {
        let (data, part, at) = (Vec::new(), 0, 0);
        let (files, folder) = (files.clone(), folder.to_owned());
        let mut reader = TapeReader { files, folder, data, part, at, is_cut: false };
        match reader.load(0)? {
            true => Ok(reader),
            false => Err(TapeError::NoRecord { path: reader.folder }),
        }
    }

    /// Whether there is such a part; it is the one that is read then.
    fn load(&mut self, part: u32) -> Result<bool, TapeError> {
        let path = part_path(&self.folder, part);
        if !self.files.is_there(&path) {
            return match self.has_later(part)? {
                true => Err(TapeError::Missing { path }),
                false => Ok(false),
            };
        }
        let read = self.files.read(&path);
        let data = read.map_err(|source| TapeError::Io { path: path.clone(), source })?;
        // The process or the disk ended between its making and its head.
        if part > 0 && data.len() < HEAD_BYTES && part_head(part).starts_with(&data) {
            if self.has_later(part)? {
                return Err(TapeError::Damaged { path, offset: 0 });
            }
            self.is_cut = true;
            return Ok(false);
        }
        self.data = data;
        let head = self.data.get(..HEAD_BYTES).unwrap_or_default();
        let Some((magic, numbers)) = head.split_first_chunk::<8>() else {
            return Err(TapeError::NotATape { path });
        };
        let (numbers, _) = numbers.as_chunks::<4>();
        let &[version, number] = numbers else { return Err(TapeError::NotATape { path }) };
        let (version, number) = (u32::from_le_bytes(version), u32::from_le_bytes(number));
        if *magic != MAGIC {
            return Err(TapeError::NotATape { path });
        }
        if version != VERSION {
            return Err(TapeError::Version { path, version, known: VERSION });
        }
        if number != part {
            return Err(TapeError::Damaged { path, offset: 0 });
        }
        (self.part, self.at) = (part, HEAD_BYTES);
        Ok(true)
    }

    /// Whether there is a part behind this one, be it the next or not.
    fn has_later(&self, part: u32) -> Result<bool, TapeError> {
        let listed = self.files.list(&self.folder);
        let listed =
            listed.map_err(|source| TapeError::Io { path: self.folder.clone(), source })?;
        let number = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.strip_prefix(PART_PREFIX)?;
            name.parse::<u32>().ok()
        };
        Ok(listed.iter().filter_map(number).any(|number| number > part))
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// [`TapeError::Damaged`], where a checksum does not hold.
    pub fn next_block(&mut self) -> Result<Option<&[u8]>, TapeError> {
        if self.at == self.data.len() && !self.load(self.part + 1)? {
            return Ok(None);
        }
        let (at, part) = (self.at, self.part);
        let path = part_path(&self.folder, part);
        let rest = &self.data[at..];
        let damaged = Err(TapeError::Damaged { path, offset: at as u64 });
        let block = rest.split_at_checked(BLOCK_HEAD_BYTES).map(|(head, rest)| {
            let (head, _) = head.as_chunks::<4>();
            let [len, turned, crc] = [0, 1, 2].map(|at| u32::from_le_bytes(head[at]));
            let is_length = len == !turned && len as usize <= BLOCK_BYTES_MAX;
            (is_length, len as usize, crc, rest.get(..len as usize))
        });
        match block {
            Some((false, ..)) => damaged,
            Some((true, len, crc, Some(block))) => {
                if checksum(part, block) != crc {
                    return damaged;
                }
                self.at += BLOCK_HEAD_BYTES + len;
                Ok(Some(&self.data[at + BLOCK_HEAD_BYTES..self.at]))
            }
            // The last block of all was being written when the process or the disk ended.
            _ if !self.has_later(part)? => {
                (self.at, self.is_cut) = (self.data.len(), true);
                Ok(None)
            }
            _ => damaged,
        }
    }

    /// Where the block that was given last ends: the number of its part, and the byte there.
    pub(super) fn at(&self) -> (u32, u64) {
        (self.part, self.at as u64)
    }

    /// The file of a part.
    pub(super) fn part(&self, number: u32) -> PathBuf {
        part_path(&self.folder, number)
    }

    /// Whether the last block is cut off, or the last part before its first.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// The folders above one that are not there, the innermost first: a record that is made there makes
/// them.
pub(crate) fn missing_above(files: &Files, folder: &Path) -> Vec<PathBuf> {
    let above = folder.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
    above.take_while(|above| !files.is_there(above)).map(Path::to_owned).collect()
}

/// Removes a record whose run has never begun: its folder with its parts. Whatever else may lie
/// there stays.
pub(crate) fn remove_record(files: &Files, folder: &Path) {
    let parts = (0..).map(|part| part_path(folder, part));
    for part in parts.take_while(|part| files.is_there(part)) {
        if files.remove(&part).is_err() {
            return;
        }
    }
    // It stays where it holds more.
    let _ = files.remove_empty_folder(folder);
}

fn part_path(folder: &Path, part: u32) -> PathBuf {
    folder.join(format!("{PART_PREFIX}{part:06}"))
}

fn part_head(part: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..].copy_from_slice(&part.to_le_bytes());
    head
}

/// Over the part's number, the length and the bytes, so that no block passes for another part's.
fn checksum(part: u32, block: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&part.to_le_bytes());
    hasher.update(&(block.len() as u32).to_le_bytes());
    hasher.update(block);
    hasher.finalize()
}
