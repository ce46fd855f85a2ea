//! `pitlane venue check`, as its users run it, at venues that speak as the real ones do.

mod common;
mod running_engine;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{
    Fault, FaultPlan, SimulatedSymbol, SimulatedVenue, SimulatedVenueOptions, Trigger,
};

use running_engine::PITLANE;

/// A venue of a kind, and the file of who checks it.
struct Checked {
    venue: SimulatedVenue,
    file: PathBuf,
    _dir: tempfile::TempDir,
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
        Checked { venue, file, _dir: dir }
    }

    fn check(&self) -> (Option<i32>, String) {
        said(&check(&["near", "--duration", "3s"], Some(&self.file)))
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
        assert_has(&checked.check(), 0, &parts);
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
        assert_has(&checked.check(), 1, &parts);
        // As it says.
        let own = "[[instrument]]\nsymbol = 'BTC-USDT'\nprice_scale = 4\ntick = '0.0025'\n\
                   qty_scale = 8\nstep = '0.00000001'\n";
        let text = std::fs::read_to_string(&checked.file).unwrap();
        std::fs::write(&checked.file, text + own).unwrap();
        assert_has(&checked.check(), 0, &["filters holds"]);
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
        assert_has(&checked.check(), 1, &parts);
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
    for kind in ["binance", "bybit"] {
        let options = SimulatedVenueOptions { events_per_s: 500, ..Default::default() };
        let checked = Checked::start(kind, options, "", "");
        let out = checked.file.with_file_name("recorded");
        let mut command = Command::new(PITLANE);
        command.args(["record", "--duration", "3s", "--out"]).arg(&out);
        let recorded = command.arg("--config").arg(&checked.file).output().unwrap();
        assert!(recorded.status.success(), "{recorded:?}");
        let parts = ["instruments holds 1 listed, and trading", "filters holds"];
        assert_has(&check_recording(kind, &out.join("near"), None), 0, &parts);
    }
}
