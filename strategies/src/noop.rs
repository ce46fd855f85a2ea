//! The latency floor: takes everything and does nothing.

use pitlane_engine::Params;
use pitlane_engine::consumer::Strategy;

use crate::params::only;

/// Does nothing with every event; what it costs is what the engine costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noop;

impl Noop {
    /// Has no parameters.
    ///
    /// # Errors
    /// When there are any.
    pub fn from_params(params: &Params) -> Result<Noop, String> {
        only(params, &[]).map(|()| Noop)
    }
}

impl Strategy for Noop {}
