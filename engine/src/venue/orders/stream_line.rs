//! The connection of the account's stream, where it is another one than that of order entry: both
//! are up, or neither is.

use super::agent::OrderAgent;
use super::reading::take_frames;
use crate::venue::protocol::{OrderProtocol, OwnStream, Way};
use crate::venue::transport::{CloseReason, Progress, Session};
use crate::venue::{EventOutlet, SessionState};

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Goes on with it. Where it ends, the session ends.
    pub(super) fn step_stream(&mut self) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        let moved = match stream.step(self.orders.now_ns) {
            Progress::Idle => 0,
            Progress::Moved | Progress::Opened => 1,
            Progress::Closed(reason) => {
                log::warn!("[{}] the account's stream: {reason}", self.orders.venue);
                let (operation, reason) = ("read", "the account's stream ended");
                self.session.fail(CloseReason::Refused { operation, reason, code: 0 });
                return 1;
            }
        };
        if !stream.is_open() {
            return moved;
        }
        let taken = take_frames(stream, &mut self.protocol, &mut self.orders);
        self.is_held_back |= taken.is_held_back;
        self.end_what_failed();
        moved + taken.messages
    }

    /// The connection of order entry was opened: that of the stream is made, where its path needs
    /// not be asked for.
    pub(super) fn open_stream(&mut self) {
        if matches!(P::STREAM, Some(OwnStream::At(_))) {
            self.stream.iter_mut().for_each(Session::resume);
        }
    }

    /// Connects to the stream once its path was told.
    #[cold]
    pub(super) fn follow_stream_path(&mut self) {
        if let (Some(stream), Some(path)) = (&mut self.stream, self.protocol.stream_path()) {
            stream.set_path(&path);
            stream.resume();
        }
    }

    /// Every step of the logon was answered, and none has told the stream's path: waiting for it
    /// would have no end.
    #[cold]
    pub(super) fn end_without_stream(&mut self, step: usize) {
        let is_off = self.stream.as_ref().is_some_and(|of| of.state() == SessionState::Off);
        if is_off && step >= P::LOGON.len() {
            let (operation, reason) = ("logon", "the venue did not name the account's stream");
            self.session.fail(CloseReason::Refused { operation, reason, code: 0 });
        }
    }

    /// The venue has named the stream once more. Under another name than that of the connection
    /// that stands, that one hears nothing any more and need not end: the session begins anew.
    #[cold]
    pub(super) fn check_stream_path(&mut self) {
        let path = self.protocol.stream_path();
        let (Some(stream), Some(path)) = (&self.stream, path) else { return };
        if stream.endpoint().path() != path {
            let (operation, reason) = ("read", "the account's stream has another name by now");
            log::warn!("[{}] {reason}", self.orders.venue);
            self.session.fail(CloseReason::Refused { operation, reason, code: 0 });
        }
    }

    /// Whether a step of the logon can be sent; or, behind the last one, whether the session is
    /// whole.
    pub(super) fn may_log_on(&self, step: usize) -> bool {
        let needs_stream = step >= P::LOGON.len() || P::logon_way(step) == Way::Stream;
        !needs_stream || self.stream.as_ref().is_none_or(Session::is_open)
    }

    /// Sends the step of a logon that was written, by its way. Refused only on a connection that is
    /// about to end, which clears every request.
    #[cold]
    pub(super) fn send_logon(&mut self, step: usize, id: u64) {
        let _sent = self.send_by(P::logon_way(step), id);
    }

    /// Sends what was written by this way; false when it did not leave.
    #[cold]
    pub(super) fn send_by(&mut self, way: Way, id: u64) -> bool {
        let is_sent = match (way, &mut self.stream) {
            (Way::Rest, _) => self.ask_over_rest(id),
            (Way::Stream, Some(stream)) => {
                let is_taken = stream.send(&self.text).is_ok();
                stream.flush();
                is_taken
            }
            _ => self.session.send(&self.text).is_ok(),
        };
        self.session.flush();
        is_sent
    }
}
