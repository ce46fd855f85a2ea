//! The consumer's agent: takes events from its pair of lanes and hands them to the strategy.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::{Consumer, Exchange, raw};

use super::context::ContextParts;
use super::state_saver::StateSaver;
use super::strategy_host::StrategyHost;
use super::{
    ConsumerFaults, ConsumerState, Context, FailureLog, FailureRecord, Strategy, StrategyError,
};
use crate::dispatcher::AcceptFrom;
use crate::event::{Event, KindCounts};
use crate::journal::{SavedState, StateBuffer};
use crate::order::OrderCounts;
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::safety::Quarantine;
use crate::telemetry::{ConsumerProbe, HistogramSet, LetterSender, Terms};

/// Room for the dead letters of a consumer: critical events that it turns away. It takes no more of
/// them than there is room.
pub(crate) const CONSUMER_LETTER_SLOTS: usize = 64;

/// What a [`ConsumerAgent`] is made of.
pub struct ConsumerOptions {
    /// The consumer's name.
    pub name: String,
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// Market events taken in one duty cycle, at least 1.
    pub batch: usize,
    /// Time after which a batch ends with the callback that is at it, ns: a quarter of the stall
    /// budget, so that many short callbacks are no stall.
    pub batch_ns: u64,
    /// Failures after which the consumer is quarantined, at least 1.
    pub failures_max: u64,
    /// Failures kept whole.
    pub failures_kept: usize,
    /// Whether market data that a routing flip has made stale is passed over (FR-015).
    pub skips: bool,
    /// Planted faults.
    #[doc(hidden)]
    pub faults: ConsumerFaults,
}

/// The ends that tie a consumer to the engine.
pub(crate) struct ConsumerWiring {
    pub(crate) critical: Consumer<Event>,
    pub(crate) market: Consumer<Event>,
    pub(crate) context: ContextParts,
    /// Where it saves its state; `None` for one that saves nothing.
    pub(crate) saver: Option<StateSaver>,
    /// What an earlier start has saved.
    pub(crate) restores: Option<SavedState>,
    pub(crate) terms: Arc<CachePadded<Terms>>,
    pub(crate) probe: ConsumerProbe,
    /// Where the first failure of a site is left for the log.
    pub(crate) to_log: Arc<Exchange<FailureRecord>>,
    pub(crate) accept_from: AcceptFrom,
    pub(crate) quarantine: Quarantine,
    /// For critical events that it turns away once it is quarantined.
    pub(crate) letters: LetterSender,
    pub(crate) stop: StopSignal,
    pub(crate) closing: Closing<ConsumerTotals>,
}

/// Cycles without work between two checks whether the lanes are closed, which is told on lines of
/// their own, and between two times that what an event needs is fetched again: with fifty consumers
/// 10 us.
const RARELY: u8 = 16;

/// One strategy with its lanes. A core runs its duty cycle; no other thread touches it.
// In this order for the reason given at `StrategyHost`.
#[repr(C)]
pub struct ConsumerAgent {
    critical: Consumer<Event>,
    market: Consumer<Event>,
    stop: StopSignal,
    batch: usize,
    /// Cycles without work, wrapping.
    rests: u8,
    done: bool,
    /// A planted fault will keep a slot of the market lane.
    leaks: bool,
    /// It has.
    has_leaked: bool,
    host: StrategyHost,
    closing: Closing<ConsumerTotals>,
}

/// What a [`ConsumerAgent`] leaves.
pub struct ConsumerTotals {
    /// Its last state.
    pub state: ConsumerState,
    /// Its failures.
    pub failures: FailureLog,
    /// Events left in its lanes, walked and counted.
    pub in_flight: KindCounts,
    /// Holes found in its critical stream.
    pub critical_lost: u64,
    /// Number of the last critical event that was taken; 0 when there was none.
    pub critical_taken: u32,
    /// Its orders.
    pub orders: OrderCounts,
    /// Orders still open in its own view.
    pub orders_open: usize,
    /// Histograms that were not collected yet.
    pub histograms: Box<HistogramSet>,
}

impl ConsumerAgent {
    pub(crate) fn new(options: ConsumerOptions, wiring: ConsumerWiring) -> ConsumerAgent {
        let clock: Clock = wiring.context.clock.clone();
        let consumer = wiring.context.consumer;
        ConsumerAgent {
            critical: wiring.critical,
            market: wiring.market,
            host: StrategyHost {
                name: options.name,
                state_version: options.strategy.state_version(),
                strategy: options.strategy,
                saver: wiring.saver,
                restores: wiring.restores,
                context: Context::new(wiring.context),
                clock,
                quarantine: wiring.quarantine,
                letters: wiring.letters,
                batch_ns: options.batch_ns,
                batch_started_ns: 0,
                is_batch_over: false,
                ended_ns: 0,
                terms: wiring.terms,
                probe: wiring.probe,
                failures: FailureLog::new(options.failures_kept),
                failures_max: options.failures_max,
                to_log: wiring.to_log,
                state: ConsumerState::Starting,
                start_attempts: 0,
                accept_from: wiring.accept_from,
                skips: options.skips,
                critical_expected: 1,
                critical_lost: 0,
                faults: options.faults,
                market_seen: 0,
                critical_seen: 0,
                stale_seen: 0,
                failures_seen: 0,
                refusals_seen: 0,
            },
            batch: options.batch,
            stop: wiring.stop,
            // Not all consumers of a core in the same cycle.
            rests: consumer.0 as u8,
            done: false,
            leaks: options.faults.leak_slot != 0,
            has_leaked: false,
            closing: wiring.closing,
        }
    }

    /// Takes the consumer apart, and counts what is left in its lanes.
    pub(crate) fn finish(mut self) -> ConsumerTotals {
        let mut in_flight = KindCounts::default();
        let mut count = |event: &Event| {
            if let Some(kind) = event.kind() {
                in_flight.add(kind, 1);
            }
        };
        self.critical.poll(usize::MAX, &mut count);
        // Behind a slot that is still out, a lane can't be walked.
        if !self.has_leaked {
            self.market.poll(usize::MAX, &mut count);
        }
        let host = self.host;
        ConsumerTotals {
            state: host.state,
            failures: host.failures,
            in_flight,
            critical_lost: host.critical_lost,
            critical_taken: host.critical_expected.wrapping_sub(1),
            orders: host.context.order_counts(),
            orders_open: host.context.open_orders().len(),
            histograms: host.probe.into_set(),
        }
    }

    /// What the strategy saves, outside a run.
    pub(crate) fn saved(&mut self) -> Result<SavedState, StrategyError> {
        let StrategyHost { strategy, clock, state_version, .. } = &mut self.host;
        let mut state = StateBuffer::with_room(strategy.saves_bytes());
        state.begin(*state_version, clock.wall_ns());
        strategy.on_save(&mut state)?;
        Ok(state.saved())
    }

    pub(crate) fn context(&self) -> &Context {
        &self.host.context
    }

    pub(crate) fn failures(&self) -> &FailureLog {
        &self.host.failures
    }

    /// The part of a duty cycle that runs callbacks. Apart from the rest, which is all that most
    /// cycles run: a cycle without work then saves no registers for it.
    #[inline(never)]
    fn work(&mut self) -> usize {
        let mut work = self.take_events();
        work += self.host.run_timers();
        if work > 0 {
            self.host.end_batch();
        } else {
            self.rest();
        }
        work
    }

    /// The critical lane goes first, and again before each market callback: an exec report never
    /// waits behind more than one market event. Either lane has its turn, however short the time
    /// is.
    fn take_events(&mut self) -> usize {
        let Self { critical, market, host, batch, .. } = self;
        host.begin_batch();
        if host.state == ConsumerState::Quarantined {
            return self.turn_away_events();
        }
        let mut work = 0;
        if critical.has_available() {
            work += critical.poll_while(*batch, |event| host.on_critical(event));
        }
        work += market.poll_while(*batch, |event| {
            if critical.has_available() {
                critical.poll_while(*batch, |event| host.on_critical(event));
            }
            host.on_market(event)
        });
        work
    }

    /// Empties the lanes of a quarantined consumer: no faster than its critical events can be kept.
    #[cold]
    fn turn_away_events(&mut self) -> usize {
        let Self { critical, market, host, batch, .. } = self;
        let room = host.letters.room(*batch);
        let mut work = critical.poll_while(room, |event| {
            host.on_critical(event);
            true
        });
        work += market.poll_while(*batch, |event| {
            host.on_market(event);
            true
        });
        work
    }

    /// A cycle without work.
    #[inline]
    fn rest(&mut self) {
        self.host.probe.rest();
        self.rests = self.rests.wrapping_add(1);
        if self.rests.is_multiple_of(RARELY) {
            self.rest_long();
        }
    }

    #[inline(never)]
    fn rest_long(&mut self) {
        self.market.keep_warm();
        self.host.keep_warm();
        if self.is_closed() {
            self.host.stop();
            self.done = true;
        }
    }

    fn is_closed(&self) -> bool {
        self.critical.is_closed() && self.market.is_closed()
    }

    /// The planted leak: handles an event and keeps its slot.
    #[cold]
    fn leak_slot(&mut self) {
        if !self.has_leaked
            && self.host.market_seen + 1 >= self.host.faults.leak_slot
            && let Some((handle, _kept)) = raw::hold(&mut self.market)
        {
            self.has_leaked = true;
            self.host.on_market(&handle.read());
        }
    }
}

impl Agent for ConsumerAgent {
    fn name(&self) -> &str {
        &self.host.name
    }

    fn duty_cycle(&mut self) -> usize {
        self.host.probe.swap_if_asked();
        if self.stop.phase() == Phase::Halted {
            self.done = true;
            return 0;
        }
        if self.host.state == ConsumerState::Starting {
            self.host.start();
            return 1;
        }
        self.host.look_at_board();
        if self.leaks {
            self.leak_slot();
        }
        let has_events = self.critical.has_available() || self.market.has_available();
        if has_events || self.host.has_timers() {
            return self.work();
        }
        self.rest();
        0
    }

    fn has_pending(&self) -> bool {
        // No wake-up tells that there is room for dead letters again, and none comes after the one
        // that told that the lanes were closed.
        (self.host.state == ConsumerState::Quarantined && self.critical.has_available())
            || (self.is_closed() && !self.done)
    }

    #[inline]
    fn prefetch(&self) {
        self.market.prefetch();
    }

    fn next_timer_ns(&self) -> u64 {
        self.host.next_timer_ns()
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn on_close(self: Box<Self>) {
        let closing = self.closing.clone();
        closing.put(self.finish());
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use pitlane_ring::Publisher;
    use zerocopy::FromZeros;

    use super::*;
    use crate::consumer::{StrategyResult, View};
    use crate::event::{Quote, Risk};
    use crate::instrument::{InstrumentSpec, Instruments};
    use crate::pipeline::Size;
    use crate::risk::RiskLimits;
    use crate::testing::{BareConsumer, bare_consumer};

    /// Publishes a critical event out of its first quote, as a venue would at that moment.
    struct Interrupted {
        critical: Arc<Mutex<Option<Publisher<Event>>>>,
        heard: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Strategy for Interrupted {
        fn on_quote(&mut self, _quote: View<'_, Quote>, _ctx: &mut Context) -> StrategyResult {
            self.heard.lock().push("quote");
            if let Some(mut critical) = self.critical.lock().take() {
                let mut event = Event::new(&Risk::new_zeroed());
                event.critical_sequence = 1;
                critical.try_publish(&event).expect("the lane is empty");
            }
            Ok(())
        }

        fn on_risk(&mut self, _risk: View<'_, Risk>, _ctx: &mut Context) -> StrategyResult {
            self.heard.lock().push("critical");
            Ok(())
        }
    }

    #[test]
    fn a_critical_event_waits_for_one_market_callback_at_most() {
        let (to_strategy, heard) = (Arc::<Mutex<_>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let strategy =
            Interrupted { critical: Arc::clone(&to_strategy), heard: Arc::clone(&heard) };
        let spec = InstrumentSpec::btc_usdt();
        let instruments = Arc::new(Instruments::new(vec![spec]).unwrap());
        let (clock, _time) = Clock::manual(0);
        let limits = RiskLimits::default();
        let BareConsumer {
            mut market,
            critical,
            mut agent,
            orders: _orders,
            control: _control,
            ..
        } = bare_consumer(Box::new(strategy), instruments, limits, clock, Size::Full);
        *to_strategy.lock() = Some(critical);
        let quote = Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 });
        for _ in 0..3 {
            market.try_publish(&quote).expect("the lane has room");
        }
        assert_eq!(agent.duty_cycle(), 3, "all quotes in one batch");
        assert_eq!(*heard.lock(), ["quote", "critical", "quote", "quote"]);
    }

    /// Fails to start.
    struct Failing;

    impl Strategy for Failing {
        fn on_start(&mut self, _ctx: &mut Context) -> StrategyResult {
            Err("not today".into())
        }
    }

    fn bare(strategy: impl Strategy) -> BareConsumer {
        let (clock, _time) = Clock::manual(0);
        let limits = RiskLimits::default();
        bare_consumer(Box::new(strategy), Arc::default(), limits, clock, Size::Full)
    }

    #[test]
    fn three_failed_starts_are_a_quarantine() {
        for (more_cycles, state) in [(1, ConsumerState::Starting), (2, ConsumerState::Quarantined)]
        {
            let BareConsumer {
                mut agent, market: _m, critical: _c, orders: _o, control: _n, ..
            } = bare(Failing);
            for _ in 0..more_cycles {
                agent.duty_cycle();
            }
            let totals = agent.finish();
            assert_eq!((totals.state, totals.failures.total), (state, 1 + more_cycles));
        }
    }

    #[test]
    fn a_critical_sequence_that_goes_back_is_one_loss() {
        let heard = Interrupted { critical: Arc::default(), heard: Arc::default() };
        let BareConsumer { mut agent, mut critical, market: _m, orders: _o, control: _n, .. } =
            bare(heard);
        for sequence in [1, 2, 1] {
            let mut event = Event::new(&Risk::new_zeroed());
            event.critical_sequence = sequence;
            critical.try_publish(&event).expect("the lane has room");
        }
        agent.duty_cycle();
        assert_eq!(agent.finish().critical_lost, 1);
    }

    #[test]
    fn a_consumer_whose_lanes_are_closed_has_stopped() {
        let heard = Interrupted { critical: Arc::default(), heard: Arc::default() };
        let BareConsumer { mut agent, market, critical, orders: _o, control: _n, .. } = bare(heard);
        drop((market, critical));
        for _ in 0..2 * RARELY {
            agent.duty_cycle();
        }
        assert!(agent.is_done());
        assert_eq!(agent.finish().state, ConsumerState::Stopped);
    }
}
