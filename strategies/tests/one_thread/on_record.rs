//! What a journal says, held against the venue's own ledger.

use std::collections::BTreeSet;
use std::path::Path;

use pitlane_engine::event::{ExecType, Side};
use pitlane_engine::journal::{Intent, ReportRecord, RunStart, read_folder};
use pitlane_engine::venue::simulated::{Ledger, LedgerSide};
use pitlane_engine::world::{Files, VirtualFiles};

/// What is on record of a run, or of several.
#[derive(Default)]
pub struct OnRecord {
    /// Names of the orders that were to be sent.
    pub names: BTreeSet<String>,
    /// Bought minus sold, and sums of fills: those that were told.
    pub traded: (i128, i128),
    /// Why it can't be read to its end.
    pub stop: Option<String>,
}

impl OnRecord {
    /// Reads a journal.
    pub fn read(disk: &VirtualFiles, folder: &Path) -> OnRecord {
        let (mut on_record, mut run) = (OnRecord::default(), 0);
        let files = Files::Virtual(disk.clone());
        let read = read_folder(&files, folder, |_, record| {
            if let Some(start) = record.body::<RunStart>() {
                run = start.run;
            } else if let Some(intent) = record.body::<Intent>() {
                let (consumer, id) = (intent.consumer, intent.client_order_id);
                on_record.names.insert(format!("p{run}-{consumer}-{id}"));
            } else if let Some(body) = record.body::<ReportRecord>() {
                on_record.book(&body);
            }
        });
        let read = read.expect("it can be read");
        on_record.stop = read.stop.map(|stop| stop.to_string());
        on_record
    }

    fn book(&mut self, record: &ReportRecord) {
        let report = &record.report;
        let is_buy = report.side() == Some(Side::Buy);
        let sign = if is_buy { 1 } else { -1 };
        let (qty, value) = match report.exec_type() {
            Some(ExecType::Trade) if report.quote == 0 => {
                let value = i128::from(report.last_price) * i128::from(report.last_qty);
                (report.last_qty, value)
            }
            Some(ExecType::Trade) => (report.last_qty, report.quote),
            Some(ExecType::Corrected) => (0, report.quote - report.replaced_quote),
            _ => return,
        };
        self.traded.0 += sign * i128::from(qty);
        self.traded.1 -= sign * value;
    }

    /// What does not agree with the venue.
    pub fn problems(&self, ledger: &Ledger) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(self.stop.iter().map(|stop| format!("the journal stops: {stop}")));
        // Nothing is at the venue that was not on record before.
        for order in ledger.orders.values() {
            let name = &order.client_order_id;
            if !self.names.contains(name) {
                found.push(format!("order {name} is at the venue and not on record"));
            }
        }
        let mut sum = (0_i128, 0_i128);
        for trade in &ledger.trades {
            let sign = if trade.side == LedgerSide::Buy { 1 } else { -1 };
            let qty = sign * i128::from(trade.qty);
            sum = (sum.0 + qty, sum.1 - qty * i128::from(trade.price));
        }
        if self.traded != sum {
            found.push(format!("on record {:?}, at the venue {sum:?}", self.traded));
        }
        found
    }
}
