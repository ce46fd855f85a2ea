//! What strategies are told of their limits: that something holds their orders, and that it holds
//! them no longer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::book::{Alarm, RiskBook};
use super::refused::RiskScope;
use crate::event::{ConsumerId, RejectReason, VenueId};
use crate::safety::Quarantine;

/// One thing to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RiskNotice {
    pub(crate) consumer: ConsumerId,
    pub(crate) scope: RiskScope,
    pub(crate) venue: Option<VenueId>,
    pub(crate) reason: RejectReason,
    pub(crate) value: i64,
    pub(crate) limit: i64,
}

impl RiskNotice {
    /// A switch was turned.
    pub(crate) fn switch(
        consumer: ConsumerId,
        scope: RiskScope,
        venue: Option<VenueId>,
        is_on: bool,
    ) -> RiskNotice {
        let reason = if is_on { RejectReason::None } else { RejectReason::TradingHalted };
        RiskNotice { consumer, scope, venue, reason, value: i64::from(is_on), limit: 1 }
    }
}

/// An alarm as it was told last.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    count: u64,
    holds: bool,
}

/// Looks for what is to be told. One thread does.
pub(crate) struct RiskWatch {
    book: Arc<RiskBook>,
    quarantine: Quarantine,
    /// By strategy: breaker, day's loss, and day's loss of all together.
    alarms: Vec<[Told; 3]>,
    /// By strategy, and by venue, whether it is killed.
    strategies: Vec<bool>,
    venues: Vec<bool>,
    changes: u64,
    kills: u32,
    any_holds: bool,
}

impl RiskWatch {
    pub(crate) fn new(book: Arc<RiskBook>, quarantine: Quarantine) -> RiskWatch {
        let (strategies, venues) = (book.strategies.len(), book.venues.len());
        RiskWatch {
            book,
            quarantine,
            alarms: vec![Default::default(); strategies],
            strategies: vec![false; strategies],
            venues: vec![false; venues],
            changes: 0,
            kills: 0,
            any_holds: false,
        }
    }

    /// Gives `tell` what has happened since the last look.
    pub(crate) fn poll(&mut self, now_ns: u64, mut tell: impl FnMut(RiskNotice)) {
        let (changes, kills) = (self.book.changes(), self.quarantine.kills().changes());
        if kills != self.kills {
            self.kills = kills;
            self.look_at_kills(&mut tell);
        }
        if changes == self.changes && !self.any_holds {
            return;
        }
        (self.changes, self.any_holds) = (changes, false);
        for (index, told) in self.alarms.iter_mut().enumerate() {
            let used = &self.book.strategies[index].used;
            let alarms = [
                (&used.breaker, RejectReason::CircuitBreaker, RiskScope::Strategy),
                (&used.loss, RejectReason::DailyLoss, RiskScope::Strategy),
                (&self.book.total.loss, RejectReason::DailyLoss, RiskScope::Engine),
            ];
            for ((alarm, reason, scope), told) in alarms.into_iter().zip(told) {
                let notice = |value, limit| RiskNotice {
                    consumer: ConsumerId(index as u16),
                    scope,
                    venue: None,
                    reason,
                    value,
                    limit,
                };
                self.any_holds |= look_at_alarm(alarm, told, now_ns, |value, limit| {
                    log_alarm(&self.book.strategies[index].name, reason, value);
                    tell(notice(value, limit));
                });
            }
        }
    }

    fn look_at_kills(&mut self, tell: &mut impl FnMut(RiskNotice)) {
        let kills = self.quarantine.kills();
        for (index, told) in self.strategies.iter_mut().enumerate() {
            let consumer = ConsumerId(index as u16);
            let is_killed = kills.has_strategy(consumer);
            if std::mem::replace(told, is_killed) != is_killed {
                tell(RiskNotice::switch(consumer, RiskScope::Strategy, None, !is_killed));
            }
        }
        for (venue, told) in self.venues.iter_mut().enumerate() {
            let venue = VenueId(venue as u16);
            let is_killed = kills.has_venue(venue);
            if std::mem::replace(told, is_killed) == is_killed {
                continue;
            }
            for index in 0..self.strategies.len() {
                let (consumer, scope) = (ConsumerId(index as u16), RiskScope::Venue);
                tell(RiskNotice::switch(consumer, scope, Some(venue), !is_killed));
            }
        }
    }
}

/// Tells that an alarm has rung, and that it holds no longer; whether it holds.
fn look_at_alarm(
    alarm: &Alarm,
    told: &mut Told,
    now_ns: u64,
    mut tell: impl FnMut(i64, i64),
) -> bool {
    let (count, holds) = (alarm.count.load(Ordering::Acquire), alarm.holds(now_ns));
    let limit = alarm.limit.load(Ordering::Relaxed);
    if count != told.count {
        tell(alarm.value.load(Ordering::Relaxed), limit);
        *told = Told { count, holds: true };
    }
    if told.holds && !holds {
        tell(0, limit);
        told.holds = false;
    }
    holds
}

#[cold]
fn log_alarm(strategy: &str, reason: RejectReason, value: i64) {
    let what = reason.name();
    match value {
        0 => log::warn!("[risk] {strategy}: {what} no longer holds its orders"),
        _ => log::warn!("[risk] {strategy}: {what} holds its orders"),
    }
}
