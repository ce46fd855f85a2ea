//! Rare things that a set of runs has to reach: what never happens is not tested by any number of
//! seeds.

use std::collections::BTreeMap;

use super::notes::Notes;
use crate::event::OrderStatus;
use crate::report::Report;
use crate::venue::simulated::{FaultName, SimulatedVenueReport};
use crate::world::{FileTotals, NetTotals};

macro_rules! marks {
    ($($name:ident $what:literal,)*) => {
        /// Every mark: its name, and what it stands for.
        pub static ALL: &[(&str, &str)] = &[$((stringify!($name), $what),)*];

        /// How often each happened in one run.
        #[derive(Default)]
        struct Counts { $($name: u64,)* }

        impl Counts {
            fn table(&self) -> BTreeMap<&'static str, u64> {
                [$((stringify!($name), self.$name),)*].into()
            }
        }
    };
}

marks! {
    split "bytes of one write arrive in two parts",
    stall "bytes are held up on the network",
    cut "a connection is cut at some byte",
    silence "a connection falls silent, and nobody is told",
    refused_connection "a connection is refused",
    disk_full "a write finds no room on the disk",
    torn_write "a write fails in its middle",
    reconnect "a session connects again",
    gap "a hole in a venue's sequence",
    stale_stream "a stream is told as silent",
    resubscribed "a silent stream is subscribed to anew",
    refused_frame "a frame can't be decoded",
    implausible "a number of the venue is not believed",
    duplicate_report "an exec report comes twice",
    contradiction "the venue contradicts what is known of an order",
    unknown_order "what became of an order is not known",
    unknown_then_filled "such an order is found filled",
    unknown_then_rejected "such an order is found to have never arrived",
    revived "an end that was told is taken back",
    corrected_fill "an inferred fill is replaced by the true one",
    cancel_refused "a cancel comes too late",
    amended "an order is amended",
    ban_obeyed "the venue bans us, and we wait",
    held_back "a request waits for the venue's limits",
    order_refused_at_once "an order is refused before it leaves",
    backpressure "a socket is not read, as the link ahead is full",
    spill "a critical lane is full, and its events spill",
    conflated "a market lane is full, and its events conflate",
    critical_lost "a critical event finds no room anywhere",
    quarantined "a strategy is quarantined",
    callback_failed "a callback fails",
    stalled_strategy "a callback takes too long",
    flip "routes change",
    flip_abandoned "a change of routes is given up",
    left_at_venue "an order is named as left at the venue",
    shutdown_notice "the venue tells of a restart",
    frame_abuse "a frame breaks the rules of its protocol",
    key_revoked "the venue revokes a logon",
    update_ids_restart "a venue's ids start anew",
    absurd_report "a field of an exec report is absurd",
    crash "an engine is killed",
    killed_in_write "an engine is killed in the middle of a write to its journal",
    taken_up "an order that is open on record is taken up by the next engine",
    filled_while_down "an order is filled while there is no engine",
    checkpoint "a checkpoint of the journal is written",
    segment_removed "a segment that no start needs any more is removed",
    from_checkpoint "an engine begins behind a checkpoint",
}

/// How often each mark was reached in a run.
pub(super) fn reached(
    notes: &Notes,
    report: &Report,
    simulated: &[SimulatedVenueReport],
    net: NetTotals,
    files: FileTotals,
) -> BTreeMap<&'static str, u64> {
    let mut counts = Counts {
        split: net.splits,
        stall: net.stalls,
        cut: net.cuts,
        silence: net.silences,
        refused_connection: net.refused,
        disk_full: files.full,
        torn_write: files.torn,
        killed_in_write: files.killed,
        critical_lost: report.critical_lost,
        flip: report.routing.flips,
        flip_abandoned: report.routing.flips_abandoned,
        left_at_venue: report.orders.left_at_venues.len() as u64,
        checkpoint: report.journal.checkpoints.written,
        segment_removed: report.journal.checkpoints.removed,
        ..Counts::default()
    };
    of_sessions(&mut counts, report);
    of_venues(&mut counts, simulated);
    of_consumers(&mut counts, report);
    of_orders(&mut counts, notes);
    counts.table()
}

fn of_sessions(counts: &mut Counts, report: &Report) {
    for venue in &report.venues {
        let of = &venue.counters;
        counts.reconnect += of.reconnects;
        counts.gap += of.gaps;
        counts.stale_stream += of.stale;
        counts.resubscribed += of.resubscribed;
        counts.refused_frame += of.refused;
        counts.implausible += of.implausible;
        counts.duplicate_report += of.duplicates;
        counts.contradiction += of.contradictions;
        counts.backpressure += of.backpressure;
    }
    for allowance in &report.limits {
        counts.ban_obeyed += allowance.pauses_imposed;
        counts.held_back += allowance.held_back.values().sum::<u64>();
    }
}

fn of_venues(counts: &mut Counts, simulated: &[SimulatedVenueReport]) {
    for venue in simulated {
        counts.shutdown_notice += venue.faults(FaultName::ServerShutdown);
        let abuses = [FaultName::MaskedFrame, FaultName::ReservedBit, FaultName::BadOpcode];
        counts.frame_abuse += abuses.into_iter().map(|fault| venue.faults(fault)).sum::<u64>();
        counts.key_revoked += venue.faults(FaultName::KeyRevoked);
        counts.update_ids_restart += venue.faults(FaultName::IdRestart);
        counts.absurd_report += venue.faults(FaultName::AbsurdField);
    }
}

fn of_consumers(counts: &mut Counts, report: &Report) {
    for consumer in &report.consumers {
        counts.quarantined += u64::from(consumer.quarantine.is_some());
        counts.callback_failed += consumer.failures;
        counts.conflated += consumer.terms.conflated + consumer.terms.aggregated;
        counts.stalled_strategy += consumer.stalls.count;
        counts.order_refused_at_once += consumer.orders.refused;
    }
    let critical = report.lanes.iter().filter(|lane| lane.name.ends_with(":critical"));
    counts.spill += critical.map(|lane| lane.full).sum::<u64>();
}

fn of_orders(counts: &mut Counts, notes: &Notes) {
    for consumer in notes.consumers.values() {
        counts.corrected_fill += consumer.corrected;
        counts.cancel_refused += consumer.cancels_refused;
        counts.amended += consumer.amended;
        for order in consumer.orders.values() {
            counts.revived += u64::from(order.was_revived);
            counts.unknown_order += u64::from(order.was_unknown);
            let ended = |status| u64::from(order.was_unknown && order.status == Some(status));
            counts.unknown_then_filled += ended(OrderStatus::Filled);
            counts.unknown_then_rejected += ended(OrderStatus::Rejected);
        }
    }
}
