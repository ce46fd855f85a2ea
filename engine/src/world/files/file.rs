//! An open file.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

use super::virtual_files::VirtualFile;

/// A file that is written to, from its first byte to its last.
#[derive(Debug)]
pub enum File {
    /// The system's.
    Real(fs::File),
    /// In memory.
    Virtual(VirtualFile),
}

impl File {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// The system's; a part may be in the file then ([`File::set_len`] takes it away).
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            File::Real(file) => file.write_all(bytes),
            File::Virtual(file) => file.write_all(bytes),
        }
    }

    /// Cuts it to `len` bytes; what is written next comes behind them.
    ///
    /// # Errors
    /// The system's.
    pub fn set_len(&mut self, len: u64) -> io::Result<()> {
        match self {
            File::Real(file) => {
                file.set_len(len)?;
                file.seek(SeekFrom::Start(len)).map(|_| ())
            }
            File::Virtual(file) => file.set_len(len),
        }
    }

    /// Bytes in it.
    ///
    /// # Errors
    /// The system's.
    pub fn len(&self) -> io::Result<u64> {
        match self {
            File::Real(file) => Ok(file.metadata()?.len()),
            File::Virtual(file) => Ok(file.len()),
        }
    }

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// As [`File::len`].
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Returns when what was written outlasts the end of the machine.
    ///
    /// # Errors
    /// The system's; nothing that was not synced before is certain then, whatever later calls say.
    pub fn sync(&mut self) -> io::Result<()> {
        match self {
            File::Real(file) => file.sync_data(),
            File::Virtual(file) => file.sync(),
        }
    }

    /// Whether it was deleted, with or without its folder.
    #[must_use]
    pub fn has_vanished(&self) -> bool {
        match self {
            File::Real(file) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
            File::Virtual(file) => file.has_vanished(),
        }
    }
}
