//! The files through which a Linux host describes itself, under a root that tests can choose.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Longest file that is read; `/proc/interrupts` of a thousand cores has about ten million bytes.
const MAX_BYTES: u64 = 16 << 20;

/// What could not be read, and why. A reading is never replaced by a guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unread {
    /// The path on the host, without the root.
    pub(crate) path: String,
    /// The system's words, or what is wrong with the content.
    pub(crate) reason: String,
}

impl Unread {
    pub(crate) fn new(path: &str, reason: impl Into<String>) -> Unread {
        Unread { path: path.to_owned(), reason: reason.into() }
    }
}

/// A host's `/proc` and `/sys`, live or as a copy below a folder.
#[derive(Clone, Debug)]
pub(crate) struct HostFiles {
    root: PathBuf,
}

impl HostFiles {
    pub(crate) fn new(root: &Path) -> HostFiles {
        HostFiles { root: root.to_owned() }
    }

    /// Whether this is the running machine. Only then commands are asked and cores are measured.
    pub(crate) fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The content of `path` (absolute, on the host) without blanks around it. Bytes that are no
    /// UTF-8 become replacement characters, so that one odd device name does not hide a whole
    /// table.
    pub(crate) fn text(&self, path: &str) -> Result<String, Unread> {
        let failed = |error: std::io::Error| Unread::new(path, words(&error));
        let file = File::open(self.place(path)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// The content of `path`, taken apart by `parse`.
    pub(crate) fn parsed<T>(
        &self,
        path: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Unread> {
        let text = self.text(path)?;
        parse(&text).ok_or_else(|| {
            let start: String = text.chars().take(40).collect();
            Unread::new(path, format!("not understood: {start:?}"))
        })
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, path: &str) -> Result<Vec<String>, Unread> {
        let entries =
            fs::read_dir(self.place(path)).map_err(|error| Unread::new(path, words(&error)))?;
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into()).collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.place(path).exists()
    }

    fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// A system error in the words people know, without the number.
fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_says_so_with_the_hosts_own_path() {
        let folder = tempfile::tempdir().unwrap();
        let files = HostFiles::new(folder.path());
        assert!(!files.is_live());
        assert_eq!(files.text("/proc/none").unwrap_err(), Unread::new("/proc/none", "not there"));
        assert!(files.names("/sys").is_err());
    }

    #[test]
    fn odd_bytes_do_not_hide_a_file_and_nonsense_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("odd"), b" a\xff\n").unwrap();
        let files = HostFiles::new(folder.path());
        assert_eq!(files.text("/odd").unwrap(), "a\u{fffd}");
        let error = files.parsed("/odd", |text| text.parse::<u64>().ok()).unwrap_err();
        assert!(error.reason.starts_with("not understood: \"a"), "{}", error.reason);
    }
}
