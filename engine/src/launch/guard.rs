//! The sessions of a guard: a process beside an engine, which cancels all when that stands still.

use std::sync::Arc;

use super::options::LaunchError;
use super::venue_setup::{guard_session, symbol_map};
use crate::config::{Config, VenueMode};
use crate::instrument::Instruments;
use crate::venue::orders::GuardSession;
use crate::world::World;

/// Sessions to every venue of the configuration that takes orders, or to the one of this name, each
/// with the guard's own key where the venue names one. None is connected yet: each step does.
///
/// # Errors
/// What is wrong with the configuration, an address or a key.
pub fn guard_sessions(
    config: &Config,
    only: Option<&str>,
) -> Result<Vec<Box<dyn GuardSession>>, LaunchError> {
    let world = World::real().map_err(LaunchError::World)?;
    let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
    let instruments = Arc::new(Instruments::new(specs)?);
    let mut sessions = Vec::new();
    for (number, venue) in config.venues.iter().enumerate() {
        let is_meant = only.is_none_or(|name| name == venue.name);
        if !is_meant || venue.mode == VenueMode::Paper || venue.api_url.is_none() {
            continue;
        }
        let symbols = symbol_map(config, &venue.name, &instruments)?;
        sessions.push(guard_session(config, number, venue, symbols, &world)?);
    }
    Ok(sessions)
}
