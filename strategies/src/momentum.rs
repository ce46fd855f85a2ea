//! A signal without orders: the imbalance of aggressive trades against the drift of the mid price.

use pitlane_engine::Params;
use pitlane_engine::consumer::{Context, Strategy, StrategyResult, View};
use pitlane_engine::event::{EventKind, Interest, Merged, Quote, Trade};

use crate::params::{only, whole};

/// Weight of the past in the averages, as a power of two.
const DEFAULT_SHIFT: i64 = 6;

/// Follows quotes and trades of one instrument, of one venue each or merged over several, and keeps
/// a signal in integer arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    shift: u32,
    /// Twice the mid price, averaged; scaled by 2^shift.
    mid_average: i64,
    /// Signed traded quantity, averaged; scaled by 2^shift.
    flow_average: i64,
    drift: i64,
}

impl Momentum {
    /// Parameter `shift` (1 to 20, default 6): the averages look back over about 2^shift events.
    ///
    /// # Errors
    /// One line on what is wrong with the parameters.
    pub fn from_params(params: &Params) -> Result<Momentum, String> {
        only(params, &["shift"])?;
        let shift = whole(params, "shift", DEFAULT_SHIFT, 1..=20)?;
        Ok(Momentum { shift: shift as u32, mid_average: 0, flow_average: 0, drift: 0 })
    }

    fn take_quote(&mut self, quote: &Quote) {
        if let (Some(bid), Some(ask)) = (quote.bid(), quote.ask()) {
            let mid = bid.0 + ask.0;
            if self.mid_average == 0 {
                self.mid_average = mid << self.shift;
            }
            self.drift = mid - (self.mid_average >> self.shift);
            self.mid_average += self.drift;
        }
    }

    fn take_trade(&mut self, trade: &Trade) {
        let flow = trade.buy_qty - trade.sell_qty;
        self.flow_average += flow - (self.flow_average >> self.shift);
    }

    /// +1 when price and flow both point up, -1 when both point down, else 0.
    #[must_use]
    pub fn signal(&self) -> i64 {
        match (self.drift.signum(), self.flow_average.signum()) {
            (1, 1) => 1,
            (-1, -1) => -1,
            _ => 0,
        }
    }
}

impl Strategy for Momentum {
    fn interest(&self) -> Interest {
        Interest::NONE.and(EventKind::Quote).and(EventKind::Trade).and(EventKind::Merged)
    }

    fn on_quote(&mut self, quote: View<'_, Quote>, _ctx: &mut Context) -> StrategyResult {
        self.take_quote(&quote);
        Ok(())
    }

    fn on_trade(&mut self, trade: View<'_, Trade>, _ctx: &mut Context) -> StrategyResult {
        self.take_trade(&trade);
        Ok(())
    }

    fn on_merged(&mut self, merged: View<'_, Merged>, _ctx: &mut Context) -> StrategyResult {
        if let Some(quote) = merged.quote() {
            self.take_quote(quote);
        }
        if let Some(trade) = merged.trade() {
            self.take_trade(trade);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitlane_engine::event::{Price, Qty, Side};

    #[test]
    fn rising_prices_and_buyers_give_a_signal_up() {
        let momentum = Momentum::from_params(&Params::new()).unwrap();
        assert_eq!(momentum.signal(), 0);
        let seen = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
        let report = std::sync::Arc::clone(&seen);
        let mut strategy = momentum;
        let closure = pitlane_engine::consumer::Closure::new(Interest::ALL, move |event, ctx| {
            strategy.on_event(event, ctx)?;
            report.store(strategy.signal(), std::sync::atomic::Ordering::Relaxed);
            Ok(())
        });
        let mut harness = pitlane_engine::testing::Harness::new(closure);
        for step in 0..50 {
            harness.quote(Price(100 + step), Qty(1), Price(102 + step), Qty(1));
            harness.trade(Price(102 + step), Qty(5), Side::Buy);
        }
        assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 1);
        for step in 0..200 {
            harness.quote(Price(150 - step / 2), Qty(1), Price(152 - step / 2), Qty(1));
            harness.trade(Price(150), Qty(50), Side::Sell);
        }
        assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), -1);
    }
}
