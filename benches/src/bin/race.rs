//! Races Pitlane's lanes against other crates; see `BENCHMARKS.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_benches::race::main()
}
