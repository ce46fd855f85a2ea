//! Orders that wait for a price: which of them a trade triggers, and what they do then.

use super::account_orders::AccountOrders;
use super::event::{Event, ExecKind};
use super::market::Market;
use super::order::ExpiryReason;

impl AccountOrders {
    /// The orders of a market that a trade at this price triggers, oldest first.
    pub fn triggered_by(&self, index: usize, price: u64) -> Vec<u64> {
        let waiting = self.waiting.range((index, 0)..=(index, u64::MAX));
        let is_due = |id: &u64| {
            let order = self.by_id(*id);
            order.order_type.is_triggered(order.side, order.stop_price, price)
        };
        waiting.map(|(_, id)| *id).filter(is_due).collect()
    }

    /// The trigger of an order has come: it works from now on. One without a limit locks nothing
    /// any more, and expires where its cost is not free.
    pub fn trigger(&mut self, id: u64, market: &mut Market, now_ms: i64, events: &mut Vec<Event>) {
        let is_priced = self.by_id(id).order_type.is_priced();
        if !is_priced {
            self.release(id, &market.symbol);
        }
        let order = self.order(id);
        (order.is_waiting, order.working_ms, order.updated_ms) = (false, now_ms, now_ms);
        let index = order.market;
        self.waiting.remove(&(index, id));
        self.report(id, ExecKind::Triggered, events);
        if is_priced || self.can_pay(id, market) {
            self.work(id, market, now_ms, events);
        } else {
            self.expire(id, ExpiryReason::NoBalance, market, now_ms, events);
        }
        self.tell_balances(market, events);
    }
}
