//! A note of something that came about of an order: what travels from a strategy to the file.

use pitlane_ring::Record;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::event::{Event, ExecReport, RejectReason};
use crate::order::OrderCommand;

/// What a note is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum NoteKind {
    /// A command that has left the strategy; its action is in `action_code`.
    Sent = 1,
    /// A command that the strategy's own check refused.
    Refused = 2,
    /// A report that the strategy has taken.
    Report = 3,
    /// A report that it was never told: it is in the dead letters.
    Undelivered = 4,
    /// A report that an operator had told again, and that changed nothing.
    Retold = 5,
}

/// One note, four cache lines.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(crate) struct OrderNote {
    /// The report; of a command the terms that it has.
    pub(super) report: ExecReport,
    /// When it came about, ns of the engine's clock: of a report when its bytes were read.
    pub(super) at_ns: u64,
    /// The venue's own time, ns since the Unix epoch; 0 where there is none.
    pub(super) venue_time_ns: i64,
    /// Trace of the frame that brought it; 0 of a command.
    pub(super) trace_id: u64,
    /// Of a command for a stop its trigger price; else 0.
    pub(super) trigger_price: i64,
    /// Of a command for a new order the one that ends before it; 0 for none.
    pub(super) replaces: u64,
    pub(super) instrument: u32,
    pub(super) venue: u16,
    kind_code: u8,
    /// Of a command the code of its action.
    pub(super) action_code: u8,
    pub(super) order_type_code: u8,
    pub(super) time_in_force_code: u8,
    /// Of a command for a stop the price that triggers it.
    pub(super) trigger_by_code: u8,
    reserved: [u8; 13],
}

const _: () = assert!(size_of::<OrderNote>() == 256);

impl Record for OrderNote {
    fn used_bytes(&self) -> usize {
        size_of::<OrderNote>()
    }
}

impl OrderNote {
    pub(super) fn of_command(command: &OrderCommand, refused: Option<RejectReason>) -> OrderNote {
        let mut note = OrderNote::new_zeroed();
        let kind = if refused.is_some() { NoteKind::Refused } else { NoteKind::Sent };
        note.kind_code = kind as u8;
        note.at_ns = command.submitted_ns;
        (note.venue, note.instrument) = (command.venue, command.instrument);
        note.action_code = command.action_code;
        note.order_type_code = command.order_type_code;
        (note.trigger_price, note.replaces) = (command.trigger_price, command.replaces);
        note.trigger_by_code = command.trigger_by_code;
        note.time_in_force_code = command.time_in_force_code;
        let report = &mut note.report;
        report.consumer = command.consumer;
        report.client_order_id = command.client_order_id;
        report.decision_id = command.decision_id;
        report.side_code = command.side_code;
        (report.price, report.qty) = (command.price, command.qty);
        report.flags = command.flags;
        report.position_side_code = command.position_side_code;
        report.reason_code = refused.unwrap_or(RejectReason::None).code();
        note
    }

    /// Of an exec report; `None` of any other event.
    pub(super) fn of_event(event: &Event, kind: NoteKind) -> Option<OrderNote> {
        let mut note = OrderNote::new_zeroed();
        note.report = *event.get::<ExecReport>()?;
        note.kind_code = kind as u8;
        note.at_ns = event.receive_ns;
        note.venue_time_ns = event.venue_time_ns;
        note.trace_id = event.trace_id;
        (note.venue, note.instrument) = (event.venue, event.instrument);
        Some(note)
    }

    pub(super) fn kind(&self) -> Option<NoteKind> {
        Some(match self.kind_code {
            1 => NoteKind::Sent,
            2 => NoteKind::Refused,
            3 => NoteKind::Report,
            4 => NoteKind::Undelivered,
            5 => NoteKind::Retold,
            _ => return None,
        })
    }
}
