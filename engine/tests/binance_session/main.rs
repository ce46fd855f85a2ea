//! Promises of the live sessions against faults on the wire: the real agents on real sockets,
//! against the simulated venue with a fault plan, and against servers whose every byte is scripted.

mod bad_day;
mod books;
mod feed;
mod harness;
mod market_faults;
mod order_faults;
mod orders;
mod proxy;
mod raw;
mod session;
mod switch;
mod trader;
