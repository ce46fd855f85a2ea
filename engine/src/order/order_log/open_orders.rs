//! The orders that are open now, as the notes of the order log tell it: for people who ask a
//! running engine.
//!
//! Promises: as exact as the log itself, a few milliseconds behind; notes that found no room are
//! counted, and then it may lack an order or keep one that is over. Bounded.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::line::OrderLogNames;
use super::note::{NoteKind, OrderNote};
use crate::event::{Certainty, ExecType, InstrumentId, OrderStatus, Side, format_scaled};
use crate::order::recovery::RecordedOrder;
use crate::runtime::Clock;

/// Open orders that are kept; the engine itself allows fewer a strategy.
const ORDERS_MAX: usize = 10_000;

/// One open order, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenOrderRow {
    /// Whose it is.
    pub strategy: String,
    /// Where it is.
    pub venue: String,
    /// What it is for, `BASE-QUOTE`.
    pub instrument: String,
    /// The strategy's own number of it.
    pub order: u64,
    /// The venue's name of it, once it has told it.
    pub venue_order_id: Option<String>,
    /// `buy` or `sell`.
    pub side: String,
    /// Its limit price; 0 for a market order.
    pub price: String,
    /// Its quantity.
    pub qty: String,
    /// Filled so far.
    pub filled: String,
    /// Its state.
    pub status: String,
    /// Whose word that is: `known`, `assumed` or `unknown`.
    pub certainty: String,
    /// When it was sent, ns since the Unix epoch.
    pub sent_ns: i64,
}

/// The table, and what it may lack.
#[derive(Default)]
pub(crate) struct OpenOrders(Mutex<Table>);

#[derive(Default)]
struct Table {
    is_kept: bool,
    missed: u64,
    /// By consumer and the consumer's own number.
    rows: BTreeMap<(u16, u64), OpenOrderRow>,
}

impl OpenOrders {
    /// From now on notes come.
    pub(super) fn keep(&self) {
        self.0.lock().is_kept = true;
    }

    /// The open orders by strategy and age, and how many notes found no room; `None` where nobody
    /// keeps them.
    pub(crate) fn read(&self) -> Option<(Vec<OpenOrderRow>, u64)> {
        let table = self.0.lock();
        table.is_kept.then(|| (table.rows.values().cloned().collect(), table.missed))
    }

    /// What the notes that found no room come to so far.
    pub(super) fn missed(&self, notes: u64) {
        self.0.lock().missed = notes;
    }

    /// Takes an order of an earlier start.
    pub(crate) fn take_up(&self, order: &RecordedOrder, names: &OrderLogNames) {
        let mut note = OrderNote::of_command(&order.command, None);
        let report = &mut note.report;
        (report.price, report.qty) = (order.price, order.qty);
        report.filled_qty = order.filled_qty;
        report.venue_order_id = order.venue_order_id;
        (report.status_code, report.certainty_code) =
            (order.status.code(), Certainty::Unknown.code());
        let key = (report.consumer, report.client_order_id);
        self.0.lock().rows.insert(key, row(&note, names, order.sent_wall_ns));
    }

    /// Takes what a note changes.
    pub(super) fn take(&self, note: &OrderNote, names: &OrderLogNames, clock: &Clock) {
        let report = &note.report;
        let key = (report.consumer, report.client_order_id);
        let mut table = self.0.lock();
        match note.kind() {
            Some(NoteKind::Sent) if note.action_code == 1 && table.rows.len() < ORDERS_MAX => {
                table.rows.insert(key, row(note, names, clock.wall_at_ns(note.at_ns)));
            }
            Some(NoteKind::Report | NoteKind::Undelivered) => {
                if report.status().is_some_and(OrderStatus::is_terminal) {
                    table.rows.remove(&key);
                } else if let Some(known) = table.rows.get_mut(&key) {
                    let (venue, sent_ns) = (known.venue_order_id.take(), known.sent_ns);
                    let told = row(note, names, sent_ns);
                    let venue_order_id = told.venue_order_id.clone().or(venue);
                    *known = OpenOrderRow { venue_order_id, ..told };
                } else if report.exec_type() == Some(ExecType::Revived) {
                    table.rows.insert(key, row(note, names, clock.wall_at_ns(note.at_ns)));
                }
            }
            _ => {}
        }
    }
}

fn row(note: &OrderNote, names: &OrderLogNames, sent_ns: i64) -> OpenOrderRow {
    let report = &note.report;
    let spec = names.instruments.get(InstrumentId(note.instrument));
    let (price, qty) = spec.map_or((0, 0), |spec| (spec.price_scale, spec.qty_scale));
    let name = |names: &[String], number: u16| {
        names.get(usize::from(number)).cloned().unwrap_or_else(|| "-".to_owned())
    };
    let id = report.venue_order_id;
    OpenOrderRow {
        strategy: name(&names.consumers, report.consumer),
        venue: name(&names.venues, note.venue),
        instrument: spec.map_or("-", |spec| spec.symbol.as_str()).to_owned(),
        order: report.client_order_id,
        venue_order_id: (!id.is_none()).then(|| id.to_string()),
        side: report.side().map_or("-", Side::name).to_owned(),
        price: format_scaled(report.price, price).to_string(),
        qty: format_scaled(report.qty, qty).to_string(),
        filled: format_scaled(report.filled_qty, qty).to_string(),
        status: report.status().map_or("pending_new", OrderStatus::name).to_owned(),
        certainty: report.certainty().map_or("-", Certainty::name).to_owned(),
        sent_ns,
    }
}
