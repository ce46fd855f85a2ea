//! What was found of orders of earlier starts, as a table: in the report of a run and in a reading
//! of a running engine.

use std::fmt::Write;

use pitlane_engine::order::recovery::VenueRecoveryFigures;
use pitlane_engine::text::escaped;

use crate::table::{render, table};

/// One table with a line for each venue above it; empty when there was nothing to be found.
pub(crate) fn recovery(venues: &[VenueRecoveryFigures]) -> String {
    if venues.is_empty() {
        return String::new();
    }
    let mut text = String::from("Orders of earlier starts\n\n");
    let mut found = table(&[
        "order", "venue", "side", ">qty", "symbol", ">price", "was", ">filled", "is", ">filled",
    ]);
    for of in venues {
        let VenueRecoveryFigures { venue, recorded, open, filled, ended, .. } = of;
        let _infallible = match of.is_done {
            false => writeln!(text, "{venue}: {recorded} on record, being asked for"),
            true => writeln!(
                text,
                "{venue}: {recorded} on record, found {open} open, {filled} filled, {ended} ended \
                 otherwise, {} never arrived, {} not known there",
                of.never_arrived, of.unknown
            ),
        };
        for order in &of.orders {
            found.add_row(vec![
                escaped(&order.name).to_string(),
                venue.clone(),
                order.side.clone(),
                order.qty.clone(),
                order.symbol.clone(),
                order.price.clone(),
                order.was.clone(),
                order.filled_before.clone(),
                order.found.clone(),
                order.filled.clone(),
            ]);
        }
    }
    if venues.iter().any(|of| !of.orders.is_empty()) {
        let _infallible = write!(text, "\n{}", render(&found));
    }
    text
}
