//! The dispatcher: fans each event out, as an independent copy, to every subscribed consumer.

mod agent;
mod cells;
mod cut;
mod fanout;
mod flip;
mod latest;
mod link;
mod routing;
mod run;
pub mod sequencing;

pub(crate) use agent::DispatcherInputs;
pub use agent::{DispatcherAgent, DispatcherTotals};
pub(crate) use cells::records_of;
pub(crate) use cut::{CUT, LinkCut};
pub(crate) use fanout::{Fanout, FanoutParts};
pub use flip::{AcceptFrom, COMMAND_DONE, FLIP_BEGIN, FLIP_END, FlipOutcome};
pub(crate) use flip::{Flip, FlipPort};
pub(crate) use link::ConsumerLink;
pub use link::LinkTotals;
pub use routing::{Route, RouteKey, RoutingTable, Subscription};
pub(crate) use routing::{RouteBook, is_routed, routes_of};
