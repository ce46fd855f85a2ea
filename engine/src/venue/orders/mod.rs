//! Orders at a venue, whatever the venue: one agent owns the truth about them.
//!
//! [`states`] is the table of what each input does; [`order`] one order; [`table`] all of one
//! venue; `agent` the agent that joins them to a socket, through the venue's
//! [`OrderProtocol`](crate::venue::protocol::OrderProtocol).

mod account_check;
mod account_questions;
mod account_step;
mod account_stream;
mod agent;
mod amendments;
mod answer;
mod archive;
mod cancels;
mod checks;
mod commands;
mod dead_man;
mod dead_man_requests;
mod failures;
mod fills;
mod gate;
mod guard;
mod inspected;
mod inspection;
mod leaving;
mod listing;
#[cfg(test)]
mod model;
mod names;
mod next_session;
mod next_stream;
pub mod order;
mod outgoing;
mod plausible;
mod position_words;
mod positions;
mod presence;
mod questions;
mod reading;
mod reconcile;
mod recovery;
mod replacing;
mod replies;
mod report;
mod requests_in_flight;
mod rest_guard;
mod rest_line;
mod rollover;
mod stage;
mod start_recovery;
pub mod states;
mod strangers;
mod stream_line;
mod stream_rollover;
mod stream_watch;
pub mod table;
mod taken_up;
mod thinning;
mod timing;
mod told;
mod upkeep;
mod upkeep_requests;

pub use agent::{OrderAgent, OrderOptions, OrderSessionTotals, OrderWiring};
pub(crate) use guard::Guard;
pub use guard::{GuardOptions, GuardSession, GuardState};
pub use inspection::{AccountBoard, AccountFound};
pub use leaving::LeftOrder;
pub use names::parts_of_name;
pub use order::KnownOrder;
pub(crate) use rest_guard::RestGuard;
pub use table::OrderTable;
pub use told::{Applied, VenueAnswer, VenueFill, VenueReport};
