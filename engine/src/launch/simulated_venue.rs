//! The simulated venue: its server starts first, and then it is connected to by its address,
//! through the same adapter as any other.

use std::net::{Ipv4Addr, SocketAddr};

use super::assemble::Assembly;
use super::options::LaunchError;
use super::venue_setup::{VenueSetup, key_line};
use crate::config::{Config, SimulatedConfig, VenueConfig};
use crate::event::{InstrumentId, parse_scaled};
use crate::instrument::Instruments;
use crate::venue::governor::{Counted, Governor, Limit};
use crate::venue::market::routed_url;
use crate::venue::registry::VenueKind;
use crate::venue::simulated::{
    DialectKind, FaultPlan, LimitRules, SimulatedSymbol, SimulatedVenue, SimulatedVenueOptions,
};
use crate::venue::transport::{Endpoint, EndpointError, Scheme};
use crate::venue::{InstrumentBoard, VenueClock, VenueSwitch};
use crate::world::Spawn;
use crate::world::tape::{self, Tag};

/// What the simulated venue calls the one API key it knows.
pub(super) const SIMULATED_API_KEY: &str = "pitlane";
/// New orders that a simulated venue takes in a day: as many as the real one.
const SIMULATED_ORDERS_PER_DAY: u32 = 200_000;

impl Assembly<'_> {
    /// Starts a simulated venue's server; the one at `place` 0 is the one that the configuration
    /// describes.
    pub(super) fn simulated_server(
        &mut self,
        place: usize,
        name: String,
        (kind, dialect): (&'static VenueKind, &'static DialectKind),
        faults: &FaultPlan,
    ) -> Result<VenueSetup, LaunchError> {
        let orders = kind.orders.map(|orders| {
            let entropy = self.threads.keys.unwrap_or(self.world.entropy);
            let mut random = entropy.random(&format!("key of {name}"));
            (orders.with_drawn_key)(SIMULATED_API_KEY, &mut random)
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
            api_key: SIMULATED_API_KEY.to_owned(),
            verifying_key: orders.as_ref().map_or(Vec::new(), |of| of.verifying_key.clone()),
            limits: simulated_rules(simulated),
            fault_plan: faults.clone(),
            ..SimulatedVenueOptions::default()
        };
        let limits = simulated_limits(kind, simulated);
        let address = self.serve(dialect, options)?;
        let endpoint = |scheme, url: String| Endpoint::parse(&url, scheme, &self.world.net, None);
        let setup = || -> Result<VenueSetup, EndpointError> {
            let at = |path: &str| format!("ws://{address}{path}");
            let streams = at(dialect.stream_path);
            let stream_at = |route: &&str| endpoint(Scheme::Ws, routed_url(&streams, route));
            let api = match dialect.api_path.zip(orders) {
                Some((path, keyed)) => Some((endpoint(Scheme::Ws, at(path))?, keyed)),
                None => None,
            };
            Ok(VenueSetup {
                instruments: InstrumentBoard::default(),
                clock: VenueClock::new(&name, self.builder.clock.clone()),
                switch: VenueSwitch::default(),
                paper: None,
                has_books: true,
                kind,
                governor: Governor::named(&name, &limits, self.config.consumers.len()),
                paused_at: None,
                name,
                stream_headers: (kind.key_header)
                    .map_or_else(String::new, |header| key_line(header, SIMULATED_API_KEY)),
                streams_at: kind.routes.iter().map(stream_at).collect::<Result<_, _>>()?,
                rest: Some(endpoint(Scheme::Http, format!("http://{address}"))?),
                api,
                book_levels_max: kind.book_levels_usual,
                buffered_diffs_max: VenueConfig::default().buffered_diffs_max,
                streams: None,
                streams_per_connection_max: VenueConfig::default().streams_per_connection_max,
            })
        };
        Ok(setup()?)
    }

    /// Starts a simulated server, on a thread or as an agent of a simulated world; a replay only
    /// learns where it was.
    pub(super) fn serve(
        &mut self,
        dialect: &DialectKind,
        options: SimulatedVenueOptions,
    ) -> Result<SocketAddr, LaunchError> {
        let nowhere = || SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = match (self.threads.standing.pop_front(), self.world.spawn) {
            (Some(standing), _) => standing,
            (None, Spawn::Threads | Spawn::LiveThread) => {
                SimulatedVenue::start_as(dialect, options)?
            }
            (None, Spawn::OneThread) => {
                let (server, agent) = SimulatedVenue::in_world(dialect, options, &self.world)?;
                self.peers.push(agent);
                server
            }
            (None, Spawn::Replay) => return Ok(tape::kept(Tag::Address, nowhere, nowhere)),
        };
        let address = tape::kept(Tag::Address, || server.address(), nowhere);
        self.threads.simulated.push(server);
        Ok(address)
    }
}

/// The limits of the simulated venue; what differs from the real venue's it tells itself.
pub(super) fn simulated_limits(kind: &VenueKind, simulated: &SimulatedConfig) -> Vec<Limit> {
    let is_limited = |limit: &Limit| match limit.counts {
        Counted::Orders => simulated.orders_per_10s > 0,
        Counted::Weight => simulated.weight_per_min > 0,
        Counted::Connects | Counted::Requests | Counted::Amends => true,
    };
    kind.limits.counted.iter().copied().filter(is_limited).collect()
}

/// What a simulated venue allows: as strict as the real one, but for what the configuration says.
pub(super) fn simulated_rules(simulated: &SimulatedConfig) -> LimitRules {
    let or_any = |amount: u32, most: u32| if amount == 0 { u32::MAX } else { most };
    let orders = simulated.orders_per_10s;
    LimitRules {
        orders_per_10s: or_any(orders, orders),
        orders_per_day: or_any(orders, SIMULATED_ORDERS_PER_DAY),
        weight_per_min: or_any(simulated.weight_per_min, simulated.weight_per_min),
        ..LimitRules::default()
    }
}

/// What a simulated venue trades: every instrument of the configuration. The start prices of each
/// are a thousandth above those of the one before, so that merged quotes show who is best.
pub(super) fn simulated_symbols(
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
            position_max: None,
        }
    };
    config.instruments.iter().zip(instruments.iter()).map(symbol).collect()
}
