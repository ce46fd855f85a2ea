//! A trade of a market, as the world sees it.

/// One trade of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeTick {
    pub id: u64,
    pub price: u64,
    pub qty: u64,
    pub is_buyer_maker: bool,
}
