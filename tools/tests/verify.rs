//! `verify`, its canary, `soak` and `dlq` as a person calls them.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use pitlane_engine::StrategyRegistry;
use pitlane_tools::{Exit, Terminal, run_cli};
use serde_json::Value;

/// The allocator that `pitlane` has: SC-002 is judged by its counts.
#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

/// Trials pin threads, count allocations of the process, and count its threads and files: one at a
/// time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Ran {
    exit: Exit,
    out: String,
    err: String,
}

fn ran_until(line: &[&str], stop: bool) -> Ran {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal { out: &mut out, err: &mut err, err_is_terminal: false };
    let args = std::iter::once("pitlane").chain(line.iter().copied());
    let exit = run_cli(args, &StrategyRegistry::new(), &AtomicBool::new(stop), &mut terminal);
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { exit, out: text(out), err: text(err) }
}

fn ran(line: &[&str]) -> Ran {
    ran_until(line, false)
}

/// The rows of a run with `--json`.
fn rows(ran: &Ran) -> Vec<Value> {
    let object: Value = serde_json::from_str(&ran.out)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
    object["results"].as_array().expect("there are results").clone()
}

#[test]
fn exact_criteria_pass_and_show_their_attack() {
    // SC-004, SC-006, SC-007, SC-008, SC-010 and the accounts, on the running engine.
    let exact = "sc-006,SC-007,SC-008,ACCOUNTS,SC-004,SC-010";
    let ran = ran(&["verify", "--quick", "--only", exact, "--json"]);
    assert_eq!(ran.exit, Exit::Ok, "{}{}", ran.out, ran.err);
    let rows = rows(&ran);
    let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, ["SC-006", "SC-007", "SC-008", "ACCOUNTS", "SC-004", "SC-010"]);
    for row in &rows {
        assert_eq!(row["verdict"], "pass", "{row}");
        for key in ["measured", "bound", "attack"] {
            assert!(row[key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {row}");
        }
    }
    let text = |row: usize, key: &str| rows[row][key].as_str().unwrap().to_owned();
    assert!(text(0, "attack").contains("panics and"), "{}", text(0, "attack"));
    assert!(text(1, "measured").starts_with("10,000 caught"), "{}", text(1, "measured"));
    assert!(text(2, "measured").starts_with("10,000 refused"), "{}", text(2, "measured"));
    assert!(text(3, "measured").starts_with("0 broken accounts"), "{}", text(3, "measured"));
    assert!(text(4, "measured").starts_with("1,000 flips completed"), "{}", text(4, "measured"));
    assert!(text(4, "attack").starts_with("each flip through Engine::change"));
    assert!(text(5, "attack").contains("a stale event was queued at"), "{}", text(5, "attack"));
}

#[test]
fn every_check_that_is_exact_notices_its_planted_fault() {
    let exact = "SC-002,SC-004,SC-005,SC-006,SC-007,SC-008,SC-010,ACCOUNTS";
    let ran = ran(&["verify", "--canary", "--only", exact, "--json"]);
    assert_eq!(ran.exit, Exit::Ok, "{}{}", ran.out, ran.err);
    let rows = rows(&ran);
    assert_eq!(rows.len(), 9, "the accounts have two canaries: {}", ran.out);
    for row in rows {
        assert_eq!(row["verdict"], "pass", "{row}");
        assert!(row["done"].as_str().unwrap().starts_with("planted: "), "{row}");
        assert!(row["measured"].as_str().unwrap().starts_with("noticed: "), "{row}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_and_an_interrupt_leaves_no_table() {
    let unknown = ran(&["verify", "--only", "SC-011"]);
    assert_eq!((unknown.exit, unknown.out.as_str()), (Exit::Usage, ""));
    assert!(unknown.err.contains("one of SC-001"), "{}", unknown.err);
    assert_eq!(ran(&["verify", "--quick", "--full"]).exit, Exit::Usage);
    let interrupted = ran_until(&["verify", "--only", "SC-006"], true);
    assert_eq!((interrupted.exit, interrupted.out.as_str()), (Exit::Failed, ""));
    assert!(interrupted.err.contains("interrupted"), "{}", interrupted.err);
}

#[test]
fn a_soak_writes_a_line_each_time_and_a_verdict() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let csv = folder.path().join("soak.csv");
    let path = csv.display().to_string();
    let line = ["soak", "--duration", "1300ms", "--every", "250ms", "--csv", &path];
    let ran = ran(&line);
    let text = fs::read_to_string(&csv).expect("the lines were written");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert!(lines.len() >= 4, "{text}");
    let column = |name: &str| lines[0].iter().position(|head| *head == name).expect(name);
    for name in ["resident_kib", "events", "handled"] {
        let values: Vec<u64> =
            lines[1..].iter().map(|line| line[column(name)].parse().expect(name)).collect();
        assert!(values.iter().all(|value| *value > 0), "{name}: {text}");
    }
    // So short a soak is still touching its memory for the first time: its growth may be out of
    // bound.
    assert!(ran.err.contains("accounts hold; critical lost 0, out of order 0"), "{}", ran.err);
    assert!(ran.err.contains("slots owned 0"), "{}", ran.err);
}

/// A quote that would now be accepted, and two that would not.
fn letters() -> String {
    let letter = |venue: &str, reason: &str, raw: (&str, &str)| {
        let mut letter = serde_json::json!({
            "wall_ns": 1_709_164_800_123_000_000_i64, "venue": venue, "trace_id": 7,
            "reason": reason, "detail": "as it was", "bytes": raw.1.len(),
        });
        letter[raw.0] = raw.1.into();
        format!("{letter}\n")
    };
    let quote =
        r#"{"u":4,"s":"BTCUSDT","b":"60000.00","B":"1.00000","a":"60000.01","A":"2.00000"}"#;
    letter("simulated", "field", ("raw", quote))
        + &letter("simulated", "malformed", ("raw", "{oops"))
        + &letter("other", "malformed", ("raw_hex", "ff0041"))
}

#[test]
fn dead_letters_are_listed_shown_and_decoded_again() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("dead_letters.jsonl");
    fs::write(&path, letters()).expect("the folder takes a file");
    let file = path.display().to_string();
    let list = ran(&["dlq", "list", &file]);
    assert_eq!(list.exit, Exit::Ok, "{}", list.err);
    assert!(list.out.contains("2024-02-29 00:00:00.123") && list.out.ends_with("3 letters\n"));
    for (option, value, left) in
        [("--reason", "field", 1), ("--venue", "other", 1), ("--since", "1h", 0)]
    {
        let some = ran(&["dlq", "list", &file, option, value]).out;
        let end = if left == 1 { "1 letter\n".to_owned() } else { format!("{left} letters\n") };
        assert!(some.ends_with(&end), "{option} {value}: {some}");
    }
    // Files of older versions name no session.
    let of_session = ran(&["dlq", "list", &file, "--session", "simulated:market"]).out;
    assert!(of_session.ends_with("0 letters\n"), "{of_session}");
    let shown = ran(&["dlq", "show", &file, "3"]).out;
    assert!(shown.contains("ff 00 41") && shown.contains("..A"), "{shown}");
    assert_eq!(ran(&["dlq", "show", &file, "4"]).exit, Exit::Usage);
    let replayed = ran(&["dlq", "replay", &file]);
    assert!(replayed.out.contains("accepted: quote, update 4"), "{}", replayed.out);
    assert!(replayed.out.contains("refused: decode failed"), "{}", replayed.out);
    assert!(replayed.out.ends_with("1 of 3 would now be accepted\n"), "{}", replayed.out);
}

#[test]
fn a_letter_is_read_in_the_dialect_that_it_names() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("dead_letters.jsonl");
    let diff = r#"{"e":"depthUpdate","E":9,"s":"BTCUSDT","U":5,"u":7,"b":[],"a":[]}"#;
    let of_kind = |kind: &str| {
        let letter = serde_json::json!({
            "wall_ns": 1, "venue": "v", "kind": kind, "session": "v:market-2", "trace_id": 7,
            "reason": "field", "detail": "as it was", "bytes": diff.len(), "raw": diff,
        });
        format!("{letter}\n")
    };
    let letters = ["binance", "binance_futures", "nasdaq"].map(of_kind).concat();
    fs::write(&path, letters).expect("the folder takes a file");
    let file = path.display().to_string();
    let replayed = ran(&["dlq", "replay", &file]).out;
    for part in [
        "accepted: diff of 0 bids and 0 asks",
        "refused: decode failed: field pu missing",
        "refused: \"nasdaq\" is no kind of venue; there are binance",
        "1 of 3 would now be accepted",
    ] {
        assert!(replayed.contains(part), "{part}: {replayed}");
    }
    let shown = ran(&["dlq", "show", &file, "2"]).out;
    assert!(shown.contains("kind    binance_futures"), "{shown}");
}

#[test]
fn a_torn_letter_is_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("dead_letters.jsonl");
    fs::write(&path, letters() + "{\"wall_ns\":17").expect("the folder takes a file");
    let file = path.display().to_string();
    let list = ran(&["dlq", "list", &file]);
    assert_eq!(list.exit, Exit::Unreadable);
    assert!(list.out.ends_with("3 letters\n"), "{}", list.out);
    assert!(list.err.contains(":4: not a letter"), "{}", list.err);
    for path in ["no/such/file", "/dev/zero", "/tmp"] {
        assert_eq!(ran(&["dlq", "list", path]).exit, Exit::Unreadable, "{path}");
    }
}
