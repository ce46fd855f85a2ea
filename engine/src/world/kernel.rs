//! What the kernel tells of this process and this machine, in `/proc` and `/sys`.
//!
//! For figures that people read and for where threads are placed; no simulated world has it, and
//! nothing that an engine decides about events or orders may hang on it.

#![allow(clippy::disallowed_methods, reason = "the seam itself")]

use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// A file of the kernel as text.
///
/// # Errors
/// The system's; `InvalidData` when it is not UTF-8.
pub fn kernel_text(path: impl AsRef<Path>) -> io::Result<String> {
    fs::read_to_string(path)
}

/// A file of the kernel as text, also where a process has a name that is none; `None` when it can't
/// be read.
#[must_use]
pub fn kernel_text_lossy(path: impl AsRef<Path>) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The beginning of a file of the kernel, as far as it fits into `text`, without an allocation.
///
/// # Errors
/// As [`kernel_text`].
pub fn kernel_text_into(path: impl AsRef<Path>, text: &mut [u8]) -> io::Result<&str> {
    let count = fs::File::open(path)?.read(text)?;
    std::str::from_utf8(&text[..count])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The names in a folder of the kernel; none where it is not there.
#[must_use]
pub fn kernel_names(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
