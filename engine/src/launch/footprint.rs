//! How many lanes there will be, and the memory their slots take.

use std::collections::HashSet;

use serde::Serialize;

use crate::config::{Config, ConsumerConfig, JournalDurability};
use crate::consumer::CONSUMER_LETTER_SLOTS;
use crate::dispatcher::{is_routed, records_of};
use crate::event::{Event, EventKind};
use crate::order::OrderCommand;
use crate::order::order_log::{ORDER_LOG_SLOTS, OrderNote};
use crate::order::trading::TradingBoard;
use crate::pipeline::WORD_SLOTS;
use crate::risk::RiskBook;
use crate::runtime::{CorePlan, PlannedCore};
use crate::telemetry::{LetterChunk, LogRecord};

/// All lanes of one sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneFootprint {
    /// What they carry and from where to where, in words.
    pub lane: &'static str,
    /// How many there are.
    pub lanes: usize,
    /// Slots of each.
    pub slots: usize,
    /// Bytes of one slot.
    pub slot_bytes: usize,
}

impl LaneFootprint {
    /// Bytes of all slots of all these lanes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lanes * self.slots * self.slot_bytes
    }
}

/// The lanes of a run, in the order of an event's way, without those there are none of.
///
/// Slots and cells only: cursors and sockets' buffers come on top.
#[must_use]
pub fn lane_footprints(config: &Config, plan: &CorePlan) -> Vec<LaneFootprint> {
    let lanes = &config.lanes;
    let consumers = config.consumers.len();
    let sessions = config.venue_names().len();
    let order_sessions = (0..sessions).filter(|venue| config.takes_orders(*venue)).count();
    let of = |lane, lanes, slots, slot_bytes| LaneFootprint { lane, lanes, slots, slot_bytes };
    let (event, letter) = (size_of::<Event>(), size_of::<LetterChunk>());
    let mut all = vec![
        of("venue to orchestrator", sessions + order_sessions, lanes.venue, event),
        // What the gateway rejects is answered on a link of its own.
        of("gateway to orchestrator", 1, lanes.order, event),
        of("market, to consumer", consumers, lanes.market, event),
        of("critical, to consumer", consumers, lanes.critical, event),
        of("conflation cells, at most", 1, cells(config), event),
        of("spill of critical", consumers, lanes.spill, event),
        of("orders, to gateway", consumers, lanes.order, size_of::<OrderCommand>()),
        of("orders, to venue", order_sessions, lanes.order, size_of::<OrderCommand>()),
        of("log lines", log_lanes(plan), lanes.log, size_of::<LogRecord>()),
        of("dead letters of consumers", consumers, CONSUMER_LETTER_SLOTS, letter),
        // One for each session and one for the dispatcher.
        of("dead letters", sessions + order_sessions + 1, lanes.dead_letter, letter),
    ];
    if config.telemetry.order_log {
        let note = size_of::<OrderNote>();
        all.push(of("notes of orders", consumers, ORDER_LOG_SLOTS, note));
    }
    if config.journal.durability != JournalDurability::None {
        all.push(of("words on orders, to the journal", 1, WORD_SLOTS, event));
        all.push(of("segments of the journal", 2, 1, config.journal.segment_bytes));
    }
    let rows = TradingBoard::rows(config.instruments.len(), sessions);
    // Limits of each strategy in each instrument beside what it uses, and what all share.
    let limits = config.instruments.len() * (consumers + sessions + 1);
    all.push(of("limits of risk", 1, limits, RiskBook::PLACE_BYTES));
    all.push(of("rows of the trading report", consumers, rows, TradingBoard::row_bytes()));
    all.retain(|footprint| footprint.lanes > 0);
    all
}

/// Events that may wait for full market lanes. A strategy that takes fewer kinds than its consumer
/// may receive needs fewer; merge rules come on top.
fn cells(config: &Config) -> usize {
    let venues = config.venue_names().len();
    let of_consumer = |consumer: &ConsumerConfig| {
        let has_kind = |kind: &EventKind| {
            let listed = consumer.kinds.as_ref();
            is_routed(*kind) && listed.is_none_or(|names| names.iter().any(|n| n == kind.name()))
        };
        let listed = &consumer.instruments;
        let entries = config.instruments.iter();
        let symbols: Vec<&str> = entries
            .map(|entry| entry.symbol.as_str())
            .filter(|symbol| listed.is_empty() || listed.iter().any(|name| name == symbol))
            .collect();
        let assets: HashSet<&str> = symbols.iter().flat_map(|symbol| symbol.split('-')).collect();
        let plain = |kind: EventKind| match kind {
            EventKind::Merged => 0,
            EventKind::Balance => assets.len(),
            kind => symbols.len() * records_of(kind),
        };
        venues * EventKind::ALL.into_iter().filter(has_kind).map(plain).sum::<usize>()
    };
    config.consumers.iter().map(of_consumer).sum()
}

/// One for each thread of the plan, for each that stands by, and for the watchdog. Each take-over
/// makes one more.
fn log_lanes(plan: &CorePlan) -> usize {
    let is_shared = |core: &&PlannedCore| core.agents.len() > 1 && core.has_consumers();
    plan.cores.len() + plan.cores.iter().filter(is_shared).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::HostCores;

    #[test]
    fn slots_are_as_large_as_the_example_states() {
        let config = Config::default_run();
        let plan = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
        let all = lane_footprints(&config, &plan);
        let bytes = |lane: &str| all.iter().find(|f| f.lane == lane).unwrap().slot_bytes;
        assert_eq!(bytes("market, to consumer"), 384);
        assert_eq!(bytes("orders, to gateway"), 128);
        // Quote, trade, book, 64 closed bars and one of each interval, mark price, each with its
        // state; instrument; two assets.
        let cells = all.iter().find(|f| f.lane == "conflation cells, at most").unwrap();
        assert_eq!(cells.slots, 3 * (2 + 2 + 2 + (64 + 16 + 1) + 2 + 1 + 2));
        assert_eq!(bytes("log lines"), 512);
        assert_eq!(bytes("dead letters"), 1_024);
        assert_eq!(all.iter().find(|f| f.lane == "spill of critical").unwrap().bytes(), 4_718_592);
    }

    #[test]
    fn lanes_there_are_none_of_are_left_out() {
        let config = Config { consumers: Vec::new(), ..Config::default_run() };
        let plan = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
        let all = lane_footprints(&config, &plan);
        assert!(all.iter().all(|footprint| !footprint.lane.contains("consumer")));
    }
}
