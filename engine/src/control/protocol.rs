//! What travels over the control socket: one JSON object a line, in both directions.
//!
//! A request names its `version`, its `verb` and the verb's own fields; an `id` makes it
//! repeatable: the same request with the same id is answered from memory and never carried out
//! twice.
//!
//! ```json
//! {"version":1,"id":"a-1","verb":"subscribe","consumer":"momentum","instrument":"BTC-USDT"}
//! {"version":1,"id":"a-1","ok":true,"reply":{"kind":"flip","version":2,"is_dry_run":false,"added":[]}}
//! {"version":1,"id":null,"ok":false,"refusal":{"code":"unknown_verb","message":"..."}}
//! ```
//!
//! Fields and verbs that are not known are refused, with what may have been meant. A field that is
//! added later has a default, so requests of this version stay valid.

use serde::{Deserialize, Serialize};

use super::{ConsumerAudit, RefusalText, Status};
use crate::order::order_log::OpenOrderRow;
use crate::risk::RiskState;

pub use super::limits::{
    ID_BYTES_MAX, LINE_BYTES_MAX, NAMES_MAX, VERSION, WATCH_INTERVAL_LIMITS_MS, WATCH_INTERVAL_MS,
    WINDOW_EVENTS_MAX, WINDOW_MS_MAX,
};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlRequest {
    /// One reading of the engine.
    Status {},
    /// The orders that are open.
    Orders {},
    /// The accounts of all consumers, compared at one cut of their lanes.
    Audit {},
    /// The routes in force.
    Routes(RouteFilter),
    /// Turn routes on.
    Subscribe(Selection),
    /// Turn routes off.
    Unsubscribe(Selection),
    /// Start a merged stream.
    Merge(MergeRule),
    /// End a merged stream.
    Unmerge {
        /// The number that [`Reply::Merge`] gave.
        rule: u16,
    },
    /// Change a venue's sessions.
    Venue {
        /// What to do.
        action: VenueAction,
        /// The venue, as the configuration names it.
        name: String,
    },
    /// Change a consumer's state.
    Consumer {
        /// What to do.
        action: ConsumerAction,
        /// The consumer, as the configuration names it.
        name: String,
    },
    /// The trading switch.
    Mode {
        /// Whether new orders may leave.
        trading: bool,
    },
    /// The limits with what is used of them, and what holds orders back.
    Risk {},
    /// Change a limit.
    RiskSet(RiskEdit),
    /// Kill the orders of a strategy, or to a venue: none leaves that adds risk, what is open is
    /// cancelled. Or let them leave again.
    RiskSwitch {
        /// What to do.
        action: RiskAction,
        /// The strategy, as the configuration names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strategy: Option<String>,
        /// The venue, as the configuration names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        venue: Option<String>,
    },
    /// Stop trading, cancel every open order, stop the engine.
    Kill {},
    /// Several changes of routes in one flip.
    Flip {
        /// Only say what would change.
        #[serde(default)]
        dry_run: bool,
        /// The changes, carried out in this order.
        changes: Vec<RouteEdit>,
    },
    /// Tell a consumer an event of a dead letter.
    Deliver(Delivery),
    /// A reading at once and then one each interval, until the client closes its end or sends
    /// anything.
    Watch {
        /// Time between two readings, 100 to 60,000 ms.
        #[serde(default = "watch_interval_ms")]
        interval_ms: u64,
    },
}

fn watch_interval_ms() -> u64 {
    WATCH_INTERVAL_MS
}

/// Which routes to show; what is not given does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteFilter {
    /// Only of this consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Only of this instrument, `BASE-QUOTE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// Only from this venue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
}

/// Routes of one consumer and instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The consumer, as the configuration names it.
    pub consumer: String,
    /// The instrument, `BASE-QUOTE`.
    pub instrument: String,
    /// Venues; empty: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub venues: Vec<String>,
    /// Kinds of events; empty: every market and reference kind that the strategy handles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
}

/// A change of routes inside [`ControlRequest::Flip`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum RouteEdit {
    /// Turn routes on.
    Subscribe(Selection),
    /// Turn routes off.
    Unsubscribe(Selection),
}

/// A merged stream: the latest event of each venue, joined when a window closes (LM-05).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeRule {
    /// The consumer that gets it.
    pub consumer: String,
    /// The instrument, `BASE-QUOTE`.
    pub instrument: String,
    /// The venues that are merged, two or more.
    pub venues: Vec<String>,
    /// The kind that is merged.
    pub kind: String,
    /// Longest time from a window's first event to its end, 1 to 60,000 ms.
    pub window_ms: u64,
    /// Events after which a window ends at once, 2 to 1,024.
    pub max_events: u32,
}

/// An event of a dead letter, for one consumer. Numbers of the run that kept it mean nothing here:
/// consumer, venue and instrument are given by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The consumer that gets it.
    pub consumer: String,
    /// The venue, as the configuration names it; an exec report needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// The instrument, `BASE-QUOTE`; an exec report needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// The event's bytes in hexadecimal, as `raw_hex` of its letter has them.
    pub event: String,
}

/// What can be done with a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueAction {
    /// Start its sessions.
    Add,
    /// End its sessions; what is in flight drains.
    Remove,
    /// Keep its sessions, and take no market data from them.
    Pause,
    /// Take market data again.
    Resume,
}

/// What can be done with a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerAction {
    /// Publish no market data to it; critical events still come.
    Pause,
    /// Publish market data to it again.
    Resume,
    /// Deliver nothing more to it, as after too many failures.
    Quarantine,
}

/// A change of a limit. Where nobody is named it is each strategy's; where no instrument is, that
/// in every one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskEdit {
    /// The limit, as the configuration calls it.
    pub limit: String,
    /// Its value in the configuration's own unit, or `off`.
    pub value: String,
    /// Only of this strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// What all strategies share at this venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// What all strategies share over all venues.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub total: bool,
    /// Only in this instrument, `BASE-QUOTE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
}

/// What can be done with the orders of a strategy, or to a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskAction {
    /// No order leaves that adds risk; what is open is cancelled.
    Kill,
    /// They may leave again.
    Resume,
}

/// A line to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// Makes the request repeatable; at most [`ID_BYTES_MAX`] bytes.
    pub id: Option<String>,
    /// What is asked for.
    pub request: ControlRequest,
}

/// A line from the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplyLine {
    /// Version of the protocol.
    pub version: u32,
    /// The request's own id.
    pub id: Option<String>,
    /// Whether the request was carried out.
    pub ok: bool,
    /// Whether this is the stored answer of an earlier request with this id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_repeat: bool,
    /// What came of it, when `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Why not, when not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalText>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// To `status`, and each reading of `watch`.
    Status(Box<Status>),
    /// To `audit`.
    Audit {
        /// Whether every consumer reached the cut, and every account holds.
        holds: bool,
        /// By consumer.
        consumers: Vec<ConsumerAudit>,
    },
    /// To `orders`.
    Orders {
        /// By strategy, the oldest first.
        orders: Vec<OpenOrderRow>,
        /// Things told of orders that found no room on their way: where it is not 0, an order may
        /// be missing, or one that is over be here.
        missed: u64,
    },
    /// To `routes`.
    Routes {
        /// The routing version in force.
        version: u32,
        /// The routes in force that the filter leaves.
        routes: Vec<RouteRow>,
    },
    /// To `subscribe`, `unsubscribe`, `flip`, and every other verb that flips the tables.
    Flip(FlipReport),
    /// To `merge`.
    Merge {
        /// The rule's number, for `unmerge`.
        rule: u16,
        /// The flip that started it.
        flip: FlipReport,
    },
    /// To `mode`.
    Mode {
        /// The switch from now on.
        trading: bool,
        /// The switch before.
        was_trading: bool,
    },
    /// To `risk`.
    Risk(Box<RiskState>),
    /// To `risk_set`.
    Limits {
        /// What was changed, a line each.
        changed: Vec<String>,
    },
    /// To `kill`: the engine is stopping.
    Stopping {},
    /// To `venue`, `consumer`, `risk_switch` and `deliver`.
    Done {
        /// What was done, for a person.
        message: String,
        /// Its state from now on.
        state: String,
    },
}

/// One route by its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouteRow {
    /// Who gets it.
    pub consumer: String,
    /// What it is about.
    pub instrument: String,
    /// Where it comes from: a venue, or `merge:RULE`.
    pub source: String,
    /// What it carries.
    pub event: String,
}

/// What a flip did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlipReport {
    /// Whether nothing was changed.
    pub is_dry_run: bool,
    /// The routing version from then on.
    pub version: u32,
    /// Routes that came.
    pub added: Vec<RouteRow>,
    /// Routes that went.
    pub removed: Vec<RouteRow>,
    /// Consumers whose routes changed.
    pub affected: Vec<String>,
    /// How long the dispatcher's step took, ns; 0 in a dry run.
    pub step_ns: u64,
    /// Market events that lay in the affected lanes and cells at the swap.
    pub stale_queued: u64,
}

impl ControlRequest {
    /// The verb as it stands in a line.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            ControlRequest::Status {} => "status",
            ControlRequest::Orders {} => "orders",
            ControlRequest::Audit {} => "audit",
            ControlRequest::Routes(_) => "routes",
            ControlRequest::Subscribe(_) => "subscribe",
            ControlRequest::Unsubscribe(_) => "unsubscribe",
            ControlRequest::Merge(_) => "merge",
            ControlRequest::Unmerge { .. } => "unmerge",
            ControlRequest::Venue { .. } => "venue",
            ControlRequest::Consumer { .. } => "consumer",
            ControlRequest::Mode { .. } => "mode",
            ControlRequest::Risk {} => "risk",
            ControlRequest::RiskSet(_) => "risk_set",
            ControlRequest::RiskSwitch { .. } => "risk_switch",
            ControlRequest::Kill {} => "kill",
            ControlRequest::Flip { .. } => "flip",
            ControlRequest::Deliver(_) => "deliver",
            ControlRequest::Watch { .. } => "watch",
        }
    }

    /// Whether it can change anything.
    #[must_use]
    pub const fn is_mutating(&self) -> bool {
        match self {
            ControlRequest::Status {}
            | ControlRequest::Orders {}
            | ControlRequest::Risk {}
            | ControlRequest::Audit {}
            | ControlRequest::Routes(_)
            | ControlRequest::Watch { .. } => false,
            ControlRequest::Flip { dry_run, .. } => !*dry_run,
            ControlRequest::Subscribe(_)
            | ControlRequest::Unsubscribe(_)
            | ControlRequest::Merge(_)
            | ControlRequest::Unmerge { .. }
            | ControlRequest::Venue { .. }
            | ControlRequest::Consumer { .. }
            | ControlRequest::Mode { .. }
            | ControlRequest::RiskSet(_)
            | ControlRequest::RiskSwitch { .. }
            | ControlRequest::Deliver(_)
            | ControlRequest::Kill {} => true,
        }
    }
}

impl RequestLine {
    /// The line without its line feed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut value = serde_json::to_value(&self.request).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("version".to_owned(), VERSION.into());
            if let Some(id) = &self.id {
                fields.insert("id".to_owned(), id.as_str().into());
            }
        }
        value.to_string()
    }
}

impl ReplyLine {
    /// The answer to the request with this id.
    #[must_use]
    pub fn of(id: Option<String>, outcome: Result<Reply, super::Refusal>) -> ReplyLine {
        let (reply, refusal) = match outcome {
            Ok(reply) => (Some(reply), None),
            Err(refusal) => (None, Some(refusal.text())),
        };
        let ok = refusal.is_none();
        ReplyLine { version: VERSION, id, ok, is_repeat: false, reply, refusal }
    }
}
