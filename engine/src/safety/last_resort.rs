//! The last resort: a critical event that can't be stored anywhere (FR-016).
//!
//! A critical event waits in its lane, then in the spill, then goes to the dead-letter file. When
//! even that can't take it, nothing that the engine trades by can be trusted any more: new orders
//! are refused for good, the order sessions read nothing more (what is still at the venue stays
//! there, to be asked for), `pitlane run` stops in order, and the report names the reason, with an
//! exit code of its own. Cancels still leave: they only reduce risk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde::Serialize;

use crate::event::ConsumerId;

/// Why the engine halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum HaltReason {
    /// A consumer's lane and spill were full, and its way to the dead-letter file too.
    LettersFull = 1,
    /// The dead-letter file could not take a critical event.
    FileFailed = 2,
}

impl HaltReason {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            HaltReason::LettersFull => "lane, spill and the way to the dead-letter file were full",
            HaltReason::FileFailed => "the dead-letter file could not be written",
        }
    }
}

/// Whether it has come to that, and what was lost. Cheap to clone; the default one is of no
/// consumer.
#[derive(Clone, Debug, Default)]
pub struct LastResort(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// 0, or the code of the first reason.
    halted: AtomicU8,
    /// By consumer.
    lost: Box<[AtomicU64]>,
    /// Of events that no consumer of this run is entitled to.
    lost_of_nobody: AtomicU64,
}

impl LastResort {
    /// For so many consumers.
    pub(super) fn new(consumers: usize) -> LastResort {
        let lost = (0..consumers).map(|_| AtomicU64::new(0)).collect();
        LastResort(Arc::new(State { lost, ..State::default() }))
    }

    /// Halts, for good. The first call says so in the log.
    #[cold]
    pub fn halt(&self, reason: HaltReason) {
        let first =
            self.0.halted.compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Relaxed);
        if first.is_ok() {
            log::error!(
                "[engine] TRADING HALTED: a critical event could not be stored anywhere: {}. No \
                 further orders are sent, and the order sessions are not read",
                reason.words()
            );
        }
    }

    /// Counts a critical event of `owner` that is lost, and halts.
    #[cold]
    pub fn lose(&self, owner: Option<ConsumerId>, reason: HaltReason) {
        let lost = owner.and_then(|owner| self.0.lost.get(owner.index()));
        lost.unwrap_or(&self.0.lost_of_nobody).fetch_add(1, Ordering::AcqRel);
        self.halt(reason);
    }

    /// Whether it has come to that.
    #[inline]
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.0.halted.load(Ordering::Acquire) != 0
    }

    /// Why; `None` as long as all is well.
    #[must_use]
    pub fn reason(&self) -> Option<HaltReason> {
        match self.0.halted.load(Ordering::Acquire) {
            0 => None,
            1 => Some(HaltReason::LettersFull),
            _ => Some(HaltReason::FileFailed),
        }
    }

    /// Critical events of a consumer that are lost.
    #[must_use]
    pub fn lost(&self, consumer: ConsumerId) -> u64 {
        self.0.lost.get(consumer.index()).map_or(0, |lost| lost.load(Ordering::Acquire))
    }

    /// Critical events of nobody that are lost.
    #[must_use]
    pub fn lost_of_nobody(&self) -> u64 {
        self.0.lost_of_nobody.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_and_every_loss_is_counted_for_its_consumer() {
        let resort = LastResort::new(2);
        assert!(!resort.is_halted() && resort.reason().is_none());
        resort.lose(Some(ConsumerId(1)), HaltReason::LettersFull);
        resort.lose(None, HaltReason::FileFailed);
        resort.lose(Some(ConsumerId(9)), HaltReason::FileFailed);
        assert_eq!(resort.reason(), Some(HaltReason::LettersFull));
        assert_eq!([0, 1].map(|id| resort.lost(ConsumerId(id))), [0, 1]);
        assert_eq!(resort.lost_of_nobody(), 2);
    }
}
