//! The simulated venue as a client sees it, over real sockets.

#![allow(
    clippy::disallowed_methods,
    reason = "what is tested runs in real time, on real threads and sockets"
)]

mod client;
mod faults;
mod ledger;
mod limits;
mod market_data;
mod orders;
mod trader;
