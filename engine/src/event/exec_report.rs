//! Exec reports: the venue's, or the engine's, word on one of our orders, and its vocabulary.

use super::{AssetName, ConsumerId, Side, VenueRef, asset_name};

coded! {
    /// State of an order (LM-06). Terminal states are never left.
    OrderStatus {
        /// Sent, not yet acknowledged by the venue.
        PendingNew = 1 "pending_new",
        /// Working at the venue.
        New = 2 "new",
        /// Working, partly filled.
        PartiallyFilled = 3 "partially_filled",
        /// Done: filled in whole.
        Filled = 4 "filled",
        /// Done: cancelled.
        Canceled = 5 "canceled",
        /// Done: never accepted.
        Rejected = 6 "rejected",
        /// Done: ended by the venue's rules.
        Expired = 7 "expired",
    }
}
coded! {
    /// What an exec report tells.
    ExecType {
        /// Accepted by the venue.
        New = 1 "new",
        /// A fill.
        Trade = 2 "trade",
        /// Cancelled.
        Canceled = 3 "canceled",
        /// Refused, by the venue or by the engine.
        Rejected = 4 "rejected",
        /// Ended by the venue's rules.
        Expired = 5 "expired",
        /// A cancel was refused; the order is as it was.
        CancelRejected = 6 "cancel_rejected",
        /// Amended: quantity and price of the report are the new ones.
        Replaced = 7 "replaced",
        /// An amendment was refused; the order is as it was.
        ModifyRejected = 8 "modify_rejected",
        /// Self-trade prevention took quantity off an order that lives on.
        Prevented = 9 "prevented",
        /// A fill that was inferred is replaced by the venue's own word on it: `last_qty` of it
        /// cost `quote` instead of `replaced_quote`, and has a fee now. No quantity is added.
        Corrected = 10 "corrected",
        /// What became of the order is not known; the venue is being asked. It counts as open.
        Unknown = 11 "unknown",
        /// The order's state on request, or after it was unknown: nothing else has happened.
        Status = 12 "status",
        /// The engine had told an end that the venue contradicts: the order lives, or has filled.
        /// What was told as ended is open again until its next report.
        Revived = 13 "revived",
    }
}
coded! {
    /// Why an order or a cancel was refused. Stable codes: strategies match on them.
    RejectReason {
        /// Not refused.
        None = 0 "none",
        /// Price zero, negative or off the tick.
        BadPrice = 1 "bad_price",
        /// Quantity zero, negative or off the step.
        BadQty = 2 "bad_qty",
        /// Above the configured quantity of one order.
        MaxOrderQty = 3 "max_order_qty",
        /// Too many orders open.
        MaxOpenOrders = 4 "max_open_orders",
        /// The instrument or venue is unknown, or has no order session.
        UnknownInstrument = 5 "unknown_instrument",
        /// The consumer's order lane is full.
        OrderLaneFull = 6 "order_lane_full",
        /// Trading is switched off, or the engine is stopping; or the account's position in the
        /// instrument is not what is counted here, and the order would not only reduce it.
        TradingHalted = 7 "trading_halted",
        /// The venue's order session is not connected.
        NotConnected = 8 "not_connected",
        /// This client_order_id was used before (LM-06).
        DuplicateId = 9 "duplicate_id",
        /// No such order is open.
        UnknownOrder = 10 "unknown_order",
        /// The configured order rate is exceeded.
        RateLimit = 11 "rate_limit",
        /// The venue refused; its own code is in the report.
        Venue = 12 "venue",
        /// The venue, or the engine's protocol for it, has no such order, flag or amendment.
        Unsupported = 13 "unsupported",
        /// The venue asked for a pause, or its limits leave no room now.
        SlowDown = 14 "slow_down",
        /// The venue did not know the order when nothing of it could be on its way any more.
        NeverArrived = 15 "never_arrived",
        /// The venue's answer contradicts what is known of the order.
        Contradiction = 16 "contradiction",
        /// The strategy's share of the orders that the venue allows is used up.
        FairShare = 17 "fair_share",
        /// The venue refused such orders again and again; they are sent more rarely.
        RepeatedRefusal = 18 "repeated_refusal",
        /// The order, or all that is open, would trade for more than the configured sum.
        MaxNotional = 19 "max_notional",
        /// If all that is open filled, the position would be larger than configured.
        MaxPosition = 20 "max_position",
        /// The price is farther through the book than configured.
        PriceBand = 21 "price_band",
        /// No price is known that the order could be held against.
        NoReference = 22 "no_reference",
        /// It could trade with an order of our own.
        SelfCross = 23 "self_cross",
        /// The book is not live, or nothing was heard of it for longer than configured.
        StaleBook = 24 "stale_book",
        /// The day's loss has reached what is configured: until midnight UTC.
        DailyLoss = 25 "daily_loss",
        /// Orders of this type are not allowed by the configuration.
        OrderType = 26 "order_type",
        /// The configured rate of cancels is exceeded.
        CancelRate = 27 "cancel_rate",
        /// Too much went wrong in a short time: for as long as the breaker is configured to hold.
        CircuitBreaker = 28 "circuit_breaker",
        /// The price is outside the range that the venue sets around its average.
        PriceRange = 29 "price_range",
        /// It was to take the place of an order whose cancel was refused, or took too long, or
        /// which is only assumed to be over: it was not sent.
        ReplacedLives = 30 "replaced_lives",
        /// It was to take the place of an order that has filled more than was known: it was not
        /// sent.
        ReplacedFilled = 31 "replaced_filled",
        /// Its strategy cancelled it before it was sent.
        CanceledUnsent = 32 "canceled_unsent",
    }
}
coded! {
    /// Whose word an order's state, or the price of an inferred fill, is.
    Certainty {
        /// The venue's.
        Known = 0 "known",
        /// The engine's, by inference: the venue may contradict it at any time, and then it is told
        /// as [`ExecType::Revived`]. On an inferred fill only the price is: the venue did not tell
        /// the sum, and what it says later comes as [`ExecType::Corrected`].
        Assumed = 1 "assumed",
        /// Nobody's: the venue is being asked, and the worst case counts.
        Unknown = 2 "unknown",
    }
}
coded! {
    /// Whether a fill met an order of ours that rested, or ours met another that did.
    Liquidity {
        /// Ours rested in the book.
        Maker = 1 "maker",
        /// Ours came to the book.
        Taker = 2 "taker",
    }
}
coded! {
    /// Side of the position that an order opens or closes, on accounts in hedge mode.
    PositionSide {
        /// One net position an instrument; all that spot accounts have.
        Net = 0 "net",
        /// The long position.
        Long = 1 "long",
        /// The short position.
        Short = 2 "short",
    }
}
coded! {
    /// Why an order expired, or was ended by the venue.
    ExpiryReason {
        /// It did not expire, or the venue did not say.
        None = 0 "none",
        /// Refused after it was accepted.
        Rejected = 1 "rejected",
        /// Cancelled by the exchange, such as in maintenance or a liquidation.
        ExchangeCanceled = 2 "exchange_canceled",
        /// The other order of its list was triggered.
        OcoTrigger = 3 "oco_trigger",
        /// The first order of its list expired.
        FirstPhaseExpired = 4 "first_phase_expired",
        /// The rest of an immediate-or-cancel order.
        UnfilledIoc = 5 "unfilled_ioc",
        /// A fill-or-kill order that could not be filled in whole.
        UnfilledFok = 6 "unfilled_fok",
        /// Nothing to match with.
        InsufficientLiquidity = 7 "insufficient_liquidity",
        /// Beyond the price range that the venue's execution rules allow.
        PriceRange = 8 "price_range",
        /// Self-trade prevention.
        SelfTrade = 9 "self_trade",
        /// A reason that this engine does not know; counted as an unknown word of the venue.
        Unlisted = 255 "unlisted",
    }
}
/// In [`ExecReport::flags`]: the order may only reduce a position.
pub const REDUCE_ONLY: u8 = 1;
/// In [`ExecReport::flags`]: this fill was inferred from a sum; a [`ExecType::Corrected`] may
/// follow.
pub const INFERRED: u8 = 2;
/// In [`ExecReport::flags`]: the fill's fee is not known (yet).
pub const FEE_UNKNOWN: u8 = 4;
/// In [`ExecReport::flags`]: an operator has it told again, from a dead letter. It counts only
/// where it is the next fill of an order that is open.
pub const RETOLD: u8 = 8;
/// In [`ExecReport::flags`]: the fill's order rested in the book.
pub const MAKER: u8 = 16;
/// In [`ExecReport::flags`]: the fill's order came to the book. Neither of both: it is not known.
pub const TAKER: u8 = 32;

payload! {
    /// A venue's, or the engine's, word on one of our orders.
    ExecReport {
        /// Quote amount of this fill, in units of 10^-(price scale + quantity scale); 0 when it is
        /// none.
        quote: i128,
        /// On [`ExecType::Corrected`] the quote amount that was told before for the same quantity.
        replaced_quote: i128,
        /// The fee's asset as [`asset_code`](crate::event::asset_code) has it; 0 when there is no
        /// fee.
        fee_asset: u128,
        /// The consumer's own order number.
        client_order_id: u64,
        /// The venue's name of the order; none before it has told it.
        venue_order_id: VenueRef,
        /// The venue's name of the execution (of the trade, for a fill); none for a report that the
        /// engine made itself.
        execution_id: VenueRef,
        /// Limit price of the order.
        price: i64,
        /// Quantity of the order; after an amendment the amended one.
        qty: i64,
        /// Price of this fill, 0 when it is none. Of an inferred fill the average, rounded
        /// towards 0.
        last_price: i64,
        /// Quantity of this fill, 0 when it is none.
        last_qty: i64,
        /// Quantity filled so far.
        filled_qty: i64,
        /// Quantity that self-trade prevention took off the order so far.
        prevented_qty: i64,
        /// Fee of this fill in units of 10^-8 of `fee_asset`; negative for a rebate.
        fee: i64,
        /// Decision this order came from: the trace of the event that caused it (LM-08).
        decision_id: u64,
        /// The venue's own refusal code, 0 when none.
        venue_code: i32,
        /// The consumer that owns the order.
        consumer: u16,
        /// Code of the [`Side`].
        side_code: u8,
        /// Code of the [`OrderStatus`]; 0 where the state is not told.
        status_code: u8,
        /// Code of the [`ExecType`].
        exec_type_code: u8,
        /// Code of the [`RejectReason`].
        reason_code: u8,
        /// Code of the [`Certainty`].
        certainty_code: u8,
        /// Code of the [`ExpiryReason`].
        expiry_code: u8,
        /// Code of the [`PositionSide`].
        position_side_code: u8,
        /// [`REDUCE_ONLY`], [`INFERRED`], [`FEE_UNKNOWN`], [`RETOLD`], [`MAKER`], [`TAKER`].
        flags: u8,
        /// Always 0.
        reserved: [u8; 2],
        /// The price that triggers a stop, or has; 0 for an order that does not wait.
        trigger_price: i64,
    }
}

// Header and payload are four cache lines: what travels stays small.
const _: () = assert!(size_of::<ExecReport>() <= 192);

impl ExecReport {
    /// The order's state after this report; `None` where the engine refused a cancel, an amendment
    /// or a query before it came to the venue's agent, which alone knows the state, and for a code
    /// of a later schema.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Option<OrderStatus> {
        OrderStatus::from_code(self.status_code)
    }

    /// What the report tells; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn exec_type(&self) -> Option<ExecType> {
        ExecType::from_code(self.exec_type_code)
    }

    /// The side; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        Side::from_code(self.side_code)
    }

    /// Why it was refused; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn reason(&self) -> Option<RejectReason> {
        RejectReason::from_code(self.reason_code)
    }

    /// The consumer that owns the order.
    #[inline]
    #[must_use]
    pub fn owner(&self) -> ConsumerId {
        ConsumerId(self.consumer)
    }

    /// The venue's number of the order; 0 when it has none, or another kind of name.
    #[inline]
    #[must_use]
    pub fn venue_order_number(&self) -> u64 {
        self.venue_order_id.as_number().unwrap_or_default()
    }

    /// Quantity still to be filled; 0 of an order that has ended.
    #[inline]
    #[must_use]
    pub fn remaining_qty(&self) -> i64 {
        match self.status() {
            Some(status) if status.is_terminal() => 0,
            _ => self.qty.saturating_sub(self.filled_qty).saturating_sub(self.prevented_qty),
        }
    }

    /// Whose word the order's state is; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn certainty(&self) -> Option<Certainty> {
        Certainty::from_code(self.certainty_code)
    }

    /// Why the order expired; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn expiry(&self) -> Option<ExpiryReason> {
        ExpiryReason::from_code(self.expiry_code)
    }

    /// Name of the fee's asset; empty when the fill has no fee, or it is not known.
    #[must_use]
    pub fn fee_asset_name(&self) -> AssetName {
        asset_name(self.fee_asset)
    }

    /// Whether a fill made or took liquidity; `None` where the venue did not say, and of what is no
    /// fill.
    #[inline]
    #[must_use]
    pub fn liquidity(&self) -> Option<Liquidity> {
        match (self.has(MAKER), self.has(TAKER)) {
            (true, false) => Some(Liquidity::Maker),
            (false, true) => Some(Liquidity::Taker),
            _ => None,
        }
    }

    /// Notes whether the fill made or took liquidity.
    #[inline]
    pub(crate) fn set_liquidity(&mut self, liquidity: Option<Liquidity>) {
        self.flags |= match liquidity {
            Some(Liquidity::Maker) => MAKER,
            Some(Liquidity::Taker) => TAKER,
            None => 0,
        };
    }

    /// Whether all of `flags` are set.
    #[inline]
    #[must_use]
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

impl OrderStatus {
    /// Whether the order is done: nothing but a duplicate may follow.
    #[inline]
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            OrderStatus::PendingNew | OrderStatus::New | OrderStatus::PartiallyFilled => false,
            OrderStatus::Filled
            | OrderStatus::Canceled
            | OrderStatus::Rejected
            | OrderStatus::Expired => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::asset_code;

    #[test]
    fn terminal_states_are_the_four_that_end_an_order() {
        let terminal =
            (1..=7).filter_map(OrderStatus::from_code).filter(|s| s.is_terminal()).count();
        assert_eq!(terminal, 4);
    }

    #[test]
    fn a_zeroed_report_is_known_and_free_and_flags_are_read_one_by_one() {
        let mut report = ExecReport::new_zeroed();
        assert_eq!(report.certainty(), Some(Certainty::Known));
        assert_eq!(report.fee_asset_name().as_str(), "");
        report.fee_asset = asset_code("1000CHEEMS").unwrap_or_default();
        report.flags = INFERRED;
        assert_eq!(report.fee_asset_name().as_str(), "1000CHEEMS");
        assert!(report.has(INFERRED));
        assert!(!report.has(INFERRED | FEE_UNKNOWN));
    }

    #[test]
    fn what_remains_is_what_may_still_fill() {
        let mut report = ExecReport::new_zeroed();
        (report.qty, report.filled_qty, report.prevented_qty) = (10, 3, 2);
        report.status_code = OrderStatus::PartiallyFilled.code();
        assert_eq!(report.remaining_qty(), 5);
        report.status_code = OrderStatus::Canceled.code();
        assert_eq!(report.remaining_qty(), 0);
    }
}
