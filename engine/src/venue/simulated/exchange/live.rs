//! A market that follows a live book: its liquidity is what a real venue shows.
//!
//! Orders of the account rest between those of the live levels, by price and time. What is known of
//! a live level is its quantity alone, so its queue is an estimate, and a careful one: a level that
//! grows does so behind everybody, and one that shrinks without a trade loses what joined last. A
//! live trade takes the best prices first, own orders that are better than its price included. What
//! own orders have taken of a level stays taken until the level changes. Nothing is known behind
//! the levels that are shown: there is no liquidity.

use super::book::Side;
use super::market::{Market, MarketEvent};
use super::trade_tick::TradeTick;

/// No order of the book has this number.
const NOBODY: u64 = u64::MAX;

impl Market {
    /// The live book is this now; its levels come best first.
    pub fn follow_book(&mut self, bids: &[(u64, u64)], asks: &[(u64, u64)]) {
        // What is gone first: what grows may not meet it.
        self.shrink(Side::Buy, bids);
        self.shrink(Side::Sell, asks);
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            for (price, qty) in levels {
                self.grow(side, *price, *qty);
            }
        }
        if let (false, Some((bid, _)), Some((ask, _))) =
            (self.live.has_traded, bids.first(), asks.first())
        {
            // The last price before the first trade.
            self.last_price = bid.midpoint(*ask);
        }
    }

    /// The venue's book is not known: there is no liquidity.
    pub fn lose_book(&mut self) {
        self.follow_book(&[], &[]);
    }

    /// A live trade, whose taker was on this side.
    pub fn follow_trade(&mut self, taker: Side, price: u64, qty: u64) {
        let taken = self.book.executable(taker, Some(price), qty);
        let fills = if taken > 0 { self.take(taker, taken) } else { Vec::new() };
        for (_, fill) in fills {
            let level = self.live.side(taker.opposite()).get_mut(&fill.price);
            if let Some(level) = level.filter(|level| level.orders.contains(&fill.maker)) {
                level.shown = level.shown.saturating_sub(fill.qty);
            }
        }
        self.live.has_traded = true;
        if self.last_price != price {
            // Stop orders look at the last price, whomever the trade met.
            let tick = TradeTick { id: 0, price, qty, is_buyer_maker: taker == Side::Sell };
            self.tell(MarketEvent::Trade { tick, maker: NOBODY });
            self.last_price = price;
        }
    }

    fn shrink(&mut self, side: Side, levels: &[(u64, u64)]) {
        let mut live = std::mem::take(self.live.side(side));
        live.retain(|price, level| {
            let shown = levels.iter().find(|(other, _)| other == price).map_or(0, |(_, qty)| *qty);
            let mut gone = level.shown.saturating_sub(shown);
            level.shown = level.shown.min(shown);
            while gone > 0
                && let Some(id) = level.orders.pop()
            {
                let resting = self.book.resting(id).map_or(0, |(_, _, qty)| qty);
                if resting > gone {
                    self.reduce(id, gone);
                    level.orders.push(id);
                    break;
                }
                self.cancel(id);
                gone -= resting;
            }
            if shown == 0 {
                // Own orders may have left more of it than the venue shows.
                for id in level.orders.drain(..) {
                    self.cancel(id);
                }
            }
            shown > 0
        });
        *self.live.side(side) = live;
    }

    fn grow(&mut self, side: Side, price: u64, qty: u64) {
        let level = self.live.side(side).entry(price).or_default();
        let more = qty.saturating_sub(level.shown);
        level.shown = qty;
        if more == 0 {
            return;
        }
        // Of the live book nothing crosses: it meets own orders.
        let taken = self.book.executable(side, Some(price), more);
        if taken > 0 {
            self.take(side, taken);
        }
        if taken < more {
            let id = self.rest(side, price, more - taken);
            self.live.side(side).entry(price).or_default().orders.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::simulated::exchange::SimulatedSymbol;

    fn market() -> Market {
        Market::following(SimulatedSymbol::default(), 0)
    }

    /// Trades with own orders: how much of the order with this number was filled.
    fn filled(market: &mut Market, own: u64) -> u64 {
        let mut events = Vec::new();
        market.drain_events(&mut events);
        let fills = events.iter().filter_map(|event| match event {
            MarketEvent::Trade { tick, maker } if *maker == own => Some(tick.qty),
            _ => None,
        });
        fills.sum()
    }

    #[test]
    fn the_book_shows_the_live_levels_and_nothing_else() {
        let mut market = market();
        market.follow_book(&[(99, 5), (98, 7)], &[(101, 3)]);
        market.follow_book(&[(99, 2), (97, 1)], &[(101, 4), (102, 8)]);
        let levels = |side| market.book.levels(side).collect::<Vec<_>>();
        assert_eq!(levels(Side::Buy), [(99, 2), (97, 1)]);
        assert_eq!(levels(Side::Sell), [(101, 4), (102, 8)]);
        market.lose_book();
        assert_eq!(market.book.level_count(Side::Buy) + market.book.level_count(Side::Sell), 0);
    }

    #[test]
    fn an_order_that_rests_waits_for_what_was_there_before_it() {
        let mut market = market();
        market.follow_book(&[(99, 5)], &[(101, 3)]);
        let own = market.rest(Side::Buy, 99, 4);
        // More joins behind, and goes again: the order stays where it is.
        market.follow_book(&[(99, 9)], &[(101, 3)]);
        market.follow_book(&[(99, 5)], &[(101, 3)]);
        market.follow_trade(Side::Sell, 99, 5);
        assert_eq!(filled(&mut market, own), 0);
        market.follow_book(&[], &[(101, 3)]);
        market.follow_trade(Side::Sell, 99, 3);
        assert_eq!(filled(&mut market, own), 3);
        assert_eq!(market.book.resting(own), Some((Side::Buy, 99, 1)));
    }

    #[test]
    fn a_trade_and_the_book_behind_it_count_once() {
        let mut market = market();
        market.follow_book(&[(99, 10)], &[(101, 3)]);
        let own = market.rest(Side::Buy, 99, 4);
        market.follow_trade(Side::Sell, 99, 6);
        market.follow_book(&[(99, 4)], &[(101, 3)]);
        assert_eq!(market.book.qty_at(Side::Buy, 99), 8, "four of the venue, four of ours");
        market.follow_trade(Side::Sell, 99, 5);
        assert_eq!(filled(&mut market, own), 1);
    }

    #[test]
    fn a_live_price_that_crosses_an_order_fills_it_and_only_once() {
        let mut market = market();
        market.follow_book(&[(99, 5)], &[(101, 3)]);
        let own = market.rest(Side::Buy, 100, 5);
        market.follow_book(&[(98, 5)], &[(100, 2)]);
        assert_eq!(filled(&mut market, own), 2);
        market.follow_book(&[(98, 6)], &[(100, 2)]);
        assert_eq!(filled(&mut market, own), 0, "the level has not changed");
        market.follow_book(&[(98, 6)], &[(100, 4)]);
        assert_eq!(filled(&mut market, own), 2);
    }

    #[test]
    fn what_a_taker_has_taken_stays_taken_until_the_level_changes() {
        let mut market = market();
        market.follow_book(&[(99, 5)], &[(101, 3), (102, 9)]);
        assert_eq!(market.take(Side::Buy, 3).len(), 1);
        market.follow_book(&[(99, 5)], &[(101, 3), (102, 9)]);
        assert_eq!(market.book.best(Side::Sell).map(|(price, _)| price), Some(102));
        market.follow_book(&[(99, 5)], &[(101, 4), (102, 9)]);
        assert_eq!(market.book.qty_at(Side::Sell, 101), 1);
    }

    #[test]
    fn the_last_price_is_that_of_the_live_trades() {
        let mut market = market();
        market.follow_book(&[(99, 5)], &[(101, 3)]);
        assert_eq!(market.last_price(), 100);
        market.follow_trade(Side::Buy, 105, 1);
        let mut events = Vec::new();
        market.drain_events(&mut events);
        let told = |event: &MarketEvent| matches!(event, MarketEvent::Trade { tick, .. } if tick.price == 105);
        assert!(market.last_price() == 105 && events.iter().any(told), "{events:?}");
    }
}
