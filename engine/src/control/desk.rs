//! Carries out what operators ask for: names become numbers, and every change goes to its one
//! owner.
//!
//! Routes, merges and pauses are the owner of the routes', orders the trading switch's, sessions
//! their venue's switch's, a consumer's end the quarantine board's, the end of the run the stop
//! signal's. What is there already is no failure: a command may be given twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::audit::AuditTicket;
use super::delivery;
use super::journal::shown;
use super::protocol::{
    ConsumerAction, ControlRequest, Delivery, FlipReport, MergeRule, Reply, RiskAction, RiskEdit,
    RouteEdit, Selection, VenueAction,
};
use super::reader::Reader;
use super::refusal::Refusal;
use super::routes::{Flipped, Routes, RoutesRequest, Ticket};
use super::status::Status;
use super::{Desk, FlipError, Progress, RouteChange, RoutesDifference, RoutingChange};
use crate::consumer::{MergeRequest, VenueSet};
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, EventKind, VenueId};
use crate::journal::ControlRecord;
use crate::order::recovery::RecoveryBoard;
use crate::risk::RiskChange;
use crate::runtime::{CoreWakers, StopSignal};
use crate::safety::{HaltReason, Quarantine, QuarantineReason, TradingSwitch};
use crate::venue::{IntakeStats, SessionState, VenueSwitch};

/// How long a venue's sessions are waited for, so that the answer can say how they stand, ns.
const VENUE_PATIENCE_NS: u64 = 800_000_000;

/// What a desk works on.
pub(crate) struct DeskParts {
    pub(crate) reader: Reader,
    pub(crate) routes: Arc<Routes>,
    pub(crate) trading: TradingSwitch,
    pub(crate) recovery: Arc<RecoveryBoard>,
    pub(crate) quarantine: Quarantine,
    /// By venue; `None` for one without sessions.
    pub(crate) switches: Vec<Option<VenueSwitch>>,
    pub(crate) stop: StopSignal,
    pub(crate) wakers: CoreWakers,
    /// Where commands are recorded; `None` without a journal.
    pub(crate) record: Option<ControlRecord>,
}

/// The desk of a running engine.
pub(crate) struct OperatorDesk {
    parts: DeskParts,
    /// Of the last change; consumers see it in their `ControlResult`s.
    command_id: u64,
    /// Commands whose answers are still to come, by number.
    pending: BTreeMap<u64, Pending>,
    pending_next: u64,
}

/// A command whose answer is still to come.
enum Pending {
    /// The owner of the routes makes a flip.
    Flip { ticket: Ticket, then: Then },
    /// All accounts are compared.
    Audit(AuditTicket),
    /// The sessions of a venue start or end.
    Venue {
        sessions: Vec<Arc<CachePadded<IntakeStats>>>,
        wanted: SessionState,
        since_ns: u64,
        message: String,
    },
}

/// What is answered once the flip was made.
enum Then {
    /// The report of the flip.
    Report,
    /// The number of the rule, and the report.
    Merge(MergeRequest),
    /// What it means, in words.
    Done { message: String, state: &'static str },
}

impl Desk for OperatorDesk {
    fn carry_out(&mut self, request: ControlRequest) -> Progress {
        let recorded = request.is_mutating().then(|| shown(&request));
        let progress = match self.begin(request) {
            Ok(progress) => progress,
            Err(refusal) => Progress::Done(Err(refusal)),
        };
        if let (Some(text), Some(record)) = (recorded, &mut self.parts.record) {
            record.take(&text, matches!(progress, Progress::Done(Err(_))));
            self.parts.wakers.wake();
        }
        progress
    }

    fn poll(&mut self, number: u64) -> Option<Result<Reply, Refusal>> {
        let pending = self.pending.remove(&number)?;
        match self.look_at(pending) {
            Ok(answer) => Some(answer),
            Err(pending) => {
                self.pending.insert(number, pending);
                None
            }
        }
    }

    fn status(&mut self) -> Status {
        self.parts.reader.status()
    }
}

impl OperatorDesk {
    pub(crate) fn new(parts: DeskParts) -> OperatorDesk {
        OperatorDesk { parts, command_id: 0, pending: BTreeMap::new(), pending_next: 0 }
    }

    fn begin(&mut self, request: ControlRequest) -> Result<Progress, Refusal> {
        let done = |reply| Ok(Progress::Done(Ok(reply)));
        match request {
            ControlRequest::Status {} | ControlRequest::Watch { .. } => {
                done(Reply::Status(Box::new(self.parts.reader.status())))
            }
            ControlRequest::Orders {} => done(self.parts.reader.orders()?),
            ControlRequest::Audit {} => {
                let ticket = self.parts.routes.ask_audit().map_err(|e| self.refusal(e))?;
                Ok(self.later(Pending::Audit(ticket)))
            }
            ControlRequest::Routes(filter) => done(self.parts.reader.routes(&filter)?),
            ControlRequest::Subscribe(selection) => {
                self.flip(false, &[RouteEdit::Subscribe(selection)])
            }
            ControlRequest::Unsubscribe(selection) => {
                self.flip(false, &[RouteEdit::Unsubscribe(selection)])
            }
            ControlRequest::Flip { dry_run, changes } => self.flip(dry_run, &changes),
            ControlRequest::Merge(rule) => self.merge(&rule),
            ControlRequest::Unmerge { rule } => self.unmerge(rule),
            ControlRequest::Venue { action, name } => self.venue(action, &name),
            ControlRequest::Consumer { action, name } => self.consumer(action, &name),
            ControlRequest::Mode { trading } => done(self.mode(trading)?),
            ControlRequest::Risk {} => done(Reply::Risk(Box::new(self.parts.reader.risk()))),
            ControlRequest::RiskSet(edit) => done(self.change_risk(edit)?),
            ControlRequest::RiskSwitch { action, strategy, venue } => {
                done(self.switch_risk(action, strategy, venue)?)
            }
            ControlRequest::Deliver(delivery) => done(self.deliver(&delivery)?),
            ControlRequest::Kill {} => done(self.kill()),
        }
    }

    /// The answer to a command; the command again while there is none.
    fn look_at(&mut self, pending: Pending) -> Result<Result<Reply, Refusal>, Pending> {
        match pending {
            Pending::Flip { ticket, then } => match ticket.take() {
                Some(answer) => Ok(self.flipped(answer, then)),
                None => Err(Pending::Flip { ticket, then }),
            },
            Pending::Audit(ticket) => match ticket.take() {
                Some(Ok(consumers)) => {
                    let holds = consumers.iter().all(|consumer| consumer.holds);
                    Ok(Ok(Reply::Audit { holds, consumers }))
                }
                Some(Err(error)) => Ok(Err(self.refusal(error))),
                None => Err(Pending::Audit(ticket)),
            },
            Pending::Venue { sessions, wanted, since_ns, message } => {
                let mut states = sessions.iter().map(|stats: &Arc<_>| IntakeStats::state(stats));
                // The session that is least far says how far the venue is.
                let state = states.find(|state| *state != wanted).unwrap_or(wanted);
                let waited_ns = self.parts.reader.now_ns().saturating_sub(since_ns);
                if state != wanted && waited_ns < VENUE_PATIENCE_NS {
                    return Err(Pending::Venue { sessions, wanted, since_ns, message });
                }
                Ok(Ok(Reply::Done { message, state: state.name().to_owned() }))
            }
        }
    }

    fn later(&mut self, pending: Pending) -> Progress {
        let number = self.pending_next;
        self.pending_next += 1;
        self.pending.insert(number, pending);
        Progress::Later(number)
    }

    fn flip(&mut self, dry_run: bool, edits: &[RouteEdit]) -> Result<Progress, Refusal> {
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
            let report = FlipReport { is_dry_run: true, version, ..report };
            return Ok(Progress::Done(Ok(Reply::Flip(report))));
        }
        self.change(changes, Then::Report)
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

    /// Has the owner of the routes make a flip.
    fn change(&mut self, changes: Vec<RoutingChange>, then: Then) -> Result<Progress, Refusal> {
        self.command_id += 1;
        let request = RoutesRequest { command_id: self.command_id, asker: None, changes };
        let ticket = self.parts.routes.ask(request).map_err(|error| self.refusal(error))?;
        Ok(self.later(Pending::Flip { ticket, then }))
    }

    /// What is answered to one who asked for a flip. One that would change nothing is an empty
    /// report.
    fn flipped(&self, answer: Result<Flipped, FlipError>, then: Then) -> Result<Reply, Refusal> {
        let flip = match answer {
            Ok(Flipped { outcome, difference }) => FlipReport {
                version: outcome.version,
                step_ns: outcome.step_ns,
                stale_queued: outcome.stale_queued,
                ..self.report(&difference)
            },
            Err(FlipError::NoChange) => {
                let version = self.parts.routes.view().version;
                FlipReport { version, ..FlipReport::default() }
            }
            Err(error) => return Err(self.refusal(error)),
        };
        match then {
            Then::Report => Ok(Reply::Flip(flip)),
            Then::Done { message, state } => Ok(Reply::Done { message, state: state.to_owned() }),
            Then::Merge(request) => {
                let view = self.parts.routes.view();
                let rule = view.rules.iter().find(|rule| rule.request == request);
                let rule = rule.ok_or_else(|| Refusal::Failed {
                    operation: "merge".to_owned(),
                    reason: "the rule was ended by somebody else".to_owned(),
                })?;
                Ok(Reply::Merge { rule: rule.number, flip })
            }
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

    fn merge(&mut self, rule: &MergeRule) -> Result<Progress, Refusal> {
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
        self.change(vec![change], Then::Merge(request))
    }

    fn unmerge(&mut self, number: u16) -> Result<Progress, Refusal> {
        let view = self.parts.routes.view();
        if !view.rules.iter().any(|rule| rule.number == number) {
            let known: Vec<String> =
                view.rules.iter().map(|rule| rule.number.to_string()).collect();
            let known = known.iter().map(String::as_str);
            return Err(Refusal::unknown_name("merge rule", &number.to_string(), known));
        }
        self.change(vec![RoutingChange::EndRule(number)], Then::Report)
    }

    fn venue(&mut self, action: VenueAction, name: &str) -> Result<Progress, Refusal> {
        let venue = self.parts.reader.venue_id(name)?;
        let is_paused = match action {
            VenueAction::Pause => true,
            VenueAction::Resume => false,
            VenueAction::Add | VenueAction::Remove => {
                return self.switch_venue(venue, name, action == VenueAction::Add);
            }
        };
        let (what, state) = match is_paused {
            true => ("its market data reaches nobody", "paused"),
            false => ("its market data reaches its subscribers", "running"),
        };
        let then = Then::Done { message: format!("venue {name}: {what}"), state };
        self.change(vec![RoutingChange::PauseVenue { venue, is_paused }], then)
    }

    /// Turns a venue's switch; the answer waits a little for its sessions.
    fn switch_venue(
        &mut self,
        venue: VenueId,
        name: &str,
        is_on: bool,
    ) -> Result<Progress, Refusal> {
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
        let sessions = self.parts.reader.sessions_of(name);
        let since_ns = self.parts.reader.now_ns();
        let message = match (is_on, was_on) {
            (true, true) => format!("venue {name} was there already"),
            (true, false) => format!("venue {name} added"),
            (false, true) => format!("venue {name} removed"),
            (false, false) => format!("venue {name} was not there"),
        };
        Ok(self.later(Pending::Venue { sessions, wanted, since_ns, message }))
    }

    fn consumer(&mut self, action: ConsumerAction, name: &str) -> Result<Progress, Refusal> {
        let consumer = self.parts.reader.consumer_id(name)?;
        let is_paused = match action {
            ConsumerAction::Pause => true,
            ConsumerAction::Resume => false,
            ConsumerAction::Quarantine => {
                return Ok(Progress::Done(Ok(self.quarantine(consumer, name))));
            }
        };
        if self.parts.quarantine.has(consumer) {
            return Err(Refusal::Failed {
                operation: "consumer".to_owned(),
                reason: format!("{name} is quarantined, which is for good"),
            });
        }
        let (what, state) = match is_paused {
            true => ("gets no market data; its critical events still come", "paused"),
            false => ("gets what it is subscribed to", "running"),
        };
        let then = Then::Done { message: format!("consumer {name} {what}"), state };
        self.change(vec![RoutingChange::PauseConsumer { consumer, is_paused }], then)
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
            may_trade(&self.parts)?;
        } else {
            self.parts.recovery.ask_no_more();
        }
        let was_trading = self.parts.trading.is_on();
        self.parts.trading.set(trading);
        Ok(Reply::Mode { trading, was_trading })
    }

    fn change_risk(&self, edit: RiskEdit) -> Result<Reply, Refusal> {
        let RiskEdit { limit, value, strategy, venue, total, instrument } = edit;
        let named = [strategy.is_some(), venue.is_some(), total].into_iter().filter(|is| *is);
        if named.count() > 1 {
            let problem = "one of strategy, venue and total can be meant".to_owned();
            return Err(Refusal::BadField { verb: "risk_set".to_owned(), problem });
        }
        let change = RiskChange { limit, value, strategy, venue, is_total: total, instrument };
        let changed = self.parts.reader.risk_book().change(&change);
        let changed = changed.map_err(|error| Refusal::BadField {
            verb: "risk_set".to_owned(),
            problem: error.to_string(),
        })?;
        changed.iter().for_each(|line| log::warn!("[risk] {line}"));
        Ok(Reply::Limits { changed })
    }

    fn switch_risk(
        &self,
        action: RiskAction,
        strategy: Option<String>,
        venue: Option<String>,
    ) -> Result<Reply, Refusal> {
        let (is_killed, kills) = (action == RiskAction::Kill, self.parts.quarantine.kills());
        let (whose, is_change) = match (strategy, venue) {
            (Some(name), None) => {
                let strategy = self.parts.reader.consumer_id(&name)?;
                (format!("of strategy {name}"), kills.set_strategy(strategy, is_killed))
            }
            (None, Some(name)) => {
                let venue = self.parts.reader.venue_id(&name)?;
                (format!("to venue {name}"), kills.set_venue(venue, is_killed))
            }
            _ => {
                let problem = "one strategy or one venue must be named".to_owned();
                return Err(Refusal::BadField { verb: "risk_switch".to_owned(), problem });
            }
        };
        self.parts.wakers.wake();
        let (what, state) = match is_killed {
            true => ("no new ones leave, open ones are cancelled", "killed"),
            false => ("new ones may leave", "running"),
        };
        let before = if is_change { "" } else { " (as before)" };
        log::warn!("[risk] orders {whose}: {what}{before}");
        Ok(Reply::Done {
            message: format!("orders {whose}: {what}{before}"),
            state: state.to_owned(),
        })
    }

    fn deliver(&self, delivery: &Delivery) -> Result<Reply, Refusal> {
        let event = delivery::event(delivery, &self.parts.reader, &self.parts.quarantine)?;
        let kind = event.kind().map_or("event", EventKind::name);
        self.parts.routes.deliver(event).map_err(|error| self.refusal(error))?;
        Ok(Reply::Done {
            message: format!("{kind} handed to consumer {}", delivery.consumer),
            state: "delivered".to_owned(),
        })
    }

    fn kill(&self) -> Reply {
        self.parts.recovery.ask_no_more();
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

/// Whether trading may be turned on: not after a halt or a kill, which are for good, and not once
/// the engine is being stopped.
fn may_trade(parts: &DeskParts) -> Result<(), Refusal> {
    let halted = parts.quarantine.last_resort().reason();
    no_trade(halted, parts.stop.is_killed(), parts.routes.is_stopping())
        .map_or(Ok(()), |reason| Err(Refusal::Failed { operation: "mode".to_owned(), reason }))
}

fn no_trade(halted: Option<HaltReason>, is_killed: bool, is_stopping: bool) -> Option<String> {
    match halted {
        Some(reason) => Some(format!("trading is halted for good: {}", reason.words())),
        None if is_killed => Some("the engine was killed".to_owned()),
        None if is_stopping => Some("the engine is being stopped".to_owned()),
        None => None,
    }
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

    #[test]
    fn after_a_halt_a_kill_or_a_stop_nobody_turns_trading_on() {
        // FR-016: what halts trading is for good, whoever asks.
        assert_eq!(no_trade(None, false, false), None);
        assert_eq!(no_trade(None, true, true).unwrap(), "the engine was killed");
        assert_eq!(no_trade(None, false, true).unwrap(), "the engine is being stopped");
        let refusal = no_trade(Some(HaltReason::FileFailed), false, false).unwrap();
        assert!(refusal.contains("halted for good: the dead-letter file"), "{refusal}");
    }
}
