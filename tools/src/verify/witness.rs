//! A consumer that keeps its own account of what it got, apart from all that the engine counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::{Event, ExecReport};

/// What a [`Witness`] saw. Readable by anyone.
#[derive(Debug, Default)]
pub(crate) struct Testimony {
    market: AtomicU64,
    reports: AtomicU64,
    out_of_order: AtomicU64,
}

impl Testimony {
    /// Market events, absorbed ones not counted.
    pub(crate) fn market(&self) -> u64 {
        self.market.load(Ordering::Relaxed)
    }

    /// Exec reports.
    pub(crate) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    /// Exec reports whose number was not the one after the last.
    pub(crate) fn out_of_order(&self) -> u64 {
        self.out_of_order.load(Ordering::Relaxed)
    }
}

/// Counts every event and follows the numbers that the venue gave its reports.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    testimony: Arc<Testimony>,
    last_report: u64,
}

impl Witness {
    pub(crate) fn new(testimony: Arc<Testimony>) -> Witness {
        Witness { testimony, last_report: 0 }
    }
}

impl Strategy for Witness {
    fn on_event(&mut self, event: &Event, _ctx: &mut Context) -> StrategyResult {
        match event.get::<ExecReport>() {
            None => add(&self.testimony.market),
            Some(report) => {
                add(&self.testimony.reports);
                if report.venue_order_number() != self.last_report + 1 {
                    add(&self.testimony.out_of_order);
                }
                self.last_report = report.venue_order_number();
            }
        }
        Ok(())
    }
}

/// One writer: a load and a store.
fn add(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
