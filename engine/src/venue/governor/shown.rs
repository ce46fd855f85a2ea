//! What readings see of a governor.
//!
//! Promise: a reading holds nothing that a decision needs. Whoever reads may lose its core at any
//! point, and no request waits for that or is held back for it. Whoever changes a governor leaves
//! here what it has changed, under the lock of the state: one writer at a time. A reading that is
//! taken beside a change may see a part of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::class::REQUEST_CLASSES;
use super::pause::{Ends, PauseCause, PauseScope, Pauses};
use super::share::SLICES;
use super::window::{Ask, Window, slice_ns};
use super::{Counted, HOLD_REASONS, HoldReason, Limit, LimitReading, RequestClass, WINDOWS_MAX};

/// Bits for what a slice has counted; the others are its number.
const COUNT_BITS: u32 = 28;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// The figures of a governor.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) windows: [ShownWindow; WINDOWS_MAX],
    pauses: [ShownPause; PauseScope::ALL.len()],
    penalties: AtomicU64,
    held_back: [AtomicU64; REQUEST_CLASSES],
    reasons: [AtomicU64; HOLD_REASONS],
    sent: [AtomicU64; REQUEST_CLASSES],
    unknown_limits: AtomicU64,
}

/// One limit, and what counts for it.
#[derive(Debug, Default)]
pub(super) struct ShownWindow {
    /// What is counted, and the length of the window, ns; not set where there is no limit.
    kind: OnceLock<(Counted, u64)>,
    amount: AtomicU32,
    is_learned: AtomicBool,
    /// The number of the slice that was filled last at each place, and what it holds.
    slices: [AtomicU64; SLICES],
    told: AtomicU64,
    told_until_ns: AtomicU64,
}

#[derive(Debug, Default)]
struct ShownPause {
    until_ns: AtomicU64,
    /// Status, then code.
    cause: AtomicU64,
}

impl Shown {
    /// A request was counted.
    #[inline]
    pub(super) fn sent(&self, class: RequestClass) {
        bump(&self.sent[class as usize], 1);
    }

    /// A request was held back.
    pub(super) fn held(&self, class: RequestClass, reason: HoldReason) {
        bump(&self.held_back[class as usize], 1);
        bump(&self.reasons[reason as usize], 1);
    }

    /// So many limits were told that are not known.
    pub(super) fn unknown(&self, count: u64) {
        bump(&self.unknown_limits, count);
    }

    /// Pauses were imposed, or lifted.
    pub(super) fn paused(&self, pauses: &Pauses) {
        self.penalties.store(pauses.count, Ordering::Relaxed);
        for (shown, (until_ns, cause)) in self.pauses.iter().zip(pauses.ends()) {
            let packed = u64::from(cause.status) << 32 | u64::from(cause.code.cast_unsigned());
            shown.cause.store(packed, Ordering::Relaxed);
            // Release: whoever sees the end sees why.
            shown.until_ns.store(*until_ns, Ordering::Release);
        }
    }

    /// When each pause ends, and why it was imposed.
    pub(super) fn ends(&self) -> Ends {
        self.pauses.each_ref().map(|shown| {
            let until_ns = shown.until_ns.load(Ordering::Acquire);
            let packed = shown.cause.load(Ordering::Relaxed);
            let (status, code) = ((packed >> 32) as u16, (packed as u32).cast_signed());
            (until_ns, PauseCause { status, code })
        })
    }

    /// Each limit.
    pub(super) fn limits(&self, now_ns: u64) -> impl Iterator<Item = LimitReading> + '_ {
        self.windows.iter().filter_map(move |window| window.reading(now_ns))
    }

    pub(super) fn penalties(&self) -> u64 {
        self.penalties.load(Ordering::Relaxed)
    }

    pub(super) fn unknown_limits(&self) -> u64 {
        self.unknown_limits.load(Ordering::Relaxed)
    }

    /// How many were held back, by class and by reason.
    pub(super) fn all_held(&self) -> ([u64; REQUEST_CLASSES], [u64; HOLD_REASONS]) {
        (read(&self.held_back), read(&self.reasons))
    }

    /// How many were sent, by class.
    pub(super) fn all_sent(&self) -> [u64; REQUEST_CLASSES] {
        read(&self.sent)
    }
}

impl ShownWindow {
    /// The limit is new, or the venue has told something of it.
    pub(super) fn learned(&self, window: &Window) {
        self.amount.store(window.limit.amount, Ordering::Relaxed);
        self.is_learned.store(window.is_learned, Ordering::Relaxed);
        self.told.store(window.told, Ordering::Relaxed);
        self.told_until_ns.store(window.told_until_ns, Ordering::Relaxed);
        self.slice_of(window);
        let _kind = self.kind.get_or_init(|| (window.limit.counts, window.limit.window_ns));
    }

    /// Counts a request. What the venue has told is of no interest once that is over.
    #[inline]
    pub(super) fn add_to(&self, window: &mut Window, ask: &Ask) {
        if !window.add(ask) {
            return;
        }
        self.slice_of(window);
        if ask.now_ns < window.told_until_ns {
            self.told.store(window.told, Ordering::Relaxed);
        }
    }

    #[inline]
    fn slice_of(&self, window: &Window) {
        let place = (window.slice % SLICES as u64) as usize;
        let packed = window.slice << COUNT_BITS | window.slices[place].min(COUNT_MAX);
        self.slices[place].store(packed, Ordering::Relaxed);
    }

    /// The limit, and what of it counts at `now_ns`, as [`Window::used`] has it.
    fn reading(&self, now_ns: u64) -> Option<LimitReading> {
        let &(counts, window_ns) = self.kind.get()?;
        let slice = now_ns / slice_ns(window_ns);
        let slices = read(&self.slices).map(|packed| (packed >> COUNT_BITS, packed & COUNT_MAX));
        let is_present = |(number, _): &(u64, u64)| *number + SLICES as u64 > slice;
        let sum = slices.into_iter().filter(is_present).map(|(_, count)| count).sum();
        let is_told = now_ns < self.told_until_ns.load(Ordering::Relaxed);
        let told = if is_told { self.told.load(Ordering::Relaxed) } else { 0 };
        let amount = self.amount.load(Ordering::Relaxed);
        let is_learned = self.is_learned.load(Ordering::Relaxed);
        let limit = Limit { counts, amount, window_ns };
        Some(LimitReading { limit, used: told.max(sum), is_learned })
    }
}

/// One writer at a time: a load and a store, no locked instruction.
#[inline]
fn bump(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}

fn read<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    counters.each_ref().map(|counter| counter.load(Ordering::Relaxed))
}
