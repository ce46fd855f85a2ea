//! The kinds of venues that there are: the one place that ties a name to protocols.
//!
//! What comes from here knows no protocol: agents are erased to [`Agent`], functions are plain pointers.

use std::sync::Arc;

use super::binance::SpotMarket;
use super::binance_futures::FuturesMarket;
use super::market::{
    Connection, MarketAgent, MarketOptions, MarketWiring, SnapshotAgent, SnapshotClient,
    SnapshotOptions, Stream, StreamPort,
};
use super::protocol::{MarketProtocol, VenueLimits};
use super::{LaneOutlet, StreamOrders, SymbolMap};
use crate::runtime::Agent;

/// A kind of venue, by the name that `kind` has in the configuration.
pub struct VenueKind {
    /// Its name.
    pub name: &'static str,
    /// What the sequences of its streams promise.
    pub stream_orders: StreamOrders,
    /// Parts of its address space, see [`MarketProtocol::ROUTES`].
    pub routes: &'static [&'static str],
    /// What the venue allows.
    pub limits: VenueLimits,
    /// See [`Connection::spread`].
    pub spread: Spread,
    /// See [`SnapshotAgent::new`].
    pub(crate) snapshot_agent: MakeSnapshotAgent,
    pub(crate) market_agent: MakeMarketAgent,
}

/// The form of [`Connection::spread`].
pub type Spread = fn(&SymbolMap, bool, Option<&[String]>, usize) -> Vec<Connection>;

type MakeSnapshotAgent = fn(SnapshotOptions) -> (Box<dyn Agent>, SnapshotClient);

type Wanted<'a> = &'a dyn Fn(&Stream) -> bool;
type MakeMarketAgent = fn(MarketOptions, Wanted<'_>, MarketWiring<LaneOutlet>) -> MarketSession;

/// A market agent, and where more streams are asked of it; `None` when the configuration names them.
pub(crate) type MarketSession = (Box<dyn Agent>, Option<Arc<StreamPort>>);

/// Every kind; the first one is what a venue is that names none.
static KINDS: &[VenueKind] = &[of::<SpotMarket>("binance"), of::<FuturesMarket>("binance_futures")];

const fn of<P: MarketProtocol>(name: &'static str) -> VenueKind {
    VenueKind {
        name,
        stream_orders: P::ORDERS,
        routes: P::ROUTES,
        limits: P::LIMITS,
        spread: Connection::spread::<P>,
        snapshot_agent: snapshot_agent::<P>,
        market_agent: market_agent::<P>,
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

impl VenueKind {
    /// The kind of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static VenueKind> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The names of all kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// What a venue is that names no kind, and what the embedded venue speaks.
    #[must_use]
    pub fn usual() -> &'static VenueKind {
        &KINDS[0]
    }
}
