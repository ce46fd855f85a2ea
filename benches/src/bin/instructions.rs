//! One case of the instruction counts; see `benches/instructions/check.py`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_benches::instructions::main()
}
