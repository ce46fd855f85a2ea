//! How much of a span a thread really slept or burned, apart from what it waited for a core.
//!
//! Source: `/proc/self/task/TID/schedstat` (time on a core and time in the run queue, ns) and the
//! state in `/proc/self/task/TID/stat`. Both times are exact for a thread that sleeps. For one that
//! is runnable the time on a core is behind by up to a tick (1 to 10 ms), and a wait that goes on
//! is not in it: so only what it burned counts then, which errs on the side of the thread.
//! Kernels without `schedstat` give the time on a core in hundredths of a second, and no waits.

use crate::world::kernel_text_into;

/// Nanoseconds of a hundredth of a second, in which `stat` counts.
const TICK_NS: u64 = 10_000_000;

/// A reading of the kernel's account of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    on_core_ns: u64,
    waited_ns: u64,
    is_asleep: bool,
}

/// A thread's own time since the first reading.
#[derive(Debug)]
pub(super) struct OwnTime {
    started_ns: u64,
    first: Account,
    /// Own time that is certain, up to when the thread was last seen asleep.
    certain_ns: u64,
    /// Time on a core at that moment.
    on_core_ns: u64,
    is_burning: bool,
    is_simulated: bool,
}

impl OwnTime {
    /// Starts at `now_ns`; `None` when the thread is gone or the system says nothing.
    pub(super) fn start(tid: i32, now_ns: u64) -> Option<OwnTime> {
        Some(OwnTime::from(read(tid)?, now_ns))
    }

    /// Of a consumer of a simulated world, whose time is all its own.
    pub(super) fn simulated(started_ns: u64) -> OwnTime {
        let first = Account { on_core_ns: 0, waited_ns: 0, is_asleep: true };
        OwnTime { is_simulated: true, ..OwnTime::from(first, started_ns) }
    }

    /// What it slept or burned until `now_ns`, ns; `None` as above.
    pub(super) fn until(&mut self, tid: i32, now_ns: u64) -> Option<u64> {
        if self.is_simulated {
            return Some(now_ns.saturating_sub(self.started_ns));
        }
        Some(self.judge(read(tid)?, now_ns))
    }

    /// Whether it was on a core, or waiting for one, when last asked.
    pub(super) fn is_burning(&self) -> bool {
        self.is_burning
    }

    fn from(first: Account, started_ns: u64) -> OwnTime {
        let is_burning = !first.is_asleep;
        OwnTime {
            started_ns,
            first,
            certain_ns: 0,
            on_core_ns: first.on_core_ns,
            is_burning,
            is_simulated: false,
        }
    }

    fn judge(&mut self, now: Account, now_ns: u64) -> u64 {
        self.is_burning = !now.is_asleep;
        if self.is_burning {
            return self.certain_ns + now.on_core_ns.saturating_sub(self.on_core_ns);
        }
        let elapsed_ns = now_ns.saturating_sub(self.started_ns);
        let waited_ns = now.waited_ns.saturating_sub(self.first.waited_ns);
        self.certain_ns = elapsed_ns.saturating_sub(waited_ns);
        self.on_core_ns = now.on_core_ns;
        self.certain_ns
    }
}

fn read(tid: i32) -> Option<Account> {
    let mut text = [0; 512];
    let stat = read_into(&format!("/proc/self/task/{tid}/stat"), &mut text)?;
    // The name may hold anything, also brackets: the fields start behind the last one.
    let fields = stat.rsplit_once(')')?.1;
    let is_asleep = !fields.trim_start().starts_with('R');
    let mut numbers = fields.split_ascii_whitespace().skip(11);
    let ticks: u64 = numbers.next()?.parse::<u64>().ok()? + numbers.next()?.parse::<u64>().ok()?;
    let mut text = [0; 128];
    let schedstat = read_into(&format!("/proc/self/task/{tid}/schedstat"), &mut text);
    let mut exact = schedstat.into_iter().flat_map(|text| text.split_ascii_whitespace());
    let mut next = || exact.next()?.parse().ok();
    Some(match (next(), next()) {
        (Some(on_core_ns), Some(waited_ns)) => Account { on_core_ns, waited_ns, is_asleep },
        _ => Account { on_core_ns: ticks * TICK_NS, waited_ns: 0, is_asleep },
    })
}

fn read_into<'t>(path: &str, text: &'t mut [u8]) -> Option<&'t str> {
    kernel_text_into(path, text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn account(on_core_ms: u64, waited_ms: u64, is_asleep: bool) -> Account {
        Account { on_core_ns: on_core_ms * MS, waited_ns: waited_ms * MS, is_asleep }
    }

    #[test]
    fn waiting_for_a_core_is_not_the_threads_own_time() {
        let mut own = OwnTime::from(account(100, 50, false), 1_000 * MS);
        // Preempted for the whole span: nothing burned, and the wait is not in the account yet.
        assert_eq!(own.judge(account(100, 50, false), 1_040 * MS), 0);
        // Back on a core, burning.
        assert_eq!(own.judge(account(107, 90, false), 1_048 * MS), 7 * MS);
        // Asleep since: all that was not a wait.
        assert_eq!(own.judge(account(108, 90, true), 1_060 * MS), 20 * MS);
        // Burning again after the sleep.
        assert_eq!(own.judge(account(111, 90, false), 1_070 * MS), 23 * MS);
    }

    #[test]
    fn the_system_tells_of_this_thread_and_of_no_other() {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        let started = std::time::Instant::now();
        let now_ns = || started.elapsed().as_nanos() as u64;
        let mut own = OwnTime::start(tid, now_ns()).expect("this thread is there");
        let mut turns = 0_u64;
        // On a core until the kernel's account says so: it is behind by a tick.
        while own.until(tid, now_ns()).expect("still there") < MS {
            turns += 1;
            assert!(started.elapsed().as_secs() < 60, "{turns} looks and no time on a core");
        }
        assert_eq!(OwnTime::start(i32::MAX, 0).map(|_| ()), None);
    }
}
