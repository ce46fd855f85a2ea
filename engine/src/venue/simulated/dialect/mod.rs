//! Dialects: what an exchange says and hears, in the texts of one venue.

pub mod binance_futures;
pub mod binance_sbe;
pub mod binance_spot;
pub mod bybit;
pub mod coinbase;
mod in_band;
mod instrument_lists;
mod kind;
pub mod kraken;
pub mod okx;
mod order_entry;
mod orders_alone;
mod recorded;

use std::sync::Arc;

use super::counters::SimulatedVenueCounters;
use super::exchange::{Event, Exchange, StreamKey};
use super::fault::{Fault, Faults};
use super::limits::Limits;
use super::moment::Moment;
use super::server::{AccountFrame, HttpRequest, MarketFrame, Opening, Reply, Session};

pub use binance_spot::DIALECT as USUAL;
pub use kind::DialectKind;
pub use order_entry::{OrderFormat, Refused, Wish};
pub use orders_alone::orders_alone;
pub use recorded::{RecordedDialect, RecordedFrame, RecordedLine, RecordedRequest, UpdateIds};

/// The texts of one venue. It owns no socket, no clock and no order: text in, commands to the
/// exchange, text out.
pub trait Dialect: Send + 'static {
    /// The stream of a name, if there is one.
    fn resolve(&self, stream: &str) -> Option<StreamKey>;
    /// Lets a WebSocket in, or refuses its handshake.
    fn open(
        &mut self,
        request: &HttpRequest,
        limits: &mut Limits,
        now: Moment,
    ) -> Result<Opening, Reply>;
    /// Answers a REST request, on which a fault may have struck already.
    fn rest(
        &mut self,
        request: &HttpRequest,
        exchange: &Exchange,
        limits: &mut Limits,
        faults: (Option<Fault>, &mut Faults),
        now: Moment,
    ) -> Reply;
    /// A request over REST that is handled as a message, since it changes something; `None`: it is
    /// answered by [`Dialect::rest`].
    fn message_of(
        &mut self,
        _request: &HttpRequest,
        _limits: &mut Limits,
        _now: Moment,
    ) -> Option<String> {
        None
    }
    /// Handles a message of a session.
    fn message(&mut self, text: &str, stage: Stage, talk: &mut Talk<'_>);
    /// Renders a market event; `None` when the venue has no frame for it.
    fn market_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<MarketFrame<'_>>;
    /// Renders an event of the account.
    fn account_frame(
        &mut self,
        _event: &Event,
        _exchange: &Exchange,
        _now: Moment,
    ) -> Option<AccountFrame> {
        None
    }
    /// Looks at the sessions that are open, each turn.
    fn watch(
        &mut self,
        _sessions: &mut dyn Iterator<Item = &Session>,
        _exchange: &Exchange,
        _now: Moment,
    ) {
    }
    /// What a session is told before it is disconnected.
    fn shutdown_notice(&self, session: &Session, now: Moment) -> Option<String>;
    /// What a session is told each second, whatever else it is told.
    fn heartbeat(&self, _session: &Session, _now: Moment) -> Option<String> {
        None
    }
    /// What a session is told when its account's events end.
    fn stream_terminated(&self, _now: Moment) -> Option<String> {
        None
    }
    /// An exec report with one field made absurd; any number names one.
    fn absurd(&self, report: &str, _field: usize) -> String {
        report.to_owned()
    }
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has just arrived.
    Received,
    /// It was received before, and is now handed to the matching engine.
    Forwarded,
    /// Forwarded, and its reply has been given or is never given.
    Unheard,
}

/// One message's surroundings.
pub struct Talk<'a> {
    /// The session that speaks.
    pub session: &'a mut Session,
    /// What is traded.
    pub exchange: &'a mut Exchange,
    /// The venue's limits.
    pub limits: &'a mut Limits,
    /// What is counted.
    pub counters: Arc<SimulatedVenueCounters>,
    /// What goes wrong.
    pub faults: &'a mut Faults,
    /// When it is.
    pub now: Moment,
    /// What is said to the session, in order.
    pub says: Vec<Saying>,
}

/// What a message leads to on its own connection; times are nanoseconds of the monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// A text, at once.
    Now(String),
    /// A text, later.
    #[allow(missing_docs)]
    Later { at_ns: u64, text: String },
    /// The message arrives, later.
    #[allow(missing_docs)]
    Arrives { at_ns: u64, text: String },
    /// The message is handled again, as forwarded; `is_heard`: its reply is given then.
    #[allow(missing_docs)]
    Again { at_ns: u64, text: String, is_heard: bool },
    /// The connection is closed.
    #[allow(missing_docs)]
    Close { at_ns: u64 },
}

impl Saying {
    /// When it is due, nanoseconds of the monotonic clock.
    pub fn due_ns(&self) -> u64 {
        match self {
            Saying::Now(_) => 0,
            Saying::Later { at_ns, .. }
            | Saying::Arrives { at_ns, .. }
            | Saying::Again { at_ns, .. }
            | Saying::Close { at_ns } => *at_ns,
        }
    }
}
