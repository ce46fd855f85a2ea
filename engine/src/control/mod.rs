//! The control plane: who gets what, and how it is read and changed while the engine runs.
//!
//! Strategies ask by [`ControlCommand`](crate::consumer::ControlCommand)s through their own lanes,
//! programs by [`crate::Engine`], operators through a Unix socket that takes one JSON object a line
//! ([`protocol`]). The socket's thread is the only one that talks to clients; what they ask for is
//! done by a [`Desk`], which it owns. All of them end at the one owner of the routes, which has the
//! orchestrator take merge rules and the dispatcher take tables. Nothing here runs on a pinned
//! thread.

mod address;
mod answers;
mod audit;
mod change;
mod client;
mod controller;
mod delivery;
mod desk;
mod flip_error;
mod flips;
mod hand_over;
mod journal;
mod limits;
mod memory;
mod parse;
pub mod protocol;
mod reader;
mod refusal;
mod routes;
mod rules;
mod socket;
mod status;
mod threads;
mod wanted;

pub(crate) use address::check_path;
pub use address::{PATH_BYTES_MAX, SOCKET_NAME, SocketError};
pub(crate) use audit::AuditedConsumer;
pub use audit::{ConsumerAudit, KindAudit};
pub use change::{RouteChange, RoutingChange};
pub(crate) use controller::{Controller, ControllerHandle};
pub(crate) use desk::{DeskParts, OperatorDesk};
pub use flip_error::FlipError;
pub(crate) use flips::{Flips, FlipsParts};
pub use parse::{parse_line, verb_names};
pub(crate) use reader::{Reader, ReaderParts};
pub use refusal::{Refusal, RefusalText, most_alike};
pub(crate) use routes::{FlipLatencies, Routes, RoutesRequest};
pub use routes::{RoutesDifference, RoutesView};
pub use rules::RuleView;
pub use socket::CLIENTS_MAX;
pub(crate) use socket::{BoundSocket, ControlSocket};
pub use status::{
    BookStateStatus, ClockStatus, ConsumerStatus, DeadLetterStatus, LaneStatus, MergeStatus,
    MergeVenueStatus, RunRecordStatus, SessionStatus, StageStatus, Status, ThreadStatus,
};
pub(crate) use threads::PlannedThread;
pub(crate) use wanted::Catalogue;

/// The answer to a request. After a [`Refusal`] nothing was changed, or the message says what was.
pub type Outcome = Result<protocol::Reply, Refusal>;

/// How far a request is.
#[derive(Debug)]
pub enum Progress {
    /// It is answered.
    Done(Outcome),
    /// [`Desk::poll`] will have the answer, under this number.
    Later(u64),
}

/// Who carries out what clients ask for. Called on the socket's thread, one request at a time.
pub trait Desk: Send {
    /// Begins to carry out one request, and does not wait: what takes time is answered later. (In
    /// an engine that is recorded it waits for the one thread, 2 s at most, and twice that where
    /// this is at it.)
    fn carry_out(&mut self, request: protocol::ControlRequest) -> Progress;

    /// The answer to a request that was to be answered later, once; `None` as long as there is
    /// none. It comes within about a second.
    fn poll(&mut self, number: u64) -> Option<Outcome>;

    /// A reading of the engine.
    fn status(&mut self) -> Status;
}
