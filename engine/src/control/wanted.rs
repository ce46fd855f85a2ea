//! What consumers want to get, and whether a change of it can be.

use std::collections::BTreeSet;

use super::rules::RuleBook;
use super::{FlipError, RouteChange, RoutingChange};
use crate::consumer::{MergeRequest, VenueSet};
use crate::dispatcher::{RouteKey, is_routed};
use crate::event::{ConsumerId, EventKind, InstrumentId, Interest, VenueId};
use crate::orchestrator::merge::MergeProblem;
use crate::venue::market::Stream;

/// What consumers are subscribed to, and what is paused: more than the table in force shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) routes: BTreeSet<RouteKey>,
    pub(super) rules: RuleBook,
    pub(super) paused_consumers: BTreeSet<ConsumerId>,
    pub(super) paused_venues: BTreeSet<VenueId>,
}

/// What there is to be wanted.
pub(crate) struct Catalogue {
    /// What each consumer's strategy can take.
    pub(crate) interests: Vec<Interest>,
    /// By number, their names.
    pub(crate) venues: Vec<String>,
    /// How many.
    pub(crate) instruments: usize,
}

impl Wanted {
    /// What has to come from a venue for it.
    pub(super) fn streams_of(&self, venue: VenueId) -> impl Iterator<Item = Stream> {
        let plain = self.routes.iter().filter(move |key| key.venue == venue);
        let plain = plain.map(|key| (key.instrument, key.kind));
        let merged = self.rules.requests().filter(move |(_, ask)| ask.venues.contains(venue));
        plain.chain(merged.map(|(_, ask)| (ask.instrument, ask.kind)))
    }

    /// The routes that the table has to have for it.
    pub(super) fn in_force(&self) -> BTreeSet<RouteKey> {
        let plain = self.routes.iter().filter(|key| !self.paused_venues.contains(&key.venue));
        let plain = plain.copied().chain(self.rules.routes());
        plain.filter(|key| !self.paused_consumers.contains(&key.consumer)).collect()
    }
}

impl Catalogue {
    /// Applies changes to what is wanted: all of them or, with an error, none that counts.
    pub(super) fn apply(
        &self,
        wanted: &mut Wanted,
        changes: &[RoutingChange],
    ) -> Result<(), FlipError> {
        let (mut has_changed, mut takes_away_only) = (false, !changes.is_empty());
        for change in changes {
            let (has, takes_away) = self.apply_one(wanted, change)?;
            has_changed |= has;
            takes_away_only &= takes_away;
        }
        match (has_changed, takes_away_only) {
            (true, _) => Ok(()),
            (false, true) => Err(FlipError::NotSubscribed),
            (false, false) => Err(FlipError::NoChange),
        }
    }

    /// Whether it changed anything, and whether it was to take a subscription away.
    fn apply_one(
        &self,
        wanted: &mut Wanted,
        change: &RoutingChange,
    ) -> Result<(bool, bool), FlipError> {
        match *change {
            RoutingChange::Route(RouteChange { route, is_on }) => {
                self.check_route(&route)?;
                let routes = &mut wanted.routes;
                Ok((if is_on { routes.insert(route) } else { routes.remove(&route) }, !is_on))
            }
            RoutingChange::Merge { consumer, mut request, is_on } => {
                self.check_merge(consumer, &mut request)?;
                let rules = &mut wanted.rules;
                match is_on {
                    true => Ok((rules.add(consumer, request).ok_or(FlipError::NoRuleFree)?, false)),
                    false => Ok((rules.remove(consumer, &request), true)),
                }
            }
            RoutingChange::EndRule(rule) => Ok((wanted.rules.end(rule), true)),
            RoutingChange::PauseConsumer { consumer, is_paused } => {
                self.interest(consumer)?;
                let paused = &mut wanted.paused_consumers;
                Ok((
                    if is_paused { paused.insert(consumer) } else { paused.remove(&consumer) },
                    false,
                ))
            }
            RoutingChange::PauseVenue { venue, is_paused } => {
                self.check_venue(venue)?;
                let paused = &mut wanted.paused_venues;
                Ok((if is_paused { paused.insert(venue) } else { paused.remove(&venue) }, false))
            }
        }
    }

    pub(super) fn interest(&self, consumer: ConsumerId) -> Result<Interest, FlipError> {
        let interest = self.interests.get(consumer.index()).copied();
        interest.ok_or(FlipError::UnknownConsumer(consumer))
    }

    fn check_venue(&self, venue: VenueId) -> Result<(), FlipError> {
        if venue.index() < self.venues.len() { Ok(()) } else { Err(FlipError::UnknownVenue(venue)) }
    }

    fn check_instrument(&self, instrument: InstrumentId) -> Result<(), FlipError> {
        let is_known = instrument.index() < self.instruments;
        if is_known { Ok(()) } else { Err(FlipError::UnknownInstrument(instrument)) }
    }

    fn check_route(&self, route: &RouteKey) -> Result<(), FlipError> {
        let interest = self.interest(route.consumer)?;
        self.check_venue(route.venue)?;
        self.check_instrument(route.instrument)?;
        if !is_routed(route.kind) {
            return Err(FlipError::NotRouted(route.kind));
        }
        if route.kind == EventKind::Merged {
            // They are subscribed to by their merge.
            return Err(MergeProblem::Kind(route.kind).into());
        }
        if !interest.contains(route.kind) {
            return Err(FlipError::NotInterested { consumer: route.consumer, kind: route.kind });
        }
        Ok(())
    }

    /// Checks a merge, and leaves of [`VenueSet::ALL`](VenueSet::ALL) the venues that there are.
    fn check_merge(
        &self,
        consumer: ConsumerId,
        request: &mut MergeRequest,
    ) -> Result<(), FlipError> {
        let interest = self.interest(consumer)?;
        self.check_instrument(request.instrument)?;
        if !interest.contains(EventKind::Merged) {
            return Err(FlipError::NotInterested { consumer, kind: EventKind::Merged });
        }
        let known = u64::MAX >> (64 - self.venues.len().clamp(1, 64));
        if request.venues == VenueSet::ALL {
            request.venues.0 = known;
        }
        let unknown = request.venues.0 & !known;
        if unknown != 0 {
            return Err(FlipError::UnknownVenue(VenueId(unknown.trailing_zeros() as u16)));
        }
        Ok(request.rule(0).check()?)
    }
}
