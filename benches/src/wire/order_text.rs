//! The order's bytes: the same text for both sides, without a signature (an authenticated session
//! needs none).

use std::fmt::Write;

/// What is bought.
pub(crate) struct OrderText<'o> {
    /// Native symbol.
    pub(crate) symbol: &'o str,
    /// The order's number.
    pub(crate) id: u64,
    /// Price in units of 10^-8.
    pub(crate) price_e8: i64,
    /// Quantity in units of 10^-8.
    pub(crate) qty_e8: i64,
}

/// Writes `order.place` over what was in `text`.
pub(crate) fn write_order(text: &mut String, order: &OrderText<'_>) {
    const UNIT: i64 = 100_000_000;
    let OrderText { symbol, id, price_e8, qty_e8 } = order;
    text.clear();
    let _infallible = write!(
        text,
        "{{\"id\":\"{id}\",\"method\":\"order.place\",\"params\":{{\"symbol\":\"{symbol}\",\
         \"side\":\"BUY\",\"type\":\"LIMIT\",\"timeInForce\":\"GTC\",\"price\":\"{}.{:08}\",\
         \"quantity\":\"{}.{:08}\",\"newClientOrderId\":\"{id}\"}}}}",
        price_e8 / UNIT,
        price_e8 % UNIT,
        qty_e8 / UNIT,
        qty_e8 % UNIT
    );
}
