//! An agent on its way to the one thread that runs all of them.

use super::Agent;

/// What an agent is to whoever schedules it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A stage of the pipeline.
    Stage,
    /// The stage that runs a strategy: all that it takes comes through its lanes.
    Consumer,
    /// Beside the pipeline, and ended with it.
    Beside,
    /// Beside the pipeline; whoever owns it ends it.
    Peer,
    /// Not of the engine: a venue in the same world.
    Venue,
}

impl Role {
    /// Whether the engine's end waits for its end.
    #[must_use]
    pub fn is_awaited(self) -> bool {
        matches!(self, Role::Stage | Role::Consumer | Role::Beside)
    }

    /// Whether it is a stage of the pipeline.
    #[must_use]
    pub fn is_stage(self) -> bool {
        matches!(self, Role::Stage | Role::Consumer)
    }

    /// Whether an agent in this role may have work for one in the role `other`, which that finds
    /// by looking. What is not a stage is told by an arrival, its timer or a waker.
    pub(super) fn makes_work_for(self, other: Role) -> bool {
        match self {
            Role::Venue => false,
            // What a strategy sends goes to the gateway or to the controller.
            Role::Consumer => other == Role::Stage,
            Role::Stage | Role::Beside | Role::Peer => other.is_stage(),
        }
    }

    /// Whether what arrives on the network may be work for it.
    pub(super) fn has_sockets(self) -> bool {
        self != Role::Consumer
    }
}

/// An agent, and what it is.
pub struct Placement {
    pub(super) agent: Box<dyn Agent>,
    pub(super) role: Role,
}

impl Placement {
    /// An agent in a role.
    #[must_use]
    pub fn new(role: Role, agent: Box<dyn Agent>) -> Placement {
        Placement { agent, role }
    }

    /// Whether it is a venue.
    #[must_use]
    pub fn is_venue(&self) -> bool {
        self.role == Role::Venue
    }
}
