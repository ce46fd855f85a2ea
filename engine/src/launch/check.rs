//! What a configuration needs beyond its own text, before anything is started.

use super::options::LaunchError;
use super::pipeline_plan::strategies;
use super::venues::check_venues;
use crate::config::Config;
use crate::consumer::StrategyRegistry;
use crate::runtime::{CorePlan, HostCores};
use crate::world::Files;

/// Looks for what [`launch`](super::launch) would refuse beyond the file itself: cores, strategies,
/// their params, keys. Starts nothing.
///
/// # Errors
/// The first [`LaunchError`].
pub fn check(config: &Config, registry: &StrategyRegistry) -> Result<(), LaunchError> {
    CorePlan::make(config, &HostCores::read())?;
    strategies(config, registry)?;
    check_venues(config, &Files::Real)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENUE: &str = "
        [[venue]]
        stream_url = \"ws://127.0.0.1:1/stream\"
        books = false
    ";

    fn refused(lines: &str) -> String {
        let config = Config::parse(&format!("{VENUE}\n{lines}"), "venues.toml").unwrap();
        check_venues(&config, &Files::Real).unwrap_err().to_string()
    }

    #[test]
    fn a_venue_must_be_of_a_kind_that_can_do_what_it_is_asked_for() {
        let unknown = refused("kind = \"nasdaq\"");
        assert!(unknown.contains("venue[0].kind") && unknown.contains("binance"), "{unknown}");
        let api = "api_url = \"ws://127.0.0.1:1/api\"\napi_key = \"k\"\nprivate_key_file = \"k\"";
        let no_orders = refused(&format!("kind = \"binance_futures\"\n{api}"));
        assert!(no_orders.contains("api_url") && no_orders.contains("no orders"), "{no_orders}");
        assert!(refused(api).contains("private key k: cannot be read"));
    }
}
