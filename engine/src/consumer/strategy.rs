//! The trait a user implements, and the mask of what it wants to hear.

use super::{Context, StrategyResult, View};
use crate::event::{
    Balance, Bar, Book, BookState, ControlAck, ControlResult, Event, ExecReport, Instrument,
    Interest, MarkPrice, Merged, Payload, Quote, Risk, StreamState, Trade,
};
use crate::journal::{SavedState, StateBuffer};
use crate::order::OrderNeeds;

/// A trading strategy. Override what you need; everything else is a no-op.
///
/// Callbacks run one at a time, on the core of the consumer, each inside a containment: an error or
/// a panic is recorded and the next event follows (FR-019). A callback that takes long delays this
/// strategy alone. Time, orders and timers come from [`Context`] only, so that the same strategy
/// runs live, in simulation and in replay. What no engine can contain: `abort`, a stack overflow,
/// and a panic in a `Drop` that runs while another panic unwinds.
#[allow(unused_variables)]
pub trait Strategy: Send + 'static {
    /// The market and reference kinds to receive. Asked once, at launch.
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    /// What it needs of the orders at a venue, by the venue's name in the configuration; nothing at
    /// one that it does not trade at. Asked once, by the check of a configuration and at launch:
    /// where a venue can't serve it, nothing is started.
    fn needs(&self, venue: &str) -> OrderNeeds {
        OrderNeeds::NONE
    }

    /// How many names of orders that have ended are remembered, for
    /// [`Context::submit_once`]: a million is usual, and takes 52 MB. Asked once, at launch; 0 for
    /// a strategy that names no orders.
    fn remembers_ids(&self) -> usize {
        0
    }

    /// Bytes that [`Strategy::on_save`] writes at most, up to 1 MiB; twice as many are allocated.
    /// Asked once, at launch; 0 for a strategy that saves nothing.
    fn saves_bytes(&self) -> usize {
        0
    }

    /// Version of what [`Strategy::on_save`] writes: the strategy's own number, told to
    /// [`Strategy::on_restore`]. Asked once, at launch.
    fn state_version(&self) -> u32 {
        1
    }

    /// Writes what is to be known after a restart: after something has happened, at most every
    /// `[journal] save_ms`, and after [`Strategy::on_stop`]. Positions, open orders and names of
    /// orders are not part of it: the journal has them, up to the last word. Kept beside the
    /// journal by the name of the consumer.
    ///
    /// # Errors
    /// The strategy's own, and [`StateTooLarge`](crate::journal::StateTooLarge): it counts as a
    /// failure, and what was saved before stays.
    fn on_save(&mut self, state: &mut StateBuffer) -> StrategyResult {
        Ok(())
    }

    /// Before [`Strategy::on_start`], where an earlier start of a consumer of this name has saved
    /// something: what it was `state_version` then, and when. It may be older than the last orders:
    /// what [`Context`] says of positions and orders is right. A strategy that can't use an older
    /// version returns `Ok` and begins anew.
    ///
    /// # Errors
    /// The strategy's own: it is tried three times, and then the consumer is quarantined.
    fn on_restore(&mut self, saved: &SavedState, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// Before the first event. After three failures the consumer is quarantined (F03).
    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// Every event, before it is typed. The default calls the callback of the event's kind;
    /// override it to handle all kinds in one place.
    #[inline]
    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        dispatch(self, event, ctx)
    }

    /// A best bid and offer.
    #[inline]
    fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// A public trade, or several absorbed into one.
    #[inline]
    fn on_trade(&mut self, trade: View<'_, Trade>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// The best levels of a book.
    #[inline]
    fn on_book(&mut self, book: View<'_, Book>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// A bar, open or closed.
    #[inline]
    fn on_bar(&mut self, bar: View<'_, Bar>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// Mark price and funding of a contract.
    #[inline]
    fn on_mark_price(&mut self, mark: View<'_, MarkPrice>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// The result of a merge window.
    #[inline]
    fn on_merged(&mut self, merged: View<'_, Merged>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// A book can be trusted, or can't any more.
    #[inline]
    fn on_book_state(&mut self, state: View<'_, BookState>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// Quotes, trades, bars or mark prices that this strategy is subscribed to have stopped, or
    /// come again. It needs no place in [`Strategy::interest`].
    #[inline]
    fn on_stream_state(
        &mut self,
        state: View<'_, StreamState>,
        ctx: &mut Context,
    ) -> StrategyResult {
        Ok(())
    }

    /// Reference data of an instrument.
    #[inline]
    fn on_instrument(&mut self, data: View<'_, Instrument>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// A balance at a venue.
    #[inline]
    fn on_balance(&mut self, balance: View<'_, Balance>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// A report on one of this strategy's orders. Positions and open orders are already up to date.
    #[inline]
    fn on_exec_report(
        &mut self,
        report: View<'_, ExecReport>,
        ctx: &mut Context,
    ) -> StrategyResult {
        Ok(())
    }

    /// A control command was accepted or refused.
    #[inline]
    fn on_control(&mut self, ack: View<'_, ControlAck>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// The outcome of a control command.
    #[inline]
    fn on_control_result(
        &mut self,
        result: View<'_, ControlResult>,
        ctx: &mut Context,
    ) -> StrategyResult {
        Ok(())
    }

    /// A risk notice of the engine.
    #[inline]
    fn on_risk(&mut self, risk: View<'_, Risk>, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// A timer set with [`Context::set_timer`] has expired; `id` is the caller's own number.
    fn on_timer(&mut self, id: u64, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// After a batch of events, when nothing more is waiting or the batch is full.
    #[inline]
    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }

    /// After the last event. Orders can't be sent any more.
    fn on_stop(&mut self, ctx: &mut Context) -> StrategyResult {
        Ok(())
    }
}

#[inline]
fn dispatch<S: Strategy + ?Sized>(
    strategy: &mut S,
    event: &Event,
    ctx: &mut Context,
) -> StrategyResult {
    macro_rules! call {
        ($method:ident) => {
            match View::of(event) {
                Some(view) => strategy.$method(view, ctx),
                None => Ok(()),
            }
        };
    }
    match event.payload() {
        Some(Payload::Quote(_)) => call!(on_quote),
        Some(Payload::Trade(_)) => call!(on_trade),
        Some(Payload::Book(_)) => call!(on_book),
        Some(Payload::Bar(_)) => call!(on_bar),
        Some(Payload::Merged(_)) => call!(on_merged),
        Some(Payload::BookState(_)) => call!(on_book_state),
        Some(Payload::Instrument(_)) => call!(on_instrument),
        Some(Payload::Balance(_)) => call!(on_balance),
        Some(Payload::ExecReport(_)) => call!(on_exec_report),
        Some(Payload::ControlAck(_)) => call!(on_control),
        Some(Payload::ControlResult(_)) => call!(on_control_result),
        Some(Payload::Risk(_)) => call!(on_risk),
        Some(Payload::StreamState(_)) => call!(on_stream_state),
        Some(Payload::MarkPrice(_)) => call!(on_mark_price),
        None => Ok(()),
    }
}

impl Strategy for Box<dyn Strategy> {
    fn interest(&self) -> Interest {
        (**self).interest()
    }

    fn needs(&self, venue: &str) -> OrderNeeds {
        (**self).needs(venue)
    }

    fn remembers_ids(&self) -> usize {
        (**self).remembers_ids()
    }

    fn saves_bytes(&self) -> usize {
        (**self).saves_bytes()
    }

    fn state_version(&self) -> u32 {
        (**self).state_version()
    }

    fn on_save(&mut self, state: &mut StateBuffer) -> StrategyResult {
        (**self).on_save(state)
    }

    fn on_restore(&mut self, saved: &SavedState, ctx: &mut Context) -> StrategyResult {
        (**self).on_restore(saved, ctx)
    }

    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        (**self).on_start(ctx)
    }

    #[inline]
    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        (**self).on_event(event, ctx)
    }

    fn on_timer(&mut self, id: u64, ctx: &mut Context) -> StrategyResult {
        (**self).on_timer(id, ctx)
    }

    #[inline]
    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        (**self).on_batch_end(ctx)
    }

    fn on_stop(&mut self, ctx: &mut Context) -> StrategyResult {
        (**self).on_stop(ctx)
    }
}

/// A plain closure as a consumer: `Closure::new(Interest::ALL, |event, ctx| Ok(()))`.
pub struct Closure<F> {
    interest: Interest,
    handle: F,
}

impl<F> Closure<F>
where
    F: FnMut(&Event, &mut Context) -> StrategyResult + Send + 'static,
{
    /// A consumer of the kinds in `interest`.
    pub fn new(interest: Interest, handle: F) -> Closure<F> {
        Closure { interest, handle }
    }
}

impl<F> Strategy for Closure<F>
where
    F: FnMut(&Event, &mut Context) -> StrategyResult + Send + 'static,
{
    fn interest(&self) -> Interest {
        self.interest
    }

    #[inline]
    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        (self.handle)(event, ctx)
    }
}
