//! The routes and who wants them: what is asked for, and what stands.
//!
//! Any thread may ask. It leaves a request in the queue and gets a ticket; [`Flips`], which the
//! controller polls, carry out what waits. A reading never waits for a flip that is under way.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::audit::AuditTicket;
use super::flip_error::QUEUE_MAX;
use super::rules::RuleView;
use super::wanted::{Catalogue, Wanted};
use super::{FlipError, RoutingChange};
use crate::dispatcher::{FlipOutcome, RouteKey, is_routed};
use crate::event::{ConsumerId, Event, EventKind, Interest, VenueId};
use crate::orchestrator::merge::MergePort;
use crate::runtime::BesideWaker;

/// Between two checks of one who waits whether there is still somebody who answers.
const PATIENCE: Duration = Duration::from_millis(100);

/// Changes that are carried out together or not at all.
pub(crate) struct RoutesRequest {
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

pub(super) type Answer = Result<Flipped, FlipError>;

/// Where the answer to a request will be.
#[derive(Clone, Default)]
pub(crate) struct Ticket(Arc<Place>);

#[derive(Default)]
struct Place {
    answer: Mutex<Option<Answer>>,
    has_come: Condvar,
}

impl Ticket {
    /// The answer, once; `None` as long as it has not come.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.0.answer.lock().take()
    }

    fn wait(&self, patience: Duration) -> Option<Answer> {
        let mut answer = self.0.answer.lock();
        if answer.is_none() {
            self.0.has_come.wait_for(&mut answer, patience);
        }
        answer.take()
    }
}

/// A request in the queue, with the place where its answer is left.
pub(super) struct Waiting {
    pub(super) request: RoutesRequest,
    ticket: Ticket,
}

impl Waiting {
    pub(super) fn answer(self, answer: Answer) {
        *self.ticket.0.answer.lock() = Some(answer);
        self.ticket.0.has_come.notify_all();
    }
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
    pub(super) fn between(
        before: &BTreeSet<RouteKey>,
        after: &BTreeSet<RouteKey>,
    ) -> RoutesDifference {
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
    /// Flips remembered between two polls of housekeeping; at 1,000 a second it looks 200 times.
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

/// The side of the routes that every thread but a pinned one may ask.
pub(crate) struct Routes {
    queue: Mutex<VecDeque<Waiting>>,
    audits: Mutex<VecDeque<AuditTicket>>,
    /// Events for single consumers, which go the way of answers.
    deliveries: Mutex<VecDeque<Event>>,
    standing: Mutex<Standing>,
    catalogue: Catalogue,
    version: Arc<AtomicU32>,
    merge: Arc<MergePort>,
    latencies: Arc<FlipLatencies>,
    /// Whoever polls the flips, once it runs on a thread.
    poller: OnceLock<BesideWaker>,
    is_stopping: AtomicBool,
    /// Nobody polls any more.
    is_over: AtomicBool,
}

/// What stands.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) wanted: Wanted,
    /// The routes of the table that the dispatcher has.
    pub(super) in_force: BTreeSet<RouteKey>,
    /// The version of that table.
    pub(super) version: u32,
    /// What stands once the dispatcher has swapped to the table that it is handed now.
    pub(super) staged: Option<(Wanted, BTreeSet<RouteKey>)>,
    pub(super) flips: u64,
    pub(super) flips_abandoned: u64,
}

impl Standing {
    /// What is wanted and in force while the dispatcher has `version`. It tells whoever asked for a
    /// flip
    /// before the controller hears of it: nobody who was told may read the routes of before.
    fn at(&self, version: u32) -> (&Wanted, &BTreeSet<RouteKey>) {
        match &self.staged {
            Some((wanted, in_force)) if version != self.version => (wanted, in_force),
            _ => (&self.wanted, &self.in_force),
        }
    }
}

impl Routes {
    /// `routes` are in force from the start.
    pub(crate) fn new(
        routes: BTreeSet<RouteKey>,
        catalogue: Catalogue,
        merge: Arc<MergePort>,
        version: Arc<AtomicU32>,
    ) -> Arc<Routes> {
        let standing = Standing {
            in_force: routes.clone(),
            version: version.load(Ordering::Acquire),
            wanted: Wanted { routes, ..Wanted::default() },
            ..Standing::default()
        };
        Arc::new(Routes {
            queue: Mutex::default(),
            audits: Mutex::default(),
            deliveries: Mutex::default(),
            standing: Mutex::new(standing),
            catalogue,
            version,
            merge,
            latencies: Arc::default(),
            poller: OnceLock::new(),
            is_stopping: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        })
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
        let standing = self.standing.lock();
        let version = self.version.load(Ordering::Acquire);
        let (wanted, in_force) = standing.at(version);
        RoutesView {
            version,
            flips: standing.flips,
            flips_abandoned: standing.flips_abandoned,
            routes: in_force.iter().copied().collect(),
            rules: wanted.rules.views().collect(),
            paused_consumers: wanted.paused_consumers.iter().copied().collect(),
            paused_venues: wanted.paused_venues.iter().copied().collect(),
        }
    }

    /// What the changes would do, without doing it.
    pub(crate) fn preview(&self, changes: &[RoutingChange]) -> Result<RoutesDifference, FlipError> {
        let standing = self.standing.lock();
        let (wanted, in_force) = standing.at(self.version.load(Ordering::Acquire));
        let mut wanted = wanted.clone();
        match self.catalogue.apply(&mut wanted, changes) {
            Ok(()) | Err(FlipError::NoChange) => {}
            Err(error) => return Err(error),
        }
        Ok(RoutesDifference::between(in_force, &wanted.in_force()))
    }

    /// The kinds that a consumer can be subscribed to by its routes.
    pub(crate) fn subscribable(&self, consumer: ConsumerId) -> Interest {
        let all = self.catalogue.interests.get(consumer.index()).copied();
        let is_plain = |kind: &EventKind| is_routed(*kind) && *kind != EventKind::Merged;
        all.unwrap_or(Interest::NONE).kinds().filter(is_plain).collect()
    }

    /// Has the changes carried out, together with whatever else waits. The answer comes when the
    /// dispatcher has swapped the tables, or a deadline is over.
    pub(crate) fn ask(&self, request: RoutesRequest) -> Result<Ticket, FlipError> {
        let mut queue = self.queue.lock();
        if queue.len() == QUEUE_MAX {
            return Err(FlipError::QueueFull);
        }
        if self.is_over.load(Ordering::Acquire) {
            return Err(FlipError::Stopped);
        }
        let ticket = Ticket::default();
        queue.push_back(Waiting { request, ticket: ticket.clone() });
        drop(queue);
        self.wake();
        Ok(ticket)
    }

    /// Has all accounts compared at one cut. The answer comes within about a second.
    pub(super) fn ask_audit(&self) -> Result<AuditTicket, FlipError> {
        let mut audits = self.audits.lock();
        if audits.len() == QUEUE_MAX {
            return Err(FlipError::QueueFull);
        }
        if self.is_over.load(Ordering::Acquire) || self.is_stopping() {
            return Err(FlipError::Stopped);
        }
        let ticket = AuditTicket::default();
        audits.push_back(ticket.clone());
        drop(audits);
        self.wake();
        Ok(ticket)
    }

    /// Has a critical event told to the consumer that it names.
    pub(super) fn deliver(&self, event: Event) -> Result<(), FlipError> {
        let mut deliveries = self.deliveries.lock();
        if deliveries.len() == QUEUE_MAX {
            return Err(FlipError::QueueFull);
        }
        if self.is_over.load(Ordering::Acquire) || self.is_stopping() {
            return Err(FlipError::Stopped);
        }
        deliveries.push_back(event);
        drop(deliveries);
        self.wake();
        Ok(())
    }

    pub(super) fn take_deliveries(&self) -> VecDeque<Event> {
        std::mem::take(&mut self.deliveries.lock())
    }

    pub(super) fn take_audit(&self) -> Option<AuditTicket> {
        self.audits.lock().pop_front()
    }

    /// [`Routes::ask`], and waits for the answer. Not for a thread that others wait for.
    pub(crate) fn change(&self, request: RoutesRequest) -> Answer {
        let ticket = self.ask(request)?;
        loop {
            // Looked at before the wait: what ends meanwhile has answered before.
            let is_over = self.is_over.load(Ordering::Acquire);
            match ticket.wait(PATIENCE) {
                Some(answer) => return answer,
                None if is_over => return Err(FlipError::Stopped),
                None => {}
            }
        }
    }

    /// From now on every request is refused; one that is being carried out is finished first.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether [`Routes::stop`] was called.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Who polls the flips is woken by this when something is asked for.
    pub(crate) fn polled_by(&self, waker: BesideWaker) {
        let _ = self.poller.set(waker);
    }

    fn wake(&self) {
        self.poller.get().into_iter().for_each(BesideWaker::wake);
    }

    /// Nobody polls any more: whoever waits is answered.
    pub(super) fn end(&self) {
        let mut queue = self.queue.lock();
        self.is_over.store(true, Ordering::Release);
        queue.drain(..).for_each(|waiting| waiting.answer(Err(FlipError::Stopped)));
        let mut audits = self.audits.lock();
        audits.drain(..).for_each(|ticket| ticket.answer(Err(FlipError::Stopped)));
    }

    pub(super) fn take_waiting(&self) -> VecDeque<Waiting> {
        std::mem::take(&mut self.queue.lock())
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.queue.lock().is_empty()
            || !self.audits.lock().is_empty()
            || !self.deliveries.lock().is_empty()
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock()
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(super) fn flips_took(&self, ns: u64) {
        self.latencies.add(ns);
    }
}

#[cfg(test)]
mod tests;
