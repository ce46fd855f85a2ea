//! The simulated venue as a client sees it, over real sockets.

mod client;
mod faults;
mod filters;
mod ledger;
mod limits;
mod market_data;
mod orders;
mod stops;
mod trader;
