//! The core planner: which thread runs which agents, on which core, and how it idles.
//!
//! - One core: everything on one thread that yields.
//! - Two or three cores: venues, orchestrator, dispatcher and gateway on the first, consumers on
//!   the rest.
//! - Four and more: the first is left to housekeeping, the simulated venue and the kernel; one is
//!   for dispatch; each venue gets its own while one remains for consumers (else all venues share
//!   one, else they stay with dispatch); each consumer gets its own, or they are spread in turn
//!   over what is left.
//! - `quiet`: the dispatch thread and the consumer thread park on the *same* core, since waking an
//!   idle core takes several times as long as switching threads on one.
//!
//! What the file says under `[cores]` comes first. There is one thread to a core (two in `quiet`),
//! so spinning threads never outnumber cores; where a quota grants less, spinning gives way to
//! yielding. Every degradation is a note that must be shown.

mod layout;
mod planned;

use std::collections::BTreeSet;

use pitlane_ring::{DEFAULT_SPINS, IdleStrategy};
use serde::Serialize;
use thiserror::Error;

use self::layout::Layout;
pub use self::planned::{AgentRole, PlannedCore};
use super::home::consumers_in_cell;
use super::host::HostCores;
use crate::config::{CORE_IDS, Config, Profile};

const YIELD: IdleStrategy = IdleStrategy::SpinThenYield { spins: DEFAULT_SPINS };

/// The whole plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CorePlan {
    /// The profile, never [`Profile::Auto`].
    pub profile: Profile,
    /// The threads, each with at least one agent.
    pub cores: Vec<PlannedCore>,
    /// A core that no planned thread uses, kept for unpinned threads.
    pub housekeeping: Option<usize>,
    /// What is worse than it was asked for or could be; to be shown at the start.
    pub notes: Vec<String>,
}

/// Why there is no plan (F28).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The affinity mask is empty or could not be read.
    #[error("no core to run on: the process's affinity mask is empty or unreadable")]
    NoCores,
    /// A core was asked for that this process may not use.
    #[error("{key}: core {core} is not available; available: {}", list(.available))]
    MissingCore {
        /// The key in the configuration.
        key: &'static str,
        /// The core it names.
        core: usize,
        /// The cores there are.
        available: Vec<usize>,
    },
    /// A core id that can't be pinned to.
    #[error("{key}: core {core} can't be pinned to, ids end at {}; available: {}", CORE_IDS - 1,
        list(.available))]
    CoreTooHigh {
        /// The key in the configuration.
        key: &'static str,
        /// The core it names.
        core: usize,
        /// The cores there are.
        available: Vec<usize>,
    },
}

impl CorePlan {
    /// Makes the plan for `config` on `host`. Starts nothing and pins nothing.
    ///
    /// # Errors
    /// [`PlanError`] when a core is named that can't be had, or when there is none at all.
    pub fn make(config: &Config, host: &HostCores) -> Result<CorePlan, PlanError> {
        let available: Vec<usize> = host.ids.iter().copied().filter(|id| *id < CORE_IDS).collect();
        check_asked(config, &available)?;
        if available.is_empty() {
            return Err(PlanError::NoCores);
        }
        let usable = host.usable().min(available.len());
        let mut notes = Vec::new();
        if usable < available.len() {
            notes.push(format!(
                "the control group grants {usable} of {} cores: planned for {usable}",
                available.len()
            ));
        }
        let layout = Layout::choose(config, &available, usable, &mut notes);
        let profile = resolve_profile(config.engine.profile, &layout);
        let mut cores = layout.threads(config);
        set_idle(&mut cores, profile, usable, config.engine.profile, &mut notes);
        note_shared_cells(&cores, &mut notes);
        let used: BTreeSet<usize> = cores.iter().filter_map(|core| core.core).collect();
        let housekeeping = available.iter().copied().find(|id| !used.contains(id));
        if !config.cores.pin {
            cores.iter_mut().for_each(|core| core.core = None);
            notes.push("pinning is off: the kernel moves threads between cores".to_owned());
        }
        Ok(CorePlan { profile, cores, housekeeping, notes })
    }

    /// Cores for threads that lose their own: those that no pinned thread has, or all where there
    /// are none; none where nothing is pinned.
    #[must_use]
    pub fn loose_cores(&self, host: &HostCores) -> Vec<usize> {
        let pinned: BTreeSet<usize> = self.cores.iter().filter_map(|core| core.core).collect();
        if pinned.is_empty() {
            return Vec::new();
        }
        let free: Vec<usize> =
            host.ids.iter().copied().filter(|core| !pinned.contains(core)).collect();
        if free.is_empty() { host.ids.clone() } else { free }
    }

    /// The place among [`Self::cores`] of the thread that runs the consumer `index`.
    ///
    /// # Panics
    /// When the plan has no such consumer.
    #[must_use]
    pub fn thread_of(&self, index: usize) -> usize {
        let runs = |core: &PlannedCore| core.agents.contains(&AgentRole::Consumer(index));
        self.cores.iter().position(runs).expect("every consumer is planned")
    }

    /// Whether there is a core that no planned thread has.
    #[must_use]
    pub fn has_room(&self, host: &HostCores) -> bool {
        host.usable() > self.cores.len()
    }
}

fn resolve_profile(asked: Profile, layout: &Layout) -> Profile {
    match asked {
        Profile::Auto if layout.is_fused() => Profile::Balanced,
        Profile::Auto => Profile::Latency,
        other => other,
    }
}

fn set_idle(
    cores: &mut [PlannedCore],
    profile: Profile,
    usable: usize,
    asked: Profile,
    notes: &mut Vec<String>,
) {
    let mut idle = match profile {
        Profile::Latency => IdleStrategy::Spin,
        Profile::Quiet => IdleStrategy::Park,
        Profile::Balanced | Profile::Auto => YIELD,
    };
    if idle == IdleStrategy::Spin && (cores.len() > usable || usable == 1) {
        idle = YIELD;
        notes.push(format!(
            "{} spinning threads on {usable} cores would starve each other and everything else: \
             they yield instead",
            cores.len()
        ));
    } else if idle == IdleStrategy::Spin && cores.len() == usable {
        notes.push("every core spins: none is left for logs, files and the simulated venue".into());
    } else if asked == Profile::Auto && idle == YIELD {
        notes.push("stages share cores, so threads yield when idle: profile balanced".to_owned());
    }
    cores.iter_mut().for_each(|core| core.idle = idle);
}

/// A lease has a limited number of cells: beyond it consumers share them.
fn note_shared_cells(cores: &[PlannedCore], notes: &mut Vec<String>) {
    for core in cores {
        let together = consumers_in_cell(core.consumers());
        if together > 1 {
            notes.push(format!(
                "{} consumers on thread {}: one that stalls takes up to {} others along to a thread \
                 of their own",
                core.consumers(),
                core.name,
                together - 1
            ));
        }
    }
}

fn check_asked(config: &Config, available: &[usize]) -> Result<(), PlanError> {
    let dispatch = config.cores.dispatch.map(|core| ("cores.dispatch", core));
    let consumers = config.cores.consumers.iter().flatten().map(|core| ("cores.consumers", *core));
    for (key, core) in dispatch.into_iter().chain(consumers) {
        let available = available.to_vec();
        if core >= CORE_IDS {
            return Err(PlanError::CoreTooHigh { key, core, available });
        }
        if !available.contains(&core) {
            return Err(PlanError::MissingCore { key, core, available });
        }
    }
    Ok(())
}

/// Core ids with runs folded: `0-3, 8`.
fn list(cores: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for core in cores {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *core => *last = *core,
            _ => parts.push((*core, *core)),
        }
    }
    if parts.is_empty() {
        return "none".to_owned();
    }
    let text: Vec<String> = parts
        .into_iter()
        .map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        )
        .collect();
    text.join(", ")
}

#[cfg(test)]
mod tests;
