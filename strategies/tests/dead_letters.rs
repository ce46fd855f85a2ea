//! Dead letters through the real binary: to a consumer of a running engine, and through a strategy
//! offline.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pitlane_engine::event::{
    Event, EventPayload, ExecType, OrderStatus, Quote, RejectReason, Risk, Side,
};

mod running_engine;
use running_engine::{Engine, PITLANE, text};

/// A number that no order of the test's has.
const ORDER: u64 = 4_000_000_007;

fn letter<P: EventPayload>(number: i64, payload: &P) -> String {
    let event = Event::new(payload);
    let hex: String = event.to_used_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let letter = serde_json::json!({
        "wall_ns": 1_709_164_800_123_000_000_i64 + number, "venue": "simulated",
        "kind": "binance", "session": "dispatcher", "consumer": "momentum", "trace_id": number,
        "reason": "undelivered", "detail": "cut off", "bytes": hex.len() / 2, "raw_hex": hex,
        "instrument": "BTC-USDT", "price_scale": 2, "qty_scale": 5,
    });
    format!("{letter}\n")
}

fn fill() -> pitlane_engine::event::ExecReport {
    let zeroed = Event::from_used_bytes(&zeroed_report()).unwrap();
    let mut report = *zeroed.get::<pitlane_engine::event::ExecReport>().unwrap();
    (report.client_order_id, report.side_code) = (ORDER, Side::Buy.code());
    (report.price, report.qty) = (6_000_000, 100_000);
    (report.last_price, report.last_qty, report.filled_qty) = (6_000_000, 40_000, 40_000);
    report.exec_type_code = ExecType::Trade.code();
    report.status_code = OrderStatus::PartiallyFilled.code();
    report
}

/// The bytes of a report in which everything is 0.
fn zeroed_report() -> Vec<u8> {
    let quote = Quote { bid_price: 0, bid_qty: 0, ask_price: 0, ask_qty: 0 };
    let mut bytes = Event::new(&quote).to_used_bytes().to_vec();
    bytes[1] = pitlane_engine::event::EventKind::ExecReport.code();
    bytes.resize(size_of::<Event>(), 0);
    bytes
}

/// A fill, a risk notice, a quote, and bytes of a session.
fn letters(folder: &Path) -> PathBuf {
    let risk = Risk {
        client_order_id: 0,
        value: 3,
        limit: 2,
        consumer: 9,
        reason_code: RejectReason::RateLimit.code(),
        scope_code: 0,
        venue: 0,
    };
    let quote = Quote { bid_price: 6_000_000, bid_qty: 5, ask_price: 6_000_001, ask_qty: 5 };
    let raw = r#"{"u":4,"s":"BTCUSDT","b":"60000.00","B":"1.00000","a":"60000.01","A":"2.00000"}"#;
    let frame = serde_json::json!({
        "wall_ns": 1, "venue": "simulated", "kind": "binance", "session": "simulated:market",
        "trace_id": 7, "reason": "field", "detail": "as it was", "bytes": raw.len(), "raw": raw,
    });
    let path = folder.join("dead_letters.jsonl");
    let text = letter(1, &fill()) + &letter(2, &risk) + &letter(3, &quote) + &format!("{frame}\n");
    std::fs::write(&path, text).unwrap();
    path
}

fn dlq(args: &[&str], file: &Path) -> Output {
    Command::new(PITLANE).arg("dlq").arg(args[0]).arg(file).args(&args[1..]).output().unwrap()
}

#[test]
fn a_running_engine_takes_what_its_strategy_missed_once_and_nothing_of_the_market() {
    let engine = Engine::start();
    let file = letters(engine.dir.path());
    let socket = engine.socket.display().to_string();
    let to = |consumer: &str| dlq(&["replay", "--to", consumer, "--socket", &socket], &file);
    let first = to("momentum");
    let said = text(&first.stdout);
    assert_eq!(first.status.code(), Some(1), "the quote and the bytes: {said}");
    for part in [
        "1: exec_report: trade of order 4000000007, 0.40000 at 60000.00: delivered: exec_report handed to \
         consumer momentum\n",
        "2: risk, sequence 0: delivered: risk handed to consumer momentum\n",
        "3: quote, sequence 0: refused: deliver failed: a quote of its own time is not the market \
         of now\n",
        "4: field: refused: bytes of a venue's session",
        "2 delivered, 0 were before, 2 refused\n",
    ] {
        assert!(said.contains(part), "{part} is missing from: {said}");
    }
    let again = text(&to("momentum").stdout);
    assert!(again.contains("0 delivered, 2 were before, 2 refused\n"), "{again}");
    let other = text(&to("noop").stdout);
    assert!(other.contains("refused: it was for consumer momentum"), "{other}");
    // What was told again is booked nowhere: no order of that number is open.
    let runs = engine.dir.path().join("runs");
    let kept = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    let mark = format!("\"order\":{ORDER}");
    let of_order = |file: &str| {
        let text = std::fs::read_to_string(kept.join(file)).unwrap_or_default();
        text.lines().filter(|line| line.contains(&mark)).map(str::to_owned).collect::<Vec<_>>()
    };
    let started = std::time::Instant::now();
    while of_order("orders.jsonl").is_empty() && started.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    let lines = of_order("orders.jsonl");
    assert!(lines.len() == 1 && lines[0].contains("\"event\":\"retold\""), "{lines:?}");
    assert!(of_order("fills.jsonl").is_empty(), "it was booked");
    let (_report, said) = engine.stop();
    assert!(said.contains("[control] {\"verb\":\"deliver\""), "journalled: {said}");
}

#[test]
fn letters_go_through_a_strategy_offline_and_it_is_said_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let file = letters(dir.path());
    let done = dlq(&["replay", "--strategy", "market_maker"], &file);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", text(&done.stderr));
    assert!(said.contains("4: quote, update 4: handled"), "{said}");
    assert!(said.contains("sent sell "), "market_maker quotes: {said}");
    assert!(said.contains("4 events handled, "), "{said}");
    let unknown = dlq(&["replay", "--strategy", "momentun"], &file);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there are faulty, market_maker, momentum, noop"));
    let most = dlq(&["replay", "--strategy", "noop", "--max", "3"], &file);
    assert_eq!(most.status.code(), Some(2), "half of it would be worse than nothing");
}

#[test]
fn an_event_is_shown_as_a_person_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = letters(dir.path());
    let shown = text(&dlq(&["show", "1"], &file).stdout);
    for part in [
        "for     consumer momentum\n",
        "event   exec_report of BTC-USDT",
        "  report          trade\n",
        "  filled          0.40000\n",
        "  remaining       0.60000\n",
        "  this fill       0.40000 at 60000.00\n",
    ] {
        assert!(shown.contains(part), "{part} is missing from: {shown}");
    }
    assert!(!shown.contains("ExecReport {") && !shown.contains("_code"), "{shown}");
    let quote = text(&dlq(&["show", "3"], &file).stdout);
    assert!(quote.contains("  best bid  0.00005 at 60000.00\n"), "{quote}");
}
