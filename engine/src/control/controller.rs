//! The controller's thread: takes the strategies' commands out of their lanes.

#![allow(
    clippy::disallowed_methods,
    reason = "answers operators in real time, and is no agent yet"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use pitlane_ring::{Bits, Consumer};

use super::routes::{Request, Routes};
use super::{RouteChange, RoutingChange};
use crate::consumer::{ControlAction, ControlCommand};
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, ControlCode, InstrumentId, VenueId};
use crate::runtime::give_way;

/// What the controller's thread works on.
pub(crate) struct ControllerParts {
    /// By consumer.
    pub(crate) lanes: Vec<Consumer<ControlCommand>>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) venues: usize,
    /// Between two looks at the lanes. Commands that come in one pause make one flip.
    pub(crate) pause: Duration,
}

/// The running thread.
pub(crate) struct ControllerHandle {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl ControllerHandle {
    /// Starts it.
    pub(crate) fn start(mut parts: ControllerParts) -> std::io::Result<ControllerHandle> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = Builder::new().name("controller".to_owned()).spawn(move || {
            give_way();
            while !seen.load(Ordering::Acquire) {
                parts.turn();
                std::thread::park_timeout(parts.pause);
            }
            // Whoever asks from here on is refused, and told so.
            parts.routes.stop();
            parts.turn();
        })?;
        Ok(ControllerHandle { stop, thread })
    }

    /// Ends it, after what it is at. False when it panicked.
    pub(crate) fn stop(self) -> bool {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        self.thread.join().is_ok()
    }
}

impl ControllerParts {
    fn turn(&mut self) {
        let Self { lanes, routes, venues, .. } = self;
        let mut requests = Vec::new();
        for lane in lanes.iter_mut().filter(|lane| lane.has_available()) {
            lane.poll(usize::MAX, |command| match changes(command, *venues) {
                Some(changes) => requests.push(Request {
                    command_id: command.command_id,
                    asker: Some(ConsumerId(command.consumer)),
                    changes,
                }),
                None => routes.refuse(
                    ConsumerId(command.consumer),
                    command.command_id,
                    ControlCode::Malformed,
                ),
            });
        }
        if !requests.is_empty() {
            routes.change_all(requests.into_iter());
        }
    }
}

/// What a command comes to; `None` when it is not one.
fn changes(command: &ControlCommand, venues: usize) -> Option<Vec<RoutingChange>> {
    let consumer = ConsumerId(command.consumer);
    let action = command.action()?;
    let is_on = matches!(action, ControlAction::Subscribe | ControlAction::SubscribeMerged);
    match action {
        ControlAction::SubscribeMerged | ControlAction::UnsubscribeMerged => {
            let request = command.merge()?;
            Some(vec![RoutingChange::Merge { consumer, request, is_on }])
        }
        ControlAction::Subscribe | ControlAction::Unsubscribe => {
            let kinds = command.interest();
            let named = Bits(command.venues).map(|venue| venue as u16);
            // All venues are those that there are; a venue by name that is not there is refused.
            let is_all = command.venues == u64::MAX;
            let venues = named.filter(|venue| !is_all || usize::from(*venue) < venues);
            let route = |(venue, kind)| {
                let route = RouteKey {
                    venue: VenueId(venue),
                    instrument: InstrumentId(command.instrument),
                    kind,
                    consumer,
                };
                RoutingChange::Route(RouteChange { route, is_on })
            };
            let changes: Vec<_> = venues
                .flat_map(|venue| kinds.kinds().map(move |kind| (venue, kind)))
                .map(route)
                .collect();
            (!changes.is_empty()).then_some(changes)
        }
    }
}
