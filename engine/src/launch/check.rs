//! What a configuration needs beyond its own text, before anything is started.

use super::assemble::strategies;
use super::options::LaunchError;
use super::venues::check_keys;
use crate::config::Config;
use crate::consumer::StrategyRegistry;
use crate::runtime::{CorePlan, HostCores};

/// Looks for what [`launch`](super::launch) would refuse beyond the file itself: cores, strategies,
/// their params, keys. Starts nothing.
///
/// # Errors
/// The first [`LaunchError`].
pub fn check(config: &Config, registry: &StrategyRegistry) -> Result<(), LaunchError> {
    CorePlan::make(config, &HostCores::read())?;
    strategies(config, registry)?;
    check_keys(config)
}
