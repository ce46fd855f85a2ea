//! The exchange's own record: what is true whatever a client was told.

use std::collections::{BTreeMap, VecDeque};

use super::balance::BalanceNow;
use super::market::Top;
use super::order::{Order, OrderFill};
use super::positions::Position;
use super::trade_tick::TradeTick;
use super::{Fee, Side};
use crate::event::BOOK_DEPTH;

/// Orders, and trades, that the record holds; the oldest are forgotten first.
const RECORDS_MAX: usize = 100_000;
/// Best levels that the record holds: an hour of one market. The same of best prices and trades.
pub const TOPS_MAX: usize = 36_000;

/// Balances, as the ledger gives them.
pub type LedgerBalance = BalanceNow;

/// All orders, trades and balances of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Orders by the exchange's id, each as it is now.
    pub orders: BTreeMap<u64, Order>,
    /// Executions, oldest first.
    pub trades: Vec<LedgerTrade>,
    /// What the account owned at the start.
    pub opening: Vec<LedgerBalance>,
    /// What it owns now.
    pub balances: Vec<LedgerBalance>,
    /// Positions by market, where contracts are traded: balances are margin, and a fill moves them
    /// by its profit and its fee alone. Empty elsewhere.
    pub positions: Vec<Position>,
    /// The best levels of the books at each cut of the fast depth feed, oldest first. The oldest
    /// are forgotten without being counted.
    pub tops: VecDeque<LedgerTop>,
    /// The same of the best prices, at each change of them.
    pub quotes: VecDeque<LedgerTop>,
    /// The same of public trades; the id is the trade's.
    pub prints: VecDeque<LedgerTop>,
    /// Orders and trades that were dropped to stay within bounds: 0 means that the record is whole.
    pub forgotten: u64,
}

/// What one market told at one time: the best levels of its book at a cut, its best prices, or a
/// trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerTop {
    /// Number of the market, in the order of the options.
    pub market: usize,
    /// Last update id of the cut.
    pub update_id: u64,
    /// [`top_hash`] of the best [`BOOK_DEPTH`] levels of both sides; of a trade, its price and
    /// quantity on the aggressor's side.
    pub hash: u64,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
}

/// A hash of the best levels of a book, (price, quantity), bids from the best down and then asks
/// from the best up.
pub fn top_hash(
    bids: impl Iterator<Item = (u64, u64)>,
    asks: impl Iterator<Item = (u64, u64)>,
) -> u64 {
    let mix =
        |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    let side = |hash, levels: &mut dyn Iterator<Item = (u64, u64)>| {
        levels.take(BOOK_DEPTH).fold(hash, |hash, (price, qty)| mix(mix(hash, price), qty))
    };
    let (mut bids, mut asks) = (bids, asks);
    side(mix(side(1, &mut bids), u64::MAX), &mut asks)
}

fn note(tops: &mut VecDeque<LedgerTop>, top: LedgerTop) {
    if tops.len() >= TOPS_MAX {
        tops.pop_front();
    }
    tops.push_back(top);
}

/// One execution of an order of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerTrade {
    /// The market's own id of the execution.
    pub trade_id: u64,
    /// The exchange's id of the order.
    pub order_id: u64,
    /// The client's name of the order.
    pub client_order_id: String,
    /// Number of the market, in the order of the options.
    pub market: usize,
    /// The order's side.
    pub side: Side,
    /// In units of 10^-`price_scale` of the symbol.
    pub price: u64,
    /// In units of 10^-`qty_scale` of the symbol.
    pub qty: u64,
    /// The order rested.
    pub is_maker: bool,
    /// What was taken for it.
    pub fee: Fee,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
}

impl Ledger {
    pub(super) fn note_order(&mut self, order: &Order) {
        self.orders.insert(order.id, order.clone());
        if self.orders.len() > RECORDS_MAX {
            self.orders.pop_first();
            self.forgotten += 1;
        }
    }

    pub(super) fn note_top(&mut self, top: LedgerTop) {
        note(&mut self.tops, top);
    }

    pub(super) fn note_quote(&mut self, market: usize, top: &Top, at_ms: i64) {
        let is_there = |level: &(u64, u64)| level.1 > 0;
        let side = |level| std::iter::once(level).filter(is_there);
        let hash = top_hash(side(top.bid), side(top.ask));
        note(&mut self.quotes, LedgerTop { market, update_id: top.update_id, hash, at_ms });
    }

    pub(super) fn note_print(&mut self, market: usize, tick: &TradeTick, at_ms: i64) {
        let level = std::iter::once((tick.price, tick.qty));
        // Whose order was taken did not ask for the trade.
        let hash = match tick.is_buyer_maker {
            true => top_hash(std::iter::empty(), level),
            false => top_hash(level, std::iter::empty()),
        };
        note(&mut self.prints, LedgerTop { market, update_id: tick.id, hash, at_ms });
    }

    pub(super) fn note_trade(&mut self, order: &Order, fill: &OrderFill) {
        if self.trades.len() >= RECORDS_MAX {
            self.trades.drain(..RECORDS_MAX / 2);
            self.forgotten += (RECORDS_MAX / 2) as u64;
        }
        self.trades.push(LedgerTrade {
            trade_id: fill.trade_id,
            order_id: order.id,
            client_order_id: order.client_order_id.clone(),
            market: order.market,
            side: order.side,
            price: fill.price,
            qty: fill.qty,
            is_maker: fill.is_maker,
            fee: fill.fee.clone(),
            at_ms: order.updated_ms,
        });
    }
}
