//! One-minute bars built from the symbol's own trades.

use super::book::Side;
use super::frames::{FrameWriter, TradeTick};
use super::options::SimulatedSymbol;

const MINUTE_MS: i64 = 60_000;

/// The bar of the running minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kline {
    open_ms: i64,
    trades: u64,
    first_id: u64,
    last_id: u64,
    open: u64,
    high: u64,
    low: u64,
    close: u64,
    volume: u128,
    quote: u128,
    taker_buy_volume: u128,
    taker_buy_quote: u128,
}

impl Kline {
    /// An empty bar of the minute that `now_ms` lies in.
    pub(super) fn at(now_ms: i64) -> Self {
        Self { open_ms: now_ms - now_ms.rem_euclid(MINUTE_MS), ..Self::default() }
    }

    /// Whether the bar's minute is over.
    pub(super) fn is_over(&self, now_ms: i64) -> bool {
        now_ms >= self.open_ms + MINUTE_MS
    }

    /// Whether it holds no trade: such a bar is not published.
    pub(super) fn is_empty(&self) -> bool {
        self.trades == 0
    }

    pub(super) fn add(&mut self, trade: &TradeTick) {
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

    /// Writes the `@kline_1m` event.
    pub(super) fn write(&self, w: &mut FrameWriter, symbol: &SimulatedSymbol, now_ms: i64) {
        let notional_scale = symbol.price_scale + symbol.qty_scale;
        w.event("kline", symbol, now_ms);
        w.text(",\"k\":{\"t\":").integer(self.open_ms as u64);
        w.text(",\"T\":").integer((self.open_ms + MINUTE_MS - 1) as u64);
        w.text(",\"s\":\"").text(&symbol.name).text("\",\"i\":\"1m\",\"f\":");
        w.integer(self.first_id).text(",\"L\":").integer(self.last_id);
        w.price(",\"o\":", symbol, self.open);
        w.price(",\"c\":", symbol, self.close);
        w.price(",\"h\":", symbol, self.high);
        w.price(",\"l\":", symbol, self.low);
        w.decimal(",\"v\":", self.volume, symbol.qty_scale);
        w.text(",\"n\":").integer(self.trades);
        w.text(",\"x\":").text(if self.is_over(now_ms) { "true" } else { "false" });
        w.decimal(",\"q\":", self.quote, notional_scale);
        w.decimal(",\"V\":", self.taker_buy_volume, symbol.qty_scale);
        w.decimal(",\"Q\":", self.taker_buy_quote, notional_scale);
        w.text(",\"B\":\"0\"}}");
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
