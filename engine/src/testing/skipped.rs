//! A test that can't run where it is says so where everybody sees it.

use std::io::Write;

/// Says that the running test checks nothing, and why. `cargo test` shows it between the lines of
/// its tests, since what a test writes to the stream itself is not captured; `.ci/run` lists all
/// such lines at its end.
pub fn skipped(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // One write, so that no other thread's line comes between.
    let line = format!("SKIPPED {test}: {why}\n");
    let _ignored = std::io::stderr().write_all(line.as_bytes());
}
