//! What a person types: the verbs of `pitlane`, as a library.
//!
//! A binary registers its strategies and calls [`main`]; everything else (parsing, configuration, the
//! plan, signals, the status line, the report, the exit code) is here, so that a private repository gets the
//! same command line with its own strategies.

#![forbid(unsafe_code)]

mod cli;
mod duration;
mod exit;
mod plan_text;
mod table;

pub use duration::parse_duration;
pub use exit::Exit;
pub use plan_text::plan_text;
