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

/// What is known of the timer. Where the venue has one for each symbol it is set in a round, one
/// symbol behind the other, and runs out when the first of them does.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadMan {
    /// Its run, ms; 0: none is wanted.
    pub(super) timeout_ms: u32,
    /// When it is set next, ns of the engine's clock.
    pub(super) next_ns: u64,
    /// The run of the round that is under way, ms, and when it began, ns.
    round: Option<(u32, u64)>,
    /// The part of the round that is asked for, or is next, of so many.
    part: usize,
    parts: usize,
    /// A part of it was not done.
    has_failed: bool,
    /// A request is unanswered.
    is_asked: bool,
    /// When it runs out, as far as is known, ns; 0: it does not run.
    pub(super) until_ns: u64,
    /// When the last part of it runs out that may run, ns; 0: none does.
    any_until_ns: u64,
    pub(super) is_stood_down: bool,
}

impl DeadMan {
    /// One of so many parts.
    pub(super) fn new(timeout_ms: Option<u32>, parts: usize) -> DeadMan {
        DeadMan {
            timeout_ms: timeout_ms.unwrap_or(0),
            next_ns: 0,
            round: None,
            part: 0,
            parts,
            has_failed: false,
            is_asked: false,
            until_ns: 0,
            any_until_ns: 0,
            is_stood_down: false,
        }
    }

    /// When it is set next, ns; `u64::MAX` when not at all.
    pub(super) fn next_timer_ns(&self) -> u64 {
        let is_wanted = self.timeout_ms > 0 && !self.is_stood_down && !self.is_asked;
        if is_wanted { self.next_ns } else { u64::MAX }
    }

    /// Whether an answer is awaited, or a part of it may run.
    pub(super) fn may_run(&self, now_ns: u64) -> bool {
        self.is_asked || self.until_ns.max(self.any_until_ns) > now_ns
    }

    /// Whether an answer is awaited.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// The venue is on again.
    pub(super) fn begin_anew(&mut self) {
        (self.is_stood_down, self.next_ns) = (false, 0);
    }

    /// The part that is to be asked for now, of a round for this run.
    pub(super) fn begin(&mut self, timeout_ms: u32, now_ns: u64) -> usize {
        if self.round.is_none_or(|(of, _)| of != timeout_ms) {
            (self.round, self.part, self.has_failed) = (Some((timeout_ms, now_ns)), 0, false);
        }
        self.part
    }

    pub(super) fn sent(&mut self) {
        self.is_asked = true;
    }

    /// The venue has done the part that was asked for: when it runs out now, ns; `None` while other
    /// parts are missing, or one was not done.
    pub(super) fn done(&mut self, now_ns: u64) -> Option<u64> {
        let Some((timeout_ms, began_ns)) = self.round.filter(|_| self.is_asked) else {
            return Some(self.until_ns);
        };
        // From when it was sent: the venue's begins no earlier.
        let run_ns = u64::from(timeout_ms) * MS_NS;
        if timeout_ms > 0 {
            self.any_until_ns = now_ns + run_ns;
        }
        if !self.goes_on(now_ns) {
            return None;
        }
        self.until_ns = if timeout_ms == 0 { 0 } else { began_ns + run_ns };
        if timeout_ms == 0 {
            self.any_until_ns = 0;
        }
        self.next_ns = began_ns + run_ns / SETS_PER_RUN;
        Some(self.until_ns)
    }

    /// It was not done, or nobody knows.
    pub(super) fn failed(&mut self, now_ns: u64) {
        self.has_failed = true;
        if self.round.is_none() {
            self.next_ns = now_ns + AGAIN_NS;
            return;
        }
        self.goes_on(now_ns);
    }

    /// The connection was lost: the round begins anew.
    pub(super) fn disconnected(&mut self, now_ns: u64) {
        (self.round, self.is_asked, self.next_ns) = (None, false, now_ns + AGAIN_NS);
    }

    /// The next part follows at once; whether the round is over, and all of it was done.
    fn goes_on(&mut self, now_ns: u64) -> bool {
        (self.is_asked, self.part) = (false, self.part + 1);
        if self.part < self.parts {
            self.next_ns = now_ns;
            return false;
        }
        self.round = None;
        if self.has_failed {
            self.next_ns = now_ns + AGAIN_NS;
        }
        !self.has_failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_set_three_times_in_its_run_and_counted_from_when_it_was_sent() {
        let mut timer = DeadMan::new(Some(30_000), 1);
        assert_eq!(timer.next_timer_ns(), 0);
        timer.begin(30_000, 5);
        timer.sent();
        assert_eq!(timer.next_timer_ns(), u64::MAX, "its answer is awaited");
        assert_eq!(timer.done(6), Some(5 + 30_000 * MS_NS));
        assert_eq!(timer.next_timer_ns(), 5 + 10_000 * MS_NS);
        timer.begin(30_000, 7);
        timer.sent();
        timer.failed(8);
        assert_eq!(timer.next_timer_ns(), 8 + AGAIN_NS, "what ran before runs on");
        assert_eq!(timer.until_ns, 5 + 30_000 * MS_NS);
        timer.begin(0, 9);
        timer.sent();
        assert_eq!(timer.done(9), Some(0));
        assert!(!timer.may_run(9));
        assert_eq!(DeadMan::new(None, 1).next_timer_ns(), u64::MAX);
    }

    #[test]
    fn a_round_sets_each_part_and_runs_from_its_beginning_only_when_all_were_done() {
        let mut timer = DeadMan::new(Some(30_000), 3);
        let ask = |timer: &mut DeadMan, now_ns| {
            let part = timer.begin(30_000, now_ns);
            timer.sent();
            part
        };
        assert_eq!(ask(&mut timer, 5), 0);
        assert_eq!((timer.done(6), timer.next_timer_ns()), (None, 6));
        assert_eq!(ask(&mut timer, 6), 1);
        timer.failed(7);
        assert_eq!(timer.next_timer_ns(), 7, "the others are set all the same");
        assert_eq!(ask(&mut timer, 7), 2);
        assert_eq!((timer.done(8), timer.next_timer_ns()), (None, 8 + AGAIN_NS));
        assert!(timer.until_ns == 0 && timer.may_run(9), "some of it runs");
        for (part, now_ns) in [(0, 20), (1, 21), (2, 22)] {
            assert_eq!(ask(&mut timer, now_ns), part);
            let until_ns = (part == 2).then_some(20 + 30_000 * MS_NS);
            assert_eq!(timer.done(now_ns), until_ns);
        }
        ask(&mut timer, 30);
        timer.disconnected(31);
        assert_eq!((ask(&mut timer, 40), timer.until_ns), (0, 20 + 30_000 * MS_NS));
        timer.done(41);
        assert_eq!(timer.begin(0, 42), 0, "one that is stopped begins anew, too");
    }
}
