//! The core planner: which thread runs which agents, on which core, and how it idles.
//!
//! - One core: everything on one thread that yields.
//! - Two or three cores: venues, orchestrator, dispatcher and gateway on the first, consumers on
//!   the rest.
//! - Four and more: the first is left to housekeeping, the embedded venue and the kernel; one is
//!   for dispatch; each venue gets its own while one remains for consumers (else all venues share
//!   one, else they stay with dispatch); each consumer gets its own, or they are spread in turn
//!   over what is left.
//! - `quiet`: the dispatch thread and the consumer thread park on the *same* core, since waking an
//!   idle core takes several times as long as switching threads on one.
//!
//! What the file says under `[cores]` comes first. There is one thread to a core (two in `quiet`),
//! so spinning threads never outnumber cores; where a quota grants less, spinning gives way to
//! yielding. Every degradation is a note that must be shown.

use std::collections::BTreeSet;

use pitlane_ring::{DEFAULT_SPINS, IdleStrategy};
use serde::{Serialize, Serializer};
use thiserror::Error;

use super::home::consumers_in_cell;
use super::host::HostCores;
use crate::config::{CORE_IDS, Config, Profile};

const YIELD: IdleStrategy = IdleStrategy::SpinThenYield { spins: DEFAULT_SPINS };

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

impl AgentRole {
    /// Its turn in a pass over the agents of one core. Orders go first: the answer to an event
    /// comes from another core a moment after the dispatcher has ended a pass, and would wait for
    /// the whole next read of the market if the gateway came behind it. Then the event's way, so
    /// that a frame is dispatched in the pass that reads it.
    #[must_use]
    pub const fn turn(self) -> u8 {
        match self {
            AgentRole::Gateway => 0,
            AgentRole::VenueOrders(_) => 1,
            AgentRole::VenueMarket(_) => 2,
            AgentRole::Orchestrator => 3,
            AgentRole::Dispatcher => 4,
            AgentRole::Consumer(_) => 5,
        }
    }
}

/// One thread of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedCore {
    /// Thread name, as `dispatch`, `consumers`, `consumer-noop`.
    pub name: String,
    /// The core to pin to; `None` leaves it to the kernel.
    pub core: Option<usize>,
    /// What it runs, in this order; see [`AgentRole::turn`].
    pub agents: Vec<AgentRole>,
    /// How it idles when no agent has work.
    #[serde(serialize_with = "idle_name")]
    pub idle: IdleStrategy,
}

impl PlannedCore {
    /// Whether it runs any strategy.
    #[must_use]
    pub fn has_consumers(&self) -> bool {
        self.consumers() > 0
    }

    fn consumers(&self) -> usize {
        self.agents.iter().filter(|agent| matches!(agent, AgentRole::Consumer(_))).count()
    }
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
        // The first core keeps the interrupts on most machines: with four and more it is
        // housekeeping's.
        let spare = usize::from(usable >= 4);
        let reserved = asked.consumers.as_deref().unwrap_or_default();
        let planned = &available[spare..usable.max(spare + 1).min(available.len())];
        let dispatch = asked.dispatch.unwrap_or_else(|| {
            planned.iter().copied().find(|id| !reserved.contains(id)).unwrap_or(planned[0])
        });
        if config.engine.profile == Profile::Quiet && asked.consumers.is_none() {
            // One thread: waking a second one takes longer than all that an event needs.
            let consumers = vec![dispatch; consumer_count];
            let layout = Layout { dispatch, venues: vec![dispatch; venue_count], consumers };
            layout.note_sharing(notes);
            return layout;
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
                "consumers share the dispatcher's core: a slow strategy delays delivery, up to its \
                 stall budget"
                    .to_owned(),
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

    /// The threads of this layout, one to a core.
    fn threads(&self, config: &Config) -> Vec<PlannedCore> {
        let venue_names = config.venue_names();
        let mut threads = vec![thread("dispatch".to_owned(), self.dispatch)];
        for (venue, core) in self.venues.iter().enumerate() {
            let shared = self.venues.iter().filter(|other| *other == core).count() > 1;
            let name =
                if shared { "venues".to_owned() } else { format!("venue-{}", venue_names[venue]) };
            let thread = thread_on(&mut threads, *core, name);
            thread.agents.push(AgentRole::VenueMarket(venue));
            if config.takes_orders(venue) {
                thread.agents.push(AgentRole::VenueOrders(venue));
            }
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
            let thread = thread_on(&mut threads, *core, name);
            thread.agents.push(AgentRole::Consumer(consumer));
        }
        for thread in &mut threads {
            thread.agents.sort_by_key(|agent| agent.turn());
        }
        threads
    }
}

fn thread(name: String, core: usize) -> PlannedCore {
    PlannedCore { name, core: Some(core), agents: Vec::new(), idle: IdleStrategy::Spin }
}

/// The thread on `core`, made when there is none.
fn thread_on(threads: &mut Vec<PlannedCore>, core: usize, name: String) -> &mut PlannedCore {
    let found = threads.iter().position(|thread| thread.core == Some(core));
    let index = found.unwrap_or(threads.len());
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
        notes.push("every core spins: none is left for logs, files and the embedded venue".into());
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

fn idle_name<S: Serializer>(idle: &IdleStrategy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(idle.name())
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
mod tests {
    use super::*;
    use crate::config::ConsumerConfig;

    fn config(consumers: usize) -> Config {
        let consumer = |n: usize| ConsumerConfig::of_strategy(&format!("s{n}"));
        let consumers = (0..consumers).map(consumer).collect();
        Config { consumers, ..Config::default_run() }
    }

    fn plan(cores: usize, consumers: usize) -> CorePlan {
        CorePlan::make(&config(consumers), &HostCores::of(0..cores)).unwrap()
    }

    fn shape(plan: &CorePlan) -> Vec<(&str, Option<usize>, usize)> {
        plan.cores.iter().map(|c| (c.name.as_str(), c.core, c.agents.len())).collect()
    }

    #[test]
    fn every_agent_has_one_place_and_threads_never_outnumber_cores() {
        for cores in [1, 2, 3, 4, 5, 8, 64] {
            for consumers in [0, 1, 3, 50] {
                let plan = plan(cores, consumers);
                let mut agents: Vec<_> = plan.cores.iter().flat_map(|c| c.agents.clone()).collect();
                // Market and order session of the one venue, orchestrator, dispatcher, gateway.
                assert_eq!(agents.len(), 5 + consumers, "{cores} cores, {consumers} consumers");
                agents.sort_by_key(|agent| format!("{agent:?}"));
                agents.dedup();
                assert_eq!(agents.len(), 5 + consumers, "an agent has two places");
                assert!(plan.cores.iter().all(|core| !core.agents.is_empty()));
                let used: BTreeSet<_> = plan.cores.iter().map(|core| core.core.unwrap()).collect();
                assert_eq!(used.len(), plan.cores.len(), "two threads on one core");
                assert!(plan.cores.len() <= cores);
                assert_eq!(cores >= 4, plan.housekeeping == Some(0), "{cores} cores: {plan:?}");
            }
        }
    }

    #[test]
    fn one_core_runs_everything_and_yields() {
        let plan = plan(1, 3);
        assert_eq!(shape(&plan), [("dispatch", Some(0), 8)]);
        assert_eq!((plan.profile, plan.cores[0].idle), (Profile::Balanced, YIELD));
        assert!(plan.notes.iter().any(|note| note.contains("share the dispatcher's core")));
    }

    #[test]
    fn two_cores_are_dispatch_and_consumers() {
        let three = plan(2, 3);
        assert_eq!(shape(&three), [("dispatch", Some(0), 5), ("consumers", Some(1), 3)]);
        assert_eq!(three.profile, Profile::Balanced);
        assert_eq!(shape(&plan(2, 1))[1], ("consumer-s0", Some(1), 1));
        assert_eq!(shape(&plan(2, 0)), [("dispatch", Some(0), 5)]);
    }

    #[test]
    fn four_cores_keep_one_for_housekeeping() {
        let expected =
            [("dispatch", Some(1), 3), ("venue-simulated", Some(2), 2), ("consumers", Some(3), 3)];
        assert_eq!(shape(&plan(4, 3)), expected);
    }

    #[test]
    fn eight_cores_give_every_agent_its_own_and_spin() {
        let plan = plan(8, 3);
        let expected = [
            ("dispatch", Some(1), 3),
            ("venue-simulated", Some(2), 2),
            ("consumer-s0", Some(3), 1),
            ("consumer-s1", Some(4), 1),
            ("consumer-s2", Some(5), 1),
        ];
        assert_eq!(shape(&plan), expected);
        assert_eq!((plan.profile, plan.cores[0].idle), (Profile::Latency, IdleStrategy::Spin));
        assert!(plan.notes.is_empty(), "{:?}", plan.notes);
    }

    #[test]
    fn fifty_consumers_are_spread_evenly_or_get_a_core_each() {
        let eight = plan(8, 50);
        let sizes: Vec<_> = eight.cores[2..].iter().map(|core| core.agents.len()).collect();
        assert_eq!(sizes, [10; 5]);
        assert_eq!(eight.profile, Profile::Balanced);
        assert_eq!(plan(64, 50).cores.len(), 52);
    }

    #[test]
    fn orders_go_first_and_then_the_events_way() {
        use AgentRole::{Dispatcher, Gateway, Orchestrator, VenueMarket, VenueOrders};
        let way = [Gateway, VenueOrders(0), VenueMarket(0), Orchestrator, Dispatcher];
        assert_eq!(plan(2, 3).cores[0].agents, way);
    }

    #[test]
    fn many_venues_share_one_core_when_there_is_not_one_for_each() {
        let mut config = config(1);
        config.venues = (0..5).map(|_| crate::config::VenueConfig::default()).collect();
        config.simulated.enabled = false;
        let few = CorePlan::make(&config, &HostCores::of(0..4)).unwrap();
        assert_eq!(shape(&few)[1], ("venues", Some(2), 5));
        let many = CorePlan::make(&config, &HostCores::of(0..8)).unwrap();
        assert_eq!(many.cores.len(), 7);
    }

    #[test]
    fn consumers_beyond_what_a_lease_holds_share_cells_and_a_note_says_so() {
        assert!(plan(2, 63).notes.iter().all(|note| !note.contains("along")));
        let notes = plan(2, 64).notes;
        assert!(notes.iter().any(|note| note.contains("takes up to 1 others along")), "{notes:?}");
    }

    #[test]
    fn threads_that_lose_their_core_get_those_that_nobody_is_pinned_to() {
        let host = HostCores::of(0..4);
        assert_eq!(plan(4, 3).loose_cores(&host), [0]);
        assert_eq!(plan(2, 3).loose_cores(&HostCores::of(0..2)), [0, 1], "there are no others");
        assert!(plan(4, 3).has_room(&host) && !plan(2, 3).has_room(&HostCores::of(0..2)));
        let mut config = config(3);
        config.cores.pin = false;
        assert!(CorePlan::make(&config, &host).unwrap().loose_cores(&host).is_empty());
    }

    #[test]
    fn quiet_parks_one_thread_and_says_what_that_means() {
        let mut config = config(3);
        config.engine.profile = Profile::Quiet;
        let plan = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
        assert_eq!(shape(&plan), [("dispatch", Some(0), 8)]);
        assert_eq!(plan.cores[0].idle, IdleStrategy::Park);
        assert!(plan.notes.iter().any(|note| note.contains("a slow strategy delays delivery")));
        config.cores.consumers = Some(vec![1]);
        let plan = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
        assert_eq!(shape(&plan), [("dispatch", Some(0), 5), ("consumers", Some(1), 3)]);
    }

    #[test]
    fn spinning_gives_way_where_it_would_starve_others() {
        let mut config = config(3);
        config.engine.profile = Profile::Latency;
        let one = CorePlan::make(&config, &HostCores::of([0])).unwrap();
        assert_eq!(one.cores[0].idle, YIELD);
        assert!(one.notes.iter().any(|note| note.contains("starve")), "{:?}", one.notes);
        let two = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
        assert_eq!(two.cores[0].idle, IdleStrategy::Spin);
        assert!(two.notes.iter().any(|note| note.contains("every core spins")));
        // The file asks for three threads, the quota grants two cores.
        config.cores.consumers = Some(vec![2, 3]);
        let granted = HostCores { quota_millicores: Some(2_000), ..HostCores::of(0..4) };
        let limited = CorePlan::make(&config, &granted).unwrap();
        assert_eq!((limited.cores.len(), limited.cores[0].idle), (3, YIELD));
        assert!(limited.notes.iter().any(|note| note.contains("grants 2 of 4")));
    }

    #[test]
    fn cores_that_are_asked_for_are_given() {
        let mut config = config(3);
        config.cores.dispatch = Some(5);
        config.cores.consumers = Some(vec![7, 6]);
        let plan = CorePlan::make(&config, &HostCores::of(0..8)).unwrap();
        let expected = [
            ("dispatch", Some(5), 3),
            ("venue-simulated", Some(1), 2),
            ("consumers-7", Some(7), 2),
            ("consumer-s1", Some(6), 1),
        ];
        assert_eq!(shape(&plan), expected);
        config.cores =
            crate::config::CoresConfig { consumers: Some(vec![0]), ..Default::default() };
        let two = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
        assert_eq!(shape(&two), [("dispatch", Some(1), 5), ("consumers", Some(0), 3)]);
    }

    #[test]
    fn a_core_that_is_not_there_is_an_error_with_what_is() {
        // F28
        let mut config = config(3);
        config.cores.dispatch = Some(9);
        let host = HostCores::of([0, 1, 2, 3, 8, 2_000]);
        let error = CorePlan::make(&config, &host).unwrap_err();
        let expected = "cores.dispatch: core 9 is not available; available: 0-3, 8";
        assert_eq!(error.to_string(), expected);
        config.cores.dispatch = Some(2_000);
        let error = CorePlan::make(&config, &host).unwrap_err();
        assert!(error.to_string().contains("ids end at 1023; available: 0-3, 8"), "{error}");
        config.cores.dispatch = None;
        config.cores.consumers = Some(vec![0, 4]);
        let error = CorePlan::make(&config, &host).unwrap_err();
        assert!(matches!(error, PlanError::MissingCore { key: "cores.consumers", core: 4, .. }));
        let none = CorePlan::make(&self::config(1), &HostCores::of([])).unwrap_err();
        assert_eq!(none, PlanError::NoCores);
    }

    #[test]
    fn without_pinning_the_threads_are_the_same_and_a_note_says_so() {
        let mut config = config(3);
        config.cores.pin = false;
        let plan = CorePlan::make(&config, &HostCores::of(0..8)).unwrap();
        assert_eq!(plan.cores.len(), 5);
        assert!(plan.cores.iter().all(|core| core.core.is_none()));
        assert!(plan.notes.iter().any(|note| note.contains("pinning is off")));
    }
}
