//! What segments are called.

use std::path::{Path, PathBuf};

/// The end of a segment's name.
const EXTENSION: &str = "journal";

/// Path of a segment.
pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.{EXTENSION}"))
}

/// Number in the name of a segment; `None` for another file.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
    path.file_stem().filter(|_| is_segment)?.to_str()?.parse().ok()
}
