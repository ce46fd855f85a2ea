//! The kinds of venues that there are: the one place that ties a name to protocols.
//!
//! What comes from here knows no protocol: agents are erased to [`Agent`], functions are plain
//! pointers.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::binance::{BinanceOrders, SpotMarket};
use super::binance_futures::{FuturesMarket, FuturesOrders};
use super::binance_sbe::SbeMarket;
use super::bybit::{BybitMarket, BybitOrders};
use super::codec::DecodeError;
use super::coinbase::{CoinbaseMarket, CoinbaseOrders};
use super::kraken::{KrakenMarket, KrakenOrders};
use super::letter_reader::{ReadFrame, market_reader, order_reader};
use super::market::{
    Conformance, Connection, Fit, MarketAgent, MarketOptions, MarketWiring, Recorded,
    SnapshotAgent, SnapshotClient, SnapshotOptions, Stream, StreamPort, symbol_map,
};
use super::okx::{OkxMarket, OkxOrders};
use super::orders::{
    Guard, GuardOptions, GuardSession, OrderAgent, OrderOptions, OrderWiring, RestGuard,
};
use super::protocol::{
    KeyError, Keys, MarketProtocol, OrderDecoder, OrderProtocol, ReadInstruments, Signer,
    VenueLimits,
};
use super::simulated::dialect::{RecordedDialect, binance_futures, binance_sbe, binance_spot};
use super::simulated::dialect::{bybit, coinbase, kraken, okx};
use super::simulated::{DialectKind, Recording, RecordingError};
use super::transport::RestOptions;
use super::{InstrumentBoard, InstrumentWord, LaneOutlet, LetterReader, StreamOrders, SymbolMap};
use crate::config::{Config, RecordedSymbol};
use crate::event::EventKind;
use crate::order::Capabilities;
use crate::runtime::Agent;
use crate::world::SplitMix64;

/// A kind of venue, by the name that `kind` has in the configuration.
#[derive(Clone, Copy)]
pub struct VenueKind {
    /// Its name.
    pub name: &'static str,
    /// What the sequences of its streams promise.
    pub stream_orders: StreamOrders,
    /// Parts of its address space, see [`MarketProtocol::ROUTES`].
    pub routes: &'static [&'static str],
    /// See [`MarketProtocol::KEY_HEADER`].
    pub key_header: Option<&'static str>,
    /// What the venue allows.
    pub limits: VenueLimits,
    /// Books are told whole over REST, not in the stream.
    pub has_rest_snapshots: bool,
    /// See [`MarketProtocol::FRAME_BYTES_USUAL`].
    pub(crate) frame_bytes_usual: usize,
    /// See [`MarketProtocol::BOOK_LEVELS_USUAL`].
    pub(crate) book_levels_usual: usize,
    /// Whether REST tells if instruments trade, and in which increments.
    pub tells_instruments: bool,
    read_instruments: Option<ReadInstruments>,
    /// See [`Connection::spread`].
    pub spread: Spread,
    /// Why no stream of an event kind comes at an address or path of streams; `None`: it does.
    pub(crate) lacks: fn(EventKind, &str) -> Option<&'static str>,
    /// See [`SnapshotAgent::new`].
    pub(crate) snapshot_agent: MakeSnapshotAgent,
    fit: JudgeFrames,
    conformance: JudgeRecording,
    /// Its books come with checksums.
    pub has_checksums: bool,
    pub(crate) market_agent: MakeMarketAgent,
    market_reader: MakeReader,
    /// `None`: it takes no orders here.
    pub(crate) orders: Option<OrderKind>,
    /// What a simulated venue of this kind speaks; `None`: there is none.
    pub dialect: Option<&'static DialectKind>,
    /// How its recordings are read.
    recorded: &'static dyn RecordedDialect,
}

impl fmt::Debug for VenueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VenueKind({})", self.name)
    }
}

/// How a kind of venue takes orders.
#[derive(Clone, Copy)]
pub(crate) struct OrderKind {
    /// With the keys that a configuration names.
    pub(crate) with_keys: fn(Keys<'_>) -> Result<KeyedOrders, KeyError>,
    /// With a drawn key, for a simulated venue of this kind.
    pub(crate) with_drawn_key: fn(&str, &mut SplitMix64) -> Result<KeyedOrders, KeyError>,
    /// With the keys that a configuration names, and nothing but a cancel of all.
    pub(crate) guard_with_keys: MakeGuard,
    /// Its guard asks over REST.
    pub(crate) guards_over_rest: bool,
    /// It needs the venue's REST interface, too.
    pub(crate) needs_rest: bool,
    reader: MakeReader,
    capabilities: Capabilities,
}

/// An order session that has its keys and lacks its ends.
pub(crate) struct KeyedOrders {
    /// See [`OrderKind::needs_rest`].
    pub(crate) needs_rest: bool,
    /// See [`Signer::verifying_key`].
    pub(crate) verifying_key: Vec<u8>,
    make: Box<MakeOrderAgent>,
}

/// The form of [`Connection::spread`].
pub type Spread = fn(&SymbolMap, bool, Option<&[String]>, usize, &str) -> Vec<Connection>;

type MakeSnapshotAgent = fn(SnapshotOptions) -> (Box<dyn Agent>, SnapshotClient);

type MakeGuard =
    fn(Keys<'_>, GuardOptions, Option<RestOptions>) -> Result<Box<dyn GuardSession>, KeyError>;
type MakeOrderAgent = dyn FnOnce(OrderOptions, OrderWiring<LaneOutlet>) -> Box<dyn Agent>;
type MakeReader = fn(SymbolMap, usize) -> Box<ReadFrame>;
type JudgeFrames = fn(&[RecordedSymbol], &mut dyn Iterator<Item = Cow<'_, [u8]>>) -> Fit;
type JudgeRecording =
    fn(&[RecordedSymbol], &mut dyn Iterator<Item = (i64, Recorded<'_>)>) -> Conformance;
type Wanted<'a> = &'a dyn Fn(&Stream) -> bool;
type MakeMarketAgent = fn(MarketOptions, Wanted<'_>, MarketWiring<LaneOutlet>) -> MarketSession;

/// A market agent, and where more streams are asked of it; `None` when the configuration names
/// them.
pub(crate) type MarketSession = (Box<dyn Agent>, Option<Arc<StreamPort>>);

/// Every kind; the first one is what a venue is that names none.
static KINDS: &[VenueKind] = &[
    of::<SpotMarket>("binance", &binance_spot::CombinedStreams)
        .with_dialect(&binance_spot::DIALECT)
        .with_orders::<BinanceOrders>(),
    of::<FuturesMarket>("binance_futures", &binance_spot::CombinedStreams)
        .with_dialect(&binance_futures::DIALECT)
        .with_orders::<FuturesOrders>(),
    of::<SbeMarket>("binance_sbe", &binance_sbe::BinaryStreams)
        .with_dialect(&binance_sbe::DIALECT)
        .with_orders::<BinanceOrders>(),
    of::<BybitMarket>("bybit", &bybit::Recorded)
        .with_dialect(&bybit::DIALECT)
        .with_orders::<BybitOrders>(),
    of::<CoinbaseMarket>("coinbase", &coinbase::Recorded)
        .with_dialect(&coinbase::DIALECT)
        .with_orders::<CoinbaseOrders>(),
    of::<KrakenMarket>("kraken", &kraken::Recorded)
        .with_dialect(&kraken::DIALECT)
        .with_orders::<KrakenOrders>(),
    of::<OkxMarket>("okx", &okx::Recorded).with_dialect(&okx::DIALECT).with_orders::<OkxOrders>(),
];

const fn of<P: MarketProtocol>(
    name: &'static str,
    recorded: &'static dyn RecordedDialect,
) -> VenueKind {
    VenueKind {
        name,
        stream_orders: P::ORDERS,
        routes: P::ROUTES,
        key_header: P::KEY_HEADER,
        limits: P::LIMITS,
        has_rest_snapshots: P::SNAPSHOT.rest().is_some(),
        frame_bytes_usual: P::FRAME_BYTES_USUAL,
        book_levels_usual: P::BOOK_LEVELS_USUAL,
        tells_instruments: P::INSTRUMENTS.is_some(),
        read_instruments: match P::INSTRUMENTS {
            Some(request) => Some(request.read),
            None => None,
        },
        spread: Connection::spread::<P>,
        lacks: lacks::<P>,
        snapshot_agent: snapshot_agent::<P>,
        fit: Fit::of::<P>,
        conformance: Conformance::of::<P>,
        has_checksums: P::CHECKSUM.is_some(),
        market_agent: market_agent::<P>,
        market_reader: market_reader::<P>,
        orders: None,
        dialect: None,
        recorded,
    }
}

fn lacks<P: MarketProtocol>(kind: EventKind, stream_at: &str) -> Option<&'static str> {
    match P::topic("X", kind) {
        None => Some("its kind has no such stream"),
        Some(_) => P::elsewhere(kind, stream_at),
    }
}

fn snapshot_agent<P: MarketProtocol>(options: SnapshotOptions) -> (Box<dyn Agent>, SnapshotClient) {
    let (agent, client) = SnapshotAgent::<P>::new(options);
    (Box::new(agent), client)
}

fn market_agent<P: MarketProtocol>(
    options: MarketOptions,
    wanted: Wanted<'_>,
    wiring: MarketWiring<LaneOutlet>,
) -> MarketSession {
    let agent = MarketAgent::<P, _>::new(options, wanted, wiring);
    let port = agent.stream_port();
    (Box::new(agent), port)
}

impl KeyedOrders {
    fn new<P: OrderProtocol>(signer: P::Signer) -> KeyedOrders {
        let verifying_key = signer.verifying_key();
        let make = |options: OrderOptions, wiring| -> Box<dyn Agent> {
            let frame_bytes_max = options.session.limits.frame_bytes_max;
            let decoder = P::Decoder::new(options.symbols.clone(), frame_bytes_max);
            Box::new(OrderAgent::new(P::new(signer, decoder), options, wiring))
        };
        let needs_rest = P::ASKS_OVER_REST;
        KeyedOrders { needs_rest, verifying_key, make: Box::new(make) }
    }

    /// The session's agent.
    pub(crate) fn agent(
        self,
        options: OrderOptions,
        wiring: OrderWiring<LaneOutlet>,
    ) -> Box<dyn Agent> {
        (self.make)(options, wiring)
    }
}

impl VenueKind {
    /// The same, which the simulated venue can be.
    const fn with_dialect(self, dialect: &'static DialectKind) -> VenueKind {
        VenueKind { dialect: Some(dialect), ..self }
    }

    /// The same, which takes orders.
    const fn with_orders<P: OrderProtocol>(self) -> VenueKind {
        let orders = OrderKind {
            with_keys: |keys| P::Signer::read(keys).map(KeyedOrders::new::<P>),
            with_drawn_key: |name, random| {
                P::Signer::drawn(name, random).map(KeyedOrders::new::<P>)
            },
            guard_with_keys: |keys, options, rest| {
                let signer = P::Signer::read(keys)?;
                Ok(match rest.filter(|_| P::GUARDS_OVER_REST) {
                    Some(rest) => Box::new(RestGuard::<P>::new(signer, options, rest)),
                    None => Box::new(Guard::<P>::new(signer, options)),
                })
            },
            guards_over_rest: P::GUARDS_OVER_REST,
            needs_rest: P::ASKS_OVER_REST,
            reader: order_reader::<P::Decoder>,
            capabilities: P::CAPABILITIES.of_kind(self.name),
        };
        VenueKind { orders: Some(orders), ..self }
    }

    /// Whether orders can be sent to venues of this kind.
    #[must_use]
    pub fn takes_orders(&self) -> bool {
        self.orders.is_some()
    }

    /// What it can do with orders.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.orders.map_or(Capabilities::NONE, |orders| orders.capabilities)
    }

    /// The kind of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static VenueKind> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// Tells a configuration what its simulated venues can do.
    pub fn settle(config: &mut Config) {
        let kinds = config.simulated_kinds().map(VenueKind::find);
        config.simulated_take_orders =
            kinds.map(|kind| kind.is_none_or(VenueKind::takes_orders)).collect();
    }

    /// The kind of every venue of a checked configuration, by its number.
    #[must_use]
    pub fn of_venues(config: &Config) -> Vec<&'static VenueKind> {
        let configured = config.venues.iter();
        let configured = configured.map(|venue| VenueKind::find(&venue.kind));
        let kinds = configured.chain(config.simulated_kinds().map(VenueKind::find));
        kinds.map(|kind| kind.unwrap_or(VenueKind::usual())).collect()
    }

    /// What reads frames that were kept of a venue of this kind.
    #[must_use]
    pub fn letter_reader(&self, symbols: SymbolMap, frame_bytes_max: usize) -> LetterReader {
        let orders = self.orders.map(|orders| (orders.reader)(symbols.clone(), frame_bytes_max));
        LetterReader::new((self.market_reader)(symbols, frame_bytes_max), orders)
    }

    /// The names of the kinds as which the simulated venue can speak.
    pub fn simulated_names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().filter(|kind| kind.dialect.is_some()).map(|kind| kind.name)
    }

    /// The names of all kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// The kinds that the simulated venue can be, with what each speaks.
    pub fn simulable() -> impl Iterator<Item = (&'static VenueKind, &'static DialectKind)> {
        KINDS.iter().filter_map(|kind| Some((kind, kind.dialect?)))
    }

    /// Reads a recording, a folder or one file of it, as of the kind `asked` for; without that, of
    /// the kind that the folder names, or of the first one that its frames fit.
    ///
    /// # Errors
    /// What is wrong with which line, or how the frames do not fit.
    pub fn recording(
        path: &Path,
        asked: Option<&str>,
    ) -> Result<(&'static VenueKind, Recording), RecordingError> {
        let refused = |problem| RecordingError::Kind { path: path.to_owned(), problem };
        let beside = Recording::kind_beside(path)?;
        let Some(name) = asked.or(beside.as_deref()) else {
            return VenueKind::fitting(path);
        };
        let kind = VenueKind::find(name).ok_or_else(|| {
            let names: Vec<_> = VenueKind::names().collect();
            refused(format!("{name} is no kind of venue; there are {}", names.join(", ")))
        })?;
        let mut recording = Recording::empty(kind.recorded);
        recording.read(path)?;
        let found = kind.fit_of(&recording);
        if found.is_good() {
            return Ok((kind, recording));
        }
        let hint = VenueKind::fitting(path).ok();
        let hint = hint.map(|(other, _)| format!("; set kind = {:?}", other.name));
        Err(refused(format!("is not of kind {name}: {found}{}", hint.unwrap_or_default())))
    }

    /// Reads a recording as of the first kind that its frames fit.
    fn fitting(path: &Path) -> Result<(&'static VenueKind, Recording), RecordingError> {
        let mut problems: Vec<(String, Vec<&str>)> = Vec::new();
        let mut add = |kind: &VenueKind, problem: String| match problems
            .iter_mut()
            .find(|(known, _)| *known == problem)
        {
            Some((_, kinds)) => kinds.push(kind.name),
            None => problems.push((problem, vec![kind.name])),
        };
        for kind in KINDS {
            let mut recording = Recording::empty(kind.recorded);
            match recording.read(path) {
                Ok(()) => {
                    let found = kind.fit_of(&recording);
                    if found.is_good() {
                        return Ok((kind, recording));
                    }
                    add(kind, found.to_string());
                }
                // Another kind may know what stands there, unless frames of this one came before.
                Err(RecordingError::Line { path, line, problem }) if recording.frames() == 0 => {
                    let file = path.file_name().unwrap_or_default().display();
                    add(kind, format!("{file}:{line}: {problem}"));
                }
                Err(error) => return Err(error),
            }
        }
        let problems = problems.iter().map(|(why, kinds)| format!("{}: {why}", kinds.join(", ")));
        let problem = problems.collect::<Vec<_>>().join("; ");
        let problem = format!("is of no known kind of venue ({problem})");
        Err(RecordingError::Kind { path: path.to_owned(), problem })
    }

    fn fit_of(&self, recording: &Recording) -> Fit {
        (self.fit)(recording.symbols(), &mut recording.frame_data())
    }

    /// Holds a recording of this kind against its protocol, frame by frame.
    #[must_use]
    pub fn conformance(&self, recording: &Recording) -> Conformance {
        let mut steps = recording.everything().map(|(time_ns, data, native)| match native {
            None => (time_ns, Recorded::Frame(data)),
            Some(native) => (time_ns, Recorded::Snapshot { native, body: data }),
        });
        (self.conformance)(recording.symbols(), &mut steps)
    }

    /// What the venue says of the instruments of a recording of this kind, where that is in it: by
    /// its own names of them. Empty where nothing is; an error, where what is there can't be read.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong.
    pub fn recorded_instruments(
        &self,
        recording: &Recording,
    ) -> Result<Vec<(String, InstrumentWord)>, DecodeError> {
        let lists = recording.instrument_lists();
        let symbols = symbol_map(recording.symbols());
        let (Some(read), Some(symbols), false) = (self.read_instruments, symbols, lists.is_empty())
        else {
            return Ok(Vec::new());
        };
        let board = InstrumentBoard::of(&symbols);
        for list in lists {
            read(list.as_bytes(), &symbols, &mut |word| {
                if let Some(native) = symbols.native(word.instrument) {
                    board.hear(native, &word);
                }
            })?;
        }
        // A list may be of one instrument alone.
        Ok(board.read())
    }

    /// What a venue is that names no kind.
    #[must_use]
    pub fn usual() -> &'static VenueKind {
        &KINDS[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VenueConfig;
    use crate::order::{OrderType, TimeInForce, TriggerBy};

    #[test]
    fn a_configuration_learns_what_its_simulated_venue_can_do() {
        let mut config = Config::default_run();
        assert!(config.takes_orders(0));
        for kind in KINDS {
            config.simulated.kind = kind.name.to_owned();
            VenueKind::settle(&mut config);
            assert_eq!(config.takes_orders(0), kind.takes_orders(), "{}", kind.name);
        }
    }

    /// A row of the table in the guide.
    fn row(kind: &VenueKind) -> String {
        let can = kind.capabilities();
        if !kind.takes_orders() {
            return format!("| `{}` | no orders | | | | | | |", kind.name);
        }
        let joined = |names: Vec<&str>| names.join(", ");
        let yes = |has: bool| if has { "yes" } else { "no" };
        let types = joined(can.types.iter().map(OrderType::name).collect());
        let times = TimeInForce::ALL.into_iter().filter(|time| can.has_time(*time));
        let times = joined(times.map(TimeInForce::name).collect());
        let triggers = TriggerBy::ALL.into_iter().filter(|by| can.has_trigger(*by));
        let triggers = joined(triggers.map(TriggerBy::name).collect());
        let (name, amends) = (kind.name, can.amends.name());
        let (reduces, batch) = (yes(can.reduces_only), can.cancels_per_request);
        let can_guard = kind.orders.is_some_and(|of| of.guards_over_rest || !of.needs_rest);
        let none = if can_guard { "no: `pitlane guard`" } else { "no" };
        let dead_man = can
            .dead_man
            .map_or(none.to_owned(), |timer| format!("{} to {} ms", timer.min_ms, timer.max_ms));
        format!(
            "| `{name}` | {types} | {times} | {triggers} | {amends} | {reduces} | {batch} | \
             {dead_man} |"
        )
    }

    #[test]
    fn the_guide_says_what_each_kind_can_do_with_orders() {
        let guide = include_str!("../../docs/orders.md");
        for kind in KINDS {
            assert!(guide.contains(&row(kind)), "engine/docs/orders.md lacks:\n{}", row(kind));
        }
    }

    #[test]
    fn a_venue_that_names_no_kind_is_of_the_usual_one() {
        let usual = VenueKind::find(&VenueConfig::default().kind).unwrap();
        assert_eq!(usual.name, VenueKind::usual().name);
        assert!(VenueKind::find("nasdaq").is_none());
    }
}
