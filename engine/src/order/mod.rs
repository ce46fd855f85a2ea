//! Orders: what a strategy asks for, on its way to a venue.

mod command;

pub use command::{OrderAction, OrderCommand, OrderType, TimeInForce};
