//! Lists of an order's fills: longer than one reply, and asked of a venue that does not have them.

use std::io;
use std::sync::{Arc, Mutex};

use pitlane_engine::event::{ExecReport, ExecType, OrderStatus, Side, VenueRef};
use pitlane_engine::order::{OrderAction, OrderType, TimeInForce};

use crate::harness::{MS, keep_log, logged};
use crate::raw::{Peer, RawServer, text};
use crate::scripted::{Asks, Scripted, execution, id_of};
use crate::subject::{BinanceSpot, Okx};
use crate::trader::{QTY, Trader, TraderOptions, fills};

/// Fills of the long order, each of the smallest quantity, and the first one's number.
const TRADES: u64 = 2_500;
const FIRST: u64 = 5_000;

fn trade(id: u64) -> String {
    let price = if id.is_multiple_of(2) { "30000.00" } else { "29999.00" };
    format!(
        r#"{{"symbol":"BTCUSDT","id":{id},"orderId":77,"price":"{price}","qty":"0.00001","commission":"0.00000001","commissionAsset":"BTC"}}"#
    )
}

/// The page of fills that a request asks for, as the venue cuts it: the newest without a number.
fn page(request: &str) -> String {
    let params = &serde_json::from_str::<serde_json::Value>(request).unwrap()["params"];
    let limit = params["limit"].as_u64().unwrap();
    let end = FIRST + TRADES;
    let (from, to) = match params["fromId"].as_u64() {
        Some(id) => (id.max(FIRST), (id.max(FIRST) + limit).min(end)),
        None => (end - limit, end),
    };
    (from..to).map(trade).collect::<Vec<_>>().join(",")
}

fn reply(peer: &mut Peer, request: &str, result: &str) -> io::Result<()> {
    let id = id_of(request);
    peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{result}}}"#)))
}

/// Answers a logon and a subscription of whatever numbers.
fn log_on(peer: &mut Peer) -> io::Result<()> {
    peer.shake_hands()?;
    for _ in 0..2 {
        let request = peer.read_text()?;
        reply(peer, &request, "{}")?;
    }
    Ok(())
}

/// The answer to a query: the order is filled in whole.
fn filled(name: &str, qty: &str) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":77,"clientOrderId":"{name}","price":"30000.00","origQty":"{qty}","executedQty":"{qty}","status":"FILLED","side":"BUY"}}"#
    )
}

#[test]
fn a_list_of_more_fills_than_one_reply_holds_is_read_page_by_page() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let server = RawServer::start(move |_, peer| {
        log_on(peer)?;
        peer.read_text()?;
        // No report ever tells that it is filled.
        peer.send(&text("{\"e\":\"executionReport\",\"c\":\"p1-0-1\",\"C\":\"\"}"))?;
        loop {
            let request = peer.read_text()?;
            match request.contains("myTrades") {
                true => {
                    let list = format!("[{}]", page(&request));
                    log.lock().unwrap().push(request.clone());
                    reply(peer, &request, &list)?;
                }
                false => reply(peer, &request, &filled("p1-0-1", "0.02500"))?,
            }
        }
    });
    let options = TraderOptions { frame_bytes_max: 1 << 20, ..TraderOptions::default() };
    let mut trader = Trader::<BinanceSpot>::new(server.address, &options);
    trader.drive_to_ready();
    trader.command(OrderAction::Submit, 1, |command| {
        (command.price, command.qty) = (3_000_000, TRADES as i64);
        command.side_code = Side::Buy.code();
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
    });
    let is_listed = |report: &&ExecReport| report.exec_type() == Some(ExecType::Corrected);
    trader.drive("every fill", |seen, _| {
        let reports = crate::trader::reports(seen, 1);
        reports.iter().filter(is_listed).count() as u64 == TRADES
    });
    let reports = trader.reports(1);
    let inferred = fills(&reports);
    assert_eq!((inferred.len(), inferred[0].last_qty), (1, TRADES as i64), "told at once, in one");
    let listed = reports.iter().filter(is_listed);
    for (report, id) in listed.zip(FIRST..) {
        assert_eq!(report.execution_id, VenueRef::number(id), "each once, in order");
        assert_eq!(report.last_price, if id.is_multiple_of(2) { 3_000_000 } else { 2_999_900 });
    }
    let asked: Vec<_> = requests
        .lock()
        .unwrap()
        .iter()
        .map(|text| {
            serde_json::from_str::<serde_json::Value>(text).unwrap()["params"]["fromId"].as_u64()
        })
        .collect();
    assert_eq!(asked, [None, Some(0), Some(FIRST + 1_000), Some(FIRST + 2_000)]);
    trader.assert_sound();
}

/// Fills of OKX from this bill on are of the last three days.
const OKX_RECENT: u64 = 1_130;

/// The newest hundred of 250 fills of OKX, or of those before a bill, as the list that is asked for
/// has them.
fn okx_page(request: &str) -> String {
    let first = if request.contains("/fills-history?") { 1_000 } else { OKX_RECENT };
    let after = request.split_once("&after=").map(|(_, rest)| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().expect("a number")
    });
    let end = after.unwrap_or(1_250);
    let fill = |bill: u64| {
        let price = 29_900 + bill % 2;
        format!(
            r#"{{"instId":"BTCUSDT","ordId":"77","clOrdId":"p1x0x1","tradeId":"{bill}","billId":"{bill}","fillPx":"{price}","fillSz":"0.00004","fee":"0","feeCcy":"BTC","execType":"T"}}"#
        )
    };
    let fills: Vec<_> = (first..end).rev().take(100).map(fill).collect();
    format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, fills.join(","))
}

#[test]
fn a_list_that_a_venue_tells_backwards_is_told_from_the_first_fill_on() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let server = RawServer::start(move |_, peer| {
        Okx::log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            if request.contains("/trade/fills") {
                let after = request.split_once("&after=").map(|(_, rest)| rest[..4].to_owned());
                let is_history = request.contains("/trade/fills-history?instType=SPOT&");
                log.lock().unwrap().push((is_history, after));
                peer.reply(&request, &okx_page(&request))?;
            } else if Okx::asks(&request) == Asks::HowItStands {
                let stands = Okx::stands(&request, "p1x0x1", OrderStatus::Filled, "0.01000");
                peer.reply(&request, &stands)?;
            }
        }
    });
    let options = TraderOptions { answer_ms: 500, ..server.options() };
    let mut trader = Trader::<Okx>::new(server.address, &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    let is_listed = |report: &&ExecReport| report.exec_type() == Some(ExecType::Corrected);
    trader.drive("every fill", |seen, _| {
        crate::trader::reports(seen, 1).iter().filter(is_listed).count() == 250
    });
    let reports = trader.reports(1);
    for (report, id) in reports.iter().filter(is_listed).zip(1_000..) {
        assert_eq!(report.execution_id, VenueRef::number(id), "each once, in order");
        assert_eq!(report.last_price, if id.is_multiple_of(2) { 2_990_000 } else { 2_990_100 });
    }
    let asked = requests.lock().unwrap().clone();
    let after = |bill: &str| Some(bill.to_owned());
    let recent = [(false, None), (false, after("1150"))];
    let past = [(true, after("1130")), (true, after("1030"))];
    assert_eq!(asked, [recent, past].concat(), "first those of three days, then the others");
    trader.assert_sound();
}

#[test]
fn a_venue_that_ends_the_session_for_an_unknown_request_does_so_once() {
    keep_log();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let server = RawServer::start(move |_, peer| {
        log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            let method = request.split('"').nth(5).unwrap_or_default().to_owned();
            log.lock().unwrap().push(method.clone());
            let name = if request.contains("p1-0-1\"") { "p1-0-1" } else { "p1-0-2" };
            match method.as_str() {
                "order.place" => {
                    let lost = execution(name, 10, "TRADE", "FILLED", "0.01", "0.01");
                    peer.send(&text(&lost.replace(r#""L":"30000.00""#, r#""L":"""#)))?;
                }
                "order.status" => reply(peer, &request, &filled(name, "0.01000"))?,
                // It knows no such method.
                _ => return Ok(()),
            }
        }
    });
    let options = TraderOptions { name: "unlisted", ..TraderOptions::default() };
    let mut trader = Trader::<BinanceSpot>::new(server.address, &options);
    for id in [1, 2] {
        trader.drive_to_ready();
        trader.submit_resting(id);
        trader.drive_to(id, OrderStatus::Filled);
        assert_eq!(fills(&trader.reports(id))[0].last_qty, QTY);
        let asked = Arc::clone(&requests);
        let started_ns = trader.clock.now_ns();
        let clock = trader.clock.clone();
        // The second order's fills would be asked for as late as the first one's were.
        trader.drive("the end of the session", |_, counters| {
            let is_asked = asked.lock().unwrap().iter().any(|method| method == "myTrades");
            let waited_ns = clock.now_ns() - started_ns;
            if id == 1 { is_asked && counters.reconnects == 1 } else { waited_ns > 5_000 * MS }
        });
    }
    let asked = requests.lock().unwrap().iter().filter(|method| *method == "myTrades").count();
    assert_eq!((asked, trader.counters().reconnects), (1, 1), "learned for good");
    assert!(logged(&["[unlisted]", "the session ended when fills were asked for"]));
    trader.assert_sound();
}
