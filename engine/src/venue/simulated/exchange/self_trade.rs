//! How a new order takes: along the queue, and around the account's own orders.

use super::account_orders::AccountOrders;
use super::event::Event;
use super::market::Market;
use super::order::{OrderFill, SelfTrade};

impl AccountOrders {
    /// Lets a new order take what it can within its limit; its executions, in order. What it would
    /// take of own orders is prevented as its mode says.
    pub(super) fn take(
        &mut self,
        id: u64,
        market: &mut Market,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) -> Vec<OrderFill> {
        let mut fills = Vec::new();
        loop {
            let order = self.by_id(id);
            let (index, side, mode, left) =
                (order.market, order.side, order.self_trade, order.remaining());
            if !order.is_open() || left == 0 {
                return fills;
            }
            let limit = order.order_type.is_priced().then_some(order.price);
            let is_own = |resting| mode != SelfTrade::Allow && self.own(index, resting).is_some();
            let (free, own) = market.book.executable_before(side, limit, left, is_own);
            if free > 0 {
                for taken in market.take(side, free) {
                    fills.push(self.fill(id, taken, false, market, now_ms, events));
                }
            }
            let Some((resting, own_left, price)) = own else { return fills };
            let maker = self.own(index, resting).expect("it was found among the own orders");
            let left = left - free;
            let (of_taker, of_maker) = match mode {
                SelfTrade::Allow => unreachable!("own orders are not looked for"),
                SelfTrade::ExpireTaker => (left, 0),
                SelfTrade::ExpireMaker => (0, own_left),
                SelfTrade::ExpireBoth => (left, own_left),
                SelfTrade::Decrement => (left.min(own_left), left.min(own_left)),
            };
            for (order, qty, counter) in [(id, of_taker, maker), (maker, of_maker, id)] {
                if qty > 0 {
                    self.prevent(order, (qty, price, counter), market, now_ms, events);
                }
            }
            self.next_match_id += 1;
        }
    }
}
