//! A WebSocket client session: where to connect, reading, writing, backing off, and the state machine that
//! drives them over a socket.
//!
//! Nothing here waits, and reading and writing allocate nothing per message. Knows no venue.

mod backoff;
mod client;
mod endpoint;
mod error;
mod handshake;
mod inbound;
mod outbound;

pub use backoff::{Backoff, BackoffOptions};
pub use client::{Frame, Progress, Session, SessionLimits, SessionOptions};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use error::{CloseReason, SendError, WireError};
pub use inbound::{Inbound, Message, READ_BUFFER_BYTES};
pub use outbound::{Outbound, WRITE_BUFFER_BYTES};
