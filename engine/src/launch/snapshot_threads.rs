//! The agents that fetch snapshots, each beside the pinned cores.

use std::collections::BTreeSet;

use super::assemble::Assembly;
use super::options::LaunchError;
use super::venue_setup::VenueSetup;
use crate::event::InstrumentId;
use crate::runtime::{Agent, Beside};
use crate::venue::market::{Connection, SnapshotClient, SnapshotOptions};
use crate::venue::recorder::Tap;
use crate::venue::transport::{Endpoint, RestOptions};
use crate::venue::{SymbolMap, VenueClock};
use crate::world::Spawn;

/// Bytes of a snapshot, at most.
const SNAPSHOT_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Assembly<'_> {
    /// What asks REST for a connection: for its books, and about those of its instruments that are
    /// `unwatched` by another. It measures the time by the clock, where that is not yet taken.
    pub(super) fn rest_side(
        &mut self,
        setup: &VenueSetup,
        role: &str,
        connection: &Connection,
        unwatched: &mut BTreeSet<InstrumentId>,
        clock: &mut Option<VenueClock>,
    ) -> Result<Option<SnapshotClient>, LaunchError> {
        let (symbols, kind) = (&connection.symbols, setup.kind);
        let known = symbols.iter().map(|(_, symbol)| symbol.instrument);
        let watched: Vec<_> =
            known.filter(|id| kind.tells_instruments && unwatched.remove(id)).collect();
        let is_asked = connection.has_books && kind.has_rest_snapshots || !watched.is_empty();
        let Some(rest) = setup.rest.clone().filter(|_| is_asked) else { return Ok(None) };
        self.snapshots(setup, role, rest, symbols, watched, clock.take()).map(Some)
    }

    /// The agent of one market session, started, and the end that asks it.
    pub(super) fn snapshots(
        &mut self,
        setup: &VenueSetup,
        role: &str,
        rest: Endpoint,
        symbols: &SymbolMap,
        watched: Vec<InstrumentId>,
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
            stream_path: setup.streams_at.first().map_or("", Endpoint::path).to_owned(),
            learns_limits: role == "market",
            watched: (watched, self.config.session.instrument_refresh_s * 1_000_000_000),
            board: setup.instruments.clone(),
            venue_clock,
            clock: self.builder.clock.clone(),
            wakers: self.wakers.clone(),
            waker: beside.as_ref().map_or_else(|| self.sleepers.clone(), Beside::waker),
            tap: self
                .tap(setup, &format!("rest{}", role.strip_prefix("market").unwrap_or(role)))?,
            switch: setup.switch.clone(),
            stop: self.builder.stop.clone(),
        };
        let (agent, client) = (setup.kind.snapshot_agent)(options);
        self.builder.readings.lanes.push(client.gauge());
        self.run_beside(beside, agent)?;
        Ok(client)
    }

    /// The tap of one session, where all is recorded.
    pub(super) fn tap(
        &mut self,
        setup: &VenueSetup,
        role: &str,
    ) -> Result<Option<Tap>, LaunchError> {
        let Some(recorder) = &mut self.recorder else { return Ok(None) };
        let tap = recorder.tap(&setup.name, setup.kind.name, role, &self.builder.clock);
        let path = recorder.options().folder.join(&setup.name);
        tap.map(Some).map_err(|source| LaunchError::Record { path, source })
    }

    /// Starts the recorder, whose taps are all made.
    pub(super) fn start_recorder(&mut self) -> Result<(), LaunchError> {
        let Some(recorder) = self.recorder.take() else { return Ok(()) };
        self.threads.totals = Some(recorder.totals());
        let beside = self.place_beside()?;
        self.run_beside(beside, Box::new(recorder))
    }

    /// A place beside the cores; none in a simulated world, where all agents are on one thread.
    fn place_beside(&self) -> Result<Option<Beside>, LaunchError> {
        let source = |source| LaunchError::Thread { name: "(poller)".to_owned(), source };
        match self.world.spawn {
            Spawn::Threads => Beside::new().map(Some).map_err(source),
            Spawn::OneThread | Spawn::LiveThread | Spawn::Replay => Ok(None),
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
}
