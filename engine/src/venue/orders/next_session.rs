//! The connection of an order session that is to follow the present one, or the one before it while
//! it still owes replies; see `rollover`.

use super::stage::POLL_NS;
use crate::runtime::Clock;
use crate::venue::protocol::OrderProtocol;
use crate::venue::transport::{Session, SessionOptions};

/// The next connection is made so long before the old one ends by rule, ns: before those of market
/// data.
const AHEAD_NS: u64 = 1_800_000_000_000;
/// Sockets of the next connections have numbers of their own in the core's poller.
const TOKENS: usize = 1 << 20;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Alone,
    /// The next one connects and logs on; so many steps of the logon were written.
    Joining(usize),
    /// The old one is read until then, ns.
    ReadingOn {
        until_ns: u64,
    },
}

/// The next connection of an order session, or the old one.
pub(super) struct OrderRollover {
    /// Off as long as it is not needed.
    pub(super) session: Session,
    pub(super) step: Step,
    /// The present connection is to be followed by the next one then, ns.
    pub(super) due_ns: u64,
}

impl OrderRollover {
    /// Beside a session of these options.
    pub(super) fn new<P: OrderProtocol>(options: &SessionOptions, clock: Clock) -> OrderRollover {
        let options = SessionOptions {
            token: options.token + TOKENS,
            seed: options.seed.rotate_left(32),
            ..options.clone()
        };
        let mut session = Session::new(options, P::KEEP_ALIVE, clock);
        session.suspend();
        OrderRollover { session, step: Step::Alone, due_ns: u64::MAX }
    }

    pub(super) fn register(&mut self, registry: &mio::Registry) {
        self.session.register(registry);
    }

    /// The present connection was opened.
    pub(super) fn opened<P: OrderProtocol>(&mut self, now_ns: u64) {
        self.due_ns =
            P::LIFE_NS.map_or(u64::MAX, |life_ns| now_ns + life_ns.saturating_sub(AHEAD_NS));
    }

    /// The venue says that the present connection will end.
    pub(super) fn noticed(&mut self, now_ns: u64) {
        if self.step == Step::Alone {
            self.due_ns = self.due_ns.min(now_ns);
        }
    }

    /// Whether there is something to do.
    #[inline]
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        self.step != Step::Alone || now_ns >= self.due_ns
    }

    /// Whether the next connection logs on.
    pub(super) fn is_joining(&self) -> bool {
        matches!(self.step, Step::Joining(_))
    }

    /// When there is something to do by time alone, ns.
    pub(super) fn next_timer_ns(&self, now_ns: u64) -> u64 {
        match self.step {
            Step::Alone if self.due_ns == u64::MAX => u64::MAX,
            Step::Alone => self.due_ns.max(now_ns + POLL_NS),
            _ => self.session.next_timer_ns().min(now_ns + POLL_NS),
        }
    }

    /// Closes the other connection; the next one is made at `due_ns`.
    pub(super) fn give_up(&mut self, due_ns: u64) {
        self.session.suspend();
        (self.step, self.due_ns) = (Step::Alone, due_ns);
    }

    pub(super) fn end_for_good(&mut self) {
        self.session.end_for_good();
        self.step = Step::Alone;
    }
}
