//! The desk without an engine: the dispatcher and the orchestrator are played by the test, or stay
//! away.

use std::sync::atomic::AtomicBool;

use pitlane_ring::{Consumer, LaneOptions, lane};

use super::*;
use crate::consumer::{MergeRequest, VenueSet};
use crate::control::RouteChange;
use crate::event::InstrumentId;
use crate::instrument::Instruments;
use crate::orchestrator::merge::MergeProblem;

const QUOTES: Interest = Interest::NONE.and(EventKind::Quote).and(EventKind::Merged);

/// Two consumers and three venues, nothing subscribed.
struct Office {
    routes: Routes,
    port: Arc<FlipPort>,
    merge: Arc<MergePort>,
    notices: Consumer<Event>,
    version: Arc<AtomicU32>,
}

/// Consumer, command, code.
type Told = (u32, u64, u32);

/// What was carried out of one flip.
struct Carried {
    askers: Vec<(ConsumerId, u64)>,
    cells: Vec<ConsumerId>,
}

fn office() -> Office {
    let (notices, end) = lane(LaneOptions { name: "answers".to_owned(), capacity: 1_024 });
    let (port, merge) = (Arc::<FlipPort>::default(), Arc::<MergePort>::default());
    let version = Arc::new(AtomicU32::new(1));
    let (consumers, venues, instruments) = (2, 3, 1);
    let routes = Routes::new(RoutesParts {
        book: RouteBook::new(consumers, venues, Instruments::of_test(instruments)),
        routes: BTreeSet::new(),
        catalogue: Catalogue {
            interests: vec![QUOTES; consumers],
            venues: (0..venues).map(|venue| format!("venue_{venue}")).collect(),
            instruments,
        },
        streams: Vec::new(),
        port: Arc::clone(&port),
        merge: Arc::clone(&merge),
        notices,
        version: Arc::clone(&version),
        wakers: CoreWakers::default(),
        clock: Clock::start(),
        stop: StopSignal::default(),
    });
    Office { routes, port, merge, notices: end, version }
}

impl Office {
    /// Runs `requests` while a dispatcher and an orchestrator take what is staged.
    fn with_pinned_threads<R>(&self, requests: impl FnOnce(&Routes) -> R) -> (R, Vec<Carried>) {
        let is_over = AtomicBool::new(false);
        let (port, merge, version) = (&self.port, &self.merge, &self.version);
        std::thread::scope(|scope| {
            let pinned = scope.spawn(|| {
                let mut carried = Vec::new();
                while !is_over.load(Ordering::Acquire) {
                    if let Some(mut flip) = port.staged.take() {
                        flip.outcome.version = version.fetch_add(1, Ordering::AcqRel) + 1;
                        let cells = flip.cells.iter().map(|(consumer, _)| *consumer).collect();
                        carried.push(Carried { askers: flip.askers.clone(), cells });
                        put(&port.done, flip);
                    }
                    if let Some(table) = merge.staged.take() {
                        put(&merge.done, table);
                    }
                    std::thread::yield_now();
                }
                carried
            });
            let result = requests(&self.routes);
            is_over.store(true, Ordering::Release);
            (result, pinned.join().unwrap())
        })
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

fn put<T>(exchange: &Exchange<T>, mut value: Box<T>) {
    while let Err(back) = exchange.put(value) {
        value = back;
        std::thread::yield_now();
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

fn request(asker: Option<u16>, command_id: u64, changes: Vec<RoutingChange>) -> Request {
    Request { command_id, asker: asker.map(ConsumerId), changes }
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
    let ((), carried) = office.with_pinned_threads(|routes| routes.change_all(asked.into_iter()));
    assert_eq!(carried.len(), 1, "one flip for all of them");
    assert_eq!(carried[0].askers, [(ConsumerId(0), 1), (ConsumerId(1), 2)]);
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
    let failed = office.routes.change(request(Some(0), 1, vec![quote(0, 0, true)]));
    assert_eq!(failed, Err(FlipError::Deadline(FLIP_DEADLINE)));
    assert!(!office.port.staged.is_full(), "it was withdrawn");
    let view = office.routes.view();
    assert_eq!((view.version, view.routes.len(), view.flips_abandoned), (1, 0, 1));
    let deadline = u32::from(ControlCode::Deadline.code());
    assert_eq!(office.answers(), (vec![(0, 1, 0)], vec![(0, 1, deadline)]));
    let (again, carried) = office
        .with_pinned_threads(|routes| routes.change(request(Some(0), 2, vec![quote(0, 0, true)])));
    assert_eq!(again.unwrap().outcome.version, 2);
    assert_eq!(carried[0].cells, [ConsumerId(0)]);
    let (_, carried) = office.with_pinned_threads(|routes| {
        routes.change(request(None, 3, vec![quote(0, 0, false)])).unwrap();
        routes.change(request(None, 4, vec![quote(0, 0, true)])).unwrap();
    });
    assert!(carried.iter().all(|flip| flip.cells.is_empty()), "they are there by now");
}

#[test]
fn a_merge_is_for_the_venues_there_are_and_nothing_changes_without_an_orchestrator() {
    let office = office();
    let merge = |is_on| {
        vec![RoutingChange::Merge { consumer: ConsumerId(1), request: merge_of_all(), is_on }]
    };
    // No orchestrator: the rule is withdrawn, and no flip is tried.
    let failed = office.routes.change(request(None, 1, merge(true)));
    assert_eq!(failed, Err(FlipError::Deadline(FLIP_DEADLINE)));
    assert!(!office.merge.staged.is_full() && office.routes.view().rules.is_empty());
    let (done, _) =
        office.with_pinned_threads(|routes| routes.change(request(None, 2, merge(true))));
    assert!(done.is_ok());
    let view = office.routes.view();
    assert_eq!(view.rules[0].request.venues, VenueSet(0b111));
    assert_eq!((view.routes.len(), view.routes[0].kind), (1, EventKind::Merged));
    let (done, _) =
        office.with_pinned_threads(|routes| routes.change(request(None, 3, merge(false))));
    assert!(done.is_ok() && office.routes.view().rules.is_empty());
    let narrow = MergeRequest { events_max: 2, ..merge_of_all() };
    let narrow = RoutingChange::Merge { consumer: ConsumerId(1), request: narrow, is_on: true };
    let refused = office.routes.change(request(None, 4, vec![narrow]));
    assert_eq!(refused, Err(FlipError::BadMerge(MergeProblem::Events(2))));
}

#[test]
fn a_paused_venue_is_silent_and_its_routes_are_remembered() {
    let office = office();
    let pause = |is_paused| vec![RoutingChange::PauseVenue { venue: VenueId(0), is_paused }];
    office.with_pinned_threads(|routes| {
        let both = vec![quote(0, 0, true), quote(0, 1, true)];
        routes.change(request(None, 1, both)).unwrap();
        routes.change(request(None, 2, pause(true))).unwrap();
        assert_eq!(routes.view().routes.len(), 1);
        assert_eq!(routes.view().paused_venues, [VenueId(0)]);
        // Subscribed meanwhile: nothing to flip yet, and not forgotten.
        let more = routes.change(request(None, 3, vec![quote(1, 0, true)]));
        assert_eq!(more, Err(FlipError::NoChange));
        routes.change(request(None, 4, pause(false))).unwrap();
        assert_eq!(routes.view().routes.len(), 3);
    });
}

#[test]
fn changes_are_all_or_nothing_and_none_after_the_stop() {
    let office = office();
    let half = request(None, 1, vec![quote(0, 0, true), quote(7, 0, true)]);
    assert_eq!(office.routes.change(half), Err(FlipError::UnknownConsumer(ConsumerId(7))));
    assert!(office.routes.view().routes.is_empty());
    office.routes.stop();
    let late = request(None, 2, vec![quote(0, 0, true)]);
    assert_eq!(office.routes.change(late), Err(FlipError::Stopped));
}

#[test]
fn a_full_queue_refuses_and_tells_whoever_asked() {
    // EDGE-17: nobody is at the desk to take them.
    let mut office = office();
    let many = (0..=QUEUE_MAX as u64).map(|id| request(Some(0), id, vec![quote(0, 9, true)]));
    office.routes.change_all(many);
    let (acks, _) = office.answers();
    let of = |code: ControlCode| {
        acks.iter().filter(|(_, _, told)| *told == u32::from(code.code())).count()
    };
    assert_eq!((of(ControlCode::QueueFull), of(ControlCode::UnknownVenue)), (1, QUEUE_MAX));
}
