//! The report of a run that has ended, on threads or in a simulated world.

use std::sync::Arc;

use super::account::Account;
use super::shutdown::Ended;
use crate::control::Routes;
use crate::event::ConsumerId;
use crate::pipeline::{Closings, Readings};
use crate::report::{Report, RoutingReport, silent_streams};
use crate::runtime::{Clock, StopSignal};
use crate::safety::Quarantine;
use crate::telemetry::{Allocations, ProbeLink};

/// What the report is made of beside what ended. All agents must be closed.
pub(super) struct Conclusion<'a> {
    pub(super) closings: &'a Closings,
    pub(super) readings: &'a Readings,
    pub(super) links: &'a [Arc<ProbeLink>],
    pub(super) quarantine: &'a Quarantine,
    /// Venues that were switched off at the stop.
    pub(super) off: Vec<String>,
    pub(super) routes: &'a Routes,
    pub(super) stop: &'a StopSignal,
    pub(super) clock: &'a Clock,
    /// What the core plan had to say.
    pub(super) plan_notes: &'a [String],
    /// From the start to the stop, ns.
    pub(super) duration_ns: u64,
    pub(super) allocations: Option<Allocations>,
}

impl Conclusion<'_> {
    pub(super) fn report(self, mut ended: Ended) -> Report {
        let mut account = Account::take(self.closings);
        account.sets.append(&mut ended.hiccups);
        if self.stop.is_killed() {
            account.notes.push("killed by an operator".to_owned());
        }
        account.notes.extend_from_slice(self.plan_notes);
        account.notes.append(&mut ended.notes);
        let now_ns = self.clock.now_ns();
        if let Some(housekeeping) = &mut ended.housekeeping {
            account.collect(&mut housekeeping.collector, self.links, now_ns);
        }
        let left = account.orders.left_at_venues.len() as u64;
        let recorded = self.closings.journal.take();
        let journal = ended.journal.take().map(|journal| journal.finish(recorded, left));
        let collector = ended.housekeeping.as_ref().map(|housekeeping| &housekeeping.collector);
        let mut report = account.report(self.readings, collector, now_ns);
        report.journal = journal.unwrap_or_default();
        report.journal.checkpoints = self.readings.checkpoints.read();
        report.lose(self.quarantine.last_resort());
        report.duration_ns = self.duration_ns;
        report.paper.clone_from(&self.readings.paper);
        report.allocations_steady_state = self.allocations.map(|of| of.ours);
        report.allocations_of_tls = self.allocations.map(|of| of.of_tls);
        report.venues.iter_mut().for_each(|venue| venue.is_off = self.off.contains(&venue.name));
        report.silent_streams = silent_streams(&self.routes.view(), self.readings);
        for (index, consumer) in report.consumers.iter_mut().enumerate() {
            consumer.quarantine = self.quarantine.reason(ConsumerId(index as u16));
        }
        report.routing = RoutingReport::of(&self.routes.view());
        report.recovery = self.readings.recovery.read();
        report.limits = self.readings.allowances(self.clock);
        report.contention = self.readings.contention();
        ended.tell(&mut report, self.readings.letters_dropped());
        report.parallelism.threads = report.consumer_threads();
        report.findings = report.findings();
        report
    }
}
