//! Measures the dispatcher and the whole way from link to callback; see `BENCHMARKS.md`.

use std::process::ExitCode;

/// What TLS allocates is counted.
#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

fn main() -> ExitCode {
    pitlane_benches::stages::main()
}
