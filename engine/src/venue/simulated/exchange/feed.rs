//! The feeds of a market, whatever a dialect calls them.

/// What a market publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    Trades,
    Top,
    /// Diffs of the book every 100 ms.
    FastDepth,
    /// Diffs of the book every second.
    SlowDepth,
    /// Bars of one minute.
    Bars,
    /// Mark prices of contracts every second.
    Marks,
}

impl Feed {
    pub const ALL: [Self; 6] =
        [Self::Trades, Self::Top, Self::FastDepth, Self::SlowDepth, Self::Bars, Self::Marks];
}

/// Which stream a session wants: the market's (or recorded stream's) number and a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey {
    pub index: usize,
    pub bit: u8,
}

impl StreamKey {
    pub fn new(index: usize, feed: Feed) -> Self {
        Self { index, bit: 1 << feed as u8 }
    }
}
