//! An exchange: markets with their books and crowds, one account, fees, limits and a ledger.
//!
//! It knows no text of any venue, no socket, no thread and no clock: commands and moments go in,
//! results and events come out. What it says to whom, and how, is a dialect's.

mod account;
mod account_orders;
mod amount;
mod balance;
mod book;
mod core;
mod crowd;
mod event;
mod feed;
mod fees;
mod filters;
mod instrument;
mod kline;
mod ledger;
mod live;
mod live_levels;
mod market;
mod order;
mod pace;
mod positions;
mod refusal;
mod self_trade;
mod stops;
mod trade_tick;

pub use account_orders::{OrderName, Placed};
pub use amount::{AMOUNT_SCALE, Amount};
pub use balance::BalanceNow;
pub use book::Side;
pub use core::Exchange;
pub use event::{Event, ExecKind, Funding, OrderReport};
pub use feed::{Feed, StreamKey};
pub use fees::{Commission, CommissionAsset, Fee};
pub use filters::{
    AMENDS_MAX, MAX_NOTIONAL, OPEN_ORDERS_MAX, PRICE_FACTOR_MAX, WAITING_ORDERS_MAX,
};
pub use instrument::SimulatedSymbol;
pub use kline::Kline;
pub use ledger::{Ledger, LedgerBalance, LedgerTop, LedgerTrade, TOPS_MAX, top_hash};
pub use market::{Market, Top};
pub use order::{
    ExpiryReason, NewOrder, Order, OrderFill, OrderType, SelfTrade, Status, TimeInForce,
};
pub use positions::Position;
pub use refusal::{Filter, Refusal};
pub use trade_tick::TradeTick;
