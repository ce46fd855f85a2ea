//! `latency`: reads, compares, plots and judges latency histograms. All of it is in the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_tools::latency::main()
}
