//! Hands the account's stream over to another connection when the session hands over, where it has
//! a connection of its own at a path that was told.
//!
//! Both are at the same path and hear the same: what both tell counts once. The one before is read
//! on for a while, since what it was told may not have been read.

use super::agent::OrderAgent;
use super::next_stream::StreamStep;
use super::reading::take_frames;
use super::stage::Stage;
use crate::venue::EventOutlet;
use crate::venue::protocol::OrderProtocol;
use crate::venue::transport::Progress;

/// After an attempt that failed, ns.
const AGAIN_NS: u64 = 30_000_000_000;
/// The one before is read for so long, ns.
const READ_ON_NS: u64 = 2_000_000_000;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// The session has handed over: the stream is to follow.
    pub(super) fn want_next_stream(&mut self) {
        let now_ns = self.orders.now_ns;
        if let Some(next) = self.next_stream.as_mut().filter(|next| next.step == StreamStep::Alone)
        {
            next.step = StreamStep::Wanted { from_ns: now_ns };
        }
    }

    /// Goes on with the stream's hand-over.
    #[inline]
    pub(super) fn roll_stream(&mut self) -> usize {
        match self.next_stream.as_ref().map(|next| next.step) {
            None | Some(StreamStep::Alone) => 0,
            Some(step) => self.roll_stream_on(step),
        }
    }

    #[cold]
    fn roll_stream_on(&mut self, step: StreamStep) -> usize {
        let now_ns = self.orders.now_ns;
        let (Some(next), Some(stream)) = (&mut self.next_stream, &mut self.stream) else {
            return 0;
        };
        match step {
            StreamStep::Alone => 0,
            StreamStep::Wanted { from_ns } if from_ns > now_ns || self.stage != Stage::Ready => 0,
            StreamStep::Wanted { .. } => {
                let path = stream.endpoint().path().to_owned();
                next.session.set_path(&path);
                next.session.resume();
                next.step = StreamStep::Joining;
                1
            }
            StreamStep::Joining => match next.session.step(now_ns) {
                Progress::Idle => 0,
                Progress::Moved => 1,
                Progress::Opened => {
                    std::mem::swap(stream, &mut next.session);
                    next.step = StreamStep::ReadingOn { until_ns: now_ns + READ_ON_NS };
                    let venue = &self.orders.venue;
                    log::info!("[{venue}] the account's stream has handed over to the next one");
                    1
                }
                Progress::Closed(reason) => {
                    let venue = &self.orders.venue;
                    log::warn!("[{venue}] the account's stream, the next one: {reason}");
                    next.session.suspend();
                    next.step = StreamStep::Wanted { from_ns: now_ns + AGAIN_NS };
                    1
                }
            },
            StreamStep::ReadingOn { until_ns } => {
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
