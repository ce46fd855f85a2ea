//! Whether new orders may leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The trading switch: what the kill command and the shutdown turn off.
#[derive(Clone, Debug)]
pub struct TradingSwitch(Arc<AtomicBool>);

impl TradingSwitch {
    /// A switch in the given position.
    #[must_use]
    pub fn new(on: bool) -> TradingSwitch {
        TradingSwitch(Arc::new(AtomicBool::new(on)))
    }

    /// Whether new orders may leave.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Turns trading on or off.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }
}
