//! Orders of an earlier start, as a journal has them: the venue is asked before a new one leaves.

use std::sync::Arc;

use pitlane_engine::config::OnStart;
use pitlane_engine::event::{
    Balance, ExecType, OrderStatus, RejectReason, Side, VenueId, asset_code,
};
use pitlane_engine::order::recovery::{
    EarlierRun, RecordedBalance, RecordedOrder, RecoveryBoard, VenueRecovery,
};
use pitlane_engine::order::trading::decimal;
use pitlane_engine::order::{OrderAction, OrderCommand, OrderType, TimeInForce};
use pitlane_engine::safety::TradingSwitch;
use pitlane_engine::venue::simulated::{LedgerBalance, SimulatedVenue};
use zerocopy::FromZeros;

use crate::harness::{BTC, Seen};
use crate::proxy::Proxy;
use crate::raw::{RawServer, text};
use crate::scripted::{id_of, log_on};
use crate::stranger::Stranger;
use crate::subject::{BinanceSpot, Orders};
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

fn open_orders(venue: &SimulatedVenue) -> usize {
    venue.ledger().orders.values().filter(|order| order.resting.is_some()).count()
}

/// What is on record of the first start.
fn of_first_start(ids: &[u64], on_start: OnStart) -> VenueRecovery {
    let price = |id: &u64| if *id == 2 { 9_000_000 } else { 3_000_000 };
    let last_ids = vec![ids.iter().copied().max().unwrap_or_default()];
    VenueRecovery {
        open: ids.iter().map(|id| recorded(*id, price(id))).collect(),
        runs: vec![EarlierRun { last_ids, ..EarlierRun::new(1, 1) }],
        on_start,
        asks_account: true,
        ..VenueRecovery::default()
    }
}

/// The second start.
fn restarted<V: Orders>(
    venue: &SimulatedVenue,
    ids: &[u64],
    on_start: OnStart,
) -> (Trader<V>, Arc<RecoveryBoard>) {
    started_with(venue, of_first_start(ids, on_start))
}

fn started_with<V: Orders>(
    venue: &SimulatedVenue,
    recovery: VenueRecovery,
) -> (Trader<V>, Arc<RecoveryBoard>) {
    let board = Arc::clone(&recovery.board);
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
    let counts = (found[0].recorded, found[0].open, found[0].filled, found[0].unknown);
    assert_eq!(counts, (3, 1, 1, 1), "{:?}", found[0]);
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

/// Only the first of two orders is on record: the end of the journal was lost with the power.
pub fn an_order_behind_the_end_of_the_record_is_taken_up<V: Orders>() {
    let venue = venue_with_orders::<V>();
    let mut recovery = of_first_start(&[], OnStart::Adopt);
    recovery.runs[0].last_ids = vec![0];
    let (mut trader, board) = started_with::<V>(&venue, recovery);
    trader.drive_to_ready();
    let told = trader.reports(1);
    assert_eq!(told[0].exec_type(), Some(ExecType::Revived), "{told:?}");
    assert_eq!(told.last().unwrap().status(), Some(OrderStatus::New));
    assert!(trader.reports(2).is_empty(), "what is over is in no list");
    let found = board.read();
    assert_eq!((found[0].adopted, found[0].open, found[0].others_count), (1, 1, 0));
    assert_eq!(found[0].orders[0].was, "not_recorded");
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
}

pub fn orders_that_no_record_has_are_left_alone_and_shown<V: Orders>() {
    for (last_id, run, what) in [(1, 1, "ended_on_record"), (0, 9, "unrecorded")] {
        let venue = venue_with_orders::<V>();
        let mut recovery = of_first_start(&[], OnStart::Cancel);
        (recovery.runs[0].last_ids, recovery.runs[0].run) = (vec![last_id], run);
        let (mut trader, board) = started_with::<V>(&venue, recovery);
        trader.drive_to_ready();
        assert!(trader.reports(1).is_empty());
        let found = &board.read()[0];
        assert!(found.is_listed && found.has_balances);
        assert_eq!((found.others_count, found.others[0].what.as_str()), (1, what));
        assert!(!found.others[0].is_canceled);
        assert_eq!(venue.counters().report().cancels_received, 0);
        assert_eq!(open_orders(&venue), 1);
    }
}

pub fn a_sole_engine_cancels_what_a_lost_journal_has_left<V: Orders>() {
    let venue = venue_with_orders::<V>();
    let recovery = VenueRecovery {
        on_start: OnStart::Cancel,
        is_sole_engine: true,
        asks_account: true,
        ..VenueRecovery::default()
    };
    let (mut trader, board) = started_with::<V>(&venue, recovery);
    trader.drive_to_ready();
    assert!(board.read()[0].others[0].is_canceled);
    assert_eq!((venue.counters().report().cancels_received, open_orders(&venue)), (1, 0));
}

/// The second order was filled while nobody was there.
pub fn balances_are_held_against_the_record<V: Orders>() {
    let venue = venue_with_orders::<V>();
    let asset = |name: &str| asset_code(name).unwrap();
    let units = |balances: &[LedgerBalance], name: &str| {
        let of = balances.iter().find(|of| &*of.asset == name).unwrap();
        i128::try_from((of.free + of.locked) / 10_u128.pow(8)).unwrap()
    };
    let ledger = venue.ledger();
    let (opening, now) = (ledger.opening, ledger.balances);
    let mut recovery = of_first_start(&[1, 2], OnStart::Adopt);
    let recorded =
        |name, total| RecordedBalance { venue: VenueId(0), asset: asset(name), total, traded: 0 };
    // Of the one the record is right but for the trade; of the other somebody has taken 5.
    recovery.balances = vec![
        recorded("BTC", units(&opening, "BTC")),
        recorded("USDT", units(&opening, "USDT") + 500_000_000),
    ];
    let (mut trader, board) = started_with::<V>(&venue, recovery);
    trader.drive_to_ready();
    let found = board.read().remove(0);
    let row = |name: &str| found.balances.iter().find(|of| of.asset == name);
    // Fees are taken in what was bought, or in what it was bought with.
    let fee = units(&opening, "BTC") + i128::from(QTY) * 1_000 - units(&now, "BTC");
    let btc = row("BTC").map(|of| of.difference.clone());
    let expected = (fee != 0).then(|| decimal(-fee, 8, 8));
    assert_eq!(btc, expected, "{:?}", found.balances);
    let in_usdt = ledger.trades.iter().filter(|trade| &*trade.fee.asset == "USDT");
    let fee: u128 = in_usdt.map(|trade| trade.fee.amount / 10_u128.pow(8)).sum();
    let usdt = row("USDT").expect("5 are missing");
    assert_eq!(usdt.difference, decimal(-500_000_000 - fee.cast_signed(), 8, 8));
    assert!(usdt.traded.starts_with('-'), "{usdt:?}");
    assert_eq!(usdt.found, decimal(units(&now, "USDT"), 8, 8));
}

/// Ours is on record, and what becomes of it is configured; the other is nobody's business.
pub fn an_order_of_a_stranger_is_left_alone_and_shown_whatever_becomes_of_ours<V: Orders>() {
    for on_start in [OnStart::Adopt, OnStart::Cancel, OnStart::Ask] {
        for is_sole_engine in [false, true] {
            let venue = venue_with_orders::<V>();
            let name = V::strange_name(0);
            Stranger::<V>::new(venue.address()).place(&name);
            let recovery = VenueRecovery { is_sole_engine, ..of_first_start(&[1], on_start) };
            let trading = TradingSwitch::new(false);
            if on_start == OnStart::Ask {
                recovery.board.ask(trading.clone(), true);
            }
            recovery.board.expect("test", 1);
            let (mut trader, board) = started_with::<V>(&venue, recovery);
            trader.drive_to_ready();
            let found = &board.read()[0];
            let context = format!("{on_start:?}, {is_sole_engine}: {found:?}");
            assert_eq!(found.others_count, 1, "{context}");
            let other = &found.others[0];
            assert_eq!((other.what.as_str(), &other.name), ("stranger", &name), "{context}");
            assert!(!other.is_canceled && found.is_listed && found.is_done, "{context}");
            let status = trader.reports(1).last().and_then(|report| report.status());
            let (expected, left) = match on_start {
                OnStart::Cancel => (OrderStatus::Canceled, 1),
                OnStart::Adopt | OnStart::Ask => (OrderStatus::New, 2),
            };
            assert_eq!((status, open_orders(&venue)), (Some(expected), left), "{context}");
            assert!(!trading.is_on(), "ours is open, and an operator is asked: {context}");
        }
    }
}

/// More orders are open than the venue lists at a time.
pub fn open_orders_that_fill_several_pages_are_all_told<V: Orders>() {
    const COUNT: u64 = 180;
    let venue = venue::<V>(|options| options.limits.orders_per_10s = 1_000);
    let mut stranger = Stranger::<V>::new(venue.address());
    (0..COUNT).for_each(|number| stranger.place(&V::strange_name(number)));
    let (mut trader, board) = restarted::<V>(&venue, &[], OnStart::Adopt);
    trader.drive_to_ready();
    let found = &board.read()[0];
    assert!(found.is_listed, "{found:?}");
    assert_eq!(found.others_count, COUNT);
    let mut names: Vec<&str> = found.others.iter().map(|other| other.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len() as u64, COUNT, "each is told once");
}

/// A venue that answers every request so.
fn scripted(answer: fn(&str) -> String) -> RawServer {
    RawServer::start(move |_, peer| {
        log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            let (id, answer) = (id_of(&request), answer(&request));
            peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{answer}}}"#)))?;
        }
    })
}

/// An order that rests, as Binance tells it.
fn resting(name: &str, id: u64, status: &str) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":{id},"orderListId":-1,"clientOrderId":"{name}","price":"30000.00","origQty":"0.01000","executedQty":"0.00000","cummulativeQuoteQty":"0.00000000","status":"{status}","timeInForce":"GTC","type":"LIMIT","side":"BUY","time":1,"updateTime":1}}"#
    )
}

const BALANCES: &str =
    r#"{"balances":[{"asset":"USDT","free":"5.00000000","locked":"0.00000000"}]}"#;

/// One entry of each list can't be read, and one order of ours is in none.
#[test]
fn what_half_a_list_leaves_out_is_asked_for_and_nothing_is_concluded_of_it() {
    let server = scripted(|request| {
        if request.contains("openOrders") {
            let broken = resting("p1-0-9", 79, "NEW").replace("30000.00", "thirty");
            format!("[{},{broken}]", resting("p1-0-1", 77, "NEW"))
        } else if request.contains("order.status") {
            let is_first = request.contains(r#""p1-0-1""#);
            if is_first { resting("p1-0-1", 77, "NEW") } else { resting("p1-0-2", 78, "NEW") }
        } else {
            let broken = r#"{"asset":"BTC","free":"one","locked":"0.00000000"}"#;
            BALANCES.replace(r#""balances":["#, &format!(r#""balances":[{broken},"#))
        }
    });
    let mut recovery = of_first_start(&[1, 2], OnStart::Adopt);
    let btc = asset_code("BTC").unwrap();
    let balance = RecordedBalance { venue: VenueId(0), asset: btc, total: 9, traded: 0 };
    (recovery.balances, recovery.is_sole_engine) = (vec![balance], true);
    recovery.open[1] = recorded(2, 3_000_000);
    recovery.board.expect("test", 2);
    let board = Arc::clone(&recovery.board);
    let options = TraderOptions { run: 2, recovery, ..server.options() };
    let mut trader = Trader::<BinanceSpot>::new(server.address, &options);
    trader.drive_to_ready();
    let found = &board.read()[0];
    assert_eq!((found.open, found.ended, found.unknown), (2, 0, 0), "{found:?}");
    assert!(!found.is_listed && !found.has_balances, "neither list is whole: {found:?}");
    assert!(found.balances.is_empty(), "nothing is missing of what was not told: {found:?}");
    assert_eq!(trader.outlet.seen().letters.len(), 2, "each is kept");
}

/// Nobody answers at the venue's address: what is on record waits, no order leaves, and all of it
/// is asked for once the venue is there.
#[test]
fn a_start_waits_for_a_venue_that_can_not_be_reached() {
    let venue = venue_with_orders::<BinanceSpot>();
    let proxy = Proxy::start(venue.address());
    proxy.lose_requests();
    let recovery = of_first_start(&[1, 2], OnStart::Adopt);
    recovery.board.expect("test", 2);
    let board = Arc::clone(&recovery.board);
    let options = TraderOptions { run: 2, recovery, ..TraderOptions::default() };
    let mut trader = Trader::<BinanceSpot>::new(proxy.address, &options);
    trader.drive("attempts", |_, _| proxy.lost_bytes() > 0 && proxy.connections() > 2);
    trader.submit_resting(SECOND);
    let refused = trader.drive_to(SECOND, OrderStatus::Rejected);
    assert_eq!(refused.reason(), Some(RejectReason::NotConnected));
    assert!(!trader.is_ready() && !board.read()[0].is_done);
    assert!(trader.reports(1).is_empty() && trader.reports(2).is_empty(), "nothing is made up");
    proxy.cut();
    trader.drive_to_ready();
    let found = &board.read()[0];
    assert_eq!((found.open, found.filled, found.is_done), (1, 1, true), "{found:?}");
    trader.submit_resting(SECOND + 1);
    trader.drive_to(SECOND + 1, OrderStatus::New);
}

/// Lists hold what the account has: an asset that was sold while nobody was there is in none.
#[test]
fn an_asset_that_is_missing_in_a_later_list_is_told_as_nothing() {
    let server = RawServer::start(|number, peer| {
        log_on(peer)?;
        let usdt = r#"{"asset":"USDT","free":"5.00000000","locked":"0.00000000"}"#;
        let btc = r#"{"asset":"BTC","free":"1.00000000","locked":"0.50000000"}"#;
        loop {
            let request = peer.read_text()?;
            let result = match (request.contains("account.status"), number) {
                (false, _) => "[]".to_owned(),
                (true, 0) => format!(r#"{{"balances":[{btc},{usdt}]}}"#),
                (true, _) => format!(r#"{{"balances":[{usdt}]}}"#),
            };
            let id = id_of(&request);
            peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{result}}}"#)))?;
            if number == 0 && request.contains("account.status") {
                return Ok(());
            }
        }
    });
    let recovery = VenueRecovery { asks_account: true, ..VenueRecovery::default() };
    let options = TraderOptions { recovery, ..server.options() };
    let mut trader = Trader::<BinanceSpot>::new(server.address, &options);
    let of = |seen: &Seen, name: &str| -> Vec<(i128, i128)> {
        let balances = seen.all::<Balance>().into_iter();
        let its = balances.filter(|balance| Some(balance.asset) == asset_code(name));
        its.map(|balance| (balance.free, balance.locked)).collect()
    };
    trader.drive("both lists", |seen, counters| {
        counters.reconnects == 1 && of(seen, "USDT").len() == 2
    });
    let seen = trader.outlet.seen();
    assert_eq!(of(&seen, "BTC"), [(100_000_000, 50_000_000), (0, 0)]);
    assert_eq!(of(&seen, "USDT"), [(500_000_000, 0); 2]);
    drop(seen);
    trader.assert_sound();
}
