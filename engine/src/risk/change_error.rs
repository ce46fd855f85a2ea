//! Why a limit was not changed.

use thiserror::Error;

/// Why a limit was not changed; nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum ChangeError {
    #[error("there is no limit {0:?}; there are: {1}")]
    UnknownLimit(String, String),
    #[error("there is no {what} {name:?}; there are: {known}")]
    UnknownName { what: &'static str, name: String, known: String },
    #[error("{0} is no limit of {1}")]
    NotThere(&'static str, &'static str),
    #[error("{limit} can't be {value:?}: {problem}")]
    BadValue { limit: &'static str, value: String, problem: String },
}
