//! Why a record can't be played, and where a playing differs from it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a record can't be written or played.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum TapeError {
    #[error("[replay] {} failed: {source} (code: io)", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "[replay] {} holds no record of a run: no file tape-000000 (code: no_record)",
        path.display()
    )]
    NoRecord { path: PathBuf },
    #[error(
        "[replay] the record in {} ends before the engine had started (code: no_end)",
        path.display()
    )]
    Empty { path: PathBuf },
    #[error("{0}")]
    Malformed(Malformed),
    #[error("[replay] the start of the engine differs from the record: {0} (code: differs)")]
    StartDiffers(Difference),
    #[error("[replay] the configuration can't be kept: {0} (code: config)")]
    Head(String),
    #[error("[replay] {} is no part of a record (code: no_record)", path.display())]
    NotATape { path: PathBuf },
    #[error(
        "[replay] {} is of version {version}, and this build plays {known} (code: version)",
        path.display()
    )]
    Version { path: PathBuf, version: u32, known: u32 },
    #[error(
        "[replay] {} is damaged: the block at byte {offset} does not have its checksum \
         (code: damaged)",
        path.display()
    )]
    Damaged { path: PathBuf, offset: u64 },
    #[error("[replay] {} is missing, and a later part is there (code: damaged)", path.display())]
    Missing { path: PathBuf },
}

/// Something in a record that can't be read, although all checksums hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The part of the record.
    pub path: PathBuf,
    /// The first byte of the entry there.
    pub offset: u64,
    /// What it is, in words.
    pub what: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Malformed { path, offset, what } = self;
        let path = path.display();
        write!(f, "[replay] {path} is malformed at byte {offset}: {what} (code: malformed)")
    }
}

/// Where a playing does something else than what was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What was done, in words.
    pub what: String,
    /// Duty cycles until then.
    pub cycle: u64,
    /// The agent at work, by its number; `None` outside of a duty cycle.
    pub agent: Option<usize>,
    /// The last reading of the clock, ns.
    pub at_ns: u64,
    /// The consumer whose callback it was.
    pub consumer: Option<u16>,
    /// The trace of the event that is being handled, or was handled last; 0 = none.
    pub trace_id: u64,
    /// Its sequence at its venue; 0 = none.
    pub sequence: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { what, cycle, at_ns, trace_id, sequence, .. } = self;
        write!(f, "{what} (duty cycle {cycle}, at {at_ns} ns")?;
        if *trace_id != 0 {
            write!(f, ", trace {trace_id}, sequence {sequence}")?;
        }
        f.write_str(")")
    }
}
