//! The dispatcher: fans each event out, as an independent copy, to every subscribed consumer.

mod agent;
mod link;
mod routing;

pub use agent::{DispatcherAgent, DispatcherRemains};
pub(crate) use agent::{DispatcherParts, LinkParts};
pub use link::LinkRemains;
pub use routing::{Route, RoutingPlan, RoutingTable, Subscription};
