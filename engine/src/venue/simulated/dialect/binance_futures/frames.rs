//! The market frames, field by field in the venue's order.

use crate::venue::simulated::dialect::binance_spot::frames::FrameWriter;
use crate::venue::simulated::exchange::{Funding, SimulatedSymbol, Top, TradeTick};

/// Updates of all symbols are numbered together: those of one symbol are this far apart.
const STEP: u64 = 7;

/// Decimal places of mark prices and rates.
const MARK_SCALE: u32 = 8;

/// A price and the quantity there now.
type Change = (u64, u64);

/// Writes what futures word otherwise than spot.
pub struct FuturesFrames(pub FrameWriter);

impl FuturesFrames {
    /// `@aggTrade`: one trade each.
    pub fn aggregate_trade(&mut self, symbol: &SimulatedSymbol, trade: &TradeTick, now_ms: i64) {
        let writer = &mut self.0;
        writer.event("aggTrade", symbol, now_ms);
        writer.text(",\"a\":").integer(trade.id);
        writer.price(",\"p\":", symbol, trade.price);
        writer.qty(",\"q\":", symbol, trade.qty);
        writer.text(",\"f\":").integer(trade.id);
        writer.text(",\"l\":").integer(trade.id);
        writer.text(",\"T\":").integer(now_ms as u64);
        writer.text(",\"m\":").text(if trade.is_buyer_maker { "true}" } else { "false}" });
    }

    /// `@bookTicker`.
    pub fn book_ticker(&mut self, symbol: &SimulatedSymbol, top: &Top, now_ms: i64) {
        let writer = &mut self.0;
        writer.start("{\"e\":\"bookTicker\",\"u\":").integer(STEP * top.update_id);
        writer.text(",\"s\":\"").text(&symbol.name).text("\"");
        writer.price(",\"b\":", symbol, top.bid.0);
        writer.qty(",\"B\":", symbol, top.bid.1);
        writer.price(",\"a\":", symbol, top.ask.0);
        writer.qty(",\"A\":", symbol, top.ask.1);
        writer.text(",\"T\":").integer(now_ms as u64);
        writer.text(",\"E\":").integer(now_ms as u64).text("}");
    }

    /// `@markPrice`: eight decimal places, whatever the symbol's scale.
    pub fn mark_price(
        &mut self,
        symbol: &SimulatedSymbol,
        price: u64,
        funding: Funding,
        now_ms: i64,
    ) {
        let writer = &mut self.0;
        let price = u128::from(price) * 10u128.pow(MARK_SCALE - symbol.price_scale);
        writer.event("markPriceUpdate", symbol, now_ms);
        for key in [",\"p\":", ",\"ap\":", ",\"i\":", ",\"P\":"] {
            writer.decimal(key, price, MARK_SCALE);
        }
        writer.decimal(",\"r\":", u128::from(funding.rate_e8), MARK_SCALE);
        writer.text(",\"T\":").integer(funding.at_ms as u64).text("}");
    }

    /// `@depth`: the changed levels, 0 for a level gone. It names the last update of the diff
    /// before.
    pub fn diff(
        &mut self,
        symbol: &SimulatedSymbol,
        (first, last): (u64, u64),
        (bids, asks): (&[Change], &[Change]),
        now_ms: i64,
    ) {
        let writer = &mut self.0;
        writer.start("{\"e\":\"depthUpdate\",\"E\":").integer(now_ms as u64);
        writer.text(",\"T\":").integer(now_ms as u64);
        writer.text(",\"s\":\"").text(&symbol.name).text("\"");
        writer.text(",\"U\":").integer(STEP * first);
        writer.text(",\"u\":").integer(STEP * last);
        writer.text(",\"pu\":").integer(STEP * first.saturating_sub(1));
        writer.text(",\"b\":").levels(symbol, bids.iter().copied());
        writer.text(",\"a\":").levels(symbol, asks.iter().copied());
        writer.text("}");
    }

    /// The body of `GET /fapi/v1/depth`.
    pub fn snapshot(
        &mut self,
        symbol: &SimulatedSymbol,
        update_id: u64,
        bids: impl Iterator<Item = (u64, u64)>,
        asks: impl Iterator<Item = (u64, u64)>,
        now_ms: i64,
    ) {
        let writer = &mut self.0;
        writer.start("{\"lastUpdateId\":").integer(STEP * update_id);
        writer.text(",\"E\":").integer(now_ms as u64);
        writer.text(",\"T\":").integer(now_ms as u64);
        writer.text(",\"bids\":").levels(symbol, bids);
        writer.text(",\"asks\":").levels(symbol, asks);
        writer.text("}");
    }
}
