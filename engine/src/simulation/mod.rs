//! Bad days by seed: the whole engine on one thread in virtual time, with everything around it
//! going wrong, and judged by who does not believe it.
//!
//! - [`draw`] makes the [`Plan`] of a seed: load, faults, commands. Most faults are off in most
//!   plans.
//! - [`run`] lets it pass: trouble, then a calm in which all has to heal, then a stop.
//! - [`invariants`] judges: what strategies were told against the simulated venue's own record.
//! - [`marks`] counts the rare things that were reached.
//! - [`shrink`] makes a failing plan smaller.
//! - [`real`] lets a driver outside do the same to the shipped binary.
//!
//! Promises: one plan is one run, to the byte, on every machine; nothing real is touched, but the
//! log of the process ([`real`] apart, which is about nothing else). `engine/docs/simulation.md` is
//! the guide.

mod crash;
mod draw;
mod facts;
pub mod invariants;
mod isolation;
pub mod marks;
mod notes;
mod on_record;
mod operator;
mod plan;
pub mod real;
mod run;
mod schedule;
mod shrink;
mod standing;
mod told;
mod told_file;
mod trader;
mod witness;

pub use draw::draw;
pub use facts::Facts;
pub use invariants::{Invariant, Violation};
pub use plan::{
    Crash, Disk, End, Load, MachineClock, Misbehaviour, Network, Operator, Outage, Plan,
    PlanFileError, Restart, VenueFault, Venues,
};
pub use run::{Outcome, run};
pub use shrink::{Shrinking, Shrunk, shrink};
pub use trader::{Listener, RandomTrader};
