//! A control command: the record that travels from a strategy's control lane to the controller.

use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::{ControlCode, EventKind, InstrumentId, Interest, VenueId};
use crate::orchestrator::merge::MergeRule;

/// Number of a control command, unique per consumer for the life of the engine, from 1. Answers
/// carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// What the command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ControlAction {
    /// Send a stream to this consumer.
    Subscribe = 1,
    /// Stop sending it.
    Unsubscribe = 2,
    /// Merge a stream over several venues and send what comes of it.
    SubscribeMerged = 3,
    /// Stop sending that.
    UnsubscribeMerged = 4,
}

/// A stream merged over venues, as a strategy asks for it (LM-05). Two requests that are equal
/// share a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MergeRequest {
    /// What is merged.
    pub instrument: InstrumentId,
    /// Quote, Trade, Book or Bar.
    pub kind: EventKind,
    /// The venues, bit n for venue n; at least two.
    pub venues: VenueSet,
    /// How long a window stays open after its first event, ns, above 0 and at most a minute.
    pub window_ns: u64,
    /// Events after which a window closes; at least the number of venues.
    pub events_max: u32,
}

impl MergeRequest {
    /// The rule that does it, under this number.
    #[must_use]
    pub fn rule(&self, id: u16) -> MergeRule {
        MergeRule {
            id,
            instrument: self.instrument,
            kind: self.kind,
            providers: self.venues.0,
            window_ns: self.window_ns,
            max_events: self.events_max,
        }
    }
}

/// Some of the first 64 venues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VenueSet(pub u64);

impl VenueSet {
    /// Every venue there is.
    pub const ALL: VenueSet = VenueSet(u64::MAX);

    /// These venues; those above number 63 are left out.
    #[must_use]
    pub fn of(venues: &[VenueId]) -> VenueSet {
        let bits = venues.iter().filter(|venue| venue.0 < 64).map(|venue| 1 << venue.0);
        VenueSet(bits.fold(0, |set, bit: u64| set | bit))
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether a venue is one of them.
    #[must_use]
    pub fn contains(self, venue: VenueId) -> bool {
        venue.0 < 64 && self.0 >> venue.0 & 1 == 1
    }
}

/// Why a control command was refused before it left the strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("[control] command refused: {} (code: {})", code.name(), code.code())]
pub struct ControlError {
    /// The stable reason code.
    pub code: ControlCode,
}

impl From<ControlCode> for ControlError {
    fn from(code: ControlCode) -> ControlError {
        ControlError { code }
    }
}

/// One command, a cache line, plain old data.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct ControlCommand {
    /// The consumer's own number of it.
    pub command_id: u64,
    /// The venues, a [`VenueSet`].
    pub venues: u64,
    /// Length of a merge window, ns.
    pub window_ns: u64,
    /// Instrument number.
    pub instrument: u32,
    /// Events of a merge window.
    pub events_max: u32,
    /// Consumer number.
    pub consumer: u16,
    /// The kinds, an [`Interest`]; of a merge one.
    pub kinds: u16,
    /// Code of the [`ControlAction`].
    pub action_code: u8,
    /// Always 0.
    pub reserved: [u8; 27],
}

const _: () = assert!(size_of::<ControlCommand>() == 64);

impl ControlCommand {
    /// What is asked for; `None` for a code that was never given out.
    #[must_use]
    pub fn action(&self) -> Option<ControlAction> {
        Some(match self.action_code {
            1 => ControlAction::Subscribe,
            2 => ControlAction::Unsubscribe,
            3 => ControlAction::SubscribeMerged,
            4 => ControlAction::UnsubscribeMerged,
            _ => return None,
        })
    }

    /// The kinds.
    #[must_use]
    pub fn interest(&self) -> Interest {
        Interest::from_bits(self.kinds)
    }

    /// The merge that is asked for; `None` when it names not exactly one kind.
    #[must_use]
    pub fn merge(&self) -> Option<MergeRequest> {
        let mut kinds = self.interest().kinds();
        let kind = kinds.next().filter(|_| kinds.next().is_none())?;
        Some(MergeRequest {
            instrument: InstrumentId(self.instrument),
            kind,
            venues: VenueSet(self.venues),
            window_ns: self.window_ns,
            events_max: self.events_max,
        })
    }
}

impl pitlane_ring::Record for ControlCommand {
    fn used_bytes(&self) -> usize {
        size_of::<ControlCommand>()
    }
}
