//! An agent on its way to the one thread that runs all of them.

use super::Agent;
use super::plan::AgentRole;

/// What an agent is to whoever schedules it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A stage of the pipeline.
    Stage(AgentRole),
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
        matches!(self, Role::Stage(_) | Role::Beside)
    }

    /// Whether it is a stage of the pipeline.
    #[must_use]
    pub fn is_stage(self) -> bool {
        matches!(self, Role::Stage(_))
    }

    /// Whether an agent in this role may have work for one in the role `other`, which that finds
    /// by looking. What is not a stage is told by an arrival, its timer or a waker.
    pub(super) fn makes_work_for(self, other: Role) -> bool {
        match (self, other) {
            (Role::Stage(one), Role::Stage(other)) => one.feeds(other),
            (Role::Beside | Role::Peer, Role::Stage(_)) => true,
            _ => false,
        }
    }

    /// Whether what arrives on the network may be work for it.
    pub(super) fn has_sockets(self) -> bool {
        !matches!(self, Role::Stage(AgentRole::Consumer(_)))
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
