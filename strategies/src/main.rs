//! The binary `pitlane`: the engine's command line with the built-in strategies compiled in.
//!
//! This is the composition root. Copy it into a repository of your own, and register what is yours.

use std::process::ExitCode;

#[cfg(not(feature = "dhat-heap"))]
#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

// Stacks in place of the count, which then is `null` in the report.
#[cfg(feature = "dhat-heap")]
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    // Writes `dhat-heap.json` when it is dropped, at the end.
    #[cfg(feature = "dhat-heap")]
    let _profiler = dhat::Profiler::new_heap();
    pitlane_tools::main(pitlane_strategies::builtin())
}
