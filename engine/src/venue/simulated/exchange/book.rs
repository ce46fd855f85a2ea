//! One symbol's order book: `matchcore` does the matching, this file gives it the venue's rules.
//!
//! Two facts about matchcore 0.4, established by reading and running it, are kept inside here:
//! - A limit order that crosses is matched without regard to its own limit (it walks through every
//!   level that is left). So no crossing limit order is ever handed to it: what can execute within
//!   the limit is counted first and taken by a market order of exactly that quantity; only what
//!   does not cross is rested.
//! - A cancelled order leaves its entry in its level's queue until matching reaches it or the level
//!   empties. [`Book::queue_len`] shows that length, so that the crowd can leave a level alone.
//!
//! Prices and quantities are in the symbol's own units (see `SimulatedSymbol`).

use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome,
    CommandReport, LimitOrder, LimitOrderPatch, MarketOrder, NewOrder, OrderBook, OrderFlags,
    OrderId, OrderKind, Price, PriceLevel, Quantity, QuantityPolicy, SequenceNumber, SubmitCmd,
    TimeInForce, Timestamp,
};

pub use matchcore::Side;

/// One execution against a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The resting order.
    pub maker: u64,
    /// Where it rested, in price units.
    pub price: u64,
    /// How much was taken of it, in quantity units.
    pub qty: u64,
}

/// An order book with price-time priority.
pub struct Book {
    inner: OrderBook,
    next_sequence: u64,
}

impl Book {
    /// An empty book.
    pub fn new(symbol: &str) -> Self {
        Self { inner: OrderBook::new(symbol), next_sequence: 0 }
    }

    /// Best price and the quantity there.
    pub fn best(&self, side: Side) -> Option<(u64, u64)> {
        let best = match side {
            Side::Buy => self.inner.limit().best_bid(),
            Side::Sell => self.inner.limit().best_ask(),
        };
        best.map(|(price, qty)| (price.0, qty.0))
    }

    /// Quantity that rests at a price; 0 when there is no such level.
    pub fn qty_at(&self, side: Side, price: u64) -> u64 {
        self.level(side, price).map_or(0, |level| level.total_quantity().0)
    }

    /// Length of a level's queue, entries of cancelled orders included.
    pub fn queue_len(&self, side: Side, price: u64) -> usize {
        self.level(side, price).map_or(0, |level| level.queue().len())
    }

    /// Number of price levels of a side.
    pub fn level_count(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.inner.limit().bids().len(),
            Side::Sell => self.inner.limit().asks().len(),
        }
    }

    /// The levels of a side as (price, quantity), best first.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = (u64, u64)> + '_> {
        let book = self.inner.limit();
        let qty = |(price, id): (&Price, &usize)| (price.0, book.levels()[*id].total_quantity().0);
        match side {
            Side::Buy => Box::new(book.bids().iter().rev().map(qty)),
            Side::Sell => Box::new(book.asks().iter().map(qty)),
        }
    }

    /// How much of `qty` an order of `taker` side finds within its limit (no limit: at any price).
    pub fn executable(&self, taker: Side, limit: Option<u64>, qty: u64) -> u64 {
        let mut found = 0_u64;
        for (price, level_qty) in self.levels(taker.opposite()) {
            let within = limit.is_none_or(|limit| match taker {
                Side::Buy => price <= limit,
                Side::Sell => price >= limit,
            });
            if !within || found >= qty {
                break;
            }
            found += level_qty;
        }
        found.min(qty)
    }

    /// Like [`Book::executable`], but ends before the first order that `is_own` knows: the quantity
    /// before it, and that order with what rests of it and its price.
    pub fn executable_before(
        &self,
        taker: Side,
        limit: Option<u64>,
        qty: u64,
        is_own: impl Fn(u64) -> bool,
    ) -> (u64, Option<(u64, u64, u64)>) {
        let orders = self.inner.limit().orders();
        let mut found = 0_u64;
        for (price, _) in self.levels(taker.opposite()) {
            let within = limit.is_none_or(|limit| match taker {
                Side::Buy => price <= limit,
                Side::Sell => price >= limit,
            });
            let Some(level) = self.level(taker.opposite(), price).filter(|_| within) else { break };
            for entry in level.queue() {
                // An entry of a cancelled order is only passed over.
                let Some(order) = orders.get(&entry.order_id()) else { continue };
                if order.time_priority() != entry.time_priority() {
                    continue;
                }
                if found >= qty {
                    return (qty, None);
                }
                let (id, resting) = (entry.order_id().0, order.total_quantity().0);
                if is_own(id) {
                    return (found, Some((id, resting, price)));
                }
                found += resting;
            }
        }
        (found.min(qty), None)
    }

    /// Makes a resting order smaller by `qty`; it keeps its place. Returns its side and price.
    ///
    /// # Panics
    /// When it does not rest, or not with more than `qty`.
    pub fn reduce(&mut self, id: u64, qty: u64) -> (Side, u64) {
        let (side, price, resting) = self.resting(id).expect("only what rests is made smaller");
        assert!(qty < resting, "an order that would be empty is cancelled");
        let policy = QuantityPolicy::Standard { quantity: Quantity(resting - qty) };
        let patch = AmendPatch::Limit(LimitOrderPatch::new().with_quantity_policy(policy));
        self.execute(CommandKind::Amend(AmendCmd { order_id: OrderId(id), patch }));
        (side, price)
    }

    /// Takes `qty` from the other side, best price and oldest order first. Returns the order's id.
    ///
    /// # Panics
    /// When `qty` is 0 or more than rests there: ask [`Book::executable`] first.
    pub fn take(&mut self, taker: Side, qty: u64, fills: &mut Vec<Fill>) -> u64 {
        let order = NewOrder::Market(MarketOrder::new(Quantity(qty), taker, false));
        let (id, report) = self.execute(CommandKind::Submit(SubmitCmd { order }));
        let CommandReport::Submit(effects) = report else {
            unreachable!("a submit is answered by a submit report")
        };
        let result = effects.target_order().match_result().expect("there is something to take");
        assert_eq!(result.executed_quantity().0, qty, "take no more than is executable");
        fills.extend(result.trades().iter().map(|trade| Fill {
            maker: trade.maker_order_id().0,
            price: trade.price().0,
            qty: trade.quantity().0,
        }));
        id
    }

    /// Rests an order behind the others of its price. Returns its id.
    ///
    /// # Panics
    /// When the price crosses the other side: take what is executable first.
    pub fn rest(&mut self, side: Side, price: u64, qty: u64) -> u64 {
        assert_eq!(self.executable(side, Some(price), 1), 0, "a resting order may not cross");
        let order = NewOrder::Limit(LimitOrder::new(
            Price(price),
            QuantityPolicy::Standard { quantity: Quantity(qty) },
            OrderFlags::new(side, false, TimeInForce::Gtc),
        ));
        self.execute(CommandKind::Submit(SubmitCmd { order })).0
    }

    /// Side, price and open quantity of a resting order.
    pub fn resting(&self, id: u64) -> Option<(Side, u64, u64)> {
        let order = self.inner.limit().orders().get(&OrderId(id))?;
        Some((order.side(), order.price().0, order.total_quantity().0))
    }

    /// Takes an order out of the book; what it was, or `None` when it no longer rests.
    pub fn cancel(&mut self, id: u64) -> Option<(Side, u64, u64)> {
        let found = self.resting(id)?;
        let command = CancelCmd { order_id: OrderId(id), order_kind: OrderKind::Limit };
        self.execute(CommandKind::Cancel(command));
        Some(found)
    }

    fn level(&self, side: Side, price: u64) -> Option<&PriceLevel> {
        match side {
            Side::Buy => self.inner.limit().get_bid_level(Price(price)),
            Side::Sell => self.inner.limit().get_ask_level(Price(price)),
        }
    }

    fn execute(&mut self, kind: CommandKind) -> (u64, CommandReport) {
        let id = self.next_sequence;
        self.next_sequence += 1;
        // Nothing here expires by time, and a constant clock keeps runs of one seed equal.
        let meta = CommandMeta { sequence_number: SequenceNumber(id), timestamp: Timestamp(0) };
        match self.inner.execute(&Command { meta, kind }) {
            CommandOutcome::Applied(report) => (id, report),
            CommandOutcome::Rejected(why) => unreachable!("a checked command was rejected: {why}"),
        }
    }
}

#[cfg(test)]
impl Book {
    pub fn order_count(&self) -> usize {
        self.inner.limit().orders().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_counts_only_what_lies_within_it() {
        let mut book = Book::new("BTCUSDT");
        book.rest(Side::Sell, 101, 5);
        book.rest(Side::Sell, 103, 5);
        assert_eq!(book.executable(Side::Buy, Some(102), 8), 5);
        assert_eq!(book.executable(Side::Buy, None, 8), 8);
        assert_eq!(book.executable(Side::Buy, Some(100), 8), 0);
    }

    #[test]
    fn the_oldest_order_of_a_price_is_taken_first() {
        let mut book = Book::new("BTCUSDT");
        let first = book.rest(Side::Buy, 99, 2);
        let second = book.rest(Side::Buy, 99, 2);
        let mut fills = Vec::new();
        book.take(Side::Sell, 3, &mut fills);
        assert_eq!(
            fills,
            [Fill { maker: first, price: 99, qty: 2 }, Fill { maker: second, price: 99, qty: 1 }]
        );
        assert_eq!((book.resting(first), book.resting(second)), (None, Some((Side::Buy, 99, 1))));
        assert_eq!(book.qty_at(Side::Buy, 99), 1);
    }

    #[test]
    fn a_cancelled_order_leaves_the_book_once() {
        let mut book = Book::new("BTCUSDT");
        let id = book.rest(Side::Buy, 99, 2);
        assert_eq!(book.cancel(id), Some((Side::Buy, 99, 2)));
        assert_eq!(book.cancel(id), None);
        assert_eq!((book.level_count(Side::Buy), book.order_count()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "may not cross")]
    fn resting_across_the_other_side_is_a_programming_error() {
        let mut book = Book::new("BTCUSDT");
        book.rest(Side::Sell, 101, 5);
        book.rest(Side::Buy, 101, 1);
    }
}
