//! Venues: from the configuration to the sessions of each, with what they need beside the pinned
//! cores.
//!
//! The embedded venue is a venue like any other: its server starts first, and then it is connected
//! to by its address, through the same adapter.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pitlane_ring::{Consumer, Publisher};

use super::assemble::Assembly;
use super::options::{EmbeddedVenue, LaunchError, LaunchOptions};
use super::pause_book::{PausedAt, account_of};
use crate::config::{Config, VenueConfig};
use crate::event::{Event, EventKind, InstrumentId, Price, VenueId, parse_scaled};
use crate::instrument::Instruments;
use crate::order::OrderCommand;
use crate::pipeline::SessionCounters;
use crate::runtime::{Agent, AgentRole, Beside};
use crate::venue::governor::{Counted, Governor, Limit};
use crate::venue::market::{
    MarketFeedOptions, MarketOptions, MarketWiring, SilenceLimits, SnapshotClient, SnapshotOptions,
    SnapshotPace, Stream, routed_url,
};
use crate::venue::orders::{OrderOptions, OrderWiring};
use crate::venue::protocol::{KeyError, Keys, VenueLimits};
use crate::venue::registry::{KeyedOrders, OrderKind, VenueKind};
use crate::venue::simulated::{
    Enforcement, LimitRules, SimulatedSymbol, SimulatedVenue, SimulatedVenueOptions,
};
use crate::venue::transport::{
    Endpoint, EndpointError, RestOptions, Scheme, SessionLimits, SessionOptions,
};
use crate::venue::{
    IntakeStats, LaneOutlet, SymbolMap, SyntheticLoad, SyntheticOptions, SyntheticVenue,
    SyntheticWiring, VenueClock, VenueSwitch,
};
use crate::world::{Files, Spawn, World};

/// What the embedded venue calls the one API key it knows.
const EMBEDDED_API_KEY: &str = "pitlane";
/// Levels of a buffered diff for which there is memory: recorded ones have 20 on both sides, on
/// average.
const LEVELS_PER_DIFF: usize = 32;
/// Bytes of a snapshot, at most.
const SNAPSHOT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where a venue is, and how to log on there.
struct VenueSetup {
    name: String,
    kind: &'static VenueKind,
    /// Of all its sessions.
    governor: Governor,
    /// By what its pauses are known over runs; `None` for an embedded venue.
    paused_at: Option<PausedAt>,
    clock: VenueClock,
    /// By the number of the route.
    streams_at: Vec<Endpoint>,
    rest: Option<Endpoint>,
    /// Only with `rest`.
    has_books: bool,
    /// `None` without orders.
    api: Option<(Endpoint, KeyedOrders)>,
    book_levels_max: usize,
    buffered_diffs_max: usize,
    /// `None`: those that consumers want.
    streams: Option<Vec<String>>,
    streams_per_connection_max: usize,
}

/// Both ends that the pipeline gets of a venue.
pub(super) struct VenueEnds {
    /// Links to the orchestrator.
    pub(super) links: Vec<Consumer<Event>>,
    /// Where its orders go; `None` for a venue that takes none.
    pub(super) commands: Option<Publisher<OrderCommand>>,
}

impl Assembly<'_> {
    /// Makes the sessions of every venue.
    pub(super) fn venues(
        &mut self,
        options: &LaunchOptions,
        sessions_open: &Arc<AtomicUsize>,
    ) -> Result<Vec<VenueEnds>, LaunchError> {
        let mut ends = Vec::new();
        for (number, venue) in self.config.venues.iter().enumerate() {
            let mut setup = configured(self.config, number, venue, &self.world)?;
            if let (Some(at), Some(pauses)) = (setup.paused_at.take(), &mut self.pauses) {
                if let Some(governor) = pauses.governor_of(&at) {
                    setup.governor = governor;
                }
                pauses.add(at, &setup.governor);
            }
            ends.push(self.sessions(number, setup, sessions_open)?);
        }
        for (place, name) in self.config.simulated_names().enumerate() {
            let number = self.config.venues.len() + place;
            ends.push(match options.embedded {
                EmbeddedVenue::Synthetic => {
                    self.synthetic_venue(number, &name, options.load, sessions_open)
                }
                EmbeddedVenue::Server => {
                    let setup = self.embedded_server(place, name)?;
                    self.sessions(number, setup, sessions_open)?
                }
            });
        }
        Ok(ends)
    }

    /// Starts an embedded venue's server; the one at `place` 0 is the one that the configuration
    /// describes.
    fn embedded_server(&mut self, place: usize, name: String) -> Result<VenueSetup, LaunchError> {
        let kind = VenueKind::usual();
        let orders = kind.orders.map(|orders| {
            let mut random = self.world.entropy.random(&format!("key of {name}"));
            (orders.with_drawn_key)(EMBEDDED_API_KEY, &mut random)
        });
        let orders = orders.transpose()?;
        let simulated = &self.config.simulated;
        let mut bind = simulated.bind;
        if place > 0 {
            bind.set_port(0);
        }
        let options = SimulatedVenueOptions {
            bind,
            seed: simulated.seed + place as u64,
            symbols: simulated_symbols(
                self.config,
                &name,
                place as u64,
                &self.builder.readings.instruments,
            ),
            events_per_s: simulated.events_per_s,
            api_key: EMBEDDED_API_KEY.to_owned(),
            verifying_key: orders
                .as_ref()
                .map(|keyed| keyed.verifying_key.clone())
                .unwrap_or_default(),
            limits: LimitRules { enforcement: Enforcement::CountOnly, ..LimitRules::default() },
            ..SimulatedVenueOptions::default()
        };
        // It counts orders and refuses none: checks and benches send thousands.
        let counted = kind.limits.counted.iter().copied();
        let of_embedded: Vec<Limit> =
            counted.filter(|limit| limit.counts != Counted::Orders).collect();
        let address = match self.world.spawn {
            Spawn::Threads => {
                let server = SimulatedVenue::start_as(kind.dialect, options)?;
                let address = server.address();
                self.threads.embedded.push(server);
                address
            }
            Spawn::OneThread => {
                let (server, agent) = SimulatedVenue::in_world(kind.dialect, options, &self.world)?;
                let address = server.address();
                self.threads.embedded.push(server);
                self.peers.push(agent);
                address
            }
        };
        let endpoint = |scheme, url: String| Endpoint::parse(&url, scheme, &self.world.net);
        let setup = || -> Result<VenueSetup, EndpointError> {
            let at = |path: &str| format!("ws://{address}{path}");
            let streams = at(kind.dialect.stream_path);
            let stream_at = |route: &&str| endpoint(Scheme::Ws, routed_url(&streams, route));
            let api = match kind.dialect.api_path.zip(orders) {
                Some((path, keyed)) => Some((endpoint(Scheme::Ws, at(path))?, keyed)),
                None => None,
            };
            Ok(VenueSetup {
                clock: VenueClock::new(&name, self.builder.clock.clone()),
                has_books: true,
                kind,
                governor: Governor::named(&name, &of_embedded, self.config.consumers.len()),
                paused_at: None,
                name,
                streams_at: kind.routes.iter().map(stream_at).collect::<Result<_, _>>()?,
                rest: Some(endpoint(Scheme::Http, format!("http://{address}"))?),
                api,
                book_levels_max: VenueConfig::default().book_levels_max,
                buffered_diffs_max: VenueConfig::default().buffered_diffs_max,
                streams: None,
                streams_per_connection_max: VenueConfig::default().streams_per_connection_max,
            })
        };
        Ok(setup()?)
    }

    /// The market session of a venue, and its order session if it takes orders.
    fn sessions(
        &mut self,
        number: usize,
        mut setup: VenueSetup,
        sessions_open: &Arc<AtomicUsize>,
    ) -> Result<VenueEnds, LaunchError> {
        let api = setup.api.take();
        let name = &setup.name;
        let symbols = symbol_map(self.config, name, &self.builder.readings.instruments)?;
        let switch = VenueSwitch::new(self.config.starts(number));
        self.builder.readings.switches.push(Some(switch.clone()));
        let ready = Arc::new(AtomicBool::new(false));
        let mut links = Vec::new();
        let commands = match api {
            None => None,
            Some((endpoint, keyed)) => {
                let session = self.session_options(2 * number + 1, endpoint, &setup.governor);
                let options = OrderOptions {
                    venue: name.clone(),
                    venue_id: VenueId(number as u16),
                    session,
                    symbols: symbols.clone(),
                    instruments: Arc::clone(&self.builder.readings.instruments),
                    answer_ns: self.config.session.subscribe_ms * 1_000_000,
                    open_max: self.config.consumers.len()
                        * self.config.risk.max_open_orders as usize,
                    cancel_on_stop: self.config.risk.cancel_on_stop,
                    session_number: 2 * number as u16 + 1,
                    venue_clock: setup.clock.clone(),
                    run: self.world.entropy.run_number(),
                };
                let ends = OrderEnds { ready: Arc::clone(&ready), switch: switch.clone() };
                let (link, commands) =
                    self.order_session(number, keyed, options, ends, sessions_open);
                links.push(link);
                Some(commands)
            }
        };
        let ends = MarketEnds { orders_ready: commands.is_some().then_some(ready), switch };
        self.market_sessions(number, &setup, symbols, &ends, &mut links)?;
        Ok(VenueEnds { links, commands })
    }

    /// The market sessions of a venue: one a connection.
    fn market_sessions(
        &mut self,
        number: usize,
        setup: &VenueSetup,
        symbols: SymbolMap,
        ends: &MarketEnds,
        links: &mut Vec<Consumer<Event>>,
    ) -> Result<(), LaunchError> {
        let VenueSetup { kind, streams, streams_per_connection_max, .. } = setup;
        let connections = (kind.spread)(
            &symbols,
            setup.has_books,
            streams.as_deref(),
            *streams_per_connection_max,
        );
        let with_books = connections.iter().filter(|connection| connection.has_books).count();
        let mut pace = SnapshotPace::default();
        // The venue counts the requests of all connections together.
        pace.interval_ns *= with_books.max(1) as u64;
        self.stream_ports.push(Vec::new());
        self.builder.readings.governors.push((setup.name.clone(), setup.governor.clone()));
        self.builder.readings.clocks.push((setup.name.clone(), setup.clock.clone()));
        // One agent measures the venue's time: the first, or one that does nothing else.
        let mut kept = Some(setup.clock.clone());
        for (place, connection) in connections.into_iter().enumerate() {
            let role = match place {
                0 => "market".to_owned(),
                place => format!("market-{}", place + 1),
            };
            let session_number = match place {
                0 => 2 * number,
                _ => self.next_extra_session(),
            };
            let rest = setup.rest.clone().filter(|_| connection.has_books);
            let snapshots = rest
                .map(|rest| self.snapshots(setup, &role, rest, &connection.symbols, kept.take()))
                .transpose()?;
            let mut feed =
                MarketFeedOptions::new(VenueId(number as u16), connection.symbols.clone());
            feed.has_books = connection.has_books;
            feed.book_levels_max = setup.book_levels_max;
            feed.buffered_diffs_max = setup.buffered_diffs_max;
            feed.buffered_levels_max = setup.buffered_diffs_max * LEVELS_PER_DIFF;
            feed.frame_bytes_max = self.config.session.frame_bytes_max;
            feed.silence = self.silence(connection.has_books);
            feed.snapshot_pace = pace;
            let endpoint = setup.streams_at[connection.route].clone();
            let options = MarketOptions {
                venue: setup.name.clone(),
                role,
                session: self.session_options(session_number, endpoint, &setup.governor),
                feed,
                connection,
                subscribe_ns: self.config.session.subscribe_ms * 1_000_000,
                session_number: session_number as u16,
            };
            links.push(self.market_session(number, setup, options, snapshots, ends));
        }
        if let (Some(rest), Some(clock)) = (setup.rest.clone(), kept) {
            let _nobody_asks = self.snapshots(setup, "time", rest, &symbols, Some(clock))?;
        }
        Ok(())
    }

    /// A number for a session beyond the two that every venue has.
    fn next_extra_session(&mut self) -> usize {
        self.extra_sessions += 1;
        2 * self.config.venue_names().len() + self.extra_sessions - 1
    }

    fn order_session(
        &mut self,
        number: usize,
        keyed: KeyedOrders,
        options: OrderOptions,
        ends: OrderEnds,
        sessions_open: &Arc<AtomicUsize>,
    ) -> (Consumer<Event>, Publisher<OrderCommand>) {
        let name = options.venue.clone();
        let (outlet, link) = self.outlet(&name, "orders", options.venue_id, Some(sessions_open));
        let (commands, commands_end) =
            self.builder.lane(format!("gateway>{name}"), self.config.lanes.order);
        let names = OrderWiring::<LaneOutlet>::probe_names(&self.consumer_names());
        let probe = self.builder.probe(names);
        let wiring = OrderWiring {
            outlet,
            commands: commands_end,
            ready: ends.ready,
            stats: self.intake(&name, "orders"),
            probe,
            clock: self.builder.clock.clone(),
            stop: self.builder.stop.clone(),
            quarantine: self.builder.quarantine.clone(),
            switch: ends.switch,
            closing: self.builder.closings.orders(),
        };
        self.agents.push((AgentRole::VenueOrders(number), keyed.agent(options, wiring)));
        (link, commands)
    }

    fn market_session(
        &mut self,
        number: usize,
        setup: &VenueSetup,
        options: MarketOptions,
        snapshots: Option<SnapshotClient>,
        ends: &MarketEnds,
    ) -> Consumer<Event> {
        let (name, role) = (&setup.name, options.role.clone());
        let (outlet, link) = self.outlet(name, &role, VenueId(number as u16), None);
        let wiring = MarketWiring {
            outlet,
            snapshots,
            orders_ready: ends.orders_ready.clone(),
            stats: self.intake(name, &role),
            clock: self.builder.clock.clone(),
            stop: self.builder.stop.clone(),
            switch: ends.switch.clone(),
            closing: self.builder.closings.market(name),
        };
        let subscriptions = &self.subscriptions;
        let wanted = |(instrument, kind): &Stream| match kind {
            // Books are assembled for the report and for whoever subscribes later.
            EventKind::Book => true,
            kind => subscriptions.iter().any(|subscription| {
                subscription.interest.contains(*kind)
                    && subscription.instruments.contains(instrument)
            }),
        };
        let (agent, port) = (setup.kind.market_agent)(options, &wanted, wiring);
        self.stream_ports[number].extend(port);
        self.agents.push((AgentRole::VenueMarket(number), agent));
        link
    }

    /// A session's link to the orchestrator and its dead-letter lane.
    fn outlet(
        &mut self,
        name: &str,
        session: &str,
        venue: VenueId,
        sessions_open: Option<&Arc<AtomicUsize>>,
    ) -> (LaneOutlet, Consumer<Event>) {
        let lanes = &self.config.lanes;
        let (link, link_end) =
            self.builder.lane(format!("{name}:{session}>orchestrator"), lanes.venue);
        let letters = self.builder.letters(&format!("{name}:{session}"), lanes.dead_letter);
        if let Some(open) = sessions_open {
            open.fetch_add(1, Ordering::AcqRel);
        }
        let open = sessions_open.map(Arc::clone);
        let marks = Arc::clone(&self.builder.readings.trading.marks);
        (LaneOutlet::new(link, letters, self.builder.clock.clone(), (venue, marks), open), link_end)
    }

    fn intake(&mut self, name: &str, role: &str) -> Arc<crossbeam_utils::CachePadded<IntakeStats>> {
        let stats = IntakeStats::new();
        let (venue, role) = (name.to_owned(), role.to_owned());
        let counters = SessionCounters { venue, role, stats: Arc::clone(&stats) };
        self.builder.readings.sessions.push(counters);
        stats
    }

    fn snapshots(
        &mut self,
        setup: &VenueSetup,
        role: &str,
        rest: Endpoint,
        symbols: &SymbolMap,
        venue_clock: Option<VenueClock>,
    ) -> Result<SnapshotClient, LaunchError> {
        let beside = self.place_beside()?;
        let options = SnapshotOptions {
            venue: setup.name.clone(),
            name: format!("rest-{}{}", setup.name, role.strip_prefix("market").unwrap_or(role)),
            rest: RestOptions {
                endpoint: rest,
                net: self.world.net.clone(),
                token: 0,
                timeout_ns: self.config.session.rest_ms * 1_000_000,
                body_bytes_max: SNAPSHOT_BYTES_MAX,
            },
            symbols: symbols.clone(),
            governor: setup.governor.clone(),
            learns_limits: role == "market",
            venue_clock,
            clock: self.builder.clock.clone(),
            wakers: self.wakers.clone(),
            waker: beside.as_ref().map(Beside::waker).unwrap_or_default(),
            stop: self.builder.stop.clone(),
        };
        let (agent, client) = (setup.kind.snapshot_agent)(options);
        self.builder.readings.lanes.push(client.gauge());
        self.run_beside(beside, agent)?;
        Ok(client)
    }

    /// A place beside the cores; none in a simulated world, where all agents are on one thread.
    fn place_beside(&self) -> Result<Option<Beside>, LaunchError> {
        let source = |source| LaunchError::Thread { name: "(poller)".to_owned(), source };
        match self.world.spawn {
            Spawn::Threads => Beside::new().map(Some).map_err(source),
            Spawn::OneThread => Ok(None),
        }
    }

    /// Starts an agent in its place, or leaves it for the one thread.
    fn run_beside(
        &mut self,
        beside: Option<Beside>,
        agent: Box<dyn Agent>,
    ) -> Result<(), LaunchError> {
        let Some(beside) = beside else {
            self.beside.push(agent);
            return Ok(());
        };
        let name = agent.name().to_owned();
        match beside.start(&name, agent, self.builder.clock.clone()) {
            Ok(thread) => self.threads.beside.push(thread),
            Err(source) => return Err(LaunchError::Thread { name, source }),
        }
        Ok(())
    }

    fn session_options(
        &self,
        session_number: usize,
        endpoint: Endpoint,
        governor: &Governor,
    ) -> SessionOptions {
        SessionOptions {
            endpoint,
            headers: String::new(),
            limits: SessionLimits::from(&self.config.session),
            governor: governor.clone(),
            net: self.world.net.clone(),
            token: session_number,
            seed: self.world.entropy.seed(&format!("session {session_number}")),
        }
    }

    /// Quotes and diffs come all the time where anything is traded; trades and bars need not.
    fn silence(&self, has_books: bool) -> SilenceLimits {
        let session = &self.config.session;
        let idle_ns = session.idle_ms * 1_000_000;
        SilenceLimits {
            depth_ns: has_books.then_some(idle_ns),
            book_ns: Some(session.silence_ms * 1_000_000),
            ..SilenceLimits::default()
        }
    }

    /// The embedded venue without a socket.
    fn synthetic_venue(
        &mut self,
        number: usize,
        name: &str,
        load: SyntheticLoad,
        sessions_open: &Arc<AtomicUsize>,
    ) -> VenueEnds {
        // It has no connection to be switched, and sends what it was loaded with.
        self.builder.readings.switches.push(None);
        self.stream_ports.push(Vec::new());
        let id = VenueId(number as u16);
        let (outlet, link) = self.outlet(name, "synthetic", id, Some(sessions_open));
        let (commands, commands_end) =
            self.builder.lane(format!("gateway>{name}"), self.config.lanes.order);
        let consumers = self.consumer_names();
        let probe = self.builder.probe(SyntheticVenue::<LaneOutlet>::probe_names(&consumers));
        let start = |entry: &crate::config::InstrumentConfig| {
            parse_scaled(entry.start_price.as_bytes(), entry.price_scale).map_or(Price(1), Price)
        };
        let instruments = self
            .builder
            .readings
            .instruments
            .iter()
            .zip(&self.config.instruments)
            .map(|((id, spec), entry)| (id, spec.clone(), start(entry)))
            .collect();
        let options = SyntheticOptions {
            name: name.to_owned(),
            venue: id,
            instruments,
            seed: self.config.simulated.seed,
            events_per_s: self.config.simulated.events_per_s,
            consumers,
            load,
        };
        let stats = self.intake(name, "synthetic");
        let (clock, stop) = (self.builder.clock.clone(), self.builder.stop.clone());
        let wiring = SyntheticWiring {
            outlet,
            commands: commands_end,
            stats,
            probe,
            clock,
            stop,
            quarantine: self.builder.quarantine.clone(),
            closing: self.builder.closings.orders(),
        };
        let agent = SyntheticVenue::new(options, wiring);
        self.agents.push((AgentRole::VenueMarket(number), Box::new(agent)));
        VenueEnds { links: vec![link], commands: Some(commands) }
    }
}

/// What ties an order session to its venue.
struct OrderEnds {
    ready: Arc<AtomicBool>,
    switch: VenueSwitch,
}

/// What ties the market sessions to their venue.
struct MarketEnds {
    orders_ready: Option<Arc<AtomicBool>>,
    switch: VenueSwitch,
}

/// Addresses and keys of a `[[venue]]`.
fn configured(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
    world: &World,
) -> Result<VenueSetup, LaunchError> {
    let parse = |key: &str, url: &str, scheme, allowed: &str| {
        Endpoint::parse(url, scheme, &world.net).map_err(|error| {
            config.error_at(&format!("venue[{number}].{key}"), &error.to_string(), allowed)
        })
    };
    let ws = "ws://HOST:PORT/PATH";
    let kind = kind_of(config, number, venue)?;
    let at =
        |route: &&str| parse("stream_url", &routed_url(&venue.stream_url, route), Scheme::Ws, ws);
    let streams_at: Vec<Endpoint> = kind.routes.iter().map(at).collect::<Result<_, _>>()?;
    // Without books it still tells the time.
    let rest = match venue.books || !venue.rest_url.is_empty() {
        true => Some(parse("rest_url", &venue.rest_url, Scheme::Http, "http://HOST:PORT")?),
        false => None,
    };
    let api = match &venue.api_url {
        Some(url) => {
            let endpoint = parse("api_url", url, Scheme::Ws, ws)?;
            let orders = orders_of(config, number, kind)?;
            Some((endpoint, keyed_orders(orders, venue, &world.files)?))
        }
        None => None,
    };
    let at = streams_at.iter().chain(&rest).chain(api.iter().map(|(endpoint, _)| endpoint));
    let hosts: BTreeSet<String> = at.map(|endpoint| endpoint.authority().to_owned()).collect();
    let paused_at = PausedAt {
        venue: venue.name.clone(),
        hosts: hosts.into_iter().collect(),
        account: match &api {
            Some(_) => account_of(&api_key(venue)?),
            None => String::new(),
        },
    };
    Ok(VenueSetup {
        name: venue.name.clone(),
        kind,
        paused_at: Some(paused_at),
        governor: Governor::named(&venue.name, kind.limits.counted, config.consumers.len()),
        streams_at,
        clock: VenueClock::new(&venue.name, world.clock.clone()),
        rest,
        has_books: venue.books,
        api,
        book_levels_max: venue.book_levels_max,
        buffered_diffs_max: venue.buffered_diffs_max,
        streams: venue.streams.clone(),
        streams_per_connection_max: venue.streams_per_connection_max,
    })
}

/// What a `[[venue]]` would be asked to do; `None` for a number beyond.
pub(super) fn check_venue(
    config: &Config,
    number: usize,
    instruments: &Arc<Instruments>,
    world: &World,
) -> Result<VenueDemand, LaunchError> {
    let venue = &config.venues[number];
    let kind = kind_of(config, number, venue)?;
    let symbols = symbol_map(config, &venue.name, instruments)?;
    let most = venue.streams_per_connection_max;
    let connections = (kind.spread)(&symbols, venue.books, venue.streams.as_deref(), most).len();
    configured(config, number, venue, world)?;
    Ok(VenueDemand { limits: kind.limits, connections })
}

/// What a venue allows, and what it would be asked for.
pub(super) struct VenueDemand {
    pub(super) limits: VenueLimits,
    /// Market connections.
    pub(super) connections: usize,
}

fn kind_of(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
) -> Result<&'static VenueKind, LaunchError> {
    VenueKind::find(&venue.kind).ok_or_else(|| {
        let names: Vec<_> = VenueKind::names().collect();
        let (key, problem) = (format!("venue[{number}].kind"), "no such kind of venue");
        config.error_at(&key, problem, &names.join(", ")).into()
    })
}

fn orders_of(config: &Config, number: usize, kind: &VenueKind) -> Result<OrderKind, LaunchError> {
    kind.orders.ok_or_else(|| {
        let problem = format!("no orders are sent to venues of kind {:?}", kind.name);
        let key = format!("venue[{number}].api_url");
        config.error_at(&key, &problem, "no api_url: market data only").into()
    })
}

/// The environment comes first: a key is better kept there.
fn api_key(venue: &VenueConfig) -> Result<String, KeyError> {
    let from_environment = venue
        .api_key_env
        .as_ref()
        .map(|name| std::env::var(name).map_err(|_| KeyError::NoVariable { name: name.clone() }));
    match (from_environment, &venue.api_key) {
        (Some(Ok(key)), _) => Ok(key),
        (_, Some(key)) => Ok(key.clone()),
        (Some(Err(error)), None) => Err(error),
        // Refused by the check of the configuration.
        (None, None) => Err(KeyError::NoVariable { name: "api_key_env".to_owned() }),
    }
}

fn keyed_orders(
    orders: OrderKind,
    venue: &VenueConfig,
    files: &Files,
) -> Result<KeyedOrders, KeyError> {
    let api_key = api_key(venue)?;
    crate::text::hide(&api_key);
    let private_key_file = venue.private_key_file.as_deref().unwrap_or(Path::new(""));
    (orders.with_keys)(Keys { api_key: &api_key, private_key_file, files })
}

fn symbol_map(
    config: &Config,
    venue: &str,
    instruments: &Arc<Instruments>,
) -> Result<SymbolMap, LaunchError> {
    let native = |(entry, (id, _)): (&crate::config::InstrumentConfig, (InstrumentId, _))| {
        (entry.native_symbol(venue), id)
    };
    let natives: Vec<_> = config.instruments.iter().zip(instruments.iter()).map(native).collect();
    SymbolMap::new(&natives, Arc::clone(instruments))
        .map_err(|source| LaunchError::Symbols { venue: venue.to_owned(), source })
}

/// What an embedded venue trades: every instrument of the configuration. The start prices of each
/// are a thousandth above those of the one before, so that merged quotes show who is best.
fn simulated_symbols(
    config: &Config,
    venue: &str,
    place: u64,
    instruments: &Instruments,
) -> Vec<SimulatedSymbol> {
    let symbol = |(entry, (_, spec)): (
        &crate::config::InstrumentConfig,
        (InstrumentId, &crate::instrument::InstrumentSpec),
    )| {
        let (base, quote) = spec.symbol.split_once('-').unwrap_or((&spec.symbol, "USDT"));
        let start = parse_scaled(entry.start_price.as_bytes(), spec.price_scale).unwrap_or(1);
        let tick = spec.tick.unsigned_abs();
        let start = start.unsigned_abs();
        let above = start / 1_000 / tick * tick * place;
        SimulatedSymbol {
            name: entry.native_symbol(venue),
            base_asset: base.to_owned(),
            quote_asset: quote.to_owned(),
            price_scale: u32::from(spec.price_scale),
            qty_scale: u32::from(spec.qty_scale),
            start_price: start + above,
            tick,
            step: spec.step.unsigned_abs(),
            min_notional: SimulatedSymbol::default().min_notional,
        }
    };
    config.instruments.iter().zip(instruments.iter()).map(symbol).collect()
}
