//! A batch that was seen twice, and how much of its time was its thread's own.

use pitlane_ring::Running;

use super::super::guarded::GuardedConsumer;
use super::super::home::ThreadId;
use super::super::own_time::OwnTime;
use super::super::stalls::Offered;

/// Between two questions to the kernel about one stall, ns.
const ASK_NS: u64 = 20_000_000;

/// A batch that was seen, and seen again.
pub(super) struct Sight {
    pub(super) running: Running,
    pub(super) since_ns: u64,
    pub(super) own: Option<OwnTime>,
    /// When the kernel is asked again, in a stall.
    ask_at_ns: u64,
    pub(super) before: Vec<Offered>,
    pub(super) is_stall: bool,
    pub(super) wants_least: bool,
    pub(super) is_quarantined: bool,
}

impl Sight {
    pub(super) fn new(running: Running, since_ns: u64) -> Sight {
        Sight {
            running,
            since_ns,
            own: None,
            ask_at_ns: 0,
            before: Vec::new(),
            is_stall: false,
            wants_least: false,
            is_quarantined: false,
        }
    }

    /// The thread's own time in this batch, once it is above the budget; without a thread, all of
    /// it. The kernel is only asked from the second look on, and once the batch lasts so long that
    /// the answer matters.
    pub(super) fn own_ns(
        &mut self,
        consumers: &[GuardedConsumer],
        thread: Option<&ThreadId>,
        now_ns: u64,
    ) -> Option<u64> {
        let budget_ns = consumers.iter().map(|consumer| consumer.budget_ns).min()?;
        if self.is_stall && now_ns < self.ask_at_ns {
            return None;
        }
        self.ask_at_ns = now_ns + ASK_NS;
        let Some(own) = &mut self.own else {
            self.own = match thread {
                Some(thread) => OwnTime::start(thread.get(), now_ns),
                None => Some(OwnTime::simulated(self.since_ns)),
            };
            self.before = consumers.iter().map(|it| Offered::read(&it.published)).collect();
            return None;
        };
        if now_ns - self.since_ns < budget_ns {
            return None;
        }
        own.until(thread.map_or(0, ThreadId::get), now_ns).filter(|own_ns| *own_ns >= budget_ns)
    }
}
