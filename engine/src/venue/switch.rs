//! Whether a venue is connected to, by the operator's word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A venue's switch: while it is off, its sessions have no connection and its orders are refused.
/// Cheap to clone; the sessions look at it in each duty cycle, and whoever turns it wakes their
/// cores.
#[derive(Clone, Debug)]
pub struct VenueSwitch(Arc<AtomicBool>);

impl VenueSwitch {
    /// A switch in the given position.
    #[must_use]
    pub fn new(is_on: bool) -> VenueSwitch {
        VenueSwitch(Arc::new(AtomicBool::new(is_on)))
    }

    /// Whether the venue is to be connected to.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Turns it; says where it stood.
    pub fn set(&self, is_on: bool) -> bool {
        self.0.swap(is_on, Ordering::AcqRel)
    }
}

impl Default for VenueSwitch {
    /// On.
    fn default() -> VenueSwitch {
        VenueSwitch::new(true)
    }
}
