//! Measures the dispatcher and the whole way from link to callback; see `BENCHMARKS.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_benches::stages::main()
}
