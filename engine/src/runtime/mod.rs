//! Threads, cores and time: agents run duty cycles on pinned cores, and read time through one seam.

mod agent;
mod background;
mod beside;
mod core;
mod eye;
mod guarded;
mod held_consumer;
mod hiccups;
mod home;
mod host;
mod one_thread;
mod own_time;
mod parking;
mod plan;
mod stalls;
mod standby;
mod watchdog;
mod yield_ban;

pub use crate::world::{Clock, ManualTime};
pub use agent::{Agent, Closing, Phase, StopSignal};
pub(crate) use background::{give_way, look_pause};
pub use beside::{Beside, BesideThread, BesideWaker};
pub use core::{CoreHandle, CoreOptions, Pinned};
pub use guarded::{GuardedConsumer, Watched};
pub use held_consumer::{HeldConsumer, HoldRates};
pub use hiccups::HiccupMeter;
pub use home::{CoreRemains, Rehearsal};
pub use host::HostCores;
pub use one_thread::OneThread;
pub use parking::{AlonePlaces, CoreParking, CoreWakers};
pub use plan::{AgentRole, CorePlan, PlanError, PlannedCore};
pub use stalls::{StallBook, StallFigures};
pub use watchdog::{Demotion, WatchdogHandle, WatchdogOptions};
pub use yield_ban::YieldBan;
