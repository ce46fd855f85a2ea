//! Threads on chosen cores, for what only a measurement can tell.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

/// Where threads wait for each other, and leave together when one can't take part.
struct Gate {
    expected: usize,
    arrived: AtomicUsize,
    is_closed: AtomicBool,
}

impl Gate {
    /// Waits for all others; whether work may begin.
    fn pass(&self, may: bool) -> bool {
        if !may {
            self.close();
        }
        // Release after a closing, and acquire by those who count: whoever sees all sees every
        // refusal.
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < self.expected {
            if self.is_closed.load(Ordering::Relaxed) {
                return false;
            }
            thread::yield_now();
        }
        !self.is_closed.load(Ordering::Relaxed)
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }
}

/// Runs `work(index)` on a thread of each core, all started together, and returns what they found
/// in the order of `cores`.
///
/// # Errors
/// The first core that can't be pinned to, or thread that can't be started; then no work is done.
pub(crate) fn on_each<T: Send>(
    cores: &[usize],
    work: impl Fn(usize) -> T + Sync,
) -> io::Result<Vec<T>> {
    let gate = Gate {
        expected: cores.len(),
        arrived: AtomicUsize::new(0),
        is_closed: AtomicBool::new(false),
    };
    let (gate, work) = (&gate, &work);
    let found: io::Result<Vec<Option<T>>> = thread::scope(|scope| {
        let start = |(index, core): (usize, &usize)| {
            let core = *core;
            thread::Builder::new().spawn_scoped(scope, move || {
                let pinned = pin(core);
                let begins = gate.pass(pinned.is_ok());
                pinned.map(|()| begins.then(|| work(index)))
            })
        };
        let threads: io::Result<Vec<_>> = cores.iter().enumerate().map(start).collect();
        let threads = threads.inspect_err(|_| gate.close())?;
        let panicked = |_| io::Error::other("a measuring thread panicked");
        // Every thread is joined before the first error is returned: the scope sees to it.
        threads.into_iter().map(|thread| thread.join().map_err(panicked)?).collect()
    });
    Ok(found?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_can_not_be_had_refuses_the_whole_and_nobody_waits() {
        let ran = AtomicBool::new(false);
        let work = |_| ran.store(true, Ordering::Relaxed);
        assert!(on_each(&[0, 100_000], work).is_err());
        assert!(!ran.load(Ordering::Relaxed), "work began although a core was refused");
    }
}
