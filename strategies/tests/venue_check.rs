//! `pitlane venue check`, as its users run it, at venues that speak as the real ones do.

mod common;
mod running_engine;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use pitlane_engine::venue::binance::Credentials;
use pitlane_engine::venue::kraken::KrakenSecret;
use pitlane_engine::venue::protocol::{Keys, SharedSecret, Signer};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{
    Fault, FaultPlan, SimulatedSymbol, SimulatedVenue, SimulatedVenueOptions, Trigger,
};

use pitlane_engine::world::Files;

use common::write_key;
use running_engine::{Engine, PITLANE};

/// A venue of a kind, and the file of who checks it.
struct Checked {
    venue: SimulatedVenue,
    file: PathBuf,
    /// Gone with it.
    dirs: Vec<tempfile::TempDir>,
}

impl Checked {
    /// With these lines of the venue's and this rest of the file.
    fn start(kind: &str, options: SimulatedVenueOptions, lines: &str, rest: &str) -> Checked {
        let dir = tempfile::tempdir().unwrap();
        let dialect = VenueKind::simulable().find(|(of, _)| of.name == kind).unwrap().1;
        let venue = SimulatedVenue::start_as(dialect, options).unwrap();
        let (at, stream) = (venue.address(), dialect.stream_path);
        let file = dir.path().join("pitlane.toml");
        let runs = dir.path().join("runs");
        let text = format!(
            "[engine]\nrun_dir = {runs:?}\n[cores]\npin = false\n[[venue]]\nname = 'near'\n\
             kind = '{kind}'\nstream_url = 'ws://{at}{stream}'\nrest_url = 'http://{at}'\n\
             {lines}\n{rest}"
        );
        std::fs::write(&file, text).unwrap();
        Checked { venue, file, dirs: vec![dir] }
    }

    #[track_caller]
    fn assert_check(&self, expected: i32, parts: &[&str]) {
        assert_check("near", &self.file, expected, parts);
    }
}

fn check(args: &[&str], file: Option<&Path>) -> Output {
    let mut command = Command::new(PITLANE);
    command.args(["venue", "check"]).args(args);
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    command.output().unwrap()
}

/// Checks once more, for longer, where that does not end as it must: a machine that is busy
/// elsewhere may need it until sessions and books stand.
#[track_caller]
fn assert_check(name: &str, file: &Path, expected: i32, parts: &[&str]) {
    let (code, text) = said(&check(&[name, "--duration", "3s"], Some(file)));
    if code != Some(expected) || !parts.iter().all(|part| text.contains(part)) {
        assert_has(&said(&check(&[name, "--duration", "15s"], Some(file))), expected, parts);
    }
}

/// Exit code, and all that was said; cells that are broken into lines are put together.
fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    let words = text.split_whitespace().filter(|word| *word != "|");
    (output.status.code(), words.collect::<Vec<_>>().join(" "))
}

#[track_caller]
fn assert_has((code, text): &(Option<i32>, String), expected: i32, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_eq!(*code, Some(expected), "{text}");
}

#[test]
fn every_kind_tells_its_instruments_and_they_are_those_of_the_configuration() {
    for (kind, _) in VenueKind::simulable() {
        let options = SimulatedVenueOptions { events_per_s: 500, ..Default::default() };
        let checked = Checked::start(kind.name, options, "api_key = 'simulated'", "");
        let parts = ["instruments holds 1 listed, and trading", "filters holds"];
        checked.assert_check(0, &parts);
        assert!(checked.venue.ledger().orders.is_empty());
    }
}

#[test]
fn a_scale_that_the_venues_tick_does_not_fit_fails_with_what_to_write() {
    for kind in ["binance", "okx"] {
        let symbol = SimulatedSymbol {
            price_scale: 4,
            start_price: 600_000_000,
            tick: 25,
            qty_scale: 8,
            step: 1,
            min_notional: 50_000,
            ..SimulatedSymbol::default()
        };
        let symbols = vec![symbol];
        let options = SimulatedVenueOptions { symbols, events_per_s: 500, ..Default::default() };
        let checked = Checked::start(kind, options, "", "");
        let parts = [
            "filters FAILS BTCUSDT: the venue's tick is 0.0025, and price_scale = 2 ends at 0.01",
            "write price_scale = 4 and tick = \"0.0025\"",
            "BTCUSDT: the venue's step is 0.00000001, and qty_scale = 5 ends at 0.00001",
        ];
        checked.assert_check(1, &parts);
        // As it says.
        let own = "[[instrument]]\nsymbol = 'BTC-USDT'\nprice_scale = 4\ntick = '0.0025'\n\
                   qty_scale = 8\nstep = '0.00000001'\n";
        let text = std::fs::read_to_string(&checked.file).unwrap();
        std::fs::write(&checked.file, text + own).unwrap();
        checked.assert_check(0, &["filters holds"]);
    }
}

#[test]
fn an_instrument_that_is_halted_or_not_listed_fails_by_its_native_name() {
    for (kind, word) in [("binance", "BREAK"), ("bybit", "Settling"), ("kraken", "cancel_only")] {
        let duration = Duration::from_secs(60);
        let fault_plan = FaultPlan::one(Fault::MarketBreak { duration }, Trigger::At(1));
        let options = SimulatedVenueOptions { fault_plan, events_per_s: 500, ..Default::default() };
        let more = "[[instrument]]\nsymbol = 'BTC-USDT'\n[[instrument]]\nsymbol = 'OLD-USDT'\n";
        let checked = Checked::start(kind, options, "", more);
        let halted = format!("BTCUSDT does not trade: it is {word}");
        let parts = ["instruments FAILS", &halted, "OLDUSDT is not listed there"];
        checked.assert_check(1, &parts);
    }
}

/// The recordings, where they are.
fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("PITLANE_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        pitlane_engine::testing::skipped("PITLANE_RECORDINGS is not set");
    }
    folder
}

fn check_recording(kind: &str, path: &Path, file: Option<&Path>) -> (Option<i32>, String) {
    said(&check(&[kind, "--recording", path.to_str().unwrap()], file))
}

#[test]
fn a_recording_is_held_against_the_list_of_instruments_in_it() {
    let Some(folder) = recordings() else { return };
    let session = folder.join("kraken/v2_book25_btcusd_20260826.jsonl");
    let parts = ["instruments holds 1 listed, and trading", "filters holds", "0.00005 0.5"];
    assert_has(&check_recording("kraken", &session, None), 0, &parts);
    // The same, with a file whose instrument has one place too few.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("my.toml");
    let text = "[[venue]]\nname = 'recorded'\nkind = 'kraken'\n\
                stream_url = 'ws://127.0.0.1:9/v2'\n[[instrument]]\nsymbol = 'BTC-USD'\nnative = { recorded = 'BTC/USD' }\n\
                price_scale = 0\ntick = '1'\nqty_scale = 8\nstep = '0.00000001'\n\
                start_price = '60000'\n";
    std::fs::write(&file, text).unwrap();
    let parts = ["filters FAILS BTC/USD: the venue's tick is 0.1, and price_scale = 0 ends at 1"];
    assert_has(&check_recording("kraken", &session, Some(&file)), 1, &parts);
}

#[test]
fn a_list_beside_the_frames_is_read_and_without_one_nothing_holds() {
    let Some(folder) = recordings() else { return };
    let session = folder.join("binance/spot_multi4_20211012");
    let parts = ["instruments not seen the recording has no list of instruments"];
    assert_has(&check_recording("binance", &session, None), 0, &parts);
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&session).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let list = "rest_exchangeInfo_20211012.json";
    std::fs::copy(folder.join("binance").join(list), dir.path().join(list)).unwrap();
    let parts = ["instruments holds 4 listed, and trading", "filters holds"];
    assert_has(&check_recording("binance", dir.path(), None), 0, &parts);
}

#[test]
fn what_is_recorded_has_the_venues_instruments_in_it() {
    for kind in ["binance", "bybit", "binance_sbe"] {
        let options = SimulatedVenueOptions { events_per_s: 500, ..Default::default() };
        let checked = Checked::start(kind, options, "api_key = 'simulated'", "");
        let out = checked.file.with_file_name("recorded");
        let mut command = Command::new(PITLANE);
        command.args(["record", "--duration", "3s", "--out"]).arg(&out);
        let recorded = command.arg("--config").arg(&checked.file).output().unwrap();
        assert!(recorded.status.success(), "{recorded:?}");
        let parts = ["instruments holds 1 listed, and trading", "filters holds"];
        let folder = out.join("near");
        let checked = check_recording(kind, &folder, None);
        assert_has(&checked, 0, &parts);
        let parts = ["schema holds every frame was decoded", "books holds 1 of 1 live at the end"];
        assert_has(&checked, 0, &parts);
        let mut command = Command::new(PITLANE);
        command.args(["run", "--speed", "max", "--report", "json", "--recording"]).arg(&folder);
        let played = command.current_dir(out.parent().unwrap()).output().unwrap();
        assert!(played.status.success(), "{kind}: {played:?}");
        let report: serde_json::Value = serde_json::from_slice(&played.stdout).unwrap();
        let venue = &report["venues"][0];
        assert!(venue["decoded"].as_u64() > Some(100), "{kind}: {venue}");
        assert_eq!((&venue["refused"], &venue["gaps"]), (&0.into(), &0.into()), "{kind}");
        assert_eq!(report["books"].as_object().unwrap().len(), 1, "{kind}");
    }
}

/// The key's name at the venue.
const KEY: &str = "engine";
/// A secret of the form that Kraken shows.
const BASE64: &str =
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";

/// Writes a key of a kind of venue; what the venue knows it by.
fn write_key_of(kind: &str, path: &Path) -> Vec<u8> {
    let keys = Keys { api_key: KEY, private_key_file: path, files: &Files::Real, chance: 0 };
    let text = match kind {
        "okx" => "first\nsecond",
        "kraken" => BASE64,
        _ => "first",
    };
    write_key(path);
    if !kind.starts_with("binance") {
        std::fs::write(path, text).unwrap();
    }
    match kind {
        "okx" => SharedSecret::<2>::read(keys).unwrap().verifying_key(),
        "bybit" => SharedSecret::<1>::read(keys).unwrap().verifying_key(),
        "kraken" => KrakenSecret::read(keys).unwrap().verifying_key(),
        _ => Credentials::read(keys).unwrap().verifying_key(),
    }
}

/// A venue of a kind with an account, and who checks it with these lines more.
fn with_account(kind: &str, key_trades: bool, lines: &str, rest: &str) -> Checked {
    let keys = tempfile::tempdir().unwrap();
    let path = keys.path().join("key");
    let verifying_key = write_key_of(kind, &path);
    let options = SimulatedVenueOptions {
        api_key: KEY.to_owned(),
        verifying_key,
        key_trades,
        events_per_s: 200,
        ..Default::default()
    };
    let lines = format!("api_key = '{KEY}'\nprivate_key_file = '{}'\n{lines}", path.display());
    let mut checked = Checked::start(kind, options, &lines, rest);
    checked.dirs.push(keys);
    let dialect = VenueKind::simulable().find(|(of, _)| of.name == kind).unwrap().1;
    let api =
        format!("api_url = 'ws://{}{}'\n", checked.venue.address(), dialect.api_path.unwrap());
    let text = std::fs::read_to_string(&checked.file).unwrap();
    let text = text.replace("name = 'near'\n", &format!("name = 'near'\n{api}"));
    std::fs::write(&checked.file, text).unwrap();
    checked
}

#[test]
fn every_kind_says_what_its_account_and_key_may_do() {
    for (kind, _) in VenueKind::simulable() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("my.toml");
        let text = format!(
            "[engine]\nrun_dir = {:?}\n[cores]\npin = false\n[simulated]\nkind = '{}'\n\
             events_per_s = 200\n",
            dir.path().join("runs"),
            kind.name
        );
        std::fs::write(&file, text).unwrap();
        let parts = [
            "sign-on holds the order session is ready, and has sent no order",
            "key may read holds",
            "fees holds maker",
            "USDT 1000000000 free, 0 in orders",
            "open orders holds none",
            "instruments holds",
        ];
        // Futures tell it of the account, and the others of the key.
        let parts = parts.map(|part| match kind.name {
            "binance_futures" => part.replace("holds maker", "holds BTCUSDT: maker"),
            _ => part.to_owned(),
        });
        let trades = match kind.name {
            "binance_futures" => "account may trade holds",
            _ => "key may trade holds",
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).chain([trades]).collect();
        assert_check("simulated", &file, 0, &parts);
    }
}

#[test]
fn a_key_that_may_not_trade_fails_and_one_that_is_not_known_signs_nothing_on() {
    for (kind, word) in [
        ("binance", "key may trade FAILS enableSpotAndMarginTrading false"),
        ("binance_futures", "account may trade FAILS canTrade false"),
        ("okx", "key may trade FAILS perm read_only"),
        ("bybit", "key may trade FAILS readOnly 1"),
        ("kraken", "it lacks modify-trades, close-trades"),
    ] {
        let checked = with_account(kind, false, "", "");
        let parts = ["sign-on holds", word, "key may read holds", "fees holds"];
        checked.assert_check(1, &parts);
    }
    let checked = with_account("binance", true, "", "");
    let text = std::fs::read_to_string(&checked.file).unwrap();
    std::fs::write(&checked.file, text.replace("'engine'", "'another'")).unwrap();
    let parts = ["sign-on FAILS logon refused by the venue", "key may trade not seen"];
    checked.assert_check(1, &parts);
    let output = check(&["near", "--duration", "2s", "--no-account"], Some(&checked.file));
    assert_has(&said(&output), 0, &["sign-on not seen --no-account"]);
}

fn open_orders(venue: &SimulatedVenue) -> usize {
    venue.ledger().orders.values().filter(|order| order.is_open()).count()
}

#[test]
fn a_check_leaves_every_open_order_of_the_account_as_it_is() {
    for (kind, timer) in [
        ("binance", ""),
        ("binance_futures", "dead_man_ms = 10000"),
        ("okx", "dead_man_ms = 10000"),
        ("bybit", "dead_man_ms = 3000"),
        ("kraken", "dead_man_ms = 10000"),
    ] {
        // An engine that was killed has left them.
        let maker = "[[consumer]]\nname = 'maker'\nstrategy = 'market_maker'\n\
                     params = { distance_ticks = 5_000, tolerance_ticks = 5_000 }\n";
        let checked = with_account(kind, true, "books = false", maker);
        let text = std::fs::read_to_string(&checked.file).unwrap();
        let trading = text.split_once("[[venue]]").unwrap().1;
        let mut engine = Engine::start_on(&format!("[[venue]]{trading}"), &[]);
        let began = std::time::Instant::now();
        while open_orders(&checked.venue) < 2 {
            assert!(began.elapsed() < common::PATIENCE, "{kind}: nothing is open");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        engine.child.kill().unwrap();
        engine.child.wait().unwrap();
        let before = open_orders(&checked.venue);
        // All that would cancel them in a run is set.
        let all = format!("name = 'near'\n{timer}\n");
        let text = text.replace("name = 'near'\n", &all);
        let journal = checked.file.with_file_name("journal");
        let more = format!(
            "[risk]\non_start = 'cancel'\nsole_engine = true\non_stop = 'cancel_all'\n\
             [journal]\ndir = {journal:?}\n"
        );
        std::fs::write(&checked.file, more + &text).unwrap();
        let told = format!("open orders holds {before}, all left as they are");
        checked.assert_check(0, &["sign-on holds", &told]);
        assert_eq!(open_orders(&checked.venue), before, "{kind}");
        assert!(!journal.exists(), "the journal of a run is left alone");
    }
}

#[test]
fn a_folder_that_holds_one_session_twice_names_both_files() {
    let Some(folder) = recordings() else { return };
    let checked = check_recording("coinbase", &folder.join("coinbase/advanced_l2_20260809"), None);
    let parts = [
        "ws_full.jsonl.gz and",
        "ws_without_two_giant_snapshots.jsonl hold the same frames: name the file that is meant",
    ];
    assert_has(&checked, 3, &parts);
}
