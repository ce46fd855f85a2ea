//! The core planner: which thread runs which agents, on which core, and how it idles.
//!
//! - One core: everything on one thread that yields.
//! - Two or three cores: venues, orchestrator, dispatcher and gateway on the first, consumers on the rest.
//! - Four and more: the first is left to housekeeping, the embedded venue and the kernel; one is for
//!   dispatch; each venue gets its own while one remains for consumers (else all venues share one, else
//!   they stay with dispatch); each consumer gets its own, or they are spread in turn over what is left.
//! - `quiet`: the dispatch thread and the consumer thread park on the *same* core, since waking an idle
//!   core takes several times as long as switching threads on one.
//!
//! What the file says under `[cores]` comes first. There is one thread to a core (two in `quiet`), so
//! spinning threads never outnumber cores; where a quota grants less, spinning gives way to yielding. Every
//! degradation is a note that must be shown.

use std::collections::BTreeSet;

use serde::Serialize;
use thiserror::Error;

use super::host::HostCores;
use crate::config::{Config, Profile};

/// Core ids end here: the kernel interface used for pinning knows no higher ones.
pub const CORE_IDS: usize = 1_024;

/// What an agent does. Venues are numbered as in [`Config::venue_names`], consumers as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentRole {
    /// Market data session of a venue.
    VenueMarket(usize),
    /// Order session of a venue.
    VenueOrders(usize),
    /// Merge windows and version stamp.
    Orchestrator,
    /// Ordering, routing, fan-out.
    Dispatcher,
    /// Idempotency, risk and limits between consumers and order sessions.
    Gateway,
    /// One strategy.
    Consumer(usize),
}

/// How a thread idles when no agent has work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdleKind {
    /// Never gives up the core.
    Spin,
    /// Spins for a while, then yields at every turn.
    Yield,
    /// Spins, yields, then sleeps until woken.
    Park,
}

/// One thread of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedCore {
    /// Thread name, as `dispatch`, `consumers`, `consumer-noop`.
    pub name: String,
    /// The core to pin to; `None` leaves it to the kernel.
    pub core: Option<usize>,
    /// What it runs, in the order of an event's way.
    pub agents: Vec<AgentRole>,
    /// How it idles.
    pub idle: IdleKind,
}

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
        let mut cores = layout.threads(config, profile);
        set_idle(&mut cores, profile, usable, config.engine.profile, &mut notes);
        let used: BTreeSet<usize> = cores.iter().filter_map(|core| core.core).collect();
        let housekeeping = available.iter().copied().find(|id| !used.contains(id));
        if !config.cores.pin {
            cores.iter_mut().for_each(|core| core.core = None);
            notes.push("pinning is off: the kernel moves threads between cores".to_owned());
        }
        Ok(CorePlan { profile, cores, housekeeping, notes })
    }
}

/// Which core each group of agents gets.
struct Layout {
    dispatch: usize,
    /// Core of each venue.
    venues: Vec<usize>,
    /// Core of each consumer.
    consumers: Vec<usize>,
}

impl Layout {
    fn choose(
        config: &Config,
        available: &[usize],
        usable: usize,
        notes: &mut Vec<String>,
    ) -> Layout {
        let asked = &config.cores;
        let venue_count = config.venue_names().len();
        let consumer_count = config.consumers.len();
        // The first core keeps the interrupts on most machines: with four and more it is housekeeping's.
        let spare = usize::from(usable >= 4);
        let reserved = asked.consumers.as_deref().unwrap_or_default();
        let planned = &available[spare..usable.max(spare + 1).min(available.len())];
        let dispatch = asked.dispatch.unwrap_or_else(|| {
            planned.iter().copied().find(|id| !reserved.contains(id)).unwrap_or(planned[0])
        });
        if config.engine.profile == Profile::Quiet && asked.consumers.is_none() {
            let consumers = vec![dispatch; consumer_count];
            return Layout { dispatch, venues: vec![dispatch; venue_count], consumers };
        }
        let free: Vec<usize> = planned
            .iter()
            .copied()
            .filter(|id| *id != dispatch && !reserved.contains(id))
            .collect();
        let for_consumers = usize::from(consumer_count > 0 && asked.consumers.is_none());
        let venue_cores = match free.len().saturating_sub(for_consumers) {
            _ if usable < 4 => 0,
            room if room >= venue_count => venue_count,
            room => room.min(1),
        };
        let (venue_pool, rest) = free.split_at(venue_cores);
        let consumer_pool = match asked.consumers.as_deref() {
            Some(cores) => cores,
            None if rest.is_empty() => std::slice::from_ref(&dispatch),
            None => rest,
        };
        let layout = Layout {
            dispatch,
            venues: in_turn(venue_pool, venue_count).unwrap_or(vec![dispatch; venue_count]),
            consumers: in_turn(consumer_pool, consumer_count).unwrap_or_default(),
        };
        layout.note_sharing(notes);
        layout
    }

    fn note_sharing(&self, notes: &mut Vec<String>) {
        if self.consumers.contains(&self.dispatch) {
            notes.push(
                "consumers share the dispatcher's core: a slow strategy delays delivery".to_owned(),
            );
        }
    }

    /// Whether stages share a core that would be better apart.
    fn is_fused(&self) -> bool {
        let distinct: BTreeSet<_> = self.consumers.iter().collect();
        distinct.len() < self.consumers.len()
            || self.venues.contains(&self.dispatch)
            || self.consumers.contains(&self.dispatch)
    }

    /// The threads of this layout: one to a core, but consumers apart from dispatch where both park.
    fn threads(&self, config: &Config, profile: Profile) -> Vec<PlannedCore> {
        let venue_names = config.venue_names();
        let mut threads = vec![thread("dispatch".to_owned(), self.dispatch)];
        for (venue, core) in self.venues.iter().enumerate() {
            let shared = self.venues.iter().filter(|other| *other == core).count() > 1;
            let name =
                if shared { "venues".to_owned() } else { format!("venue-{}", venue_names[venue]) };
            let thread = thread_on(&mut threads, *core, false, name);
            thread.agents.push(AgentRole::VenueMarket(venue));
            thread.agents.push(AgentRole::VenueOrders(venue));
        }
        let dispatch = &mut threads[0].agents;
        dispatch.extend([AgentRole::Orchestrator, AgentRole::Dispatcher, AgentRole::Gateway]);
        for (consumer, core) in self.consumers.iter().enumerate() {
            let shared = self.consumers.iter().filter(|other| *other == core).count() > 1;
            let several = self.consumers.iter().any(|other| other != core);
            let name = match (shared, several) {
                (false, _) => format!("consumer-{}", config.consumers[consumer].name),
                (true, false) => "consumers".to_owned(),
                (true, true) => format!("consumers-{core}"),
            };
            let apart = profile == Profile::Quiet;
            let thread = thread_on(&mut threads, *core, apart, name);
            thread.agents.push(AgentRole::Consumer(consumer));
        }
        threads
    }
}

fn thread(name: String, core: usize) -> PlannedCore {
    PlannedCore { name, core: Some(core), agents: Vec::new(), idle: IdleKind::Spin }
}

/// The thread on `core`, made when there is none; `apart` passes over the dispatch thread.
fn thread_on(
    threads: &mut Vec<PlannedCore>,
    core: usize,
    apart: bool,
    name: String,
) -> &mut PlannedCore {
    let skipped = usize::from(apart);
    let found = threads.iter().skip(skipped).position(|thread| thread.core == Some(core));
    let index = found.map_or(threads.len(), |index| index + skipped);
    if index == threads.len() {
        threads.push(thread(name, core));
    }
    &mut threads[index]
}

/// `count` cores taken in turn from `pool`; `None` for an empty pool.
fn in_turn(pool: &[usize], count: usize) -> Option<Vec<usize>> {
    (!pool.is_empty()).then(|| pool.iter().copied().cycle().take(count).collect())
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
        Profile::Latency => IdleKind::Spin,
        Profile::Quiet => IdleKind::Park,
        Profile::Balanced | Profile::Auto => IdleKind::Yield,
    };
    if idle == IdleKind::Spin && (cores.len() > usable || usable == 1) {
        idle = IdleKind::Yield;
        notes.push(format!(
            "{} spinning threads on {usable} cores would starve each other and everything else: \
             they yield instead",
            cores.len()
        ));
    } else if idle == IdleKind::Spin && cores.len() == usable {
        notes.push("every core spins: none is left for logs, files and the embedded venue".into());
    } else if asked == Profile::Auto && idle == IdleKind::Yield {
        notes.push("stages share cores, so threads yield when idle: profile balanced".to_owned());
    }
    cores.iter_mut().for_each(|core| core.idle = idle);
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
