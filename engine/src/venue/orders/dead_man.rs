//! The venue's own timer that cancels what is open unless it is set again: dead man.
//!
//! It is set three times in its run, as long as this session could cancel by itself. A session
//! that is lost, or an engine that stands still, sets nothing, and the venue ends what is open. The
//! timer is the account's: it ends the orders of whoever else uses it, too.
//!
//! In order it is stood down: at a stop once nothing of ours is open that should be cancelled, and
//! before orders are left behind as configured.

/// So many times in its run it is set.
const SETS_PER_RUN: u64 = 3;
/// The pause after a failure, ns.
const AGAIN_NS: u64 = 1_000_000_000;
const MS_NS: u64 = 1_000_000;

/// What is known of the timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadMan {
    /// Its run, ms; 0: none is wanted.
    pub(super) timeout_ms: u32,
    /// When it is set next, ns of the engine's clock.
    pub(super) next_ns: u64,
    /// The run of the request that is unanswered, ms, and when it was sent, ns.
    pub(super) asked: Option<(u32, u64)>,
    /// When it runs out, as far as is known, ns; 0: it does not run.
    pub(super) until_ns: u64,
    pub(super) is_stood_down: bool,
}

impl DeadMan {
    pub(super) fn new(timeout_ms: Option<u32>) -> DeadMan {
        let timeout_ms = timeout_ms.unwrap_or(0);
        DeadMan { timeout_ms, next_ns: 0, asked: None, until_ns: 0, is_stood_down: false }
    }

    /// When it is set next, ns; `u64::MAX` when not at all.
    pub(super) fn next_timer_ns(&self) -> u64 {
        let is_wanted = self.timeout_ms > 0 && !self.is_stood_down && self.asked.is_none();
        if is_wanted { self.next_ns } else { u64::MAX }
    }

    /// The venue is on again.
    pub(super) fn begin_anew(&mut self) {
        (self.is_stood_down, self.next_ns) = (false, 0);
    }

    pub(super) fn sent(&mut self, timeout_ms: u32, now_ns: u64) {
        self.asked = Some((timeout_ms, now_ns));
    }

    /// The venue has done it: when it runs out now, ns.
    pub(super) fn done(&mut self) -> u64 {
        let Some((timeout_ms, sent_ns)) = self.asked.take() else { return self.until_ns };
        let run_ns = u64::from(timeout_ms) * MS_NS;
        // From when it was sent: the venue's begins no earlier.
        self.until_ns = if timeout_ms == 0 { 0 } else { sent_ns + run_ns };
        self.next_ns = sent_ns + run_ns / SETS_PER_RUN;
        self.until_ns
    }

    /// It was not done, or nobody knows.
    pub(super) fn failed(&mut self, now_ns: u64) {
        (self.asked, self.next_ns) = (None, now_ns + AGAIN_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_set_three_times_in_its_run_and_counted_from_when_it_was_sent() {
        let mut timer = DeadMan::new(Some(30_000));
        assert_eq!(timer.next_timer_ns(), 0);
        timer.sent(30_000, 5);
        assert_eq!(timer.next_timer_ns(), u64::MAX, "its answer is awaited");
        assert_eq!(timer.done(), 5 + 30_000 * MS_NS);
        assert_eq!(timer.next_timer_ns(), 5 + 10_000 * MS_NS);
        timer.sent(30_000, 7);
        timer.failed(8);
        assert_eq!(timer.next_timer_ns(), 8 + AGAIN_NS, "what ran before runs on");
        assert_eq!(timer.until_ns, 5 + 30_000 * MS_NS);
        timer.sent(0, 9);
        assert_eq!(timer.done(), 0);
        assert_eq!(DeadMan::new(None).next_timer_ns(), u64::MAX);
    }
}
