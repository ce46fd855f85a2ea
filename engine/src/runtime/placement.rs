//! An agent on its way to the one thread that runs all of them.

use super::Agent;

/// What an agent is to whoever schedules it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A stage of the pipeline.
    Stage,
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
        matches!(self, Role::Stage | Role::Beside)
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
