//! What every stage asks before it acts: who is quarantined, whether orders may leave, whether the
//! engine has halted.
//!
//! Each of them is a few atomics behind an `Arc`: written by whoever sees the trouble, read by
//! every stage, without the help of the thread that is in trouble.

mod heartbeat;
mod kills;
mod last_resort;
mod quarantine;
mod trading_switch;

pub use heartbeat::Heartbeat;
pub use kills::Kills;
pub use last_resort::{HaltReason, LastResort};
pub use quarantine::{Quarantine, QuarantineReason};
pub use trading_switch::TradingSwitch;
