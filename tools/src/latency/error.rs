//! What can go wrong in a verb, and the exit code that says so.

use std::io;

use thiserror::Error;

use super::line::LineError;
use super::payload::PayloadError;
use crate::exit::Exit;

/// Why a log can't be read.
#[derive(Debug, Error)]
pub enum LogError {
    /// The system refuses.
    #[error("{file}: {source}")]
    Io {
        /// The file as the user named it.
        file: String,
        /// The system's word.
        source: io::Error,
    },
    /// A line in the middle is broken.
    #[error("{file}: line {number}: {problem}")]
    Line {
        /// The file as the user named it.
        file: String,
        /// The line, from 1.
        number: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// No interval in the whole file.
    #[error("{file}: holds no interval: {what}")]
    NoInterval {
        /// The file as the user named it.
        file: String,
        /// What it holds instead.
        what: &'static str,
    },
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum LineProblem {
    /// Its fields.
    #[error(transparent)]
    Fields(#[from] LineError),
    /// Its histogram.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// It does not end.
    #[error("longer than {0} MiB, which no interval is")]
    TooLong(usize),
    /// More values to keep than there is sense in.
    #[error("what has to be kept of the log takes over {0} MiB; take one series with --tag")]
    TooMuch(usize),
    /// More tags than anyone could read.
    #[error("more than {0} different tags")]
    TooManyTags(usize),
}

/// Why a verb gave up.
#[derive(Debug, Error)]
pub enum VerbError {
    /// The input can't be read (exit code 3).
    #[error(transparent)]
    Input(#[from] LogError),
    /// The command line asks for what is not there (exit code 2).
    #[error("{0}")]
    Usage(String),
    /// A result can't be written (exit code 3).
    #[error("{to}: {source}")]
    Output {
        /// Where it should have gone.
        to: String,
        /// The system's word.
        source: io::Error,
    },
    /// A running engine can't be read (exit code 3).
    #[error("{0}")]
    Engine(String),
    /// The reader of the results has gone away, as `head` does: nothing to complain of.
    #[error("the output was closed")]
    Closed,
}

impl VerbError {
    /// An error while writing to `to`.
    #[must_use]
    pub fn output(to: &str, source: io::Error) -> VerbError {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return VerbError::Closed;
        }
        VerbError::Output { to: to.to_owned(), source }
    }

    /// The exit code of the process.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            VerbError::Input(_) | VerbError::Output { .. } | VerbError::Engine(_) => {
                Exit::Unreadable
            }
            VerbError::Usage(_) => Exit::Usage,
            VerbError::Closed => Exit::Ok,
        }
    }
}
