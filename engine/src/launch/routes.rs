//! The owner of the routes: builds tables off the hot path and has the dispatcher swap them (A-4, FR-014).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use thiserror::Error;

use crate::dispatcher::{Flip, FlipOutcome, FlipPort, RouteKey, RoutingTable};
use crate::event::ConsumerId;
use crate::runtime::CoreWakers;

/// A flip that the dispatcher has not taken by then is withdrawn.
const FLIP_DEADLINE: Duration = Duration::from_millis(500);

/// A route to be turned on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteChange {
    /// Which.
    pub route: RouteKey,
    /// Whether events take it from then on.
    pub is_on: bool,
}

/// Why routes were not changed; those before are in force.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum FlipError {
    #[error(
        "[routes] flip failed: consumer {} is not subscribed to {} of instrument {} at venue {} \
         (code: unknown-route)",
        .0.consumer, .0.kind, .0.instrument, .0.venue
    )]
    UnknownRoute(RouteKey),
    #[error("[routes] flip failed: nothing would change (code: no-change)")]
    NoChange,
    #[error("[routes] flip failed: the dispatcher did not take it in {0:?} (code: deadline)")]
    Deadline(Duration),
    #[error("[routes] flip failed: the engine is stopping (code: stop)")]
    Stopped,
}

/// All routes there can be, and which of them are off.
pub(super) struct Routes {
    full: RoutingTable,
    known: HashSet<RouteKey>,
    off: Mutex<HashSet<RouteKey>>,
    port: Arc<FlipPort>,
    wakers: CoreWakers,
    latencies: Arc<FlipLatencies>,
}

/// How long flips took, from the staging of the table to the dispatcher's answer, ns.
#[derive(Default)]
pub(super) struct FlipLatencies(Mutex<Vec<u64>>);

impl FlipLatencies {
    /// Flips remembered between two looks of housekeeping; at 1,000 a second it looks 200 times.
    const KEPT: usize = 4_096;

    fn add(&self, ns: u64) {
        let mut kept = self.0.lock();
        if kept.len() < FlipLatencies::KEPT {
            kept.push(ns);
        }
    }

    /// Hands out and forgets what was added.
    pub(super) fn take(&self, record: impl FnMut(u64)) {
        self.0.lock().drain(..).for_each(record);
    }
}

impl Routes {
    pub(super) fn new(full: RoutingTable, port: Arc<FlipPort>, wakers: CoreWakers) -> Routes {
        let known = full.keys().collect();
        let latencies = Arc::default();
        Routes { full, known, off: Mutex::default(), port, wakers, latencies }
    }

    /// Where it leaves how long its flips took.
    pub(super) fn latencies(&self) -> Arc<FlipLatencies> {
        Arc::clone(&self.latencies)
    }

    /// Every route there can be.
    pub(super) fn keys(&self) -> Vec<RouteKey> {
        self.full.keys().collect()
    }

    /// Turns routes on and off in one flip. Blocks until the dispatcher has swapped the tables, or the
    /// deadline is over; one flip at a time.
    pub(super) fn change(
        &self,
        command_id: u64,
        changes: &[RouteChange],
    ) -> Result<FlipOutcome, FlipError> {
        let mut off = self.off.lock();
        let mut next = off.clone();
        let mut affected: Vec<ConsumerId> = Vec::new();
        for RouteChange { route, is_on } in changes {
            if !self.known.contains(route) {
                return Err(FlipError::UnknownRoute(*route));
            }
            let has_changed = if *is_on { next.remove(route) } else { next.insert(*route) };
            if has_changed && !affected.contains(&route.consumer) {
                affected.push(route.consumer);
            }
        }
        if next == *off {
            return Err(FlipError::NoChange);
        }
        let table = self.full.filtered(|key| !next.contains(&key));
        let flip = Flip { table, affected, command_id, outcome: FlipOutcome::default() };
        let outcome = self.stage(Box::new(flip))?;
        *off = next;
        Ok(outcome)
    }

    fn stage(&self, mut flip: Box<Flip>) -> Result<FlipOutcome, FlipError> {
        let started = Instant::now();
        while let Err(back) = self.port.staged.put(flip) {
            if started.elapsed() > FLIP_DEADLINE {
                return Err(FlipError::Deadline(FLIP_DEADLINE));
            }
            flip = back;
            std::thread::yield_now();
        }
        self.wakers.wake();
        loop {
            if let Some(done) = self.port.done.take() {
                self.latencies.add(started.elapsed().as_nanos() as u64);
                return Ok(done.outcome);
            }
            // Withdrawn only while it still lies there: once taken, it is carried out.
            if started.elapsed() > FLIP_DEADLINE && self.port.staged.take().is_some() {
                return Err(FlipError::Deadline(FLIP_DEADLINE));
            }
            if started.elapsed() > 2 * FLIP_DEADLINE {
                return Err(FlipError::Stopped);
            }
            std::thread::yield_now();
        }
    }
}
