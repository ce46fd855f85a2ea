//! One thread of a plan, and what it runs.

use pitlane_ring::IdleStrategy;
use serde::{Serialize, Serializer};

/// What an agent does. Venues are numbered as in `Config::venue_names`, consumers as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentRole {
    /// Market data session of a venue.
    VenueMarket(usize),
    /// Order session of a venue.
    VenueOrders(usize),
    /// Merge windows and version stamp.
    Orchestrator,
    /// Ordering, routing, fan-out.
    Dispatcher,
    /// Idempotency, risk and limits between consumers and order sessions.
    Gateway,
    /// One strategy.
    Consumer(usize),
}

impl AgentRole {
    /// Its turn in a pass over the agents of one core. Orders go first: the answer to an event
    /// comes from another core a moment after the dispatcher has ended a pass, and would wait for
    /// the whole next read of the market if the gateway came behind it. Then the event's way, so
    /// that a frame is dispatched in the pass that reads it.
    #[must_use]
    pub const fn turn(self) -> u8 {
        match self {
            AgentRole::Gateway => 0,
            AgentRole::VenueOrders(_) => 1,
            AgentRole::VenueMarket(_) => 2,
            AgentRole::Orchestrator => 3,
            AgentRole::Dispatcher => 4,
            AgentRole::Consumer(_) => 5,
        }
    }

    /// Whether a lane leads from it to `other`, or a lane's room comes back to it. A session that
    /// waits for room looks by its timer.
    pub(in crate::runtime) const fn feeds(self, other: AgentRole) -> bool {
        use AgentRole::{Consumer, Dispatcher, Gateway, Orchestrator, VenueMarket, VenueOrders};
        match self {
            VenueMarket(_) | VenueOrders(_) => matches!(other, Orchestrator | Dispatcher),
            Orchestrator => matches!(other, Dispatcher),
            Dispatcher => matches!(other, Consumer(_) | Orchestrator),
            Consumer(_) => matches!(other, Gateway | Dispatcher),
            Gateway => matches!(other, VenueOrders(_) | Orchestrator | Dispatcher),
        }
    }
}

/// One thread of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedCore {
    /// Thread name, as `dispatch`, `consumers`, `consumer-noop`.
    pub name: String,
    /// The core to pin to; `None` leaves it to the kernel.
    pub core: Option<usize>,
    /// What it runs, in this order; see [`AgentRole::turn`].
    pub agents: Vec<AgentRole>,
    /// How it idles when no agent has work.
    #[serde(serialize_with = "idle_name")]
    pub idle: IdleStrategy,
}

impl PlannedCore {
    /// Whether it runs any strategy.
    #[must_use]
    pub fn has_consumers(&self) -> bool {
        self.consumers() > 0
    }

    pub(super) fn consumers(&self) -> usize {
        self.agents.iter().filter(|agent| matches!(agent, AgentRole::Consumer(_))).count()
    }
}

fn idle_name<S: Serializer>(idle: &IdleStrategy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(idle.name())
}
