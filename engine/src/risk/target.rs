//! Limits by name: which cell each is, what a value may be, and how it is written.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use super::book::{GroupCells, Place, RateCell, RiskBook, StrategyCells};
use super::breaker::EVENTS_MAX;
use super::change_error::ChangeError;
use super::limits::NO_LIMIT;
use super::row::RiskRow;
use crate::event::{AssetAmount, format_scaled, parse_scaled};
use crate::order::{OrderType, OrderTypes};

/// The word that takes a limit away.
const OFF: &str = "off";

/// Every limit, as the configuration calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitName {
    MaxOrderQty,
    MaxOrderNotional,
    MaxPosition,
    PriceBandBps,
    TriggerBandBps,
    StaleMs,
    MaxOpenOrders,
    MaxOrdersPerS,
    MaxCancelsPerS,
    MaxOpenNotional,
    MaxDailyLoss,
    OrderTypes,
    SelfCross,
    BreakerEvents,
    BreakerLoss,
    BreakerWindowS,
    BreakerCooldownS,
}

/// Where a value is.
enum ValueCell<'a> {
    Number(&'a AtomicI64),
    /// In ns, told in this unit.
    Time(&'a AtomicU64, u64),
    Age(&'a AtomicI64, i64),
    Rate(&'a RateCell),
    Types(&'a AtomicU8),
    Flag(&'a AtomicBool),
}

/// How a value is written.
#[derive(Clone, Copy)]
enum Unit {
    /// A whole number within these limits.
    Whole(i64, i64),
    /// A decimal of so many places.
    Decimal(u8),
    Types,
    AllowOrRefuse,
}

/// One value of a limit.
pub(super) struct Target<'a> {
    limit: LimitName,
    scope: &'static str,
    name: &'a str,
    pub(super) instrument: Option<&'a str>,
    cell: ValueCell<'a>,
    unit: Unit,
    /// Whether it may be taken away.
    is_optional: bool,
    used: Option<i64>,
}

impl LimitName {
    pub(super) const ALL: [LimitName; 17] = [
        LimitName::MaxOrderQty,
        LimitName::MaxOrderNotional,
        LimitName::MaxPosition,
        LimitName::PriceBandBps,
        LimitName::TriggerBandBps,
        LimitName::StaleMs,
        LimitName::MaxOpenOrders,
        LimitName::MaxOrdersPerS,
        LimitName::MaxCancelsPerS,
        LimitName::MaxOpenNotional,
        LimitName::MaxDailyLoss,
        LimitName::OrderTypes,
        LimitName::SelfCross,
        LimitName::BreakerEvents,
        LimitName::BreakerLoss,
        LimitName::BreakerWindowS,
        LimitName::BreakerCooldownS,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            LimitName::MaxOrderQty => "max_order_qty",
            LimitName::MaxOrderNotional => "max_order_notional",
            LimitName::MaxPosition => "max_position",
            LimitName::PriceBandBps => "price_band_bps",
            LimitName::TriggerBandBps => "trigger_band_bps",
            LimitName::StaleMs => "stale_ms",
            LimitName::MaxOpenOrders => "max_open_orders",
            LimitName::MaxOrdersPerS => "max_orders_per_s",
            LimitName::MaxCancelsPerS => "max_cancels_per_s",
            LimitName::MaxOpenNotional => "max_open_notional",
            LimitName::MaxDailyLoss => "max_daily_loss",
            LimitName::OrderTypes => "order_types",
            LimitName::SelfCross => "self_cross",
            LimitName::BreakerEvents => "breaker_events",
            LimitName::BreakerLoss => "breaker_loss",
            LimitName::BreakerWindowS => "breaker_window_s",
            LimitName::BreakerCooldownS => "breaker_cooldown_s",
        }
    }

    pub(super) fn of(name: &str) -> Option<LimitName> {
        LimitName::ALL.into_iter().find(|limit| limit.name() == name)
    }
}

impl RiskBook {
    /// Every value that a limit has.
    pub(super) fn all_targets(&self, limit: LimitName) -> Vec<Target<'_>> {
        let mut all: Vec<Target<'_>> =
            self.strategies.iter().flat_map(|cells| self.strategy_targets(limit, cells)).collect();
        for (index, group) in self.venues.iter().enumerate() {
            all.extend(self.group_targets(limit, group, ("venue", name_at(self, index))));
        }
        all.extend(self.group_targets(limit, &self.total, ("total", "-")));
        all
    }

    pub(super) fn strategy_targets<'a>(
        &'a self,
        limit: LimitName,
        cells: &'a StrategyCells,
    ) -> Vec<Target<'a>> {
        let (limits, used) = (&cells.limits, &cells.used);
        let one = |cell, unit| vec![Target::of(limit, "strategy", &cells.name, cell, unit)];
        let money = Unit::Decimal(AssetAmount::SCALE);
        let sum = || used.open_notional.iter().map(|sum| sum.load(Ordering::Relaxed)).max();
        match limit {
            LimitName::MaxOrderQty
            | LimitName::MaxOrderNotional
            | LimitName::MaxPosition
            | LimitName::PriceBandBps
            | LimitName::TriggerBandBps
            | LimitName::StaleMs => self.place_targets(limit, cells),
            LimitName::MaxOpenOrders => {
                let open = used.open_orders.load(Ordering::Relaxed);
                let unit = Unit::Whole(1, cells.room as i64);
                let cell = ValueCell::Number(&limits.max_open_orders);
                let target = Target::of(limit, "strategy", &cells.name, cell, unit);
                vec![Target { used: Some(open), is_optional: false, ..target }]
            }
            LimitName::MaxOrdersPerS => {
                let cell = ValueCell::Rate(&limits.orders);
                let target =
                    Target::of(limit, "strategy", &cells.name, cell, Unit::Whole(1, 1_000_000));
                vec![Target { is_optional: false, ..target }]
            }
            LimitName::MaxCancelsPerS => {
                one(ValueCell::Rate(&limits.cancels), Unit::Whole(1, 1_000_000))
            }
            LimitName::MaxOpenNotional => {
                let cell = ValueCell::Number(&limits.max_open_notional);
                let target = Target::of(limit, "strategy", &cells.name, cell, money);
                vec![Target { used: sum(), ..target }]
            }
            LimitName::MaxDailyLoss => {
                let cell = ValueCell::Number(&limits.max_daily_loss);
                let target = Target::of(limit, "strategy", &cells.name, cell, money);
                vec![Target { used: Some(used.daily_loss.load(Ordering::Relaxed)), ..target }]
            }
            LimitName::OrderTypes => one(ValueCell::Types(&limits.allowed_types), Unit::Types),
            LimitName::SelfCross => {
                one(ValueCell::Flag(&limits.refuses_self_cross), Unit::AllowOrRefuse)
            }
            LimitName::BreakerEvents => {
                let most = EVENTS_MAX as i64;
                one(ValueCell::Number(&limits.breaker_events), Unit::Whole(1, most))
            }
            LimitName::BreakerLoss => one(ValueCell::Number(&limits.breaker_loss), money),
            LimitName::BreakerWindowS | LimitName::BreakerCooldownS => {
                let cell = match limit {
                    LimitName::BreakerWindowS => &limits.breaker_window_ns,
                    _ => &limits.breaker_cooldown_ns,
                };
                let unit = Unit::Whole(1, 86_400);
                let target = Target::of(
                    limit,
                    "strategy",
                    &cells.name,
                    ValueCell::Time(cell, SECOND_NS),
                    unit,
                );
                vec![Target { is_optional: false, ..target }]
            }
        }
    }

    /// Limits of one strategy in each instrument.
    fn place_targets<'a>(&'a self, limit: LimitName, cells: &'a StrategyCells) -> Vec<Target<'a>> {
        let money = Unit::Decimal(AssetAmount::SCALE);
        let target = |place: &'a Place, symbol: &'a str, places: u8| {
            let (cell, unit) = match limit {
                LimitName::MaxOrderQty => {
                    (ValueCell::Number(&place.max_order_qty), Unit::Decimal(places))
                }
                LimitName::MaxOrderNotional => {
                    (ValueCell::Number(&place.max_order_notional), money)
                }
                LimitName::PriceBandBps => {
                    (ValueCell::Number(&place.price_band_bps), Unit::Whole(1, 100_000))
                }
                LimitName::TriggerBandBps => {
                    (ValueCell::Number(&place.trigger_band_bps), Unit::Whole(1, 100_000))
                }
                LimitName::StaleMs => {
                    (ValueCell::Age(&place.stale_ns, 1_000_000), Unit::Whole(1, 3_600_000))
                }
                _ => (ValueCell::Number(&place.max_position), Unit::Decimal(places)),
            };
            let is_position = limit == LimitName::MaxPosition;
            Target {
                instrument: Some(symbol),
                used: is_position.then(|| worst(&place.worst[0], &place.worst[1])),
                ..Target::of(limit, "strategy", &cells.name, cell, unit)
            }
        };
        let places = cells.places.iter().zip(self.instruments.iter());
        places.map(|(place, (_, spec))| target(place, &spec.symbol, spec.qty_scale)).collect()
    }

    pub(super) fn group_targets<'a>(
        &'a self,
        limit: LimitName,
        group: &'a GroupCells,
        (scope, name): (&'static str, &'a str),
    ) -> Vec<Target<'a>> {
        let one =
            |cell, unit, used| vec![Target { used, ..Target::of(limit, scope, name, cell, unit) }];
        let sum = || group.open_notional.iter().map(|sum| sum.load(Ordering::Relaxed)).max();
        match limit {
            LimitName::MaxPosition => {
                let places = group.places.iter().zip(self.instruments.iter());
                places
                    .map(|(place, (_, spec))| Target {
                        instrument: Some(&spec.symbol),
                        used: Some(worst(&place.worst[0], &place.worst[1])),
                        ..Target::of(
                            limit,
                            scope,
                            name,
                            ValueCell::Number(&place.max_position),
                            Unit::Decimal(spec.qty_scale),
                        )
                    })
                    .collect()
            }
            LimitName::MaxOpenOrders => one(
                ValueCell::Number(&group.max_open_orders),
                Unit::Whole(1, 1_000_000),
                Some(group.open_orders.load(Ordering::Relaxed)),
            ),
            LimitName::MaxOrdersPerS => {
                one(ValueCell::Rate(&group.orders), Unit::Whole(1, 1_000_000), None)
            }
            LimitName::MaxCancelsPerS => {
                one(ValueCell::Rate(&group.cancels), Unit::Whole(1, 1_000_000), None)
            }
            LimitName::MaxOpenNotional => one(
                ValueCell::Number(&group.max_open_notional),
                Unit::Decimal(AssetAmount::SCALE),
                sum(),
            ),
            // A venue has no loss of its own.
            LimitName::MaxDailyLoss if scope == "total" => one(
                ValueCell::Number(&group.max_daily_loss),
                Unit::Decimal(AssetAmount::SCALE),
                Some(group.daily_loss.load(Ordering::Relaxed)),
            ),
            LimitName::OrderTypes => one(ValueCell::Types(&group.allowed_types), Unit::Types, None),
            _ => Vec::new(),
        }
    }
}

const SECOND_NS: u64 = 1_000_000_000;

pub(super) fn name_at(book: &RiskBook, venue: usize) -> &str {
    book.venue_names.get(venue).map_or("-", String::as_str)
}

/// The larger of both worst cases.
fn worst(buys: &AtomicI64, sells: &AtomicI64) -> i64 {
    buys.load(Ordering::Relaxed).max(sells.load(Ordering::Relaxed))
}

pub(super) fn bad(limit: LimitName, value: &str, problem: &str) -> ChangeError {
    ChangeError::BadValue {
        limit: limit.name(),
        value: value.to_owned(),
        problem: problem.to_owned(),
    }
}

impl<'a> Target<'a> {
    fn of(
        limit: LimitName,
        scope: &'static str,
        name: &'a str,
        cell: ValueCell<'a>,
        unit: Unit,
    ) -> Target<'a> {
        Target { limit, scope, name, instrument: None, cell, unit, is_optional: true, used: None }
    }

    fn get(&self) -> i64 {
        match &self.cell {
            ValueCell::Number(cell) => cell.load(Ordering::Relaxed),
            ValueCell::Age(cell, unit) => match cell.load(Ordering::Relaxed) {
                NO_LIMIT => NO_LIMIT,
                ns => ns / unit,
            },
            ValueCell::Time(cell, unit) => {
                i64::try_from(cell.load(Ordering::Relaxed) / unit).unwrap_or(NO_LIMIT)
            }
            ValueCell::Rate(cell) => cell.per_s(),
            ValueCell::Types(cell) => match cell.load(Ordering::Relaxed) {
                all if all == OrderTypes::ALL.bits() => NO_LIMIT,
                some => i64::from(some),
            },
            ValueCell::Flag(cell) => match cell.load(Ordering::Relaxed) {
                true => 1,
                false => NO_LIMIT,
            },
        }
    }

    pub(super) fn set(&self, value: i64) {
        match &self.cell {
            ValueCell::Number(cell) => cell.store(value, Ordering::Relaxed),
            ValueCell::Age(cell, unit) => {
                cell.store(if value == NO_LIMIT { value } else { value * unit }, Ordering::Relaxed);
            }
            ValueCell::Time(cell, unit) => {
                cell.store(value.unsigned_abs() * unit, Ordering::Relaxed)
            }
            ValueCell::Rate(cell) => cell.set(value),
            ValueCell::Types(cell) => {
                let bits = if value == NO_LIMIT { OrderTypes::ALL.bits() } else { value as u8 };
                cell.store(bits, Ordering::Relaxed);
            }
            ValueCell::Flag(cell) => cell.store(value != NO_LIMIT, Ordering::Relaxed),
        }
    }

    /// Whether it limits anything.
    pub(super) fn is_set(&self) -> bool {
        self.get() != NO_LIMIT
    }

    /// The value of a text, or what is wrong with it.
    pub(super) fn parsed(&self, text: &str) -> Result<i64, ChangeError> {
        if text == OFF {
            return match self.is_optional {
                true => Ok(NO_LIMIT),
                false => Err(bad(self.limit, text, "it can't be taken away")),
            };
        }
        match self.unit {
            Unit::Whole(min, max) => match text.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(number),
                _ => Err(bad(self.limit, text, &format!("a whole number, {min} to {max}"))),
            },
            Unit::Decimal(places) => match parse_scaled(text.as_bytes(), places) {
                Ok(number) if number > 0 && number < NO_LIMIT => Ok(number),
                Ok(_) => Err(bad(self.limit, text, "it must be above 0")),
                Err(error) => {
                    let of =
                        self.instrument.map_or(String::new(), |symbol| format!(" for {symbol}"));
                    Err(bad(self.limit, text, &format!("{error}{of}")))
                }
            },
            Unit::Types => types_of(text).map_err(|problem| bad(self.limit, text, &problem)),
            Unit::AllowOrRefuse => match text {
                "refuse" => Ok(1),
                "allow" => Ok(NO_LIMIT),
                _ => Err(bad(self.limit, text, "allow or refuse")),
            },
        }
    }

    fn in_text(&self, value: i64) -> String {
        if value == NO_LIMIT {
            return match self.unit {
                Unit::AllowOrRefuse => "allow".to_owned(),
                _ => OFF.to_owned(),
            };
        }
        match self.unit {
            Unit::Whole(..) => value.to_string(),
            Unit::Decimal(places) => plain(value, places),
            Unit::Types => {
                let types = OrderTypes::from_bits(value as u8);
                types.iter().map(OrderType::name).collect::<Vec<_>>().join(",")
            }
            Unit::AllowOrRefuse => "refuse".to_owned(),
        }
    }

    pub(super) fn text(&self) -> String {
        self.in_text(self.get())
    }

    pub(super) fn sentence(&self) -> String {
        let (limit, scope, name) = (self.limit.name(), self.scope, self.name);
        let whose =
            if scope == "total" { "the engine".to_owned() } else { format!("{scope} {name}") };
        let of = self.instrument.map_or(String::new(), |symbol| format!(" in {symbol}"));
        format!("{limit} of {whose}{of}: {}", self.text())
    }

    /// As a row.
    pub(super) fn row(&self) -> RiskRow {
        RiskRow {
            scope: self.scope.to_owned(),
            name: self.name.to_owned(),
            instrument: self.instrument.map(str::to_owned),
            limit: self.limit.name().to_owned(),
            value: self.text(),
            used: self.used.map(|used| self.in_text(used)),
        }
    }
}

/// The order types that a list names, as bits.
fn types_of(text: &str) -> Result<i64, String> {
    let all = || OrderType::ALL.map(OrderType::name).join(", ");
    let mut bits = 0;
    for name in text.split(',') {
        let found = OrderType::ALL.into_iter().find(|order_type| order_type.name() == name.trim());
        let found =
            found.ok_or_else(|| format!("{name:?} is no order type; there are: {}", all()))?;
        bits |= i64::from(OrderTypes::of(&[found]).bits());
    }
    Ok(bits)
}

/// A decimal without zeros at its end.
fn plain(value: i64, places: u8) -> String {
    let text = format_scaled(value, places).to_string();
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
