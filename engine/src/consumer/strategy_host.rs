//! One consumer's own state: everything a callback can reach, and the containment around it.

use std::backtrace::Backtrace;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::{Exchange, prefetch_line};

use super::containment::contain;
use super::failure::{FailureKind, FailureLog, FailureRecord, Fault, contain_callback};
use super::state_saver::StateSaver;
use super::{ConsumerFaults, Context, Strategy, StrategyError, StrategyResult, SubmitError};
use crate::dispatcher::{AcceptFrom, CUT};
use crate::event::{ControlResult, Event, EventClass, EventKind, ExecReport};
use crate::journal::SavedState;
use crate::runtime::Clock;
use crate::safety::{HaltReason, Quarantine, QuarantineReason};
use crate::telemetry::{ConsumerProbe, Letter, LetterSender, Term, Terms};

/// Failures of `on_start` after which a consumer is quarantined (F03).
const START_ATTEMPTS: u32 = 3;

/// Tries to leave the account at an audit cut: the place is only ever held for a few instructions.
const CUT_TRIES: u32 = 64;

/// The kind of a market event that was stamped before the flip from which on a consumer takes
/// events; `None` of one that is not stale. The flip's own version is the first that is taken.
#[inline]
fn stale_kind(event: &Event, accept_from: u32) -> Option<EventKind> {
    if event.routing_version >= accept_from {
        return None;
    }
    event.kind().filter(|kind| kind.class() == EventClass::Market)
}

/// Where a consumer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerState {
    /// `on_start` has not succeeded yet.
    Starting,
    /// Receives events.
    Running,
    /// Failed too often: receives nothing more, its events are counted as dead-lettered or
    /// discarded.
    Quarantined,
    /// `on_stop` has run.
    Stopped,
}

/// Strategy, context, accounts and probes of one consumer.
// In the order of use: what a cycle without work reads, what a market event needs beyond that, the
// rest. With fifty consumers on a core each line that a turn touches is one that the first cache
// does not have.
#[repr(C)]
pub(super) struct StrategyHost {
    pub(super) state: ConsumerState,
    pub(super) is_batch_over: bool,
    /// Whether stale market data is passed over.
    pub(super) skips: bool,
    pub(super) quarantine: Quarantine,
    pub(super) probe: ConsumerProbe,
    /// Market data below this routing version is stale.
    pub(super) accept_from: AcceptFrom,
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) clock: Clock,
    pub(super) terms: Arc<CachePadded<Terms>>,
    /// Time that a batch may take before it ends with the callback that is at it, ns.
    pub(super) batch_ns: u64,
    /// When the first callback of this batch was entered; 0 before.
    pub(super) batch_started_ns: u64,
    /// When the last callback of this batch was left; 0 before.
    pub(super) ended_ns: u64,
    pub(super) market_seen: u64,
    pub(super) faults: ConsumerFaults,
    pub(super) context: Context,
    pub(super) critical_expected: u32,
    pub(super) critical_lost: u64,
    pub(super) critical_seen: u64,
    pub(super) stale_seen: u64,
    pub(super) failures_seen: u64,
    /// Callbacks that ended by a refused order.
    pub(super) refusals_seen: u64,
    pub(super) failures: FailureLog,
    pub(super) failures_max: u64,
    pub(super) start_attempts: u32,
    /// What an earlier start has saved, until it was restored.
    pub(super) restores: Option<SavedState>,
    pub(super) saver: Option<StateSaver>,
    pub(super) state_version: u32,
    /// The first failure of a site is left here, so that the log shows it with its backtrace.
    pub(super) to_log: Arc<Exchange<FailureRecord>>,
    pub(super) letters: LetterSender,
    pub(super) name: String,
}

/// Whether a count is 1, 10, 100, ...: what floods is told of each tenfold.
fn is_tenfold(count: u64) -> bool {
    count.ilog10() != (count - 1).checked_ilog10().unwrap_or(u32::MAX)
}

/// What a callback was about, for its failure record.
struct Subject<'a> {
    callback: &'static str,
    event: Option<&'a Event>,
}

impl StrategyHost {
    /// Fetches again what an event touches and a cycle without one does not: a core's other
    /// threads, the system and other machines on the same hardware would have it out of the near
    /// caches within a millisecond.
    #[inline]
    pub(super) fn keep_warm(&self) {
        prefetch_line(&raw const self.accept_from);
        prefetch_line(&raw const self.batch_ns);
        prefetch_line((&raw const *self.strategy).cast::<u8>());
        self.terms.prefetch(Term::Handled);
        self.probe.prefetch();
    }

    /// To be called before each batch.
    #[inline]
    pub(super) fn begin_batch(&mut self) {
        self.batch_started_ns = 0;
        self.ended_ns = 0;
        self.is_batch_over = false;
    }

    /// Runs the callbacks for one event of the market lane; false when the batch's time is over.
    #[inline]
    pub(super) fn on_market(&mut self, event: &Event) -> bool {
        self.market_seen += 1;
        if self.market_seen == self.faults.lose_market_event {
            return true;
        }
        if let Some(kind) = stale_kind(event, self.accept_from.get()) {
            self.stale_seen += 1;
            if self.skips && self.stale_seen != self.faults.handle_stale {
                self.terms.add(Term::Skipped, kind, 1);
                return true;
            }
            self.terms.add(Term::Stale, kind, 1);
        }
        self.handle(event);
        !self.is_batch_over
    }

    /// Runs the callbacks for one event of the critical lane, and checks that none is missing
    /// before it; false when the batch's time is over.
    #[inline]
    pub(super) fn on_critical(&mut self, event: &Event) -> bool {
        self.critical_seen += 1;
        if self.critical_seen == self.faults.lose_critical_event {
            return true;
        }
        let missing = event.critical_sequence.wrapping_sub(self.critical_expected);
        if missing != 0 {
            // A number that went back can't say how many are missing, but something is wrong: count
            // one.
            let lost = if missing < 1 << 31 { u64::from(missing) } else { 1 };
            self.critical_lost += lost;
            if let Some(kind) = event.kind() {
                self.terms.add(Term::Lost, kind, lost);
            }
        }
        self.critical_expected = event.critical_sequence.wrapping_add(1);
        if let Some(report) = event.get::<ExecReport>() {
            self.context.apply_report(event, report);
        } else if let Some(result) = event.get::<ControlResult>()
            && result.phase == CUT
        {
            self.leave_cut(result.command_id);
            return true;
        }
        self.handle(event);
        !self.is_batch_over
    }

    /// At the mark of an audit cut: leaves this side of the account. The mark itself counts as
    /// handled, and no strategy sees it.
    #[cold]
    fn leave_cut(&mut self, audit: u64) {
        self.terms.add(Term::Handled, EventKind::ControlResult, 1);
        let port = self.terms.cut_port();
        // None: it was withdrawn, since this consumer took too long.
        let Some(mut cut) = port.wanted.take() else { return };
        if cut.audit != audit {
            // A later audit's, whose mark is behind this one. Where there is another by now, that
            // one is wanted.
            let _ = port.wanted.put(cut);
            return;
        }
        self.terms.copy_to(&mut cut);
        cut.market_taken = self.market_seen;
        let mut unsent = port.done.put(cut).err();
        for _ in 0..CUT_TRIES {
            let Some(cut) = unsent.take() else { break };
            // The other side was just looking.
            unsent = port.done.put(cut).err();
        }
    }

    #[inline]
    fn handle(&mut self, event: &Event) {
        let Some(kind) = event.kind() else {
            debug_assert!(false, "a slot without an event was published");
            return;
        };
        if self.state != ConsumerState::Running {
            self.turn_away(event, kind);
            return;
        }
        let entered_ns = self.clock.now_ns();
        if self.batch_started_ns == 0 {
            self.batch_started_ns = entered_ns;
        }
        self.context.enter(event, entered_ns);
        let StrategyHost { strategy, context, .. } = self;
        let outcome = contain_callback(context.consumer(), || strategy.on_event(event, context));
        let ended_ns = self.clock.now_ns();
        self.ended_ns = ended_ns;
        self.is_batch_over = ended_ns - self.batch_started_ns > self.batch_ns;
        self.terms.add(Term::Handled, kind, 1);
        self.probe.handled(event, entered_ns, ended_ns);
        if let Err(fault) = outcome {
            self.failed(fault, &Subject { callback: kind.name(), event: Some(event) });
        }
    }

    /// A consumer that does not run takes nothing: critical events are dead letters, the rest
    /// discarded.
    #[cold]
    fn turn_away(&mut self, event: &Event, kind: EventKind) {
        if !kind.is_critical() {
            self.terms.add(Term::Discarded, kind, 1);
            return;
        }
        self.terms.add(Term::DeadLettered, kind, 1);
        let consumer = self.context.consumer();
        let (wall_ns, owner) = (self.clock.wall_ns(), Some(consumer));
        let letter = Letter::undelivered_critical(event, wall_ns, "quarantined", owner);
        if !self.letters.send(letter) {
            self.quarantine.last_resort().lose(Some(consumer), HaltReason::LettersFull);
        }
    }

    /// Tries `on_start`; quarantines after three failures.
    #[cold]
    pub(super) fn start(&mut self) {
        self.context.enter_without_event(self.clock.now_ns());
        let StrategyHost { strategy, context, restores, .. } = self;
        let mut outcome = match restores {
            Some(saved) => {
                contain_callback(context.consumer(), || strategy.on_restore(saved, context))
            }
            None => Ok(()),
        };
        let callback = if outcome.is_err() { "on_restore" } else { "on_start" };
        if outcome.is_ok() {
            *restores = None;
            outcome = contain_callback(context.consumer(), || strategy.on_start(context));
        }
        self.start_attempts += 1;
        let Err(fault) = outcome else {
            self.state = ConsumerState::Running;
            return;
        };
        self.failed(fault, &Subject { callback, event: None });
        if self.start_attempts == START_ATTEMPTS {
            self.quarantine(&format!("{callback} failed three times"));
        }
    }

    /// Has the strategy save its state.
    #[cold]
    fn save(&mut self, now_ns: u64) {
        let wall_ns = self.clock.wall_ns();
        let StrategyHost { strategy, context, saver, state_version, .. } = self;
        let Some(saver) = saver else { return };
        let Some(mut state) = saver.begin(now_ns) else { return };
        state.begin(*state_version, wall_ns);
        context.enter_without_event(now_ns);
        let outcome = contain_callback(context.consumer(), || strategy.on_save(&mut state));
        match outcome {
            Ok(()) => saver.hand_over(state, now_ns),
            Err(fault) => {
                saver.given_up(state, now_ns);
                self.failed(fault, &Subject { callback: "on_save", event: None });
            }
        }
    }

    /// When a timer, or a state to be saved, is due, ns.
    #[inline]
    pub(super) fn next_timer_ns(&self) -> u64 {
        let save_ns = self.saver.as_ref().map_or(u64::MAX, StateSaver::due_ns);
        self.context.next_timer_ns().min(save_ns)
    }

    /// Whether any timer is set, due or not.
    #[inline]
    pub(super) fn has_timers(&self) -> bool {
        self.next_timer_ns() != u64::MAX
    }

    /// Runs the timers that are due; returns how many.
    #[inline]
    pub(super) fn run_timers(&mut self) -> usize {
        if !self.has_timers() {
            return 0;
        }
        let now_ns = self.clock.now_ns();
        let mut fired = 0;
        while let Some(id) = self.context.pop_timer(now_ns) {
            fired += 1;
            self.call("on_timer", now_ns, |strategy, context| strategy.on_timer(id, context));
            // The other timers that are due come with the next batch.
            self.ended_ns = self.clock.now_ns();
            if self.ended_ns - now_ns > self.batch_ns {
                break;
            }
        }
        if self.saver.as_ref().is_some_and(|saver| saver.due_ns() <= now_ns)
            && self.state == ConsumerState::Running
        {
            self.save(now_ns);
        }
        fired
    }

    /// Tells the strategy that a batch is over.
    #[inline]
    pub(super) fn end_batch(&mut self) {
        if let Some(open) = self.context.take_order_news() {
            self.terms.set_orders_open(open as u64);
        }
        // The end of the last callback is now, near enough: reading the clock is a tenth of what a
        // lone event costs its consumer.
        let now_ns = if self.ended_ns != 0 { self.ended_ns } else { self.clock.now_ns() };
        self.call("on_batch_end", now_ns, |strategy, context| strategy.on_batch_end(context));
        if let Some(saver) = &mut self.saver {
            saver.touched(now_ns);
        }
    }

    /// Calls `on_stop` once.
    pub(super) fn stop(&mut self) {
        if self.state == ConsumerState::Running {
            let now_ns = self.clock.now_ns();
            self.call("on_stop", now_ns, |strategy, context| strategy.on_stop(context));
            if self.state == ConsumerState::Running {
                self.save(now_ns);
            }
            self.state = ConsumerState::Stopped;
        }
    }

    #[inline]
    fn call(
        &mut self,
        callback: &'static str,
        now_ns: u64,
        run: impl FnOnce(&mut Box<dyn Strategy>, &mut Context) -> StrategyResult,
    ) {
        if self.state != ConsumerState::Running {
            return;
        }
        self.context.enter_without_event(now_ns);
        let StrategyHost { strategy, context, .. } = self;
        let outcome = contain_callback(context.consumer(), || run(strategy, context));
        if let Err(fault) = outcome {
            self.failed(fault, &Subject { callback, event: None });
        }
    }

    #[cold]
    fn failed(&mut self, fault: Fault, subject: &Subject<'_>) {
        if let Fault::Error(error) = &fault
            && let Some(refused) = error.source().downcast_ref::<SubmitError>()
        {
            return self.refused(refused);
        }
        let (kind, site, message, backtrace) = match fault {
            Fault::Error(error) => self.told(error),
            Fault::Panic(caught) => {
                (FailureKind::Panic, caught.site, caught.message, caught.backtrace)
            }
        };
        self.failures_seen += 1;
        if self.failures_seen == self.faults.swallow_failure {
            return;
        }
        let event = subject.event;
        let failure = FailureRecord {
            kind,
            site,
            message,
            consumer: self.name.clone(),
            thread: std::thread::current().name().unwrap_or("unnamed").to_owned(),
            core: rustix::thread::sched_getcpu(),
            callback: subject.callback,
            trace_id: self.context.cause_trace_id(),
            venue: event.map_or(0, |event| event.venue),
            instrument: event.map_or(0, |event| event.instrument),
            symbol: event.and_then(|event| self.context.symbol_of(event)),
            sequence: event.map_or(0, |event| event.sequence),
            routing_version: event.map_or(0, |event| event.routing_version),
            backtrace,
        };
        let count = self.failures.record(failure.clone());
        self.tell(failure, count);
        if let Some(event) = event
            && let Some(kind) = event.kind()
        {
            self.terms.add(Term::Failed, kind, 1);
        }
        if self.failures.total >= self.failures_max {
            self.quarantine("too many failures");
        }
    }

    /// A callback that ended by a refused order: an answer to the strategy, which is counted with
    /// its orders, and no failure. So `submit(..)?` may stand where trading is off for hours.
    fn refused(&mut self, refused: &SubmitError) {
        self.refusals_seen += 1;
        if is_tenfold(self.refusals_seen) {
            let (name, times) = (&self.name, self.refusals_seen);
            log::warn!("[{name}] callback ended: {refused} ({times} so far; no failure)");
        }
    }

    /// What an error says. Its text and its end are the strategy's code as well (EDGE-2).
    fn told(&self, error: StrategyError) -> (FailureKind, String, String, Option<Arc<Backtrace>>) {
        let (site, stack) = (error.site().to_string(), error.stack().cloned());
        let consumer = self.context.consumer();
        let message = match contain(consumer, || error.to_string()) {
            Ok(message) => message,
            Err(caught) => format!("an error that can't say what it is: {}", caught.message),
        };
        // Contained: its outcome is of no further interest.
        let _dropped = contain(consumer, move || drop(error));
        (FailureKind::Error, site, message, stack)
    }

    /// Logs the first failure of a site and then each tenfold, so that a strategy that fails on
    /// every event can't flood the log. Resolving the backtrace of a first panic takes
    /// milliseconds: housekeeping does that.
    fn tell(&self, failure: FailureRecord, count: u64) {
        let failure = match count {
            1 if failure.backtrace.is_some() => match self.to_log.put(Box::new(failure)) {
                Ok(()) => return,
                // The one before has not been fetched: this one's backtrace is in the report only.
                Err(failure) => *failure,
            },
            _ => failure,
        };
        if is_tenfold(count) {
            log::error!("{failure}; {count} times at this site so far");
        }
    }

    #[cold]
    fn quarantine(&mut self, reason: &str) {
        if self.state != ConsumerState::Quarantined {
            self.state = ConsumerState::Quarantined;
            // What follows is turned away, as far as there is room to keep it: that is another
            // batch.
            self.is_batch_over = true;
            self.quarantine.raise(self.context.consumer(), QuarantineReason::Failed);
            log::error!("[{}] quarantined: {reason} ({} failures)", self.name, self.failures.total);
        }
    }

    /// A consumer learns here that it was quarantined by somebody else: by the watchdog while it
    /// did not return, or by an operator.
    #[inline]
    pub(super) fn look_at_board(&mut self) {
        if self.state == ConsumerState::Running && self.quarantine.has(self.context.consumer()) {
            self.quarantined_by_others();
        }
    }

    #[cold]
    fn quarantined_by_others(&mut self) {
        self.state = ConsumerState::Quarantined;
        if self.quarantine.is_cut_off(self.context.consumer()) {
            log::warn!("[{}] is back at its lanes, and stays quarantined", self.name);
        } else {
            log::warn!("[{}] quarantined by an operator", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::Quote;

    #[test]
    fn what_was_stamped_by_the_flip_itself_is_not_stale() {
        // FR-015: with the bound one too high, a consumer that skips is deaf from its first flip.
        let stale = |version, mut event: Event| {
            event.routing_version = version;
            stale_kind(&event, 3)
        };
        let quote = Event::new(&Quote::new_zeroed());
        assert_eq!(stale(2, quote), Some(EventKind::Quote));
        assert_eq!((stale(3, quote), stale(4, quote)), (None, None));
        let report = Event::new(&ExecReport::new_zeroed());
        assert_eq!(stale(2, report), None, "critical events are never skipped (FR-016)");
    }
}
