//! Refusals by who refused what and why.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::{ExecReport, ExecType, RejectReason};

/// Different refusals that a row tells apart; further ones are counted together.
pub(super) const REFUSALS_MAX: usize = 12;

/// Who refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusedBy {
    /// The strategy's own risk check: nothing left the strategy.
    Check = 1,
    /// The engine behind it: trading off, no session, the venue's limits.
    Engine = 2,
    /// The venue.
    Venue = 3,
}

impl RefusedBy {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RefusedBy::Check => "check",
            RefusedBy::Engine => "engine",
            RefusedBy::Venue => "venue",
        }
    }
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusedWhat {
    /// A new order.
    Order = 1,
    /// A cancel.
    Cancel = 2,
    /// An amendment.
    Amend = 3,
    /// A question about an order.
    Query = 4,
}

impl RefusedWhat {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RefusedWhat::Order => "order",
            RefusedWhat::Cancel => "cancel",
            RefusedWhat::Amend => "amend",
            RefusedWhat::Query => "query",
        }
    }
}

/// A refusal's reason in words.
#[must_use]
pub const fn reason_words(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::None => "no reason was given",
        RejectReason::BadPrice => {
            "the price, or a stop's trigger price, is 0, negative or off the tick"
        }
        RejectReason::BadQty => "the quantity is 0, negative or off the step",
        RejectReason::MaxOrderQty => "above the risk limit of one order",
        RejectReason::MaxOpenOrders => "as many orders are open as the risk limit allows",
        RejectReason::UnknownInstrument => "no such instrument or venue, or it takes no orders",
        RejectReason::OrderLaneFull => "the order lane is full",
        RejectReason::TradingHalted => "trading is off, or the engine is stopping",
        RejectReason::NotConnected => "the venue has no open order session",
        RejectReason::DuplicateId => "the order's number was used before",
        RejectReason::UnknownOrder => "no such order is open, or a cancel is on its way",
        RejectReason::RateLimit => "the risk limit of orders a second",
        RejectReason::Venue => "the venue refused",
        RejectReason::Unsupported => "the venue has no such order or amendment",
        RejectReason::SlowDown => "the venue's limits leave no room, or it wants a pause",
        RejectReason::NeverArrived => "the venue never got the order",
        RejectReason::Contradiction => "the venue contradicts what is known of the order",
        RejectReason::RepeatedRefusal => "the venue refused such orders again and again",
        RejectReason::FairShare => "its share of the orders that the venue allows is used up",
        RejectReason::MaxNotional => "it would trade for more than the risk limit allows",
        RejectReason::MaxPosition => "the position could become larger than the risk limit allows",
        RejectReason::PriceBand => {
            "the price is farther through the book than the risk limit allows"
        }
        RejectReason::NoReference => "no price is known to hold the order against",
        RejectReason::SelfCross => "it could trade with an order of our own",
        RejectReason::StaleBook => "the book is not live, or was not heard for too long",
        RejectReason::DailyLoss => "the day's loss has reached its limit",
        RejectReason::OrderType => "orders of this type are not allowed",
        RejectReason::CancelRate => "the risk limit of cancels a second",
        RejectReason::CircuitBreaker => "the circuit breaker holds",
        RejectReason::PriceRange => "the price is outside the venue's range around its average",
        RejectReason::ReplacedLives => "the order that it was to replace may still be open",
        RejectReason::ReplacedFilled => "the order that it was to replace has filled more",
        RejectReason::CanceledUnsent => "its strategy cancelled it before it was sent",
    }
}

/// [`reason_words`] of a reason's name; the name itself when there is no such reason.
#[must_use]
pub fn words_of_reason(name: &str) -> &str {
    let found = (0..=u8::MAX).filter_map(RejectReason::from_code).find(|one| one.name() == name);
    match found {
        Some(reason) => reason_words(reason),
        None => name,
    }
}

/// A kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) by: RefusedBy,
    pub(crate) what: RefusedWhat,
    pub(crate) reason: RejectReason,
    /// The venue's own code; 0 when it gave none.
    pub(crate) venue_code: i32,
}

impl Refusal {
    /// By the strategy's own check.
    pub(crate) fn of_check(what: RefusedWhat, reason: RejectReason) -> Refusal {
        Refusal { by: RefusedBy::Check, what, reason, venue_code: 0 }
    }

    /// What a report tells; `None` when it tells no refusal.
    pub(super) fn of_report(report: &ExecReport) -> Option<Refusal> {
        let reason = report.reason().unwrap_or(RejectReason::Venue);
        let what = match report.exec_type()? {
            ExecType::Rejected => RefusedWhat::Order,
            ExecType::CancelRejected => RefusedWhat::Cancel,
            ExecType::ModifyRejected => RefusedWhat::Amend,
            // Without a reason it says that the order's state is not known, and is no refusal.
            ExecType::Unknown if reason != RejectReason::None => RefusedWhat::Query,
            _ => return None,
        };
        let is_venues = reason == RejectReason::Venue || report.venue_code != 0;
        let by = if is_venues { RefusedBy::Venue } else { RefusedBy::Engine };
        Some(Refusal { by, what, reason, venue_code: report.venue_code })
    }

    /// Never 0.
    fn key(self) -> u64 {
        let codes = [self.by as u8, self.what as u8, self.reason.code()];
        let high = codes.into_iter().fold(0, |key, code| key << 8 | u64::from(code));
        high << 32 | u64::from(self.venue_code.cast_unsigned())
    }

    fn of_key(key: u64) -> Option<Refusal> {
        let code = |place: u32| (key >> (32 + 8 * place)) as u8;
        let by = match code(2) {
            1 => RefusedBy::Check,
            2 => RefusedBy::Engine,
            3 => RefusedBy::Venue,
            _ => return None,
        };
        let what = match code(1) {
            1 => RefusedWhat::Order,
            2 => RefusedWhat::Cancel,
            3 => RefusedWhat::Amend,
            4 => RefusedWhat::Query,
            _ => return None,
        };
        let reason = RejectReason::from_code(code(0))?;
        Some(Refusal { by, what, reason, venue_code: (key as u32).cast_signed() })
    }
}

/// Counts by kind of refusal.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Refusals {
    /// Key and count; a key of 0 is a free place.
    places: [[u64; 2]; REFUSALS_MAX],
    /// Of further kinds.
    beyond: u64,
    /// So that sizes are whole words of 16 bytes.
    reserved: u64,
}

impl Refusals {
    pub(super) fn add(&mut self, refusal: Refusal) {
        let key = refusal.key();
        let place = self.places.iter_mut().find(|[of, _]| *of == key || *of == 0);
        match place {
            Some([of, count]) => (*of, *count) = (key, *count + 1),
            None => self.beyond += 1,
        }
    }

    /// What was told apart, the most frequent first.
    pub(super) fn told_apart(&self) -> Vec<(Refusal, u64)> {
        let told =
            self.places.iter().filter_map(|[key, count]| Some((Refusal::of_key(*key)?, *count)));
        let mut told: Vec<_> = told.collect();
        told.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        told
    }

    pub(super) fn beyond(&self) -> u64 {
        self.beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_all_that_they_say_and_the_rest_is_counted() {
        let mut refusals = Refusals::default();
        let venue = |venue_code| Refusal {
            by: RefusedBy::Venue,
            what: RefusedWhat::Order,
            reason: RejectReason::Venue,
            venue_code,
        };
        refusals.add(Refusal::of_check(RefusedWhat::Cancel, RejectReason::UnknownOrder));
        for _ in 0..2 {
            refusals.add(venue(-2_010));
        }
        let told = refusals.told_apart();
        assert_eq!(told[0], (venue(-2_010), 2));
        let own = Refusal::of_check(RefusedWhat::Cancel, RejectReason::UnknownOrder);
        assert_eq!(told[1], (own, 1));
        (0..20).for_each(|code| refusals.add(venue(code)));
        assert_eq!((refusals.told_apart().len(), refusals.beyond()), (REFUSALS_MAX, 10));
    }
}
