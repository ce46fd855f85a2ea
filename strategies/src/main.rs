//! The binary `pitlane`: the engine's command line with the built-in strategies compiled in.
//!
//! This is the composition root. Copy it into a repository of your own, and register what is yours.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

fn main() -> ExitCode {
    pitlane_tools::main(pitlane_strategies::builtin())
}
