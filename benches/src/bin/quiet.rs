//! Races a sleeping producer; see `BENCHMARKS.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_benches::quiet::main()
}
