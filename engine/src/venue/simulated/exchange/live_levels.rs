//! What a live book shows of a market, as resting orders of nobody.

use std::collections::BTreeMap;

use super::book::Side;

/// The live levels of a market, by price.
#[derive(Debug, Default)]
pub struct LiveLevels {
    bids: BTreeMap<u64, LiveLevel>,
    asks: BTreeMap<u64, LiveLevel>,
    /// A live trade has set the last price.
    pub has_traded: bool,
}

/// One live level, as resting orders of nobody.
#[derive(Debug, Default)]
pub struct LiveLevel {
    /// What the venue shows, less what it does not know yet of a trade.
    pub shown: u64,
    /// Oldest first.
    pub orders: Vec<u64>,
}

impl LiveLevels {
    pub fn side(&mut self, side: Side) -> &mut BTreeMap<u64, LiveLevel> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}
