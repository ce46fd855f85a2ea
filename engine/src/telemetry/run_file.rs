//! A file of the run that grows line by line: private, bounded, and never torn.
//!
//! Promises: a line is in the file whole or not at all, also on a full disk (F21); the file is
//! readable by its owner alone; nothing is written through a planted link, FIFO, device or second
//! name (F39), and opening one of them blocks nobody; a file that reaches its size is set aside
//! under a number and the oldest of those goes; a folder that vanished is made anew.

use std::io;
use std::path::{Path, PathBuf};

use crate::world::{File, Files};

/// How much may lie on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    /// Bytes of one file; a line that is longer still gets a file of its own.
    pub bytes_max: u64,
    /// Files that were set aside and are kept; the oldest goes first.
    pub set_aside_max: u32,
}

impl FileLimits {
    /// 64 MiB a file, 320 MiB in all.
    pub const DEFAULT: FileLimits = FileLimits { bytes_max: 64 << 20, set_aside_max: 4 };
}

/// The file. Made with its first line.
#[derive(Debug)]
pub struct RunFile {
    files: Files,
    path: PathBuf,
    limits: FileLimits,
    /// What each file begins with.
    head: Vec<u8>,
    file: Option<File>,
    len: u64,
    /// The present file holds a line that must not be given up.
    is_precious: bool,
    /// Number of the last file that was set aside.
    set_aside: u32,
    /// Numbers of those that may go, oldest first.
    expendable: std::collections::VecDeque<u32>,
}

impl RunFile {
    /// A file of `files` at `path`, whose every part begins with `head`.
    #[must_use]
    pub fn new(files: &Files, path: &Path, limits: FileLimits, head: Vec<u8>) -> RunFile {
        RunFile {
            files: files.clone(),
            path: path.to_owned(),
            limits,
            head,
            file: None,
            len: 0,
            is_precious: false,
            set_aside: 0,
            expendable: std::collections::VecDeque::new(),
        }
    }

    /// Where the present part lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a file by now.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.file.is_some()
    }

    /// Makes the file, if it is not there, and writes its head.
    ///
    /// # Errors
    /// The system's; or that something other than an own, plain file stands in its place.
    pub fn make(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.files.create_private(&self.path)?);
            (self.len, self.is_precious) = (0, false);
            let head = std::mem::take(&mut self.head);
            let written = self.write(&head);
            self.head = head;
            if let Err(error) = written {
                self.file = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Appends a line, with its end. A part that holds a `precious` line is never deleted.
    ///
    /// # Errors
    /// The system's; the file ends with its last whole line.
    pub fn append(&mut self, line: &[u8], precious: bool) -> io::Result<()> {
        if self.has_vanished() {
            log::warn!("{} has vanished: it is made anew", self.path.display());
            self.file = None;
        }
        let has_lines = self.len > self.head.len() as u64;
        if has_lines && self.len + line.len() as u64 > self.limits.bytes_max {
            self.rotate()?;
        }
        self.make()?;
        self.write(line)?;
        self.is_precious |= precious;
        Ok(())
    }

    /// Whether the file was deleted, with or without its folder.
    fn has_vanished(&self) -> bool {
        self.file.as_ref().is_some_and(File::has_vanished)
    }

    /// Sets the present part aside; the next line begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        self.set_aside += 1;
        self.files.rename(&self.path, &self.aside(self.set_aside))?;
        self.file = None;
        if !self.is_precious {
            self.expendable.push_back(self.set_aside);
        }
        if self.expendable.len() > self.limits.set_aside_max as usize
            && let Some(oldest) = self.expendable.pop_front()
        {
            // It may be gone.
            let _ = self.files.remove(&self.aside(oldest));
        }
        Ok(())
    }

    /// `name.ext` is set aside as `name.N.ext`.
    fn aside(&self, number: u32) -> PathBuf {
        let extension = self.path.extension().unwrap_or_default().to_string_lossy();
        self.path.with_extension(format!("{number}.{extension}"))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = file.write_all(bytes) {
            // Best effort: where even that fails, readers see a torn last line and say so.
            let _cut = file.set_len(self.len);
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{FileConditions, VirtualFiles};

    const SMALL: FileLimits = FileLimits { bytes_max: 20, set_aside_max: 2 };

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_bounded_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.jsonl");
        let mut file = RunFile::new(&Files::Real, &path, SMALL, b"head\n".to_vec());
        for number in 0..10 {
            file.append(format!("line {number:04}\n").as_bytes(), false).unwrap();
        }
        assert_eq!(names(dir.path()), ["letters.8.jsonl", "letters.9.jsonl", "letters.jsonl"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "head\nline 0009\n");
    }

    #[test]
    fn a_part_with_a_precious_line_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.jsonl");
        let mut file = RunFile::new(&Files::Real, &path, SMALL, Vec::new());
        for number in 0..10 {
            file.append(format!("a longer line {number:04}\n").as_bytes(), number == 0).unwrap();
        }
        assert!(names(dir.path()).contains(&"letters.1.jsonl".to_owned()));
        assert_eq!(names(dir.path()).len(), 4);
    }

    #[test]
    fn a_write_that_fails_in_its_middle_leaves_whole_lines() {
        for seed in 0..20 {
            let torn = FileConditions { torn_ppm: 300_000, ..FileConditions::default() };
            let disk = VirtualFiles::new(seed, torn);
            let files = Files::Virtual(disk.clone());
            let path = Path::new("/run/letters.jsonl");
            let mut file = RunFile::new(&files, path, FileLimits::DEFAULT, b"head\n".to_vec());
            let mut expected = String::from("head\n");
            for number in 0..100 {
                let line = format!("line {number}\n");
                if file.append(line.as_bytes(), false).is_ok() {
                    expected.push_str(&line);
                }
            }
            assert!(disk.totals().torn > 10, "seed {seed}");
            assert_eq!(files.read_text(path).unwrap(), expected, "seed {seed}");
        }
    }

    #[test]
    fn a_folder_that_vanished_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run").join("letters.jsonl");
        let mut file = RunFile::new(&Files::Real, &path, FileLimits::DEFAULT, b"head\n".to_vec());
        file.append(b"one\n", false).unwrap();
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        file.append(b"two\n", false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "head\ntwo\n");
    }
}
