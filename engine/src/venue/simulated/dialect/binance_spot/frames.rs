//! The market frames, field by field in the venue's order.

use super::decimal::push_decimal;
use crate::venue::simulated::exchange::{Kline, SimulatedSymbol, Top, TradeTick};

/// Builds one JSON text at a time in a buffer that is kept.
pub struct FrameWriter {
    out: Vec<u8>,
}

impl FrameWriter {
    pub fn new() -> Self {
        Self { out: Vec::with_capacity(4_096) }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// `@trade`.
    pub fn trade(&mut self, symbol: &SimulatedSymbol, trade: &TradeTick, now_ms: i64) {
        self.event("trade", symbol, now_ms);
        self.text(",\"t\":").integer(trade.id);
        self.price(",\"p\":", symbol, trade.price);
        self.qty(",\"q\":", symbol, trade.qty);
        self.text(",\"T\":").integer(now_ms as u64);
        self.text(",\"m\":").text(if trade.is_buyer_maker { "true" } else { "false" });
        self.text(",\"M\":true}");
    }

    /// `@bookTicker`; the spot venue's has neither type nor time.
    pub fn book_ticker(&mut self, symbol: &SimulatedSymbol, top: &Top) {
        self.out.clear();
        self.text("{\"u\":").integer(top.update_id);
        self.text(",\"s\":\"").text(&symbol.name).text("\"");
        self.price(",\"b\":", symbol, top.bid.0);
        self.qty(",\"B\":", symbol, top.bid.1);
        self.price(",\"a\":", symbol, top.ask.0);
        self.qty(",\"A\":", symbol, top.ask.1);
        self.text("}");
    }

    /// `@depth`: the changed levels of both sides with their quantities now, 0 for a level gone.
    pub fn depth_update(
        &mut self,
        symbol: &SimulatedSymbol,
        now_ms: i64,
        update_ids: (u64, u64),
        bids: impl Iterator<Item = (u64, u64)>,
        asks: impl Iterator<Item = (u64, u64)>,
    ) {
        self.event("depthUpdate", symbol, now_ms);
        self.text(",\"U\":").integer(update_ids.0);
        self.text(",\"u\":").integer(update_ids.1);
        self.text(",\"b\":").levels(symbol, bids);
        self.text(",\"a\":").levels(symbol, asks);
        self.text("}");
    }

    /// `@kline_1m`.
    pub fn bar(&mut self, symbol: &SimulatedSymbol, bar: &Kline, now_ms: i64) {
        let notional_scale = symbol.price_scale + symbol.qty_scale;
        self.event("kline", symbol, now_ms);
        self.text(",\"k\":{\"t\":").integer(bar.open_ms as u64);
        self.text(",\"T\":").integer(bar.close_ms() as u64);
        self.text(",\"s\":\"").text(&symbol.name).text("\",\"i\":\"1m\",\"f\":");
        self.integer(bar.first_id).text(",\"L\":").integer(bar.last_id);
        self.price(",\"o\":", symbol, bar.open);
        self.price(",\"c\":", symbol, bar.close);
        self.price(",\"h\":", symbol, bar.high);
        self.price(",\"l\":", symbol, bar.low);
        self.decimal(",\"v\":", bar.volume, symbol.qty_scale);
        self.text(",\"n\":").integer(bar.trades);
        self.text(",\"x\":").text(if bar.is_over(now_ms) { "true" } else { "false" });
        self.decimal(",\"q\":", bar.quote, notional_scale);
        self.decimal(",\"V\":", bar.taker_buy_volume, symbol.qty_scale);
        self.decimal(",\"Q\":", bar.taker_buy_quote, notional_scale);
        self.text(",\"B\":\"0\"}}");
    }

    /// The body of `GET /api/v3/depth`.
    pub fn depth_snapshot(
        &mut self,
        symbol: &SimulatedSymbol,
        update_id: u64,
        bids: impl Iterator<Item = (u64, u64)>,
        asks: impl Iterator<Item = (u64, u64)>,
    ) {
        self.out.clear();
        self.text("{\"lastUpdateId\":").integer(update_id);
        self.text(",\"bids\":").levels(symbol, bids);
        self.text(",\"asks\":").levels(symbol, asks);
        self.text("}");
    }

    /// Starts a text.
    pub fn start(&mut self, text: &str) -> &mut Self {
        self.out.clear();
        self.text(text)
    }

    /// Starts an event with its type, time and symbol.
    pub fn event(&mut self, name: &str, symbol: &SimulatedSymbol, now_ms: i64) {
        self.out.clear();
        self.text("{\"e\":\"").text(name).text("\",\"E\":").integer(now_ms as u64);
        self.text(",\"s\":\"").text(&symbol.name).text("\"");
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    pub fn integer(&mut self, number: u64) -> &mut Self {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self
    }

    pub fn price(&mut self, key: &str, symbol: &SimulatedSymbol, price: u64) {
        self.decimal(key, u128::from(price), symbol.price_scale);
    }

    pub fn qty(&mut self, key: &str, symbol: &SimulatedSymbol, qty: u64) {
        self.decimal(key, u128::from(qty), symbol.qty_scale);
    }

    /// A key and a number as text.
    pub fn decimal(&mut self, key: &str, value: u128, scale: u32) {
        self.text(key).text("\"");
        push_decimal(&mut self.out, value, scale);
        self.text("\"");
    }

    pub fn levels(&mut self, symbol: &SimulatedSymbol, levels: impl Iterator<Item = (u64, u64)>) {
        self.text("[");
        for (index, (price, qty)) in levels.enumerate() {
            self.price(if index == 0 { "[" } else { ",[" }, symbol, price);
            self.qty(",", symbol, qty);
            self.text("]");
        }
        self.text("]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_venues_fields_in_the_venues_order() {
        let symbol = SimulatedSymbol::default();
        let mut writer = FrameWriter::new();
        let mut text = |write: &dyn Fn(&mut FrameWriter)| {
            write(&mut writer);
            String::from_utf8(writer.bytes().to_vec()).expect("JSON is UTF-8")
        };
        let trade = TradeTick { id: 3, price: 6_183_763, qty: 2_000, is_buyer_maker: true };
        assert_eq!(
            text(&|w| w.trade(&symbol, &trade, 17)),
            r#"{"e":"trade","E":17,"s":"BTCUSDT","t":3,"p":"61837.63000000","q":"0.02000000","T":17,"m":true,"M":true}"#
        );
        let top = Top { update_id: 9, bid: (6_183_763, 378_826), ask: (6_183_764, 1) };
        assert_eq!(
            text(&|w| w.book_ticker(&symbol, &top)),
            r#"{"u":9,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"0.00001000"}"#
        );
        assert_eq!(
            text(&|w| w.depth_update(
                &symbol,
                17,
                (8, 9),
                [(1, 0), (2, 5)].into_iter(),
                [].into_iter()
            )),
            r#"{"e":"depthUpdate","E":17,"s":"BTCUSDT","U":8,"u":9,"b":[["0.01000000","0.00000000"],["0.02000000","0.00005000"]],"a":[]}"#
        );
    }
}
