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

impl Stop {
    /// A whole segment that does not go on where the one before has ended: whether it is ahead of
    /// that. `None` for any other stop. No crash leaves one; one that is ahead the loss of power
    /// may, where all of the segment before was lost.
    #[must_use]
    pub fn out_of_place(&self) -> Option<bool> {
        match self.reason {
            StopReason::Sequence { expected, found } if self.offset == 0 => Some(found > expected),
            _ => None,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stop { path, offset, last_sequence, reason } = self;
        let path = path.display().to_string();
        let path = escaped(&path);
        write!(f, "{path}, byte {offset}, behind record {last_sequence}: {reason}")
    }
}
