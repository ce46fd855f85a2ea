//! The merge rules and who has them.

use std::collections::BTreeSet;

use crate::consumer::MergeRequest;
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, EventKind, VenueId};
use crate::orchestrator::merge::{MERGE_RULES_MAX, MergeRule};

/// A rule with the consumers that it feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    request: MergeRequest,
    consumers: BTreeSet<ConsumerId>,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleView {
    /// Its number: the `venue` of its merged events.
    pub number: u16,
    /// What it merges.
    pub request: MergeRequest,
    /// Who gets what comes of it.
    pub consumers: Vec<ConsumerId>,
}

/// Rules by number. Equal requests share a rule; it ends with its last consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuleBook {
    rules: Vec<Option<Rule>>,
    /// Where the search for a free number begins: one that has just become free is the last to be
    /// reused.
    next: usize,
}

impl Default for RuleBook {
    fn default() -> RuleBook {
        RuleBook { rules: vec![None; MERGE_RULES_MAX], next: 0 }
    }
}

impl RuleBook {
    /// Gives a consumer what the request asks for. Whether it did not have it; `None` when no
    /// number is free.
    pub(super) fn add(&mut self, consumer: ConsumerId, request: MergeRequest) -> Option<bool> {
        if let Some(rule) = self.rules.iter_mut().flatten().find(|rule| rule.request == request) {
            return Some(rule.consumers.insert(consumer));
        }
        let number = (0..MERGE_RULES_MAX)
            .map(|step| (self.next + step) % MERGE_RULES_MAX)
            .find(|number| self.rules[*number].is_none())?;
        self.rules[number] = Some(Rule { request, consumers: BTreeSet::from([consumer]) });
        self.next = (number + 1) % MERGE_RULES_MAX;
        Some(true)
    }

    /// Takes it away from a consumer. Whether it had it.
    pub(super) fn remove(&mut self, consumer: ConsumerId, request: &MergeRequest) -> bool {
        let of_request = |rule: &Option<Rule>| rule.as_ref().is_some_and(|r| r.request == *request);
        let Some(place) = self.rules.iter_mut().find(|rule| of_request(rule)) else { return false };
        let Some(rule) = place else { return false };
        let had = rule.consumers.remove(&consumer);
        if rule.consumers.is_empty() {
            *place = None;
        }
        had
    }

    /// Ends a rule for everybody. Whether there was one.
    pub(super) fn end(&mut self, number: u16) -> bool {
        self.rules.get_mut(usize::from(number)).and_then(Option::take).is_some()
    }

    /// The rules of both; where both have the number, `later`'s.
    pub(super) fn joined(&self, later: &RuleBook) -> RuleBook {
        let both = self.rules.iter().zip(&later.rules);
        RuleBook {
            rules: both.map(|(old, new)| new.clone().or_else(|| old.clone())).collect(),
            next: later.next,
        }
    }

    /// Whether the orchestrator would have the same to do; who gets what comes of it is no matter
    /// there.
    pub(super) fn merges_like(&self, other: &RuleBook) -> bool {
        self.requests().eq(other.requests())
    }

    /// The requests with their numbers.
    pub(super) fn requests(&self) -> impl Iterator<Item = (u16, &MergeRequest)> {
        let numbered = self.rules.iter().enumerate();
        numbered.filter_map(|(number, rule)| Some((number as u16, &rule.as_ref()?.request)))
    }

    /// The rules as the orchestrator takes them.
    pub(super) fn rules(&self) -> impl Iterator<Item = MergeRule> {
        self.requests().map(|(id, request)| request.rule(id))
    }

    /// The routes of what comes of them.
    pub(super) fn routes(&self) -> impl Iterator<Item = RouteKey> {
        self.views().flat_map(|view| {
            view.consumers.into_iter().map(move |consumer| RouteKey {
                venue: VenueId(view.number),
                instrument: view.request.instrument,
                kind: EventKind::Merged,
                consumer,
            })
        })
    }

    /// The rules as others see them.
    pub(super) fn views(&self) -> impl Iterator<Item = RuleView> {
        self.rules.iter().enumerate().filter_map(|(number, rule)| {
            let rule = rule.as_ref()?;
            Some(RuleView {
                number: number as u16,
                request: rule.request,
                consumers: rule.consumers.iter().copied().collect(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::VenueSet;
    use crate::event::InstrumentId;

    fn request(instrument: u32) -> MergeRequest {
        MergeRequest {
            instrument: InstrumentId(instrument),
            kind: EventKind::Quote,
            venues: VenueSet(3),
            window_ns: 1,
            events_max: 2,
        }
    }

    #[test]
    fn equal_requests_share_a_rule_that_ends_with_its_last_consumer() {
        let mut book = RuleBook::default();
        assert_eq!(book.add(ConsumerId(0), request(0)), Some(true));
        assert_eq!(book.add(ConsumerId(1), request(0)), Some(true));
        assert_eq!(book.add(ConsumerId(1), request(0)), Some(false));
        assert_eq!((book.requests().count(), book.routes().count()), (1, 2));
        assert!(
            book.remove(ConsumerId(0), &request(0)) && !book.remove(ConsumerId(0), &request(0))
        );
        assert_eq!(book.routes().map(|route| route.consumer.0).collect::<Vec<_>>(), [1]);
        assert!(book.remove(ConsumerId(1), &request(0)));
        assert_eq!(book.requests().count(), 0);
    }

    #[test]
    fn numbers_run_out_and_a_freed_one_is_reused_last() {
        let mut book = RuleBook::default();
        for number in 0..MERGE_RULES_MAX as u32 {
            assert_eq!(book.add(ConsumerId(0), request(number)), Some(true));
        }
        assert_eq!(book.add(ConsumerId(0), request(99)), None);
        assert!(book.end(7) && !book.end(7) && !book.end(u16::MAX));
        assert_eq!(book.add(ConsumerId(0), request(99)), Some(true));
        assert!(book.routes().any(|route| route.venue == VenueId(7)));
        let mut fresh = RuleBook::default();
        fresh.add(ConsumerId(0), request(0));
        fresh.end(0);
        fresh.add(ConsumerId(0), request(1));
        assert_eq!(fresh.requests().next().map(|(number, _)| number), Some(1));
    }

    #[test]
    fn while_one_goes_and_another_comes_both_are_there() {
        let (mut old, mut new) = (RuleBook::default(), RuleBook::default());
        old.add(ConsumerId(0), request(0));
        new.add(ConsumerId(0), request(0));
        new.remove(ConsumerId(0), &request(0));
        new.add(ConsumerId(0), request(1));
        let both = old.joined(&new);
        assert_eq!(both.requests().count(), 2);
        assert!(!both.merges_like(&old) && both.merges_like(&both.joined(&new)));
    }
}
