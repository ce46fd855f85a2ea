//! The control plane: who gets what, and how it is changed while the engine runs.
//!
//! Strategies ask by [`ControlCommand`]s through their own lanes, operators through [`crate::Engine`];
//! both end at one desk, which has the orchestrator take merge rules and the dispatcher take tables.
//! Nothing here runs on a pinned thread.

mod command;
mod controller;
mod routes;
mod rules;

pub use command::{CommandId, ControlAction, ControlCommand, ControlError, MergeRequest, VenueSet};
pub(crate) use controller::{ControllerHandle, ControllerParts};
pub use routes::{FlipError, RouteChange, RoutesDifference, RoutesView, RoutingChange};
pub(crate) use routes::{FlipLatencies, Request, Routes, RoutesParts};
pub use rules::RuleView;
