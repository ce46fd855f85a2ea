//! The fault plan: what goes wrong on the wire, when, and that it did.
//!
//! A rule is a fault and a trigger. Each rule counts the events that it could spoil (frames,
//! handshakes, subscriptions, exec reports, requests, queries, tenths of a second, over all
//! connections) and strikes when its trigger says so. When two rules strike at once, the second
//! strikes at its next event. Every injection is counted under the fault's [`FaultName`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::frame_kind::FrameKind;
use crate::world::SplitMix64;

/// A fault and its numbers.
///
/// In a file it is a table: `fault` is its name in snake case, and lengths of time are in
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// A depth diff is not sent.
    Gap,
    /// A depth diff is sent twice.
    Duplicate,
    /// A depth diff is sent after the next one of its stream.
    Reorder,
    /// The levels of a depth diff are left out; its numbers are not.
    LostLevels,
    /// The JSON text ends after two thirds.
    BadJson,
    /// A text frame holds a byte that is no UTF-8.
    BadUtf8,
    /// The frame leaves in eight TCP segments, a millisecond apart.
    SplitSegments,
    /// The message leaves as three WebSocket fragments.
    SplitFragments,
    /// After this frame nothing leaves the connection for a while, heartbeats included.
    Stall {
        /// How long.
        #[serde(rename = "duration_ms", with = "millis")]
        duration: Duration,
    },
    /// From this frame on market frames are lost for a while; heartbeats and replies go on.
    DataStall {
        /// How long.
        #[serde(rename = "duration_ms", with = "millis")]
        duration: Duration,
    },
    /// The connection ends inside the frame.
    Disconnect {
        /// Bytes of the frame, header included, that leave before; clipped to the frame's length.
        after_bytes: usize,
        /// With a TCP reset in place of an orderly end.
        reset: bool,
    },
    /// Each byte of the frame leaves by itself.
    SlowLoris {
        /// Time between two bytes.
        #[serde(rename = "byte_pause_ms", with = "millis")]
        byte_pause: Duration,
    },
    /// The WebSocket handshake is answered with HTTP status 503.
    RefuseHandshake,
    /// The WebSocket handshake is never answered; the connection stays open.
    NeverAnswerHandshake,
    /// A SUBSCRIBE is answered with an error.
    RefuseSubscribe,
    /// An exec report is sent twice.
    DuplicateExec,
    /// A frame of this many bytes is sent before the frame.
    OversizeFrame {
        /// Its payload's length.
        bytes: usize,
    },
    /// An event that no documentation knows is sent before the frame.
    UnknownEvent,
    /// A whole number of the frame, such as an id or a time, is absurd.
    AbsurdNumber {
        /// Which, of its numbers and of the absurd values; any number is one.
        number: usize,
    },
    /// The frame is masked, which a server must never do (RFC 6455, section 5.1).
    MaskedFrame,
    /// The frame has a reserved bit set (RFC 6455, section 5.2).
    ReservedBit,
    /// A frame with a reserved opcode is sent before the frame.
    BadOpcode,
    /// An HTTP request is answered with this status, such as 429 or 503.
    RefuseRest {
        /// The status.
        status: u16,
    },
    /// A new order is answered "unknown outcome" (504, -1007).
    UnknownOutcome {
        /// How long after the request: the real venue waits ten seconds.
        #[serde(rename = "reply_after_ms", with = "millis")]
        reply_after: Duration,
        /// How long after the request the order takes effect; `None`: never.
        #[serde(rename = "enters_after_ms", with = "maybe_millis", default)]
        #[serde(skip_serializing_if = "Option::is_none")]
        enters_after: Option<Duration>,
    },
    /// A new order is refused and takes effect after all.
    FalseRefusal {
        /// By words that leave no doubt (400, -2010), not as an internal error (400, -1001).
        #[serde(default)]
        is_final: bool,
        /// How long after the request.
        #[serde(rename = "enters_after_ms", with = "millis")]
        enters_after: Duration,
    },
    /// A new order waits before it is forwarded, and its age is checked once more then.
    LateForward {
        /// How long.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
    /// The reply to a new order or to a cancel is not sent.
    LostReply,
    /// An exec report is not sent.
    LostReport,
    /// An exec report is sent after the next one.
    ReorderReports,
    /// A field of an exec report is absurd.
    AbsurdField {
        /// Which of the dialect's list of fields and values; any number is one.
        field: usize,
    },
    /// From this query on, the database that answers queries knows no order for a while (-2013).
    ReplicaLag {
        /// How long.
        #[serde(rename = "duration_ms", with = "millis")]
        duration: Duration,
    },
    /// A new order is refused as one too many (429, -1015).
    OrderLimit,
    /// The address is banned (418) without a reason.
    Ban {
        /// How long.
        #[serde(rename = "duration_ms", with = "millis")]
        duration: Duration,
    },
    /// The key of a session that logged on is revoked; it may log on again.
    KeyRevoked,
    /// The stream of this frame stops for good on this connection, which lives on.
    SilentStream,
    /// A snapshot's update id lies so far ahead of the stream's.
    FutureSnapshot {
        /// How far.
        ids_ahead: u64,
    },
    /// The ids of all market streams start anew.
    IdRestart,
    /// All sessions are told of a shutdown and disconnected after a while.
    ServerShutdown {
        /// How long after.
        #[serde(rename = "notice_ms", with = "millis")]
        notice: Duration,
    },
    /// The account's event streams end with an event that says so.
    StreamTerminated,
    /// The first market takes no orders for a while, and its status says so; its data goes on.
    MarketBreak {
        /// How long.
        #[serde(rename = "duration_ms", with = "millis")]
        duration: Duration,
    },
    /// The account's event streams end without a word; their connections live on.
    StreamLost,
}

/// Lengths of time as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, into: S) -> Result<S::Ok, S::Error> {
        into.serialize_u64(time.as_millis() as u64)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// The same where there may be none.
mod maybe_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        into: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::millis::serialize(time, into),
            None => into.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}

macro_rules! fault_names {
    ($($name:ident,)*) => {
        /// A fault without its numbers: the key of the counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each is described at the variant of `Fault` of its name")]
        pub enum FaultName { $($name,)* }

        impl FaultName {
            /// All names, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }

        impl Fault {
            /// The key under which its injections are counted.
            #[must_use]
            pub fn name(&self) -> FaultName {
                match self { $(Self::$name { .. } => FaultName::$name,)* }
            }
        }
    };
}

fault_names! {
    Gap, Duplicate, Reorder, LostLevels, BadJson, BadUtf8, SplitSegments, SplitFragments, Stall, DataStall,
    Disconnect, SlowLoris, RefuseHandshake, NeverAnswerHandshake, RefuseSubscribe, DuplicateExec,
    OversizeFrame, UnknownEvent, AbsurdNumber, MaskedFrame, ReservedBit, BadOpcode, RefuseRest,
    UnknownOutcome, FalseRefusal, LateForward, LostReply, LostReport, ReorderReports, AbsurdField,
    ReplicaLag, OrderLimit, Ban, KeyRevoked, SilentStream, FutureSnapshot, IdRestart, ServerShutdown,
    StreamTerminated, MarketBreak, StreamLost,
}

/// When a rule strikes; events are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At one event.
    At(u64),
    /// At every so many events; 0 is never.
    Every(u64),
    /// At random.
    Rate {
        /// Chance in a million events.
        per_million: u32,
        /// Seed of the dice.
        seed: u64,
    },
}

/// A fault and when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// What.
    pub fault: Fault,
    /// When.
    pub trigger: Trigger,
    /// For faults of market frames: only frames of this kind count. `None`: all (of depth diffs,
    /// for gap, duplicate and reorder).
    pub only: Option<FrameKind>,
}

/// All rules of a run; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// The rules, asked in this order.
    pub rules: Vec<FaultRule>,
}

impl FaultPlan {
    /// A bad day: every fault of orders, reports, queries and streams that an engine must live
    /// through, at rates and with numbers that follow from `seed`. Of what ends a connection only
    /// the end of the account's event stream.
    #[must_use]
    pub fn hostile(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut ms = |low, high| Duration::from_millis(random.between(low, high));
        let faults = [
            Fault::UnknownOutcome { reply_after: ms(50, 500), enters_after: Some(ms(0, 2_000)) },
            Fault::UnknownOutcome { reply_after: ms(50, 500), enters_after: None },
            Fault::FalseRefusal { enters_after: ms(0, 2_000), is_final: false },
            Fault::LateForward { delay: ms(1, 200) },
            Fault::LostReply,
            Fault::LostReport,
            Fault::ReorderReports,
            Fault::DuplicateExec,
            Fault::ReplicaLag { duration: ms(50, 500) },
            Fault::OrderLimit,
            Fault::StreamTerminated,
        ];
        // Two of them: most fields of a report matter in one kind of report only.
        let absurd =
            [0, 1].map(|_| Fault::AbsurdField { field: random.between(0, 1_000) as usize });
        let rule = |fault| {
            let per_million = random.between(20_000, 120_000) as u32;
            let trigger = Trigger::Rate { per_million, seed: random.next_u64() };
            FaultRule { fault, trigger, only: None }
        };
        Self { rules: faults.into_iter().chain(absurd).map(rule).collect() }
    }

    /// A plan of one rule for all frames that the fault can spoil.
    #[must_use]
    pub fn one(fault: Fault, trigger: Trigger) -> Self {
        Self { rules: vec![FaultRule { fault, trigger, only: None }] }
    }
}
