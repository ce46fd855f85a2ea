//! Every field of a report, with every absurdity that it may have (F32): the report is refused,
//! kept and alarmed, the venue is asked for that order and for no other, and the order heals.

use std::sync::{Arc, Mutex};

use pitlane_engine::event::{ExecReport, ExecType, FEE_UNKNOWN, INFERRED, OrderStatus};
use pitlane_engine::order::OrderAction;

use crate::harness::wall_ms;
use crate::raw::{RawServer, text};
use crate::scripted::{execution, id_of, log_on};
use crate::subject::BinanceSpot;
use crate::trader::{QTY, Trader, TraderOptions, fills};

/// Fields of a fill, as they stand in it, and what is absurd there.
const FIELDS: [(&str, &[&str]); 15] = [
    // Our name of the order, and the venue's.
    (r#""c":"p1-0-1""#, &[r#""c":"""#, r#""c":"p1-0-999""#, r#""c":"somebody's""#, r#""c":7"#]),
    (r#""i":77"#, &[r#""i":78"#, r#""i":0"#, r#""i":-1"#, r#""i":"77""#, r#""i":2e3"#, I_MAX]),
    // Quantity of the order, of the fill, and filled so far.
    (r#""q":"0.01000""#, &[r#""q":"0.02000""#, r#""q":"0""#, r#""q":"-0.01""#, r#""q":"1e9""#]),
    (r#""l":"0.01000""#, &[r#""l":"0.02000""#, r#""l":"0""#, r#""l":"-0.01""#, r#""l":"NaN""#]),
    (r#""z":"0.01000""#, &[r#""z":"0.02000""#, r#""z":"0""#, r#""z":"-0.01""#, Z_OVERFLOW]),
    // Limit price, price of the fill, and the sum of all fills.
    (r#""p":"30000.00""#, &[r#""p":"30000.01""#, r#""p":"0""#, r#""p":"-30000""#, r#""p":30000"#]),
    (
        r#""L":"30000.00""#,
        &[r#""L":"30000.01""#, r#""L":"0""#, r#""L":"-1""#, r#""L":"0.01""#, r#""L":"15000""#],
    ),
    (r#""Z":"300""#, &[r#""Z":"3""#, r#""Z":"1000000""#]),
    (r#""s":"BTCUSDT""#, &[r#""s":"MOONUSDT""#, r#""s":"""#, r#""s":null"#]),
    (r#""S":"BUY""#, &[r#""S":"SELL""#, r#""S":"HOLD""#, r#""S":"""#]),
    (r#""E":NOW"#, &[r#""E":0"#, r#""E":99999999999999"#, r#""E":-1"#, E_OVERFLOW]),
    (r#""T":NOW"#, &[r#""T":99999999999999"#, r#""T":-1"#, r#""T":"now""#]),
    (
        r#""X":"FILLED""#,
        &[
            r#""X":"NEW""#,
            r#""X":"PENDING_NEW""#,
            r#""X":"PENDING_CANCEL""#,
            r#""X":"PARTIALLY_FILLED""#,
            r#""X":"CANCELED""#,
            r#""X":"filled""#,
            r#""X":"""#,
        ],
    ),
    (r#""t":11"#, &[r#""t":-1"#, r#""t":-2"#, r#""t":18446744073709551615"#, r#""t":"11""#]),
    (r#""I":11"#, &[r#""I":18446744073709551615"#, r#""I":0"#, r#""I":-1"#]),
];

const I_MAX: &str = r#""i":18446744073709551615"#;
const Z_OVERFLOW: &str = r#""z":"92233720368547.75808""#;
const E_OVERFLOW: &str = r#""E":18446744073709551615"#;

/// What is absurd about the fee of a fill, and leaves the fill true.
const FEES: [&str; 4] = [
    r#""n":"0.01000001","N":"BTC""#,
    r#""n":"92233720368.54775807","N":"BNB""#,
    r#""n":"much","N":"BTC""#,
    r#""n":"0.00001","N":"AN_ASSET_WITH_A_VERY_LONG_NAME""#,
];

/// The true fill of the first order, in whole.
fn true_fill() -> String {
    let told = execution("p1-0-1", 11, "TRADE", "FILLED", "0.01000", "0.01000");
    told.replace(r#""Z":"0""#, r#""Z":"300""#)
}

/// What a run with two orders and one report on the first of them came to.
struct Outcome {
    requests: Vec<String>,
    told: Vec<ExecReport>,
    told_of_other: Vec<ExecReport>,
    contradictions: u64,
    letters: usize,
}

impl Outcome {
    fn requests_for(&self, what: &str, order: &str) -> usize {
        let quoted = format!("\"{order}\"");
        self.requests.iter().filter(|r| r.contains(what) && r.contains(&quoted)).count()
    }
}

/// Two orders rest; the venue tells `report` of the first, and answers questions truly.
fn run(report: String, until: impl Fn(&[ExecReport]) -> bool) -> Outcome {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let server = RawServer::start(move |_, peer| {
        log_on(peer)?;
        for (place, venue_id) in [(1, 77), (2, 78)] {
            let request = peer.read_text()?;
            let name = format!("p1-0-{place}");
            assert!(request.contains(&name), "{request}");
            let new = execution(&name, 10, "NEW", "NEW", "0", "0");
            peer.send(&text(&new.replace(r#""i":77"#, &format!(r#""i":{venue_id}"#))))?;
            let id = id_of(&request);
            peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{{}}}}"#)))?;
        }
        peer.send(&text(&report))?;
        loop {
            let request = peer.read_text()?;
            let id = id_of(&request);
            let result = if request.contains("myTrades") {
                r#"[{"symbol":"BTCUSDT","id":11,"orderId":77,"price":"30000.00","qty":"0.01","commission":"0.00001","commissionAsset":"BTC"}]"#
            } else {
                r#"{"symbol":"BTCUSDT","orderId":77,"clientOrderId":"p1-0-1","price":"30000.00","origQty":"0.01","executedQty":"0.01","cummulativeQuoteQty":"300","status":"FILLED","side":"BUY"}"#
            };
            log.lock().unwrap().push(request);
            peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{result}}}"#)))?;
        }
    });
    let mut trader = Trader::<BinanceSpot>::new(server.address, &TraderOptions::default());
    trader.drive_to_ready();
    for id in [1, 2] {
        trader.submit_resting(id);
        trader.drive("it is open", |seen, _| !crate::trader::reports(seen, id).is_empty());
    }
    trader.drive("the order heals", |seen, _| until(&crate::trader::reports(seen, 1)));
    // The venue would hear of the other one by now.
    trader.command(OrderAction::Query, 999, |_| {});
    (0..20).for_each(|_| trader.turn());
    trader.assert_sound();
    let counters = trader.counters();
    let outcome = Outcome {
        requests: requests.lock().unwrap().clone(),
        told: trader.reports(1),
        told_of_other: trader.reports(2),
        contradictions: counters.contradictions,
        letters: trader.outlet.seen().letters.len(),
    };
    assert_eq!(counters.reconnects, 0, "an absurd word costs no session");
    outcome
}

fn is_filled(reports: &[ExecReport]) -> bool {
    reports.last().and_then(ExecReport::status) == Some(OrderStatus::Filled)
}

/// What is wrong with the outcome of a report that is to be refused in whole.
fn wrong_with_refusal(outcome: &Outcome) -> Option<String> {
    let told = fills(&outcome.told);
    let is_by_answer = told.len() == 1
        && told[0].has(INFERRED)
        && (told[0].last_qty, told[0].last_price) == (QTY, 3_000_000);
    let types: Vec<_> = outcome.told_of_other.iter().filter_map(ExecReport::exec_type).collect();
    let checks = [
        (is_by_answer, "not told by the answer alone"),
        (outcome.contradictions > 0, "not alarmed"),
        (outcome.letters > 0, "not kept"),
        (outcome.requests_for("order.status", "p1-0-1") > 0, "not asked for"),
        (outcome.requests_for("order.status", "p1-0-2") == 0, "the other one is asked for"),
        (types == [ExecType::New], "the other one is touched"),
    ];
    checks.into_iter().find(|(is_right, _)| !is_right).map(|(_, wrong)| wrong.to_owned())
}

#[test]
fn every_field_with_every_absurdity_is_refused_alarmed_and_asked_for() {
    let now = wall_ms().to_string();
    let mut cells = 0;
    let mut wrong = Vec::new();
    for (field, absurdities) in FIELDS {
        for absurdity in absurdities {
            let fill = true_fill();
            let stamp = format!("\"{}\":", &field[1..2]);
            let field = match field.strip_suffix("NOW") {
                Some(_) => {
                    let at = fill.find(&stamp).expect("it has a time") + stamp.len();
                    format!("{stamp}{}", &fill[at..at + now.len()])
                }
                None => field.to_owned(),
            };
            let report = fill.replace(&field, absurdity);
            assert_ne!(report, fill, "{field}");
            let outcome = run(report, is_filled);
            cells += 1;
            wrong.extend(wrong_with_refusal(&outcome).map(|what| format!("{absurdity}: {what}")));
        }
    }
    println!("{cells} cells");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_absurd_fee_leaves_the_fill_and_is_asked_for() {
    let run_one = |fee: &'static str| {
        let report = true_fill().replace(r#""n":"0","N":null"#, fee);
        assert_ne!(report, true_fill());
        let is_corrected = |r: &ExecReport| r.exec_type() == Some(ExecType::Corrected);
        let outcome = run(report, |reports| reports.iter().any(is_corrected));
        let told = fills(&outcome.told);
        assert_eq!(told.len(), 1, "{fee}");
        assert!(told[0].has(FEE_UNKNOWN) && !told[0].has(INFERRED), "{fee}");
        assert_eq!((told[0].last_qty, told[0].last_price), (QTY, 3_000_000), "{fee}");
        let corrected = outcome.told.iter().find(|report| is_corrected(report)).expect("just seen");
        assert_eq!((corrected.fee, corrected.fee_asset_name().as_str()), (1_000, "BTC"), "{fee}");
        assert!(outcome.contradictions > 0 && outcome.letters > 0, "{fee}: not alarmed");
        assert_eq!(outcome.requests.len(), 1, "{fee}: {:?}", outcome.requests);
        assert!(outcome.requests[0].contains("myTrades"), "{fee}");
    };
    std::thread::scope(|scope| {
        FEES.into_iter().for_each(|fee| drop(scope.spawn(move || run_one(fee))));
    });
}
