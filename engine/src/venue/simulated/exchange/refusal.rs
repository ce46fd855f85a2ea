//! Why an exchange refuses a command, without any venue's code or word.

/// A command that was well-formed and is refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It breaks a rule of its symbol.
    Filter(Filter),
    /// Its market takes no orders now.
    MarketClosed,
    /// An open order has this name already.
    DuplicateName,
    /// It was to rest and would take.
    WouldTake,
    /// It was to wait for a price that is there already.
    WouldTrigger,
    /// What it may cost is not free.
    NoBalance,
    /// The order to cancel or to amend is not open, or was never known.
    UnknownOrder,
    /// The order that is asked for was never known, or is forgotten.
    NoSuchOrder,
    /// An amend may only make a quantity smaller, and not to what is executed already.
    AmendNotSmaller,
    /// It was to reduce a position, and would not, or would do more.
    NotReducing,
    /// An order that waits for its trigger can't be amended.
    AmendNotWorking,
}

/// A rule of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Price bounds and tick.
    Price,
    /// Quantity bounds and step.
    LotSize,
    /// The quantity of a market order.
    MarketLotSize,
    /// What the account may own.
    MaxPosition,
    /// The value of an order.
    Notional,
    /// Too far from the market's price.
    PercentPriceBySide,
    /// Open orders of a symbol.
    MaxNumOrders,
    /// Waiting orders of a symbol.
    MaxNumAlgoOrders,
    /// Amends of an order.
    MaxNumOrderAmends,
}
