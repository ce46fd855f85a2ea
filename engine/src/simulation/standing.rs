//! What the notes need of a strategy beside the event: read of its context in the callback, or as
//! it was written down in one.

use crate::consumer::Context;
use crate::event::InstrumentId;

/// A strategy at one time.
pub(super) trait Standing {
    /// Its number.
    fn number(&self) -> u16;
    /// The time of the callback, ns since the start of the run.
    fn at_ns(&self) -> u64;
    /// What it holds of the first instrument.
    fn holds(&self) -> Holds;
    /// Its open orders: their numbers, and whether a cancel is on its way.
    fn open(&self) -> impl Iterator<Item = (u64, bool)>;
}

/// What a strategy holds of the first instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Bought minus sold.
    pub net: i128,
    /// Cash flow of all fills, without fees.
    pub cash: i128,
}

impl Standing for Context {
    fn number(&self) -> u16 {
        self.consumer().0
    }

    fn at_ns(&self) -> u64 {
        self.now_ns()
    }

    fn holds(&self) -> Holds {
        let position = self.position(InstrumentId(0));
        let net = i128::from(position.bought) - i128::from(position.sold);
        Holds { net, cash: position.cash }
    }

    fn open(&self) -> impl Iterator<Item = (u64, bool)> {
        self.open_orders().iter().map(|order| (order.id.0, order.cancel_pending))
    }
}
