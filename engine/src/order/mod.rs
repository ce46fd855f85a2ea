//! Orders: what a strategy asks for, on its way to a venue, and what became of it.

mod command;
mod gateway;
pub mod order_log;
mod tracker;
pub mod trading;

pub use command::{
    OrderAction, OrderCommand, OrderFlags, OrderKey, OrderType, OrderTypes, TimeInForce,
};
pub use gateway::{GatewayAgent, GatewayCounts};
pub(crate) use gateway::{GatewayEnds, refused, rejection};
pub use tracker::{OpenOrder, OrderCounts, OrderTracker, Position};
