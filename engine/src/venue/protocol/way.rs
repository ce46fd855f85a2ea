//! The ways that a request of an order session can take.

/// Where a request of an order session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over the connection that orders are sent on.
    Session,
    /// Over that of the account's stream ([`OrderProtocol::STREAM`](super::OrderProtocol::STREAM)).
    Stream,
    /// Over REST: what is written is read by
    /// [`RestClient::ask`](crate::venue::transport::RestClient::ask), and answered by
    /// [`OrderDecoder::decode_rest`](super::OrderDecoder::decode_rest).
    Rest,
}
