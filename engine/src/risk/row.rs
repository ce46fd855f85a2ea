//! One limit as people and programs read it.

use serde::{Deserialize, Serialize};

/// One limit that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RiskRow {
    /// `strategy`, `venue` or `total`.
    pub scope: String,
    /// Whose: a strategy's or a venue's name; `-` for the engine's.
    pub name: String,
    /// The instrument, where the limit is of one.
    pub instrument: Option<String>,
    /// The limit, as the configuration calls it.
    pub limit: String,
    /// Its value, in the configuration's own unit.
    pub value: String,
    /// What is used of it now, by the worst case; `None` where nothing adds up.
    pub used: Option<String>,
}
