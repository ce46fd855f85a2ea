//! The gateway: takes every strategy's order commands to the venue they are for, or says why not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pitlane_ring::{Consumer, Publisher, Stage};
use zerocopy::FromZeros;

use super::gateway_journal::GatewayJournal;
use super::{OrderAction, OrderCommand};
use crate::event::{ConsumerId, Event, ExecReport, ExecType, OrderStatus, RejectReason};
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::safety::{Heartbeat, Quarantine, TradingSwitch};

/// Commands taken from one strategy's lane in a duty cycle.
const BATCH: usize = 16;

/// What the gateway did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct GatewayCounts {
    /// Commands handed to a venue's session.
    pub forwarded: u64,
    /// Commands answered with a rejection here.
    pub rejected: u64,
    /// Commands still in the lanes when the engine stopped.
    pub unsent: u64,
}

/// The agent between the strategies' order lanes and the venues' sessions. Everything it can't
/// forward is answered by an exec report on its own link, so no command ends without a word
/// (FR-016).
pub struct GatewayAgent {
    ends: GatewayEnds,
    counts: GatewayCounts,
}

/// The end of a strategy's order lane.
pub(crate) struct OrderLane {
    /// The journal's stage, before which the gateway sees nothing; `None` without a journal.
    pub(crate) stage: Option<Stage<OrderCommand>>,
    pub(crate) commands: Consumer<OrderCommand>,
}

/// What ties a [`GatewayAgent`] to the engine.
pub(crate) struct GatewayEnds {
    pub(crate) inputs: Vec<OrderLane>,
    /// `None` when nothing is recorded.
    pub(crate) journal: Option<GatewayJournal>,
    /// Where the journal is left, to be ended when nobody tells any more.
    pub(crate) journal_closing: Closing<GatewayJournal>,
    /// By venue; `None` for a venue without an order session.
    pub(crate) outputs: Vec<Option<Publisher<OrderCommand>>>,
    /// `None` once it has ended.
    pub(crate) answers: Option<Publisher<Event>>,
    pub(crate) switch: TradingSwitch,
    pub(crate) quarantine: Quarantine,
    pub(crate) sessions_open: Arc<AtomicUsize>,
    pub(crate) stop: StopSignal,
    pub(crate) clock: Clock,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) closing: Closing<GatewayCounts>,
}

impl GatewayAgent {
    pub(crate) fn new(ends: GatewayEnds) -> GatewayAgent {
        GatewayAgent { ends, counts: GatewayCounts::default() }
    }

    /// What is left in the strategies' lanes is walked and counted.
    fn finish(mut self) -> GatewayCounts {
        for input in &mut self.ends.inputs {
            let mut left = 0;
            if let Some(stage) = &mut input.stage {
                stage.poll(usize::MAX, |_command| {});
            }
            input.commands.poll(usize::MAX, |_command| left += 1);
            self.counts.unsent += left;
        }
        if let Some(journal) = self.ends.journal {
            self.ends.journal_closing.put(journal);
        }
        self.counts
    }

    fn take_commands(&mut self) -> usize {
        let Self { ends, counts } = self;
        let GatewayEnds { inputs, journal, outputs, answers, switch, quarantine, clock, .. } = ends;
        let Some(answers) = answers else { return 0 };
        let mut work = 0;
        for (lane, input) in inputs.iter_mut().enumerate() {
            let mut may_take = BATCH;
            if let (Some(journal), Some(stage)) = (&mut *journal, &mut input.stage) {
                work += journal.record(lane, stage, BATCH);
                may_take = journal.may_take(lane);
            }
            // Behind the recording: what it could not record must not leave.
            let is_recorded = journal.as_ref().is_none_or(|journal| journal.failure().is_none());
            // A command is only taken when both ways out have room for the whole batch: either link
            // may be needed, and neither may lose (a full lane holds the strategies' lanes back
            // instead).
            let mut room = answers.room(BATCH.min(may_take));
            for output in outputs.iter_mut().flatten() {
                room = output.room(room);
            }
            let taken = input.commands.poll(room, |command| {
                // What a quarantined consumer still has in its lane, or goes on submitting from the
                // callback that does not return, must not leave.
                let owner = ConsumerId(command.consumer);
                let is_allowed = quarantine.may_trade(owner, command.venue_id());
                let may_trade = is_recorded && switch.is_on() && is_allowed;
                match forward(command, outputs, may_trade) {
                    Ok(()) => counts.forwarded += 1,
                    Err(reason) => {
                        counts.rejected += 1;
                        let answer = rejection(command, reason, clock.now_ns());
                        let published = answers.try_publish(&answer);
                        debug_assert!(published.is_ok(), "room was checked");
                    }
                }
            });
            if let Some(journal) = journal {
                journal.took(lane, taken);
            }
            work += taken;
        }
        work
    }
}

/// Cancels and queries pass also while trading is off: they only reduce risk.
fn forward(
    command: &OrderCommand,
    outputs: &mut [Option<Publisher<OrderCommand>>],
    trading: bool,
) -> Result<(), RejectReason> {
    // An amendment may make an order larger or dearer: it is a new order's equal.
    let adds_risk = matches!(command.action(), Some(OrderAction::Submit | OrderAction::Modify));
    if adds_risk && !trading {
        return Err(RejectReason::TradingHalted);
    }
    let output = outputs.get_mut(command.venue_id().index()).and_then(Option::as_mut);
    let output = output.ok_or(RejectReason::NotConnected)?;
    output.try_publish(command).map(drop).map_err(|_full| RejectReason::OrderLaneFull)
}

/// What is told when a command is refused.
pub(crate) fn refused(command: &OrderCommand) -> ExecType {
    match command.action() {
        Some(OrderAction::Cancel | OrderAction::CancelSymbol) => ExecType::CancelRejected,
        Some(OrderAction::Modify) => ExecType::ModifyRejected,
        // What was asked is not known.
        Some(OrderAction::Query) => ExecType::Unknown,
        Some(OrderAction::Submit) | None => ExecType::Rejected,
    }
}

/// The engine's own answer to a command that did not leave.
pub(crate) fn rejection(command: &OrderCommand, reason: RejectReason, now_ns: u64) -> Event {
    let mut report = ExecReport::new_zeroed();
    report.client_order_id = command.client_order_id;
    report.consumer = command.consumer;
    report.decision_id = command.decision_id;
    report.side_code = command.side_code;
    report.price = command.price;
    report.trigger_price = command.trigger_price;
    report.qty = command.qty;
    report.reason_code = reason.code();
    report.exec_type_code = refused(command).code();
    // Only of a new order is the state known that follows: of any other the venue's agent tells it.
    if report.exec_type() == Some(ExecType::Rejected) {
        report.status_code = OrderStatus::Rejected.code();
    }
    let mut event = Event::new(&report);
    event.venue = command.venue;
    event.instrument = command.instrument;
    event.trace_id = command.decision_id;
    event.receive_ns = now_ns;
    event
}

impl Agent for GatewayAgent {
    fn name(&self) -> &str {
        "gateway"
    }

    fn duty_cycle(&mut self) -> usize {
        self.ends.heartbeat.beat();
        let stopping = self.ends.stop.phase() >= Phase::Draining;
        let sessions_gone = self.ends.sessions_open.load(Ordering::Acquire) == 0;
        let journal = self.ends.journal.as_ref();
        let is_unrecorded = journal.is_some_and(|journal| journal.failure().is_some());
        if stopping || is_unrecorded || self.ends.quarantine.last_resort().is_halted() {
            // Before the commands are looked at: from here on every new order is answered by a
            // rejection, whoever switches trading on again.
            self.ends.switch.set(false);
        }
        if stopping && sessions_gone {
            self.ends.outputs.iter_mut().for_each(|output| *output = None);
        }
        let mut work = self.take_commands();
        if let Some(journal) = &mut self.ends.journal {
            work += journal.advance(self.ends.switch.is_on());
        }
        let is_drained = stopping && sessions_gone && work == 0 && !self.has_pending();
        if is_drained || self.ends.stop.phase() == Phase::Halted {
            self.ends.answers = None;
        }
        work
    }

    fn has_pending(&self) -> bool {
        self.ends.journal.as_ref().is_some_and(GatewayJournal::has_pending)
    }

    fn is_done(&self) -> bool {
        self.ends.answers.is_none()
    }

    fn on_close(self: Box<Self>) {
        let closing = self.ends.closing.clone();
        closing.put(self.finish());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pitlane_ring::{LaneOptions, lane, lane_staged};

    use super::*;
    use crate::journal::{Durability, JournalFolder, JournalKeeper, JournalOptions, JournalWriter};
    use crate::safety::{HaltReason, QuarantineReason};
    use crate::world::{FileConditions, Files, VirtualFiles};

    /// A gateway between one strategy's lane and one venue.
    struct Bench {
        gateway: GatewayAgent,
        lane: Publisher<OrderCommand>,
        venue: Consumer<OrderCommand>,
        answers: Consumer<Event>,
    }

    fn bench() -> Bench {
        bench_on(None)
    }

    /// One whose lane has a journal's stage.
    fn recorded_bench(durability: Durability) -> (Bench, JournalKeeper, VirtualFiles) {
        let disk = VirtualFiles::new(7, FileConditions::default());
        let files = Files::Virtual(disk.clone());
        let folder = JournalFolder::open(&files, Path::new("/j"), |_, _| ()).unwrap();
        let options = JournalOptions { durability, segment_bytes: 16 << 10 };
        let (writer, keeper) = folder.start(options, &Clock::manual(0).0).unwrap();
        (bench_on(Some(writer)), keeper, disk)
    }

    fn bench_on(writer: Option<JournalWriter>) -> Bench {
        let options = |name: &str| LaneOptions { name: name.to_owned(), capacity: 16 };
        let (lane_in, input) = match &writer {
            None => {
                let (lane_in, commands) = lane(options("orders"));
                (lane_in, OrderLane { stage: None, commands })
            }
            Some(_) => {
                let (lane_in, stage, commands) = lane_staged(options("orders"));
                (lane_in, OrderLane { stage: Some(stage), commands })
            }
        };
        let words = (lane(options("words")).1, lane(options("commands")).1);
        let (output, venue) = lane(options("venue"));
        let (answers, told) = lane(options("answers"));
        let gateway = GatewayAgent::new(GatewayEnds {
            inputs: vec![input],
            journal: writer.map(|writer| GatewayJournal::new(writer, words, 1, Clock::manual(0).0)),
            journal_closing: Closing::default(),
            outputs: vec![Some(output)],
            answers: Some(answers),
            switch: TradingSwitch::new(true),
            quarantine: Quarantine::new(1, false),
            sessions_open: Arc::new(AtomicUsize::new(1)),
            stop: StopSignal::default(),
            clock: Clock::manual(0).0,
            heartbeat: Heartbeat::default(),
            closing: Closing::default(),
        });
        Bench { gateway, lane: lane_in, venue, answers: told }
    }

    impl Bench {
        fn send(&mut self, action: OrderAction) {
            let mut command = OrderCommand::new_zeroed();
            command.action_code = action as u8;
            assert!(self.lane.try_publish(&command).is_ok());
        }

        /// Runs the gateway: what left for the venue, and why the rest did not.
        fn run(&mut self) -> (Vec<OrderAction>, Vec<RejectReason>) {
            self.gateway.duty_cycle();
            let (mut left, mut reasons) = (Vec::new(), Vec::new());
            self.venue.poll(usize::MAX, |command| left.extend(command.action()));
            self.answers.poll(usize::MAX, |event| {
                reasons.extend(event.get::<ExecReport>().and_then(ExecReport::reason));
            });
            (left, reasons)
        }
    }

    const ALL: [OrderAction; 4] =
        [OrderAction::Submit, OrderAction::Modify, OrderAction::Cancel, OrderAction::Query];
    const REDUCING: [OrderAction; 2] = [OrderAction::Cancel, OrderAction::Query];

    #[test]
    fn with_trading_on_everything_leaves() {
        let mut bench = bench();
        ALL.into_iter().for_each(|action| bench.send(action));
        assert_eq!(bench.run(), (ALL.to_vec(), Vec::new()));
    }

    #[test]
    fn nothing_that_adds_risk_leaves_once_trading_is_off_cancels_do() {
        // EDGE-14: they were in the lane before the switch was turned.
        let mut bench = bench();
        ALL.into_iter().for_each(|action| bench.send(action));
        bench.gateway.ends.switch.set(false);
        assert_eq!(bench.run(), (REDUCING.to_vec(), vec![RejectReason::TradingHalted; 2]));
        assert_eq!((bench.gateway.counts.forwarded, bench.gateway.counts.rejected), (2, 2));
    }

    #[test]
    fn nothing_that_adds_risk_leaves_of_a_quarantined_consumer() {
        let mut bench = bench();
        ALL.into_iter().for_each(|action| bench.send(action));
        bench.gateway.ends.quarantine.raise(ConsumerId(0), QuarantineReason::Failed);
        assert_eq!(bench.run(), (REDUCING.to_vec(), vec![RejectReason::TradingHalted; 2]));
    }

    #[test]
    fn a_stop_turns_trading_off_before_it_looks_at_what_waits() {
        let mut bench = bench();
        bench.send(OrderAction::Submit);
        bench.gateway.ends.stop.raise(Phase::Draining);
        assert_eq!(bench.run(), (Vec::new(), vec![RejectReason::TradingHalted]));
        bench.gateway.ends.switch.set(true);
        bench.send(OrderAction::Submit);
        assert_eq!(bench.run(), (Vec::new(), vec![RejectReason::TradingHalted]));
    }

    #[test]
    fn a_halt_turns_trading_off() {
        let mut bench = bench();
        bench.gateway.ends.quarantine.last_resort().halt(HaltReason::LettersFull);
        bench.send(OrderAction::Submit);
        assert_eq!(bench.run(), (Vec::new(), vec![RejectReason::TradingHalted]));
    }

    #[test]
    fn a_refusal_names_its_cause_and_what_was_refused() {
        let mut command = OrderCommand::new_zeroed();
        (command.client_order_id, command.decision_id) = (7, 9);
        for (action, exec_type) in [
            (OrderAction::Submit, ExecType::Rejected),
            (OrderAction::Modify, ExecType::ModifyRejected),
            (OrderAction::Cancel, ExecType::CancelRejected),
        ] {
            command.action_code = action as u8;
            let event = rejection(&command, RejectReason::NotConnected, 5);
            let report = event.get::<ExecReport>().expect("it is a report");
            assert_eq!((event.trace_id, event.receive_ns), (9, 5));
            assert_eq!((report.client_order_id, report.decision_id), (7, 9));
            assert_eq!(report.exec_type(), Some(exec_type));
        }
    }

    #[test]
    fn an_order_leaves_with_its_record_in_the_system_or_only_once_the_disk_has_it() {
        let (mut bench, _keeper, _) = recorded_bench(Durability::Os);
        ALL.into_iter().for_each(|action| bench.send(action));
        assert_eq!(bench.run(), (ALL.to_vec(), Vec::new()));
        let (mut bench, mut keeper, _) = recorded_bench(Durability::FsyncBatch);
        ALL.into_iter().for_each(|action| bench.send(action));
        for _ in 0..3 {
            assert_eq!(bench.run(), (Vec::new(), Vec::new()), "the disk has nothing yet");
        }
        assert!(bench.gateway.has_pending());
        keeper.duty_cycle();
        assert_eq!(bench.run(), (Vec::new(), Vec::new()), "what is safe is seen in the next one");
        assert_eq!(bench.run(), (ALL.to_vec(), Vec::new()));
    }

    #[test]
    fn once_the_journal_has_failed_only_what_reduces_risk_leaves() {
        for (durability, fault) in [
            (Durability::Os, FileConditions { torn_ppm: 1_000_000, ..Default::default() }),
            (Durability::FsyncBatch, FileConditions { sync_ppm: 1_000_000, ..Default::default() }),
        ] {
            let (mut bench, mut keeper, disk) = recorded_bench(durability);
            bench.run();
            keeper.duty_cycle();
            bench.run();
            disk.set_conditions(fault);
            ALL.into_iter().for_each(|action| bench.send(action));
            let (mut left, mut reasons) = (Vec::new(), Vec::new());
            for _ in 0..3 {
                let ran = bench.run();
                left.extend(ran.0);
                reasons.extend(ran.1);
                keeper.duty_cycle();
            }
            assert!(disk.totals().torn + disk.totals().sync_failed > 0, "it happened");
            let halted = RejectReason::TradingHalted;
            assert_eq!(left, REDUCING, "{durability:?}");
            assert_eq!(reasons, [halted, halted], "{durability:?}");
            bench.gateway.ends.switch.set(true);
            bench.send(OrderAction::Submit);
            assert_eq!(bench.run(), (Vec::new(), vec![halted]), "for good");
        }
    }
}
