//! A pinned thread whose core somebody else wants, too: how it keeps its latency.
//!
//! A yield to a busy process costs a whole slice of 3 to 10 ms on kernels since 6.6 (EEVDF): the
//! thread says with it that it does not want to run. A thread that never yields has half of the
//! core, in slices as long. But one that *sleeps* for a moment keeps its claim, and takes the core
//! back when it wakes. So while a core is contended its thread spins for a while and then naps, as
//! long a spin as the kernel lets pass without taking a slice, and where it may it raises its own
//! priority. Measured on one shared core with a Python loop on it, p50 of what an event waits:
//! 1,900 us with yields, 20 us with naps, and below 1 us with naps and priority.
//!
//! It is seen by what happens: gaps between two cycles that are longer than any thread of our own
//! leaves. Now and then, where all has been calm, it yields a few times to see whether the other is
//! gone; each attempt that fails makes the next one come later. Where even a nap costs a slice,
//! since more want the core than it has room for, it goes back to its plan, for long.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};

use super::ContentionBook;

/// The shortest gap that counts as taken, ns: a thread of the engine itself that was yielded to is
/// back sooner, and a slice is longer.
const GAP_MIN_NS: u64 = 500_000;
/// Span over which what was taken is added up, ns.
const WINDOW_NS: u64 = 100_000_000;
/// Taken within a window from which on a core is contended, ns.
const TAKEN_MAX_NS: u64 = 30_000_000;
/// Taken within a window from which on a contended core's thread spins for less, ns.
const TAKEN_STILL_NS: u64 = 3_000_000;
/// Between two naps at most, ns. With naps it leaves a tenth of the core to others, which is more
/// than they could claim against [`NICE`].
const SPIN_MAX_NS: u64 = 400_000;
/// Between two naps at least, ns: with naps a quarter of the core.
const SPIN_MIN_NS: u64 = 12_500;
/// A nap. Its end is late by 10 to 30 us on virtual machines.
const NAP: Duration = Duration::from_micros(40);
/// A nap that ends so late is no help at all, ns: longer than any slice.
const NAP_LOST_NS: u64 = 20_000_000;
/// Time without naps after they were no help, at first, ns; and how often it doubles.
const GIVEN_UP_NS: u64 = 10_000_000_000;
const GIVEN_UP_DOUBLINGS_MAX: u32 = 5;
/// Calm windows before more is tried, at first and at most.
const PATIENCE: (u32, u32) = (2, 64);
/// Yields in a row, none of which may last, that show that the other is gone.
const PROBES: u32 = 8;
/// A core that is contended again within this time is probed less often, ns.
const MEMORY_NS: u64 = 10_000_000_000;
/// Priority of a contended core's thread, where it is granted.
const NICE: i32 = -15;

/// What a loop does after a cycle without work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idling {
    /// What its idle strategy says.
    AsPlanned,
    Spin,
    Yield,
    Nap(Duration),
}

/// What one thread knows of its core.
pub(super) struct Contention {
    book: Arc<ContentionBook>,
    window: Window,
    /// `None` while the core is its own.
    contended: Option<Contended>,
    patience: u32,
    ended_ns: Option<u64>,
    /// How often naps were no help since they last were, and until when none is tried.
    given_up: u32,
    given_up_until_ns: u64,
}

#[derive(Clone, Copy, Default)]
struct Window {
    started_ns: u64,
    taken_ns: u64,
}

struct Contended {
    spin_ns: u64,
    nap_due_ns: u64,
    /// A nap has ended; the next spin begins.
    has_napped: bool,
    /// Calm windows until more is tried.
    calm_left: u32,
    /// The spin was made longer, and no window has passed since.
    is_attempt: bool,
    /// Yields until the core is its own again; 0 when nothing is probed.
    probes_left: u32,
    priority: Priority,
}

impl Contention {
    /// Of the calling thread, which has to be the one that runs the loop.
    pub(super) fn new(book: Arc<ContentionBook>) -> Contention {
        book.end();
        Contention {
            book,
            window: Window::default(),
            contended: None,
            patience: PATIENCE.0,
            ended_ns: None,
            given_up: 0,
            given_up_until_ns: 0,
        }
    }

    /// To be called with each gap after a cycle without work: its end and its length, ns.
    #[inline]
    pub(super) fn after_gap(&mut self, now_ns: u64, gap_ns: u64) {
        if gap_ns >= GAP_MIN_NS {
            self.taken(now_ns, gap_ns);
        }
    }

    #[cold]
    fn taken(&mut self, now_ns: u64, gap_ns: u64) {
        self.book.take(gap_ns);
        if now_ns.saturating_sub(self.window.started_ns) > WINDOW_NS + gap_ns {
            self.window = Window { started_ns: now_ns.saturating_sub(gap_ns), taken_ns: 0 };
        }
        self.window.taken_ns += gap_ns;
        match &mut self.contended {
            None if self.window.taken_ns >= TAKEN_MAX_NS && now_ns >= self.given_up_until_ns => {
                self.begin(now_ns);
            }
            Some(contended) if contended.has_napped && gap_ns >= NAP_LOST_NS => {
                self.give_up(now_ns);
            }
            Some(contended) if contended.probes_left > 0 => {
                contended.probes_left = 0;
                contended.priority.raise();
                self.attempt_failed();
            }
            Some(contended) if self.window.taken_ns >= TAKEN_STILL_NS => {
                self.window = Window { started_ns: now_ns, taken_ns: 0 };
                if contended.spin_ns == SPIN_MIN_NS {
                    self.give_up(now_ns);
                    return;
                }
                contended.spin_ns = (contended.spin_ns / 2).max(SPIN_MIN_NS);
                if contended.is_attempt {
                    self.attempt_failed();
                }
            }
            _ => {}
        }
    }

    /// Says what to do now, after a cycle without work that ended at `now_ns`.
    #[inline]
    pub(super) fn idling(&mut self, now_ns: u64) -> Idling {
        if self.contended.is_none() { Idling::AsPlanned } else { self.contended_idling(now_ns) }
    }

    fn contended_idling(&mut self, now_ns: u64) -> Idling {
        if now_ns.saturating_sub(self.window.started_ns) >= WINDOW_NS {
            self.window = Window { started_ns: now_ns, taken_ns: 0 };
            self.after_window();
        }
        let Some(contended) = &mut self.contended else { return Idling::AsPlanned };
        if contended.probes_left > 0 {
            contended.probes_left -= 1;
            if contended.probes_left == 0 {
                self.given_up = 0;
                self.end(now_ns);
            }
            return Idling::Yield;
        }
        if std::mem::take(&mut contended.has_napped) {
            contended.nap_due_ns = now_ns + contended.spin_ns;
        }
        if now_ns < contended.nap_due_ns {
            return Idling::Spin;
        }
        contended.has_napped = true;
        Idling::Nap(NAP)
    }

    /// A window has passed in which next to nothing was taken, or naps were no help. After some
    /// calm ones it tries a longer spin, and from the longest on whether the other is still there.
    fn after_window(&mut self) {
        let Some(contended) = &mut self.contended else { return };
        if std::mem::take(&mut contended.is_attempt) {
            self.patience = (self.patience / 2).max(PATIENCE.0);
            contended.calm_left = self.patience;
        }
        contended.calm_left = contended.calm_left.saturating_sub(1);
        if contended.calm_left > 0 {
            return;
        }
        if contended.spin_ns < SPIN_MAX_NS {
            contended.spin_ns = (contended.spin_ns * 2).min(SPIN_MAX_NS);
            contended.is_attempt = true;
        } else {
            // A raised thread that yields would be back at once, whoever waits.
            contended.priority.restore();
            contended.probes_left = PROBES;
        }
    }

    fn begin(&mut self, now_ns: u64) {
        let is_again = self.ended_ns.is_some_and(|ended_ns| now_ns < ended_ns + MEMORY_NS);
        self.patience = if is_again { (self.patience * 2).min(PATIENCE.1) } else { PATIENCE.0 };
        let mut priority = Priority::of_this_thread();
        priority.raise();
        self.window = Window { started_ns: now_ns, taken_ns: 0 };
        self.book.begin(priority.is_raised);
        self.contended = Some(Contended {
            spin_ns: SPIN_MAX_NS,
            nap_due_ns: now_ns + SPIN_MAX_NS,
            has_napped: false,
            calm_left: self.patience,
            is_attempt: false,
            probes_left: 0,
            priority,
        });
    }

    fn end(&mut self, now_ns: u64) {
        if let Some(mut contended) = self.contended.take() {
            contended.priority.restore();
            self.ended_ns = Some(now_ns);
            self.book.end();
        }
    }

    /// So many want the core, or so much is to be done, that a nap costs a slice too. Then nothing
    /// is better than the plan, for long: processes of other sessions and control groups share a
    /// core by group, and take no slice for a yield.
    fn give_up(&mut self, now_ns: u64) {
        let doublings = self.given_up.min(GIVEN_UP_DOUBLINGS_MAX);
        self.given_up += 1;
        self.end(now_ns);
        self.given_up_until_ns = now_ns + (GIVEN_UP_NS << doublings);
    }

    fn attempt_failed(&mut self) {
        if let Some(contended) = &mut self.contended {
            self.patience = (self.patience * 2).min(PATIENCE.1);
            contended.calm_left = self.patience;
            contended.is_attempt = false;
        }
    }
}

/// The calling thread's niceness. Between threads of one control group or session it is what the
/// core is shared by; against those of another it does nothing.
struct Priority {
    planned: Option<i32>,
    is_raised: bool,
}

impl Priority {
    fn of_this_thread() -> Priority {
        // The kernel takes nobody for the calling thread.
        Priority { planned: getpriority_process(None).ok(), is_raised: false }
    }

    /// Does nothing where the system refuses it.
    fn raise(&mut self) {
        if self.planned.is_some_and(|planned| planned > NICE) {
            self.is_raised = setpriority_process(None, NICE).is_ok();
        }
    }

    fn restore(&mut self) {
        // Lowering is never refused.
        if let Some(planned) = self.planned.filter(|_| std::mem::take(&mut self.is_raised)) {
            let _granted = setpriority_process(None, planned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    /// What a neighbour that never sleeps gets for each yield, and of a thread that spins too long.
    const SLICE_NS: u64 = 4 * MS;

    /// A core whose kernel takes a slice for each yield, and for each spin longer than `fair_ns`
    /// between two naps.
    struct Core {
        contention: Contention,
        now_ns: u64,
        fair_ns: Option<u64>,
        spun_since_ns: u64,
        /// Whether it is a nap that costs slices, and no yield.
        is_crowded: bool,
    }

    impl Core {
        fn new(fair_ns: Option<u64>) -> Core {
            let contention = Contention::new(ContentionBook::new("core".into(), Some(1)));
            Core { contention, now_ns: 0, fair_ns, spun_since_ns: 0, is_crowded: false }
        }

        fn book(&self) -> &ContentionBook {
            &self.contention.book
        }

        /// Cycles without work for `span_ns`; returns what was taken of it.
        fn idle(&mut self, span_ns: u64) -> u64 {
            let end_ns = self.now_ns + span_ns;
            let before_ns = self.book().read().taken_ns;
            while self.now_ns < end_ns {
                let idling = self.contention.idling(self.now_ns);
                let spun_ns = self.now_ns - self.spun_since_ns;
                let gap_ns = match (idling, self.fair_ns) {
                    (Idling::Nap(_), _) if self.is_crowded => 20 * SLICE_NS,
                    (Idling::AsPlanned | Idling::Yield, _) if self.is_crowded => 1_000,
                    (Idling::Nap(nap), _) => nap.as_nanos() as u64,
                    (Idling::AsPlanned | Idling::Yield, Some(_)) => SLICE_NS,
                    (Idling::Spin, Some(fair_ns)) if spun_ns > fair_ns => SLICE_NS,
                    _ => 1_000,
                };
                self.now_ns += gap_ns;
                if gap_ns > 1_000 {
                    self.spun_since_ns = self.now_ns;
                }
                self.contention.after_gap(self.now_ns, gap_ns);
            }
            self.book().read().taken_ns - before_ns
        }
    }

    #[test]
    fn a_core_of_its_own_idles_as_planned() {
        let mut core = Core::new(None);
        assert_eq!(core.idle(1_000 * MS), 0);
        assert_eq!(core.contention.idling(core.now_ns), Idling::AsPlanned);
        assert_eq!(core.book().read().spells, 0);
        // One slice now and then is nobody who stays.
        for _ in 0..20 {
            core.now_ns += 200 * MS;
            core.contention.after_gap(core.now_ns, SLICE_NS);
        }
        assert_eq!((core.book().read().spells, core.book().read().is_contended), (0, false));
    }

    #[test]
    fn beside_a_busy_process_it_naps_in_time_to_keep_the_core() {
        for fair_ns in [20_000, 100_000, 2 * SPIN_MAX_NS] {
            let mut core = Core::new(Some(fair_ns));
            core.idle(500 * MS);
            let figures = core.book().read();
            assert!(figures.is_contended && figures.spells == 1, "{figures:?}");
            // Attempts at more cost a slice each, and come ever later.
            core.idle(20_000 * MS);
            let taken_ns = core.idle(20_000 * MS);
            assert!(taken_ns < 20_000 * MS / 100, "{taken_ns} ns of 20 s at {fair_ns}");
        }
    }

    #[test]
    fn where_naps_are_no_help_it_goes_back_to_its_plan_for_long() {
        let mut core = Core::new(Some(20_000));
        core.idle(500 * MS);
        assert!(core.book().read().is_contended);
        core.is_crowded = true;
        core.idle(1_000 * MS);
        assert!(!core.book().read().is_contended);
        let taken_ns = core.idle(60_000 * MS);
        assert!(taken_ns < 60_000 * MS / 100, "{taken_ns} ns of a minute");
        // A burner of its own session, later: it tries again.
        (core.is_crowded, core.fair_ns) = (false, Some(100_000));
        core.idle(500 * MS);
        assert!(core.book().read().is_contended);
    }

    #[test]
    fn it_goes_back_to_its_plan_when_the_other_is_gone() {
        let mut core = Core::new(Some(20_000));
        core.idle(20_000 * MS);
        assert!(core.book().read().is_contended);
        core.fair_ns = None;
        core.idle(15_000 * MS);
        assert!(!core.book().read().is_contended);
        assert_eq!(core.contention.idling(core.now_ns), Idling::AsPlanned);
        core.fair_ns = Some(20_000);
        core.idle(100 * MS);
        assert_eq!(core.book().read().spells, 2);
    }
}
