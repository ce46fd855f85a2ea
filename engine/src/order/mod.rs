//! Orders: what a strategy asks for, on its way to a venue, and what became of it.

mod command;
mod gateway;
mod gateway_journal;
pub mod order_log;
mod tracker;
pub mod trading;

pub use command::{
    OrderAction, OrderCommand, OrderFlags, OrderKey, OrderType, OrderTypes, TimeInForce,
};
pub use gateway::{GatewayAgent, GatewayCounts};
pub(crate) use gateway::{GatewayEnds, OrderLane, refused, rejection};
pub(crate) use gateway_journal::GatewayJournal;
pub use tracker::{OpenOrder, OrderCounts, OrderTracker, Position};
