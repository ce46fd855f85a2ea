//! A governor's reading in words and times that people and scripts can use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Governor, HoldReason, RequestClass};
use crate::venue::utc::utc_text;
use crate::world::Clock;

/// What a venue allows, how much of it is used, and what was held back for that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allowance {
    /// The venue.
    pub venue: String,
    /// Each limit.
    pub limits: Vec<LimitUse>,
    /// Pauses and bans that are not over.
    pub pauses: Vec<PauseLeft>,
    /// Pauses that were imposed so far.
    pub pauses_imposed: u64,
    /// Requests that left, by class; `connect` counts attempts to connect.
    pub sent: BTreeMap<String, u64>,
    /// Requests that were held back, by class. One that asks again counts again.
    pub held_back: BTreeMap<String, u64>,
    /// The same, by reason.
    pub held_back_for: BTreeMap<String, u64>,
    /// How often the venue told a limit of a kind that is not known.
    pub unknown_limits: u64,
}

/// One limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitUse {
    /// What is counted: `weight`, `orders`, `connects` or `requests`.
    pub counts: String,
    /// In windows of this length, ms.
    pub window_ms: u64,
    /// How much is allowed.
    pub amount: u64,
    /// How much is used: the worse of our count and the venue's.
    pub used: u64,
    /// The venue itself has told it.
    pub is_learned: bool,
}

/// One pause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PauseLeft {
    /// What it stops.
    pub stops: String,
    /// Its end, such as `2026-11-29 12:00:00 UTC`.
    pub until: String,
    /// Its end, ms since the Unix epoch.
    pub until_ms: i64,
    /// What is left of it, ms.
    pub left_ms: u64,
    /// Status of HTTP, or like it, with which it was imposed; 0 where there was none.
    pub status: u16,
    /// The venue's code with which it was imposed; 0 where there was none.
    pub code: i32,
}

impl Governor {
    /// What `venue` allows now.
    #[must_use]
    pub fn allowance(&self, venue: &str, clock: &Clock) -> Allowance {
        let now_ns = clock.now_ns();
        let reading = self.reading(now_ns);
        let limits = reading.limits.iter().map(|limit| LimitUse {
            counts: limit.limit.counts.name().to_owned(),
            window_ms: limit.limit.window_ns / 1_000_000,
            amount: limit.limit.amount.into(),
            used: limit.used,
            is_learned: limit.is_learned,
        });
        let pauses = self.pauses(now_ns).into_iter().map(|(scope, until_ns, cause)| {
            let until_ms = clock.wall_at_ns(until_ns) / 1_000_000;
            PauseLeft {
                stops: scope.name().to_owned(),
                until: utc_text(until_ms / 1_000),
                until_ms,
                left_ms: until_ns.saturating_sub(now_ns).div_ceil(1_000_000),
                status: cause.status,
                code: cause.code,
            }
        });
        let by_class = |counts: &[u64]| named(RequestClass::ALL.map(RequestClass::name), counts);
        Allowance {
            venue: venue.to_owned(),
            limits: limits.collect(),
            pauses: pauses.collect(),
            pauses_imposed: reading.penalties,
            sent: by_class(&reading.sent),
            held_back: by_class(&reading.held_back),
            held_back_for: named(HoldReason::ALL.map(HoldReason::name), &reading.reasons),
            unknown_limits: reading.unknown_limits,
        }
    }
}

/// Counts by their names, without those that are 0.
fn named<const N: usize>(names: [&str; N], counts: &[u64]) -> BTreeMap<String, u64> {
    let counted = names.into_iter().zip(counts).filter(|(_, count)| **count > 0);
    counted.map(|(name, count)| (name.to_owned(), *count)).collect()
}
