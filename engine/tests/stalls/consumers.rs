//! Consumers of the stall tests: one that is held up until the test lets it go, and its witnesses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pitlane_engine::consumer::{Context, NewOrder, Strategy, StrategyResult};
use pitlane_engine::event::{Event, ExecReport, InstrumentId, Price, Qty, Side, VenueId};
use pitlane_engine::order::{OrderType, TimeInForce};

/// How a callback is held up.
#[derive(Clone, Copy, Debug)]
pub enum Hold {
    /// Asleep.
    Sleep,
    /// Parked.
    Park,
    /// Burning its core.
    Burn,
}

pub const EVERY_HOLD: [Hold; 3] = [Hold::Sleep, Hold::Park, Hold::Burn];

/// What a consumer tells the test, and what the test tells it.
#[derive(Debug, Default)]
pub struct Seen {
    pub events: AtomicU64,
    /// Exec reports that the load numbered, and how many of them were not the next.
    pub reports: AtomicU64,
    pub out_of_order: AtomicU64,
    pub has_stopped: AtomicBool,
    pub is_held: AtomicBool,
    pub may_go_on: AtomicBool,
}

impl Seen {
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }

    pub fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    pub fn let_go(&self) {
        self.may_go_on.store(true, Ordering::Release);
    }
}

/// Counts its events, and is held up in the callback of one of them.
pub struct Consumer {
    pub seen: Arc<Seen>,
    /// The event that it is held up in; 0 for a witness.
    pub held_at: u64,
    pub hold: Hold,
    /// Rests an order that nothing crosses, in `on_start`.
    pub orders: bool,
    pub last_report: u64,
}

impl Consumer {
    pub fn witness(seen: &Arc<Seen>) -> Consumer {
        Consumer::held(seen, 0, Hold::Park)
    }

    pub fn held(seen: &Arc<Seen>, held_at: u64, hold: Hold) -> Consumer {
        let seen = Arc::clone(seen);
        Consumer { seen, held_at, hold, orders: false, last_report: 0 }
    }

    fn wait(&self) {
        self.seen.is_held.store(true, Ordering::Release);
        while !self.seen.may_go_on.load(Ordering::Acquire) {
            match self.hold {
                Hold::Sleep => std::thread::sleep(Duration::from_millis(1)),
                Hold::Park => std::thread::park_timeout(Duration::from_millis(20)),
                Hold::Burn => std::hint::spin_loop(),
            }
        }
        self.seen.is_held.store(false, Ordering::Release);
    }
}

impl Strategy for Consumer {
    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        if self.orders {
            ctx.submit(order())?;
        }
        Ok(())
    }

    fn on_event(&mut self, event: &Event, _ctx: &mut Context) -> StrategyResult {
        let number = self.seen.events.fetch_add(1, Ordering::AcqRel) + 1;
        // Reports of the load are numbered and of no order of ours.
        let report = event.get::<ExecReport>().filter(|report| report.client_order_id == 0);
        if let Some(report) = report {
            self.seen.reports.fetch_add(1, Ordering::AcqRel);
            let is_next = report.venue_order_number() == self.last_report + 1;
            self.seen.out_of_order.fetch_add(u64::from(!is_next), Ordering::AcqRel);
            self.last_report = report.venue_order_number();
        }
        if number == self.held_at {
            self.wait();
        }
        Ok(())
    }

    fn on_stop(&mut self, _ctx: &mut Context) -> StrategyResult {
        self.seen.has_stopped.store(true, Ordering::Release);
        Ok(())
    }
}

/// An order that rests.
pub fn order() -> NewOrder {
    NewOrder {
        venue: VenueId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: Price(1),
        qty: Qty(1),
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
    }
}
