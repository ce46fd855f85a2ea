//! A file of the run that grows line by line: private, bounded, and never torn.
//!
//! Promises: a line is in the file whole or not at all, also on a full disk (F21); the file is
//! readable by its owner alone; nothing is written through a planted link, FIFO, device or second
//! name (F39), and opening one of them blocks nobody; a file that reaches its size is set aside
//! under a number and the oldest of those goes; a folder that vanished is made anew.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

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
    /// A file at `path`, whose every part begins with `head`.
    #[must_use]
    pub fn new(path: &Path, limits: FileLimits, head: Vec<u8>) -> RunFile {
        RunFile {
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
            self.file = Some(create_private(&self.path)?);
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
        let links = self.file.as_ref().and_then(|file| file.metadata().ok());
        links.is_some_and(|metadata| metadata.nlink() == 0)
    }

    /// Sets the present part aside; the next line begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        self.set_aside += 1;
        std::fs::rename(&self.path, self.aside(self.set_aside))?;
        self.file = None;
        if !self.is_precious {
            self.expendable.push_back(self.set_aside);
        }
        if self.expendable.len() > self.limits.set_aside_max as usize
            && let Some(oldest) = self.expendable.pop_front()
        {
            let _gone_already = std::fs::remove_file(self.aside(oldest));
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
            if file.set_len(self.len).is_ok() {
                let _position = file.seek(SeekFrom::Start(self.len));
            }
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// Creates or empties a plain file that only its owner can read, with the folders above it (0700).
///
/// # Errors
/// The system's; `AlreadyExists` where a link, FIFO, device or a file with a second name stands
/// there.
pub fn create_private(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private_folder(folder)?;
    }
    // Without waiting: a FIFO that nobody reads would hold the open up for ever.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        let problem = "something other than a plain file with one name stands there";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    file.set_len(0)?;
    Ok(file)
}

/// Makes a folder that only its owner can enter; one that is there stays as it is.
///
/// # Errors
/// The system's.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut file = RunFile::new(&path, SMALL, b"head\n".to_vec());
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
        let mut file = RunFile::new(&path, SMALL, Vec::new());
        for number in 0..10 {
            file.append(format!("a longer line {number:04}\n").as_bytes(), number == 0).unwrap();
        }
        assert!(names(dir.path()).contains(&"letters.1.jsonl".to_owned()));
        assert_eq!(names(dir.path()).len(), 4);
    }

    #[test]
    fn only_the_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run").join("file");
        create_private(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // Also where it was there before, for all to read.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        create_private(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn nothing_is_written_through_what_somebody_has_planted() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        let second_name = dir.path().join("second");
        std::fs::hard_link(&victim, &second_name).unwrap();
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for planted in [&link, &second_name, &fifo, Path::new("/dev/full")] {
            assert!(create_private(planted).is_err(), "{}", planted.display());
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_folder_that_vanished_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run").join("letters.jsonl");
        let mut file = RunFile::new(&path, FileLimits::DEFAULT, b"head\n".to_vec());
        file.append(b"one\n", false).unwrap();
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        file.append(b"two\n", false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "head\ntwo\n");
    }
}
