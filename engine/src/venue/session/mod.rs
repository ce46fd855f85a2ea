//! The wire of a WebSocket client session, by its parts: where to connect, reading, writing, backing off.
//!
//! Reading and writing allocate nothing per message. The state machine that drives the parts over a socket
//! is not here yet; each part is usable, and tested, by itself.

mod backoff;
mod endpoint;
mod error;
mod inbound;
mod outbound;
mod split_mix;

pub use backoff::{Backoff, BackoffOptions};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use error::{CloseReason, SendError, WireError};
pub use inbound::{Inbound, Message, READ_BUFFER_BYTES};
pub use outbound::{Outbound, WRITE_BUFFER_BYTES};
pub use split_mix::SplitMix64;
