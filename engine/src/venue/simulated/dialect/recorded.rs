//! How a recording of a venue is read and served.

use std::borrow::Cow;
use std::fmt;

use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::{HttpRequest, Opening, Reply, Session};

/// A venue's recorded lines, and the texts around them: requests and their answers.
///
/// A stream has the name that the venue's protocol subscribes to
/// ([`MarketProtocol::topic`](crate::venue::protocol::MarketProtocol::topic)).
pub trait RecordedDialect: fmt::Debug + Sync {
    /// Path of the market data; a route comes before the last segment.
    fn stream_path(&self) -> &'static str;

    /// What a line is.
    ///
    /// # Errors
    /// What was expected in its place. A line of another venue has to be refused: that is how the
    /// kind of a recording is found.
    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String>;

    /// The venue's time in a line, ns since the Unix epoch: for files without times of their own.
    fn event_time_ns(&self, _line: &str) -> Option<i64> {
        None
    }

    /// What stands before the number of each frame, where the venue numbers those of a connection.
    fn numbered_by(&self) -> Option<&'static str> {
        None
    }

    /// The number of a line among all frames of its connection, where the venue numbers them.
    fn number(&self, _line: &str) -> Option<u64> {
        None
    }

    /// Decimal places of prices and quantities in a frame's data, where the venue's numbers have a
    /// fixed number of them that counts.
    fn scales(&self, _data: &str) -> Option<(u8, u8)> {
        None
    }

    /// The frame that a frame's data stands for, where the venue's frames are binary; `None`: they
    /// are text.
    fn binary(&self, _data: &str) -> Option<Vec<u8>> {
        None
    }

    /// The update number of a snapshot that was fetched over REST.
    ///
    /// # Errors
    /// What is wrong with it.
    fn snapshot_id(&self, _body: &str) -> Result<u64, String> {
        Err("this kind of venue tells its snapshots in the stream".to_owned())
    }

    /// What a handshake's target opens; `None`: no such path.
    fn open(&self, request: &HttpRequest) -> Option<Opening> {
        let opening = Opening { numbered_by: self.numbered_by(), ..Opening::market() };
        (request.path == self.stream_path()).then_some(opening)
    }

    /// The answer to a message of a session; `None`: it gets none. What it subscribes to is noted
    /// in `session`.
    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String>;

    /// What a REST request wants.
    fn rest(&self, _request: &HttpRequest, _now: Moment) -> RecordedRequest {
        RecordedRequest::Answered(Reply::not_found())
    }

    /// The answer where there is no snapshot of a symbol.
    fn no_snapshot(&self) -> Reply {
        Reply::not_found()
    }
}

/// What a line of a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedLine<'l> {
    /// A frame of one stream.
    Frame(RecordedFrame<'l>),
    /// A snapshot that was fetched over REST, whole. It is given to who asks for it.
    Snapshot,
    /// What the venue says of its instruments. It is not played.
    Instruments,
    /// It is not played: what it is, in the plural.
    LeftOut(Cow<'l, str>),
}

/// A recorded frame of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFrame<'l> {
    /// As it is subscribed to.
    pub stream: Cow<'l, str>,
    /// The venue's symbol, as it is configured.
    pub symbol: Cow<'l, str>,
    /// As what it is counted.
    pub kind: FrameKind,
    /// The numbers of a diff that builds on a snapshot over REST.
    pub updates: Option<UpdateIds>,
    /// What is sent, inside the session's envelope if it has one.
    pub data: &'l str,
}

/// The updates of one diff, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateIds {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// A REST request to a recording.
pub enum RecordedRequest {
    /// The snapshot of this symbol.
    Snapshot(String),
    /// It is answered already.
    Answered(Reply),
}
