//! Orders of earlier starts that are open on record, until their venue has told where they are.

use std::sync::Arc;

use super::names::OrderNames;
use super::order::KnownOrder;
use super::states::OrderState;
use super::table::OrderTable;
use crate::config::OnStart;
use crate::event::{OrderStatus, Side, format_scaled};
use crate::order::recovery::{FoundOrder, RecordedOrder, RecoveryBoard, VenueRecovery};
use crate::venue::SymbolMap;

/// What is to be found out before the first new order.
pub(super) struct StartRecovery {
    pub(super) open: Vec<RecordedOrder>,
    pub(super) on_start: OnStart,
    pub(super) board: Arc<RecoveryBoard>,
    /// No line about what is waited for before, ns; 0 until the first time that it was looked at.
    pub(super) say_ns: u64,
}

impl StartRecovery {
    /// Puts the orders of earlier starts into the session's table; `None` where there are none that
    /// may be open.
    pub(super) fn begin(
        recovery: VenueRecovery,
        venue: &str,
        table: &mut OrderTable,
        wall_ns: i64,
    ) -> Option<StartRecovery> {
        for order in recovery.unsettled.iter().chain(&recovery.open) {
            table.take_up(KnownOrder::taken_up(order, 0, wall_ns), 0);
        }
        if recovery.open.is_empty() {
            return None;
        }
        recovery.board.expect(venue, recovery.open.len());
        let VenueRecovery { open, on_start, board, .. } = recovery;
        Some(StartRecovery { open, on_start, board, say_ns: 0 })
    }

    /// What the session knows of each of them now.
    pub(super) fn found(
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
