//! A plain file that is read, part by part.

use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A file that is open for reading.
#[derive(Debug)]
pub enum PlainFile {
    /// The system's, and the place that is read next.
    Real(Arc<fs::File>, u64),
    /// In memory, as it was when it was opened.
    Virtual(Cursor<Arc<[u8]>>),
}

impl PlainFile {
    /// Bytes in it.
    ///
    /// # Errors
    /// The system's.
    pub fn len(&self) -> io::Result<u64> {
        match self {
            PlainFile::Real(file, _) => Ok(file.metadata()?.len()),
            PlainFile::Virtual(bytes) => Ok(bytes.get_ref().len() as u64),
        }
    }

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// As [`PlainFile::len`].
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The same file, from this byte on.
    ///
    /// # Errors
    /// The system's.
    pub fn behind(&self, offset: u64) -> io::Result<PlainFile> {
        Ok(match self {
            PlainFile::Real(file, _) => PlainFile::Real(Arc::clone(file), offset),
            PlainFile::Virtual(bytes) => {
                let mut bytes = Cursor::new(Arc::clone(bytes.get_ref()));
                bytes.seek(SeekFrom::Start(offset))?;
                PlainFile::Virtual(bytes)
            }
        })
    }
}

impl Read for PlainFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            PlainFile::Real(file, offset) => {
                let read = file.read_at(into, *offset)?;
                *offset += read as u64;
                Ok(read)
            }
            PlainFile::Virtual(bytes) => bytes.read(into),
        }
    }
}
