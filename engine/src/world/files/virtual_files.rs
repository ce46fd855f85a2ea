//! A disk in memory: what it does to writes follows from its seed.
//!
//! It has room for so many bytes; a write that does not fit leaves a part behind, as a full disk
//! does. By seed a write fails in its middle, and a sync fails. A crash loses a part of what was
//! not synced, of each file another. Every fault is counted, so that a test can prove that it
//! happened.
//!
//! It is shared by all who have a handle in one simulated world, which runs on one thread; the lock
//! is never waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::inode::Inode;
use crate::world::SplitMix64;
use crate::world::fnv::fnv_words;

/// How a virtual disk treats those who write. Rates are in a million calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileConditions {
    /// Bytes that all files together can have.
    pub room_bytes: usize,
    /// Writes that fail with a part of their bytes in the file.
    pub torn_ppm: u32,
    /// Files and folders that can't be made, cut, renamed or removed.
    pub refused_ppm: u32,
    /// Syncs that fail.
    pub sync_ppm: u32,
}

impl Default for FileConditions {
    /// Nothing fails, and there is room for all.
    fn default() -> FileConditions {
        FileConditions { room_bytes: usize::MAX, torn_ppm: 0, refused_ppm: 0, sync_ppm: 0 }
    }
}

/// What a virtual disk has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FileTotals {
    pub writes: u64,
    pub bytes: u64,
    /// FNV-1a over every byte that was taken.
    pub hash: u64,
    /// Writes for which there was no room.
    pub full: u64,
    pub torn: u64,
    pub refused: u64,
    pub sync_failed: u64,
    /// Bytes that crashes have lost.
    pub lost_bytes: u64,
    /// Files that vanished with their folder.
    pub vanished: u64,
    /// Writes in whose middle the writer was killed.
    pub killed: u64,
}

/// A disk in memory. Cheap to clone; all clones are one disk.
#[derive(Clone, Debug)]
pub struct VirtualFiles(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    random: SplitMix64,
    conditions: FileConditions,
    names: BTreeMap<PathBuf, u64>,
    folders: BTreeSet<PathBuf>,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    totals: FileTotals,
    /// Nothing is written: whoever would is no more.
    is_frozen: bool,
    /// Writes to segments until the one in whose middle the writer is killed; 0 = it is not.
    writes_left: u64,
    /// Whether it was.
    is_killed: Arc<AtomicBool>,
    /// What was in files that were removed, by their names, where that is kept.
    removed: Option<BTreeMap<PathBuf, Vec<u8>>>,
}

/// An open file of a virtual disk.
#[derive(Debug)]
pub struct VirtualFile {
    disk: VirtualFiles,
    inode: u64,
}

impl VirtualFiles {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64, conditions: FileConditions) -> VirtualFiles {
        VirtualFiles(Arc::new(Mutex::new(Disk {
            random: SplitMix64::new(seed),
            conditions,
            names: BTreeMap::new(),
            folders: BTreeSet::new(),
            inodes: BTreeMap::new(),
            next_inode: 0,
            totals: FileTotals::default(),
            is_frozen: false,
            writes_left: 0,
            is_killed: Arc::default(),
            removed: None,
        })))
    }

    /// Changes what happens to calls from now on.
    pub fn set_conditions(&self, conditions: FileConditions) {
        self.0.lock().conditions = conditions;
    }

    /// What it has done so far.
    #[must_use]
    pub fn totals(&self) -> FileTotals {
        self.0.lock().totals
    }

    /// Files that somebody still holds open.
    #[must_use]
    pub fn open_handles(&self) -> usize {
        self.0.lock().inodes.values().map(|inode| inode.handles as usize).sum()
    }

    /// The machine ends: each file keeps what was synced, and a drawn part of the rest.
    pub fn crash(&self) {
        let Disk { random, inodes, totals, .. } = &mut *self.0.lock();
        for inode in inodes.values_mut() {
            totals.lost_bytes += inode.undo(random);
            let (synced, len) = (inode.synced as u64, inode.bytes.len() as u64);
            let kept = random.between(synced, len);
            totals.lost_bytes += len - kept;
            inode.set_len(kept as usize);
            inode.synced = inode.bytes.len();
        }
    }

    /// While it is frozen nothing is written: what a process that was killed had in its own memory
    /// never reaches its files.
    pub fn freeze(&self, is_frozen: bool) {
        let disk = &mut *self.0.lock();
        disk.is_frozen = is_frozen;
        disk.writes_left = 0;
        disk.is_killed.store(false, Ordering::Relaxed);
    }

    /// The `nth` write to a segment from now on is the last: a drawn part of it is done, and then
    /// its writer is killed. From there on the disk is frozen, and [`VirtualFiles::killed`] says
    /// so. 0 takes it back.
    pub fn kill_at_write(&self, nth: u64) {
        self.0.lock().writes_left = nth;
    }

    /// Set when [`VirtualFiles::kill_at_write`] has killed, until the disk is frozen or thawed.
    #[must_use]
    pub fn killed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.lock().is_killed)
    }

    /// Keeps what is in files that are removed from now on, for [`VirtualFiles::with_removed`].
    pub fn keep_removed(&self) {
        self.0.lock().removed.get_or_insert_default();
    }

    /// Another disk with what is on this one, and with each file that was removed from it and has
    /// not been made anew.
    #[must_use]
    pub fn with_removed(&self) -> VirtualFiles {
        let other = VirtualFiles::new(0, FileConditions::default());
        let disk = &*self.0.lock();
        let present = disk
            .names
            .iter()
            .filter_map(|(path, number)| disk.inodes.get(number).map(|inode| (path, &inode.bytes)));
        {
            let copy = &mut *other.0.lock();
            copy.folders.clone_from(&disk.folders);
            let removed = disk.removed.iter().flatten();
            for (path, bytes) in removed.chain(present) {
                let number = copy.next_inode;
                copy.next_inode += 1;
                let inode = Inode { is_named: true, bytes: bytes.clone(), ..Inode::default() };
                copy.inodes.insert(number, inode);
                copy.names.insert(path.clone(), number);
            }
        }
        other
    }

    /// Takes a folder away with all that is in it, as `rm -r` does.
    pub fn vanish(&self, folder: &Path) {
        let disk = &mut *self.0.lock();
        disk.folders.retain(|name| !name.starts_with(folder));
        let inside = disk.names.keys().filter(|name| name.starts_with(folder)).cloned();
        for name in inside.collect::<Vec<_>>() {
            disk.totals.vanished += 1;
            disk.unname(&name);
        }
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<VirtualFile> {
        let mut file = self.append(path)?;
        file.set_len(0)?;
        Ok(file)
    }

    pub(super) fn append(&self, path: &Path) -> io::Result<VirtualFile> {
        let disk = &mut *self.0.lock();
        if disk.folders.contains(path) {
            return Err(ErrorKind::IsADirectory.into());
        }
        disk.may_refuse()?;
        disk.make_folders(path.parent());
        let number = match disk.names.get(path) {
            Some(number) => *number,
            None => {
                let number = disk.next_inode;
                disk.next_inode += 1;
                disk.inodes.insert(number, Inode { is_named: true, ..Inode::default() });
                disk.names.insert(path.to_owned(), number);
                number
            }
        };
        if let Some(inode) = disk.inodes.get_mut(&number) {
            inode.handles += 1;
        }
        Ok(VirtualFile { disk: self.clone(), inode: number })
    }

    /// A new file of so many zeros, open twice.
    pub(super) fn create_segment(
        &self,
        path: &Path,
        bytes: u64,
    ) -> io::Result<(VirtualFile, VirtualFile)> {
        if self.is_there(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        {
            let disk = &mut *self.0.lock();
            if disk.room() < bytes as usize {
                disk.totals.full += 1;
                return Err(ErrorKind::StorageFull.into());
            }
        }
        let made = self.append(path).and_then(|mut file| {
            file.set_len(bytes)?;
            Ok((file, self.append(path)?))
        });
        if made.is_err() {
            self.0.lock().unname(path);
        }
        let (file, handle) = made?;
        // A real one is allocated, and its length is on the disk, before it is used.
        if let Some(inode) = self.0.lock().inodes.get_mut(&file.inode) {
            inode.sync();
        }
        Ok((file, handle))
    }

    pub(super) fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let disk = &mut *self.0.lock();
        disk.may_refuse()?;
        disk.make_folders(Some(folder));
        Ok(())
    }

    pub(super) fn make_new_folder(&self, folder: &Path) -> io::Result<()> {
        if self.is_there(folder) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.make_folder(folder)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let disk = &mut *self.0.lock();
        disk.may_refuse()?;
        let number = disk.names.remove(from).ok_or(ErrorKind::NotFound)?;
        disk.unname(to);
        disk.names.insert(to.to_owned(), number);
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let disk = &mut *self.0.lock();
        disk.may_refuse()?;
        let number = disk.names.get(path);
        let bytes = number.and_then(|number| disk.inodes.get(number)).map(|it| it.bytes.clone());
        if let (Some(removed), Some(bytes)) = (&mut disk.removed, bytes) {
            removed.insert(path.to_owned(), bytes);
        }
        if disk.unname(path) { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    pub(super) fn remove_empty_folder(&self, folder: &Path) -> io::Result<()> {
        if self.list(folder)?.is_empty() {
            let disk = &mut *self.0.lock();
            disk.may_refuse()?;
            disk.folders.remove(folder);
            return Ok(());
        }
        Err(ErrorKind::DirectoryNotEmpty.into())
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let disk = &*self.0.lock();
        let inode = disk.names.get(path).and_then(|number| disk.inodes.get(number));
        Ok(inode.ok_or(ErrorKind::NotFound)?.bytes.clone())
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let disk = &*self.0.lock();
        if !disk.folders.contains(folder) {
            return Err(ErrorKind::NotFound.into());
        }
        let all = disk.names.keys().chain(&disk.folders);
        let mut inside: Vec<_> =
            all.filter(|path| path.parent() == Some(folder)).cloned().collect();
        inside.sort();
        Ok(inside)
    }

    pub(super) fn is_there(&self, path: &Path) -> bool {
        let disk = &*self.0.lock();
        disk.names.contains_key(path) || disk.folders.contains(path)
    }
}

impl Disk {
    fn may_refuse(&mut self) -> io::Result<()> {
        if self.random.hits_ppm(self.conditions.refused_ppm) {
            self.totals.refused += 1;
            return Err(ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }

    fn make_folders(&mut self, folder: Option<&Path>) {
        let all = folder.into_iter().flat_map(Path::ancestors);
        self.folders.extend(all.map(Path::to_owned));
    }

    /// Takes a name away; whether it was one.
    fn unname(&mut self, path: &Path) -> bool {
        let Some(number) = self.names.remove(path) else { return false };
        if let Some(inode) = self.inodes.get_mut(&number) {
            inode.is_named = false;
        }
        self.let_go(number);
        true
    }

    fn let_go(&mut self, number: u64) {
        if self.inodes.get(&number).is_some_and(Inode::is_unreachable) {
            self.inodes.remove(&number);
        }
    }

    fn room(&self) -> usize {
        let used: usize = self.inodes.values().map(|inode| inode.bytes.len()).sum();
        self.conditions.room_bytes.saturating_sub(used)
    }

    /// Counts a write to a segment; whether its writer is killed in it.
    fn is_last_write(&mut self) -> bool {
        if self.writes_left == 0 {
            return false;
        }
        self.writes_left -= 1;
        self.is_frozen = self.writes_left == 0;
        self.is_killed.store(self.is_frozen, Ordering::Relaxed);
        self.is_frozen
    }

    fn write(&mut self, number: u64, bytes: &[u8]) -> io::Result<()> {
        if self.is_frozen {
            return Ok(());
        }
        let room = self.room();
        let is_torn = self.random.hits_ppm(self.conditions.torn_ppm);
        let mut taken = bytes.len();
        if is_torn {
            taken = self.random.between(0, taken as u64) as usize;
            self.totals.torn += 1;
        }
        let is_full = taken > room;
        if is_full {
            taken = room;
            self.totals.full += 1;
        }
        let inode = self.inodes.get_mut(&number).ok_or(ErrorKind::NotFound)?;
        inode.bytes.extend_from_slice(&bytes[..taken]);
        self.totals.writes += 1;
        self.totals.bytes += taken as u64;
        self.totals.hash = fnv_words(self.totals.hash, &bytes[..taken]);
        match (is_full, is_torn) {
            (true, _) => Err(ErrorKind::StorageFull.into()),
            (false, true) => Err(io::Error::other("the disk has failed in the middle of a write")),
            (false, false) => Ok(()),
        }
    }
}

impl VirtualFile {
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.0.lock().write(self.inode, bytes)
    }

    /// Writes where bytes are already.
    pub(super) fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let disk = &mut *self.disk.0.lock();
        if disk.is_frozen {
            return Ok(());
        }
        let is_last = disk.is_last_write();
        let Disk { random, conditions, inodes, totals, .. } = disk;
        let inode = inodes.get_mut(&self.inode).ok_or(ErrorKind::NotFound)?;
        if offset + bytes.len() > inode.bytes.len() {
            return Err(ErrorKind::WriteZero.into());
        }
        let is_torn = !is_last && random.hits_ppm(conditions.torn_ppm);
        let mut taken = bytes.len();
        if is_last {
            taken = random.between(0, taken as u64) as usize;
            totals.killed += 1;
        }
        if is_torn {
            taken = random.between(0, taken as u64) as usize;
            totals.torn += 1;
        }
        inode.overwrite(offset, &bytes[..taken]);
        totals.writes += 1;
        totals.bytes += taken as u64;
        totals.hash = fnv_words(totals.hash, &bytes[..taken]);
        if is_torn {
            return Err(io::Error::other("the disk has failed in the middle of a write"));
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, len: u64) -> io::Result<()> {
        let disk = &mut *self.disk.0.lock();
        disk.may_refuse()?;
        let inode = disk.inodes.get_mut(&self.inode).ok_or(ErrorKind::NotFound)?;
        inode.set_len(len as usize);
        Ok(())
    }

    pub(super) fn len(&self) -> u64 {
        let disk = self.disk.0.lock();
        disk.inodes.get(&self.inode).map_or(0, |inode| inode.bytes.len() as u64)
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        let disk = &mut *self.disk.0.lock();
        if disk.random.hits_ppm(disk.conditions.sync_ppm) {
            disk.totals.sync_failed += 1;
            return Err(io::Error::other("the disk has failed in a sync"));
        }
        if let Some(inode) = disk.inodes.get_mut(&self.inode) {
            inode.sync();
        }
        Ok(())
    }

    pub(super) fn has_vanished(&self) -> bool {
        let disk = self.disk.0.lock();
        !disk.inodes.get(&self.inode).is_some_and(|inode| inode.is_named)
    }
}

impl Drop for VirtualFile {
    fn drop(&mut self) {
        let disk = &mut *self.disk.0.lock();
        if let Some(inode) = disk.inodes.get_mut(&self.inode) {
            inode.handles -= 1;
        }
        disk.let_go(self.inode);
    }
}
