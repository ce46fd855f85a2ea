//! Why a journal can't be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::stops::Stop;

/// Why a journal can't be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// A file or the folder.
    #[error("[journal] {path}: {source} (code: io)")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another engine writes there.
    #[error(
        "[journal] {path} belongs to a running engine, {}: give each engine a folder of its own \
         ([journal] dir) (code: locked)",
        process(*.holder)
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, where it has said so.
        holder: Option<u32>,
    },
    /// Segments were removed, and what they came to can't be read.
    #[error(
        "[journal] {path} begins with record {first}, and no checkpoint of what lies before can be \
         taken up ({why}): bring the files NUMBER.checkpoint or the earlier segments back, or give \
         the engine a new folder once every strategy is flat (code: no_checkpoint)"
    )]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
        /// Sequence of its first record.
        first: u64,
        /// What is wrong with each checkpoint that is there.
        why: String,
    },
    /// What lies before the last segment can't be read whole.
    #[error(
        "[journal] {0}. Records behind it exist and would be left out: look with `pitlane journal \
         verify`, and give the engine a new folder or mend this one (code: damaged)"
    )]
    Damaged(Stop),
}

fn process(holder: Option<u32>) -> String {
    holder.map_or("whose process is not known".to_owned(), |number| format!("process {number}"))
}
