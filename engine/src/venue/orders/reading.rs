//! The frames of a connection of an order session, whichever it is, and the one of the account's
//! stream.

use super::reconcile::Reconciler;
use super::stage::{BATCH, EVENTS_PER_FRAME_MAX};
use crate::runtime::Clock;
use crate::venue::EventOutlet;
use crate::venue::protocol::{OrderDecoder, OrderProtocol, OwnStream};
use crate::venue::transport::{Endpoint, Session, SessionOptions};

/// The socket of the account's stream has a number of its own in the core's poller.
const TOKENS: usize = 3 << 20;

/// The account's stream beside a session of these options, where it has a connection of its own.
/// Off until that is open, and its path is known; `market`: where market data is.
pub(super) fn stream_session<P: OrderProtocol>(
    options: &SessionOptions,
    market: Option<Endpoint>,
    clock: &Clock,
) -> Option<Session> {
    let options = SessionOptions {
        endpoint: match P::STREAM? {
            OwnStream::At(path) => options.endpoint.at_path(path),
            OwnStream::Told => market.unwrap_or_else(|| options.endpoint.clone()),
        },
        token: options.token + TOKENS,
        seed: options.seed.rotate_left(16),
        ..options.clone()
    };
    let mut session = Session::new(options, P::KEEP_ALIVE, clock.clone());
    session.suspend();
    Some(session)
}

/// How far it came.
pub(super) struct Taken {
    /// Frames, and further messages of them.
    pub(super) messages: usize,
    /// The rest was not read, since the link is full.
    pub(super) is_held_back: bool,
}

/// Takes the frames of at most one read, until one of them ends the session.
#[inline]
pub(super) fn take_frames<O: EventOutlet, P: OrderProtocol>(
    session: &mut Session,
    protocol: &mut P,
    orders: &mut Reconciler<O>,
) -> Taken {
    let mut messages = 0;
    while messages < BATCH && orders.failure.is_none() {
        if !orders.flush_backlog() || orders.room() < EVENTS_PER_FRAME_MAX {
            return Taken { messages, is_held_back: true };
        }
        if let Some((next, raw)) = protocol.decoder().next_of_frame() {
            orders.on_decoded(next, P::outcome, raw);
            messages += 1;
            continue;
        }
        let Some(frame) = session.next_frame() else { break };
        messages += 1;
        orders.read_ns = frame.read_ns;
        orders.on_decoded(protocol.decoder().decode(frame.bytes), P::outcome, frame.bytes);
        if let Some(words) = protocol.decoder().limits().filter(|words| !words.is_empty()) {
            orders.learn(words);
        }
    }
    Taken { messages, is_held_back: false }
}
