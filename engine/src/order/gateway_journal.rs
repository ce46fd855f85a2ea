//! What the gateway has on record before it acts, and what it may act on.

use pitlane_ring::{Consumer, Stage};
use zerocopy::FromZeros;

use super::OrderCommand;
use crate::event::{Event, Payload};
use crate::journal::{
    BalanceRecord, ControlCommand, Durability, Intent, JournalEnd, JournalFailure, JournalWriter,
    ReportRecord, RiskRecord, RunStop, TradingState,
};
use crate::runtime::Clock;

/// Events that are recorded in a duty cycle, at most.
const EVENTS_MAX: usize = 32;

/// One strategy's commands: so many are on record, on the disk, and taken by the gateway.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    recorded: u64,
    safe: u64,
    taken: u64,
}

/// A sync that is under way.
#[derive(Debug)]
struct Asked {
    sequence: u64,
    /// By lane, what is safe once it is done.
    recorded: Box<[u64]>,
}

/// The journal stage of the order lanes. The gateway's thread drives it.
pub(crate) struct GatewayJournal {
    writer: JournalWriter,
    /// Reports and notices, as the dispatcher tells them.
    told: Consumer<Event>,
    /// Operators' commands.
    commands: Consumer<ControlCommand>,
    lanes: Box<[Progress]>,
    asked: Asked,
    /// Whether trading was on when that was recorded last.
    was_on: Option<bool>,
    clock: Clock,
}

impl GatewayJournal {
    pub(crate) fn new(
        writer: JournalWriter,
        (told, commands): (Consumer<Event>, Consumer<ControlCommand>),
        lanes: usize,
        clock: Clock,
    ) -> GatewayJournal {
        GatewayJournal {
            asked: Asked {
                sequence: writer.health().synced(),
                recorded: vec![0; lanes].into_boxed_slice(),
            },
            writer,
            told,
            commands,
            lanes: vec![Progress::default(); lanes].into_boxed_slice(),
            was_on: None,
            clock,
        }
    }

    /// Why nothing more is recorded; then nothing that adds risk may leave.
    #[inline]
    pub(crate) fn failure(&self) -> Option<JournalFailure> {
        self.writer.health().failure()
    }

    /// Whether something waits for the disk, which wakes nobody.
    pub(crate) fn has_pending(&self) -> bool {
        self.failure().is_none() && self.lanes.iter().any(|lane| lane.safe < lane.recorded)
    }

    /// Records the next commands of a lane, at most `limit`.
    #[inline]
    pub(crate) fn record(
        &mut self,
        lane: usize,
        stage: &mut Stage<OrderCommand>,
        limit: usize,
    ) -> usize {
        if !stage.has_available() {
            return 0;
        }
        let room = if self.failure().is_some() { limit } else { self.writer.room().min(limit) };
        let now_ns = self.clock.wall_ns();
        let Self { writer, lanes, .. } = self;
        let taken = stage.poll(room, |command| {
            // Once that has failed the gateway lets nothing pass but what reduces risk.
            let _unrecorded = writer.append(now_ns, &intent(command));
        });
        if let Some(progress) = lanes.get_mut(lane) {
            progress.recorded += taken as u64;
            if writer.durability() == Durability::Os {
                progress.safe = progress.recorded;
            }
        }
        taken
    }

    /// Commands of a lane that may be taken.
    #[inline]
    pub(crate) fn may_take(&self, lane: usize) -> usize {
        let Some(progress) = self.lanes.get(lane) else { return 0 };
        let safe = if self.failure().is_some() { progress.recorded } else { progress.safe };
        (safe - progress.taken) as usize
    }

    /// So many of them were.
    #[inline]
    pub(crate) fn took(&mut self, lane: usize, commands: usize) {
        if let Some(progress) = self.lanes.get_mut(lane) {
            progress.taken += commands as u64;
        }
    }

    /// Records what was told and whether trading is on, and has the disk take what is new.
    #[inline]
    pub(crate) fn advance(&mut self, is_on: bool) -> usize {
        if self.was_on != Some(is_on) {
            self.record_switch(is_on);
        }
        let work = self.record_told(EVENTS_MAX) + self.record_commands();
        if self.writer.durability() == Durability::FsyncBatch {
            self.follow_disk();
        }
        work
    }

    #[cold]
    fn record_switch(&mut self, is_on: bool) {
        if self.writer.room() > 0 {
            self.was_on = Some(is_on);
            let state = TradingState { is_on: u8::from(is_on), reserved: [0; 7] };
            let _unrecorded = self.writer.append(self.clock.wall_ns(), &state);
        }
    }

    #[inline]
    fn record_commands(&mut self) -> usize {
        if !self.commands.has_available() {
            return 0;
        }
        let room = if self.failure().is_some() { EVENTS_MAX } else { self.writer.room() };
        let now_ns = self.clock.wall_ns();
        let Self { writer, commands, .. } = self;
        commands.poll(room.min(EVENTS_MAX), |command| {
            let _unrecorded = writer.append(now_ns, command);
        })
    }

    fn record_told(&mut self, limit: usize) -> usize {
        if !self.told.has_available() {
            return 0;
        }
        let room = if self.failure().is_some() { limit } else { self.writer.room().min(limit) };
        let now_ns = self.clock.wall_ns();
        let Self { writer, told, .. } = self;
        told.poll(room, |event| {
            if let Some(record) = report_record(event) {
                let _unrecorded = writer.append(now_ns, &record);
            } else if let Some(record) = risk_record(event) {
                let _unrecorded = writer.append(now_ns, &record);
            } else if let Some(record) = balance_record(event) {
                let _unrecorded = writer.append(now_ns, &record);
            }
        })
    }

    /// One sync at a time, each of all that came meanwhile.
    fn follow_disk(&mut self) {
        let Self { writer, lanes, asked, .. } = self;
        if writer.health().synced() < asked.sequence {
            return;
        }
        for (progress, recorded) in lanes.iter_mut().zip(&asked.recorded) {
            progress.safe = progress.safe.max(*recorded);
        }
        if writer.sequence() > asked.sequence {
            asked.sequence = writer.sequence();
            for (place, progress) in asked.recorded.iter_mut().zip(lanes.iter()) {
                *place = progress.recorded;
            }
            writer.request_sync();
        }
    }

    /// Records the last reports and the end. To be called when nobody tells any more.
    pub(crate) fn end(mut self, left: u64) -> JournalEnd {
        while self.writer.room() > 0 && self.record_told(EVENTS_MAX) + self.record_commands() > 0 {}
        let missed = self.writer.health().missed() + self.told.gauge().in_flight();
        let _unrecorded = self.writer.append(self.clock.wall_ns(), &RunStop { missed, left });
        self.writer.end()
    }
}

/// A command as it is recorded.
#[inline]
fn intent(command: &OrderCommand) -> Intent {
    let mut intent = Intent::new_zeroed();
    intent.client_order_id = command.client_order_id;
    intent.decision_id = command.decision_id;
    (intent.price, intent.qty) = (command.price, command.qty);
    intent.trigger_price = command.trigger_price;
    intent.instrument = command.instrument;
    (intent.consumer, intent.venue) = (command.consumer, command.venue);
    intent.action_code = command.action_code;
    intent.side_code = command.side_code;
    intent.order_type_code = command.order_type_code;
    intent.time_in_force_code = command.time_in_force_code;
    intent.position_side_code = command.position_side_code;
    intent.flags = command.flags;
    intent.own_id = command.own_id;
    (intent.trigger_by_code, intent.replaces) = (command.trigger_by_code, command.replaces);
    intent
}

/// A risk notice as it is recorded; `None` for another event.
fn risk_record(event: &Event) -> Option<RiskRecord> {
    let Some(Payload::Risk(risk)) = event.payload() else { return None };
    let mut record = RiskRecord::new_zeroed();
    (record.value, record.limit) = (risk.value, risk.limit);
    (record.consumer, record.venue) = (risk.consumer as u16, risk.venue);
    (record.reason_code, record.scope_code) = (risk.reason_code, risk.scope_code);
    Some(record)
}

/// A balance as it is recorded; `None` for another event.
fn balance_record(event: &Event) -> Option<BalanceRecord> {
    let Some(Payload::Balance(balance)) = event.payload() else { return None };
    let mut record = BalanceRecord::new_zeroed();
    (record.asset, record.free, record.locked) = (balance.asset, balance.free, balance.locked);
    record.venue = event.venue;
    Some(record)
}

/// An exec report as it is recorded; `None` for another event.
#[inline]
fn report_record(event: &Event) -> Option<ReportRecord> {
    let Some(Payload::ExecReport(report)) = event.payload() else { return None };
    let mut record = ReportRecord::new_zeroed();
    record.report = *report;
    (record.trace_id, record.venue_time_ns) = (event.trace_id, event.venue_time_ns);
    (record.instrument, record.venue) = (event.instrument, event.venue);
    Some(record)
}
