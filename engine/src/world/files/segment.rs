//! A file of a fixed size that is allocated as a whole, and then written at any place.

use std::fs;
use std::io::{self, ErrorKind};

use pitlane_ring::MappedFile;

use super::virtual_files::VirtualFile;

/// The writing end: on a real disk a store into memory, which outlives the process.
#[derive(Debug)]
pub struct Segment(Bytes);

#[derive(Debug)]
enum Bytes {
    Real(MappedFile),
    Virtual(VirtualFile),
}

/// The other end of a segment, for a thread that may wait for the disk.
#[derive(Debug)]
pub struct SegmentFile(Handle);

#[derive(Debug)]
enum Handle {
    Real(fs::File),
    Virtual(VirtualFile),
}

impl Segment {
    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// `WriteZero` beyond the end; those of a virtual disk, of whose write a part may be done then.
    #[inline]
    pub fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Bytes::Real(mapped) => match mapped.write(offset, bytes) {
                true => Ok(()),
                false => Err(ErrorKind::WriteZero.into()),
            },
            Bytes::Virtual(file) => file.write_at(offset, bytes),
        }
    }
}

impl SegmentFile {
    /// Returns when what was written at either end outlasts the end of the machine.
    ///
    /// # Errors
    /// The system's; what was not synced before may be lost then, whatever later calls say.
    pub fn sync(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Handle::Real(file) => file.sync_data(),
            Handle::Virtual(file) => file.sync(),
        }
    }

    /// Gives back what lies behind `len` bytes. Nobody must write there any more.
    ///
    /// # Errors
    /// The system's.
    pub fn cut(&mut self, len: u64) -> io::Result<()> {
        match &mut self.0 {
            Handle::Real(file) => file.set_len(len),
            Handle::Virtual(file) => file.set_len(len),
        }
    }
}

/// Allocates `bytes` bytes for a new, empty file, and maps them.
pub(super) fn real(
    file: fs::File,
    bytes: u64,
    is_durable: bool,
) -> io::Result<(Segment, SegmentFile)> {
    match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => {}
        // Written out instead: a hole would find the disk full when it is too late.
        Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(&file, bytes)?,
        Err(errno) => return Err(errno.into()),
    }
    if is_durable {
        // With its length, which a later sync of data alone need not write.
        file.sync_all()?;
    }
    let mapped = MappedFile::new(&file, bytes as usize)?;
    Ok((Segment(Bytes::Real(mapped)), SegmentFile(Handle::Real(file))))
}

pub(super) fn of_virtual(file: VirtualFile, handle: VirtualFile) -> (Segment, SegmentFile) {
    (Segment(Bytes::Virtual(file)), SegmentFile(Handle::Virtual(handle)))
}

fn write_zeros(file: &fs::File, bytes: u64) -> io::Result<()> {
    use std::io::Write;
    let zeros = [0; 4_096];
    let (mut file, mut left) = (file, bytes);
    while left > 0 {
        let part = left.min(zeros.len() as u64);
        file.write_all(&zeros[..part as usize])?;
        left -= part;
    }
    Ok(())
}
