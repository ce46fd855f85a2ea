//! What is made of the venue's words on positions; see `positions`.

use super::account_step::Step;
use super::positions::{Finding, Verdict};
use super::reconcile::Reconciler;
use super::states::OrderState;
use crate::event::{ExecReport, InstrumentId, REDUCE_ONLY, RejectReason, format_scaled};
use crate::venue::protocol::{AccountPosition, ReplyBody};
use crate::venue::{EventOutlet, PositionDifference};

impl<O: EventOutlet> Reconciler<O> {
    /// Whether an order in this instrument may leave, by what is known of its position.
    ///
    /// # Errors
    /// `TradingHalted` where it would not only reduce, and what the account holds is not what is
    /// counted here.
    #[inline]
    pub(super) fn is_position_known(
        &self,
        instrument: InstrumentId,
        flags: u8,
    ) -> Result<(), RejectReason> {
        let holds = self.account.held.holds(instrument, self.now_ns);
        if holds && flags & REDUCE_ONLY == 0 { Err(RejectReason::TradingHalted) } else { Ok(()) }
    }

    /// A fill is told to its strategy.
    #[inline]
    pub(super) fn count_fill(&mut self, instrument: InstrumentId, report: &ExecReport) {
        let Some(side) = report.side().filter(|_| self.account.held.are_held()) else { return };
        let now_ns = self.now_ns;
        let found = self.account.held.filled((instrument, side), report.last_qty, now_ns);
        if let Some(finding) = found {
            self.say_position(finding);
        }
    }

    /// The stream tells positions.
    #[inline]
    pub(super) fn on_positions(&mut self, positions: &[AccountPosition]) {
        for position in positions {
            if let Some(finding) = self.account.held.told(position, self.now_ns) {
                self.say_position(finding);
            }
        }
    }

    /// The list of the account's positions, which was asked for at `sent_ns`.
    #[cold]
    pub(super) fn on_listed_positions(&mut self, body: &ReplyBody<'_>, sent_ns: u64, raw: &[u8]) {
        self.account.positions = Step::Answered;
        if let Some(error) = body.unreadable {
            self.letter(error.reason, error.detail, raw);
        }
        let table = &self.table;
        let is_at_rest = |instrument: InstrumentId| {
            let in_doubt = [OrderState::Fresh, OrderState::Acknowledged, OrderState::Doubted];
            let mut its =
                table.open().filter(|(_, order)| order.command.instrument_id() == instrument);
            !its.any(|(_, order)| in_doubt.contains(&order.state))
        };
        let listed = (body.positions, body.unreadable.is_none());
        let times = (sent_ns, self.now_ns);
        for finding in self.account.held.listed(listed, times, is_at_rest) {
            self.say_position(finding);
        }
        self.show_positions();
    }

    /// Shows the differences as they are now.
    #[cold]
    fn show_positions(&self) {
        let all: Vec<_> = self.account.held.differences().collect();
        self.stats.set_positions(all.into_iter().map(|of| self.difference(of)).collect());
    }

    #[cold]
    fn say_position(&mut self, (instrument, verdict, ours, venues): Finding) {
        let told = self.difference((instrument, ours, venues));
        let (venue, PositionDifference { symbol, ours, venues }) = (&self.venue, &told);
        match verdict {
            Verdict::Differs => {
                self.stats.contradictions();
                log::error!(
                    "[{venue}] the account holds {venues} of {symbol}, and {ours} is counted here. \
                     New orders in it are refused, but for those that only reduce, until both \
                     agree. To go on with the difference: pitlane ctl venue remove {venue}, then \
                     pitlane ctl venue add {venue} (code: position)"
                );
            }
            Verdict::Agrees => log::info!(
                "[{venue}] the account holds {venues} of {symbol}, as is counted here: new orders \
                 in it leave again"
            ),
            Verdict::Accepted => log::warn!(
                "[{venue}] the account holds {venues} of {symbol}, and {ours} is counted here: the \
                 difference is taken as none of this engine's, and counts in no limit"
            ),
        }
        self.show_positions();
    }

    #[cold]
    fn difference(
        &self,
        (instrument, ours, venues): (InstrumentId, i64, i64),
    ) -> PositionDifference {
        let spec = self.instruments.get(instrument);
        let scale = spec.map_or(0, |spec| spec.qty_scale);
        let text = |qty: i64| format_scaled(qty, scale).to_string();
        PositionDifference {
            symbol: spec.map_or("?", |spec| spec.symbol.as_str()).to_owned(),
            ours: text(ours),
            venues: text(venues),
        }
    }
}
