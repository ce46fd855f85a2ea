//! A recorder of live sessions: raw frames, messages sent, and snapshots over REST, each with the
//! time of its arrival, in the form that `run --recording` plays.
//!
//! ```text
//! session on a pinned core --(lane of pieces)--> agent "recorder", beside the cores --> files
//! ```
//!
//! Promises: a session never waits for a disk. What finds no room in the lane is counted as lost
//! and named in the report; nothing is lost silently. Files are their owner's alone, and together
//! never larger than what was asked for. It does not judge what it records: the engine that runs
//! beside it does.

mod agent;
mod files;
mod tap;
mod totals;

pub use agent::{Recorder, RecorderOptions};
pub use tap::Tap;
pub use totals::{RecordedConnection, RecorderTotals};
