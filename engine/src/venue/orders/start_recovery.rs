//! Orders of earlier starts that are open on record, until their venue has told where they are.

use std::sync::Arc;

use super::account_check::AccountCheck;
use super::order::KnownOrder;
use super::positions::HeldPositions;
use super::reconcile::Reconciler;
use super::states::OrderState;
use super::table::OrderTable;
use crate::config::OnStart;
use crate::event::{AssetAmount, OrderStatus, Side, asset_name, format_scaled};
use crate::instrument::Instruments;
use crate::order::recovery::{
    AssetLegs, FoundBalance, FoundOrder, RecordedBalance, RecordedOrder, RecordedPosition,
    RecoveryBoard, VenueFound, VenueRecovery,
};
use crate::order::trading::decimal;
use crate::runtime::Clock;
use crate::venue::SymbolMap;
use crate::venue::protocol::{AssetBalance, OrderProtocol};

/// What is to be found out before the first new order.
pub(super) struct StartRecovery {
    pub(super) open: Vec<RecordedOrder>,
    /// What the account had by the last report on record.
    balances: Vec<RecordedBalance>,
    /// What was held by what is on record.
    positions: Vec<RecordedPosition>,
    pub(super) on_start: OnStart,
    pub(super) board: Arc<RecoveryBoard>,
    /// Orders with names like ours that no record has are cancelled.
    cancels_unrecorded: bool,
    /// Whether the account is asked for what it has.
    pub(super) asks_account: bool,
    asks_positions: bool,
    /// No line about what is waited for before, ns; 0 until the first time that it was looked at.
    pub(super) say_ns: u64,
}

impl VenueRecovery {
    /// Puts the orders of earlier starts into the session's table.
    pub(super) fn begin(self, venue: &str, clock: &Clock, table: &mut OrderTable) -> StartRecovery {
        let (wall_ns, cancels_unrecorded) = (clock.wall_at_ns(0), self.cancels_unrecorded());
        for order in self.unsettled.iter().chain(&self.open) {
            table.take_up(KnownOrder::taken_up(order, 0, wall_ns), 0);
        }
        self.board.expect(venue, self.open.len());
        let VenueRecovery { open, balances, positions, on_start, board, .. } = self;
        StartRecovery {
            open,
            balances,
            positions,
            on_start,
            board,
            cancels_unrecorded,
            asks_account: self.asks_account,
            asks_positions: self.asks_positions,
            say_ns: 0,
        }
    }
}

impl StartRecovery {
    /// What is asked of the account beside it, with the positions in these symbols where it holds
    /// contracts.
    pub(super) fn account<P: OrderProtocol>(
        &self,
        symbols: &SymbolMap,
        instruments: &Instruments,
    ) -> AccountCheck {
        let account = AccountCheck::new(self.asks_account, self.cancels_unrecorded);
        let told = vec![None; instruments.asset_count()].into();
        let account = AccountCheck { told, ..account };
        if !P::TRADES_CONTRACTS {
            return account;
        }
        let held = HeldPositions::new(symbols, &self.positions);
        account.with_positions(held, self.asks_positions)
    }

    /// What the session knows now of each order, and of the account.
    pub(super) fn found<O>(&self, orders: &mut Reconciler<O>, symbols: &SymbolMap) -> VenueFound {
        let account = &mut orders.account;
        let (is_listed, has_balances) = (account.is_listed(), account.has_balances());
        let others = (std::mem::take(&mut account.others), account.others_count);
        let (adopted, found) =
            (std::mem::take(&mut account.adopted), std::mem::take(&mut account.found));
        let rows = |recorded: &[RecordedOrder]| {
            recorded.iter().filter_map(|of| row(of, orders, symbols)).collect::<Vec<FoundOrder>>()
        };
        let mut adopted_rows = rows(&adopted);
        adopted_rows.iter_mut().for_each(|row| row.was = "not_recorded".to_owned());
        let traded = Traded::of(self.open.iter().chain(&adopted), orders);
        let balances = if has_balances { self.differences(&found, &traded) } else { Vec::new() };
        let orders = rows(&self.open);
        VenueFound { is_listed, has_balances, orders, adopted: adopted_rows, others, balances }
    }

    /// Assets of which the account has not what is on record.
    fn differences(&self, found: &[AssetBalance], traded: &Traded) -> Vec<FoundBalance> {
        let row = |recorded: &RecordedBalance| {
            let asset = asset_name(recorded.asset);
            let its = found.iter().find(|of| of.asset == asset);
            let now = its.map_or(0, |of| of.free.0.saturating_add(of.locked.0));
            // Since the venue's report on the asset: what is on record, and what was found now.
            let traded = recorded.traded.saturating_add(traded.of_asset(recorded.asset));
            let difference = now - recorded.total - traded;
            let text = |amount: i128| decimal(amount, AssetAmount::SCALE, AssetAmount::SCALE);
            (difference != 0).then(|| FoundBalance {
                asset: asset.as_str().to_owned(),
                recorded: text(recorded.total),
                traded: text(traded),
                found: text(now),
                difference: text(difference),
            })
        };
        self.balances.iter().filter_map(row).collect()
    }
}

fn row<O>(
    recorded: &RecordedOrder,
    orders: &Reconciler<O>,
    symbols: &SymbolMap,
) -> Option<FoundOrder> {
    let key = recorded.key();
    let order = orders.table.get(key)?;
    let instrument = recorded.command.instrument_id();
    let scales = symbols.symbol(instrument)?.scales;
    let qty = |qty: i64| format_scaled(qty, scales.qty).to_string();
    Some(FoundOrder {
        name: String::from_utf8_lossy(&orders.names.name(key)).into_owned(),
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
}

/// What orders have traded since their last report on record, by asset, in units of 10^-8.
struct Traded(Vec<(u128, i128)>);

impl Traded {
    fn of<'a, O>(
        recorded: impl Iterator<Item = &'a RecordedOrder>,
        orders: &Reconciler<O>,
    ) -> Traded {
        let mut traded = Traded(Vec::new());
        for of in recorded {
            let Some(order) = orders.table.get(of.key()) else { continue };
            let Some(spec) = orders.instruments.get(of.command.instrument_id()) else { continue };
            let side = of.command.side().unwrap_or(Side::Buy);
            let qty = i128::from(order.filled_qty() - of.filled_qty);
            let quote = order.fills.quote() - of.quote;
            for (asset, amount) in AssetLegs::of(spec).moved(side, qty, quote) {
                traded.add(asset, amount);
            }
        }
        traded
    }

    fn add(&mut self, asset: u128, amount: i128) {
        match self.0.iter_mut().find(|(of, _)| *of == asset) {
            Some((_, sum)) => *sum += amount,
            None => self.0.push((asset, amount)),
        }
    }

    fn of_asset(&self, asset: u128) -> i128 {
        self.0.iter().find(|(of, _)| *of == asset).map_or(0, |(_, sum)| *sum)
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
