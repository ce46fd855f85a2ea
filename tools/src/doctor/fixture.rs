//! Hosts that are not at hand, as small copies of their /proc and /sys, made from a table.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A folder with these files.
pub fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    files.iter().for_each(|(path, text)| write(folder.path(), path, text));
    folder
}

/// Writes one file below a root.
pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path.trim_start_matches('/'));
    let folder = path.parent().expect("a file has a folder");
    fs::create_dir_all(folder).expect("the temporary folder takes folders");
    fs::write(path, text).expect("the temporary folder takes files");
}
