//! An order of an earlier start, as its journal has it, in the session's own words.

use super::fills::{Fill, Hole};
use super::order::{CancelWish, KnownOrder};
use super::states::OrderState;
use crate::event::{Certainty, OrderStatus};
use crate::order::recovery::{InferredFill, RecordedOrder, UnsettledFill};

impl KnownOrder {
    /// An order of an earlier start. One that is open on record is in doubt, and the venue is asked
    /// at once; of one that has ended, the venue may have more to tell.
    /// `wall_ns` is the time of day at `now_ns`, since the Unix epoch.
    pub(super) fn taken_up(recorded: &RecordedOrder, now_ns: u64, wall_ns: i64) -> KnownOrder {
        // Sent before this engine began: of what it said on its own stream nothing is awaited.
        let mut order = KnownOrder::new(&recorded.command, 0);
        order.is_taken_up = true;
        // By the time of day, the one clock that outlives a process.
        let before_ns = wall_ns.saturating_sub(recorded.sent_wall_ns);
        order.sent_before_ns = u64::try_from(before_ns).unwrap_or_default();
        order.venue_order_id = recorded.venue_order_id;
        (order.price, order.qty) = (recorded.price, recorded.qty);
        order.prevented_qty = recorded.prevented_qty;
        order.status = recorded.status;
        order.is_seen = recorded.is_heard;
        order.told_new = recorded.is_heard;
        order.told_unknown = recorded.certainty == Certainty::Unknown;
        for (price, qty) in &recorded.amendments {
            order.amend(*price, *qty);
            order.amendments.replied();
        }
        order.fills.recall(recorded.filled_qty, recorded.quote);
        let hole = |fill: &InferredFill| Hole { from: fill.from, to: fill.to, quote: fill.quote };
        order.fills.take_up(
            recorded.inferred.iter().map(hole),
            recorded.without_fee.iter().map(without_fee),
        );
        if recorded.is_open() {
            order.holds_session = true;
            (order.state, order.query_ns) = (OrderState::Doubted, now_ns);
            if recorded.wants_cancel {
                order.cancel = CancelWish::Wanted;
            }
        } else {
            order.state = match recorded.certainty {
                Certainty::Assumed => OrderState::Presumed,
                Certainty::Known | Certainty::Unknown => OrderState::Ended,
            };
            order.told_end = Some(recorded.status);
            order.is_seen = order.state == OrderState::Ended;
            order.told_new = recorded.status != OrderStatus::Rejected;
        }
        order.look_for_fills(now_ns);
        order
    }

    /// Whether the start waits for it: the venue has not said yet where it is. One that the venue
    /// had never told of and does not know may still turn up: that long it counts as open, and
    /// nobody waits.
    pub(super) fn holds_start(&self) -> bool {
        let is_unanswered = self.is_seen || self.answers_none == 0;
        self.is_taken_up && self.state == OrderState::Doubted && is_unanswered
    }
}

fn without_fee(fill: &UnsettledFill) -> Fill {
    let UnsettledFill { trade, from, to, price } = *fill;
    Fill { trade, from, to, price, has_fee: false, liquidity: None }
}
