//! What is known of a dialect before it is spoken.

use std::fmt;

use super::Dialect;
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{Opening, Reply, Request, Session};

/// A dialect of the simulated venue.
pub struct DialectKind {
    /// Its name.
    pub name: &'static str,
    /// Path and query of its market data; a route comes before the last segment.
    pub stream_path: &'static str,
    /// Path and query of its order entry; `None`: it takes no orders.
    pub api_path: Option<&'static str>,
    pub(in super::super) new: fn(&SimulatedVenueOptions) -> Box<dyn Dialect>,
    pub(in super::super) recorded: &'static dyn RecordedDialect,
}

impl fmt::Debug for DialectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DialectKind({})", self.name)
    }
}

/// The texts around a recording of a venue: requests and their answers.
pub trait RecordedDialect: Sync {
    /// The kind of the frames of a stream, by its name.
    fn frame_kind(&self, stream: &str) -> FrameKind;

    /// What a handshake's target opens; `None`: no such path.
    fn open(&self, request: &Request) -> Option<Opening>;

    /// The answer to a message of a session.
    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> String;

    /// What a REST request wants.
    fn rest(&self, request: &Request, now: Moment) -> RecordedRequest;

    /// The answer where there is no snapshot of a symbol.
    fn no_snapshot(&self) -> Reply;
}

/// A REST request to a recording.
pub enum RecordedRequest {
    /// The snapshot of this symbol.
    Snapshot(String),
    /// It is answered already.
    Answered(Reply),
}
