//! The controller: takes the strategies' commands out of their lanes, and polls the flips.

use std::sync::Arc;
use std::time::Duration;

use pitlane_ring::{Bits, Consumer};

use super::flips::Flips;
use super::routes::{Routes, RoutesRequest};
use super::{RouteChange, RoutingChange};
use crate::consumer::{ControlAction, ControlCommand};
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, ControlCode, InstrumentId, VenueId};
use crate::risk::{RiskNotice, RiskWatch};
use crate::runtime::{Agent, Beside, BesideThread, Clock};
use crate::safety::TradingSwitch;

/// Takes the strategies' commands, and carries out what anybody asks of the routes.
pub(crate) struct Controller {
    /// By consumer.
    lanes: Vec<Consumer<ControlCommand>>,
    flips: Flips,
    venues: usize,
    trading: TradingSwitch,
    risk: RiskWatch,
    /// What it found that is to be told.
    notices: Vec<RiskNotice>,
    clock: Clock,
    /// Between two polls of the lanes. Commands that come in one pause make one flip.
    pause: Duration,
    next_poll_ns: u64,
    is_done: bool,
}

/// The running thread.
pub(crate) struct ControllerHandle {
    routes: Arc<Routes>,
    thread: BesideThread,
}

impl ControllerHandle {
    /// Starts it.
    pub(crate) fn start(controller: Controller) -> std::io::Result<ControllerHandle> {
        let routes = Arc::clone(controller.flips.routes());
        let place = Beside::without_sockets()?;
        routes.polled_by(place.waker());
        let clock = controller.clock.clone();
        let thread = place.start("controller", Box::new(controller), clock)?;
        Ok(ControllerHandle { routes, thread })
    }

    /// Ends it, after what it is at. False when it panicked, or did not end within `deadline`.
    pub(crate) fn stop(self, deadline: Duration) -> bool {
        self.routes.stop();
        match self.thread.end_within(deadline) {
            Ok(()) => true,
            Err(failure) => {
                log::error!("[control] {failure}");
                false
            }
        }
    }
}

impl Agent for Controller {
    fn name(&self) -> &str {
        "controller"
    }

    fn duty_cycle(&mut self) -> usize {
        let is_stopping = self.flips.routes().is_stopping();
        let now_ns = self.clock.now_ns();
        // A command may have its answer before the next one is taken, but not while it waits for
        // it.
        let mut work = 0;
        if self.flips.is_idle() && (is_stopping || now_ns >= self.next_poll_ns) {
            work += self.take_commands();
            self.next_poll_ns = now_ns.saturating_add(self.pause.as_nanos() as u64);
        }
        work += self.flips.notice_trading(self.trading.is_on());
        let Controller { risk, notices, .. } = self;
        risk.poll(now_ns, |notice| notices.push(notice));
        work += self.flips.notice_risk(&self.notices);
        self.notices.clear();
        work += self.flips.poll();
        // Whoever asked until the stop is refused, and told so.
        self.is_done = is_stopping && work == 0 && self.flips.is_idle();
        work
    }

    fn next_timer_ns(&self) -> u64 {
        match self.flips.is_idle() {
            true if self.flips.routes().has_waiting() => 0,
            true => self.next_poll_ns,
            false => self.clock.now_ns().saturating_add(self.flips.poll_ns()),
        }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes what strategies have asked for since: nobody answers any more, and their slots return.
    fn on_close(mut self: Box<Self>) {
        for lane in &mut self.lanes {
            lane.poll(usize::MAX, |_command| {});
        }
    }
}

impl Controller {
    pub(crate) fn new(
        lanes: Vec<Consumer<ControlCommand>>,
        flips: Flips,
        venues: usize,
        (trading, risk): (TradingSwitch, RiskWatch),
        clock: Clock,
        pause: Duration,
    ) -> Controller {
        Controller {
            lanes,
            flips,
            venues,
            trading,
            risk,
            notices: Vec::new(),
            clock,
            pause,
            next_poll_ns: 0,
            is_done: false,
        }
    }

    fn take_commands(&mut self) -> usize {
        let Self { lanes, flips, venues, .. } = self;
        let mut work = 0;
        for lane in lanes.iter_mut().filter(|lane| lane.has_available()) {
            work += lane.poll(usize::MAX, |command| {
                let (asker, command_id) = (ConsumerId(command.consumer), command.command_id);
                let asked = match changes(command, *venues) {
                    None => Err(ControlCode::Malformed),
                    Some(changes) => {
                        let request = RoutesRequest { command_id, asker: Some(asker), changes };
                        flips.routes().ask(request).map_err(|error| error.code())
                    }
                };
                if let Err(code) = asked {
                    flips.refuse(asker, command_id, code);
                }
            });
        }
        work
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
