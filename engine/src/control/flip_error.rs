//! Why a change of routes failed.

use std::time::Duration;

use thiserror::Error;

use crate::event::{ConsumerId, ControlCode, EventKind, InstrumentId, VenueId};
use crate::orchestrator::merge::MergeProblem;

/// Changes that may wait at a time.
pub(super) const QUEUE_MAX: usize = 256;

/// Why routes were not changed; those before are in force.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum FlipError {
    #[error("[routes] flip failed: there is no consumer {0} (code: unknown_consumer)")]
    UnknownConsumer(ConsumerId),
    #[error("[routes] flip failed: there is no venue {0} (code: unknown_venue)")]
    UnknownVenue(VenueId),
    #[error("[routes] flip failed: there is no instrument {0} (code: unknown_instrument)")]
    UnknownInstrument(InstrumentId),
    #[error(
        "[routes] flip failed: the strategy of consumer {consumer} takes no {kind} events \
         (code: not_interested)"
    )]
    NotInterested { consumer: ConsumerId, kind: EventKind },
    #[error(
        "[routes] flip failed: {0} events reach their owner whatever the routes are \
         (code: not_routed)"
    )]
    NotRouted(EventKind),
    #[error("[routes] flip failed: it was not subscribed (code: not_subscribed)")]
    NotSubscribed,
    #[error("[routes] flip failed: {0} (code: bad_merge)")]
    BadMerge(#[from] MergeProblem),
    #[error("[{venue}] more streams refused (code: {code})")]
    VenueRefused { venue: String, code: i32 },
    #[error("[routes] flip failed: all merge rules are taken (code: no_rule_free)")]
    NoRuleFree,
    #[error("[routes] flip failed: nothing would change (code: no_change)")]
    NoChange,
    #[error("[routes] flip failed: it was not taken in {0:?} (code: deadline)")]
    Deadline(Duration),
    #[error("[routes] flip failed: the engine is stopping (code: stopping)")]
    Stopped,
    #[error("[routes] flip failed: {QUEUE_MAX} changes wait already (code: queue_full)")]
    QueueFull,
}

impl FlipError {
    /// The stable code that a strategy is told.
    #[must_use]
    pub fn code(&self) -> ControlCode {
        match self {
            FlipError::UnknownConsumer(_) => ControlCode::UnknownConsumer,
            FlipError::UnknownVenue(_) => ControlCode::UnknownVenue,
            FlipError::UnknownInstrument(_) => ControlCode::UnknownInstrument,
            FlipError::NotInterested { .. } => ControlCode::NotInterested,
            FlipError::NotRouted(_) => ControlCode::NotRouted,
            FlipError::NotSubscribed => ControlCode::NotSubscribed,
            FlipError::BadMerge(_) => ControlCode::BadMerge,
            FlipError::VenueRefused { .. } => ControlCode::VenueRefused,
            FlipError::NoRuleFree => ControlCode::NoRuleFree,
            // Whoever asked has what was asked for.
            FlipError::NoChange => ControlCode::Ok,
            FlipError::Deadline(_) => ControlCode::Deadline,
            FlipError::Stopped => ControlCode::Stopping,
            FlipError::QueueFull => ControlCode::QueueFull,
        }
    }
}
