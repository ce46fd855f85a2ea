//! The account's orders.

use super::book::Side;
use super::fees::Fee;

/// What kinds of order the venue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderType {
    /// Buys or sells up to a price.
    Limit,
    /// The same, which must rest.
    LimitMaker,
    /// Buys or sells at whatever price.
    Market,
    /// A market order, once the price has gone against it.
    StopLoss,
    /// A limit order, once the price has gone against it.
    StopLossLimit,
    /// A market order, once the price has come to it.
    TakeProfit,
    /// A limit order, once the price has come to it.
    TakeProfitLimit,
}

impl OrderType {
    /// Whether it has a limit price.
    pub fn is_priced(self) -> bool {
        !matches!(self, OrderType::Market | OrderType::StopLoss | OrderType::TakeProfit)
    }

    /// Whether it waits for a price before it works.
    pub fn is_stop(self) -> bool {
        !matches!(self, OrderType::Limit | OrderType::LimitMaker | OrderType::Market)
    }

    /// Whether a trade at `last` triggers an order of this side and stop price.
    pub fn is_triggered(self, side: Side, stop_price: u64, last: u64) -> bool {
        let is_loss = matches!(self, OrderType::StopLoss | OrderType::StopLossLimit);
        match (self.is_stop(), is_loss == (side == Side::Buy)) {
            (false, _) => false,
            (true, true) => last >= stop_price,
            (true, false) => last <= stop_price,
        }
    }
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until it is cancelled.
    Gtc,
    /// What is not filled at once expires.
    Ioc,
    /// All of it is filled at once, or none.
    Fok,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing has happened to it.
    New,
    /// Executed in part, and open.
    PartiallyFilled,
    /// Nothing is left of it.
    Filled,
    /// Taken back by its client.
    Canceled,
    /// Ended by a rule of its own.
    Expired,
    /// What was left of it was prevented from meeting an own order.
    ExpiredInMatch,
}

/// What happens instead of a match of two own orders; the newer order's word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTrade {
    /// They match.
    Allow,
    /// What is left of the newer one expires.
    ExpireTaker,
    /// The resting one expires.
    ExpireMaker,
    /// Both expire.
    ExpireBoth,
    /// Both lose the smaller one's quantity.
    Decrement,
}

/// Why an order expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryReason {
    /// What was not filled at once.
    IocUnfilled,
    /// All of it could not be filled at once.
    FokUnfilled,
    /// A market order found nothing more to take.
    NoLiquidity,
    /// Its trigger came, and what it may cost was not free.
    NoBalance,
    /// It was to rest, and would have taken.
    WouldTake,
}

/// A new order as it is asked for, in the symbol's units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Number of its market.
    pub market: usize,
    /// Bought or sold.
    pub side: Side,
    /// Its type.
    pub order_type: OrderType,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// 0 for an order without a limit.
    pub price: u64,
    /// What triggers it; 0 for one that does not wait.
    pub stop_price: u64,
    /// In units of 10^-`qty_scale`.
    pub qty: u64,
    /// The exchange names it when the client does not.
    pub client_order_id: Option<String>,
    /// `None`: the exchange's default.
    pub self_trade: Option<SelfTrade>,
    /// A maker that would take is accepted all the same, and expires at once.
    pub is_accepted_first: bool,
    /// It may only make a position smaller. Looked at when it enters, and not again.
    pub reduces_only: bool,
}

/// An order of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The exchange's own, from 1.
    pub id: u64,
    /// The client's name, or one of the exchange's where it gave none.
    pub client_order_id: String,
    /// Number of its market.
    pub market: usize,
    /// Bought or sold.
    pub side: Side,
    /// Its type.
    pub order_type: OrderType,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// In units of 10^-`price_scale`; 0 for an order without a limit.
    pub price: u64,
    /// What triggers it, or has; 0 for one that never waits.
    pub stop_price: u64,
    /// Its trigger has not come yet.
    pub is_waiting: bool,
    /// In units of 10^-`qty_scale`; an amend makes it smaller.
    pub qty: u64,
    /// In units of 10^-`qty_scale`.
    pub executed: u64,
    /// Quantity that was prevented from meeting own orders.
    pub prevented: u64,
    /// Sum of price times quantity of its fills.
    pub notional: u128,
    /// Where it stands.
    pub status: Status,
    /// The resting part's id in the book.
    pub resting: Option<u64>,
    /// What it does instead of meeting an own order.
    pub self_trade: SelfTrade,
    /// Why it expired, if it did.
    pub expiry: Option<ExpiryReason>,
    /// How often its quantity was made smaller.
    pub amends: u32,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
    /// When it began to work, milliseconds since the epoch; 0 while it waits.
    pub working_ms: i64,
    /// Milliseconds since the epoch.
    pub updated_ms: i64,
}

/// One fill, as the order sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFill {
    pub trade_id: u64,
    pub price: u64,
    pub qty: u64,
    pub is_maker: bool,
    pub fee: Fee,
}

impl Order {
    /// Whether more may happen to it.
    pub fn is_open(&self) -> bool {
        matches!(self.status, Status::New | Status::PartiallyFilled)
    }

    /// Whether it works: it rests, or is about to.
    pub fn is_working(&self) -> bool {
        self.is_open() && !self.is_waiting
    }

    /// Quantity that is neither executed nor prevented.
    pub fn remaining(&self) -> u64 {
        self.qty - self.executed - self.prevented
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_triggered_where_the_price_goes_against_it_and_a_profit_where_it_comes_to_it() {
        for (order_type, buys_at_or_above) in [
            (OrderType::StopLoss, true),
            (OrderType::StopLossLimit, true),
            (OrderType::TakeProfit, false),
            (OrderType::TakeProfitLimit, false),
        ] {
            let at = |side, last| order_type.is_triggered(side, 100, last);
            assert!(at(Side::Buy, 100) && at(Side::Sell, 100), "{order_type:?}");
            assert_eq!(at(Side::Buy, 101), buys_at_or_above, "{order_type:?}");
            assert_eq!(at(Side::Sell, 99), buys_at_or_above, "{order_type:?}");
            assert_eq!(at(Side::Buy, 99), !buys_at_or_above, "{order_type:?}");
        }
        assert!(!OrderType::Limit.is_triggered(Side::Buy, 0, 1));
    }
}
