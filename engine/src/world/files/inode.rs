//! What a virtual disk keeps of one file.

use crate::world::SplitMix64;

/// The bytes of a file, whatever it is called.
#[derive(Debug, Default)]
pub(super) struct Inode {
    pub(super) bytes: Vec<u8>,
    /// How many of them outlast a crash.
    pub(super) synced: usize,
    /// What stood in places that were written since the last sync, oldest first.
    pub(super) overwritten: Vec<(usize, Vec<u8>)>,
    /// Whether it has a name.
    pub(super) is_named: bool,
    pub(super) handles: u32,
}

impl Inode {
    pub(super) fn set_len(&mut self, len: usize) {
        self.bytes.resize(len, 0);
        self.synced = self.synced.min(len);
    }

    /// Writes over bytes that are there.
    pub(super) fn overwrite(&mut self, offset: usize, bytes: &[u8]) {
        let place = &mut self.bytes[offset..offset + bytes.len()];
        self.overwritten.push((offset, place.to_vec()));
        place.copy_from_slice(bytes);
    }

    /// All of it outlasts a crash.
    pub(super) fn sync(&mut self) {
        self.synced = self.bytes.len();
        self.overwritten.clear();
    }

    /// Of what was written over bytes since the last sync, each write is lost, kept or torn by
    /// itself: a disk keeps no order. Returns the bytes that are lost.
    pub(super) fn undo(&mut self, random: &mut SplitMix64) -> u64 {
        let mut lost = 0;
        while let Some((offset, before)) = self.overwritten.pop() {
            let len = before.len() as u64;
            let kept = match random.between(0, 3) {
                0 => 0,
                1 => random.between(0, len),
                _ => len,
            } as usize;
            let end = (offset + before.len()).min(self.bytes.len());
            let from = (offset + kept).min(end);
            self.bytes[from..end].copy_from_slice(&before[from - offset..end - offset]);
            lost += (end - from) as u64;
        }
        lost
    }

    /// Whether nobody can reach it any more.
    pub(super) fn is_unreachable(&self) -> bool {
        !self.is_named && self.handles == 0
    }
}
