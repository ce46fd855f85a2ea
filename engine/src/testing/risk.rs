//! The risk check alone, for benches.

use std::sync::Arc;

use crate::event::{Event, InstrumentId, Quote, Side, VenueId};
use crate::instrument::Instruments;
use crate::order::OrderType;
use crate::order::trading::Marks;
use crate::risk::{
    Account, AccountParts, Ask, GroupLimits, InstrumentLimits, RiskBook, RiskLimits, SharedLimits,
};
use crate::safety::Quarantine;

/// Quantity of a checked order, and the limits that it never reaches.
const QTY: i64 = 1;
const WIDE: i64 = 1_000_000_000_000_000;

/// One strategy with every limit set, and none of them reached.
pub struct RiskCheck {
    account: Account,
    ask: Ask,
    now_ns: u64,
}

impl RiskCheck {
    /// An account beside a book at this price, in the scale of the first instrument.
    ///
    /// # Panics
    /// Without an instrument.
    #[must_use]
    pub fn new(instruments: &Arc<Instruments>, price: i64) -> RiskCheck {
        let limits = InstrumentLimits {
            max_order_qty: WIDE,
            max_order_notional: WIDE,
            max_position: WIDE,
            price_band_bps: 100,
            trigger_band_bps: 100,
            stale_ns: WIDE,
        };
        let limits = RiskLimits {
            instruments: vec![limits; instruments.len()].into(),
            max_open_notional: WIDE,
            max_cancels_per_s: 1_000_000,
            max_orders_per_s: u32::MAX,
            refuses_self_cross: true,
            ..RiskLimits::default()
        };
        let group = || GroupLimits {
            max_open_orders: WIDE,
            max_orders_per_s: WIDE,
            max_open_notional: WIDE,
            max_position: vec![WIDE; instruments.len()].into(),
            ..GroupLimits::default()
        };
        let shared = SharedLimits { venues: vec![group()], total: group() };
        let marks = Marks::new(instruments.len(), 1);
        let quote = Quote { bid_price: price - 1, bid_qty: 1, ask_price: price + 1, ask_qty: 1 };
        let mut event = Event::new(&quote);
        event.receive_ns = 1;
        marks.take(&event);
        let venues = ["venue".to_owned()];
        let book = RiskBook::new(&[("bench", &limits)], &shared, &venues, instruments, &marks);
        let account = Account::new(AccountParts {
            book: Arc::new(book),
            strategy: 0,
            quarantine: Quarantine::new(1, true),
            assumed_ns: limits.assumed_ns,
            rows: 1,
        });
        let ask = Ask {
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price,
            qty: QTY,
            order_type: OrderType::Limit,
            trigger_price: 0,
        };
        RiskCheck { account, ask, now_ns: 1 }
    }

    /// Checks and reserves an order, `pace_ns` after the one before, and gives it back; whether it
    /// passed.
    #[inline]
    pub fn check(&mut self, pace_ns: u64) -> bool {
        self.now_ns += pace_ns;
        match self.account.reserve(&self.ask, self.now_ns) {
            Ok(reserved) => {
                self.account.undo(reserved);
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_holds_an_order_back_there() {
        let mut check = RiskCheck::new(&Instruments::of_test(1), 6_000_000);
        assert!((0..1_000).all(|_| check.check(1_000_000)));
    }
}
