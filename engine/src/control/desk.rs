//! Carries out what operators ask for: names become numbers, and every change goes to its one
//! owner.
//!
//! Routes, merges and pauses are the owner of the routes', orders the trading switch's, sessions
//! their venue's switch's, a consumer's end the quarantine board's, the end of the run the stop
//! signal's. What is there already is no failure: a command may be given twice.

#![allow(
    clippy::disallowed_methods,
    reason = "answers operators in real time, and is no agent yet"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::protocol::{
    ConsumerAction, FlipReport, MergeRule, Reply, Request, RouteEdit, Selection, VenueAction,
};
use super::reader::Reader;
use super::refusal::Refusal;
use super::routes::{Flipped, Request as RoutesRequest, Routes};
use super::status::Status;
use super::{Desk, FlipError, RouteChange, RoutesDifference, RoutingChange};
use crate::consumer::{MergeRequest, VenueSet};
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, EventKind, VenueId};
use crate::runtime::{CoreWakers, StopSignal};
use crate::safety::{Quarantine, QuarantineReason, TradingSwitch};
use crate::venue::{IntakeStats, SessionState, VenueSwitch};

/// How long a venue's sessions are waited for, so that the answer can say how they stand.
const VENUE_PATIENCE: Duration = Duration::from_millis(800);
/// Pause between two looks at them.
const VENUE_PAUSE: Duration = Duration::from_millis(2);

/// What a desk works on.
pub(crate) struct DeskParts {
    pub(crate) reader: Reader,
    pub(crate) routes: Arc<Routes>,
    pub(crate) trading: TradingSwitch,
    pub(crate) quarantine: Quarantine,
    /// By venue; `None` for one without sessions.
    pub(crate) switches: Vec<Option<VenueSwitch>>,
    pub(crate) stop: StopSignal,
    pub(crate) wakers: CoreWakers,
}

/// The desk of a running engine.
pub(crate) struct OperatorDesk {
    parts: DeskParts,
    /// Of the last change; consumers see it in their `ControlResult`s.
    command_id: u64,
}

impl Desk for OperatorDesk {
    fn carry_out(&mut self, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::Status {} | Request::Watch { .. } => {
                Ok(Reply::Status(Box::new(self.parts.reader.status())))
            }
            Request::Routes(filter) => self.parts.reader.routes(&filter),
            Request::Subscribe(selection) => self.flip(false, &[RouteEdit::Subscribe(selection)]),
            Request::Unsubscribe(selection) => {
                self.flip(false, &[RouteEdit::Unsubscribe(selection)])
            }
            Request::Flip { dry_run, changes } => self.flip(dry_run, &changes),
            Request::Merge(rule) => self.merge(&rule),
            Request::Unmerge { rule } => self.unmerge(rule),
            Request::Venue { action, name } => self.venue(action, &name),
            Request::Consumer { action, name } => self.consumer(action, &name),
            Request::Mode { trading } => self.mode(trading),
            Request::Kill {} => Ok(self.kill()),
        }
    }

    fn status(&mut self) -> Status {
        self.parts.reader.status()
    }
}

impl OperatorDesk {
    pub(crate) fn new(parts: DeskParts) -> OperatorDesk {
        OperatorDesk { parts, command_id: 0 }
    }

    fn flip(&mut self, dry_run: bool, edits: &[RouteEdit]) -> Result<Reply, Refusal> {
        let mut changes = Vec::new();
        for edit in edits {
            let (selection, is_on) = match edit {
                RouteEdit::Subscribe(selection) => (selection, true),
                RouteEdit::Unsubscribe(selection) => (selection, false),
            };
            self.add_routes(selection, is_on, &mut changes)?;
        }
        if dry_run {
            let difference = self.parts.routes.preview(&changes).map_err(|e| self.refusal(e))?;
            let version = self.parts.routes.view().version;
            let changes = !difference.on.is_empty() || !difference.off.is_empty();
            let report = self.report(&difference);
            let version = version + u32::from(changes);
            return Ok(Reply::Flip(FlipReport { is_dry_run: true, version, ..report }));
        }
        self.change(changes).map(Reply::Flip)
    }

    /// The single routes that a selection stands for.
    fn add_routes(
        &self,
        selection: &Selection,
        is_on: bool,
        changes: &mut Vec<RoutingChange>,
    ) -> Result<(), Refusal> {
        let reader = &self.parts.reader;
        let consumer = reader.consumer_id(&selection.consumer)?;
        let instrument = reader.instrument_id(&selection.instrument)?;
        let venues: Vec<VenueId> = match selection.venues.is_empty() {
            true => reader.venue_ids().collect(),
            false => self.venues(&selection.venues)?,
        };
        let kinds = match selection.kinds.is_empty() {
            true => self.parts.routes.subscribable(consumer),
            false => selection.kinds.iter().map(|kind| kind_of(kind)).collect::<Result<_, _>>()?,
        };
        changes.extend(venues.iter().flat_map(|venue| {
            kinds.kinds().map(|kind| {
                let route = RouteKey { venue: *venue, instrument, kind, consumer };
                RoutingChange::Route(RouteChange { route, is_on })
            })
        }));
        Ok(())
    }

    fn venues(&self, names: &[String]) -> Result<Vec<VenueId>, Refusal> {
        names.iter().map(|name| self.parts.reader.venue_id(name)).collect()
    }

    /// Has the owner of the routes make a flip. One that would change nothing is an empty report.
    fn change(&mut self, changes: Vec<RoutingChange>) -> Result<FlipReport, Refusal> {
        self.command_id += 1;
        let request = RoutesRequest { command_id: self.command_id, asker: None, changes };
        match self.parts.routes.change(request) {
            Ok(Flipped { outcome, difference }) => Ok(FlipReport {
                version: outcome.version,
                step_ns: outcome.step_ns,
                stale_queued: outcome.stale_queued,
                ..self.report(&difference)
            }),
            Err(FlipError::NoChange) => {
                let version = self.parts.routes.view().version;
                Ok(FlipReport { version, ..FlipReport::default() })
            }
            Err(error) => Err(self.refusal(error)),
        }
    }

    /// The names of a difference.
    fn report(&self, difference: &RoutesDifference) -> FlipReport {
        let rows = |keys: &[RouteKey]| {
            let mut rows: Vec<_> = keys.iter().map(|key| self.parts.reader.row(*key)).collect();
            rows.sort();
            rows
        };
        let (added, removed) = (rows(&difference.on), rows(&difference.off));
        let mut affected: Vec<String> =
            added.iter().chain(&removed).map(|row| row.consumer.clone()).collect();
        affected.sort();
        affected.dedup();
        FlipReport { added, removed, affected, ..FlipReport::default() }
    }

    fn merge(&mut self, rule: &MergeRule) -> Result<Reply, Refusal> {
        let reader = &self.parts.reader;
        let consumer = reader.consumer_id(&rule.consumer)?;
        let request = MergeRequest {
            instrument: reader.instrument_id(&rule.instrument)?,
            kind: kind_of(&rule.kind)?,
            venues: VenueSet::of(&self.venues(&rule.venues)?),
            window_ns: rule.window_ms * 1_000_000,
            events_max: rule.max_events,
        };
        let change = RoutingChange::Merge { consumer, request, is_on: true };
        let flip = self.change(vec![change])?;
        let view = self.parts.routes.view();
        let is_it = |rule: &&super::RuleView| rule.request == request;
        match view.rules.iter().find(is_it) {
            Some(rule) => Ok(Reply::Merge { rule: rule.number, flip }),
            None => Err(Refusal::Failed {
                operation: "merge".to_owned(),
                reason: "the rule was ended by somebody else".to_owned(),
            }),
        }
    }

    fn unmerge(&mut self, number: u16) -> Result<Reply, Refusal> {
        let view = self.parts.routes.view();
        if !view.rules.iter().any(|rule| rule.number == number) {
            let known: Vec<String> =
                view.rules.iter().map(|rule| rule.number.to_string()).collect();
            let known = known.iter().map(String::as_str);
            return Err(Refusal::unknown_name("merge rule", &number.to_string(), known));
        }
        self.change(vec![RoutingChange::EndRule(number)]).map(Reply::Flip)
    }

    fn venue(&mut self, action: VenueAction, name: &str) -> Result<Reply, Refusal> {
        let venue = self.parts.reader.venue_id(name)?;
        let is_paused = match action {
            VenueAction::Pause => true,
            VenueAction::Resume => false,
            VenueAction::Add | VenueAction::Remove => {
                return self.switch_venue(venue, name, action == VenueAction::Add);
            }
        };
        self.change(vec![RoutingChange::PauseVenue { venue, is_paused }])?;
        let (what, state) = match is_paused {
            true => ("its market data reaches nobody", "paused"),
            false => ("its market data reaches its subscribers", "running"),
        };
        Ok(Reply::Done { message: format!("venue {name}: {what}"), state: state.to_owned() })
    }

    /// Turns a venue's switch, and waits a little for its sessions.
    fn switch_venue(&mut self, venue: VenueId, name: &str, is_on: bool) -> Result<Reply, Refusal> {
        let switch = self.parts.switches.get(venue.index());
        let Some(switch) = switch.and_then(Option::as_ref) else {
            return Err(Refusal::Failed {
                operation: "venue".to_owned(),
                reason: format!("{name} has no sessions that could start or end"),
            });
        };
        let was_on = switch.set(is_on);
        self.parts.wakers.wake();
        let wanted = if is_on { SessionState::Open } else { SessionState::Off };
        let started = Instant::now();
        let sessions = self.parts.reader.sessions_of(name);
        let states = || sessions.iter().map(|stats: &Arc<_>| IntakeStats::state(stats));
        while !states().all(|state| state == wanted) && started.elapsed() < VENUE_PATIENCE {
            std::thread::sleep(VENUE_PAUSE);
        }
        // The session that is least far says how far the venue is.
        let state = states().find(|state| *state != wanted).unwrap_or(wanted);
        let message = match (is_on, was_on) {
            (true, true) => format!("venue {name} was there already"),
            (true, false) => format!("venue {name} added"),
            (false, true) => format!("venue {name} removed"),
            (false, false) => format!("venue {name} was not there"),
        };
        Ok(Reply::Done { message, state: state.name().to_owned() })
    }

    fn consumer(&mut self, action: ConsumerAction, name: &str) -> Result<Reply, Refusal> {
        let consumer = self.parts.reader.consumer_id(name)?;
        let is_paused = match action {
            ConsumerAction::Pause => true,
            ConsumerAction::Resume => false,
            ConsumerAction::Quarantine => return Ok(self.quarantine(consumer, name)),
        };
        if self.parts.quarantine.has(consumer) {
            return Err(Refusal::Failed {
                operation: "consumer".to_owned(),
                reason: format!("{name} is quarantined, which is for good"),
            });
        }
        self.change(vec![RoutingChange::PauseConsumer { consumer, is_paused }])?;
        let (what, state) = match is_paused {
            true => ("gets no market data; its critical events still come", "paused"),
            false => ("gets what it is subscribed to", "running"),
        };
        Ok(Reply::Done { message: format!("consumer {name} {what}"), state: state.to_owned() })
    }

    fn quarantine(&self, consumer: ConsumerId, name: &str) -> Reply {
        let is_new = self.parts.quarantine.raise(consumer, QuarantineReason::Operator);
        self.parts.wakers.wake();
        let message = match is_new {
            true => format!("consumer {name} gets nothing more, and its orders are refused"),
            false => format!("consumer {name} was quarantined before"),
        };
        Reply::Done { message, state: "quarantined".to_owned() }
    }

    fn mode(&self, trading: bool) -> Result<Reply, Refusal> {
        if trading {
            may_trade(&self.parts.quarantine, &self.parts.stop)?;
        }
        let was_trading = self.parts.trading.is_on();
        self.parts.trading.set(trading);
        Ok(Reply::Mode { trading, was_trading })
    }

    fn kill(&self) -> Reply {
        self.parts.trading.set(false);
        self.parts.stop.kill();
        self.parts.wakers.wake();
        Reply::Stopping {}
    }

    /// The refusal of a change, with names in place of numbers.
    fn refusal(&self, error: FlipError) -> Refusal {
        let reader = &self.parts.reader;
        let reason = match &error {
            FlipError::NotInterested { consumer, kind } => {
                format!(
                    "the strategy of {} takes no {kind} events",
                    reader.consumer_name(*consumer)
                )
            }
            FlipError::NotRouted(kind) => {
                format!("{kind} events reach their owner whatever the routes are")
            }
            FlipError::NotSubscribed => "it was not subscribed".to_owned(),
            FlipError::BadMerge(problem) => problem.to_string(),
            FlipError::VenueRefused { venue, code } => {
                format!("{venue} does not send that (code: {code})")
            }
            FlipError::UnknownConsumer(_)
            | FlipError::UnknownVenue(_)
            | FlipError::UnknownInstrument(_)
            | FlipError::NoRuleFree
            | FlipError::NoChange
            | FlipError::Deadline(_)
            | FlipError::Stopped
            | FlipError::QueueFull => error.to_string(),
        };
        Refusal::Flip { code: error.code(), reason }
    }
}

/// Whether trading may be turned on: not after a halt or a kill, which are for good.
fn may_trade(quarantine: &Quarantine, stop: &StopSignal) -> Result<(), Refusal> {
    let reason = match quarantine.last_resort().reason() {
        Some(reason) => format!("trading is halted for good: {}", reason.words()),
        None if stop.is_killed() => "the engine was killed".to_owned(),
        None => return Ok(()),
    };
    Err(Refusal::Failed { operation: "mode".to_owned(), reason })
}

/// The kind of this name.
fn kind_of(name: &str) -> Result<EventKind, Refusal> {
    let found = EventKind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| {
        Refusal::unknown_name(
            "kind of event",
            name,
            EventKind::ALL.map(EventKind::name).into_iter(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::HaltReason;

    #[test]
    fn after_a_halt_or_a_kill_nobody_turns_trading_on() {
        // FR-016: what halts trading is for good, whoever asks.
        let (quarantine, stop) = (Quarantine::new(1, true), StopSignal::default());
        assert_eq!(may_trade(&quarantine, &stop), Ok(()));
        stop.kill();
        let refusal = may_trade(&quarantine, &stop).unwrap_err();
        assert_eq!(refusal.to_string(), "mode failed: the engine was killed");
        quarantine.last_resort().halt(HaltReason::FileFailed);
        let refusal = may_trade(&quarantine, &StopSignal::default()).unwrap_err();
        assert!(refusal.to_string().contains("halted for good: the dead-letter file"), "{refusal}");
    }
}
