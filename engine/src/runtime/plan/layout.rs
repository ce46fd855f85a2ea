//! Which core each group of agents gets.

use std::collections::BTreeSet;

use pitlane_ring::IdleStrategy;

use super::planned::{AgentRole, PlannedCore};
use crate::config::{Config, Profile};

/// Which core each group of agents gets.
pub(super) struct Layout {
    dispatch: usize,
    /// Core of each venue.
    venues: Vec<usize>,
    /// Core of each consumer.
    consumers: Vec<usize>,
}

impl Layout {
    pub(super) fn choose(
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
    pub(super) fn is_fused(&self) -> bool {
        let distinct: BTreeSet<_> = self.consumers.iter().collect();
        distinct.len() < self.consumers.len()
            || self.venues.contains(&self.dispatch)
            || self.consumers.contains(&self.dispatch)
    }

    /// The threads of this layout, one to a core.
    pub(super) fn threads(&self, config: &Config) -> Vec<PlannedCore> {
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
