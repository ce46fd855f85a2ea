//! What the numbers in a journal stand for, as its own records say.

use std::collections::HashMap;

use pitlane_engine::event::format_scaled;
use pitlane_engine::journal::{NameTable, Named, RecordView, RunStart};
use pitlane_engine::order::epoch_of_order;

/// Names of the run whose records are being read.
#[derive(Default)]
pub(super) struct Names {
    names: HashMap<(u8, u32), Named>,
    /// By the number of a start, the first part of the names of its orders.
    runs: HashMap<u64, u32>,
}

impl Names {
    /// Learns from a record.
    pub(super) fn learn(&mut self, epoch: u64, record: &RecordView<'_>) {
        if let Some(start) = record.body::<RunStart>() {
            self.names.clear();
            self.runs.insert(epoch, start.run);
        }
        if let Some(named) = record.body::<Named>() {
            self.names.insert((named.table, named.number), named);
        }
    }

    /// The first part of the name of an order; 0 of a start that is not on record.
    pub(super) fn run_of(&self, order: u64) -> u32 {
        self.runs.get(&epoch_of_order(order)).copied().unwrap_or_default()
    }

    /// The name of a number, or the number.
    pub(super) fn name(&self, table: NameTable, number: u32) -> String {
        self.names
            .get(&(table as u8, number))
            .map_or_else(|| number.to_string(), |named| named.text().to_owned())
    }

    /// A price of an instrument as a plain decimal.
    pub(super) fn price(&self, instrument: u32, price: i64) -> String {
        format_scaled(price, self.scales(instrument).0).to_string()
    }

    /// A quantity of an instrument as a plain decimal.
    pub(super) fn qty(&self, instrument: u32, qty: i64) -> String {
        format_scaled(qty, self.scales(instrument).1).to_string()
    }

    fn scales(&self, instrument: u32) -> (u8, u8) {
        let named = self.names.get(&(NameTable::Instrument as u8, instrument));
        // More places than 18 are no scale of ours.
        named.map_or((0, 0), |named| (named.price_scale.min(18), named.qty_scale.min(18)))
    }
}
