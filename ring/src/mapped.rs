//! A file whose bytes are written as memory: a store is in the system's hands at once, without a
//! system call, and outlives the process that made it (not the end of the machine).

use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// The bytes of a file, to be written by one thread. They are never read through it.
///
/// # A mapped file is as good as its disk
/// A page that the disk can't give back, or that somebody cut off the file, ends the process with
/// SIGBUS at the next store. So the whole file has to be allocated before, and to be the owner's
/// alone.
#[derive(Debug)]
pub struct MappedFile {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is this value's alone, and no thread has to be the one that made it.
unsafe impl Send for MappedFile {}

impl MappedFile {
    /// Maps the first `len` bytes of a file that is open for reading and writing, and lets the
    /// system find a page for each of them now.
    ///
    /// # Errors
    /// The system's; `InvalidInput` when `len` is 0 or the file is shorter.
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// use pitlane_ring::MappedFile;
    ///
    /// let path = std::env::temp_dir().join(format!("mapped-{}", std::process::id()));
    /// let mut options = std::fs::OpenOptions::new();
    /// let mut file = options.read(true).write(true).create_new(true).open(&path)?;
    /// file.set_len(4_096)?;
    /// let mut mapped = MappedFile::new(&file, 4_096)?;
    /// assert!(mapped.write(4_094, b"ab"));
    /// assert!(!mapped.write(4_095, b"ab"), "one byte too far");
    /// let mut bytes = Vec::new();
    /// file.read_to_end(&mut bytes)?;
    /// assert!(bytes.ends_with(b"ab"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(file: &File, len: usize) -> io::Result<MappedFile> {
        if len == 0 || file.metadata()?.len() < len as u64 {
            let problem = "a file is mapped as far as it is allocated, and not beyond";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the system's choice; it replaces none.
        let start = unsafe {
            rustix::mm::mmap(ptr::null_mut(), len, protection, MapFlags::SHARED, file, 0)
        }?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // Kernels before 5.14 do not know it; then the first store to each page pays for it.
        // SAFETY: the range is the mapping's own, and the advice changes none of its bytes.
        let _ =
            unsafe { rustix::mm::madvise(start.as_ptr().cast(), len, Advice::LinuxPopulateWrite) };
        Ok(MappedFile { start, len })
    }

    /// Stores `bytes` at `offset`; false, and nothing is stored, when they reach beyond the end.
    #[inline]
    #[must_use]
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let fits = offset.checked_add(bytes.len()).is_some_and(|end| end <= self.len);
        if fits {
            // SAFETY: `offset..offset + bytes.len()` is inside the mapping, which lives as long as
            // `self` and is only ever reached through `&mut self`; `bytes` is other memory, since
            // no reference into the mapping is ever given out.
            unsafe {
                let to = self.start.as_ptr().add(offset);
                ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            }
        }
        fits
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's alone, and nothing reaches it any more.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "it was mapped");
    }
}
