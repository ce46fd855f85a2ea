//! What can be changed about the routes.

use crate::consumer::MergeRequest;
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, VenueId};

/// A route to be turned on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteChange {
    /// Which.
    pub route: RouteKey,
    /// Whether events take it from then on.
    pub is_on: bool,
}

/// Something about the routes that is to be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingChange {
    /// A route goes on or off.
    Route(RouteChange),
    /// A consumer gets a merged stream, or does not any more. Equal requests share a rule.
    Merge {
        /// Who.
        consumer: ConsumerId,
        /// What.
        request: MergeRequest,
        /// Whether it gets it.
        is_on: bool,
    },
    /// A merge rule ends for everybody who has it.
    EndRule(u16),
    /// A consumer gets no market and reference data until it is resumed; its routes are remembered.
    PauseConsumer {
        /// Who.
        consumer: ConsumerId,
        /// Paused or not.
        is_paused: bool,
    },
    /// Nobody gets a venue's market and reference data until it is resumed; the routes are
    /// remembered.
    PauseVenue {
        /// Which.
        venue: VenueId,
        /// Paused or not.
        is_paused: bool,
    },
}
