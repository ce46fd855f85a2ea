//! What happens in a simulated run: how much data, which faults, which commands.
//!
//! A seed draws a whole plan ([`super::draw`]). A plan file gives some of its keys other values, or
//! all of them; so a failing run, made smaller, is kept as a file.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::OnStart;
use crate::runtime::HoldRates;
use crate::venue::registry::VenueKind;
use crate::venue::simulated::{Fault, FaultPlan, FaultRule, Trigger};
use crate::world::{FileConditions, NetConditions};

const MS: u64 = 1_000_000;

macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

part! {
    /// A whole run. Rates are in a million; 0 turns a fault off.
    Plan {
        /// The root of all chance, below 2^63.
        seed: u64,
        /// Length of the phase with faults, ms.
        trouble_ms: u64,
        /// Length of the calm after it, within which everything has to heal, ms.
        calm_ms: u64,
        /// How the run ends.
        end: End,
        /// Data and room.
        load: Load,
        /// Which venues there are.
        venues: Venues,
        /// What the network does to bytes.
        network: Network,
        /// What the disk does to writes.
        disk: Disk,
        /// What strategies do wrong.
        strategies: Misbehaviour,
        /// What the clock of the engine's machine does.
        clock: MachineClock,
        /// When agents of the engine get no core.
        cores: Cores,
        /// What an operator does.
        operator: Operator,
        /// Times in which the venue can't be reached.
        outage: Vec<Outage>,
        /// Times at which the engine is killed.
        crash: Vec<Crash>,
        /// How an engine that follows begins.
        restart: Restart,
        /// What the venue does wrong.
        venue_fault: Vec<VenueFault>,
    }
}

part! {
    /// Data and room.
    Load {
        /// Market events a second of the venue.
        events_per_s: u32,
        /// Slots of the lane of each venue's events, a power of two from 64 on.
        link_slots: usize,
        /// Slots of each consumer's market lane, a power of two.
        market_slots: usize,
        /// Slots of each consumer's critical lane, a power of two.
        critical_slots: usize,
        /// Places behind a full critical lane, a power of two.
        spill_slots: usize,
        /// Slots of each consumer's order lane, a power of two.
        order_slots: usize,
    }
}

part! {
    /// The venues of a run, each with prices of its own.
    Venues {
        /// What the first speaks: a kind of venue, as under `[simulated]`; empty = the usual one.
        kind: String,
        /// Venues that are there from the start as well, and what they speak.
        others: Vec<String>,
        /// Venues of the first one's kind that an operator adds; with the others up to 3.
        more: u32,
    }
}

part! {
    /// What the network does to bytes.
    Network {
        /// From a write to its arrival, us.
        latency_us: u64,
        /// The most that is drawn on top of it, us.
        jitter_us: u64,
        /// Writes that arrive in two parts.
        split_ppm: u32,
        /// Writes that are held up.
        stall_ppm: u32,
        /// For how long, ms.
        stall_ms: u64,
        /// Writes in which the connection is cut, at any byte.
        cut_ppm: u32,
        /// Writes from which on nothing arrives any more.
        silence_ppm: u32,
        /// Connections that are refused.
        refuse_ppm: u32,
        /// Names that are not found.
        lost_name_ppm: u32,
    }
}

part! {
    /// What the disk does to writes.
    Disk {
        /// Room of all files together, KiB; 0 = endless.
        room_kib: usize,
        /// Writes that fail in their middle.
        torn_ppm: u32,
        /// Files that can't be made, renamed or removed.
        refused_ppm: u32,
        /// Syncs that fail.
        sync_ppm: u32,
    }
}

part! {
    /// What strategies do wrong.
    Misbehaviour {
        /// Batches of callbacks that are held up.
        hold_ppm: u32,
        /// The longest hold, ms.
        hold_ms: u64,
        /// Callbacks that panic.
        panic_ppm: u32,
        /// Callbacks that return an error.
        error_ppm: u32,
        /// Failures after which a strategy is quarantined; 0 = the engine's default.
        failures_max: u64,
    }
}

part! {
    /// What the clock of the engine's machine does; the venue has another.
    MachineClock {
        /// How often it is set.
        steps: u32,
        /// By how much at most, ms, forward or back.
        step_ms: u64,
        /// How fast it runs ahead, in a million; below 0 it falls behind.
        drift_ppm: i64,
    }
}

part! {
    /// When agents of the engine get no core, as when another process has it.
    Cores {
        /// How often one of them gets none.
        holds: u32,
        /// For how long at most, ms.
        hold_ms: u64,
    }
}

part! {
    /// What an operator does.
    Operator {
        /// The longest time between two commands, ms; 0 = there are none.
        every_ms: u64,
    }
}

part! {
    /// A time in which the venue can't be reached: all connections are cut, and new ones refused.
    Outage {
        /// Its start, ms.
        at_ms: u64,
        /// Its length, ms.
        for_ms: u64,
    }
}

part! {
    /// The engine is killed, and started again on the same disk, with the same venue. Such a run
    /// keeps one journal over all of its engines.
    Crash {
        /// When, ms.
        at_ms: u64,
        /// In the middle of so manieth a write to the journal from then on; 0 = at once.
        at_write: u64,
        /// How long there is no engine, ms.
        down_ms: u64,
        /// The machine goes down, too: what was not synced may be lost.
        loses_power: bool,
        /// The engine that follows is killed as well, in the middle of so manieth a write to the
        /// journal from its start on; 0 = it is not.
        again_at_write: u64,
    }
}

part! {
    /// How an engine begins that finds a journal, in a run with crashes.
    Restart {
        /// What becomes of orders that it finds open.
        on_start: OnStart,
        /// Size of the journal's segments, KiB; 0 = the engine's default.
        segment_kib: u64,
        /// Segments between two checkpoints; 0 = the engine's default.
        checkpoint_segments: u64,
        /// Segments that no start needs are removed.
        removes_segments: bool,
    }
}

impl Load {
    /// The engine's own defaults, and few events.
    pub(super) fn usual() -> Load {
        let (link_slots, market_slots, critical_slots) = (4_096, 1_024, 256);
        let (spill_slots, order_slots) = (4_096, 256);
        Load {
            events_per_s: 20,
            link_slots,
            market_slots,
            critical_slots,
            spill_slots,
            order_slots,
        }
    }
}

/// One thing that the venue does wrong, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueFault {
    /// At which of the events that it could spoil, from 1.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By an orderly stop after the calm.
    #[default]
    Stop,
    /// By the operator's kill after the calm.
    Kill,
    /// By the operator's kill in the middle of the trouble; nothing has to heal then.
    KillInTrouble,
}

/// Why a plan file was not taken.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// It is no TOML, or a value is of another type.
    #[error("[simulate] plan failed: {0}")]
    Invalid(#[from] Box<toml::de::Error>),
    /// A key that no plan has.
    #[error(
        "[simulate] plan failed: {0} is no key of a plan: `pitlane simulate --seed 1 --show` \
         prints one with all keys"
    )]
    UnknownKey(String),
    /// A number that no run can have.
    #[error("[simulate] plan failed: {key} = {value}: {allowed}")]
    Limit {
        /// Which.
        key: &'static str,
        /// What it is.
        value: u64,
        /// What it may be.
        allowed: &'static str,
    },
}

impl Plan {
    /// This plan with the values that the text of a plan file gives.
    ///
    /// # Errors
    /// [`PlanFileError`] on a text that is no plan.
    pub fn with_file(&self, text: &str) -> Result<Plan, PlanFileError> {
        let file: toml::Table = toml::from_str(text).map_err(Box::new)?;
        let mut whole = self.table();
        merge(&mut whole, file.clone());
        let plan: Plan = whole.try_into().map_err(Box::new)?;
        match stranger(&file, &plan.table()) {
            Some(key) => Err(PlanFileError::UnknownKey(key)),
            None => plan.checked(),
        }
    }

    fn checked(self) -> Result<Plan, PlanFileError> {
        let limit = |key, value: u64, allowed, fits: bool| match fits {
            true => Ok(()),
            false => Err(PlanFileError::Limit { key, value, allowed }),
        };
        let rate = u64::from(self.load.events_per_s);
        limit("load.events_per_s", rate, "1 to 200000", (1..=200_000).contains(&rate))?;
        let link = self.load.link_slots;
        let fits = link.is_power_of_two() && (64..=1 << 20).contains(&link);
        limit("load.link_slots", link as u64, "a power of two, 64 to 1048576", fits)?;
        for (key, slots) in [
            ("load.market_slots", self.load.market_slots),
            ("load.critical_slots", self.load.critical_slots),
            ("load.spill_slots", self.load.spill_slots),
            ("load.order_slots", self.load.order_slots),
        ] {
            let fits = slots.is_power_of_two() && (2..=1 << 20).contains(&slots);
            limit(key, slots as u64, "a power of two, 2 to 1048576", fits)?;
        }
        let hours = 1_000 * 3_600_000;
        let length = self.trouble_ms.saturating_add(self.calm_ms);
        limit("trouble_ms + calm_ms", length, "1 to 1000 hours", (1..=hours).contains(&length))?;
        let kib = self.restart.segment_kib;
        let fits = kib == 0 || (16..=1 << 20).contains(&kib);
        let more = self.venues.others.len() as u64 + u64::from(self.venues.more);
        limit("venues.more", more, "with venues.others 0 to 3", more <= 3)?;
        limit("restart.segment_kib", kib, "0, or 16 to 1048576", fits)?;
        let every = self.restart.checkpoint_segments;
        limit("restart.checkpoint_segments", every, "0 to 1000000", every <= 1_000_000)?;
        limit("seed", self.seed, "below 2^63", self.seed < 1 << 63)?;
        Ok(self)
    }

    /// The plan as the text of a plan file.
    #[must_use]
    pub fn text(&self) -> String {
        toml::to_string(&self.table()).unwrap_or_default()
    }

    fn table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("a plan is a table with numbers below 2^63")
    }

    /// Whether the venue at `place` speaks as the usual one: its numbers are the exchange's own.
    pub(super) fn is_usual(&self, place: usize) -> bool {
        let Venues { kind, others, .. } = &self.venues;
        let kind = place.checked_sub(1).and_then(|place| others.get(place)).unwrap_or(kind);
        [VenueKind::usual().name, ""].contains(&kind.as_str())
    }

    /// Whether the engine may be killed, and followed by another.
    #[must_use]
    pub fn has_crashes(&self) -> bool {
        self.crash.iter().any(|crash| crash.at_ms < self.trouble_ms)
    }

    /// Its length, ns.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        (self.trouble_ms + self.calm_ms) * MS
    }

    /// What the network does to what is sent.
    #[must_use]
    pub fn net_conditions(&self) -> NetConditions {
        let network = &self.network;
        NetConditions {
            latency_ns: network.latency_us * 1_000,
            jitter_ns: network.jitter_us * 1_000,
            split_ppm: network.split_ppm,
            stall_ppm: network.stall_ppm,
            stall_ns: network.stall_ms * MS,
            cut_ppm: network.cut_ppm,
            silence_ppm: network.silence_ppm,
            refuse_ppm: network.refuse_ppm,
            lost_name_ppm: network.lost_name_ppm,
        }
    }

    pub(super) fn file_conditions(&self) -> FileConditions {
        let room = self.disk.room_kib.saturating_mul(1_024);
        FileConditions {
            room_bytes: if room == 0 { usize::MAX } else { room },
            torn_ppm: self.disk.torn_ppm,
            refused_ppm: self.disk.refused_ppm,
            sync_ppm: self.disk.sync_ppm,
        }
    }

    pub(super) fn holds(&self) -> HoldRates {
        let Misbehaviour { hold_ppm, hold_ms, .. } = self.strategies;
        HoldRates { hold_ppm, least_ns: MS, most_ns: hold_ms.max(1) * MS, only: None }
    }

    /// What the venues do wrong, and when.
    #[must_use]
    pub fn fault_plan(&self) -> FaultPlan {
        let rule = |planned: &VenueFault| {
            let (fault, trigger) = (planned.fault, Trigger::At(planned.at));
            FaultRule { fault, trigger, only: None }
        };
        FaultPlan { rules: self.venue_fault.iter().map(rule).collect() }
    }
}

/// Gives `whole` the values of `file`; lists are replaced whole.
fn merge(whole: &mut toml::Table, file: toml::Table) {
    for (key, value) in file {
        match (whole.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(given)) => merge(inner, given),
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
}

/// The first key of `file` that did not become part of the plan.
fn stranger(file: &toml::Table, plan: &toml::Table) -> Option<String> {
    file.iter().find_map(|(key, given)| {
        let Some(taken) = plan.get(key) else { return Some(key.clone()) };
        let inner = match (given, taken) {
            (toml::Value::Table(given), toml::Value::Table(taken)) => stranger(given, taken),
            (toml::Value::Array(given), toml::Value::Array(taken)) => {
                given.iter().zip(taken).find_map(|pair| match pair {
                    (toml::Value::Table(given), toml::Value::Table(taken)) => {
                        stranger(given, taken)
                    }
                    _ => None,
                })
            }
            _ => None,
        };
        inner.map(|inner| format!("{key}.{inner}"))
    })
}

#[cfg(test)]
mod tests {
    use crate::simulation::draw;

    #[test]
    fn a_plan_is_the_same_after_its_text() {
        for seed in 0..50 {
            let plan = draw(seed, 60_000);
            let other = draw(seed + 1, 60_000);
            assert_eq!(other.with_file(&plan.text()).unwrap(), plan, "seed {seed}");
        }
    }

    #[test]
    fn a_file_changes_what_it_names_alone() {
        let plan = draw(3, 60_000);
        let changed = plan.with_file("venue_fault = []\n[network]\ncut_ppm = 7").unwrap();
        let mut expected = plan;
        (expected.network.cut_ppm, expected.venue_fault) = (7, Vec::new());
        assert_eq!(changed, expected);
    }

    #[test]
    fn what_is_no_plan_is_refused_by_name() {
        let of = |text| draw(1, 1_000).with_file(text).unwrap_err().to_string();
        assert!(of("[network]\ncuts = 1").contains("cuts"), "{}", of("[network]\ncuts = 1"));
        let fault = "[[venue_fault]]\nfault = \"gap\"\nat = 1\nduration_ms = 5";
        assert!(of(fault).contains("venue_fault.duration_ms"), "{}", of(fault));
        assert!(of("[[venue_fault]]\nfault = \"none\"\nat = 1").contains("none"));
        assert!(of("[load]\nmarket_slots = 3").contains("market_slots = 3"));
    }
}
