//! Where the account's stream is, when it has a connection of its own.

/// Where the account's stream has a connection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnStream {
    /// At the host of order entry, at this path. Steps of the logon may go over it.
    At(&'static str),
    /// At the host of the market data, at a path that a step of the logon asks for
    /// ([`OrderProtocol::stream_path`](super::OrderProtocol::stream_path)).
    Told,
}
