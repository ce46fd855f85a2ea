//! Orders that the venue refuses again and again leave ever more rarely.
//!
//! A strategy whose orders in one instrument and on one side are refused in a row is held back:
//! not at first, then for twice as long after each further refusal, at most a minute. The first
//! one that is accepted ends it. So a mistake costs a dozen requests a minute, not the budget.

use arrayvec::ArrayVec;

use crate::event::{InstrumentId, Side};
use crate::order::OrderCommand;

/// Refusals in a row before anything is held back.
const FREE: u32 = 3;
/// The first and the longest time that is held back, ns.
const HOLD_NS: (u64, u64) = (100_000_000, 60_000_000_000);
/// Rows that are remembered at a time; the oldest one makes room.
const ROWS_MAX: usize = 64;

/// Refusals in a row.
#[derive(Clone, Copy, Debug)]
struct Row {
    consumer: u16,
    instrument: InstrumentId,
    side: Option<Side>,
    count: u32,
    until_ns: u64,
}

impl Row {
    #[inline]
    fn is_of(&self, command: &OrderCommand) -> bool {
        self.consumer == command.consumer
            && self.instrument == command.instrument_id()
            && self.side == command.side()
    }
}

/// Whose orders are held back. Empty as long as venues accept.
#[derive(Debug, Default)]
pub(super) struct Thinning(ArrayVec<Row, ROWS_MAX>);

impl Thinning {
    /// Whether an order may leave now, as far as refusals go.
    #[inline]
    pub(super) fn may_order(&self, command: &OrderCommand, now_ns: u64) -> bool {
        let row = self.0.iter().find(|row| row.is_of(command));
        row.is_none_or(|row| now_ns >= row.until_ns)
    }

    /// An order was refused. Gives the time that is held back where it is worth a line: the first,
    /// and the longest one.
    #[cold]
    pub(super) fn refused(&mut self, command: &OrderCommand, now_ns: u64) -> Option<u64> {
        let row = self.0.iter().position(|row| row.is_of(command)).unwrap_or_else(|| {
            if self.0.is_full() {
                self.0.remove(0);
            }
            self.0.push(Row {
                consumer: command.consumer,
                instrument: command.instrument_id(),
                side: command.side(),
                count: 0,
                until_ns: 0,
            });
            self.0.len() - 1
        });
        let row = &mut self.0[row];
        row.count = row.count.saturating_add(1);
        let doublings = row.count.checked_sub(FREE)?;
        let hold_ns = |doublings: u32| (HOLD_NS.0 << doublings.min(32)).min(HOLD_NS.1);
        row.until_ns = now_ns + hold_ns(doublings);
        let is_first_of_longest = hold_ns(doublings) == HOLD_NS.1
            && doublings.checked_sub(1).is_some_and(|before| hold_ns(before) < HOLD_NS.1);
        (doublings == 0 || is_first_of_longest).then_some(hold_ns(doublings))
    }

    /// An order was accepted.
    #[inline]
    pub(super) fn accepted(&mut self, command: &OrderCommand) {
        if !self.0.is_empty() {
            self.0.retain(|row| !row.is_of(command));
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;

    const MS: u64 = 1_000_000;

    fn command(consumer: u16, instrument: u32, side: Side) -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        (command.consumer, command.instrument) = (consumer, instrument);
        command.side_code = side.code();
        command
    }

    #[test]
    fn refusals_in_a_row_thin_out_and_an_acceptance_ends_them() {
        let (mut thinning, order) = (Thinning::default(), command(1, 2, Side::Buy));
        let (mut sent, mut told) = (0, Vec::new());
        // Two hundred tries a second for ten minutes.
        for now_ns in (0..600_000 * MS).step_by(5 * MS as usize) {
            if thinning.may_order(&order, now_ns) {
                sent += 1;
                told.extend(thinning.refused(&order, now_ns));
            }
        }
        assert_eq!(sent, 21, "3, then 10 within two minutes, then one a minute");
        assert_eq!(told, [HOLD_NS.0, HOLD_NS.1]);
        assert!(thinning.may_order(&command(1, 2, Side::Sell), 0), "another side");
        assert!(thinning.may_order(&command(1, 3, Side::Buy), 0), "another instrument");
        assert!(thinning.may_order(&command(2, 2, Side::Buy), 0), "another strategy");
        thinning.accepted(&order);
        assert!(thinning.may_order(&order, 0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut thinning = Thinning::default();
        for instrument in 0..1_000 {
            thinning.refused(&command(0, instrument, Side::Buy), 0);
        }
        assert_eq!(thinning.0.len(), ROWS_MAX);
    }
}
