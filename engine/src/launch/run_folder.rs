//! The folder that a run has for its files.

use std::io;
use std::path::{Path, PathBuf};

use super::options::LaunchError;
use crate::world::Files;

/// Makes a folder for this run alone: two engines that start in one millisecond share none.
pub(super) fn make_run_folder(
    files: &Files,
    base: &Path,
    stamp_ms: i64,
) -> Result<PathBuf, LaunchError> {
    let failed = |path: &Path, source| LaunchError::RunDir { path: path.to_owned(), source };
    files.make_private_folder(base).map_err(|source| failed(base, source))?;
    let mut number = 0;
    loop {
        let name = match number {
            0 => format!("run-{stamp_ms}"),
            number => format!("run-{stamp_ms}-{number}"),
        };
        let path = base.join(name);
        match files.make_new_folder(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(failed(&path, source)),
        }
    }
}
