//! Orders that are sent once, by a name of the strategy's own.

use super::{Context, NewOrder, SubmitError};
use crate::event::{ClientOrderId, RejectReason};
use crate::order::{OnceOutcome, OrderFlags, OwnId};

/// What came of submitting an order under a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// It is on its way.
    Sent(ClientOrderId),
    /// An order of this name was sent before, and this one was not: what became of that.
    Known(OnceOutcome),
}

impl Context {
    /// As [`Context::submit_with`], at most once for each name, also over restarts with the same
    /// journal: a repeat sends nothing and gets what became of the first.
    ///
    /// A name is remembered as long as its order is open, and then until as many named orders have
    /// ended after it as [`Strategy::remembers_ids`](crate::consumer::Strategy::remembers_ids)
    /// says. An order that this call refuses was not sent, and its name is free; one that engine or
    /// venue refuses later has used it.
    ///
    /// ```
    /// # use pitlane_engine::consumer::{Context, NewOrder, Once, SubmitError};
    /// # use pitlane_engine::order::{OrderFlags, OwnId};
    /// /// Sends the closing order of a day, whatever restarts come between.
    /// fn close(ctx: &mut Context, order: NewOrder) -> Result<(), SubmitError> {
    ///     let Some(name) = OwnId::new("close 20261129") else { return Ok(()) };
    ///     match ctx.submit_once(name, order, OrderFlags::default())? {
    ///         Once::Sent(id) => println!("sent as {}", id.0),
    ///         Once::Known(before) => println!("sent before: {:?}", before.status),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Context::submit`]; `Unsupported` for a strategy that remembers no names.
    pub fn submit_once(
        &mut self,
        own_id: OwnId,
        order: NewOrder,
        flags: OrderFlags,
    ) -> Result<Once, SubmitError> {
        if let Some(outcome) = self.own_ids.find(own_id) {
            return Ok(Once::Known(outcome));
        }
        if !self.own_ids.is_kept() {
            return Err(RejectReason::Unsupported.into());
        }
        self.own_id = Some(own_id);
        let sent = self.submit_with(order, flags);
        self.own_id = None;
        let id = sent?;
        self.own_ids.sent(own_id, id);
        Ok(Once::Sent(id))
    }

    /// What became of the order with this name, as far as it is remembered.
    #[must_use]
    pub fn outcome_of(&self, own_id: OwnId) -> Option<OnceOutcome> {
        self.own_ids.find(own_id)
    }
}
