//! The start of a session with orders of earlier starts: each is asked for, and what was found is
//! told, before the first new order may leave.

use std::sync::Arc;

use super::agent::OrderAgent;
use super::names::OrderNames;
use super::order::{CancelWish, KnownOrder};
use super::states::OrderState;
use super::table::OrderTable;
use crate::config::OnStart;
use crate::event::{OrderStatus, Side, format_scaled};
use crate::order::recovery::{FoundOrder, RecordedOrder, RecoveryBoard, VenueRecovery};
use crate::venue::protocol::OrderProtocol;
use crate::venue::{EventOutlet, SymbolMap};

/// Between two lines that say what the start waits for, ns.
const SAY_NS: u64 = 10_000_000_000;
/// Orders that have a line in the log; all are in the status and the report.
const LINES_MAX: usize = 50;

/// What is to be found out before the first new order.
pub(super) struct StartRecovery {
    open: Vec<RecordedOrder>,
    on_start: OnStart,
    board: Arc<RecoveryBoard>,
    /// No line about what is waited for before, ns; 0 until the first time that it was looked at.
    say_ns: u64,
}

impl StartRecovery {
    /// Puts the orders of earlier starts into the session's table; `None` where there are none that
    /// may be open.
    pub(super) fn begin(
        recovery: VenueRecovery,
        venue: &str,
        table: &mut OrderTable,
    ) -> Option<StartRecovery> {
        for order in recovery.unsettled.iter().chain(&recovery.open) {
            table.take_up(KnownOrder::taken_up(order, 0), 0);
        }
        if recovery.open.is_empty() {
            return None;
        }
        recovery.board.expect(venue, recovery.open.len());
        let VenueRecovery { open, on_start, board, .. } = recovery;
        Some(StartRecovery { open, on_start, board, say_ns: 0 })
    }

    /// What the session knows of each of them now.
    fn found(
        &self,
        table: &OrderTable,
        names: &OrderNames,
        symbols: &SymbolMap,
    ) -> Vec<FoundOrder> {
        let row = |recorded: &RecordedOrder| {
            let key = recorded.key();
            let order = table.get(key)?;
            let instrument = recorded.command.instrument_id();
            let scales = symbols.symbol(instrument)?.scales;
            let qty = |qty: i64| format_scaled(qty, scales.qty).to_string();
            Some(FoundOrder {
                name: String::from_utf8_lossy(&names.name(key)).into_owned(),
                consumer: key.consumer.0,
                symbol: symbols.native(instrument)?.to_owned(),
                side: recorded.command.side().map_or("?", Side::name).to_owned(),
                price: format_scaled(order.price, scales.price).to_string(),
                qty: qty(order.qty),
                filled_before: qty(recorded.filled_qty),
                filled: qty(order.filled_qty()),
                was: recorded.status.name().to_owned(),
                found: found(order).to_owned(),
            })
        };
        self.open.iter().filter_map(row).collect()
    }
}

fn found(order: &KnownOrder) -> &'static str {
    match order.status {
        _ if order.state == OrderState::Doubted => "unknown",
        _ if order.is_open() => "open",
        OrderStatus::Rejected if order.state == OrderState::Presumed => "never_arrived",
        status => status.name(),
    }
}

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Whether nothing of an earlier start has to be waited for; to be called while the session
    /// asks for what is open.
    #[cold]
    pub(super) fn is_recovered(&mut self) -> bool {
        let Some(recovery) = &mut self.recovery else { return true };
        let (now_ns, cancels) = (self.orders.now_ns, recovery.on_start == OnStart::Cancel);
        let mut has_new_cancels = false;
        if cancels {
            self.orders.table.change_open(|order| {
                let is_live = order.is_taken_up && order.state == OrderState::Working;
                if is_live && order.cancel == CancelWish::None {
                    (order.cancel, order.is_cancelled_outside) = (CancelWish::Wanted, true);
                    has_new_cancels = true;
                }
            });
        }
        let open = self.orders.table.open();
        let is_awaited = |order: &KnownOrder| order.holds_start() || cancels && order.is_taken_up;
        let awaited = open.filter(|(_, order)| is_awaited(order)).count();
        if awaited > 0 && now_ns >= recovery.say_ns {
            let (venue, all) = (&self.orders.venue, recovery.open.len());
            log::info!(
                "[{venue}] {awaited} of {all} orders of earlier starts are still to be settled \
                 with the venue; until then no new order leaves"
            );
            recovery.say_ns = now_ns + SAY_NS;
        }
        if has_new_cancels {
            self.look_for_cancels();
        }
        if awaited == 0 {
            self.say_found();
        }
        awaited == 0
    }

    fn say_found(&mut self) {
        let Some(recovery) = self.recovery.take() else { return };
        let (venue, names) = (&self.orders.venue, &self.orders.names);
        let rows = recovery.found(&self.orders.table, names, &self.symbols);
        let count = |what: &str| rows.iter().filter(|row| row.found == what).count();
        let (open, filled, unknown) = (count("open"), count("filled"), count("unknown"));
        let never = count("never_arrived");
        log::info!(
            "[{venue}] {} orders of earlier starts: {open} open, {filled} filled, {} ended \
             otherwise, {never} never arrived, {unknown} not known there and asked for again",
            rows.len(),
            rows.len() - open - filled - never - unknown,
        );
        for row in rows.iter().take(LINES_MAX) {
            let FoundOrder { name, symbol, side, price, qty, filled_before, filled, was, .. } = row;
            let (name, is) = (name.escape_default(), &row.found);
            log::info!(
                "[{venue}]   {name}: {side} {qty} {symbol} at {price} was {was}, filled \
                 {filled_before}; is {is}, filled {filled}"
            );
        }
        if recovery.board.found(venue, rows) {
            log::warn!(
                "[{venue}] trading stays off, since orders of earlier starts are open (on_start = \
                 \"ask\"). To keep them and trade: pitlane ctl mode on. To cancel all and stop: \
                 pitlane ctl kill. Without the control socket: start with on_start = \"adopt\" or \
                 \"cancel\""
            );
        }
    }
}
