//! The connection of the account's stream that follows the present one when the session hands over,
//! where the stream has a connection of its own at a path that was told; see `rollover`.
//!
//! Both are at the same path and hear the same: what both tell counts once. The one before is read
//! on for a while, since what it was told may not have been read.

use super::agent::OrderAgent;
use super::reading::{stream_session, take_frames};
use super::stage::{POLL_NS, Stage};
use crate::runtime::Clock;
use crate::venue::EventOutlet;
use crate::venue::protocol::{OrderProtocol, OwnStream};
use crate::venue::transport::{Endpoint, Progress, Session, SessionOptions};

/// Its socket has a number of its own in the core's poller.
const TOKENS: usize = 1 << 19;
/// After an attempt that failed, ns.
const AGAIN_NS: u64 = 30_000_000_000;
/// The one before is read for so long, ns.
const READ_ON_NS: u64 = 2_000_000_000;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Alone,
    Wanted { from_ns: u64 },
    Joining,
    ReadingOn { until_ns: u64 },
}

/// The next connection, or the one before.
pub(super) struct NextStream {
    session: Session,
    step: Step,
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
        Some(NextStream { session, step: Step::Alone })
    }

    pub(super) fn register(&mut self, registry: &mio::Registry) {
        self.session.register(registry);
    }

    pub(super) fn give_up(&mut self) {
        self.session.suspend();
        self.step = Step::Alone;
    }

    pub(super) fn end_for_good(&mut self) {
        self.session.end_for_good();
        self.step = Step::Alone;
    }

    /// When there is something to do by time alone, ns.
    pub(super) fn next_timer_ns(&self, now_ns: u64) -> u64 {
        match self.step {
            Step::Alone => u64::MAX,
            Step::Wanted { from_ns } => from_ns.max(now_ns + POLL_NS),
            Step::Joining | Step::ReadingOn { .. } => {
                self.session.next_timer_ns().min(now_ns + POLL_NS)
            }
        }
    }
}

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// The session has handed over: the stream is to follow.
    pub(super) fn want_next_stream(&mut self) {
        let now_ns = self.orders.now_ns;
        if let Some(next) = self.next_stream.as_mut().filter(|next| next.step == Step::Alone) {
            next.step = Step::Wanted { from_ns: now_ns };
        }
    }

    /// Goes on with the stream's hand-over.
    #[inline]
    pub(super) fn roll_stream(&mut self) -> usize {
        match self.next_stream.as_ref().map(|next| next.step) {
            None | Some(Step::Alone) => 0,
            Some(step) => self.roll_stream_on(step),
        }
    }

    #[cold]
    fn roll_stream_on(&mut self, step: Step) -> usize {
        let now_ns = self.orders.now_ns;
        let (Some(next), Some(stream)) = (&mut self.next_stream, &mut self.stream) else {
            return 0;
        };
        match step {
            Step::Alone => 0,
            Step::Wanted { from_ns } if from_ns > now_ns || self.stage != Stage::Ready => 0,
            Step::Wanted { .. } => {
                let path = stream.endpoint().path().to_owned();
                next.session.set_path(&path);
                next.session.resume();
                next.step = Step::Joining;
                1
            }
            Step::Joining => match next.session.step(now_ns) {
                Progress::Idle => 0,
                Progress::Moved => 1,
                Progress::Opened => {
                    std::mem::swap(stream, &mut next.session);
                    next.step = Step::ReadingOn { until_ns: now_ns + READ_ON_NS };
                    let venue = &self.orders.venue;
                    log::info!("[{venue}] the account's stream has handed over to the next one");
                    1
                }
                Progress::Closed(reason) => {
                    let venue = &self.orders.venue;
                    log::warn!("[{venue}] the account's stream, the next one: {reason}");
                    next.session.suspend();
                    next.step = Step::Wanted { from_ns: now_ns + AGAIN_NS };
                    1
                }
            },
            Step::ReadingOn { until_ns } => {
                let is_closed = matches!(next.session.step(now_ns), Progress::Closed(_));
                let taken = take_frames(&mut next.session, &mut self.protocol, &mut self.orders);
                self.is_held_back |= taken.is_held_back;
                // It was to end.
                self.orders.account_stream.is_ending = false;
                if is_closed || now_ns >= until_ns {
                    next.give_up();
                }
                self.end_what_failed();
                taken.messages + usize::from(is_closed)
            }
        }
    }
}
