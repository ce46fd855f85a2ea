//! The desk without an engine: the dispatcher and the orchestrator are played by the test, or stay
//! away.

use pitlane_ring::{Consumer, LaneOptions, lane};

use super::*;
use crate::consumer::{MergeRequest, VenueSet};
use crate::control::hand_over::FLIP_DEADLINE;
use crate::control::{Flips, FlipsParts, RouteChange};
use crate::dispatcher::{FlipPort, RouteBook};
use crate::event::{ControlAck, ControlCode, ControlResult, Event, InstrumentId};
use crate::instrument::Instruments;
use crate::orchestrator::merge::MergeProblem;
use crate::runtime::{Clock, CoreWakers, ManualTime, StopSignal};

const QUOTES: Interest = Interest::NONE.and(EventKind::Quote).and(EventKind::Merged);

/// Two consumers and three venues, nothing subscribed; time stands still unless it is moved.
struct Office {
    routes: Arc<Routes>,
    flips: Flips,
    port: Arc<FlipPort>,
    notices: Consumer<Event>,
    version: Arc<AtomicU32>,
    time: ManualTime,
    clock: Clock,
    carried: Vec<Carried>,
    /// Whether a dispatcher and an orchestrator take what is staged.
    is_staffed: bool,
}

/// Consumer, command, code.
type Told = (u32, u64, u32);

/// What was carried out of one flip.
struct Carried {
    askers: Vec<(ConsumerId, u64)>,
    cells: Vec<ConsumerId>,
}

fn office() -> Office {
    office_with_answers(1_024)
}

fn office_with_answers(capacity: usize) -> Office {
    let (notices, end) = lane(LaneOptions { name: "answers".to_owned(), capacity });
    let port = Arc::<FlipPort>::default();
    let version = Arc::new(AtomicU32::new(1));
    let (consumers, venues, instruments) = (2, 3, 1);
    let (clock, time) = Clock::manual(0);
    let catalogue = Catalogue {
        interests: vec![QUOTES; consumers],
        venues: (0..venues).map(|venue| format!("venue_{venue}")).collect(),
        instruments,
    };
    let routes = Routes::new(BTreeSet::new(), catalogue, Arc::default(), Arc::clone(&version));
    let parts = FlipsParts {
        book: RouteBook::new(consumers, venues, Instruments::of_test(instruments)),
        streams: Vec::new(),
        port: Arc::clone(&port),
        wakers: CoreWakers::default(),
        clock: clock.clone(),
        stop: StopSignal::default(),
    };
    let flips = Flips::new(Arc::clone(&routes), parts, notices, Vec::new(), consumers);
    let (carried, is_staffed) = (Vec::new(), true);
    Office { routes, flips, port, notices: end, version, time, clock, carried, is_staffed }
}

impl Office {
    /// Has a change carried out, step by step.
    fn change(&mut self, request: RoutesRequest) -> Answer {
        let ticket = self.routes.ask(request).unwrap();
        loop {
            self.step();
            if let Some(answer) = ticket.take() {
                return answer;
            }
        }
    }

    fn time_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Until nothing is under way.
    fn finish(&mut self) {
        self.step();
        while !self.flips.is_idle() {
            self.step();
        }
    }

    /// One look of the controller, and one of the pinned threads. A look without work takes a
    /// millisecond.
    fn step(&mut self) {
        if self.flips.poll() == 0 {
            self.time.advance_ns(1_000_000);
        }
        if !self.is_staffed {
            return;
        }
        if let Some(mut flip) = self.port.staged.take() {
            flip.outcome.version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
            let cells = flip.cells.iter().map(|(consumer, _)| *consumer).collect();
            self.carried.push(Carried { askers: flip.askers.clone(), cells });
            assert!(self.port.done.put(flip).is_ok());
        }
        let merge = self.routes.merge_port();
        if let Some(table) = merge.staged.take() {
            assert!(merge.done.put(table).is_ok());
        }
    }

    /// Acknowledgements, and results that the dispatcher has no word on.
    fn answers(&mut self) -> (Vec<Told>, Vec<Told>) {
        let (mut acks, mut results) = (Vec::new(), Vec::new());
        self.notices.poll(usize::MAX, |event| {
            if let Some(ack) = event.get::<ControlAck>() {
                acks.push((ack.consumer, ack.command_id, ack.code));
            }
            if let Some(result) = event.get::<ControlResult>() {
                results.push((result.consumer, result.command_id, result.code));
            }
        });
        (acks, results)
    }
}

fn quote(consumer: u16, venue: u16, is_on: bool) -> RoutingChange {
    let route = RouteKey {
        venue: VenueId(venue),
        instrument: InstrumentId(0),
        kind: EventKind::Quote,
        consumer: ConsumerId(consumer),
    };
    RoutingChange::Route(RouteChange { route, is_on })
}

fn request(asker: Option<u16>, command_id: u64, changes: Vec<RoutingChange>) -> RoutesRequest {
    RoutesRequest { command_id, asker: asker.map(ConsumerId), changes }
}

fn merge_of_all() -> MergeRequest {
    MergeRequest {
        instrument: InstrumentId(0),
        kind: EventKind::Quote,
        venues: VenueSet::ALL,
        window_ns: 1_000,
        events_max: 3,
    }
}

#[test]
fn what_comes_together_shares_a_flip_and_each_asker_is_answered() {
    let mut office = office();
    let asked = vec![
        request(Some(0), 1, vec![quote(0, 0, true)]),
        request(Some(1), 1, vec![quote(1, 9, true)]),
        request(Some(1), 2, vec![quote(1, 1, true)]),
        request(Some(1), 3, vec![quote(1, 1, true)]),
    ];
    asked.into_iter().for_each(|request| drop(office.routes.ask(request).unwrap()));
    office.finish();
    assert_eq!(office.carried.len(), 1, "one flip for all of them");
    assert_eq!(office.carried[0].askers, [(ConsumerId(0), 1), (ConsumerId(1), 2)]);
    assert_eq!(office.routes.view().routes.len(), 2);
    let unknown = u32::from(ControlCode::UnknownVenue.code());
    let (acks, results) = office.answers();
    assert_eq!(acks, [(0, 1, 0), (1, 1, unknown), (1, 2, 0), (1, 3, 0)]);
    assert_eq!(results, [(1, 3, 0)], "the dispatcher tells of what it carried out");
}

#[test]
fn a_flip_that_nobody_takes_leaves_everything_as_it_was_and_the_next_one_makes_up_for_it() {
    // withdrawn after 500 ms; nobody is deaf, and the cells that were to come still come.
    let mut office = office();
    office.is_staffed = false;
    let failed = office.change(request(Some(0), 1, vec![quote(0, 0, true)]));
    assert_eq!(failed, Err(FlipError::Deadline(FLIP_DEADLINE)));
    office.finish();
    assert!(!office.port.staged.is_full(), "it was withdrawn");
    let view = office.routes.view();
    assert_eq!((view.version, view.routes.len(), view.flips_abandoned), (1, 0, 1));
    let deadline = u32::from(ControlCode::Deadline.code());
    assert_eq!(office.answers(), (vec![(0, 1, 0)], vec![(0, 1, deadline)]));
    office.is_staffed = true;
    let again = office.change(request(Some(0), 2, vec![quote(0, 0, true)]));
    assert_eq!(again.unwrap().outcome.version, 2);
    assert_eq!(office.carried[0].cells, [ConsumerId(0)]);
    office.change(request(None, 3, vec![quote(0, 0, false)])).unwrap();
    office.change(request(None, 4, vec![quote(0, 0, true)])).unwrap();
    assert!(office.carried[1..].iter().all(|flip| flip.cells.is_empty()), "they are there by now");
}

#[test]
fn a_merge_is_for_the_venues_there_are_and_nothing_changes_without_an_orchestrator() {
    let mut office = office();
    let merge = |is_on| {
        vec![RoutingChange::Merge { consumer: ConsumerId(1), request: merge_of_all(), is_on }]
    };
    // No orchestrator: the rule is withdrawn, and no flip is tried.
    office.is_staffed = false;
    let failed = office.change(request(None, 1, merge(true)));
    assert_eq!(failed, Err(FlipError::Deadline(FLIP_DEADLINE)));
    assert!(!office.routes.merge.staged.is_full() && office.routes.view().rules.is_empty());
    office.is_staffed = true;
    let done = office.change(request(None, 2, merge(true)));
    assert!(done.is_ok());
    let view = office.routes.view();
    assert_eq!(view.rules[0].request.venues, VenueSet(0b111));
    assert_eq!((view.routes.len(), view.routes[0].kind), (1, EventKind::Merged));
    let done = office.change(request(None, 3, merge(false)));
    assert!(done.is_ok() && office.routes.view().rules.is_empty());
    let narrow = MergeRequest { events_max: 2, ..merge_of_all() };
    let narrow = RoutingChange::Merge { consumer: ConsumerId(1), request: narrow, is_on: true };
    let refused = office.change(request(None, 4, vec![narrow]));
    assert_eq!(refused, Err(FlipError::BadMerge(MergeProblem::Events(2))));
}

#[test]
fn a_paused_venue_is_silent_and_its_routes_are_remembered() {
    let mut office = office();
    let pause = |is_paused| vec![RoutingChange::PauseVenue { venue: VenueId(0), is_paused }];
    let both = vec![quote(0, 0, true), quote(0, 1, true)];
    office.change(request(None, 1, both)).unwrap();
    office.change(request(None, 2, pause(true))).unwrap();
    assert_eq!(office.routes.view().routes.len(), 1);
    assert_eq!(office.routes.view().paused_venues, [VenueId(0)]);
    // Subscribed meanwhile: nothing to flip yet, not forgotten, and its asker is told once.
    let more = office.change(request(Some(1), 3, vec![quote(1, 0, true)]));
    assert_eq!(more, Err(FlipError::NoChange));
    assert_eq!(office.answers(), (vec![(1, 3, 0)], vec![(1, 3, 0)]));
    office.change(request(None, 4, pause(false))).unwrap();
    assert_eq!(office.routes.view().routes.len(), 3);
}

#[test]
fn changes_are_all_or_nothing_and_none_after_the_stop() {
    let mut office = office();
    let half = request(None, 1, vec![quote(0, 0, true), quote(7, 0, true)]);
    assert_eq!(office.change(half), Err(FlipError::UnknownConsumer(ConsumerId(7))));
    assert!(office.routes.view().routes.is_empty());
    office.routes.stop();
    let late = request(None, 2, vec![quote(0, 0, true)]);
    assert_eq!(office.change(late), Err(FlipError::Stopped));
}

#[test]
fn a_full_queue_refuses_and_whoever_waits_when_nobody_is_left_is_told() {
    // EDGE-17: nobody is there to take them.
    let Office { routes, flips, .. } = office();
    let ask = |id| routes.ask(request(Some(0), id, vec![quote(0, 9, true)]));
    let tickets: Vec<_> = (0..QUEUE_MAX as u64).map(|id| ask(id).unwrap()).collect();
    assert_eq!(ask(0).err(), Some(FlipError::QueueFull));
    drop(flips);
    assert!(tickets.iter().all(|ticket| ticket.take() == Some(Err(FlipError::Stopped))));
    let late = routes.change(request(None, 1, vec![quote(0, 0, true)]));
    assert_eq!(late, Err(FlipError::Stopped));
}

#[test]
fn answers_wait_for_room_and_the_flip_waits_for_them() {
    let mut office = office_with_answers(2);
    let ask = |office: &Office, id| {
        drop(office.routes.ask(request(Some(0), id, vec![quote(0, 0, true)])).unwrap());
    };
    (1..=3).for_each(|id| ask(&office, id));
    for _ in 0..20 {
        office.step();
    }
    assert!(office.carried.is_empty(), "two acknowledgements fill the lane, the third waits");
    assert_eq!(office.answers().0, [(0, 1, 0), (0, 2, 0)]);
    office.finish();
    assert_eq!(office.carried.len(), 1);
    // One that takes nothing for half a second has failed; the flips go on.
    (4..=7).for_each(|id| ask(&office, id));
    office.finish();
    assert!(office.flips.is_idle() && office.time_ns() > 500_000_000);
}

#[test]
fn whoever_was_told_of_a_flip_reads_its_routes_before_the_controller_hears_of_it() {
    let mut office = office();
    office.is_staffed = false;
    drop(office.routes.ask(request(None, 1, vec![quote(0, 0, true)])).unwrap());
    while !office.port.staged.is_full() {
        office.step();
    }
    assert!(office.routes.view().routes.is_empty(), "it is only staged");
    // What the dispatcher does in one step: swap, store the version, tell.
    office.version.store(2, Ordering::Release);
    let view = office.routes.view();
    assert_eq!((view.version, view.routes.len()), (2, 1));
}
