//! Races against a published crate of a peer: a `bookTicker` frame's bytes to the first and to the
//! last of ten strategies' callbacks, and with `decode FILE..` a frame's bytes to an event. See
//! `BENCHMARKS.md` for the method and the figures.

mod barter;
mod decode;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((first, files)) if first == "decode" => decode::run(files),
        _ => pitlane_benches::wire::race_against("peer", "barter-data 0.13", barter::run),
    }
}
