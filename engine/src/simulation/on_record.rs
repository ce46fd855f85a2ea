//! A journal, as one reads it who does not believe the engine: with no fold of the engine's own.

use std::collections::BTreeSet;
use std::path::Path;

use crate::event::{ExecType, Side};
use crate::journal::{Intent, ReportRecord, RunStart, read_folder};
use crate::order::OrderAction;
use crate::world::Files;

/// What is on record of all engines of a run.
#[derive(Default)]
pub(super) struct OnRecord {
    /// Run, consumer and number of the orders that were to be sent.
    pub(super) sent: BTreeSet<(u32, u16, u64)>,
    /// Bought minus sold, and sums of fills: those that were told.
    pub(super) traded: (i128, i128),
    /// Number of the last engine that has begun; 0 for none.
    pub(super) last_run: u32,
    /// Orders and reports on them, oldest first.
    pub(super) entries: Vec<Entry>,
    /// Why it can't be read to its end.
    pub(super) stop: Option<String>,
}

/// One thing that is on record.
pub(super) enum Entry {
    /// A consumer wants an order of this number.
    Submit(u16, u64),
    /// A report, and the number of the engine that heard it.
    Report(u32, Box<ReportRecord>),
}

impl OnRecord {
    pub(super) fn read(files: &Files, folder: &Path) -> OnRecord {
        let (mut on_record, mut run) = (OnRecord::default(), 0);
        let read = read_folder(files, folder, |_, record| {
            if let Some(start) = record.body::<RunStart>() {
                run = start.run;
                on_record.last_run = run;
            } else if let Some(intent) = record.body::<Intent>() {
                on_record.intent(run, &intent);
            } else if let Some(body) = record.body::<ReportRecord>() {
                on_record.book(&body);
                on_record.entries.push(Entry::Report(run, Box::new(body)));
            }
        });
        on_record.stop = match read {
            Ok(read) => read.stop.map(|stop| stop.to_string()),
            Err(error) => Some(error.to_string()),
        };
        on_record
    }

    fn intent(&mut self, run: u32, intent: &Intent) {
        let (consumer, id) = (intent.consumer, intent.client_order_id);
        if OrderAction::from_code(intent.action_code) == Some(OrderAction::Submit) {
            self.sent.insert((run, consumer, id));
            self.entries.push(Entry::Submit(consumer, id));
        }
    }

    fn book(&mut self, record: &ReportRecord) {
        let report = &record.report;
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
