//! Venues: from the configuration to the sessions of each, with what they need beside the pinned
//! cores.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pitlane_ring::{Consumer, Publisher};

use super::assemble::Assembly;
use super::options::{LaunchError, LaunchOptions, OwnVenue};
use super::pause_book::Neighbour;
use super::venue_setup::{VenueSetup, configured, simulated_kinds, symbol_map};
use crate::config::{OnStop, VenueMode};
use crate::event::{Event, EventKind, VenueId};
use crate::order::OrderCommand;
use crate::pipeline::SessionCounters;
use crate::runtime::AgentRole;
use crate::venue::governor::Governor;
use crate::venue::market::{
    MarketFeedOptions, MarketOptions, MarketWiring, RefreshPace, SilenceLimits, SnapshotClient,
    SnapshotPace, Stream,
};
use crate::venue::orders::{AccountBoard, OrderOptions, OrderWiring};
use crate::venue::registry::{KeyedOrders, VenueKind};
use crate::venue::transport::{Endpoint, RestOptions, SessionLimits, SessionOptions};
use crate::venue::{InstrumentBoard, IntakeStats, LaneOutlet, SymbolMap, VenueSwitch};

/// Sockets to REST of order sessions have numbers of their own in their core's poller.
const ORDERS_REST_TOKENS: usize = 1 << 21;
/// The longest answer to an order session: a list of all instruments.
const ORDERS_REST_BYTES_MAX: usize = 16 << 20;
/// Levels of a buffered diff for which there is memory: recorded ones have 20 on both sides, on
/// average.
const LEVELS_PER_DIFF: usize = 32;

/// Both ends that the pipeline gets of a venue.
pub(super) struct VenueEnds {
    /// Links to the orchestrator.
    pub(super) links: Vec<Consumer<Event>>,
    /// Where its orders go; `None` for a venue that takes none.
    pub(super) commands: Option<Publisher<OrderCommand>>,
}

/// Sets what a kind of venue allows of a market session.
fn limit_market(limits: &mut SessionLimits, kind: &VenueKind) {
    limits.messages_per_s = Some(kind.limits.messages_per_s);
    if !kind.has_rest_snapshots {
        // Such venues weigh what REST is asked, for the time alone, and nothing else.
        limits.connect_weight = 0;
    }
    limits.allow_frames_of(kind.frame_bytes_usual);
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
                match pauses.neighbour_of(&at) {
                    Some(Neighbour::SameAccount(governor)) => setup.governor = governor,
                    Some(Neighbour::SameAddress(governor)) => {
                        let (limits, owners) =
                            (setup.kind.limits.counted, self.config.consumers.len());
                        setup.governor = governor.for_account(&venue.name, limits, owners);
                    }
                    None => {}
                }
                pauses.add(at, &setup.governor);
            }
            if venue.mode == VenueMode::Paper {
                self.trade_on_paper(venue, &mut setup)?;
            }
            ends.push(self.sessions(number, setup, sessions_open)?);
        }
        let kinds = simulated_kinds(self.config)?;
        for ((place, name), kind) in self.config.simulated_names().enumerate().zip(kinds) {
            let number = self.config.venues.len() + place;
            ends.push(match options.own_venue {
                OwnVenue::Synthetic => {
                    self.synthetic_venue(number, &name, options.load, sessions_open)
                }
                OwnVenue::Simulated => {
                    let setup = self.simulated_server(place, name, kind, &options.venue_faults)?;
                    self.sessions(number, setup, sessions_open)?
                }
            });
        }
        Ok(ends)
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
        if self.keeps_instrument_words {
            setup.instruments = InstrumentBoard::of(&symbols);
            let boards = &mut self.builder.readings.instrument_boards;
            boards.push((name.clone(), setup.instruments.clone()));
        }
        let switch = setup.switch.clone();
        switch.set(self.config.starts(number));
        self.builder.readings.switches.push(Some(switch.clone()));
        let ready = Arc::new(AtomicBool::new(false));
        let mut links = Vec::new();
        let commands = match api {
            None => None,
            Some((endpoint, keyed)) => {
                let (symbols, governor, venue_clock) = match &setup.paper {
                    Some(paper) => (&paper.symbols, &paper.governor, &paper.clock),
                    None => (&symbols, &setup.governor, &setup.clock),
                };
                let session = self.session_options(2 * number + 1, endpoint, governor);
                let inspects = self.inspects_accounts && setup.paper.is_none();
                let rest = setup.rest.clone().filter(|_| keyed.needs_rest || inspects);
                let rest = rest.map(|endpoint| RestOptions {
                    endpoint,
                    net: self.world.net.clone(),
                    token: ORDERS_REST_TOKENS + number,
                    timeout_ns: self.config.session.rest_ms * 1_000_000,
                    body_bytes_max: ORDERS_REST_BYTES_MAX,
                });
                let options = OrderOptions {
                    rest,
                    market: setup.streams_at.first().cloned(),
                    venue: name.clone(),
                    venue_id: VenueId(number as u16),
                    session,
                    symbols: symbols.clone(),
                    instruments: Arc::clone(&self.builder.readings.instruments),
                    answer_ns: self.config.session.subscribe_ms * 1_000_000,
                    open_max: self.config.open_orders_max(),
                    cancel_on_stop: self.config.risk.on_stop == OnStop::CancelAll,
                    dead_man_ms: self.config.venues.get(number).and_then(|it| it.dead_man_ms),
                    session_number: 2 * number as u16 + 1,
                    venue_clock: venue_clock.clone(),
                    run: self.world.entropy.run_number(),
                    recovery: self.recovery_of(VenueId(number as u16)),
                    inspection: inspects.then(|| self.account_board(name)),
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

    /// Where the order session of a venue leaves what it finds of its account.
    fn account_board(&mut self, name: &str) -> AccountBoard {
        let board = AccountBoard::default();
        self.builder.readings.account_boards.push((name.to_owned(), board.clone()));
        board
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
            setup.streams_at.first().map_or("", Endpoint::path),
        );
        let with_books = connections.iter().filter(|connection| connection.has_books).count();
        let mut pace = SnapshotPace::default();
        // The venue counts the requests of all connections together.
        pace.interval_ns *= with_books.max(1) as u64;
        let refresh = self.refresh_pace(with_books);
        self.stream_ports.push(Vec::new());
        self.builder.readings.governors.push((setup.name.clone(), setup.governor.clone()));
        self.builder.readings.clocks.push((setup.name.clone(), setup.clock.clone()));
        // One agent measures the venue's time: the first, or one that does nothing else.
        let mut kept = Some(setup.clock.clone());
        let mut unwatched: BTreeSet<_> = symbols.iter().map(|(_, of)| of.instrument).collect();
        for (place, connection) in connections.into_iter().enumerate() {
            let role = match place {
                0 => "market".to_owned(),
                place => format!("market-{}", place + 1),
            };
            let session_number = match place {
                0 => 2 * number,
                _ => self.next_extra_session(),
            };
            let snapshots = self.rest_side(setup, &role, &connection, &mut unwatched, &mut kept)?;
            let mut feed =
                MarketFeedOptions::new(VenueId(number as u16), connection.symbols.clone());
            feed.has_books = connection.has_books;
            feed.book_levels_max = setup.book_levels_max;
            feed.buffered_diffs_max = setup.buffered_diffs_max;
            feed.buffered_levels_max = setup.buffered_diffs_max * LEVELS_PER_DIFF;
            feed.silence = self.silence(connection.has_books);
            feed.snapshot_pace = pace;
            feed.refresh_pace = refresh;
            feed.venue_clock = Some(setup.clock.clone());
            let endpoint = setup.streams_at[connection.route].clone();
            let mut session = self.session_options(session_number, endpoint, &setup.governor);
            session.headers.clone_from(&setup.stream_headers);
            limit_market(&mut session.limits, kind);
            feed.frame_bytes_max = session.limits.frame_bytes_max;
            let options = MarketOptions {
                venue: setup.name.clone(),
                role,
                session,
                feed,
                connection,
                subscribe_ns: self.config.session.subscribe_ms * 1_000_000,
                hand_over_ns: self.hand_over_ns(),
                session_number: session_number as u16,
            };
            links.push(self.market_session(number, setup, options, snapshots, ends)?);
        }
        if let (Some(rest), Some(clock)) = (setup.rest.clone(), kept) {
            let _ignored =
                self.snapshots(setup, "time", rest, &symbols, Vec::new(), Some(clock))?;
        }
        Ok(())
    }

    /// At which age market connections are followed by the next one.
    fn hand_over_ns(&self) -> Option<u64> {
        let after_s = self.config.session.hand_over_s;
        (after_s > 0).then(|| after_s * 1_000_000_000)
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
    ) -> Result<Consumer<Event>, LaunchError> {
        let (name, role) = (&setup.name, options.role.clone());
        let tap = self.tap(setup, &role)?;
        let (outlet, link) = self.outlet(name, &role, VenueId(number as u16), None);
        let copies = setup.paper.as_ref().map(|paper| paper.feeds.add(&format!("{name}:{role}")));
        let outlet = outlet.copying_to(copies);
        let is_on_paper = setup.paper.is_some();
        let wiring = MarketWiring {
            outlet,
            tap,
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
            EventKind::Trade if is_on_paper => true,
            kind => subscriptions.iter().any(|subscription| {
                subscription.interest.contains(*kind)
                    && subscription.instruments.contains(instrument)
            }),
        };
        let (agent, port) = (setup.kind.market_agent)(options, &wanted, wiring);
        self.stream_ports[number].extend(port);
        self.agents.push((AgentRole::VenueMarket(number), agent));
        Ok(link)
    }

    /// A session's link to the orchestrator and its dead-letter lane.
    pub(super) fn outlet(
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

    pub(super) fn intake(
        &mut self,
        name: &str,
        role: &str,
    ) -> Arc<crossbeam_utils::CachePadded<IntakeStats>> {
        let stats = IntakeStats::new();
        let (venue, role) = (name.to_owned(), role.to_owned());
        let counters = SessionCounters { venue, role, stats: Arc::clone(&stats) };
        self.builder.readings.sessions.push(counters);
        stats
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

    /// The venue counts what all connections ask for together.
    fn refresh_pace(&self, connections: usize) -> RefreshPace {
        RefreshPace {
            every_ns: self.config.session.book_refresh_s * 1_000_000_000,
            pause_ns: RefreshPace::default().pause_ns * connections.max(1) as u64,
        }
    }

    /// Quotes and diffs come all the time where anything is traded; trades and bars need not.
    fn silence(&self, has_books: bool) -> SilenceLimits {
        let session = &self.config.session;
        let idle_ns = session.idle_ms * 1_000_000;
        SilenceLimits {
            depth_ns: has_books.then_some(idle_ns),
            stream_ns: Some(session.silence_ms * 1_000_000),
            ..SilenceLimits::default()
        }
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
