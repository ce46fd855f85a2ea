//! What one strategy of a run was told, as the checkers need it.

use std::collections::BTreeMap;
use std::mem;

use super::standing::Holds;
use crate::dispatcher::FLIP_BEGIN;
use crate::event::{
    BookStatus, Certainty, Event, EventKind, ExecReport, ExecType, FEE_UNKNOWN, INFERRED, Level,
    OrderStatus, Payload, RejectReason, Side, StreamStatus,
};
use crate::venue::simulated::top_hash;

/// What one consumer was told.
#[derive(Default)]
pub struct ConsumerNotes {
    /// Its name.
    pub name: String,
    /// By its own order number.
    pub orders: BTreeMap<u64, OrderNotes>,
    /// Number of the last critical event.
    pub critical_sequence: u32,
    /// Marks of audits that may still come: each has a number among the critical events, and only
    /// the engine sees it.
    pub marks: u32,
    /// By stream (venue, instrument, kind).
    pub streams: BTreeMap<(u16, u32, u8), StreamNotes>,
    /// Books that it was given.
    pub books: Vec<BookNote>,
    /// What it holds of the first instrument, as its context says.
    pub holds: Holds,
    /// What its fills of the first instrument add up to: quantity, and cash.
    pub fills: (i128, i128),
    /// Orders that its context says are open.
    pub open: usize,
    /// The routing version of the last outcome of a change.
    pub version: u32,
    /// The routing version in force when the flip began that is under way.
    pub begun: Option<u32>,
    /// Reports of a corrected fill, of a refused cancel, of an amended order.
    pub corrected: u64,
    #[allow(missing_docs)]
    pub cancels_refused: u64,
    #[allow(missing_docs)]
    pub amended: u64,
    /// What an event may be old while it is said to be live, ns.
    pub(super) age_ns_max: u64,
    /// Wall time at the start of the run, ns since the Unix epoch.
    pub(super) wall_start_ns: i64,
    /// A hash of each exec report of the present engine, in their order.
    pub(super) reports: Vec<u64>,
}

/// One stream of a consumer.
#[derive(Clone, Copy, Default)]
pub struct StreamNotes {
    /// Whether it was told as silent, or its book as not live.
    pub is_stale: bool,
    /// The routing version of its last event.
    pub version: u32,
}

/// A book as a consumer was given it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BookNote {
    pub(super) venue: u16,
    pub(super) instrument: u32,
    pub(super) update_id: u64,
    pub(super) hash: u64,
    pub(super) at_ns: u64,
}

/// What a consumer was told of one order.
#[derive(Clone, Default)]
pub struct OrderNotes {
    /// As of the last report.
    pub status: Option<OrderStatus>,
    /// Whether the last end that was told is the venue's own report.
    pub is_proved: bool,
    /// As of the last report.
    pub filled: i64,
    /// As of the last report.
    pub qty: i64,
    /// Fills by the venue's own name of the execution: price, quantity.
    pub fills: Vec<(u64, i64, i64)>,
    /// The venue's own name of an execution that was told twice.
    pub twice: Option<u64>,
    /// It was in doubt at some time.
    pub was_unknown: bool,
    /// An end was told and taken back.
    pub was_revived: bool,
    /// Since when a cancel of it is on its way, ns.
    pub cancel_ns: Option<u64>,
}

impl OrderNotes {
    /// Whether its end was told last.
    pub(super) fn is_over(&self) -> bool {
        self.status.is_some_and(OrderStatus::is_terminal)
    }
}

impl ConsumerNotes {
    pub(super) fn stream(&self, event: &Event, kind: EventKind) -> StreamNotes {
        let key = (event.venue, event.instrument, kind.code());
        self.streams.get(&key).copied().unwrap_or_default()
    }

    pub(super) fn take(&mut self, event: &Event, now_ns: u64) {
        let (venue, instrument) = (event.venue, event.instrument);
        if event.critical_sequence > 0 {
            let passed = event.critical_sequence.wrapping_sub(self.critical_sequence + 1);
            self.marks = self.marks.saturating_sub(passed);
            self.critical_sequence = event.critical_sequence;
        }
        match event.payload() {
            Some(Payload::ExecReport(report)) => self.report(instrument, report),
            Some(Payload::BookState(state)) => {
                let key = (venue, instrument, EventKind::Book.code());
                let stream = self.streams.entry(key).or_default();
                stream.is_stale = state.status() != Some(BookStatus::Live);
            }
            Some(Payload::StreamState(state)) => {
                let kind = state.stream().map_or(0, EventKind::code);
                let stream = self.streams.entry((venue, instrument, kind)).or_default();
                stream.is_stale = state.status() != Some(StreamStatus::Live);
            }
            Some(Payload::Book(book)) => {
                let level =
                    |level: &Level| (level.price.cast_unsigned(), level.qty.cast_unsigned());
                let bids = book.bids.iter().take(event.bid_levels.into()).map(level);
                let asks = book.asks.iter().take(event.ask_levels.into()).map(level);
                let (update_id, hash) = (event.sequence, top_hash(bids, asks));
                self.books.push(BookNote { venue, instrument, update_id, hash, at_ns: now_ns });
            }
            Some(Payload::ControlResult(result)) => {
                self.version = event.routing_version;
                self.begun = (result.phase == FLIP_BEGIN).then_some(self.version);
            }
            _ => {}
        }
        let is_plain = matches!(event.kind(), Some(EventKind::Quote | EventKind::Trade));
        if let Some(kind) = event.kind().filter(|_| is_plain && event.conflated == 0) {
            let stream = self.streams.entry((venue, instrument, kind.code())).or_default();
            stream.version = event.routing_version;
        }
    }

    /// What is left of it for the next engine: the market's truth goes on.
    pub(super) fn of_next_life(&mut self) -> ConsumerNotes {
        let (name, books) = (mem::take(&mut self.name), mem::take(&mut self.books));
        ConsumerNotes { name, books, ..ConsumerNotes::default() }
    }

    pub(super) fn report(&mut self, instrument: u32, report: &ExecReport) {
        let order = self.orders.entry(report.client_order_id).or_default();
        let kind = report.exec_type();
        let sign = match report.side() {
            Some(Side::Buy) => 1,
            _ => -1,
        };
        if instrument == 0 && kind == Some(ExecType::Trade) {
            self.fills.0 += sign * i128::from(report.last_qty);
            self.fills.1 -= sign * report.quote;
        }
        if instrument == 0 && kind == Some(ExecType::Corrected) {
            self.fills.1 -= sign * (report.quote - report.replaced_quote);
        }
        self.corrected += u64::from(kind == Some(ExecType::Corrected));
        self.cancels_refused += u64::from(kind == Some(ExecType::CancelRejected));
        self.amended += u64::from(kind == Some(ExecType::Replaced));
        let is_refused_query =
            kind == Some(ExecType::Unknown) && report.reason() != Some(RejectReason::None);
        let is_refusal = matches!(kind, Some(ExecType::CancelRejected | ExecType::ModifyRejected));
        if is_refusal || is_refused_query {
            return;
        }
        order.was_unknown |= kind == Some(ExecType::Unknown);
        order.was_revived |= kind == Some(ExecType::Revived);
        order.status = report.status();
        order.is_proved = report.certainty() == Some(Certainty::Known);
        (order.filled, order.qty) = (report.filled_qty, report.qty);
        let is_exact = !report.has(INFERRED) && !report.has(FEE_UNKNOWN);
        if kind == Some(ExecType::Trade)
            && is_exact
            && let Some(id) = report.execution_id.as_number()
        {
            if order.fills.iter().any(|(told, _, _)| *told == id) {
                order.twice = Some(id);
            }
            order.fills.push((id, report.last_price, report.last_qty));
        }
    }
}
