//! The owner of the routes: builds tables off the hot path and has the dispatcher swap them (A-4,
//! FR-014).
//!
//! Who wants a change leaves it in a queue and then asks for the desk. Who gets the desk carries
//! out all that waits, in one flip; the others find their answer there when it is their turn (flat
//! combining: Hendler, Incze, Shavit, Tzafrir, SPAA 2010). So changes that come while a flip is
//! under way coalesce, a lone one has no thread to wait for, and nothing here is ever touched by a
//! pinned thread.

#![allow(
    clippy::disallowed_methods,
    reason = "answers operators in real time, and is no agent yet"
)]

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pitlane_ring::{CellMemory, Exchange, Publisher};

use super::flip_error::QUEUE_MAX;
use super::rules::{RuleBook, RuleView};
use super::wanted::{Catalogue, Wanted};
use super::{FlipError, RoutingChange};
use crate::dispatcher::{
    COMMAND_DONE, Flip, FlipOutcome, FlipPort, RouteBook, RouteKey, is_routed,
};
use crate::event::{
    ConsumerId, ControlAck, ControlCode, ControlResult, Event, EventKind, EventPayload, Interest,
    VenueId,
};
use crate::orchestrator::merge::{MergePort, MergeRule, MergeTable};
use crate::runtime::{Clock, CoreWakers, Phase, StopSignal};
use crate::venue::market::{StreamError, StreamPort};

/// A flip that the dispatcher has not taken by then is withdrawn.
const FLIP_DEADLINE: Duration = Duration::from_millis(500);

/// Pause between two looks whether a pinned thread has taken or answered something. A thread that
/// yields instead waits for whole slices of those that never rest.
const LOOK: Duration = Duration::from_micros(20);

/// Changes that are carried out together or not at all.
pub(crate) struct Request {
    /// Number that comes back in the notices.
    pub(crate) command_id: u64,
    /// The strategy that asked, and is told by `ControlAck` and `ControlResult`.
    pub(crate) asker: Option<ConsumerId>,
    pub(crate) changes: Vec<RoutingChange>,
}

/// What a flip did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flipped {
    pub(crate) outcome: FlipOutcome,
    /// With what came from others in the same flip.
    pub(crate) difference: RoutesDifference,
}

type Answer = Result<Flipped, FlipError>;

/// A request in the queue, with the place where its answer is left.
struct Waiting {
    request: Request,
    answer: Arc<Mutex<Option<Answer>>>,
}

/// The difference that changes would make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutesDifference {
    /// Routes that would go on.
    pub on: Vec<RouteKey>,
    /// Routes that would go off.
    pub off: Vec<RouteKey>,
}

impl RoutesDifference {
    fn between(before: &BTreeSet<RouteKey>, after: &BTreeSet<RouteKey>) -> RoutesDifference {
        RoutesDifference {
            on: after.difference(before).copied().collect(),
            off: before.difference(after).copied().collect(),
        }
    }
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
    pub(crate) catalogue: Catalogue,
    /// By venue, where its market sessions are asked for more streams; none for one that sends what
    /// it sends.
    pub(crate) streams: Vec<Vec<Arc<StreamPort>>>,
    pub(crate) port: Arc<FlipPort>,
    pub(crate) merge: Arc<MergePort>,
    pub(crate) notices: Publisher<Event>,
    pub(crate) version: Arc<AtomicU32>,
    pub(crate) wakers: CoreWakers,
    pub(crate) clock: Clock,
    pub(crate) stop: StopSignal,
}

/// The routes and who wants them. Any thread but a pinned one may ask it; it may block for a
/// second.
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
    /// By consumer, how many cell groups its link has; those that the book has beyond it come with
    /// the next flip.
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
        let consumers = 0..parts.catalogue.interests.len();
        let groups = consumers.map(|id| parts.book.cells(ConsumerId(id as u16)).len()).collect();
        let desk = Desk {
            parts,
            groups,
            in_force: routes.clone(),
            wanted: Wanted { routes, ..Wanted::default() },
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
        match desk.parts.catalogue.apply(&mut wanted, changes) {
            Ok(()) | Err(FlipError::NoChange) => {}
            Err(error) => return Err(error),
        }
        Ok(RoutesDifference::between(&desk.in_force, &wanted.in_force()))
    }

    /// The kinds that a consumer can be subscribed to by its routes.
    pub(crate) fn subscribable(&self, consumer: ConsumerId) -> Interest {
        let desk = self.desk.lock();
        let all = desk.parts.catalogue.interests.get(consumer.index()).copied();
        let is_plain = |kind: &EventKind| is_routed(*kind) && *kind != EventKind::Merged;
        all.unwrap_or(Interest::NONE).kinds().filter(is_plain).collect()
    }

    /// Has the changes carried out, together with whatever else waits. Blocks until the dispatcher
    /// has swapped the tables, or the deadline is over.
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
                // What one venue does not confirm is this request's failure, and nobody else's.
                false => (self.parts.catalogue.apply(&mut tried, &request.changes))
                    .and_then(|()| self.parts.ask_for_streams(&tried)),
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
        let difference = RoutesDifference::between(&self.in_force, &routes);
        let started = Instant::now();
        let outcome = self.parts.stage(flip).map(|outcome| Flipped { outcome, difference });
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

impl RoutesParts {
    /// Has every venue send what is wanted of it: a route to what it does not send would stay
    /// silent.
    fn ask_for_streams(&self, wanted: &Wanted) -> Result<(), FlipError> {
        let started = Instant::now();
        let ports = (0..).zip(&self.streams);
        let ports = ports.flat_map(|(venue, ports)| ports.iter().map(move |port| (venue, port)));
        for (venue, port) in ports {
            let left = FLIP_DEADLINE.saturating_sub(started.elapsed());
            let streams = wanted.streams_of(VenueId(venue));
            match port.ask(streams, left, || self.wakers.wake()) {
                Ok(()) => {}
                Err(StreamError::Deadline) => return Err(FlipError::Deadline(FLIP_DEADLINE)),
                Err(StreamError::Refused(code)) => {
                    let venue = self.catalogue.venues.get(usize::from(venue)).cloned();
                    return Err(FlipError::VenueRefused { venue: venue.unwrap_or_default(), code });
                }
            }
        }
        Ok(())
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
    fn stage(&self, flip: Box<Flip>) -> Result<FlipOutcome, FlipError> {
        let done = self.hand_over(&self.port.staged, &self.port.done, flip)?;
        Ok(done.outcome)
    }

    /// Leaves something for a pinned thread, and waits until it was put to use and something comes
    /// back.
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
            std::thread::sleep(LOOK);
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
            std::thread::sleep(LOOK);
        }
    }

    /// Tells a consumer whether its command was accepted.
    fn acknowledge(&mut self, consumer: ConsumerId, command_id: u64, code: ControlCode) {
        let (consumer, code) = (u32::from(consumer.0), u32::from(code.code()));
        self.tell(&ControlAck { command_id, consumer, code });
    }

    /// Tells the asker, if it is a consumer, what came of a request that the dispatcher has no word
    /// on.
    fn conclude(&mut self, request: &Request, code: ControlCode) {
        let Some(asker) = request.asker else { return };
        self.tell(&ControlResult {
            command_id: request.command_id,
            consumer: u32::from(asker.0),
            code: u32::from(code.code()),
            phase: COMMAND_DONE,
        });
    }

    /// Answers are critical: while the lane is full, this waits for the dispatcher, as long as for
    /// a flip. One that takes nothing for that long has failed, and everything with it.
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
            std::thread::sleep(LOOK);
        }
        self.wakers.wake();
    }
}

#[cfg(test)]
mod tests;
