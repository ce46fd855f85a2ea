//! The journal against the venue's ledger: what a recovery would start from.

use std::collections::BTreeSet;
use std::path::Path;

use super::evidence::Evidence;
use crate::event::{ExecType, Side};
use crate::journal::{Intent, RunStart, VenueWord, read_folder};
use crate::venue::simulated::LedgerSide;
use crate::world::Files;

/// What is on record of a run, or of several.
#[derive(Default)]
struct OnRecord {
    /// Names of the orders that were to be sent.
    names: BTreeSet<String>,
    /// Bought minus sold, and sums of fills: those that were told.
    traded: (i128, i128),
}

impl OnRecord {
    fn book(&mut self, word: &VenueWord) {
        let report = &word.report;
        let sign = if report.side() == Some(Side::Buy) { 1 } else { -1 };
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
}

/// 18: each order at the venue is on record, and what was told of fills.
pub(super) fn on_record(of: &Evidence<'_>) -> Vec<String> {
    let journal = &of.report.journal;
    let Some(folder) = journal.path.as_ref().filter(|_| journal.failure.is_none()) else {
        return Vec::new();
    };
    let (mut on_record, mut run) = (OnRecord::default(), 0);
    let files = Files::Virtual(of.files.clone());
    let read = read_folder(&files, Path::new(folder), |_, record| {
        if let Some(start) = record.body::<RunStart>() {
            run = start.run;
        } else if let Some(intent) = record.body::<Intent>() {
            let (consumer, id) = (intent.consumer, intent.client_order_id);
            on_record.names.insert(format!("p{run}-{consumer}-{id}"));
        } else if let Some(word) = record.body::<VenueWord>() {
            on_record.book(&word);
        }
    });
    let stop = match read {
        Ok(read) => read.stop.map(|stop| stop.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let mut found: Vec<_> =
        stop.map(|stop| format!("the journal stops: {stop}")).into_iter().collect();
    for order in of.ledgers.iter().flat_map(|ledger| ledger.orders.values()) {
        let name = &order.client_order_id;
        if !on_record.names.contains(name) {
            found.push(format!("order {name} is at the venue and not on record"));
        }
    }
    if journal.missed > 0 {
        found.push(format!("{} words are not on record", journal.missed));
    }
    let trades = of.ledgers.iter().flat_map(|ledger| &ledger.trades);
    let sum = trades.fold((0, 0), |sum: (i128, i128), trade| {
        let sign = if trade.side == LedgerSide::Buy { 1 } else { -1 };
        let qty = sign * i128::from(trade.qty);
        (sum.0 + qty, sum.1 - qty * i128::from(trade.price))
    });
    if of.is_quiet() && of.plan.has_one_engine() && on_record.traded != sum {
        found.push(format!("on record {:?}, at the venue {sum:?}", on_record.traded));
    }
    found
}
