//! Threads on chosen cores, for what only a measurement can tell.

use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Pins the calling thread to one core.
fn pin(core: usize) -> io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Runs `work(index)` on a thread of each core, all started together, and returns what they found in the
/// order of `cores`.
///
/// # Errors
/// The first core that can't be pinned to, or thread that can't be started; then no work is done.
pub(crate) fn on_each<T: Send>(
    cores: &[usize],
    work: impl Fn(usize) -> T + Sync,
) -> io::Result<Vec<T>> {
    let (start, refused) = (Barrier::new(cores.len()), AtomicBool::new(false));
    let (start, refused, work) = (&start, &refused, &work);
    let found: Vec<io::Result<Option<T>>> = thread::scope(|scope| {
        let threads: Vec<_> = cores
            .iter()
            .enumerate()
            .map(|(index, core)| {
                scope.spawn(move || {
                    let pinned = pin(*core);
                    refused.fetch_or(pinned.is_err(), Ordering::Relaxed);
                    // The barrier orders the flag: after it everyone sees every refusal.
                    start.wait();
                    pinned?;
                    Ok((!refused.load(Ordering::Relaxed)).then(|| work(index)))
                })
            })
            .collect();
        let panicked = || io::Error::other("a measuring thread panicked");
        threads.into_iter().map(|thread| thread.join().map_err(|_| panicked())?).collect()
    });
    let found: io::Result<Vec<Option<T>>> = found.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_can_not_be_had_refuses_the_whole_and_nobody_waits() {
        let ran = AtomicBool::new(false);
        let work = |_| ran.store(true, Ordering::Relaxed);
        assert!(on_each(&[0, 1_023], work).is_err() || cfg!(not(target_os = "linux")));
        assert!(!ran.load(Ordering::Relaxed), "work began although a core was refused");
        assert!(on_each(&[100_000], |_| ()).is_err());
    }
}
