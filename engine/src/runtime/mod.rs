//! Threads, cores and time: agents run duty cycles on pinned cores, and read time through one seam.

mod agent;
mod background;
mod clock;
mod core;
mod footprint;
mod hiccups;
mod host;
mod parking;
mod plan;

pub use agent::{Agent, Phase, StopSignal};
pub(crate) use background::give_way;
pub use clock::{Clock, ManualTime};
pub use core::{CoreHandle, CoreOptions, CoreRemains, Pinned};
pub use footprint::{LaneFootprint, lane_footprints};
pub use hiccups::HiccupMeter;
pub use host::HostCores;
pub use parking::{CoreParking, CoreWakers};
pub use plan::{AgentRole, CORE_IDS, CorePlan, PlanError, PlannedCore};
