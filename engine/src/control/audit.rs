//! The audit cut on demand: compares both sides of each consumer's account while the engine runs.
//!
//! The dispatcher cuts all accounts between two events ([`LinkCut`]), and each consumer leaves its
//! side when it reaches the mark ([`TermsCut`]). For each kind, what was published is what became
//! of it, what waits in cells, and what is in the market lane; and what is in that is as many as
//! were put into it and not taken. A consumer that does not reach the mark in time is named.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::FlipError;
use super::hand_over::HandOver;
use crate::dispatcher::{Flip, FlipOutcome, FlipPort, LinkCut, RoutingTable};
use crate::event::EventKind;
use crate::runtime::CoreWakers;
use crate::telemetry::{Term, Terms, TermsCut};

/// What has not reached the mark by then does not in time, ns.
const MARK_DEADLINE_NS: u64 = 500_000_000;

/// The account of one consumer's events of one kind, at the cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KindAudit {
    /// The kind.
    pub kind: String,
    /// Offered to its lanes.
    pub published: u64,
    /// Handed to its strategy.
    pub handled: u64,
    /// Stale after a flip, and passed over.
    pub skipped: u64,
    /// Replaced by a later one.
    pub conflated: u64,
    /// Absorbed into a pending one.
    pub aggregated: u64,
    /// In the dead-letter file.
    pub dead_lettered: u64,
    /// Left behind by a quarantine.
    pub discarded: u64,
    /// Waiting in cells.
    pub held: u64,
    /// Waiting in the market lane; of a critical kind always 0 at the cut.
    pub in_lane: u64,
    /// Whether the sum is what was published.
    pub holds: bool,
}

/// The account of one consumer, at the cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerAudit {
    /// Its name.
    pub consumer: String,
    /// Why there is no account of it; `None` where there is one.
    pub not_reached: Option<String>,
    /// Whether every kind holds, and the market lane holds what is missing.
    pub holds: bool,
    /// Events in its market lane, by the lane's own cursors.
    pub lane: u64,
    /// Kinds of which anything was published.
    pub kinds: Vec<KindAudit>,
}

/// An answer to a request for an audit.
pub(super) type AuditAnswer = Result<Vec<ConsumerAudit>, FlipError>;

/// Where the answer to a request will be.
#[derive(Clone, Default)]
pub(crate) struct AuditTicket(Arc<Mutex<Option<AuditAnswer>>>);

impl AuditTicket {
    /// The answer, once; `None` as long as it has not come.
    pub(super) fn take(&self) -> Option<AuditAnswer> {
        self.0.lock().take()
    }

    pub(super) fn answer(&self, answer: AuditAnswer) {
        *self.0.lock() = Some(answer);
    }
}

/// A consumer's name, and the two sides of its account.
pub(crate) struct AuditedConsumer {
    pub(crate) name: String,
    pub(crate) terms: Arc<CachePadded<Terms>>,
}

/// Carries audits out, one at a time; polled by whoever polls the flips.
pub(super) struct Audits {
    consumers: Vec<AuditedConsumer>,
    /// How many were begun: the number of the last one.
    begun: u64,
    step: Step,
}

enum Step {
    Idle,
    /// The dispatcher cuts.
    Cutting {
        ticket: AuditTicket,
        flip: HandOver<Flip>,
    },
    /// Consumers go to the mark.
    Marking {
        ticket: AuditTicket,
        links: Vec<LinkCut>,
        found: Vec<Option<Box<TermsCut>>>,
        since_ns: u64,
    },
}

impl Audits {
    pub(super) fn new(consumers: Vec<AuditedConsumer>) -> Audits {
        Audits { consumers, begun: 0, step: Step::Idle }
    }

    /// Whether the dispatcher has something of it: no flip may be staged meanwhile.
    pub(super) fn is_cutting(&self) -> bool {
        matches!(self.step, Step::Cutting { .. })
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.step, Step::Idle)
    }

    /// Begins one; only while it is idle, and no flip is under way.
    pub(super) fn begin(&mut self, ticket: AuditTicket, port: &FlipPort, now_ns: u64) {
        self.begun += 1;
        for consumer in &self.consumers {
            let port = consumer.terms.cut_port();
            // What an earlier one has left in time for nobody.
            drop((port.wanted.take(), port.done.take()));
            // The place is empty.
            let _ = port.wanted.put(Box::new(TermsCut::of_audit(self.begun)));
        }
        let flip = Box::new(Flip {
            table: RoutingTable::default(),
            cells: Vec::new(),
            added: Vec::new(),
            affected: Vec::new(),
            command_id: self.begun,
            askers: Vec::new(),
            outcome: FlipOutcome::default(),
            cut: Some(vec![LinkCut::default(); self.consumers.len()]),
        });
        self.step = Step::Cutting { ticket, flip: HandOver::new(flip, &port.done, now_ns) };
    }

    /// Goes as far as it can; returns the steps taken.
    pub(super) fn poll(&mut self, port: &FlipPort, wakers: &CoreWakers, now_ns: u64) -> usize {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle => 0,
            Step::Cutting { ticket, mut flip } => {
                match flip.poll(&port.staged, &port.done, wakers, now_ns) {
                    None => {
                        self.step = Step::Cutting { ticket, flip };
                        return 0;
                    }
                    Some(Err(error)) => ticket.answer(Err(error)),
                    Some(Ok(flip)) => {
                        wakers.wake();
                        let links = flip.cut.unwrap_or_default();
                        let found = links.iter().map(|_| None).collect();
                        self.step = Step::Marking { ticket, links, found, since_ns: now_ns };
                    }
                }
                1
            }
            Step::Marking { ticket, links, mut found, since_ns } => {
                for (consumer, place) in self.consumers.iter().zip(&mut found) {
                    if place.is_none() {
                        let cut = consumer.terms.cut_port().done.take();
                        *place = cut.filter(|cut| cut.audit == self.begun);
                    }
                }
                let has_come = |(place, link): (&Option<Box<TermsCut>>, &LinkCut)| {
                    place.is_some() || link.is_cut_off
                };
                let is_over = now_ns.saturating_sub(since_ns) > MARK_DEADLINE_NS;
                if !is_over && !found.iter().zip(&links).all(has_come) {
                    self.step = Step::Marking { ticket, links, found, since_ns };
                    return 0;
                }
                let rows = self.consumers.iter().zip(&links).zip(&found);
                let audit =
                    |((consumer, link), cut): ((&AuditedConsumer, &LinkCut), &Option<_>)| {
                        compare(&consumer.name, link, Option::as_deref(cut))
                    };
                ticket.answer(Ok(rows.map(audit).collect()));
                1
            }
        }
    }

    /// Nobody polls any more.
    pub(super) fn end(&mut self) {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Cutting { ticket, .. } | Step::Marking { ticket, .. } => {
                ticket.answer(Err(FlipError::Stopped));
            }
            Step::Idle => {}
        }
    }
}

/// The account of one consumer.
fn compare(name: &str, link: &LinkCut, cut: Option<&TermsCut>) -> ConsumerAudit {
    let none = |why: &str| ConsumerAudit {
        consumer: name.to_owned(),
        not_reached: Some(why.to_owned()),
        ..ConsumerAudit::default()
    };
    let Some(cut) = cut else {
        return none(match link.is_cut_off {
            true => "it is cut off: nothing is delivered to it any more",
            false => "it has not come to the mark in 500 ms: it starts, is stalled, or is behind",
        });
    };
    let Some(lane) = link.market_published.checked_sub(cut.market_taken) else {
        return none("its critical lane was full: the mark came late; ask again");
    };
    let mut kinds = Vec::new();
    let mut in_lane = 0_u64;
    for kind in EventKind::ALL {
        let dispatcher = |term: Term| link.terms.of(term).get(kind);
        let both = |term: Term| dispatcher(term) + cut.of(term).get(kind);
        let mut row = KindAudit {
            kind: kind.name().to_owned(),
            published: dispatcher(Term::Published),
            handled: cut.of(Term::Handled).get(kind),
            skipped: both(Term::Skipped),
            conflated: dispatcher(Term::Conflated),
            aggregated: dispatcher(Term::Aggregated),
            dead_lettered: both(Term::DeadLettered),
            discarded: both(Term::Discarded),
            held: link.held.get(kind),
            ..KindAudit::default()
        };
        let known = row.handled
            + row.skipped
            + row.conflated
            + row.aggregated
            + row.dead_lettered
            + row.discarded
            + row.held;
        row.in_lane = row.published.saturating_sub(known);
        row.holds = known <= row.published && (row.in_lane == 0 || !kind.is_critical());
        in_lane += row.in_lane;
        if row.published > 0 || known > 0 {
            kinds.push(row);
        }
    }
    let holds = in_lane == lane && kinds.iter().all(|row| row.holds);
    ConsumerAudit { consumer: name.to_owned(), not_reached: None, holds, lane, kinds }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three quotes were put into the lane, one waits in a cell; one was taken and handled.
    fn sides() -> (LinkCut, TermsCut) {
        let (dispatcher, consumer) = (Terms::new(), Terms::new());
        dispatcher.add(Term::Published, EventKind::Quote, 4);
        dispatcher.add(Term::Published, EventKind::ExecReport, 2);
        consumer.add(Term::Handled, EventKind::Quote, 1);
        consumer.add(Term::Handled, EventKind::ExecReport, 2);
        let (mut link, mut cut) = (LinkCut::default(), TermsCut::default());
        dispatcher.copy_to(&mut link.terms);
        link.held.add(EventKind::Quote, 1);
        link.market_published = 3;
        consumer.copy_to(&mut cut);
        cut.market_taken = 1;
        (link, cut)
    }

    #[test]
    fn an_account_holds_to_the_event() {
        let (link, cut) = sides();
        let audit = compare("one", &link, Some(&cut));
        assert!(audit.holds && audit.not_reached.is_none(), "{audit:?}");
        let quotes = audit.kinds.iter().find(|row| row.kind == "quote").unwrap();
        assert_eq!((audit.lane, quotes.published, quotes.in_lane, quotes.held), (2, 4, 2, 1));
    }

    #[test]
    fn what_is_lost_counted_twice_or_critical_and_late_breaks_it() {
        let (link, mut cut) = sides();
        cut.market_taken = 2;
        assert!(!compare("one", &link, Some(&cut)).holds, "one was taken and never accounted for");
        let (mut link, cut) = sides();
        link.held.add(EventKind::Quote, 3);
        assert!(!compare("one", &link, Some(&cut)).holds, "more than was published");
        let (mut link, cut) = sides();
        let more = Terms::new();
        more.add(Term::Published, EventKind::Quote, 4);
        more.add(Term::Published, EventKind::ExecReport, 3);
        more.copy_to(&mut link.terms);
        assert!(!compare("one", &link, Some(&cut)).holds, "a report was lost");
    }

    #[test]
    fn one_that_does_not_come_to_the_mark_is_named() {
        let (mut link, cut) = sides();
        let stalled = compare("one", &link, None);
        assert!(!stalled.holds && stalled.not_reached.unwrap().contains("stalled"));
        link.is_cut_off = true;
        assert!(compare("one", &link, None).not_reached.unwrap().contains("cut off"));
        link.market_published = 0;
        assert!(compare("one", &link, Some(&cut)).not_reached.unwrap().contains("ask again"));
    }
}
