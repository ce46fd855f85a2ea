//! A WebSocket client session: handshake, reading, writing, and the state machine that drives them
//! over a stream.
//!
//! Nothing here waits, and reading and writing allocate nothing per message. Knows no venue.

mod error;
mod handshake;
mod inbound;
mod limits;
mod outbound;
mod session;

pub use error::{CloseReason, SendError, WireError};
pub(in crate::venue) use handshake::accept_key;
pub use inbound::{Inbound, Message, READ_BUFFER_BYTES};
pub use limits::SessionLimits;
pub use outbound::{Outbound, WRITE_BUFFER_BYTES};
pub use session::{Frame, Progress, Session, SessionOptions};

#[cfg(test)]
mod tests;
