//! The binary `doctor`: what this machine gives, what costs latency, and how to mend it.

use std::process::ExitCode;

fn main() -> ExitCode {
    pitlane_tools::doctor::main()
}
