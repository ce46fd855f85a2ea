//! The pipeline race against a published crate of a peer: a `bookTicker` frame's bytes to the first
//! and to the last of ten strategies' callbacks. See `BENCHMARKS.md` for the method and the
//! figures.

mod barter;

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_benches::wire::race_against("peer", "barter-data 0.13", barter::run)
}
