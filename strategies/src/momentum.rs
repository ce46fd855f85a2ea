//! A signal without orders: the imbalance of aggressive trades against the drift of the mid price.

use pitlane_engine::Params;
use pitlane_engine::consumer::{Context, Strategy, StrategyResult, View};
use pitlane_engine::event::{EventKind, Interest, Merged, Quote, Trade};
use pitlane_engine::journal::{SavedState, StateBuffer};

use crate::params::{only, whole};

/// Weight of the past in the averages, as a power of two.
const DEFAULT_SHIFT: i64 = 6;

/// What is saved: the shift and three numbers.
const STATE_BYTES: usize = 4 + 3 * 8;

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

    fn saves_bytes(&self) -> usize {
        STATE_BYTES
    }

    fn on_save(&mut self, state: &mut StateBuffer) -> StrategyResult {
        state.put(&self.shift.to_le_bytes())?;
        for number in [self.mid_average, self.flow_average, self.drift] {
            state.put(&number.to_le_bytes())?;
        }
        Ok(())
    }

    /// Goes on with the averages of the last start. Those of another `shift` mean something else:
    /// they begin anew.
    fn on_restore(&mut self, saved: &SavedState, _ctx: &mut Context) -> StrategyResult {
        let Ok(bytes) = <[u8; STATE_BYTES]>::try_from(saved.bytes.as_slice()) else {
            return Ok(());
        };
        let (shift, numbers) = bytes.split_at(4);
        if saved.version == self.state_version() && *shift == self.shift.to_le_bytes() {
            let mut numbers = numbers.chunks_exact(8).map(|bytes| {
                bytes.iter().rev().fold(0, |number, byte| number << 8 | i64::from(*byte))
            });
            let mut next = || numbers.next().unwrap_or_default();
            (self.mid_average, self.flow_average, self.drift) = (next(), next(), next());
        }
        Ok(())
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
    use pitlane_engine::testing::Harness;

    #[test]
    fn what_is_saved_is_restored_unless_it_means_something_else() {
        let drop = |mut params: Params| {
            params.insert("shift".to_owned(), 3.into());
            params
        };
        let strategy = Momentum::from_params(&drop(Params::new())).unwrap();
        let mut harness = Harness::new(strategy);
        for step in 0..20 {
            harness.quote(Price(100 - step), Qty(1), Price(102 - step), Qty(1));
            harness.trade(Price(102 - step), Qty(5), Side::Sell);
        }
        let saved = harness.save().unwrap();
        assert_eq!(saved.bytes.len(), STATE_BYTES);
        let mut restored = Harness::restored(strategy, saved.clone());
        assert_eq!(restored.save().unwrap().bytes, saved.bytes, "negative numbers, too");
        let other = Momentum::from_params(&Params::new()).unwrap();
        let fresh = Harness::new(other).save().unwrap();
        assert_ne!(fresh.bytes[4..], saved.bytes[4..]);
        let mut begun_anew = Harness::restored(other, saved);
        assert_eq!(begun_anew.save().unwrap().bytes, fresh.bytes);
    }

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
