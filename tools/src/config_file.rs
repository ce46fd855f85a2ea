//! The configuration that a verb is given: read, looked through, and what is wrong with it told.

use std::path::Path;

use pitlane_engine::config::{Config, ConfigError};
use pitlane_engine::text::escaped;
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::{LaunchError, StrategyRegistry};

use crate::exit::Exit;
use crate::terminal::Terminal;

/// The file's configuration, or the default one.
pub(crate) fn load(file: Option<&Path>, terminal: &mut Terminal<'_>) -> Result<Config, Exit> {
    let Some(file) = file else { return Ok(Config::default_run()) };
    let mut config = Config::load(file).map_err(|error| misconfigured(&error, terminal))?;
    VenueKind::settle(&mut config);
    Ok(config)
}

/// Looks for what a run would refuse beyond the file itself, and says what is worth knowing.
pub(crate) fn check(
    config: &Config,
    registry: &StrategyRegistry,
    terminal: &mut Terminal<'_>,
) -> Result<(), Exit> {
    let notes =
        pitlane_engine::check(config, registry).map_err(|error| refused(&error, terminal))?;
    for note in notes {
        terminal.say(&format!("note: {}\n", escaped(&note)));
    }
    Ok(())
}

/// Says why a launch was refused.
pub(crate) fn refused(error: &LaunchError, terminal: &mut Terminal<'_>) -> Exit {
    if let LaunchError::Config(error) = error {
        return misconfigured(error, terminal);
    }
    terminal.complain(&error.to_string());
    Exit::StartRefused
}

/// Prints the problems as `FILE:LINE:COLUMN: ...` from the first column on, as editors look for it.
pub(crate) fn misconfigured(error: &ConfigError, terminal: &mut Terminal<'_>) -> Exit {
    terminal.say(&format!("{error}\n"));
    match error {
        ConfigError::Unreadable { .. } => Exit::Unreadable,
        ConfigError::Invalid(_) => Exit::Usage,
    }
}
