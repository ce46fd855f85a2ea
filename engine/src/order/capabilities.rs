//! What a venue can do with orders, known before the first one is sent, and what a strategy needs.
//!
//! Each order protocol states it ([`OrderProtocol::CAPABILITIES`]). The check of a configuration
//! and the start hold what strategies need against it, `ctx.submit` what each order asks for:
//! nothing is sent to find out.
//!
//! [`OrderProtocol::CAPABILITIES`]: crate::venue::protocol::OrderProtocol::CAPABILITIES

use std::fmt;

use super::command::{OrderFlags, OrderType, OrderTypes, TimeInForce};
use super::trigger::TriggerBy;
use crate::event::{PositionSide, Price, Qty, VenueId};

/// How a venue changes an order that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amends {
    /// Not at all.
    Never,
    /// To a smaller quantity at the same price, which keeps its place in the queue.
    Smaller,
    /// To any price and quantity. Whether the place in the queue is kept, the venue decides: as a
    /// rule for a smaller quantity at the same price, and for nothing else.
    Freely,
}

impl Amends {
    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Amends::Never => "no",
            Amends::Smaller => "to a smaller quantity",
            Amends::Freely => "price and quantity",
        }
    }

    /// Whether an order can become another by it.
    #[inline]
    #[must_use]
    pub fn can(self, has: (Price, Qty), becomes: (Price, Qty)) -> bool {
        match self {
            Amends::Never => false,
            Amends::Smaller => becomes.0 == has.0 && becomes.1 < has.1,
            Amends::Freely => true,
        }
    }
}

/// A timer of the venue's that cancels what is open unless it is set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadManTimer {
    /// Shortest time that it takes, ms.
    pub min_ms: u32,
    /// Longest time that it takes, ms.
    pub max_ms: u32,
}

/// What a venue can do with orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The kind of venue, in messages.
    pub kind: &'static str,
    /// Order types.
    pub types: OrderTypes,
    /// Times in force, by the bits of [`Capabilities::times`].
    times: u8,
    /// Prices that trigger a stop, in the same way.
    triggers: u8,
    /// How an order that rests can be changed.
    pub amends: Amends,
    /// Orders that only reduce a position.
    pub reduces_only: bool,
    /// Positions on both sides at once.
    pub hedges: bool,
    /// Cancels that go in one request.
    pub cancels_per_request: usize,
    /// One request that cancels all that the account has open in a symbol, whoever sent it.
    pub cancels_symbol: bool,
    /// A timer that cancels what is open once nobody sets it any more.
    pub dead_man: Option<DeadManTimer>,
}

impl Capabilities {
    /// Nothing: the venue takes no orders.
    pub const NONE: Capabilities = Capabilities {
        kind: "",
        types: OrderTypes::NONE,
        times: 0,
        triggers: 0,
        amends: Amends::Never,
        reduces_only: false,
        hedges: false,
        cancels_per_request: 1,
        cancels_symbol: false,
        dead_man: None,
    };

    /// These order types, each time in force, stops by the last trade, and nothing else: what a
    /// protocol has that states no more.
    #[must_use]
    pub const fn of(types: OrderTypes) -> Capabilities {
        let triggers = if types.has_stops() { 1 } else { 0 };
        Capabilities { types, times: times_bits(&TimeInForce::ALL), triggers, ..Capabilities::NONE }
    }

    /// The same with these times in force alone.
    #[must_use]
    pub const fn with_times(self, times: &[TimeInForce]) -> Capabilities {
        Capabilities { times: times_bits(times), ..self }
    }

    /// The same with stops that these prices trigger.
    #[must_use]
    pub const fn with_triggers(self, triggers: &[TriggerBy]) -> Capabilities {
        let (mut bits, mut at) = (0, 0);
        while at < triggers.len() {
            bits |= 1 << triggers[at] as u8;
            at += 1;
        }
        Capabilities { triggers: bits, ..self }
    }

    /// The same, which changes resting orders so.
    #[must_use]
    pub const fn with_amends(self, amends: Amends) -> Capabilities {
        Capabilities { amends, ..self }
    }

    /// The same with orders that only reduce a position.
    #[must_use]
    pub const fn with_reduce_only(self) -> Capabilities {
        Capabilities { reduces_only: true, ..self }
    }

    /// The same with positions on both sides at once.
    #[must_use]
    pub const fn with_position_sides(self) -> Capabilities {
        Capabilities { hedges: true, ..self }
    }

    /// The same with so many cancels in one request.
    #[must_use]
    pub const fn with_cancels_per_request(self, most: usize) -> Capabilities {
        Capabilities { cancels_per_request: most, ..self }
    }

    /// The same with a request that cancels all of the account's orders in a symbol.
    #[must_use]
    pub const fn with_symbol_cancel(self) -> Capabilities {
        Capabilities { cancels_symbol: true, ..self }
    }

    /// The same with a timer that cancels what is open.
    #[must_use]
    pub const fn with_dead_man(self, timer: DeadManTimer) -> Capabilities {
        Capabilities { dead_man: Some(timer), ..self }
    }

    /// The same under the name of a kind of venue.
    #[must_use]
    pub(crate) const fn of_kind(self, kind: &'static str) -> Capabilities {
        Capabilities { kind, ..self }
    }

    /// Whether an order may have this time in force.
    #[inline]
    #[must_use]
    pub const fn has_time(&self, time: TimeInForce) -> bool {
        self.times & 1 << time as u8 != 0
    }

    /// Whether this price can trigger a stop.
    #[inline]
    #[must_use]
    pub const fn has_trigger(&self, by: TriggerBy) -> bool {
        self.triggers & 1 << by as u8 != 0
    }

    /// What an order asks for and the venue lacks; `None` when it can have it.
    #[inline]
    #[must_use]
    pub fn lacks_of_order(
        &self,
        order_type: OrderType,
        time: TimeInForce,
        flags: OrderFlags,
    ) -> Option<Feature> {
        if !self.types.has(order_type) {
            return Some(Feature::Type(order_type));
        }
        if !self.has_time(time) {
            return Some(Feature::Time(time));
        }
        if order_type.is_stop() && !self.has_trigger(flags.trigger_by) {
            return Some(Feature::Trigger(flags.trigger_by));
        }
        if flags.reduce_only && !self.reduces_only {
            return Some(Feature::ReduceOnly);
        }
        if flags.position_side != PositionSide::Net && !self.hedges {
            return Some(Feature::PositionSide);
        }
        None
    }

    /// What of these needs it can't serve, in the order of the fields.
    pub fn lacks(&self, needs: OrderNeeds) -> impl Iterator<Item = Feature> {
        let this = *self;
        let types = needs.types.iter().filter(move |it| !this.types.has(*it)).map(Feature::Type);
        let wants_time = move |time: &TimeInForce| needs.times & 1 << *time as u8 != 0;
        let times = TimeInForce::ALL.into_iter().filter(wants_time);
        let times = times.filter(move |time| !this.has_time(*time)).map(Feature::Time);
        let wants_trigger = move |by: &TriggerBy| needs.triggers & 1 << *by as u8 != 0;
        let triggers = TriggerBy::ALL.into_iter().filter(wants_trigger);
        let triggers = triggers.filter(move |by| !this.has_trigger(*by)).map(Feature::Trigger);
        let amends = (needs.amends > self.amends).then_some(Feature::Amend(needs.amends));
        let reduces = (needs.reduces_only && !self.reduces_only).then_some(Feature::ReduceOnly);
        let hedges = (needs.hedges && !self.hedges).then_some(Feature::PositionSide);
        types.chain(times).chain(triggers).chain(amends).chain(reduces).chain(hedges)
    }
}

const fn times_bits(times: &[TimeInForce]) -> u8 {
    let (mut bits, mut at) = (0, 0);
    while at < times.len() {
        bits |= 1 << times[at] as u8;
        at += 1;
    }
    bits
}

/// What a strategy needs of a venue's orders.
///
/// ```
/// use pitlane_engine::order::{OrderNeeds, OrderType, TimeInForce};
/// let needs = OrderNeeds::of(&[OrderType::LimitMaker, OrderType::StopLoss])
///     .and_times(&[TimeInForce::Gtc]);
/// assert_ne!(needs, OrderNeeds::NONE);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderNeeds {
    types: OrderTypes,
    times: u8,
    triggers: u8,
    amends: Amends,
    reduces_only: bool,
    hedges: bool,
}

impl OrderNeeds {
    /// Nothing.
    pub const NONE: OrderNeeds = OrderNeeds::of(&[]);

    /// These order types.
    #[must_use]
    pub const fn of(types: &[OrderType]) -> OrderNeeds {
        OrderNeeds {
            types: OrderTypes::of(types),
            times: 0,
            triggers: 0,
            amends: Amends::Never,
            reduces_only: false,
            hedges: false,
        }
    }

    /// These times in force, too.
    #[must_use]
    pub const fn and_times(self, times: &[TimeInForce]) -> OrderNeeds {
        OrderNeeds { times: self.times | times_bits(times), ..self }
    }

    /// Stops that this price triggers, too.
    #[must_use]
    pub const fn and_trigger(self, by: TriggerBy) -> OrderNeeds {
        OrderNeeds { triggers: self.triggers | 1 << by as u8, ..self }
    }

    /// Amendments of this kind, too. [`Context::replace`] needs none.
    ///
    /// [`Context::replace`]: crate::consumer::Context::replace
    #[must_use]
    pub const fn and_amends(self, amends: Amends) -> OrderNeeds {
        let is_more = amends as u8 > self.amends as u8;
        OrderNeeds { amends: if is_more { amends } else { self.amends }, ..self }
    }

    /// Orders that only reduce a position, too.
    #[must_use]
    pub const fn and_reduces_only(self) -> OrderNeeds {
        OrderNeeds { reduces_only: true, ..self }
    }

    /// Positions on both sides, too.
    #[must_use]
    pub const fn and_hedges(self) -> OrderNeeds {
        OrderNeeds { hedges: true, ..self }
    }
}

/// One thing that a venue can have or lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// An order type.
    Type(OrderType),
    /// A time in force.
    Time(TimeInForce),
    /// A price that triggers stops.
    Trigger(TriggerBy),
    /// A way to change an order that rests.
    Amend(Amends),
    /// Orders that only reduce a position.
    ReduceOnly,
    /// Positions on both sides.
    PositionSide,
    /// One request that cancels all of the account's orders in a symbol.
    SymbolCancel,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Feature::Type(it) => write!(f, "order type {}", it.name()),
            Feature::Time(it) => write!(f, "time in force {}", it.name()),
            Feature::Trigger(it) => write!(f, "stops by the {} price", it.name()),
            Feature::Amend(it) => write!(f, "amendments ({})", it.name()),
            Feature::ReduceOnly => f.write_str("reduce-only orders"),
            Feature::PositionSide => f.write_str("positions on both sides"),
            Feature::SymbolCancel => f.write_str("cancel of a whole symbol"),
        }
    }
}

/// A venue that lacks what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The venue's number.
    pub venue: VenueId,
    /// Its kind.
    pub kind: &'static str,
    /// What it lacks.
    pub feature: Feature,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            "" => write!(f, "venue {} takes no orders", self.venue.0),
            kind => write!(f, "venue {} of kind {kind} has no {}", self.venue.0, self.feature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Capabilities =
        Capabilities::of(OrderTypes::of(&[OrderType::Limit, OrderType::StopLoss]))
            .with_times(&[TimeInForce::Gtc, TimeInForce::Ioc])
            .with_amends(Amends::Smaller);

    #[test]
    fn what_an_order_asks_for_is_held_against_what_the_venue_has() {
        let flags = OrderFlags::default();
        let by_mark = OrderFlags { trigger_by: TriggerBy::Mark, ..flags };
        let reduces = OrderFlags { reduce_only: true, ..flags };
        let long = OrderFlags { position_side: PositionSide::Long, ..flags };
        let (limit, stop) = (OrderType::Limit, OrderType::StopLoss);
        let (gtc, fok) = (TimeInForce::Gtc, TimeInForce::Fok);
        for (order_type, time, flags, lacks) in [
            (limit, gtc, flags, None),
            (stop, gtc, flags, None),
            (OrderType::Market, gtc, flags, Some(Feature::Type(OrderType::Market))),
            (limit, fok, flags, Some(Feature::Time(fok))),
            (stop, gtc, by_mark, Some(Feature::Trigger(TriggerBy::Mark))),
            (limit, gtc, by_mark, None),
            (limit, gtc, reduces, Some(Feature::ReduceOnly)),
            (limit, gtc, long, Some(Feature::PositionSide)),
        ] {
            assert_eq!(SOME.lacks_of_order(order_type, time, flags), lacks);
        }
        let none = Capabilities::NONE.lacks_of_order(limit, gtc, flags);
        assert_eq!(none, Some(Feature::Type(limit)));
    }

    #[test]
    fn every_need_that_is_not_served_is_named() {
        let needs = OrderNeeds::of(&[OrderType::Limit, OrderType::TakeProfit])
            .and_times(&TimeInForce::ALL)
            .and_trigger(TriggerBy::Last)
            .and_trigger(TriggerBy::Index)
            .and_amends(Amends::Freely)
            .and_reduces_only()
            .and_hedges();
        let told: Vec<String> = SOME.lacks(needs).map(|lack| lack.to_string()).collect();
        assert_eq!(
            told,
            [
                "order type take_profit",
                "time in force fok",
                "stops by the index price",
                "amendments (price and quantity)",
                "reduce-only orders",
                "positions on both sides",
            ]
        );
        assert_eq!(SOME.lacks(OrderNeeds::NONE).count(), 0);
        let smaller = OrderNeeds::of(&[OrderType::StopLoss]).and_amends(Amends::Smaller);
        assert_eq!(SOME.lacks(smaller).count(), 0);
    }

    #[test]
    fn only_what_a_venue_amends_is_amended() {
        let (at, more) = ((Price(10), Qty(5)), (Price(10), Qty(6)));
        let (less, moved) = ((Price(10), Qty(4)), (Price(11), Qty(4)));
        assert!(Amends::Smaller.can(at, less) && Amends::Freely.can(at, moved));
        assert!(!Amends::Smaller.can(at, more) && !Amends::Smaller.can(at, moved));
        assert!(!Amends::Smaller.can(at, at) && !Amends::Never.can(at, less));
    }
}
