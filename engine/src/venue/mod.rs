//! Venues: where market data comes from and orders go to.

pub mod simulated;
