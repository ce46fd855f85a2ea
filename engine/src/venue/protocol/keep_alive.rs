//! What keeps a quiet connection open.

/// What is sent in a quiet connection, once each ping interval of the session. Any byte of the
/// venue proves that it is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// Nothing: the venue sends signs of life by itself.
    None,
    /// A ping of the WebSocket; its pong is the answer.
    WsPing,
    /// A text of the venue's own. Its answer is a frame of the protocol: market data hands it over
    /// as [`KeptAlive`](super::MarketMessage::KeptAlive), orders as
    /// [`Other`](super::OrderMessage::Other).
    Text(&'static str),
}
