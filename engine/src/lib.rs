//! The Pitlane trading engine as a library, without a command line.
//!
//! The folders follow an event's way: [`venue`] reads and decodes, `orchestrator` merges and stamps,
//! `dispatcher` fans out, `consumer` runs the strategies, [`order`] carries their orders back.

pub mod config;
pub mod consumer;
pub mod dispatcher;
pub mod event;
pub mod instrument;
pub mod orchestrator;
pub mod order;
pub mod runtime;
pub mod telemetry;
pub mod venue;
