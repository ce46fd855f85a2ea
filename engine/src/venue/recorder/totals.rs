//! What was recorded, and what was not.

use std::sync::Arc;

use parking_lot::Mutex;

/// Notes of a connection that are kept for the report; all of them are in its file.
const NOTES_MAX: usize = 200;

/// What was recorded of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedConnection {
    /// The venue's name.
    pub venue: String,
    /// Which of its sessions it is, such as `market`.
    pub role: String,
    /// Frames.
    pub frames: u64,
    /// Messages of ours.
    pub sent: u64,
    /// Snapshots over REST.
    pub snapshots: u64,
    /// Answers that tell of instruments.
    pub instrument_lists: u64,
    /// Bytes in its files.
    pub bytes: u64,
    /// Files with frames.
    pub files: u32,
    /// Texts that found no room on their way to the recorder.
    pub lost: u64,
    /// What became of the connection, with the time, ns since the Unix epoch: the first ones.
    pub notes: Vec<(i64, String)>,
    /// Notes beyond those.
    pub notes_left_out: u64,
}

impl RecordedConnection {
    pub(super) fn note(&mut self, time_ns: i64, text: &str) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((time_ns, text.to_owned()));
        } else {
            self.notes_left_out += 1;
        }
    }
}

/// What a recorder has done so far, readable from any thread. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RecorderTotals(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) connections: Vec<RecordedConnection>,
    pub(super) end: Option<String>,
}

impl RecorderTotals {
    /// By connection, in the order in which they were made.
    #[must_use]
    pub fn connections(&self) -> Vec<RecordedConnection> {
        self.0.lock().connections.clone()
    }

    /// Why nothing more is recorded, if it is so.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        self.0.lock().end.clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock())
    }
}
