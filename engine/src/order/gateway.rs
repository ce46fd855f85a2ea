//! The gateway: takes every strategy's order commands to the venue they are for, or says why not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pitlane_ring::{Consumer, Publisher};
use zerocopy::FromZeros;

use super::{OrderAction, OrderCommand};
use crate::event::{ConsumerId, Event, ExecReport, ExecType, OrderStatus, RejectReason};
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::safety::{Quarantine, TradingSwitch};

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

/// What ties a [`GatewayAgent`] to the engine.
pub(crate) struct GatewayEnds {
    pub(crate) inputs: Vec<Consumer<OrderCommand>>,
    /// By venue; `None` for a venue without an order session.
    pub(crate) outputs: Vec<Option<Publisher<OrderCommand>>>,
    /// `None` once it has ended.
    pub(crate) answers: Option<Publisher<Event>>,
    pub(crate) switch: TradingSwitch,
    pub(crate) quarantine: Quarantine,
    pub(crate) sessions_open: Arc<AtomicUsize>,
    pub(crate) stop: StopSignal,
    pub(crate) clock: Clock,
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
            input.poll(usize::MAX, |_command| left += 1);
            self.counts.unsent += left;
        }
        self.counts
    }

    fn take_commands(&mut self) -> usize {
        let Self { ends, counts } = self;
        let GatewayEnds { inputs, outputs, answers, switch, quarantine, clock, .. } = ends;
        let Some(answers) = answers else { return 0 };
        let mut work = 0;
        for input in inputs {
            // A command is only taken when both ways out have room for the whole batch: either link
            // may be needed, and neither may lose (a full lane holds the strategies' lanes back
            // instead).
            let mut room = answers.room(BATCH);
            for output in outputs.iter_mut().flatten() {
                room = output.room(room);
            }
            work += input.poll(room, |command| {
                // What a quarantined consumer still has in its lane, or goes on submitting from the
                // callback that does not return, must not leave.
                let may_trade = switch.is_on() && !quarantine.has(ConsumerId(command.consumer));
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
        Some(OrderAction::Cancel) => ExecType::CancelRejected,
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
        let stopping = self.ends.stop.phase() >= Phase::Draining;
        let sessions_gone = self.ends.sessions_open.load(Ordering::Acquire) == 0;
        if stopping || self.ends.quarantine.last_resort().is_halted() {
            // Before the commands are looked at: from here on every new order is answered by a
            // rejection, whoever switches trading on again.
            self.ends.switch.set(false);
        }
        if stopping && sessions_gone {
            self.ends.outputs.iter_mut().for_each(|output| *output = None);
        }
        let work = self.take_commands();
        let is_drained = stopping && sessions_gone && work == 0;
        if is_drained || self.ends.stop.phase() == Phase::Halted {
            self.ends.answers = None;
        }
        work
    }

    fn is_done(&self) -> bool {
        self.ends.answers.is_none()
    }

    fn on_close(self: Box<Self>) {
        let closing = self.ends.closing.clone();
        closing.leave(self.finish());
    }
}

#[cfg(test)]
mod tests {
    use pitlane_ring::{LaneOptions, lane};

    use super::*;
    use crate::safety::{HaltReason, QuarantineReason};

    /// A gateway between one strategy's lane and one venue.
    struct Bench {
        gateway: GatewayAgent,
        lane: Publisher<OrderCommand>,
        venue: Consumer<OrderCommand>,
        answers: Consumer<Event>,
    }

    fn bench() -> Bench {
        let options = |name: &str| LaneOptions { name: name.to_owned(), capacity: 16 };
        let (lane_in, input) = lane(options("orders"));
        let (output, venue) = lane(options("venue"));
        let (answers, told) = lane(options("answers"));
        let gateway = GatewayAgent::new(GatewayEnds {
            inputs: vec![input],
            outputs: vec![Some(output)],
            answers: Some(answers),
            switch: TradingSwitch::new(true),
            quarantine: Quarantine::new(1, false),
            sessions_open: Arc::new(AtomicUsize::new(1)),
            stop: StopSignal::default(),
            clock: Clock::manual(0).0,
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
}
