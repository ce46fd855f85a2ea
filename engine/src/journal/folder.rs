//! A folder of segments: opened by an engine, or read by whoever wants to know.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint_file::{
    self, CheckpointFacts, CheckpointFile, checkpoint_numbers, read_checkpoint,
};
use super::folder_read::{FolderRead, SegmentFacts};
use super::format::SegmentHeader;
use super::health::JournalHealth;
use super::journal_error::JournalError;
use super::keeper::JournalKeeper;
use super::keeper_waker::KeeperWaker;
use super::reader::{RecordView, SegmentReader, StopReason};
use super::segment_name::{number_of, segment_path};
use super::segment_reading::SegmentReading;
use super::state::is_state;
use super::writer::{Durability, JournalOptions, JournalWriter, Prepared, SegmentPort};
use crate::runtime::{Clock, Closing};
use crate::text::escaped;
use crate::world::{Files, FolderLock};

/// The segments of a folder with their numbers, in order.
fn segments(files: &Files, folder: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let of_folder = |source| JournalError::File { path: folder.to_owned(), source };
    let listed = files.list(folder).map_err(of_folder)?.into_iter();
    let mut found: Vec<_> =
        listed.filter_map(|path| number_of(&path).map(|number| (number, path))).collect();
    found.sort();
    Ok(found)
}

/// Whether a file is called as a journal's are: a segment, a checkpoint, a state.
pub(crate) fn is_journal_file(path: &Path) -> bool {
    number_of(path).is_some() || checkpoint_file::number_of(path).is_some() || is_state(path)
}

/// Hands every record of the valid prefix to `visit`, with its segment's header.
///
/// # Errors
/// [`JournalError::File`] for what can't be read at all.
pub fn read_folder(
    files: &Files,
    folder: &Path,
    mut visit: impl FnMut(&SegmentHeader, &RecordView<'_>),
) -> Result<FolderRead, JournalError> {
    read_behind(files, folder, None, &mut visit)
}

fn read_behind(
    files: &Files,
    folder: &Path,
    base: Option<CheckpointFacts>,
    visit: &mut impl FnMut(&SegmentHeader, &RecordView<'_>),
) -> Result<FolderRead, JournalError> {
    let mut read = FolderRead::behind(base);
    let first = base.map_or(0, |base| base.number);
    for (number, path) in segments(files, folder)?.into_iter().filter(|of| of.0 >= first) {
        let mut reading = SegmentReading::begin(files, (number, path), &mut read)?;
        reading.go_on(&mut read, usize::MAX, visit)?;
    }
    Ok(read)
}

/// The numbers of a folder's segments, in order.
///
/// # Errors
/// [`JournalError::File`] of the folder.
pub(crate) fn segment_numbers(files: &Files, folder: &Path) -> Result<Vec<u64>, JournalError> {
    Ok(segments(files, folder)?.into_iter().map(|(number, _)| number).collect())
}

/// Whether the segments that are there tell the whole journal.
///
/// # Errors
/// [`JournalError::NoCheckpoint`] where earlier ones are missing, and [`JournalError::File`].
fn needs_no_checkpoint(
    files: &Files,
    folder: &Path,
    reasons: &[String],
) -> Result<(), JournalError> {
    let Some((_, path)) = segments(files, folder)?.into_iter().next() else { return Ok(()) };
    let opened = files.open(&path).and_then(SegmentReader::new);
    let opened = opened.map_err(|source| JournalError::File { path, source })?;
    let first = opened.map_or(1, |reader| reader.header().first_sequence);
    if first > 1 {
        let none = || "there is none".to_owned();
        let why = if reasons.is_empty() { none() } else { reasons.join("; ") };
        return Err(JournalError::NoCheckpoint { path: folder.to_owned(), first, why });
    }
    Ok(())
}

/// The newest checkpoint that `take_up` can take up: it is given the body of each that is whole.
/// `None` where there is none at all.
///
/// # Errors
/// [`JournalError::NoCheckpoint`] where none can be taken up, and earlier segments are not there
/// any more; [`JournalError::File`].
pub fn newest_checkpoint(
    files: &Files,
    folder: &Path,
    mut take_up: impl FnMut(&[u8]) -> bool,
) -> Result<Option<CheckpointFacts>, JournalError> {
    let of_folder = |source| JournalError::File { path: folder.to_owned(), source };
    let mut reasons = Vec::new();
    for number in checkpoint_numbers(files, folder).map_err(of_folder)? {
        let CheckpointFile { path, content, .. } = read_checkpoint(files, folder, number);
        let reason = match content {
            Ok((facts, _)) if !is_of_this_journal(files, folder, facts) => "of another journal",
            Ok((facts, body)) if take_up(&body) => return Ok(Some(facts)),
            Ok(_) => "not one that this engine can take up",
            Err(reason) => reason,
        };
        let path = path.display().to_string();
        let path = escaped(&path);
        log::warn!("[journal] {path} is {reason}: what lies before it is read");
        reasons.push(format!("{path} is {reason}"));
    }
    needs_no_checkpoint(files, folder, &reasons)?;
    Ok(None)
}

/// Whether the segment that a checkpoint goes on with is the one that stands there. One that is
/// not there, or not begun, says nothing.
pub(crate) fn is_of_this_journal(files: &Files, folder: &Path, facts: CheckpointFacts) -> bool {
    let begun_ns = segment_begun_ns(files, folder, facts.number);
    begun_ns.is_none_or(|begun_ns| begun_ns == facts.next_begun_ns)
}

/// When a segment was begun, ns since the Unix epoch; `None` where it has no header.
pub(crate) fn segment_begun_ns(files: &Files, folder: &Path, number: u64) -> Option<i64> {
    let opened = files.open(&segment_path(folder, number)).and_then(SegmentReader::new);
    opened.ok()?.ok().map(|reader| reader.header().begun_ns)
}

/// Reads a folder up to its end as a start does, behind a checkpoint or from its beginning. Where
/// records were synced before they were acted on, a loss of power may have left a hole near the
/// end.
///
/// # Errors
/// [`JournalError::Damaged`] where a start would leave something out, and [`JournalError::File`].
pub fn read_for_start(
    files: &Files,
    folder: &Path,
    durability: Durability,
    base: Option<CheckpointFacts>,
    mut visit: impl FnMut(&SegmentHeader, &RecordView<'_>),
) -> Result<FolderRead, JournalError> {
    let read = read_behind(files, folder, base, &mut visit)?;
    let Some(stop) = &read.stop else { return Ok(read) };
    // Nobody but a disk that lost its power leaves a hole: there, what lies behind it was not safe,
    // and no order of it has left.
    let is_damaged = match durability {
        _ if matches!(stop.reason, StopReason::Missing { .. }) => true,
        Durability::Os => {
            !read.is_usable() || read.records_behind > 0 || stop.out_of_place().is_some()
        }
        Durability::FsyncBatch => {
            let is_elsewhere = |ahead: bool| !ahead || read.ends_before_a_later_start();
            let is_of_before = stop.out_of_place().is_some_and(is_elsewhere);
            is_of_before || !read.is_usable() && !read.may_have_lost_power()
        }
    };
    if is_damaged { Err(JournalError::Damaged(stop.clone())) } else { Ok(read) }
}

/// A folder that this engine alone may write to.
pub struct LockedFolder {
    files: Files,
    folder: PathBuf,
    lock: FolderLock,
}

impl LockedFolder {
    /// Locks it; makes it where it is not there.
    ///
    /// # Errors
    /// [`JournalError::Locked`], and [`JournalError::File`].
    pub fn open(files: &Files, folder: &Path) -> Result<LockedFolder, JournalError> {
        let of_folder = |source| JournalError::File { path: folder.to_owned(), source };
        files.make_private_folder(folder).map_err(of_folder)?;
        let lock = files.lock_folder(folder).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => {
                JournalError::Locked { path: folder.to_owned(), holder: files.lock_holder(folder) }
            }
            _ => of_folder(source),
        })?;
        Ok(LockedFolder { files: files.clone(), folder: folder.to_owned(), lock })
    }

    /// Reads it up to its end; see [`read_for_start`].
    ///
    /// # Errors
    /// As those of [`read_for_start`].
    pub fn read(
        self,
        durability: Durability,
        base: Option<CheckpointFacts>,
        visit: impl FnMut(&SegmentHeader, &RecordView<'_>),
    ) -> Result<JournalFolder, JournalError> {
        let LockedFolder { files, folder, lock } = self;
        let read = read_for_start(&files, &folder, durability, base, visit)?;
        Ok(JournalFolder { files, folder, lock, read })
    }
}

/// A folder that this engine alone may write to, read up to its end.
pub struct JournalFolder {
    files: Files,
    folder: PathBuf,
    lock: FolderLock,
    read: FolderRead,
}

impl JournalFolder {
    /// Locks and reads it from its first segment on; makes it where it is not there.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(
        files: &Files,
        folder: &Path,
        visit: impl FnMut(&SegmentHeader, &RecordView<'_>),
    ) -> Result<JournalFolder, JournalError> {
        Self::open_as(Durability::Os, files, folder, visit)
    }

    /// The same of a journal that was kept with this durability.
    ///
    /// # Errors
    /// As [`JournalFolder::open`].
    pub fn open_as(
        durability: Durability,
        files: &Files,
        folder: &Path,
        visit: impl FnMut(&SegmentHeader, &RecordView<'_>),
    ) -> Result<JournalFolder, JournalError> {
        LockedFolder::open(files, folder)?.read(durability, None, visit)
    }

    /// What was read.
    #[must_use]
    pub fn read(&self) -> &FolderRead {
        &self.read
    }

    /// Has the disk take what the last start left behind. One that was killed has not synced its
    /// end: the system had it, and it was read; it has to outlive a loss of power from here on.
    fn sync_last_start(&self) -> Result<(), JournalError> {
        let is_last = |of: &&SegmentFacts| {
            of.header.is_some_and(|header| header.epoch == self.read.last_epoch)
        };
        for facts in self.read.segments.iter().filter(|of| of.records > 0).filter(is_last) {
            let synced = self.files.append_private(&facts.path).and_then(|mut file| file.sync());
            synced.map_err(|source| JournalError::File { path: facts.path.clone(), source })?;
        }
        Ok(())
    }

    /// Makes the first segment of a new epoch, and the two that work on it.
    ///
    /// # Errors
    /// [`JournalError::File`] when there is no room, or no permission.
    pub fn start(
        self,
        options: JournalOptions,
        clock: &Clock,
    ) -> Result<(JournalWriter, JournalKeeper), JournalError> {
        let torn = self.read.segments.iter().position(|of| self.read.is_torn(of));
        for (at, facts) in self.read.segments.iter().enumerate() {
            let of_file = |source| JournalError::File { path: facts.path.clone(), source };
            let is_behind = torn.is_some_and(|torn| at > torn);
            if facts.stop == StopReason::Unused {
                // What an engine before had made ready and not used.
                self.files.remove(&facts.path).map_err(of_file)?;
            } else if is_behind {
                // Of what was not safe nothing was acted on. Its records come again, under the
                // numbers that they had.
                let aside = facts.path.with_extension("not_synced");
                self.files.rename(&facts.path, &aside).map_err(of_file)?;
            }
        }
        let ahead_ns = self.read.last_time_ns.saturating_sub(clock.wall_ns());
        if self.read.last_sequence > 0 && ahead_ns > 0 {
            log::warn!(
                "[journal] the clock of this machine is {} s behind the last record of {}: times on \
                 record stay there until it has caught up",
                ahead_ns.div_euclid(1_000_000_000),
                escaped(&self.folder.display().to_string())
            );
        }
        let number = self.read.last_number + 1;
        let path = segment_path(&self.folder, number);
        let is_durable = options.durability == Durability::FsyncBatch;
        if is_durable {
            self.sync_last_start()?;
        }
        let made = self.files.create_segment(&path, options.segment_bytes as u64, is_durable);
        let (segment, first) = made.map_err(|source| JournalError::File { path, source })?;
        let (port, health) = (Arc::<SegmentPort>::default(), JournalHealth::default());
        let waker = KeeperWaker::default();
        health.set_synced(self.read.last_sequence);
        let writer = JournalWriter::new(
            (Prepared { number, segment }, self.read.last_epoch + 1),
            (self.read.last_sequence, self.read.last_time_ns),
            options,
            Arc::clone(&port),
            health.clone(),
            waker.clone(),
        );
        let keeper = JournalKeeper {
            files: self.files,
            folder: self.folder,
            options,
            port,
            health,
            waker,
            clock: clock.clone(),
            held: VecDeque::from([(number, first)]),
            next_number: number + 1,
            synced: self.read.last_sequence,
            next_poll_ns: 0,
            closing: Closing::default(),
            _lock: self.lock,
        };
        Ok((writer, keeper))
    }
}
