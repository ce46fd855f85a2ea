//! The flips: what was asked for is carried out in rounds, each one flip of the dispatcher.
//!
//! A state machine that the controller polls; no call waits. A round takes all that lies in the
//! queue. For each request the venues are asked for streams that are missing; what can be done is
//! then done in one flip: new merge rules first, then the table, then without the rules that nobody
//! wants any more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use pitlane_ring::{CellMemory, Publisher};

use super::FlipError;
use super::answers::Answers;
use super::audit::{AuditedConsumer, Audits};
use super::hand_over::{FLIP_DEADLINE, FLIP_DEADLINE_NS, HandOver};
use super::routes::{Answer, Flipped, Routes, RoutesDifference, Waiting};
use super::rules::RuleBook;
use super::wanted::Wanted;
use crate::dispatcher::{Flip, FlipOutcome, FlipPort, RouteBook, RouteKey};
use crate::event::{ConsumerId, ControlCode, Event, VenueId};
use crate::orchestrator::merge::{MergeRule, MergeTable};
use crate::risk::RiskNotice;
use crate::runtime::{Clock, CoreWakers, Phase, StopSignal};
use crate::venue::market::{StreamError, StreamPort};

/// Between two checks whether a pinned thread has taken or answered something, ns. A thread that
/// yields instead waits for whole slices of those that never rest.
const POLL_NS: u64 = 20_000;
/// The same for a venue, which takes milliseconds.
const POLL_VENUE_NS: u64 = 200_000;

/// What [`Flips`] work on.
pub(crate) struct FlipsParts {
    pub(crate) book: RouteBook,
    /// By venue, where its market sessions are asked for more streams; none for one that sends what
    /// it sends.
    pub(crate) streams: Vec<Vec<Arc<StreamPort>>>,
    pub(crate) port: Arc<FlipPort>,
    pub(crate) wakers: CoreWakers,
    pub(crate) clock: Clock,
    pub(crate) stop: StopSignal,
}

/// The owner of the routes. One thread polls it.
pub(crate) struct Flips {
    routes: Arc<Routes>,
    parts: FlipsParts,
    answers: Answers,
    /// By consumer, how many cell groups its link has; those that the book has beyond it come with
    /// the next flip.
    groups: Vec<usize>,
    round: Option<Round>,
    audits: Audits,
    /// The position of the trading switch that consumers were told last.
    told_trading: Option<bool>,
}

/// All that lay in the queue at one moment.
struct Round {
    waiting: VecDeque<Waiting>,
    accepted: Vec<Waiting>,
    /// With what was accepted so far.
    next: Wanted,
    step: Step,
}

/// How far a round is.
enum Step {
    /// The next request is looked at.
    Next,
    /// The venues are asked for what `tried` wants.
    Streams {
        waiting: Waiting,
        tried: Wanted,
        since_ns: u64,
    },
    /// All requests were looked at.
    Begin,
    /// The orchestrator takes the rules of before and of after.
    Rules {
        rules: HandOver<MergeTable>,
        change: Change,
    },
    /// The answers are published, so the table may follow.
    Stage(Change),
    /// The dispatcher takes the table.
    Table {
        flip: HandOver<Flip>,
        change: Change,
        grown: Vec<ConsumerId>,
    },
    /// The orchestrator takes the rules without those that ended.
    EndedRules {
        rules: HandOver<MergeTable>,
        outcome: Answer,
    },
    /// Everybody is told.
    Tell(Answer),
    Over,
}

/// What came of looking at a step.
enum Pace {
    /// It is done, and this one follows.
    On(Step),
    /// It is not done yet.
    Wait(Step),
}

/// What a flip changes.
struct Change {
    routes: BTreeSet<RouteKey>,
    /// Rules come before the routes that they feed, and go behind them.
    rules: RuleBook,
}

impl Flips {
    /// `notices` takes the answers; the accounts of `audited` consumers are compared.
    pub(crate) fn new(
        routes: Arc<Routes>,
        parts: FlipsParts,
        notices: Publisher<Event>,
        audited: Vec<AuditedConsumer>,
        consumers: usize,
    ) -> Flips {
        let cells = |id| parts.book.cells(ConsumerId(id as u16)).len();
        Flips {
            routes,
            groups: (0..consumers).map(cells).collect(),
            parts,
            answers: Answers::new(notices),
            round: None,
            audits: Audits::new(audited),
            told_trading: None,
        }
    }

    /// The shared side.
    pub(crate) fn routes(&self) -> &Arc<Routes> {
        &self.routes
    }

    /// Whether nothing is under way and nobody has to be told anything.
    pub(super) fn is_idle(&self) -> bool {
        self.round.is_none() && self.answers.is_empty() && self.audits.is_idle()
    }

    /// Tells every consumer of a turn of the trading switch, once; what stands at the start and
    /// what a stop turns off is no news.
    pub(super) fn notice_trading(&mut self, is_on: bool) -> usize {
        let is_stopping = self.parts.stop.is_killed() || self.routes.is_stopping();
        let is_running = self.parts.stop.phase() == Phase::Running && !is_stopping;
        let before = self.told_trading.replace(is_on);
        if !is_running || before.is_none_or(|before| before == is_on) {
            return 0;
        }
        let now_ns = self.parts.clock.now_ns();
        for consumer in 0..self.groups.len() {
            self.answers.notice_trading(ConsumerId(consumer as u16), is_on, now_ns);
        }
        self.publish()
    }

    /// Tells consumers what holds their orders back, or no longer does.
    pub(super) fn notice_risk(&mut self, notices: &[RiskNotice]) -> usize {
        let now_ns = self.parts.clock.now_ns();
        notices.iter().for_each(|notice| self.answers.notice_risk(notice, now_ns));
        if notices.is_empty() { 0 } else { self.publish() }
    }

    /// How long to wait for the next look, ns.
    pub(super) fn poll_ns(&self) -> u64 {
        match self.round.as_ref().map(|round| &round.step) {
            Some(Step::Streams { .. }) => POLL_VENUE_NS,
            _ => POLL_NS,
        }
    }

    /// Refuses a command of a consumer.
    pub(super) fn refuse(&mut self, consumer: ConsumerId, command_id: u64, code: ControlCode) {
        self.answers.acknowledge(consumer, command_id, code, self.parts.clock.now_ns());
    }

    /// Goes as far as it can without waiting; returns the steps taken.
    pub(super) fn poll(&mut self) -> usize {
        for event in self.routes.take_deliveries() {
            self.answers.deliver(event, self.parts.clock.now_ns());
        }
        let mut work = self.publish();
        work += self.poll_audits();
        // While answers wait, no round begins: the queue is bounded, and so are they.
        if self.round.is_none() && self.answers.is_empty() && !self.audits.is_cutting() {
            let waiting = self.routes.take_waiting();
            let next = || self.routes.standing().wanted.clone();
            self.round = (!waiting.is_empty()).then(|| Round {
                waiting,
                accepted: Vec::new(),
                next: next(),
                step: Step::Next,
            });
        }
        let Some(mut round) = self.round.take() else { return work };
        loop {
            let step = std::mem::replace(&mut round.step, Step::Over);
            match self.advance(&mut round, step) {
                Pace::On(Step::Over) => return work + 1 + self.publish(),
                Pace::On(step) => round.step = step,
                Pace::Wait(step) => {
                    round.step = step;
                    self.round = Some(round);
                    return work + self.publish();
                }
            }
            work += 1;
        }
    }

    /// Audits go between two rounds.
    fn poll_audits(&mut self) -> usize {
        let now_ns = self.parts.clock.now_ns();
        if self.round.is_none()
            && self.audits.is_idle()
            && let Some(ticket) = self.routes.take_audit()
        {
            self.audits.begin(ticket, &self.parts.port, now_ns);
        }
        self.audits.poll(&self.parts.port, &self.parts.wakers, now_ns)
    }

    fn publish(&mut self) -> usize {
        self.answers.publish(&self.parts.wakers, &self.parts.stop, self.parts.clock.now_ns())
    }

    /// The step after `step`; or the same one while it has to wait.
    fn advance(&mut self, round: &mut Round, step: Step) -> Pace {
        let now_ns = self.parts.clock.now_ns();
        match step {
            Step::Next => Pace::On(self.next(round)),
            Step::Streams { waiting, tried, since_ns } => {
                let is_over = now_ns.saturating_sub(since_ns) > FLIP_DEADLINE_NS;
                match self.ask_for_streams(&tried, is_over) {
                    Some(outcome) => {
                        self.judge(round, waiting, outcome.map(|()| tried));
                        Pace::On(Step::Next)
                    }
                    None => Pace::Wait(Step::Streams { waiting, tried, since_ns }),
                }
            }
            Step::Begin => Pace::On(self.begin(round)),
            Step::Rules { mut rules, change } => match self.poll_rules(&mut rules, now_ns) {
                None => Pace::Wait(Step::Rules { rules, change }),
                Some(Ok(())) => Pace::On(Step::Stage(change)),
                Some(Err(error)) => Pace::On(Step::Tell(Err(error))),
            },
            // What the dispatcher tells of a command comes behind its acknowledgement.
            Step::Stage(change) => {
                self.publish();
                match self.answers.is_empty() {
                    true => Pace::On(self.stage(round, change, now_ns)),
                    false => Pace::Wait(Step::Stage(change)),
                }
            }
            Step::Table { mut flip, change, grown } => {
                match flip.poll(
                    &self.parts.port.staged,
                    &self.parts.port.done,
                    &self.parts.wakers,
                    now_ns,
                ) {
                    None => Pace::Wait(Step::Table { flip, change, grown }),
                    Some(done) => {
                        let outcome = done.map(|flip| flip.outcome);
                        let took_ns = now_ns.saturating_sub(flip.since_ns());
                        Pace::On(self.flipped(round, change, &grown, outcome, took_ns))
                    }
                }
            }
            Step::EndedRules { mut rules, outcome } => match self.poll_rules(&mut rules, now_ns) {
                None => Pace::Wait(Step::EndedRules { rules, outcome }),
                // Rules without a route feed nothing. If it failed, the next change tries again.
                Some(_) => Pace::On(Step::Tell(outcome)),
            },
            Step::Tell(outcome) => {
                self.tell(round, &outcome);
                Pace::On(Step::Over)
            }
            Step::Over => Pace::On(Step::Over),
        }
    }

    /// Looks at the next request.
    fn next(&mut self, round: &mut Round) -> Step {
        let Some(waiting) = round.waiting.pop_front() else { return Step::Begin };
        let mut tried = round.next.clone();
        let outcome = match self.routes.is_stopping() {
            true => Err(FlipError::Stopped),
            false => self.routes.catalogue().apply(&mut tried, &waiting.request.changes),
        };
        match outcome {
            Ok(()) => Step::Streams { waiting, tried, since_ns: self.parts.clock.now_ns() },
            Err(error) => {
                self.judge(round, waiting, Err(error));
                Step::Next
            }
        }
    }

    /// Accepts a request or refuses it, and tells the strategy that asked.
    fn judge(&mut self, round: &mut Round, waiting: Waiting, outcome: Result<Wanted, FlipError>) {
        let now_ns = self.parts.clock.now_ns();
        let command_id = waiting.request.command_id;
        let code = outcome.as_ref().map_or_else(FlipError::code, |_| ControlCode::Ok);
        if let Some(asker) = waiting.request.asker {
            self.answers.acknowledge(asker, command_id, code, now_ns);
        }
        match outcome {
            Ok(tried) => {
                round.next = tried;
                round.accepted.push(waiting);
            }
            Err(error) => {
                if let (FlipError::NoChange, Some(asker)) = (&error, waiting.request.asker) {
                    self.answers.conclude(asker, command_id, ControlCode::Ok, now_ns);
                }
                waiting.answer(Err(error));
            }
        }
    }

    /// Has every venue send what is wanted of it: a route to what it does not send would stay
    /// silent. What one venue does not confirm is one request's failure, and nobody else's.
    fn ask_for_streams(&self, wanted: &Wanted, is_over: bool) -> Option<Result<(), FlipError>> {
        let ports = (0..).zip(&self.parts.streams);
        let ports = ports.flat_map(|(venue, ports)| ports.iter().map(move |port| (venue, port)));
        let mut is_waiting = false;
        for (venue, port) in ports {
            let streams = wanted.streams_of(VenueId(venue));
            match port.poll(streams, is_over, || self.parts.wakers.wake()) {
                None => is_waiting = true,
                Some(Ok(())) => {}
                Some(Err(StreamError::Deadline)) => {
                    return Some(Err(FlipError::Deadline(FLIP_DEADLINE)));
                }
                Some(Err(StreamError::Refused(code))) => {
                    let venue = self.routes.catalogue().venues.get(usize::from(venue)).cloned();
                    let venue = venue.unwrap_or_default();
                    return Some(Err(FlipError::VenueRefused { venue, code }));
                }
            }
        }
        (!is_waiting).then_some(Ok(()))
    }

    /// All requests were looked at: what has to be handed over first?
    fn begin(&mut self, round: &mut Round) -> Step {
        if round.accepted.is_empty() {
            return Step::Over;
        }
        let routes = round.next.in_force();
        let mut standing = self.routes.standing();
        let merges_like = round.next.rules.merges_like(&standing.wanted.rules);
        if routes == standing.in_force && merges_like {
            // One took back what another wanted, or what changed is paused.
            standing.wanted = round.next.clone();
            return Step::Tell(Err(FlipError::NoChange));
        }
        let rules = standing.wanted.rules.joined(&round.next.rules);
        let has_new_rules = !rules.merges_like(&standing.wanted.rules);
        drop(standing);
        let handed = has_new_rules.then(|| self.hand_over_rules(&rules)).transpose();
        let change = Change { routes, rules };
        match handed {
            Ok(Some(rules)) => Step::Rules { rules, change },
            Ok(None) => Step::Stage(change),
            Err(error) => Step::Tell(Err(error)),
        }
    }

    fn hand_over_rules(&self, rules: &RuleBook) -> Result<HandOver<MergeTable>, FlipError> {
        let rules: Vec<MergeRule> = rules.rules().collect();
        // Each was checked when it was asked for, and a book has one under a number.
        let table = MergeTable::new(&rules).map_err(|_problems| FlipError::NoRuleFree)?;
        let done = &self.routes.merge_port().done;
        Ok(HandOver::new(Box::new(table), done, self.parts.clock.now_ns()))
    }

    fn poll_rules(
        &self,
        rules: &mut HandOver<MergeTable>,
        now_ns: u64,
    ) -> Option<Result<(), FlipError>> {
        let port = self.routes.merge_port();
        Some(rules.poll(&port.staged, &port.done, &self.parts.wakers, now_ns)?.map(drop))
    }

    /// The flip to these routes, with cells for those that never were.
    fn stage(&mut self, round: &Round, change: Change, now_ns: u64) -> Step {
        let mut standing = self.routes.standing();
        standing.staged = Some((round.next.clone(), change.routes.clone()));
        let (book, routes) = (&mut self.parts.book, &change.routes);
        for route in routes.difference(&standing.in_force) {
            book.add(*route);
        }
        let changed = routes.symmetric_difference(&standing.in_force);
        let affected: BTreeSet<ConsumerId> = changed.map(|route| route.consumer).collect();
        let is_larger = |id: &ConsumerId| book.cells(*id).len() > self.groups[id.index()];
        let grown: Vec<ConsumerId> = affected.iter().copied().filter(is_larger).collect();
        let requests = round.accepted.iter().map(|waiting| &waiting.request);
        let askers = requests.filter_map(|request| Some((request.asker?, request.command_id)));
        let flip = Box::new(Flip {
            table: book.table(routes),
            cells: grown.iter().map(|id| (*id, CellMemory::new(book.cells(*id)))).collect(),
            affected: affected.into_iter().collect(),
            added: routes.difference(&standing.in_force).copied().collect(),
            command_id: round.accepted.first().map_or(0, |waiting| waiting.request.command_id),
            askers: askers.collect(),
            outcome: FlipOutcome::default(),
            cut: None,
        });
        let flip = HandOver::new(flip, &self.parts.port.done, now_ns);
        Step::Table { flip, change, grown }
    }

    /// The dispatcher has swapped the tables, or the flip was withdrawn.
    fn flipped(
        &mut self,
        round: &Round,
        change: Change,
        grown: &[ConsumerId],
        outcome: Result<FlipOutcome, FlipError>,
        took_ns: u64,
    ) -> Step {
        let mut standing = self.routes.standing();
        let difference = RoutesDifference::between(&standing.in_force, &change.routes);
        standing.staged = None;
        if let Ok(outcome) = &outcome {
            self.routes.flips_took(took_ns);
            standing.version = outcome.version;
            standing.flips += 1;
            for consumer in grown {
                self.groups[consumer.index()] = self.parts.book.cells(*consumer).len();
            }
            standing.in_force = change.routes;
            standing.wanted = round.next.clone();
        } else {
            standing.flips_abandoned += 1;
        }
        let outcome = outcome.map(|outcome| Flipped { outcome, difference });
        let rules = standing.wanted.rules.clone();
        drop(standing);
        if change.rules.merges_like(&rules) {
            return Step::Tell(outcome);
        }
        match self.hand_over_rules(&rules) {
            Ok(rules) => Step::EndedRules { rules, outcome },
            Err(_) => Step::Tell(outcome),
        }
    }

    /// Answers all whose requests were accepted. Of a flip that was carried out the dispatcher
    /// tells the strategies.
    fn tell(&mut self, round: &mut Round, outcome: &Answer) {
        let now_ns = self.parts.clock.now_ns();
        for waiting in round.accepted.drain(..) {
            if let (Err(error), Some(asker)) = (outcome, waiting.request.asker) {
                let command_id = waiting.request.command_id;
                self.answers.conclude(asker, command_id, error.code(), now_ns);
            }
            waiting.answer(outcome.clone());
        }
    }
}

impl Drop for Flips {
    fn drop(&mut self) {
        self.audits.end();
        self.routes.end();
    }
}
