//! Orders at a venue, whatever the venue: one agent owns the truth about them.
//!
//! [`states`] is the table of what each word does; [`order`] one order; [`table`] all of one venue;
//! `agent` the agent that joins them to a socket, through the venue's
//! [`OrderProtocol`](crate::venue::protocol::OrderProtocol).

mod agent;
mod gate;
mod leaving;
#[cfg(test)]
mod model;
mod names;
pub mod order;
mod reconcile;
mod requests_in_flight;
pub mod states;
pub mod table;

pub use agent::{OrderAgent, OrderOptions, OrderSessionTotals, OrderWiring};
pub use leaving::LeftOrder;
pub use order::{Applied, KnownOrder, VenueAnswer, VenueReport};
pub use table::OrderTable;
