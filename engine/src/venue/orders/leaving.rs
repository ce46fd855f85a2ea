//! What a run leaves at a venue.

use crate::event::{Side, format_scaled};
use crate::venue::Scales;

use super::order::KnownOrder;

/// An order that may still rest at its venue when the run is over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOrder {
    /// The venue's name.
    pub venue: String,
    /// Our name of the order at the venue.
    pub name: String,
    /// The venue's own name of it; `-` when it never told one.
    pub venue_order_id: String,
    /// The venue's symbol.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// Limit price; 0 for an order without one.
    pub price: String,
    /// The price that triggers a stop, or has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<String>,
    /// Quantity.
    pub qty: String,
    /// Filled so far, as far as is known.
    pub filled: String,
    /// What was known of it.
    pub state: String,
}

impl LeftOrder {
    pub(super) fn new(
        venue: &str,
        name: &[u8],
        symbol: &str,
        scales: Scales,
        order: &KnownOrder,
    ) -> LeftOrder {
        LeftOrder {
            venue: venue.to_owned(),
            name: String::from_utf8_lossy(name).into_owned(),
            venue_order_id: order.venue_order_id.to_string(),
            symbol: symbol.to_owned(),
            side: order.command.side().map_or("?", Side::name),
            price: format_scaled(order.price, scales.price).to_string(),
            trigger_price: Some(order.command.trigger_price)
                .filter(|price| *price != 0)
                .map(|price| format_scaled(price, scales.price).to_string()),
            qty: format_scaled(order.qty, scales.qty).to_string(),
            filled: format_scaled(order.filled_qty(), scales.qty).to_string(),
            state: format!("{:?}", order.state).to_lowercase(),
        }
    }
}

impl std::fmt::Display for LeftOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LeftOrder { venue, name, venue_order_id, symbol, side, price, qty, filled, .. } = self;
        let (state, trigger) = (&self.state, self.trigger_price.as_deref());
        let (of_stop, trigger) = (if trigger.is_some() { ", trigger " } else { "" }, trigger);
        let trigger = trigger.unwrap_or_default();
        write!(
            f,
            "[{venue}] order {name} may still rest at the venue: {side} {qty} {symbol} at {price}\
             {of_stop}{trigger}, filled {filled}, venue's id {venue_order_id}, last known as {state}"
        )
    }
}
