//! The owner of the routes: builds tables off the hot path and has the dispatcher swap them (A-4, FR-014).
//!
//! Who wants a change leaves it in a queue and then asks for the desk. Who gets the desk carries out all
//! that waits, in one flip; the others find their answer there when it is their turn (flat combining:
//! Hendler, Incze, Shavit, Tzafrir, SPAA 2010). So changes that come while a flip is under way coalesce,
//! a lone one has no thread to wait for, and nothing here is ever touched by a pinned thread.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pitlane_ring::{CellMemory, Exchange, Publisher};
use thiserror::Error;

use super::MergeRequest;
use super::rules::{RuleBook, RuleView};
use crate::consumer::Interest;
use crate::dispatcher::{
    COMMAND_DONE, Flip, FlipOutcome, FlipPort, RouteBook, RouteKey, is_routed,
};
use crate::event::{
    ConsumerId, ControlAck, ControlCode, ControlResult, Event, EventKind, EventPayload,
    InstrumentId, VenueId,
};
use crate::orchestrator::merge::{MergePort, MergeProblem, MergeRule, MergeTable};
use crate::runtime::{Clock, CoreWakers, Phase, StopSignal};

/// A flip that the dispatcher has not taken by then is withdrawn.
const FLIP_DEADLINE: Duration = Duration::from_millis(500);

/// Changes that may wait at a time.
const QUEUE_MAX: usize = 256;

/// A route to be turned on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteChange {
    /// Which.
    pub route: RouteKey,
    /// Whether events take it from then on.
    pub is_on: bool,
}

/// Something about the routes that is to be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingChange {
    /// A route goes on or off.
    Route(RouteChange),
    /// A consumer gets a merged stream, or does not any more. Equal requests share a rule.
    Merge {
        /// Who.
        consumer: ConsumerId,
        /// What.
        request: MergeRequest,
        /// Whether it gets it.
        is_on: bool,
    },
    /// A merge rule ends for everybody who has it.
    EndRule(u16),
    /// A consumer gets no market and reference data until it is resumed; its routes are remembered.
    PauseConsumer {
        /// Who.
        consumer: ConsumerId,
        /// Paused or not.
        is_paused: bool,
    },
    /// Nobody gets a venue's market and reference data until it is resumed; the routes are remembered.
    PauseVenue {
        /// Which.
        venue: VenueId,
        /// Paused or not.
        is_paused: bool,
    },
}

/// Why routes were not changed; those before are in force.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum FlipError {
    #[error("[routes] flip failed: there is no consumer {0} (code: unknown_consumer)")]
    UnknownConsumer(ConsumerId),
    #[error("[routes] flip failed: there is no venue {0} (code: unknown_venue)")]
    UnknownVenue(VenueId),
    #[error("[routes] flip failed: there is no instrument {0} (code: unknown_instrument)")]
    UnknownInstrument(InstrumentId),
    #[error(
        "[routes] flip failed: the strategy of consumer {consumer} takes no {kind} events \
         (code: not_interested)"
    )]
    NotInterested { consumer: ConsumerId, kind: EventKind },
    #[error(
        "[routes] flip failed: {0} events reach their owner whatever the routes are \
         (code: not_routed)"
    )]
    NotRouted(EventKind),
    #[error("[routes] flip failed: it was not subscribed (code: not_subscribed)")]
    NotSubscribed,
    #[error("[routes] flip failed: {0} (code: bad_merge)")]
    BadMerge(#[from] MergeProblem),
    #[error("[routes] flip failed: all merge rules are taken (code: no_rule_free)")]
    NoRuleFree,
    #[error("[routes] flip failed: nothing would change (code: no_change)")]
    NoChange,
    #[error("[routes] flip failed: it was not taken in {0:?} (code: deadline)")]
    Deadline(Duration),
    #[error("[routes] flip failed: the engine is stopping (code: stopping)")]
    Stopped,
    #[error("[routes] flip failed: {QUEUE_MAX} changes wait already (code: queue_full)")]
    QueueFull,
}

impl FlipError {
    /// The stable code that a strategy is told.
    #[must_use]
    pub fn code(&self) -> ControlCode {
        match self {
            FlipError::UnknownConsumer(_) => ControlCode::UnknownConsumer,
            FlipError::UnknownVenue(_) => ControlCode::UnknownVenue,
            FlipError::UnknownInstrument(_) => ControlCode::UnknownInstrument,
            FlipError::NotInterested { .. } => ControlCode::NotInterested,
            FlipError::NotRouted(_) => ControlCode::NotRouted,
            FlipError::NotSubscribed => ControlCode::NotSubscribed,
            FlipError::BadMerge(_) => ControlCode::BadMerge,
            FlipError::NoRuleFree => ControlCode::NoRuleFree,
            // Whoever asked has what was asked for.
            FlipError::NoChange => ControlCode::Ok,
            FlipError::Deadline(_) => ControlCode::Deadline,
            FlipError::Stopped => ControlCode::Stopping,
            FlipError::QueueFull => ControlCode::QueueFull,
        }
    }
}

/// Changes that are carried out together or not at all.
pub(crate) struct Request {
    /// Number that comes back in the notices.
    pub(crate) command_id: u64,
    /// The strategy that asked, and is told by `ControlAck` and `ControlResult`.
    pub(crate) asker: Option<ConsumerId>,
    pub(crate) changes: Vec<RoutingChange>,
}

type Answer = Result<FlipOutcome, FlipError>;

/// A request in the queue, with the place where its answer is left.
struct Waiting {
    request: Request,
    answer: Arc<Mutex<Option<Answer>>>,
}

/// What consumers are subscribed to, and what is paused: more than the table in force shows.
#[derive(Clone)]
struct Wanted {
    routes: BTreeSet<RouteKey>,
    rules: RuleBook,
    paused_consumers: BTreeSet<ConsumerId>,
    paused_venues: BTreeSet<VenueId>,
}

/// The difference that changes would make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutesDifference {
    /// Routes that would go on.
    pub on: Vec<RouteKey>,
    /// Routes that would go off.
    pub off: Vec<RouteKey>,
}

/// A reading of the routes.
#[derive(Clone, Debug, Default)]
pub struct RoutesView {
    /// The version that events are stamped with.
    pub version: u32,
    /// Flips carried out.
    pub flips: u64,
    /// Flips given up at their deadline.
    pub flips_abandoned: u64,
    /// Routes in force.
    pub routes: Vec<RouteKey>,
    /// Merge rules in force.
    pub rules: Vec<RuleView>,
    /// Paused consumers.
    pub paused_consumers: Vec<ConsumerId>,
    /// Paused venues.
    pub paused_venues: Vec<VenueId>,
}

/// How long flips took, from the staging of the table to the dispatcher's answer, ns.
#[derive(Default)]
pub(crate) struct FlipLatencies(Mutex<Vec<u64>>);

impl FlipLatencies {
    /// Flips remembered between two looks of housekeeping; at 1,000 a second it looks 200 times.
    const KEPT: usize = 4_096;

    fn add(&self, ns: u64) {
        let mut kept = self.0.lock();
        if kept.len() < FlipLatencies::KEPT {
            kept.push(ns);
        }
    }

    /// Hands out and forgets what was added.
    pub(crate) fn take(&self, record: impl FnMut(u64)) {
        self.0.lock().drain(..).for_each(record);
    }
}

/// What a [`Routes`] is made of.
pub(crate) struct RoutesParts {
    pub(crate) book: RouteBook,
    /// Routes in force from the start.
    pub(crate) routes: BTreeSet<RouteKey>,
    /// What each consumer's strategy can take.
    pub(crate) interests: Vec<Interest>,
    pub(crate) venues: usize,
    pub(crate) instruments: usize,
    pub(crate) port: Arc<FlipPort>,
    pub(crate) merge: Arc<MergePort>,
    pub(crate) notices: Publisher<Event>,
    pub(crate) version: Arc<AtomicU32>,
    pub(crate) wakers: CoreWakers,
    pub(crate) clock: Clock,
    pub(crate) stop: StopSignal,
}

/// The routes and who wants them. Any thread but a pinned one may ask it; it may block for a second.
pub(crate) struct Routes {
    queue: Mutex<VecDeque<Waiting>>,
    desk: Mutex<Desk>,
    merge: Arc<MergePort>,
    latencies: Arc<FlipLatencies>,
}

/// The desk, behind its lock.
struct Desk {
    parts: RoutesParts,
    wanted: Wanted,
    /// The routes of the table that the dispatcher has.
    in_force: BTreeSet<RouteKey>,
    /// By consumer, how many cell groups its link has; those that the book has beyond it come with the
    /// next flip.
    groups: Vec<usize>,
    flips: u64,
    flips_abandoned: u64,
    is_stopping: bool,
    latencies: Arc<FlipLatencies>,
}

impl Routes {
    pub(crate) fn new(mut parts: RoutesParts) -> Routes {
        let routes = std::mem::take(&mut parts.routes);
        let latencies = Arc::<FlipLatencies>::default();
        let merge = Arc::clone(&parts.merge);
        let consumers = 0..parts.interests.len();
        let groups = consumers.map(|id| parts.book.cells(ConsumerId(id as u16)).len()).collect();
        let desk = Desk {
            parts,
            groups,
            in_force: routes.clone(),
            wanted: Wanted {
                routes,
                rules: RuleBook::default(),
                paused_consumers: BTreeSet::new(),
                paused_venues: BTreeSet::new(),
            },
            flips: 0,
            flips_abandoned: 0,
            is_stopping: false,
            latencies: Arc::clone(&latencies),
        };
        Routes { queue: Mutex::default(), desk: Mutex::new(desk), merge, latencies }
    }

    /// Where it leaves how long its flips took.
    pub(crate) fn latencies(&self) -> Arc<FlipLatencies> {
        Arc::clone(&self.latencies)
    }

    /// What became of the merge windows.
    pub(crate) fn merge_port(&self) -> &MergePort {
        &self.merge
    }

    /// A reading.
    pub(crate) fn view(&self) -> RoutesView {
        let desk = self.desk.lock();
        RoutesView {
            version: desk.parts.version.load(Ordering::Acquire),
            flips: desk.flips,
            flips_abandoned: desk.flips_abandoned,
            routes: desk.in_force.iter().copied().collect(),
            rules: desk.wanted.rules.views().collect(),
            paused_consumers: desk.wanted.paused_consumers.iter().copied().collect(),
            paused_venues: desk.wanted.paused_venues.iter().copied().collect(),
        }
    }

    /// What the changes would do, without doing it.
    pub(crate) fn preview(&self, changes: &[RoutingChange]) -> Result<RoutesDifference, FlipError> {
        let desk = self.desk.lock();
        let mut wanted = desk.wanted.clone();
        desk.parts.apply(&mut wanted, changes)?;
        let next = wanted.in_force();
        Ok(RoutesDifference {
            on: next.difference(&desk.in_force).copied().collect(),
            off: desk.in_force.difference(&next).copied().collect(),
        })
    }

    /// Has the changes carried out, together with whatever else waits. Blocks until the dispatcher has
    /// swapped the tables, or the deadline is over.
    pub(crate) fn change(&self, request: Request) -> Answer {
        let answer = self.leave(request)?;
        let mut desk = self.desk.lock();
        if let Some(answer) = answer.lock().take() {
            return answer;
        }
        desk.carry_out(self.take_waiting());
        answer.lock().take().unwrap_or(Err(FlipError::Stopped))
    }

    /// Leaves requests of strategies and has them carried out; the answers go to the strategies.
    pub(crate) fn change_all(&self, requests: impl Iterator<Item = Request>) {
        for request in requests {
            let (asker, command_id) = (request.asker, request.command_id);
            if let (Err(error), Some(asker)) = (self.leave(request), asker) {
                self.desk.lock().parts.acknowledge(asker, command_id, error.code());
            }
        }
        let mut desk = self.desk.lock();
        desk.carry_out(self.take_waiting());
    }

    /// A command that is none: refused, and its consumer told.
    pub(crate) fn refuse(&self, consumer: ConsumerId, command_id: u64, code: ControlCode) {
        self.desk.lock().parts.acknowledge(consumer, command_id, code);
    }

    /// From now on every request is refused; one that is being carried out is finished first.
    pub(crate) fn stop(&self) {
        self.desk.lock().is_stopping = true;
    }

    fn leave(&self, request: Request) -> Result<Arc<Mutex<Option<Answer>>>, FlipError> {
        let mut queue = self.queue.lock();
        if queue.len() == QUEUE_MAX {
            return Err(FlipError::QueueFull);
        }
        let answer = Arc::default();
        queue.push_back(Waiting { request, answer: Arc::clone(&answer) });
        Ok(answer)
    }

    fn take_waiting(&self) -> Vec<Waiting> {
        self.queue.lock().drain(..).collect()
    }
}

impl Desk {
    /// Carries out what can be, in one flip, and answers everybody.
    fn carry_out(&mut self, waiting: Vec<Waiting>) {
        let mut next = self.wanted.clone();
        let mut accepted = Vec::with_capacity(waiting.len());
        for Waiting { request, answer } in waiting {
            let mut tried = next.clone();
            let outcome = match self.is_stopping {
                true => Err(FlipError::Stopped),
                false => self.parts.apply(&mut tried, &request.changes),
            };
            let code = outcome.as_ref().map_or_else(FlipError::code, |()| ControlCode::Ok);
            if let Some(asker) = request.asker {
                self.parts.acknowledge(asker, request.command_id, code);
            }
            match outcome {
                Ok(()) => {
                    next = tried;
                    accepted.push((request, answer));
                }
                Err(FlipError::NoChange) => {
                    self.parts.conclude(&request, ControlCode::Ok);
                    *answer.lock() = Some(Err(FlipError::NoChange));
                }
                Err(error) => *answer.lock() = Some(Err(error)),
            }
        }
        if accepted.is_empty() {
            return;
        }
        let outcome = self.flip(next, &accepted);
        for (request, answer) in accepted {
            if let Err(error) = &outcome {
                self.parts.conclude(&request, error.code());
            }
            *answer.lock() = Some(outcome.clone());
        }
    }

    /// Brings the routes from what is wanted now to `next`.
    fn flip(&mut self, next: Wanted, accepted: &[(Request, Arc<Mutex<Option<Answer>>>)]) -> Answer {
        let routes = next.in_force();
        if routes == self.in_force && next.rules.merges_like(&self.wanted.rules) {
            // One took back what another wanted, or what changed is paused.
            self.wanted = next;
            accepted.iter().for_each(|(asked, _)| self.parts.conclude(asked, ControlCode::Ok));
            return Err(FlipError::NoChange);
        }
        // Rules come before the routes that they feed, and go behind them.
        let both = self.wanted.rules.joined(&next.rules);
        let has_new_rules = !both.merges_like(&self.wanted.rules);
        if has_new_rules {
            self.parts.stage_rules(&both)?;
        }
        let flip = self.staged_flip(&routes, accepted);
        let grown: Vec<ConsumerId> = flip.cells.iter().map(|(consumer, _)| *consumer).collect();
        let started = Instant::now();
        let outcome = self.parts.stage(flip);
        if outcome.is_ok() {
            self.latencies.add(started.elapsed().as_nanos() as u64);
            self.flips += 1;
            for consumer in grown {
                self.groups[consumer.index()] = self.parts.book.cells(consumer).len();
            }
            self.in_force = routes;
            self.wanted = next;
        } else {
            self.flips_abandoned += 1;
        }
        if !both.merges_like(&self.wanted.rules) {
            // Rules without a route feed nothing. Should this fail, the next change tries again.
            let _tried = self.parts.stage_rules(&self.wanted.rules);
        }
        outcome
    }

    /// The flip to these routes, with cells for those that never were.
    fn staged_flip(
        &mut self,
        routes: &BTreeSet<RouteKey>,
        accepted: &[(Request, Arc<Mutex<Option<Answer>>>)],
    ) -> Box<Flip> {
        let book = &mut self.parts.book;
        for route in routes.difference(&self.in_force) {
            book.add(*route);
        }
        let changed = routes.symmetric_difference(&self.in_force);
        let affected: BTreeSet<ConsumerId> = changed.map(|route| route.consumer).collect();
        let grown =
            affected.iter().copied().filter(|id| book.cells(*id).len() > self.groups[id.index()]);
        let askers = accepted.iter().filter_map(|(r, _)| Some((r.asker?, r.command_id)));
        Box::new(Flip {
            table: book.table(routes),
            cells: grown.map(|id| (id, CellMemory::new(book.cells(id)))).collect(),
            affected: affected.into_iter().collect(),
            command_id: accepted.first().map_or(0, |(request, _)| request.command_id),
            askers: askers.collect(),
            outcome: FlipOutcome::default(),
        })
    }
}

impl Wanted {
    /// The routes that the table has to have for it.
    fn in_force(&self) -> BTreeSet<RouteKey> {
        let plain = self.routes.iter().filter(|key| !self.paused_venues.contains(&key.venue));
        let plain = plain.copied().chain(self.rules.routes());
        plain.filter(|key| !self.paused_consumers.contains(&key.consumer)).collect()
    }
}

impl RoutesParts {
    /// Applies changes to what is wanted: all of them or, with an error, none that counts.
    fn apply(&self, wanted: &mut Wanted, changes: &[RoutingChange]) -> Result<(), FlipError> {
        let (mut has_changed, mut takes_away_only) = (false, !changes.is_empty());
        for change in changes {
            let (has, takes_away) = self.apply_one(wanted, change)?;
            has_changed |= has;
            takes_away_only &= takes_away;
        }
        match (has_changed, takes_away_only) {
            (true, _) => Ok(()),
            (false, true) => Err(FlipError::NotSubscribed),
            (false, false) => Err(FlipError::NoChange),
        }
    }

    /// Whether it changed anything, and whether it was to take a subscription away.
    fn apply_one(
        &self,
        wanted: &mut Wanted,
        change: &RoutingChange,
    ) -> Result<(bool, bool), FlipError> {
        match *change {
            RoutingChange::Route(RouteChange { route, is_on }) => {
                self.check_route(&route)?;
                let routes = &mut wanted.routes;
                Ok((if is_on { routes.insert(route) } else { routes.remove(&route) }, !is_on))
            }
            RoutingChange::Merge { consumer, mut request, is_on } => {
                self.check_merge(consumer, &mut request)?;
                let rules = &mut wanted.rules;
                match is_on {
                    true => Ok((rules.add(consumer, request).ok_or(FlipError::NoRuleFree)?, false)),
                    false => Ok((rules.remove(consumer, &request), true)),
                }
            }
            RoutingChange::EndRule(rule) => Ok((wanted.rules.end(rule), true)),
            RoutingChange::PauseConsumer { consumer, is_paused } => {
                self.interest(consumer)?;
                let paused = &mut wanted.paused_consumers;
                Ok((
                    if is_paused { paused.insert(consumer) } else { paused.remove(&consumer) },
                    false,
                ))
            }
            RoutingChange::PauseVenue { venue, is_paused } => {
                self.check_venue(venue)?;
                let paused = &mut wanted.paused_venues;
                Ok((if is_paused { paused.insert(venue) } else { paused.remove(&venue) }, false))
            }
        }
    }

    fn interest(&self, consumer: ConsumerId) -> Result<Interest, FlipError> {
        let interest = self.interests.get(consumer.index()).copied();
        interest.ok_or(FlipError::UnknownConsumer(consumer))
    }

    fn check_venue(&self, venue: VenueId) -> Result<(), FlipError> {
        if venue.index() < self.venues { Ok(()) } else { Err(FlipError::UnknownVenue(venue)) }
    }

    fn check_instrument(&self, instrument: InstrumentId) -> Result<(), FlipError> {
        let is_known = instrument.index() < self.instruments;
        if is_known { Ok(()) } else { Err(FlipError::UnknownInstrument(instrument)) }
    }

    fn check_route(&self, route: &RouteKey) -> Result<(), FlipError> {
        let interest = self.interest(route.consumer)?;
        self.check_venue(route.venue)?;
        self.check_instrument(route.instrument)?;
        if !is_routed(route.kind) {
            return Err(FlipError::NotRouted(route.kind));
        }
        if route.kind == EventKind::Merged {
            // They are subscribed to by their merge.
            return Err(MergeProblem::Kind(route.kind).into());
        }
        if !interest.contains(route.kind) {
            return Err(FlipError::NotInterested { consumer: route.consumer, kind: route.kind });
        }
        Ok(())
    }

    /// Checks a merge, and leaves of [`VenueSet::ALL`](super::VenueSet::ALL) the venues that there are.
    fn check_merge(
        &self,
        consumer: ConsumerId,
        request: &mut MergeRequest,
    ) -> Result<(), FlipError> {
        let interest = self.interest(consumer)?;
        self.check_instrument(request.instrument)?;
        if !interest.contains(EventKind::Merged) {
            return Err(FlipError::NotInterested { consumer, kind: EventKind::Merged });
        }
        let known = u64::MAX >> (64 - self.venues.clamp(1, 64));
        if request.venues == super::VenueSet::ALL {
            request.venues.0 = known;
        }
        let unknown = request.venues.0 & !known;
        if unknown != 0 {
            return Err(FlipError::UnknownVenue(VenueId(unknown.trailing_zeros() as u16)));
        }
        Ok(request.rule(0).check()?)
    }

    /// Has the orchestrator take these rules.
    fn stage_rules(&self, rules: &RuleBook) -> Result<(), FlipError> {
        let rules: Vec<MergeRule> = rules.rules().collect();
        // Each was checked when it was asked for, and a book has one under a number.
        let table = MergeTable::new(&rules).map_err(|_problems| FlipError::NoRuleFree)?;
        let MergePort { staged, done, .. } = &*self.merge;
        self.hand_over(staged, done, Box::new(table)).map(drop)
    }

    /// Has the dispatcher take the table.
    fn stage(&self, flip: Box<Flip>) -> Answer {
        let done = self.hand_over(&self.port.staged, &self.port.done, flip)?;
        Ok(done.outcome)
    }

    /// Leaves something for a pinned thread, and waits until it was put to use and something comes back.
    fn hand_over<T>(
        &self,
        staged: &Exchange<T>,
        done: &Exchange<T>,
        mut value: Box<T>,
    ) -> Result<Box<T>, FlipError> {
        let started = Instant::now();
        // Of one that was given up after it had been taken.
        drop(done.take());
        while let Err(back) = staged.put(value) {
            if started.elapsed() > FLIP_DEADLINE {
                return Err(FlipError::Deadline(FLIP_DEADLINE));
            }
            value = back;
            std::thread::yield_now();
        }
        self.wakers.wake();
        loop {
            if let Some(done) = done.take() {
                return Ok(done);
            }
            // Withdrawn only while it still lies there: once taken, it is carried out.
            if started.elapsed() > FLIP_DEADLINE && staged.take().is_some() {
                return Err(FlipError::Deadline(FLIP_DEADLINE));
            }
            if started.elapsed() > 2 * FLIP_DEADLINE {
                return Err(FlipError::Stopped);
            }
            std::thread::yield_now();
        }
    }

    /// Tells a consumer whether its command was accepted.
    fn acknowledge(&mut self, consumer: ConsumerId, command_id: u64, code: ControlCode) {
        let (consumer, code) = (u32::from(consumer.0), u32::from(code.code()));
        self.tell(&ControlAck { command_id, consumer, code });
    }

    /// Tells the asker, if it is a consumer, what came of a request that the dispatcher has no word on.
    fn conclude(&mut self, request: &Request, code: ControlCode) {
        let Some(asker) = request.asker else { return };
        self.tell(&ControlResult {
            command_id: request.command_id,
            consumer: u32::from(asker.0),
            code: u32::from(code.code()),
            phase: COMMAND_DONE,
        });
    }

    /// Answers are critical: while the lane is full, this waits for the dispatcher, as long as for a flip.
    /// One that takes nothing for that long has failed, and everything with it.
    fn tell<P: EventPayload>(&mut self, payload: &P) {
        let mut event = Event::new(payload);
        event.receive_ns = self.clock.now_ns();
        event.stamp_decoded(event.receive_ns);
        let started = Instant::now();
        while self.notices.try_publish(&event).is_err() {
            if started.elapsed() > FLIP_DEADLINE || self.stop.phase() == Phase::Halted {
                log::error!("[routes] answer failed: the dispatcher takes none (code: deadline)");
                return;
            }
            self.wakers.wake();
            std::thread::yield_now();
        }
        self.wakers.wake();
    }
}

#[cfg(test)]
mod tests;
