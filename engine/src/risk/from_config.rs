//! Limits as a configuration has them, in the numbers of a run.

use std::sync::Arc;

use super::limits::{
    BreakerLimits, GroupLimits, InstrumentLimits, NO_LIMIT, RiskLimits, SharedLimits,
};
use crate::config::{Config, GroupRisk, InstrumentConfig, SelfCross};
use crate::event::{AssetAmount, parse_scaled};
use crate::order::{Capabilities, OrderType, OrderTypes};

const MS_NS: i64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// A limit's text in units of 10^-`places`. What does not fit was refused with the configuration.
fn number(text: Option<&String>, places: u8) -> i64 {
    text.and_then(|text| parse_scaled(text.as_bytes(), places).ok()).unwrap_or(NO_LIMIT)
}

fn money(text: Option<&String>) -> i64 {
    number(text, AssetAmount::SCALE)
}

fn whole(number: Option<u32>) -> i64 {
    number.map_or(NO_LIMIT, i64::from)
}

fn types(names: Option<&Vec<String>>) -> OrderTypes {
    let Some(names) = names else { return OrderTypes::ALL };
    let named: Vec<OrderType> = OrderType::ALL
        .into_iter()
        .filter(|order_type| names.iter().any(|name| name == order_type.name()))
        .collect();
    OrderTypes::of(&named)
}

impl RiskLimits {
    /// Those of a consumer by its name; `venues` is what each can do with orders.
    #[must_use]
    pub fn of_config(config: &Config, consumer: &str, venues: Arc<[Capabilities]>) -> RiskLimits {
        let risk = &config.risk;
        let own = risk.strategies.get(consumer).cloned().unwrap_or_default();
        let max_orders_per_s = own.max_orders_per_s.unwrap_or(risk.max_orders_per_s);
        RiskLimits {
            instruments: config
                .instruments
                .iter()
                .map(|it| instrument(config, consumer, it))
                .collect(),
            max_open_orders: config.max_open_orders(consumer),
            venues,
            allowed_types: types(own.order_types.as_ref().or(risk.order_types.as_ref())),
            max_orders_per_s,
            max_cancels_per_s: whole(own.max_cancels_per_s.or(risk.max_cancels_per_s)),
            max_open_notional: money(own.max_open_notional.as_ref())
                .min(money(risk.max_open_notional.as_ref())),
            max_daily_loss: money(own.max_daily_loss.as_ref().or(risk.max_daily_loss.as_ref())),
            refuses_self_cross: risk.self_cross == SelfCross::Refuse,
            breaker: BreakerLimits {
                events: whole(risk.breaker_events),
                loss: money(risk.breaker_loss.as_ref()),
                window_ns: u64::from(risk.breaker_window_s) * SECOND_NS,
                cooldown_ns: u64::from(risk.breaker_cooldown_s) * SECOND_NS,
            },
            assumed_ns: u64::from(risk.assumed_end_s) * SECOND_NS,
        }
    }
}

/// An instrument's own limit stands in place of the one of all; a strategy's holds beside either.
fn instrument(config: &Config, consumer: &str, entry: &InstrumentConfig) -> InstrumentLimits {
    let (risk, places) = (&config.risk, entry.qty_scale);
    let own = risk.instruments.get(&entry.symbol).cloned().unwrap_or_default();
    let of_strategy = risk.strategies.get(consumer).cloned().unwrap_or_default();
    let qty = |own: &Option<String>, of_all: &Option<String>, of_strategy: &Option<String>| {
        let either = number(own.as_ref().or(of_all.as_ref()), places);
        either.min(number(of_strategy.as_ref(), places))
    };
    let notional = own.max_order_notional.as_ref().or(risk.max_order_notional.as_ref());
    InstrumentLimits {
        max_order_qty: qty(&own.max_order_qty, &risk.max_order_qty, &of_strategy.max_order_qty),
        max_order_notional: money(notional).min(money(of_strategy.max_order_notional.as_ref())),
        max_position: qty(&own.max_position, &risk.max_position, &of_strategy.max_position),
        price_band_bps: whole(own.price_band_bps.or(risk.price_band_bps)),
        trigger_band_bps: whole(own.trigger_band_bps.or(risk.trigger_band_bps)),
        stale_ns: match whole(own.stale_ms.or(risk.stale_ms)) {
            NO_LIMIT => NO_LIMIT,
            ms => ms * MS_NS,
        },
    }
}

impl SharedLimits {
    /// Those of a configuration.
    #[must_use]
    pub fn of_config(config: &Config) -> SharedLimits {
        let of = |limits: Option<&GroupRisk>| {
            limits.map_or_else(GroupLimits::default, |limits| group(config, limits))
        };
        let venues = config.venue_names();
        SharedLimits {
            venues: venues.iter().map(|name| of(config.risk.venues.get(name))).collect(),
            total: group(config, &config.risk.total),
        }
    }
}

fn group(config: &Config, limits: &GroupRisk) -> GroupLimits {
    let position = limits.max_position.as_ref();
    GroupLimits {
        max_open_orders: whole(limits.max_open_orders),
        max_orders_per_s: whole(limits.max_orders_per_s),
        max_cancels_per_s: whole(limits.max_cancels_per_s),
        max_open_notional: money(limits.max_open_notional.as_ref()),
        max_daily_loss: money(limits.max_daily_loss.as_ref()),
        allowed_types: types(limits.order_types.as_ref()),
        max_position: match position {
            None => Arc::default(),
            Some(_) => config.instruments.iter().map(|it| number(position, it.qty_scale)).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "2" is 2 BTC and 2 DOGE, whatever the scales are.
    #[test]
    fn each_level_is_read_at_the_instruments_own_scale() {
        let text = "[risk]\nmax_order_qty = '2'\nmax_position = '9'\nstale_ms = 5\n\
                    [risk.instruments.'ETH-USDT']\nmax_order_qty = '0.5'\n\
                    [risk.strategies.noop]\nmax_position = '3'\nmax_order_notional = '1.5'\n\
                    [risk.total]\nmax_position = '20'\n\
                    [[instrument]]\nsymbol = 'BTC-USDT'\n\
                    [[instrument]]\nsymbol = 'DOGE-USDT'\nqty_scale = 0\nstep = '1'\n\
                    [[instrument]]\nsymbol = 'ETH-USDT'\nqty_scale = 4\nstep = '0.0001'\n";
        let config = Config::parse(text, "x").unwrap();
        let noop = RiskLimits::of_config(&config, "noop", Arc::default());
        let other = RiskLimits::of_config(&config, "momentum", Arc::default());
        let of = |limits: &RiskLimits, get: fn(&InstrumentLimits) -> i64| {
            limits.instruments.iter().map(get).collect::<Vec<_>>()
        };
        assert_eq!(of(&noop, |it| it.max_order_qty), [200_000, 2, 5_000]);
        assert_eq!(of(&noop, |it| it.max_position), [300_000, 3, 30_000]);
        assert_eq!(of(&other, |it| it.max_position), [900_000, 9, 90_000]);
        assert_eq!(of(&noop, |it| it.max_order_notional), [150_000_000; 3]);
        assert_eq!(of(&other, |it| it.stale_ns), [5_000_000; 3]);
        let shared = SharedLimits::of_config(&config);
        assert_eq!(*shared.total.max_position, [2_000_000, 20, 200_000]);
        assert_eq!(shared.venues, [GroupLimits::default()]);
    }

    #[test]
    fn the_configuration_knows_every_order_type_by_its_name() {
        assert_eq!(OrderType::ALL.map(OrderType::name), crate::config::ORDER_TYPES);
        let some = types(Some(&vec!["market".to_owned(), "limit".to_owned()]));
        assert_eq!(some, OrderTypes::of(&[OrderType::Limit, OrderType::Market]));
    }
}
