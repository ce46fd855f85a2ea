//! The plan of a seed: most faults are off in most runs, so that what is on can show what it does
//! alone, and with few others.

use std::time::Duration;

use super::plan::{
    Cores, Crash, Disk, End, Load, MachineClock, Misbehaviour, Network, Operator, Outage, Plan,
    Restart, VenueFault, Venues,
};
use crate::config::OnStart;
use crate::venue::governor::Counted;
use crate::venue::registry::VenueKind;
use crate::venue::simulated::Fault;
use crate::world::SplitMix64;

/// Within this time after the last fault everything has healed, ms: the longest backoff (30 s), the
/// longest drawn ban, and what it takes to ask and to be answered.
const CALM_MS: u64 = 60_000;
/// Weight of questions that a venue has to take within the calm.
const QUESTIONS_MIN: u64 = 120;
/// The longest drawn ban, ms.
const BAN_MS_MAX: u64 = 20_000;

/// The dice of one plan.
struct Dice(SplitMix64);

impl Dice {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.between(low, high)
    }

    /// Whether something is so in one of `many` runs.
    fn one_in(&mut self, many: u64) -> bool {
        self.between(1, many) == 1
    }

    /// A number in one of four runs, else 0. As many numbers are drawn either way, so that a range
    /// which changes leaves the rest of a seed's plan as it was.
    fn sometimes(&mut self, low: u64, high: u64) -> u32 {
        let number = self.between(low, high) as u32;
        if self.one_in(4) { number } else { 0 }
    }

    fn ms(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }
}

/// The plan of `seed`, with faults for `trouble_ms`.
#[must_use]
pub fn draw(seed: u64, trouble_ms: u64) -> Plan {
    let dice = &mut Dice(SplitMix64::new(seed ^ 0x706c_616e_2073_6565));
    let end = match dice.between(0, 9) {
        0 => End::KillInTrouble,
        1 | 2 => End::Kill,
        _ => End::Stop,
    };
    let mut plan = Plan {
        seed,
        trouble_ms: match end {
            End::KillInTrouble => dice.between(trouble_ms / 4, trouble_ms),
            _ => trouble_ms,
        },
        calm_ms: CALM_MS,
        end,
        load: load(dice),
        venues: Venues::default(),
        network: network(dice),
        disk: disk(dice),
        strategies: misbehaviour(dice),
        clock: MachineClock {
            steps: dice.sometimes(1, 4),
            step_ms: dice.between(1, 20_000),
            drift_ppm: i64::from(dice.sometimes(1, 400)) - i64::from(dice.sometimes(1, 400)),
        },
        cores: Cores { holds: dice.sometimes(1, 8), hold_ms: dice.between(1, 3_000) },
        operator: Operator { every_ms: u64::from(dice.sometimes(500, 8_000)) },
        outage: (0..dice.sometimes(1, 2))
            .map(|_| Outage {
                at_ms: dice.between(1_000, trouble_ms.max(1_001)),
                for_ms: dice.between(100, 15_000),
            })
            .collect(),
        crash: Vec::new(),
        restart: Restart::default(),
        venue_fault: venue_faults(dice, trouble_ms),
    };
    if dice.one_in(3) {
        (plan.crash, plan.restart) = crashes(dice, trouble_ms);
        // A journal that can't be written halts trading, and then there is little to recover.
        plan.disk = Disk::default();
        // An order that is over on record is not asked for by the next engine: an end that is told,
        // and wrong, and outlived by the venue alone shows in balances only.
        let is_final =
            |of: &VenueFault| matches!(of.fault, Fault::FalseRefusal { is_final, .. } if is_final);
        plan.venue_fault.retain(|of| !is_final(of));
    }
    if dice.one_in(4) {
        plan.venues.more = dice.between(1, 2) as u32;
    }
    if dice.one_in(8) {
        plan.venues.kind = kind(dice);
    }
    if dice.one_in(8) && plan.crash.is_empty() {
        plan.venues.others = vec![kind(dice)];
    }
    plan
}

/// Any kind of venue that can be simulated, but for those that answer so few questions a minute
/// that what a bad day leaves in doubt is not settled within the calm, and those of which another
/// kind is the same but for how its market data is written: seeds stay what they were.
fn kind(dice: &mut Dice) -> String {
    let kinds: Vec<_> = VenueKind::simulable().map(|(kind, _)| kind).collect();
    let is_drawn = |kind: &&VenueKind| heals_in_time(kind) && kind.key_header.is_none();
    let kinds: Vec<_> = kinds.into_iter().filter(is_drawn).collect();
    kinds[dice.between(0, kinds.len() as u64 - 1) as usize].name.to_owned()
}

fn heals_in_time(kind: &VenueKind) -> bool {
    let weights = kind.limits.counted.iter().filter(|limit| limit.counts == Counted::Weight);
    let mut per_calm =
        weights.map(|limit| u64::from(limit.amount) * CALM_MS * 1_000_000 / limit.window_ns);
    !kind.takes_orders() || per_calm.all(|amount| amount >= QUESTIONS_MIN)
}

/// One to four ends of an engine, at any time, some in the middle of a write to the journal, and
/// some of the engine that follows, too: in its start, or while it asks the venue.
fn crashes(dice: &mut Dice, trouble_ms: u64) -> (Vec<Crash>, Restart) {
    let can_lose_power = dice.one_in(3);
    let write = |dice: &mut Dice, most: u64| {
        let nth = dice.between(1, most);
        if dice.one_in(2) { nth } else { 0 }
    };
    let crash = |dice: &mut Dice| Crash {
        at_ms: dice.between(500, trouble_ms.max(501)),
        at_write: write(dice, 40),
        down_ms: [dice.between(1, 50), dice.between(50, 15_000)][dice.between(0, 1) as usize],
        loses_power: can_lose_power && dice.one_in(2),
        again_at_write: [write(dice, 12), write(dice, 150)][dice.between(0, 1) as usize],
    };
    let crashes = (0..dice.between(1, 4)).map(|_| crash(dice)).collect();
    let on_start = match dice.between(0, 5) {
        0 | 1 => OnStart::Cancel,
        2 => OnStart::Ask,
        _ => OnStart::Adopt,
    };
    let restart = Restart {
        on_start,
        segment_kib: 16 << dice.between(0, 5),
        checkpoint_segments: dice.between(1, 4),
        removes_segments: dice.one_in(2),
    };
    (crashes, restart)
}

fn load(dice: &mut Dice) -> Load {
    let mut slots = |usual: usize, small_log: u64| {
        let small = 1 << dice.between(1, small_log);
        if dice.one_in(4) { small } else { usual }
    };
    let usual = Load::usual();
    Load {
        link_slots: slots(usual.link_slots, 6).max(64),
        market_slots: slots(usual.market_slots, 6),
        critical_slots: slots(usual.critical_slots, 3),
        spill_slots: slots(usual.spill_slots, 12).max(64),
        order_slots: slots(usual.order_slots, 4),
        events_per_s: dice.between(20, 300) as u32,
    }
}

fn network(dice: &mut Dice) -> Network {
    Network {
        latency_us: dice.between(10, 20_000),
        jitter_us: dice.between(0, 5_000),
        split_ppm: dice.sometimes(1_000, 200_000),
        stall_ppm: dice.sometimes(500, 10_000),
        stall_ms: dice.between(10, 4_000),
        cut_ppm: dice.sometimes(100, 3_000),
        silence_ppm: dice.sometimes(100, 2_000),
        refuse_ppm: dice.sometimes(10_000, 500_000),
        lost_name_ppm: dice.sometimes(10_000, 500_000),
    }
}

fn disk(dice: &mut Dice) -> Disk {
    Disk {
        room_kib: dice.sometimes(1, 256) as usize,
        torn_ppm: dice.sometimes(1_000, 300_000),
        refused_ppm: 0,
        sync_ppm: dice.sometimes(1_000, 300_000),
    }
}

fn misbehaviour(dice: &mut Dice) -> Misbehaviour {
    Misbehaviour {
        hold_ppm: dice.sometimes(10, 1_000),
        // The longer ones outlast a flip's deadline.
        hold_ms: [dice.between(2, 400), dice.between(400, 4_000)][dice.between(0, 1) as usize],
        panic_ppm: dice.sometimes(10, 3_000),
        error_ppm: dice.sometimes(10, 3_000),
        failures_max: u64::from(dice.sometimes(1, 50)),
    }
}

/// Faults of the venue, each at a few drawn events within the trouble.
fn venue_faults(dice: &mut Dice, trouble_ms: u64) -> Vec<VenueFault> {
    let faults = [
        Fault::Gap,
        Fault::Duplicate,
        Fault::Reorder,
        Fault::BadJson,
        Fault::BadUtf8,
        Fault::SplitSegments,
        Fault::SplitFragments,
        Fault::Stall { duration: dice.ms(10, 3_000) },
        Fault::DataStall { duration: dice.ms(10, 3_000) },
        Fault::Disconnect { after_bytes: dice.between(0, 60) as usize, reset: dice.one_in(2) },
        Fault::SlowLoris { byte_pause: dice.ms(1, 50) },
        Fault::RefuseHandshake,
        Fault::NeverAnswerHandshake,
        Fault::RefuseSubscribe,
        Fault::DuplicateExec,
        Fault::UnknownEvent,
        Fault::AbsurdNumber { number: dice.between(0, 1_000) as usize },
        Fault::MaskedFrame,
        Fault::ReservedBit,
        Fault::BadOpcode,
        Fault::RefuseRest { status: [429, 500, 503][dice.between(0, 2) as usize] },
        Fault::UnknownOutcome {
            reply_after: dice.ms(50, 500),
            enters_after: Some(dice.ms(0, 9_000)),
        },
        Fault::UnknownOutcome { reply_after: dice.ms(50, 500), enters_after: None },
        Fault::FalseRefusal { enters_after: dice.ms(0, 2_000), is_final: false },
        Fault::FalseRefusal { enters_after: dice.ms(0, 2_000), is_final: true },
        Fault::LateForward { delay: dice.ms(1, 200) },
        Fault::LostReply,
        Fault::LostReport,
        Fault::ReorderReports,
        Fault::AbsurdField { field: dice.between(0, 1_000) as usize },
        Fault::ReplicaLag { duration: dice.ms(50, 500) },
        Fault::OrderLimit,
        Fault::Ban { duration: dice.ms(1_000, BAN_MS_MAX) },
        Fault::KeyRevoked,
        Fault::SilentStream,
        // Fewer are caught up with at once: then only quotes show that the book is wrong.
        Fault::FutureSnapshot { ids_ahead: dice.between(1_000, 10_000) },
        Fault::IdRestart,
        Fault::ServerShutdown { notice: dice.ms(100, 10_000) },
        Fault::StreamTerminated,
    ];
    let tenths = trouble_ms / 100;
    let mut planned = Vec::new();
    for fault in faults {
        let last = match fault {
            // Counted by tenths of a second.
            Fault::IdRestart | Fault::ServerShutdown { .. } | Fault::StreamTerminated => tenths,
            Fault::RefuseHandshake | Fault::NeverAnswerHandshake | Fault::RefuseSubscribe => 6,
            Fault::FutureSnapshot { .. } => 4,
            // Of the first of a connection nobody can say what they should be.
            Fault::AbsurdNumber { .. } => 400,
            _ => 40,
        };
        for _ in 0..dice.sometimes(1, 3) {
            planned.push(VenueFault { at: dice.between(1, last.max(1)), fault });
        }
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_faults_are_off_in_most_runs_and_each_is_on_in_some() {
        let plans: Vec<_> = (0..200).map(|seed| draw(seed, 60_000)).collect();
        let cuts = plans.iter().filter(|plan| plan.network.cut_ppm > 0).count();
        assert!((25..90).contains(&cuts), "{cuts} of 200");
        let names: std::collections::BTreeSet<_> = plans
            .iter()
            .flat_map(|plan| &plan.venue_fault)
            .map(|planned| planned.fault.name() as usize)
            .collect();
        assert!(names.len() >= 35, "{names:?}");
    }
}
