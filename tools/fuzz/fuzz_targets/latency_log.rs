//! Any bytes as an interval log: no panic, no huge allocation, no endless loop.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pitlane_tools::latency::read_any(bytes));
