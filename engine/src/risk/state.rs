//! The limits in force beside what is used of them, for people and programs.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::book::{RiskBook, StrategyCells};
use super::row::RiskRow;
use super::target::{LimitName, Target};
use crate::event::{ConsumerId, VenueId};
use crate::safety::{Kills, TradingSwitch};

/// Everything that holds orders back, or may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RiskState {
    /// Whether new orders may leave at all.
    pub trading: bool,
    /// Venues whose orders are killed.
    pub venues_killed: Vec<String>,
    /// By strategy, what holds its orders.
    pub strategies: Vec<StrategyRisk>,
    /// Limits that are set: each strategy's, each venue's, the engine's.
    pub limits: Vec<RiskRow>,
}

/// What holds the orders of one strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StrategyRisk {
    /// Its name.
    pub name: String,
    /// Its orders are killed.
    pub is_killed: bool,
    /// Orders that count as open.
    pub open_orders: i64,
    /// How long the circuit breaker still holds, ns; 0: it does not.
    pub breaker_ns: u64,
    /// How often it has tripped.
    pub breaker_trips: u64,
    /// How long the day's loss still holds its orders, ns; 0: it does not.
    pub daily_loss_ns: u64,
    /// How often the day's loss has reached its limit.
    pub daily_loss_trips: u64,
}

impl RiskBook {
    /// A reading of all of it.
    pub(crate) fn state(&self, kills: &Kills, switch: &TradingSwitch, now_ns: u64) -> RiskState {
        let names = self.venue_names.iter().enumerate();
        let killed = names.filter(|(index, _)| kills.has_venue(VenueId(*index as u16)));
        RiskState {
            trading: switch.is_on(),
            venues_killed: killed.map(|(_, name)| name.clone()).collect(),
            strategies: (self.strategies.iter().enumerate())
                .map(|(index, cells)| strategy(cells, index, kills, now_ns))
                .collect(),
            limits: self.rows(),
        }
    }

    fn rows(&self) -> Vec<RiskRow> {
        let limits = LimitName::ALL.into_iter();
        let all = limits.flat_map(|limit| self.all_targets(limit));
        let mut rows: Vec<RiskRow> = all.filter(Target::is_set).map(|one| one.row()).collect();
        // Whose first, then the limits in their own order.
        rows.sort_by(|one, other| (&one.scope, &one.name).cmp(&(&other.scope, &other.name)));
        rows
    }
}

fn strategy(cells: &StrategyCells, index: usize, kills: &Kills, now_ns: u64) -> StrategyRisk {
    let used = &cells.used;
    let rest = |until_ns: u64| until_ns.saturating_sub(now_ns);
    StrategyRisk {
        name: cells.name.clone(),
        is_killed: kills.has_strategy(ConsumerId(index as u16)),
        open_orders: used.open_orders.load(Ordering::Relaxed),
        breaker_ns: rest(used.breaker.until_ns.load(Ordering::Acquire)),
        breaker_trips: used.breaker.count.load(Ordering::Acquire),
        daily_loss_ns: rest(used.loss.until_ns.load(Ordering::Acquire)),
        daily_loss_trips: used.loss.count.load(Ordering::Acquire),
    }
}
