//! The connection of a market session that is to follow the present one; see `rollover`.

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
}

impl Rollover {
    /// Beside a session of these options.
    pub(super) fn new<P: MarketProtocol>(options: &SessionOptions, clock: Clock) -> Rollover {
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
        }
    }

    pub(super) fn register(&mut self, registry: &mio::Registry) {
        self.session.register(registry);
    }

    /// The present connection was opened.
    pub(super) fn opened<P: MarketProtocol>(&mut self, now_ns: u64) {
        let life_ns = P::LIFE_NS.filter(|_| can_hand_over::<P>());
        self.due_ns = life_ns.map_or(u64::MAX, |life_ns| {
            now_ns + life_ns.saturating_sub(AHEAD_NS).saturating_sub(self.turn_ns)
        });
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
            Stage::Joining | Stage::Both { .. } | Stage::Settling { .. } => Overlap::Old,
        }
    }

    /// Gives the next connection up; another one at `due_ns`.
    pub(super) fn give_up(&mut self, due_ns: u64) {
        self.session.suspend();
        (self.stage, self.subscriptions, self.subscribe_at_ns) = (Stage::Alone, None, None);
        self.due_ns = due_ns;
    }

    pub(super) fn end_for_good(&mut self) {
        self.session.end_for_good();
        self.stage = Stage::Alone;
    }
}

/// Whether books survive a change of connections: those that the stream tells whole begin anew.
pub(super) fn can_hand_over<P: MarketProtocol>() -> bool {
    P::SNAPSHOT.rest().is_some()
}
