//! Orders of an earlier start, as a journal has them: the venue is asked before a new one leaves.

use std::sync::Arc;

use pitlane_engine::config::OnStart;
use pitlane_engine::event::{ExecType, OrderStatus, RejectReason, Side};
use pitlane_engine::order::recovery::{EarlierRun, RecordedOrder, RecoveryBoard, VenueRecovery};
use pitlane_engine::order::{OrderAction, OrderCommand, OrderType, TimeInForce};
use pitlane_engine::venue::simulated::SimulatedVenue;
use zerocopy::FromZeros;

use crate::harness::BTC;
use crate::subject::Orders;
use crate::trader::{QTY, Trader, TraderOptions, venue};

/// An order that was sent just now, by whatever clock: what the venue does not know may turn up.
const WALL_MAX_NS: i64 = i64::MAX;
/// The first number of the second start.
const SECOND: u64 = (1 << 32) + 1;

/// One order of each kind at the venue: 1 rests, 2 was filled, and 3 never left.
fn venue_with_orders<V: Orders>() -> SimulatedVenue {
    let venue = venue::<V>(|_| {});
    let options = TraderOptions { run: 1, cancel_on_stop: false, ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(venue.address(), &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.submit_marketable(2);
    trader.drive_to(2, OrderStatus::Filled);
    venue
}

/// What a journal has of them when it has none of the venue's words.
fn recorded(id: u64, price: i64) -> RecordedOrder {
    let mut command = OrderCommand::new_zeroed();
    command.client_order_id = id;
    command.instrument = BTC.0;
    command.action_code = OrderAction::Submit as u8;
    (command.side_code, command.price, command.qty) = (Side::Buy.code(), price, QTY);
    command.order_type_code = OrderType::Limit as u8;
    command.time_in_force_code = TimeInForce::Gtc as u8;
    RecordedOrder::new(&command, WALL_MAX_NS)
}

/// The second start.
fn restarted<V: Orders>(
    venue: &SimulatedVenue,
    ids: &[u64],
    on_start: OnStart,
) -> (Trader<V>, Arc<RecoveryBoard>) {
    let board = Arc::<RecoveryBoard>::default();
    let price = |id: &u64| if *id == 2 { 9_000_000 } else { 3_000_000 };
    let recovery = VenueRecovery {
        open: ids.iter().map(|id| recorded(*id, price(id))).collect(),
        unsettled: Vec::new(),
        runs: vec![EarlierRun { epoch: 1, run: 1 }],
        on_start,
        board: Arc::clone(&board),
    };
    let options = TraderOptions { run: 2, recovery, ..TraderOptions::default() };
    (Trader::new(venue.address(), &options), board)
}

pub fn orders_of_an_earlier_start_are_asked_for_before_a_new_one_leaves<V: Orders>() {
    let venue = venue_with_orders::<V>();
    let (mut trader, board) = restarted::<V>(&venue, &[1, 2, 3], OnStart::Adopt);
    trader.submit_resting(SECOND);
    let refused = trader.drive_to(SECOND, OrderStatus::Rejected);
    assert_eq!(refused.reason(), Some(RejectReason::NotConnected));
    trader.drive_to_ready();
    assert_eq!(trader.reports(1).last().unwrap().status(), Some(OrderStatus::New));
    let filled = trader.reports(2);
    let fill = filled.iter().find(|report| report.exec_type() == Some(ExecType::Trade)).unwrap();
    assert_eq!((fill.last_qty, fill.status()), (QTY, Some(OrderStatus::Filled)), "{filled:?}");
    assert!(fill.quote > 0);
    let found = board.read();
    assert_eq!((found[0].recorded, found[0].open, found[0].filled, found[0].unknown), (3, 1, 1, 1));
    assert!(found[0].is_done);
    // One that may still turn up is open, and its number is taken.
    assert!(trader.reports(3).is_empty());
    trader.submit_resting(3);
    let twice = trader.drive_to(3, OrderStatus::Rejected);
    assert_eq!(twice.reason(), Some(RejectReason::DuplicateId));
    trader.submit_resting(SECOND + 1);
    trader.drive_to(SECOND + 1, OrderStatus::New);
    // It is cancelled by its name, like any other.
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
}

pub fn orders_of_an_earlier_start_are_cancelled_first_where_so_configured<V: Orders>() {
    let venue = venue_with_orders::<V>();
    let (mut trader, board) = restarted::<V>(&venue, &[1, 2], OnStart::Cancel);
    trader.drive_to_ready();
    assert_eq!(trader.reports(1).last().unwrap().status(), Some(OrderStatus::Canceled));
    assert_eq!(venue.counters().report().cancels_received, 1);
    let found = board.read();
    assert_eq!((found[0].open, found[0].filled, found[0].ended), (0, 1, 1));
    assert_eq!(found[0].orders.len(), 2);
}
