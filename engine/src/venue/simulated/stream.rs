//! Names of market streams: `<symbol in lower case>@<kind>`.

/// The streams of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamKind {
    Trade,
    BookTicker,
    Depth100Ms,
    Depth1000Ms,
    Kline1m,
}

impl StreamKind {
    pub(super) const ALL: [Self; 5] =
        [Self::Trade, Self::BookTicker, Self::Depth100Ms, Self::Depth1000Ms, Self::Kline1m];

    /// What follows the symbol and the at sign.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::BookTicker => "bookTicker",
            Self::Depth100Ms => "depth@100ms",
            Self::Depth1000Ms => "depth",
            Self::Kline1m => "kline_1m",
        }
    }
}

/// Which stream a session wants: the symbol's (or recorded stream's) number and a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamKey {
    pub(super) index: usize,
    pub(super) bit: u8,
}

impl StreamKey {
    pub(super) fn new(index: usize, kind: StreamKind) -> Self {
        Self { index, bit: 1 << kind as u8 }
    }
}
