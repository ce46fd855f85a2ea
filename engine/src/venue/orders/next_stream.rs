//! The connection of the account's stream that is to follow the present one, or the one before it
//! while that is read on; see `stream_rollover`.

use super::reading::stream_session;
use super::stage::POLL_NS;
use crate::runtime::Clock;
use crate::venue::protocol::{OrderProtocol, OwnStream};
use crate::venue::transport::{Endpoint, Session, SessionOptions};

/// Its socket has a number of its own in the core's poller.
const TOKENS: usize = 1 << 19;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamStep {
    Alone,
    Wanted { from_ns: u64 },
    Joining,
    ReadingOn { until_ns: u64 },
}

/// The next connection, or the one before.
pub(super) struct NextStream {
    pub(super) session: Session,
    pub(super) step: StreamStep,
}

impl NextStream {
    /// Beside the stream of a session of these options.
    pub(super) fn new<P: OrderProtocol>(
        session: &SessionOptions,
        market: &Option<Endpoint>,
        clock: &Clock,
    ) -> Option<NextStream> {
        let is_its = matches!(P::STREAM, Some(OwnStream::Told));
        let options = SessionOptions {
            token: session.token + TOKENS,
            seed: session.seed.rotate_left(8),
            ..session.clone()
        };
        let session = stream_session::<P>(&options, market.clone(), clock).filter(|_| is_its)?;
        Some(NextStream { session, step: StreamStep::Alone })
    }

    pub(super) fn register(&mut self, registry: &mio::Registry) {
        self.session.register(registry);
    }

    pub(super) fn give_up(&mut self) {
        self.session.suspend();
        self.step = StreamStep::Alone;
    }

    pub(super) fn end_for_good(&mut self) {
        self.session.end_for_good();
        self.step = StreamStep::Alone;
    }

    /// When there is something to do by time alone, ns.
    pub(super) fn next_timer_ns(&self, now_ns: u64) -> u64 {
        match self.step {
            StreamStep::Alone => u64::MAX,
            StreamStep::Wanted { from_ns } => from_ns.max(now_ns + POLL_NS),
            StreamStep::Joining | StreamStep::ReadingOn { .. } => {
                self.session.next_timer_ns().min(now_ns + POLL_NS)
            }
        }
    }
}
