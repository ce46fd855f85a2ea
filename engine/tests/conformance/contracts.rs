//! Accounts that hold contracts: positions that may be short, and wallets that a fill moves by its
//! profit and its fee alone.

use std::sync::Arc;

use pitlane_engine::event::asset_code;
use pitlane_engine::event::{
    Balance, ExecType, OrderStatus, Price, REDUCE_ONLY, RejectReason, Side, VenueId,
};
use pitlane_engine::order::recovery::{RecordedBalance, RecordedPosition, VenueRecovery};
use pitlane_engine::order::{OrderAction, OrderType, TimeInForce};
use pitlane_engine::testing::{ToldOrders, disagreements};
use pitlane_engine::venue::simulated::{
    Fault, FaultName, FaultPlan, LedgerBalance, SimulatedSymbol, SimulatedVenue, Trigger,
};
use pitlane_engine::venue::{PositionDifference, SessionState};

use crate::harness::{BTC, keep_log, logged};
use crate::subject::Orders;
use crate::trader::{QTY, Trader, TraderOptions, fills, venue};

/// Far below the market: a sell fills at once.
const CHEAP: Price = Price(5_500_000);

fn usdt() -> u128 {
    asset_code("USDT").expect("a name")
}

/// The wallet in units of 10^-8.
fn wallet(balances: &[LedgerBalance]) -> i128 {
    assert_eq!(balances.len(), 1, "nothing but margin: {balances:?}");
    let LedgerBalance { free, locked, .. } = &balances[0];
    ((free + locked) / 10_u128.pow(8)) as i128
}

/// A venue where an account that had nothing has sold.
fn sold<V: Orders>() -> (SimulatedVenue, Trader<V>) {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit(1, Side::Sell, CHEAP, OrderType::Limit);
    trader.drive_to(1, OrderStatus::Filled);
    (venue, trader)
}

pub fn what_is_sold_without_having_it_is_a_short_position_and_moves_the_wallet_by_its_fee<
    V: Orders,
>() {
    let (venue, mut trader) = sold::<V>();
    let ledger = venue.ledger();
    assert_eq!(ledger.positions[0].qty, -i128::from(QTY));
    let told: i64 = fills(&trader.reports(1)).iter().map(|fill| fill.fee).sum();
    let fees: u128 = ledger.trades.iter().map(|trade| trade.fee.amount / 10_u128.pow(8)).sum();
    assert_eq!(i128::from(told), fees as i128);
    let (before, now) = (wallet(&ledger.opening), wallet(&ledger.balances));
    assert!(fees > 0 && before - now == fees as i128, "{before} and {now}, fees {fees}");
    trader.drive("the wallet", |seen, _| {
        let told = seen.all::<Balance>();
        let its = told.iter().rfind(|balance| balance.asset == usdt());
        its.is_some_and(|balance| (balance.free, balance.locked) == (now, 0))
    });
    // Bought back, and as much again: what was closed is earned, and the position is long.
    trader.submit_marketable(2);
    trader.submit_marketable(3);
    trader.drive_to(3, OrderStatus::Filled);
    trader.drive_to(2, OrderStatus::Filled);
    let ledger = venue.ledger();
    assert_eq!(ledger.positions[0].qty, i128::from(QTY));
    let mut told = ToldOrders::default();
    let seen = trader.outlet.seen();
    seen.all().iter().for_each(|report| told.take(report));
    let found = disagreements(&told, &ledger, &[SimulatedSymbol::default()]);
    assert_eq!(found, Vec::<String>::new());
    drop(seen);
    trader.assert_sound();
}

/// The record has the wallet of before the sale, whose value never came into it.
pub fn wallets_are_not_held_against_what_was_traded<V: Orders>() {
    let (venue, first) = sold::<V>();
    drop(first);
    let total = wallet(&venue.ledger().opening);
    let traded = i128::from(QTY) * 60_000 * 1_000;
    let recorded = RecordedBalance { venue: VenueId(0), asset: usdt(), total, traded };
    let recovery =
        VenueRecovery { asks_account: true, balances: vec![recorded], ..VenueRecovery::default() };
    let board = Arc::clone(&recovery.board);
    let options = TraderOptions { run: 2, recovery, ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(venue.address(), &options);
    trader.drive_to_ready();
    let told = trader.outlet.seen().all::<Balance>();
    assert!(told.iter().any(|balance| balance.asset == usdt()), "the wallet was asked for");
    assert!(board.read().iter().all(|found| found.balances.is_empty()), "{:?}", board.read());
}

/// A trader that holds its positions against the venue's, with what is on record; and the log of
/// its venue's name.
fn careful<V: Orders>(
    venue: &SimulatedVenue,
    (name, run): (&'static str, u32),
    recorded: i64,
) -> Trader<V> {
    keep_log();
    let position = RecordedPosition { venue: VenueId(0), instrument: BTC, qty: recorded };
    let recovery = VenueRecovery {
        asks_positions: true,
        positions: vec![position],
        ..VenueRecovery::default()
    };
    let options = TraderOptions { name, run, recovery, ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(venue.address(), &options);
    trader.drive_to_ready();
    trader
}

fn drive_to_difference<V: Orders>(trader: &mut Trader<V>) {
    let stats = trader.stats();
    trader.drive("a difference", |_, _| !stats.positions().is_empty());
}

fn drive_to_agreement<V: Orders>(trader: &mut Trader<V>) {
    let stats = trader.stats();
    trader.drive("an agreement", |_, _| stats.positions().is_empty());
}

fn assert_held_back<V: Orders>(trader: &mut Trader<V>, id: u64) {
    trader.submit_marketable(id);
    let refused = trader.drive_to(id, OrderStatus::Rejected);
    assert_eq!(refused.reason(), Some(RejectReason::TradingHalted));
}

/// Another program sells on the account, so much that a position limit here means nothing more.
fn sell_elsewhere<V: Orders>(other: &mut Trader<V>, id: u64) {
    other.submit(id, Side::Sell, CHEAP, OrderType::Limit);
    other.drive_to(id, OrderStatus::Filled);
}

pub fn a_position_that_is_not_the_one_on_record_holds_new_orders_back<V: Orders>() {
    let (venue, first) = sold::<V>();
    drop(first);
    let mut right = careful::<V>(&venue, ("record-right", 2), -QTY);
    right.submit_marketable(1);
    right.drive_to(1, OrderStatus::Filled);
    assert_eq!(right.counters().contradictions, 0);
    right.submit(2, Side::Sell, CHEAP, OrderType::Limit);
    right.drive_to(2, OrderStatus::Filled);
    drop(right);
    let mut wrong = careful::<V>(&venue, ("record-wrong", 3), 0);
    assert_held_back(&mut wrong, 1);
    drive_to_difference(&mut wrong);
    assert_eq!(wrong.counters().contradictions, 1);
    let told = PositionDifference {
        symbol: "BTC-USDT".into(),
        ours: "0.00000".into(),
        venues: "-0.01000".into(),
    };
    assert_eq!(wrong.stats().positions(), [told]);
    let line = "the account holds -0.01000 of BTC-USDT, and 0.00000 is counted here";
    assert!(logged(&["ERROR", "[record-wrong]", line, "(code: position)"]));
    wrong.assert_sound();
}

pub fn what_somebody_else_trades_holds_new_orders_back_until_both_agree<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = careful::<V>(&venue, ("beside", 1), 0);
    trader.submit_marketable(1);
    trader.drive_to(1, OrderStatus::Filled);
    let mut other = careful::<V>(&venue, ("elsewhere", 2), QTY);
    sell_elsewhere(&mut other, 1);
    // At once, before the venue has told the position.
    trader.drive("the stranger's fill", |_, counters| counters.contradictions >= 1);
    assert_held_back(&mut trader, 2);
    drive_to_difference(&mut trader);
    let strange = fills(&other.reports(1)).len() as u64;
    assert_eq!(trader.counters().contradictions, strange + 1, "each fill, and the position");
    assert_held_back(&mut trader, 3);
    // What only reduces leaves: here the venue refuses it, since nothing is left to reduce.
    submit_reducing(&mut trader, 4, QTY);
    assert_eq!(trader.drive_to(4, OrderStatus::Rejected).venue_code, -2022);
    other.submit_marketable(2);
    other.drive_to(2, OrderStatus::Filled);
    drive_to_agreement(&mut trader);
    assert!(logged(&["INFO", "[beside]", "new orders in it leave again"]));
    trader.submit_marketable(5);
    trader.drive_to(5, OrderStatus::Filled);
    trader.assert_sound();
}

pub fn what_somebody_else_traded_while_the_session_was_away_is_found_when_it_is_back<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = careful::<V>(&venue, ("away", 1), 0);
    trader.switch.set(false);
    trader.drive_to_state(SessionState::Off);
    let mut other = careful::<V>(&venue, ("meanwhile", 2), 0);
    sell_elsewhere(&mut other, 1);
    trader.switch.set(true);
    trader.drive_to_ready();
    assert_held_back(&mut trader, 1);
    drive_to_difference(&mut trader);
    // An operator who has looked switches the venue off and on.
    trader.switch.set(false);
    trader.drive_to_state(SessionState::Off);
    trader.switch.set(true);
    trader.drive_to_ready();
    drive_to_agreement(&mut trader);
    assert!(logged(&["WARN", "[away]", "is taken as none of this engine's"]));
    trader.submit_marketable(2);
    trader.drive_to(2, OrderStatus::Filled);
    let before = trader.clock.now_ns();
    let clock = trader.clock.clone();
    trader.drive("more than a second", |_, _| clock.now_ns() > before + 3_000_000_000);
    assert_eq!(trader.counters().contradictions, 1);
    trader.assert_sound();
}

fn submit_reducing<V: Orders>(trader: &mut Trader<V>, id: u64, qty: i64) {
    trader.command(OrderAction::Submit, id, |command| {
        (command.side_code, command.price, command.qty) = (Side::Sell.code(), CHEAP.0, qty);
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
        command.flags = REDUCE_ONLY;
    });
}

pub fn an_order_that_only_reduces_needs_something_to_reduce<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    submit_reducing(&mut trader, 1, QTY);
    let refused = trader.drive_to(1, OrderStatus::Rejected);
    assert_eq!(refused.venue_code, -2022);
    trader.submit_marketable(2);
    trader.drive_to(2, OrderStatus::Filled);
    submit_reducing(&mut trader, 3, QTY / 2);
    trader.drive_to(3, OrderStatus::Filled);
    assert_eq!(venue.ledger().positions[0].qty, i128::from(QTY / 2));
    trader.assert_sound();
}

pub fn a_stream_whose_end_is_told_is_followed_by_another_one<V: Orders>() {
    let venue = venue::<V>(|options| {
        options.fault_plan = FaultPlan::one(Fault::StreamTerminated, Trigger::At(60));
    });
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.drive("another session", |_, counters| counters.reconnects >= 1);
    assert_eq!(venue.counters().report().faults(FaultName::StreamTerminated), 1);
    trader.drive_to_ready();
    trader.submit_marketable(2);
    trader.drive_to(2, OrderStatus::Filled);
    let heard = fills(&trader.reports(2));
    assert!(heard.iter().all(|fill| fill.exec_type() == Some(ExecType::Trade)), "{heard:?}");
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    trader.assert_sound();
}
