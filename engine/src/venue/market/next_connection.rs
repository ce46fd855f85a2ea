//! The connection of a market session that is to follow the present one; see `rollover`.

use std::collections::VecDeque;

use super::overlap::Overlap;
use super::subscriptions::Subscriptions;
use crate::runtime::Clock;
use crate::venue::protocol::MarketProtocol;
use crate::venue::transport::{Session, SessionOptions};

/// The next connection is made so long before the old one ends by rule, ns.
const AHEAD_NS: u64 = 900_000_000_000;
/// Connections of one venue take turns, ns apart.
const TURN_NS: u64 = 60_000_000_000;
const TURNS: u64 = 10;
/// Sockets of the next connections have numbers of their own in the core's poller.
const TOKENS: usize = 1 << 20;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Alone,
    /// The next one connects and subscribes.
    Joining,
    /// Both are read until then, ns.
    Both {
        until_ns: u64,
    },
    /// The old one is closed; repeats may come until then, ns.
    Settling {
        until_ns: u64,
    },
}

/// The next connection of a market session.
pub(super) struct Rollover {
    /// Off as long as it is not needed.
    pub(super) session: Session,
    pub(super) stage: Stage,
    pub(super) subscriptions: Option<Subscriptions>,
    pub(super) subscribe_at_ns: Option<u64>,
    /// The present connection is to be followed by the next one then, ns.
    pub(super) due_ns: u64,
    /// Which turn it has.
    turn_ns: u64,
    /// A connection of this age is to be followed by the next one, ns; `None`: only by the venue's
    /// own rule.
    age_ns: Option<u64>,
    /// The stream tells books whole: the next connection is kept apart until it takes over.
    pub(super) is_in_band: bool,
    /// Requests without a reply, oldest first, where replies do not say whose they are.
    pub(super) unanswered: VecDeque<u64>,
    /// The trace id of a frame that was only begun.
    pub(super) unfinished: Option<u64>,
}

impl Rollover {
    /// Beside a session of these options, whose connections are followed at the age `age_ns`.
    pub(super) fn new<P: MarketProtocol>(
        options: &SessionOptions,
        age_ns: Option<u64>,
        clock: Clock,
    ) -> Rollover {
        let turn_ns = options.token as u64 % TURNS * TURN_NS;
        let options = SessionOptions {
            token: options.token + TOKENS,
            seed: options.seed.rotate_left(32),
            ..options.clone()
        };
        let mut session = Session::new(options, P::KEEP_ALIVE, clock);
        session.suspend();
        Rollover {
            session,
            stage: Stage::Alone,
            subscriptions: None,
            subscribe_at_ns: None,
            due_ns: u64::MAX,
            turn_ns,
            age_ns,
            is_in_band: P::SNAPSHOT.rest().is_none(),
            unanswered: VecDeque::new(),
            unfinished: None,
        }
    }

    pub(super) fn register(&mut self, registry: &mio::Registry) {
        self.session.register(registry);
    }

    /// The present connection was opened.
    pub(super) fn opened<P: MarketProtocol>(&mut self, now_ns: u64) {
        let ahead_ns = AHEAD_NS + self.turn_ns;
        let by_rule_ns = P::LIFE_NS.map(|life_ns| life_ns.saturating_sub(ahead_ns));
        let after_ns = [by_rule_ns, self.age_ns].into_iter().flatten().min();
        self.due_ns = after_ns.map_or(u64::MAX, |after_ns| now_ns.saturating_add(after_ns));
    }

    /// Whether there is something to do.
    #[inline]
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        self.stage != Stage::Alone || now_ns >= self.due_ns
    }

    /// Whether the next connection is on its way.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Joining | Stage::Both { .. })
    }

    /// What the frames of the present connection are.
    #[inline]
    pub(super) fn overlap(&self) -> Overlap {
        match self.stage {
            Stage::Alone => Overlap::None,
            Stage::Settling { .. } if self.is_in_band => Overlap::Behind,
            Stage::Joining | Stage::Both { .. } if self.is_in_band => Overlap::None,
            Stage::Joining | Stage::Both { .. } | Stage::Settling { .. } => Overlap::Old,
        }
    }

    /// Gives the next connection up; another one at `due_ns`.
    pub(super) fn give_up(&mut self, due_ns: u64) {
        self.session.suspend();
        (self.stage, self.subscriptions, self.subscribe_at_ns) = (Stage::Alone, None, None);
        self.begin_connection();
        self.due_ns = due_ns;
    }

    /// Nothing of an earlier connection is awaited.
    pub(super) fn begin_connection(&mut self) {
        self.unanswered.clear();
        self.unfinished = None;
    }

    pub(super) fn end_for_good(&mut self) {
        self.session.end_for_good();
        self.stage = Stage::Alone;
    }
}
