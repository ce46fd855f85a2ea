//! One-minute bars built from the symbol's own trades.

use super::book::Side;
use super::trade_tick::TradeTick;

const MINUTE_MS: i64 = 60_000;

/// The bar of the running minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kline {
    pub open_ms: i64,
    pub trades: u64,
    pub first_id: u64,
    pub last_id: u64,
    pub open: u64,
    pub high: u64,
    pub low: u64,
    pub close: u64,
    pub volume: u128,
    pub quote: u128,
    pub taker_buy_volume: u128,
    pub taker_buy_quote: u128,
}

impl Kline {
    /// An empty bar of the minute that `now_ms` lies in.
    pub fn at(now_ms: i64) -> Self {
        Self { open_ms: now_ms - now_ms.rem_euclid(MINUTE_MS), ..Self::default() }
    }

    /// Last millisecond of its minute.
    pub fn close_ms(&self) -> i64 {
        self.open_ms + MINUTE_MS - 1
    }

    /// Whether the bar's minute is over.
    pub fn is_over(&self, now_ms: i64) -> bool {
        now_ms >= self.open_ms + MINUTE_MS
    }

    /// Whether it holds no trade: such a bar is not published.
    pub fn is_empty(&self) -> bool {
        self.trades == 0
    }

    pub fn add(&mut self, trade: &TradeTick) {
        if self.trades == 0 {
            (self.first_id, self.open, self.high, self.low) =
                (trade.id, trade.price, trade.price, trade.price);
        }
        self.trades += 1;
        self.last_id = trade.id;
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        let quote = u128::from(trade.price) * u128::from(trade.qty);
        self.volume += u128::from(trade.qty);
        self.quote += quote;
        let taker = if trade.is_buyer_maker { Side::Sell } else { Side::Buy };
        if taker == Side::Buy {
            self.taker_buy_volume += u128::from(trade.qty);
            self.taker_buy_quote += quote;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_holds_its_minute() {
        let mut kline = Kline::at(60_500);
        for (id, price, is_buyer_maker) in [(1, 100, true), (2, 130, false), (3, 90, true)] {
            kline.add(&TradeTick { id, price, qty: 2, is_buyer_maker });
        }
        assert_eq!((kline.open, kline.high, kline.low, kline.close), (100, 130, 90, 90));
        assert_eq!((kline.volume, kline.taker_buy_volume, kline.quote), (6, 2, 640));
        assert!(!kline.is_over(119_999) && kline.is_over(120_000));
    }
}
