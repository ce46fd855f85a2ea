//! The exchange's own record: what is true whatever a client was told.

use std::collections::BTreeMap;

use super::balance::BalanceNow;
use super::order::{Order, OrderFill};
use super::{Fee, Side};

/// Orders, and trades, that the record holds; the oldest are forgotten first.
const RECORDS_MAX: usize = 100_000;

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
    /// Orders and trades that were dropped to stay within bounds: 0 means that the record is whole.
    pub forgotten: u64,
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
