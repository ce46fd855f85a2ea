//! Where reading ended, and why.

use std::fmt;
use std::path::PathBuf;

use super::reader::StopReason;
use crate::text::escaped;

/// Where the valid prefix of a journal ends when that is not where it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The segment's file.
    pub path: PathBuf,
    /// The first byte that is no part of a valid record.
    pub offset: usize,
    /// Sequence of the last valid record before it; 0 for none.
    pub last_sequence: u64,
    /// Why.
    pub reason: StopReason,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stop { path, offset, last_sequence, reason } = self;
        let path = path.display().to_string();
        let path = escaped(&path);
        write!(f, "{path}, byte {offset}, behind record {last_sequence}: {reason}")
    }
}
