//! Threads of the real world, and the pauses of those that wait for one to end.
//!
//! For the places of `runtime` and for what blocks by its nature: the resolver, the sinks. All else
//! is an agent with a next timer, which a simulated world can run as well.

#![allow(clippy::disallowed_methods, reason = "the seam itself")]

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Between two polls of a thread that is ending.
const POLL_PAUSE: Duration = Duration::from_millis(1);

/// Starts a thread. It inherits the caller's mask of cores.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn start_thread<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(run)
}

/// Waits until `is_over` or for as long as `most`; whether it was over in time.
pub fn wait_until(most: Duration, mut is_over: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if is_over() {
            return true;
        }
        if started.elapsed() >= most {
            return false;
        }
        std::thread::sleep(POLL_PAUSE);
    }
}
