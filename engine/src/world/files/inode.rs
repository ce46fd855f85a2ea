//! What a virtual disk keeps of one file.

/// The bytes of a file, whatever it is called.
#[derive(Debug, Default)]
pub(super) struct Inode {
    pub(super) bytes: Vec<u8>,
    /// How many of them outlast a crash.
    pub(super) synced: usize,
    /// Whether it has a name.
    pub(super) is_named: bool,
    pub(super) handles: u32,
}

impl Inode {
    pub(super) fn set_len(&mut self, len: usize) {
        self.bytes.resize(len, 0);
        self.synced = self.synced.min(len);
    }

    /// Whether nobody can reach it any more.
    pub(super) fn is_unreachable(&self) -> bool {
        !self.is_named && self.handles == 0
    }
}
