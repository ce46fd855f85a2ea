//! The journal: what must survive the process, on record before it acts.
//!
//! Promises: a record is in the segment before anyone acts on it; what a reader gives is a prefix
//! of what was written, record for record, and it says where and why it stops; a write or sync
//! that failed is never tried again, and nothing is written behind it. It knows no orders' ways:
//! whoever has something to record appends it. `engine/docs/journal.md` has the format and what is
//! recorded when.

mod checkpoint_board;
mod checkpoint_file;
mod control_record;
mod folder;
mod folder_read;
mod format;
mod health;
mod journal_error;
mod keeper;
mod keeper_waker;
mod payload;
mod reader;
mod segment_name;
mod segment_reading;
mod state;
mod state_keeper;
mod stops;
mod tap;
#[cfg(test)]
mod tests;
mod writer;

pub use checkpoint_board::{CheckpointBoard, CheckpointFigures};
pub use checkpoint_file::{CheckpointFacts, CheckpointFile, read_checkpoints};
pub(crate) use checkpoint_file::{
    checkpoint_numbers, checkpoint_path, read_checkpoint, remove_unfinished, write_checkpoint,
};
pub(crate) use control_record::ControlRecord;
pub use folder::{JournalFolder, LockedFolder, newest_checkpoint, read_folder, read_for_start};
pub(crate) use folder::{is_journal_file, is_of_this_journal, segment_begun_ns, segment_numbers};
pub use folder_read::{FolderRead, SegmentFacts};
pub use format::{
    FORMAT_VERSION, PAYLOAD_BYTES_MAX, RECORD_HEADER_BYTES, RecordKind, SEGMENT_HEADER_BYTES,
    SegmentHeader,
};
pub use health::{JournalFailure, JournalHealth};
pub use journal_error::JournalError;
pub use keeper::JournalKeeper;
pub use keeper_waker::KeeperWaker;
pub use payload::{
    BalanceRecord, Body, ControlCommand, Intent, NameTable, Named, ReportRecord, RiskRecord,
    RunStart, RunStop, TradingState,
};
pub use reader::{RecordView, StopReason};
pub(crate) use segment_name::segment_path;
pub(crate) use segment_reading::SegmentReading;
pub(crate) use state::StatePort;
pub use state::{STATE_BYTES_MAX, SavedState, StateBuffer, StateTooLarge, read_state};
pub(crate) use state_keeper::StateKeeper;
pub use stops::Stop;
pub(crate) use tap::JournalTap;
pub use writer::{Durability, JournalEnd, JournalOptions, JournalWriter};
