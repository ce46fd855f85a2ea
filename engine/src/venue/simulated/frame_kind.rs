//! What a frame carries, as counters and fault rules name it.

/// What a sent frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// `@trade`.
    Trade,
    /// `@bookTicker`.
    BookTicker,
    /// `@depth` and `@depth@100ms`.
    Depth,
    /// `@kline_1m`.
    Kline,
    /// A recorded frame of another stream.
    OtherMarket,
    /// `executionReport`.
    ExecReport,
    /// `outboundAccountPosition`.
    Account,
    /// The answer to a request on a WebSocket.
    Reply,
}

impl FrameKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Trade,
        Self::BookTicker,
        Self::Depth,
        Self::Kline,
        Self::OtherMarket,
        Self::ExecReport,
        Self::Account,
        Self::Reply,
    ];

    /// Whether it is market data.
    #[must_use]
    pub fn is_market(self) -> bool {
        !matches!(self, Self::ExecReport | Self::Account | Self::Reply)
    }
}
