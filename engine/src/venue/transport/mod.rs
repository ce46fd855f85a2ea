//! How a venue is reached: where to connect, when to try again, and what is spoken on the stream.
//!
//! Knows no venue, and blocks nowhere but where an endpoint is made.

mod backoff;
mod endpoint;
mod rest;
mod retry_after;
mod websocket;

pub use backoff::{Backoff, BackoffOptions};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use rest::{RestClient, RestError, RestOptions, RestReply};
pub use retry_after::RetryAfter;
pub(in crate::venue) use websocket::accept_key;
pub use websocket::{
    CloseReason, Frame, Inbound, Message, Outbound, Progress, READ_BUFFER_BYTES, SendError,
    Session, SessionLimits, SessionOptions, WRITE_BUFFER_BYTES, WireError,
};
