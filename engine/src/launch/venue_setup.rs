//! From a `[[venue]]` of the configuration to where it is, what speaks to it, and with which keys.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::options::LaunchError;
use super::pause_book::{PausedAt, account_of};
use crate::config::{Config, SIMULATED_MAX, VenueConfig};
use crate::event::InstrumentId;
use crate::instrument::Instruments;
use crate::venue::governor::Governor;
use crate::venue::market::routed_url;
use crate::venue::orders::{GuardOptions, GuardSession};
use crate::venue::protocol::{KeyError, Keys, VenueLimits};
use crate::venue::registry::{KeyedOrders, OrderKind, VenueKind};
use crate::venue::simulated::{DialectKind, LiveFeeds};
use crate::venue::transport::{Endpoint, RestOptions, Scheme, SessionLimits, SessionOptions};
use crate::venue::{InstrumentBoard, SymbolMap, VenueClock, VenueSwitch};
use crate::world::{Files, TlsTrust, World};

/// Bytes of an answer to a guard, at most: a list of open orders.
const GUARD_REST_BYTES_MAX: usize = 4 << 20;

/// Where a venue is, and how to log on there.
pub(super) struct VenueSetup {
    pub(super) name: String,
    pub(super) kind: &'static VenueKind,
    /// Of all its sessions.
    pub(super) governor: Governor,
    /// By what its pauses are known over runs; `None` for a simulated venue.
    pub(super) paused_at: Option<PausedAt>,
    pub(super) clock: VenueClock,
    /// Turned as the configuration says once its sessions are made.
    pub(super) switch: VenueSwitch,
    /// Lines that a market connection's handshake says more, each ended by CR and LF.
    pub(super) stream_headers: String,
    /// What it says of its instruments.
    pub(super) instruments: InstrumentBoard,
    /// By the number of the route.
    pub(super) streams_at: Vec<Endpoint>,
    pub(super) rest: Option<Endpoint>,
    /// Only with `rest`.
    pub(super) has_books: bool,
    /// `None` where orders go to the venue, if anywhere.
    pub(super) paper: Option<Paper>,
    /// `None` without orders.
    pub(super) api: Option<(Endpoint, KeyedOrders)>,
    pub(super) book_levels_max: usize,
    pub(super) buffered_diffs_max: usize,
    /// `None`: those that consumers want.
    pub(super) streams: Option<Vec<String>>,
    pub(super) streams_per_connection_max: usize,
}

/// What an order session on paper has instead of what the venue's sessions have.
pub(super) struct Paper {
    /// As the exchange in this process names them.
    pub(super) symbols: SymbolMap,
    /// Where the live books and trades go.
    pub(super) feeds: LiveFeeds,
    pub(super) governor: Governor,
    pub(super) clock: VenueClock,
}

/// Addresses and keys of a `[[venue]]`.
pub(super) fn configured(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
    world: &World,
) -> Result<VenueSetup, LaunchError> {
    let trust = trust_of(config, number, venue, &world.files)?;
    let parse = |key: &str, url: &str, scheme, allowed: &str| {
        Endpoint::parse(url, scheme, &world.net, Some(&trust)).map_err(|error| {
            config.error_at(&format!("venue[{number}].{key}"), &error.to_string(), allowed)
        })
    };
    let ws = "wss://HOST[:PORT]/PATH, or ws://HOST:PORT/PATH";
    let kind = kind_of(config, number, venue)?;
    let at =
        |route: &&str| parse("stream_url", &routed_url(&venue.stream_url, route), Scheme::Ws, ws);
    let streams_at: Vec<Endpoint> = kind.routes.iter().map(at).collect::<Result<_, _>>()?;
    if lacks_rest(venue, kind) {
        let key = format!("venue[{number}].rest_url");
        let problem = "missing: books start from a REST snapshot";
        let expected = "https://HOST[:PORT][/PATH], or books = false";
        return Err(config.error_at(&key, problem, expected).into());
    }
    // Without books it still tells the time.
    let rest = match !venue.rest_url.is_empty() {
        true => Some(parse(
            "rest_url",
            &venue.rest_url,
            Scheme::Http,
            "https://HOST[:PORT], or http://HOST:PORT",
        )?),
        false => None,
    };
    check_dead_man(config, number, venue, kind)?;
    let api = match venue.api_url.as_ref().filter(|_| venue.sends_orders()) {
        Some(url) => {
            let endpoint = parse("api_url", url, Scheme::Ws, ws)?;
            let orders = orders_of(config, number, kind)?;
            need_rest(config, number, &orders, rest.is_some())?;
            Some((endpoint, keyed_orders(orders, venue, world)?))
        }
        None => None,
    };
    let at = streams_at.iter().chain(&rest).chain(api.iter().map(|(endpoint, _)| endpoint));
    let hosts: BTreeSet<String> = at.map(|endpoint| endpoint.authority().to_owned()).collect();
    let paused_at = PausedAt {
        venue: venue.name.clone(),
        hosts: hosts.into_iter().collect(),
        account: if api.is_some() { account_of(&api_key(venue)?) } else { String::new() },
    };
    Ok(VenueSetup {
        name: venue.name.clone(),
        kind,
        paused_at: Some(paused_at),
        governor: Governor::named(&venue.name, kind.limits.counted, config.consumers.len()),
        stream_headers: stream_headers(config, number, venue, kind)?,
        streams_at,
        instruments: InstrumentBoard::default(),
        clock: VenueClock::new(&venue.name, world.clock.clone()),
        switch: VenueSwitch::default(),
        rest,
        has_books: venue.books,
        paper: None,
        api,
        book_levels_max: levels_of(venue, kind),
        buffered_diffs_max: venue.buffered_diffs_max,
        streams: venue.streams.clone(),
        streams_per_connection_max: venue.streams_per_connection_max,
    })
}

/// The key that market connections show, at venues where they show one.
fn stream_headers(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
    kind: &VenueKind,
) -> Result<String, LaunchError> {
    let Some(header) = kind.key_header else { return Ok(String::new()) };
    let refused = |problem: &str| {
        let key = format!("venue[{number}].api_key_env");
        config.error_at(&key, problem, "api_key_env or api_key")
    };
    if venue.api_key.is_none() && venue.api_key_env.is_none() {
        return Err(refused("missing: market data of this kind needs an API key").into());
    }
    let key = api_key(venue)?;
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused("the key is no word in ASCII, as a handshake needs it").into());
    }
    crate::text::hide(&key);
    Ok(key_line(header, &key))
}

/// A line of a handshake that shows a key.
pub(super) fn key_line(header: &str, key: &str) -> String {
    format!("{header}: {key}\r\n")
}

/// Refuses orders at a venue that is asked about them over REST, and has no address for that.
fn need_rest(
    config: &Config,
    number: usize,
    orders: &OrderKind,
    has_rest: bool,
) -> Result<(), LaunchError> {
    if has_rest || !orders.needs_rest {
        return Ok(());
    }
    let problem = "missing: this kind of venue is asked about orders over REST";
    let key = format!("venue[{number}].rest_url");
    Err(config.error_at(&key, problem, "https://HOST[:PORT][/PATH]").into())
}

/// Refuses a timer that the venue does not have, or not for so long.
fn check_dead_man(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
    kind: &VenueKind,
) -> Result<(), LaunchError> {
    let Some(wanted_ms) = venue.dead_man_ms else { return Ok(()) };
    let key = format!("venue[{number}].dead_man_ms");
    let name = kind.name;
    let (problem, allowed) = match kind.capabilities().dead_man {
        None => (
            format!("venues of kind {name} have no timer that cancels all"),
            "none: run pitlane guard beside the engine".to_owned(),
        ),
        Some(_) if !venue.sends_orders() => {
            ("no orders are sent to this venue".to_owned(), "none, or api_url".to_owned())
        }
        Some(timer) if !(timer.min_ms..=timer.max_ms).contains(&wanted_ms) => (
            format!("{wanted_ms} ms is no time that venues of kind {name} take"),
            format!("{} to {} ms", timer.min_ms, timer.max_ms),
        ),
        Some(_) => return Ok(()),
    };
    Err(config.error_at(&key, &problem, &allowed).into())
}

/// Levels a side of its books.
fn levels_of(venue: &VenueConfig, kind: &VenueKind) -> usize {
    if venue.book_levels_max == 0 { kind.book_levels_usual } else { venue.book_levels_max }
}

/// Whether its books could not start: a kind whose streams tell books whole needs no REST.
fn lacks_rest(venue: &VenueConfig, kind: &VenueKind) -> bool {
    venue.books && kind.has_rest_snapshots && venue.rest_url.is_empty()
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
    let (streams, at) = (venue.streams.as_deref(), &venue.stream_url);
    let connections = (kind.spread)(&symbols, venue.books, streams, most, at).len();
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

/// The kinds of the simulated venues by their places, and what each speaks.
pub(super) fn simulated_kinds(
    config: &Config,
) -> Result<Vec<(&'static VenueKind, &'static DialectKind)>, LaunchError> {
    let (count, others) = (config.simulated_kinds().count(), config.simulated.others.len());
    if count > SIMULATED_MAX as usize {
        let problem = format!("there would be {count} simulated venues, with `others`");
        let allowed = format!("{SIMULATED_MAX} of them at most");
        return Err(config.error_at("simulated.standby", &problem, &allowed).into());
    }
    let found = config.simulated_kinds().enumerate().map(|(place, name)| {
        VenueKind::simulable().find(|(kind, _)| kind.name == name).ok_or_else(|| {
            let problem = format!("there is no simulated venue of kind {name:?}");
            let names: Vec<_> = VenueKind::simulable().map(|(kind, _)| kind.name).collect();
            let key = if (1..=others).contains(&place) { "others" } else { "kind" };
            config.error_at(&format!("simulated.{key}"), &problem, &names.join(", ")).into()
        })
    });
    found.collect()
}

/// Whether the venue of this number has an order session, as the assembly gives it one.
pub(super) fn has_order_session(config: &Config, number: usize) -> bool {
    let Some(venue) = config.venues.get(number) else {
        let embedded = simulated_kinds(config).ok();
        let its = embedded.and_then(|all| all.get(number - config.venues.len()).copied());
        return its
            .is_some_and(|(kind, dialect)| kind.orders.is_some() && dialect.api_path.is_some());
    };
    venue.takes_orders()
}

fn orders_of(config: &Config, number: usize, kind: &VenueKind) -> Result<OrderKind, LaunchError> {
    kind.orders.ok_or_else(|| {
        let problem = format!("no orders are sent to venues of kind {:?}", kind.name);
        let key = format!("venue[{number}].api_url");
        config.error_at(&key, &problem, "no api_url: market data only").into()
    })
}

/// A session of the guard's: at the orders' address, with the guard's own keys where it has any.
pub(super) fn guard_session(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
    symbols: SymbolMap,
    world: &World,
) -> Result<Box<dyn GuardSession>, LaunchError> {
    let trust = trust_of(config, number, venue, &world.files)?;
    let kind = kind_of(config, number, venue)?;
    let orders = orders_of(config, number, kind)?;
    if orders.needs_rest && !orders.guards_over_rest {
        let problem = format!("no guard can cancel all at a venue of kind {:?} yet", kind.name);
        let key = format!("venue[{number}].kind");
        return Err(config.error_at(&key, &problem, "a kind whose guard can").into());
    }
    let rest = guard_rest(config, number, venue, &orders, &trust, world)?;
    let url = venue.api_url.as_deref().unwrap_or_default();
    let endpoint = Endpoint::parse(url, Scheme::Ws, &world.net, Some(&trust)).map_err(|error| {
        let allowed = "wss://HOST[:PORT]/PATH, or ws://HOST:PORT/PATH";
        config.error_at(&format!("venue[{number}].api_url"), &error.to_string(), allowed)
    })?;
    let own = VenueConfig {
        api_key_env: venue.guard_api_key_env.clone().or_else(|| venue.api_key_env.clone()),
        private_key_file: (venue.guard_private_key_file.clone())
            .or_else(|| venue.private_key_file.clone()),
        ..venue.clone()
    };
    let api_key = api_key(&own)?;
    crate::text::hide(&api_key);
    let private_key_file = own.private_key_file.as_deref().unwrap_or(Path::new(""));
    let natives = config.instruments.iter().map(|entry| entry.native_symbol(&venue.name));
    let options = GuardOptions {
        venue: venue.name.clone(),
        session: SessionOptions {
            endpoint,
            headers: String::new(),
            limits: SessionLimits::from(&config.session),
            governor: Governor::named(&venue.name, kind.limits.counted, 1),
            net: world.net.clone(),
            token: number,
            seed: world.entropy.seed(&format!("guard {number}")),
        },
        symbols,
        natives: natives.collect(),
        clock: world.clock.clone(),
    };
    let chance = world.entropy.seed(&format!("guard's tokens {number}"));
    let keys = Keys { api_key: &api_key, private_key_file, files: &world.files, chance };
    Ok((orders.guard_with_keys)(keys, options, rest)?)
}

/// Where a guard asks over REST; `None` where it has a session.
fn guard_rest(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
    orders: &OrderKind,
    trust: &TlsTrust,
    world: &World,
) -> Result<Option<RestOptions>, LaunchError> {
    if !orders.guards_over_rest {
        return Ok(None);
    }
    need_rest(config, number, orders, !venue.rest_url.is_empty())?;
    let url = venue.rest_url.as_str();
    let endpoint =
        Endpoint::parse(url, Scheme::Http, &world.net, Some(trust)).map_err(|error| {
            let allowed = "https://HOST[:PORT][/PATH], or http://HOST:PORT[/PATH]";
            config.error_at(&format!("venue[{number}].rest_url"), &error.to_string(), allowed)
        })?;
    Ok(Some(RestOptions {
        endpoint,
        net: world.net.clone(),
        token: number,
        timeout_ns: config.session.rest_ms * 1_000_000,
        body_bytes_max: GUARD_REST_BYTES_MAX,
    }))
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

/// Whom a venue's addresses with TLS have to be vouched for by.
fn trust_of(
    config: &Config,
    number: usize,
    venue: &VenueConfig,
    files: &Files,
) -> Result<TlsTrust, LaunchError> {
    let trust = match &venue.ca_file {
        None => TlsTrust::public().map_err(|error| error.to_string()),
        Some(path) => {
            files.read(path).map_err(|error| format!("{}: {error}", path.display())).and_then(
                |pem| TlsTrust::only(&pem).map_err(|error| format!("{}: {error}", path.display())),
            )
        }
    };
    trust.map_err(|problem| {
        let key = format!("venue[{number}].ca_file");
        config.error_at(&key, &problem, "a file of certificates in PEM form").into()
    })
}

fn keyed_orders(
    orders: OrderKind,
    venue: &VenueConfig,
    world: &World,
) -> Result<KeyedOrders, KeyError> {
    let api_key = api_key(venue)?;
    crate::text::hide(&api_key);
    let private_key_file = venue.private_key_file.as_deref().unwrap_or(Path::new(""));
    let chance = world.entropy.seed(&format!("tokens of {}", venue.name));
    let files = &world.files;
    (orders.with_keys)(Keys { api_key: &api_key, private_key_file, files, chance })
}

pub(super) fn symbol_map(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_books_that_start_from_rest_need_its_address() {
        let over_rest = *VenueKind::usual();
        let mut in_band = over_rest;
        in_band.has_rest_snapshots = false;
        let venue = VenueConfig::default();
        assert!(lacks_rest(&venue, &over_rest) && !lacks_rest(&venue, &in_band));
        let without_books = VenueConfig { books: false, ..VenueConfig::default() };
        assert!(!lacks_rest(&without_books, &over_rest));
        let told = VenueConfig { rest_url: "http://h".to_owned(), ..VenueConfig::default() };
        assert!(!lacks_rest(&told, &over_rest));
    }
}
