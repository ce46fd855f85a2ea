//! The files seam: what an engine reads and writes on a disk, or on a virtual one in memory.
//!
//! Files that are made here are their owner's alone (0600, folders 0700), and nothing is opened
//! through a planted link, FIFO, device or second name (F39); opening one of them blocks nobody.

#![allow(clippy::disallowed_methods, reason = "the seam itself")]

mod file;
mod folder;
mod inode;
mod plain_file;
mod segment;
mod virtual_files;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

pub use file::File;
pub use plain_file::PlainFile;
pub use segment::{Segment, SegmentFile};
pub use virtual_files::{FileConditions, FileTotals, VirtualFiles};

/// The file that is locked in a folder.
const LOCK_FILE: &str = "lock";

/// Bytes of the longest text that is read as one.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// Makes, reads, moves and removes files. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Files {
    /// The system's.
    #[default]
    Real,
    /// In memory.
    Virtual(VirtualFiles),
}

impl Files {
    /// Creates or empties a plain file that only its owner can read, with the folders above it.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` where a link, FIFO, device or a file with a second name stands
    /// there.
    pub fn create_private(&self, path: &Path) -> io::Result<File> {
        match self {
            Files::Real => {
                let mut file = open_private(path)?;
                file.set_len(0)?;
                Ok(file)
            }
            Files::Virtual(files) => Ok(File::Virtual(files.create(path)?)),
        }
    }

    /// Opens a private file to go on writing behind its last byte; makes it where it is not there.
    ///
    /// # Errors
    /// As [`Files::create_private`].
    pub fn append_private(&self, path: &Path) -> io::Result<File> {
        match self {
            Files::Real => {
                let mut file = open_private(path)?;
                let len = file.len()?;
                file.set_len(len)?;
                Ok(file)
            }
            Files::Virtual(files) => Ok(File::Virtual(files.append(path)?)),
        }
    }

    /// Creates a file of `bytes` bytes, all of them zero and all of them allocated, that only its
    /// owner can read, with the folders above it. If it `is_durable`, name and length outlast the
    /// end of the machine.
    ///
    /// # Errors
    /// The system's; `StorageFull` when there is no room for all of it, `AlreadyExists` when there
    /// is anything of that name. Nothing is left behind then.
    pub fn create_segment(
        &self,
        path: &Path,
        bytes: u64,
        is_durable: bool,
    ) -> io::Result<(Segment, SegmentFile)> {
        match self {
            Files::Real => {
                let mut made = segment::real(create_new_private(path)?, bytes, is_durable);
                if is_durable {
                    made = made.and_then(|ends| sync_folder(path).map(|()| ends));
                }
                if made.is_err() {
                    fs::remove_file(path)?;
                }
                made
            }
            Files::Virtual(files) => {
                let (file, handle) = files.create_segment(path, bytes)?;
                Ok(segment::of_virtual(file, handle))
            }
        }
    }

    /// Keeps a folder from other processes as long as the lock lives; one that dies lets go. The
    /// file has the number of the process. In memory there is only one process.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when another process has it.
    pub fn lock_folder(&self, folder: &Path) -> io::Result<FolderLock> {
        match self {
            Files::Real => {
                let File::Real(mut file) = open_private(&folder.join(LOCK_FILE))? else {
                    return Err(ErrorKind::Unsupported.into());
                };
                file.try_lock().map_err(io::Error::from)?;
                // Who holds it is a help to whoever finds it held, and no more: a disk that is full
                // is found out by what has to be written.
                let text = format!("{}\n", std::process::id());
                let _told = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
                Ok(FolderLock { _held: Some(file) })
            }
            Files::Virtual(files) => {
                files.make_folder(folder)?;
                Ok(FolderLock { _held: None })
            }
        }
    }

    /// The process that holds a folder's lock, by its own word.
    #[must_use]
    pub fn lock_holder(&self, folder: &Path) -> Option<u32> {
        let text = self.read(&folder.join(LOCK_FILE)).ok()?;
        str::from_utf8(&text).ok()?.trim().parse().ok()
    }

    /// Makes a folder that only its owner can enter, and those above it; one that is there stays as
    /// it is.
    ///
    /// # Errors
    /// The system's.
    pub fn make_private_folder(&self, folder: &Path) -> io::Result<()> {
        match self {
            Files::Real => DirBuilder::new().recursive(true).mode(0o700).create(folder),
            Files::Virtual(files) => files.make_folder(folder),
        }
    }

    /// The same for a folder that must not be there yet, in one that is.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` when there is anything of that name.
    pub fn make_new_folder(&self, folder: &Path) -> io::Result<()> {
        match self {
            Files::Real => DirBuilder::new().mode(0o700).create(folder),
            Files::Virtual(files) => files.make_new_folder(folder),
        }
    }

    /// Gives a file another name, in place of one that has it; the name is on the disk when this
    /// returns.
    ///
    /// # Errors
    /// The system's.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Files::Real => fs::rename(from, to).and_then(|()| sync_folder(to)),
            Files::Virtual(files) => files.rename(from, to),
        }
    }

    /// Takes a file's name away.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match self {
            Files::Real => fs::remove_file(path),
            Files::Virtual(files) => files.remove(path),
        }
    }

    /// Takes an empty folder away.
    ///
    /// # Errors
    /// The system's; `DirectoryNotEmpty` when something lies in it.
    pub fn remove_empty_folder(&self, folder: &Path) -> io::Result<()> {
        match self {
            Files::Real => fs::remove_dir(folder),
            Files::Virtual(files) => files.remove_empty_folder(folder),
        }
    }

    /// A whole plain file.
    ///
    /// # Errors
    /// The system's; or that something other than a plain file stands there, such as a FIFO, which
    /// would keep whoever reads it for good.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Files::Real => read_plain(path),
            Files::Virtual(files) => files.read(path),
        }
    }

    /// Opens a plain file to read it part by part.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub fn open(&self, path: &Path) -> io::Result<PlainFile> {
        match self {
            Files::Real => Ok(PlainFile::Real(Arc::new(open_plain(path)?), 0)),
            Files::Virtual(files) => {
                Ok(PlainFile::Virtual(io::Cursor::new(files.read(path)?.into())))
            }
        }
    }

    /// A whole file, or all that comes out of a pipe, as text.
    ///
    /// # Errors
    /// The system's; `InvalidData` when it is not UTF-8, `FileTooLarge` beyond 64 MiB: a device may
    /// have no end.
    pub fn read_text(&self, path: &Path) -> io::Result<String> {
        text_of(match self {
            Files::Real => {
                let mut bytes = Vec::new();
                fs::File::open(path)?.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
                if bytes.len() as u64 > TEXT_BYTES_MAX {
                    let problem = format!("it has more than {} MiB", TEXT_BYTES_MAX >> 20);
                    return Err(io::Error::new(ErrorKind::FileTooLarge, problem));
                }
                bytes
            }
            Files::Virtual(files) => files.read(path)?,
        })
    }

    /// A whole file as text, with its mode: of the file that was read, so that nobody can put
    /// another in its place in between.
    ///
    /// # Errors
    /// As [`Files::read_text`].
    pub fn read_text_and_mode(&self, path: &Path) -> io::Result<(String, u32)> {
        match self {
            Files::Real => {
                let mut file = open_plain(path)?;
                let mode = file.metadata()?.permissions().mode() & 0o7777;
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                Ok((text, mode))
            }
            Files::Virtual(files) => Ok((text_of(files.read(path)?)?, 0o600)),
        }
    }

    /// What lies in a folder, sorted.
    ///
    /// # Errors
    /// The system's.
    pub fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        match self {
            Files::Real => {
                let entries = fs::read_dir(folder)?;
                let mut paths: Vec<_> = entries
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect::<Result<_, _>>()?;
                paths.sort();
                Ok(paths)
            }
            Files::Virtual(files) => files.list(folder),
        }
    }

    /// Asks whether files can be made in a folder, which may have to be made itself.
    ///
    /// # Errors
    /// Why not.
    pub fn takes_new_files(&self, folder: &Path) -> io::Result<()> {
        match self {
            Files::Real => folder::takes_new_files(folder),
            Files::Virtual(_) => Ok(()),
        }
    }

    /// Whether there is a file or folder of this name.
    #[must_use]
    pub fn is_there(&self, path: &Path) -> bool {
        match self {
            Files::Real => path.exists(),
            Files::Virtual(files) => files.is_there(path),
        }
    }
}

/// A folder that is kept from other processes.
#[derive(Debug)]
pub struct FolderLock {
    _held: Option<fs::File>,
}

fn create_new_private(path: &Path) -> io::Result<fs::File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Files::Real.make_private_folder(folder)?;
    }
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn read_plain(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Without waiting, as a FIFO would have who opens it do.
fn open_plain(path: &Path) -> io::Result<fs::File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

fn open_private(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Files::Real.make_private_folder(folder)?;
    }
    // Without waiting: a FIFO that nobody reads would hold the open up for ever.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        let problem = "something other than a plain file with one name stands there";
        return Err(io::Error::new(ErrorKind::AlreadyExists, problem));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(File::Real(file))
}

#[cfg(test)]
mod tests;
