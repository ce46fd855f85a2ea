//! Orders: what a strategy asks for, on its way to a venue, and what became of it.

mod capabilities;
mod command;
mod gateway;
mod gateway_journal;
mod order_ids;
pub mod order_log;
mod own_ids;
pub mod recovery;
mod tracker;
pub mod trading;
mod trigger;

pub use capabilities::{Amends, Capabilities, DeadManTimer, Feature, Lack, OrderNeeds};
pub use command::{
    OrderAction, OrderCommand, OrderFlags, OrderKey, OrderTerms, OrderType, OrderTypes, TimeInForce,
};
pub use gateway::{GatewayAgent, GatewayCounts};
pub(crate) use gateway::{GatewayEnds, OrderLane, refused, rejection};
pub(crate) use gateway_journal::GatewayJournal;
pub use order_ids::epoch_of_order;
pub(crate) use order_ids::first_order_id;
pub(crate) use own_ids::OwnIds;
pub use own_ids::{OnceOutcome, OwnId};
pub use tracker::{OpenOrder, OrderCounts, OrderTracker, Position};
pub use trigger::TriggerBy;
