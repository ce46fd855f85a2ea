//! A market agent under test.

use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_engine::event::{Book, BookStatus, EventKind, VenueId};
use pitlane_engine::runtime::{
    Beside, BesideThread, Clock, Closing, CoreWakers, Phase, StopSignal,
};
use pitlane_engine::venue::governor::Governor;
use pitlane_engine::venue::market::{
    Connection, MarketAgent, MarketFeedOptions, MarketOptions, MarketWiring, RefreshPace,
    SilenceLimits, SnapshotAgent, SnapshotClient, SnapshotOptions, routed_url,
};
use pitlane_engine::venue::protocol::MarketProtocol;
use pitlane_engine::venue::simulated::{
    FaultName, FaultPlan, LimitRules, SimulatedVenue, SimulatedVenueOptions, SimulatedVenueReport,
};
use pitlane_engine::venue::transport::{
    Endpoint, RestOptions, Scheme, SessionLimits, SessionOptions,
};
use pitlane_engine::venue::{
    InstrumentBoard, IntakeStats, SessionState, VenueCounters, VenueSwitch,
};
use pitlane_engine::world::Net;

use crate::harness::{
    BTC, Core, Outlet, PACE, Patience, Seen, fast_clock, limits, symbols, unhurried,
};
use crate::subject::Market;

/// What a [`Feed`] is made with.
#[derive(Clone)]
pub struct FeedOptions {
    pub name: String,
    pub limits: SessionLimits,
    pub silence: SilenceLimits,
    pub has_books: bool,
    pub subscribe_ms: u64,
    pub refresh: RefreshPace,
    /// Path of the streams, without a route.
    pub path: &'static str,
    /// The connection is to carry this kind, and not its books.
    pub carries: Option<EventKind>,
}

impl Default for FeedOptions {
    fn default() -> FeedOptions {
        FeedOptions {
            name: "test".to_owned(),
            limits: limits(),
            silence: SilenceLimits::default(),
            has_books: true,
            subscribe_ms: 3_000,
            refresh: RefreshPace::default(),
            path: "/stream",
            carries: None,
        }
    }
}

/// A market agent and everything around it.
pub struct Feed<P: MarketProtocol> {
    pub agent: MarketAgent<P, Outlet>,
    pub outlet: Outlet,
    pub clock: Clock,
    pub stop: StopSignal,
    pub switch: VenueSwitch,
    stats: Arc<CachePadded<IntakeStats>>,
    core: Core,
    snapshots: Option<BesideThread>,
}

impl<P: MarketProtocol> Feed<P> {
    /// An agent that will connect to `stream`, and fetches snapshots from `rest`.
    pub fn new(stream: SocketAddr, rest: SocketAddr, options: &FeedOptions) -> Feed<P> {
        Feed::at(stream, rest, options, Clock::start())
    }

    /// [`Feed::new`], by a clock of choice.
    pub fn at(
        stream: SocketAddr,
        rest: SocketAddr,
        options: &FeedOptions,
        clock: Clock,
    ) -> Feed<P> {
        let stop = StopSignal::default();
        let stats = IntakeStats::new();
        let switch = VenueSwitch::default();
        let outlet = Outlet::default();
        let over_rest = options.has_books && P::SNAPSHOT.rest().is_some();
        let (snapshots, thread) =
            over_rest.then(|| snapshots::<P>(rest, options, &clock, &stop)).unzip();
        let mut feed = MarketFeedOptions::new(VenueId(0), symbols());
        feed.silence = options.silence;
        feed.refresh_pace = options.refresh;
        feed.frame_bytes_max = options.limits.frame_bytes_max;
        let spread = Connection::spread::<P>;
        let path = options.path;
        let connections = spread(&symbols(), options.has_books, None, 1_024, path).into_iter();
        let route = options
            .carries
            .map(|kind| P::route(&P::topic("BTCUSDT", kind).expect("the protocol has it")));
        // With books the one that brings them, else the first.
        let mut connections = connections.filter(|one| match route {
            Some(route) => one.route == route,
            None => one.has_books == options.has_books,
        });
        let connection = connections.next().expect("a connection");
        let url = routed_url(&format!("ws://{stream}{path}"), P::ROUTES[connection.route]);
        let session = SessionOptions {
            endpoint: endpoint(&url, Scheme::Ws),
            headers: P::KEY_HEADER.map_or_else(String::new, |header| {
                format!("{header}: {}\r\n", SimulatedVenueOptions::default().api_key)
            }),
            limits: options.limits,
            governor: Governor::default(),
            net: Net::real(),
            token: 0,
            seed: 7,
        };
        let market = MarketOptions {
            venue: options.name.clone(),
            role: "market".into(),
            session,
            feed,
            connection,
            subscribe_ns: options.subscribe_ms * 1_000_000,
            hand_over_ns: None,
            session_number: 1,
        };
        let wiring = MarketWiring {
            tap: None,
            outlet: outlet.clone(),
            snapshots,
            orders_ready: None,
            stats: Arc::clone(&stats),
            clock: clock.clone(),
            stop: stop.clone(),
            switch: switch.clone(),
            closing: Closing::default(),
        };
        let mut agent = MarketAgent::new(market, |_| true, wiring);
        let core = Core::new(&mut agent);
        Feed { agent, outlet, clock, stop, switch, stats, core, snapshots: thread }
    }

    /// One duty cycle.
    pub fn turn(&mut self) {
        self.core.turn(&mut self.agent, &self.clock);
    }

    /// Runs duty cycles until `until` holds.
    pub fn drive(&mut self, what: &str, until: impl Fn(&Seen, &VenueCounters) -> bool) {
        let patience = Patience::new();
        loop {
            self.turn();
            let counters = self.counters();
            let seen = self.outlet.seen();
            if until(&seen, &counters) {
                return;
            }
            assert!(
                !patience.is_over(),
                "{what} did not come: {counters:?}, {} events, letters {:?}",
                seen.events.len(),
                seen.letters
            );
        }
    }

    /// Runs until the book is live and `events` more events have come.
    pub fn drive_to_live_book(&mut self, events: usize) {
        let start = self.outlet.seen().events.len();
        self.drive("a live book", |seen, _| {
            seen.states().last() == Some(&BookStatus::Live) && seen.events.len() >= start + events
        });
    }

    pub fn counters(&self) -> VenueCounters {
        self.stats.read()
    }

    pub fn state(&self) -> SessionState {
        self.stats.state()
    }

    pub fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.outlet.seen()
    }

    /// What holds of every run, whatever went wrong in it.
    pub fn assert_sound(&self) {
        let counters = self.counters();
        assert!(counters.identity_holds(), "{counters:?}");
        let seen = self.seen();
        assert_eq!(counters.events, seen.events.len() as u64);
        assert!(counters.refused <= seen.letters.len() as u64, "every refused frame is a letter");
        seen.assert_no_book_while_distrusted();
    }

    /// The book's last update and its digest, when it is live.
    pub fn book(&self) -> Option<(u64, String)> {
        let seen = self.seen();
        let last = seen.events.iter().rev().find(|event| event.get::<Book>().is_some())?;
        let summaries = self.agent.book_summaries();
        let (_, summary) = summaries.into_iter().find(|(id, _)| *id == BTC)?;
        (summary.status == BookStatus::Live.name()).then_some((last.sequence, summary.sha256))
    }
}

impl<P: MarketProtocol> Drop for Feed<P> {
    fn drop(&mut self) {
        self.stop.raise(Phase::Halted);
        if let Some(thread) = self.snapshots.take() {
            thread.ask_to_stop();
            if let Err(error) = thread.join()
                && !std::thread::panicking()
            {
                panic!("{error}");
            }
        }
    }
}

fn endpoint(url: &str, scheme: Scheme) -> Endpoint {
    Endpoint::parse(url, scheme, &Net::real(), None).expect("a good URL")
}

/// What asks for snapshots, and the thread that fetches them.
fn snapshots<P: MarketProtocol>(
    rest: SocketAddr,
    options: &FeedOptions,
    clock: &Clock,
    stop: &StopSignal,
) -> (SnapshotClient, BesideThread) {
    let beside = Beside::new().expect("a poller");
    let name = format!("rest-{}", options.name);
    let options = SnapshotOptions {
        tap: None,
        venue: options.name.clone(),
        name: name.clone(),
        rest: RestOptions {
            endpoint: endpoint(&format!("http://{rest}"), Scheme::Http),
            net: Net::real(),
            token: 0,
            timeout_ns: 5_000_000_000,
            body_bytes_max: 8 << 20,
        },
        symbols: symbols(),
        governor: Governor::default(),
        stream_path: String::new(),
        learns_limits: false,
        watched: (Vec::new(), 0),
        board: InstrumentBoard::default(),
        venue_clock: None,
        clock: clock.clone(),
        wakers: CoreWakers::default(),
        waker: beside.waker(),
        switch: VenueSwitch::default(),
        stop: stop.clone(),
    };
    let (agent, client) = SnapshotAgent::<P>::new(options);
    let thread = beside.start(&name, Box::new(agent), clock.clone()).expect("a thread");
    (client, thread)
}

/// A feed on the simulated venue.
pub struct Live<V: Market> {
    pub feed: Feed<V::Protocol>,
    pub venue: SimulatedVenue,
}

impl<V: Market> Live<V> {
    pub fn start(plan: FaultPlan, events_per_s: u32, options: &FeedOptions) -> Live<V> {
        let options_of_venue = SimulatedVenueOptions {
            events_per_s,
            // The feeds of these tests ping every few milliseconds, where seconds are the rule.
            limits: LimitRules { messages_per_s: 10_000, ..LimitRules::default() },
            fault_plan: plan,
            ..SimulatedVenueOptions::default()
        };
        let venue = SimulatedVenue::start_at(V::dialect(), options_of_venue, fast_clock());
        let venue = venue.expect("the venue starts");
        let options = FeedOptions {
            limits: unhurried(options.limits),
            subscribe_ms: options.subscribe_ms * u64::from(PACE),
            ..options.clone()
        };
        let feed = Feed::at(venue.address(), venue.address(), &options, fast_clock());
        Live { feed, venue }
    }

    pub fn report(&self) -> SimulatedVenueReport {
        self.venue.counters().report()
    }

    /// Runs until the venue has injected `name` `times` times.
    pub fn drive_to_fault(&mut self, name: FaultName, times: u64) {
        let counters = Arc::clone(self.venue.counters());
        self.feed.drive("the fault", |_, _| counters.report().faults(name) >= times);
    }
}
