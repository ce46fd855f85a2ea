//! What is left of a run, for those who judge it.

use std::collections::{BTreeMap, BTreeSet};

use crate::simulation::facts::Facts;
use crate::simulation::notes::Print;
use crate::simulation::plan::{End, Plan};
use crate::simulation::told::ConsumerNotes;
use crate::testing::ToldOrders;
use crate::venue::orders::parts_of_name;
use crate::venue::simulated::{Ledger, SimulatedSymbol, SimulatedVenueReport};
use crate::world::Files;

/// What is left of a run.
pub(in crate::simulation) struct Evidence<'a> {
    pub(in crate::simulation) plan: &'a Plan,
    /// By the number of an engine that followed another, the orders that it found open on record.
    pub(in crate::simulation) taken_up: &'a BTreeMap<u32, BTreeSet<(u16, u64)>>,
    /// By number.
    pub(in crate::simulation) consumers: &'a BTreeMap<u16, ConsumerNotes>,
    /// By venue, what was told of orders there.
    pub(in crate::simulation) told: &'a BTreeMap<u16, ToldOrders>,
    /// Quotes and trades as they were told.
    pub(in crate::simulation) prints: &'a [Print],
    pub(in crate::simulation) report: &'a Facts,
    /// By venue.
    pub(in crate::simulation) ledgers: &'a [Ledger],
    pub(in crate::simulation) symbols: &'a [Vec<SimulatedSymbol>],
    pub(in crate::simulation) simulated: &'a [SimulatedVenueReport],
    pub(in crate::simulation) penalties: &'a BTreeMap<&'static str, u64>,
    /// Name and state at the end of the calm.
    pub(in crate::simulation) sessions: &'a [(String, String)],
    /// Agents that did not end.
    pub(in crate::simulation) behind: &'a [String],
    /// Wall time at the start of the run, ns since the Unix epoch.
    pub(in crate::simulation) wall_start_ns: i64,
    /// What the machine may add to a time, ms: nothing in virtual time.
    pub(in crate::simulation) slack_ms: u64,
    /// When the run was stopped, ns.
    pub(in crate::simulation) stopped_ns: u64,
    /// The disk, as it was left, with what was removed from it.
    pub(in crate::simulation) files: &'a Files,
    pub(in crate::simulation) open_ends: usize,
    pub(in crate::simulation) open_handles: usize,
    /// Duty cycles of all agents; 0 where nobody has counted them.
    pub(in crate::simulation) cycles: u64,
    /// The agents with the most duty cycles, and what they cost.
    pub(in crate::simulation) busiest: &'a str,
    /// When the operator's kill was answered, ns.
    pub(in crate::simulation) killed_ns: Option<u64>,
    /// Open orders that one consumer may have.
    pub(in crate::simulation) open_orders_max: usize,
}

impl Evidence<'_> {
    /// Whether the run had its calm: what was on its way has arrived.
    pub(in crate::simulation) fn is_quiet(&self) -> bool {
        self.plan.end != End::KillInTrouble
    }

    /// Numbers of the consumers that were quarantined: they are told nothing any more.
    pub(in crate::simulation) fn is_quarantined(&self, consumer: u16) -> bool {
        let report = self.report.consumers.get(usize::from(consumer));
        report.is_some_and(|report| report.quarantine.is_some())
    }

    /// Consumer and number of an order of ours, by its name at the venue: no two engines of a run
    /// give out the same.
    pub(in crate::simulation) fn key_of(name: &str) -> Option<(u16, u64)> {
        parts_of_name(name).map(|(_, consumer, id)| (consumer, id))
    }

    /// The number of the engine whose order it is.
    pub(in crate::simulation) fn run_of(name: &str) -> Option<u32> {
        parts_of_name(name).map(|(run, ..)| run)
    }
}
