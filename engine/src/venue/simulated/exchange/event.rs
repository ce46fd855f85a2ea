//! What an exchange tells: the world of its markets, and the account of its own affairs.

use super::balance::BalanceNow;
use super::feed::{Feed, StreamKey};
use super::kline::Kline;
use super::market::Top;
use super::order::{ExpiryReason, Order, OrderFill};
use super::trade_tick::TradeTick;

/// Something that happened, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An execution.
    Trade { market: usize, tick: TradeTick },
    /// The top of the book is another.
    Top { market: usize, top: Top },
    /// The levels that changed since the last diff of the stream, with their quantities now.
    Depth {
        market: usize,
        is_slow: bool,
        /// First and last update id.
        ids: (u64, u64),
        bids: Vec<(u64, u64)>,
        asks: Vec<(u64, u64)>,
    },
    /// A bar, running or over.
    Bar { market: usize, bar: Kline },
    /// What a contract is valued at, in the symbol's price scale, and its funding.
    Mark { market: usize, price: u64, funding: Funding },
    /// One of the account's orders.
    Order(Box<OrderReport>),
    /// Balances of the account that may have changed.
    Balances(Vec<BalanceNow>),
}

/// The next funding of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funding {
    /// Paid by longs, in units of 10^-8.
    pub rate_e8: u64,
    /// When, ms since the Unix epoch.
    pub at_ms: i64,
}

impl Funding {
    /// A ten-thousandth every eight hours.
    const RATE_E8: u64 = 10_000;
    const EVERY_MS: i64 = 8 * 3_600_000;

    /// The one that is next.
    pub fn after(now_ms: i64) -> Funding {
        let at_ms = (now_ms.div_euclid(Funding::EVERY_MS) + 1) * Funding::EVERY_MS;
        Funding { rate_e8: Funding::RATE_E8, at_ms }
    }
}

/// What happened to an order, and the order afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// The order after it.
    pub order: Order,
    /// What happened.
    pub kind: ExecKind,
    /// Contiguous over all orders, from 1.
    pub execution_id: u64,
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecKind {
    /// It was accepted.
    New,
    /// Its trigger came: it works from now on.
    Triggered,
    /// It was filled, in part or whole.
    Trade(OrderFill),
    /// With the client's name for the cancel itself.
    Canceled(String),
    /// Its quantity was made smaller; with the name that it had before.
    Replaced(String),
    /// A rule of its own ended it.
    Expired(ExpiryReason),
    /// A match with an own order was prevented.
    Prevented {
        /// Contiguous, from 1.
        match_id: u64,
        /// Of this order.
        qty: u64,
        /// At which they would have met.
        price: u64,
        /// The other order.
        counter_order: u64,
    },
}

impl Event {
    /// The feed of a market event.
    pub fn feed(&self) -> Option<(usize, Feed)> {
        match self {
            Event::Trade { market, .. } => Some((*market, Feed::Trades)),
            Event::Top { market, .. } => Some((*market, Feed::Top)),
            Event::Depth { market, is_slow: false, .. } => Some((*market, Feed::FastDepth)),
            Event::Depth { market, .. } => Some((*market, Feed::SlowDepth)),
            Event::Bar { market, .. } => Some((*market, Feed::Bars)),
            Event::Mark { market, .. } => Some((*market, Feed::Marks)),
            Event::Order(_) | Event::Balances(_) => None,
        }
    }

    /// The stream of a market event.
    pub fn stream(&self) -> Option<StreamKey> {
        self.feed().map(|(market, feed)| StreamKey::new(market, feed))
    }
}

impl OrderReport {
    /// Whether it tells of a fill.
    pub fn is_fill(&self) -> bool {
        matches!(self.kind, ExecKind::Trade(_))
    }

    /// Whether it tells of the first fill of its order.
    pub fn is_first_fill(&self) -> bool {
        matches!(&self.kind, ExecKind::Trade(fill) if fill.qty == self.order.executed)
    }
}
