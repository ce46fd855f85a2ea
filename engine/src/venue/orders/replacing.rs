//! New orders that take the place of another one at a venue that can't amend it so.
//!
//! The old order is cancelled, and the new one waits here until the venue has said that the old one
//! is over: the two never stand there together, and in between nothing does. Whatever keeps the new
//! one from being sent is told as its rejection; what became of the old one is told by its own
//! reports.

use super::order::{CancelWish, KnownOrder};
use super::states::OrderState;
use crate::event::{OrderStatus, RejectReason};
use crate::order::{OrderCommand, OrderKey};

/// New orders that may wait at a time.
const WAITING_MAX: usize = 64;
/// A price is too old to be sent after this, ns.
const WAIT_MAX_NS: u64 = 2_000_000_000;

/// A new order that waits for the end of another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) command: OrderCommand,
    pub(super) old: OrderKey,
    until_ns: u64,
}

/// The new orders that wait.
#[derive(Debug)]
pub(super) struct Replacements(Vec<Waiting>);

impl Replacements {
    pub(super) fn new() -> Replacements {
        Replacements(Vec::with_capacity(WAITING_MAX))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the first one is given up, ns; `u64::MAX` when none waits.
    pub(super) fn next_timer_ns(&self) -> u64 {
        self.0.iter().map(|waiting| waiting.until_ns).min().unwrap_or(u64::MAX)
    }

    /// A new order waits for the end of another one.
    ///
    /// # Errors
    /// When as many wait as may.
    pub(super) fn add(
        &mut self,
        command: &OrderCommand,
        old: OrderKey,
        now_ns: u64,
    ) -> Result<(), RejectReason> {
        if self.0.len() == WAITING_MAX {
            return Err(RejectReason::SlowDown);
        }
        let until_ns = now_ns.saturating_add(WAIT_MAX_NS);
        self.0.push(Waiting { command: *command, old, until_ns });
        Ok(())
    }

    /// The one at this place, the first that came at 0.
    pub(super) fn get(&self, place: usize) -> Option<Waiting> {
        self.0.get(place).copied()
    }

    /// Takes the one at this place out.
    pub(super) fn remove(&mut self, place: usize) {
        self.0.remove(place);
    }

    /// Takes a new order back that its strategy wants cancelled.
    pub(super) fn take(&mut self, key: OrderKey) -> Option<OrderCommand> {
        let index = self.0.iter().position(|waiting| OrderKey::of(&waiting.command) == key)?;
        Some(self.0.remove(index).command)
    }
}

impl Waiting {
    /// What is to be done with the new order, by what is known of the old one; `None`: it goes on
    /// waiting.
    pub(super) fn verdict(
        &self,
        old: Option<&KnownOrder>,
        now_ns: u64,
    ) -> Option<Result<(), RejectReason>> {
        let Some(old) = old else { return Some(Err(RejectReason::UnknownOrder)) };
        if old.is_open() {
            let is_refused = old.cancel == CancelWish::None;
            let is_late = now_ns >= self.until_ns;
            return (is_refused || is_late).then_some(Err(RejectReason::ReplacedLives));
        }
        // By inference: it may still turn up.
        if old.state == OrderState::Presumed {
            return Some(Err(RejectReason::ReplacedLives));
        }
        let has_filled = old.filled_qty() != self.command.replaced_filled;
        match old.status {
            OrderStatus::Canceled | OrderStatus::Expired if !has_filled => Some(Ok(())),
            OrderStatus::Rejected => Some(Err(RejectReason::UnknownOrder)),
            _ => Some(Err(RejectReason::ReplacedFilled)),
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::Side;
    use crate::venue::orders::states::OrderInput;
    use crate::venue::orders::told::Told;

    fn order(state: OrderState, status: OrderStatus, cancel: CancelWish) -> KnownOrder {
        let mut command = OrderCommand::new_zeroed();
        (command.qty, command.price, command.side_code) = (10, 100, Side::Buy.code());
        let mut order = KnownOrder::new(&command, 0);
        (order.state, order.status, order.cancel) = (state, status, cancel);
        order
    }

    #[test]
    fn a_new_order_leaves_only_once_the_venue_has_said_that_the_old_one_is_over_as_it_was_known() {
        let mut command = OrderCommand::new_zeroed();
        let old = OrderKey::of(&command);
        command.client_order_id = 2;
        let waiting = Waiting { command, old, until_ns: 100 };
        let (working, ended) = (OrderState::Cancelling, OrderState::Ended);
        let lives = Some(Err(RejectReason::ReplacedLives));
        for (state, status, cancel, now_ns, expected) in [
            (working, OrderStatus::New, CancelWish::Sent, 99, None),
            (working, OrderStatus::New, CancelWish::Sent, 100, lives),
            (OrderState::Working, OrderStatus::New, CancelWish::None, 0, lives),
            (OrderState::Presumed, OrderStatus::Canceled, CancelWish::Sent, 0, lives),
            (ended, OrderStatus::Canceled, CancelWish::Accepted, 0, Some(Ok(()))),
            (
                ended,
                OrderStatus::Filled,
                CancelWish::Sent,
                0,
                Some(Err(RejectReason::ReplacedFilled)),
            ),
        ] {
            let order = order(state, status, cancel);
            assert_eq!(waiting.verdict(Some(&order), now_ns), expected, "{state:?} {status:?}");
        }
        let gone = waiting.verdict(None, 0);
        assert_eq!(gone, Some(Err(RejectReason::UnknownOrder)));
        let more = Waiting { command: OrderCommand { replaced_filled: 3, ..command }, ..waiting };
        let canceled = order(ended, OrderStatus::Canceled, CancelWish::Accepted);
        let filled = Some(Err(RejectReason::ReplacedFilled));
        assert_eq!(more.verdict(Some(&canceled), 0), filled, "less has filled than was known");
        let mut doubted = order(working, OrderStatus::New, CancelWish::Sent);
        let mut told = Told::new();
        doubted.apply(OrderInput::CancelRefused, 0, &mut told);
        assert_eq!(waiting.verdict(Some(&doubted), 0), lives, "its cancel was refused");
    }
}
