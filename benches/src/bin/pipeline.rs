//! Races wire to callback and tick to order; see `BENCHMARKS.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_benches::wire::main()
}
