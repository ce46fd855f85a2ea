//! The whole engine on real sockets: on the simulated server, and on recorded sessions.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig, VenueConfig, VenueMode};
use pitlane_engine::report::Report;
use pitlane_engine::testing::skipped;
use pitlane_engine::venue::recorder::RecorderOptions;
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{
    Recording, ReplayPace, SimulatedVenue, SimulatedVenueOptions,
};
use pitlane_engine::{Engine, LaunchOptions, RecordedSession, launch_with};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

/// Engines pin threads and count allocations of the process: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Longest wait for a condition before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(consumers: &[&str]) -> (Config, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default_run();
    config.engine.run_dir = dir.path().to_owned();
    config.engine.warm_up_ms = 5;
    config.consumers = consumers.iter().map(|name| ConsumerConfig::of_strategy(name)).collect();
    (config, dir)
}

/// Runs until `until` holds, then stops in order.
fn run(config: Config, options: LaunchOptions, until: impl Fn(&Engine) -> bool) -> Report {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = launch_with(config, &pitlane_strategies::builtin(), options).unwrap();
    let started = Instant::now();
    while !until(&engine) {
        assert!(
            started.elapsed() < PATIENCE,
            "the condition was not met: {:?}, recording {:?}",
            engine.status(),
            engine.recording()
        );
        assert!(!engine.has_failed(), "a core ended by itself");
        std::thread::yield_now();
    }
    engine.stop().unwrap()
}

/// What holds of every run on sockets.
fn assert_clean(report: &Report) {
    assert!(report.identity_holds, "{report:#?}");
    assert_eq!((report.critical_lost, report.exit_code()), (0, 0), "{:?}", report.notes);
    assert!(report.threads_left_behind.is_empty(), "{:?}", report.threads_left_behind);
    for venue in &report.venues {
        let counters = &venue.counters;
        assert_eq!(counters.frames, counters.decoded + counters.control + counters.refused);
    }
}

#[test]
fn the_default_run_trades_over_the_socket_and_leaves_nothing_open() {
    let (config, _dir) = config(&["noop", "momentum", "market_maker"]);
    let instruments = config.instruments.len();
    let report = run(config, LaunchOptions::default(), |engine| {
        let status = engine.status();
        status.uptime_ns > 2_000_000_000 && status.events_in > 5_000
    });
    assert_clean(&report);
    let maker = report.consumers.iter().find(|c| c.name == "market_maker").unwrap();
    assert!(maker.orders.acknowledged > 0, "{:?}", maker.orders);
    assert!(maker.orders.fills > 0, "{:?}", maker.orders);
    // Each order ends in one way; the venue refuses a maker's order that would take.
    let ended = maker.orders.filled + maker.orders.canceled + maker.orders.rejected;
    assert_eq!(ended, maker.orders.submitted, "{:?}", maker.orders);
    assert_eq!(maker.orders_open, 0, "open orders are cancelled at the stop");
    assert_eq!((report.orders.untaken, report.orders.gateway.unsent), (0, 0));
    assert_eq!(report.books.len(), instruments);
    for (symbol, book) in &report.books {
        assert_eq!(book.status, "live", "{symbol}");
        assert!(book.bid_levels > 0 && book.ask_levels > 0, "{symbol}: {book:?}");
    }
    assert!(report.tick_to_trade.count > 0);
    let sums = report.venues.iter().map(|venue| venue.counters);
    let (mut refused, mut reconnects, mut gaps) = (0, 0, 0);
    for counters in sums {
        refused += counters.refused;
        reconnects += counters.reconnects;
        gaps += counters.gaps;
    }
    assert_eq!((refused, reconnects, gaps), (0, 0, 0));
}

/// The folder of the recordings; `None` says so loudly.
fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("PITLANE_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        skipped("PITLANE_RECORDINGS is not set");
    }
    folder
}

/// Plays a recording at the highest speed: the venue's symbols with ours, and the report.
fn play(kind: &VenueKind, recording: Recording) -> (Vec<(String, String)>, Report) {
    let (streams, symbols) = (recording.streams(), recording.symbols().to_vec());
    let stream_path = recording.stream_path();
    let (mut config, _dir) = config(&["noop"]);
    let session =
        RecordedSession::start(recording, config.simulated.bind, ReplayPace::Max).unwrap();
    let server = (session.address(), stream_path);
    config.play_recording(kind.name, server, streams, &symbols).unwrap();
    let names = config.instruments.iter();
    let names = names.map(|entry| (entry.native_symbol("recorded"), entry.symbol.clone()));
    let names = names.collect();
    let options = LaunchOptions { recorded: Some(session), ..LaunchOptions::default() };
    let report = run(config, options, |engine| engine.recording().unwrap().is_over);
    assert_clean(&report);
    (names, report)
}

/// Plays a recording at the highest speed and holds its end against the reference of it.
fn plays_to_its_known_end(name: &str) {
    let Some(folder) = recordings() else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let expected = &expected[name];
    let (kind, recording) = VenueKind::recording(&folder.join(name), None).unwrap();
    let kinds = expected["frames_by_kind"].as_object().unwrap();
    let frames: u64 = kinds
        .iter()
        .filter(|(kind, _)| *kind != "REST depth")
        .map(|(_, n)| n.as_u64().unwrap())
        .sum();
    assert_eq!(recording.frames(), frames, "{name}");
    let (names, report) = play(kind, recording);
    let counters = &report.venues[0].counters;
    assert_eq!(counters.decoded + counters.refused, frames, "{name}: {counters:?}");
    assert_eq!((counters.gaps, counters.reconnects), (0, 0), "{name}");
    let books = expected["symbols"].as_object().unwrap();
    assert_eq!(books.len(), report.books.len(), "{name}");
    for (native, book) in books {
        let (_, symbol) = names.iter().find(|(known, _)| known == native).unwrap();
        let (ours, theirs) = (&report.books[symbol], &book["final"]);
        assert_eq!(ours.status, "live", "{name} {native}");
        assert_eq!(
            ours.sha256.as_str(),
            theirs["book_sha256"].as_str().unwrap(),
            "{name} {native}"
        );
        assert_eq!(ours.bid_levels as u64, theirs["bid_levels"].as_u64().unwrap());
        assert_eq!(ours.ask_levels as u64, theirs["ask_levels"].as_u64().unwrap());
    }
}

#[test]
fn a_recorded_minute_of_one_symbol_ends_in_its_known_book() {
    plays_to_its_known_end("binance/spot_btcusdt_20240808");
}

#[test]
fn recordings_of_several_symbols_end_in_their_known_books() {
    for name in [
        "binance/spot_multi4_20211012",
        "binance/spot_multi10_20210417",
        "binance/us_spot_20211012",
    ] {
        plays_to_its_known_end(name);
    }
}

#[test]
fn what_was_recorded_of_a_run_plays_to_the_same_books_and_events() {
    let (mut config, dir) = config(&["noop"]);
    config.risk.trading = false;
    let natives: Vec<(String, String)> = config
        .instruments
        .iter()
        .map(|entry| (entry.native_symbol("simulated"), entry.symbol.clone()))
        .collect();
    let folder = dir.path().join("recorded");
    let record =
        RecorderOptions { folder: folder.clone(), file_bytes_max: 300_000, bytes_max: 1 << 30 };
    let options = LaunchOptions { record: Some(record), ..LaunchOptions::default() };
    let totals = std::cell::RefCell::default();
    let recorded = run(config, options, |engine| {
        *totals.borrow_mut() = engine.recorder().unwrap();
        engine.status().events_in > 4_000
    });
    assert_clean(&recorded);
    let connections = totals.into_inner().connections();
    assert!(connections.iter().all(|c| c.lost == 0), "{connections:?}");
    assert!(connections.iter().any(|c| c.files > 1), "a file was followed by the next");
    assert!(connections.iter().any(|c| c.snapshots > 0), "snapshots over REST are recorded");
    let venue = folder.join(&recorded.venues[0].name);
    for entry in std::fs::read_dir(&venue).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is its owner's alone", entry.path());
    }

    let (kind, recording) = VenueKind::recording(&venue, None).unwrap();
    assert_eq!(recording.frames(), recorded.venues[0].counters.decoded);
    let (names, played) = play(kind, recording);
    let (before, after) = (&recorded.venues[0].counters, &played.venues[0].counters);
    assert_eq!((before.decoded, before.refused), (after.decoded, after.refused));
    assert_eq!((after.gaps, after.reconnects), (0, 0));
    for (native, symbol) in &natives {
        let (_, as_played) = names.iter().find(|(known, _)| known == native).unwrap();
        let (then, now) = (&recorded.books[symbol], &played.books[as_played]);
        assert_eq!((then.status, &then.sha256), (now.status, &now.sha256), "{native}");
        assert!(then.bid_levels > 0, "{native}");
    }
}

/// A venue in paper mode: its market data is that of `venue`; at its address for orders listens
/// somebody who must never be called.
fn on_paper(config: &mut Config, venue: &SimulatedVenue, orders: &TcpListener) {
    let at = venue.address();
    config.simulated.enabled = false;
    config.venues = vec![VenueConfig {
        name: "acme".to_owned(),
        mode: VenueMode::Paper,
        stream_url: format!("ws://{at}/stream"),
        rest_url: format!("http://{at}"),
        api_url: Some(format!("ws://{}/ws-api/v3", orders.local_addr().unwrap())),
        paper_taker_fee_ppm: 400,
        ..VenueConfig::default()
    }];
}

#[test]
fn on_paper_orders_meet_the_live_book_and_none_is_sent() {
    let venue = SimulatedVenue::start(SimulatedVenueOptions::default()).unwrap();
    let orders = TcpListener::bind("127.0.0.1:0").unwrap();
    orders.set_nonblocking(true).unwrap();
    let (mut config, _dir) = config(&["market_maker", "momentum"]);
    on_paper(&mut config, &venue, &orders);
    let report =
        run(config, LaunchOptions::default(), |engine| engine.status().uptime_ns > 3_000_000_000);
    assert_clean(&report);
    assert_eq!(report.paper, ["acme"]);
    let maker = report.consumers.iter().find(|c| c.name == "market_maker").unwrap();
    assert!(maker.orders.acknowledged > 0, "{:?}", maker.orders);
    assert!(maker.orders.fills > 0, "fills against the live book: {:?}", maker.orders);
    assert_eq!(maker.orders_open, 0, "open orders are cancelled at the stop");
    // Nobody has called where the orders would have gone, and the venue knows of none.
    assert_eq!(orders.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let ledger = venue.ledger();
    assert!(ledger.orders.is_empty() && ledger.trades.is_empty(), "{ledger:?}");
    assert_eq!(report.penalties, 0, "{:?}", report.penalties_by_limit);
}

/// The default run at a simulated venue of each kind that tells its books in the stream.
#[test]
fn each_kind_of_venue_serves_a_run_whose_books_are_the_exchanges() {
    for kind in ["bybit", "coinbase", "kraken", "okx"] {
        let (mut config, _dir) = config(&["noop"]);
        config.simulated.kind = kind.to_owned();
        config.risk.trading = false;
        VenueKind::settle(&mut config);
        let report = run(config, LaunchOptions::default(), |engine| {
            let status = engine.status();
            status.uptime_ns > 800_000_000 && status.events_in > 500
        });
        assert_clean(&report);
        let counters = &report.venues[0].counters;
        assert_eq!((counters.refused, counters.gaps, counters.mismatches), (0, 0, 0), "{kind}");
        assert_eq!((counters.reconnects, report.penalties), (0, 0), "{kind}");
        let [(_, book)] = &report.books.iter().collect::<Vec<_>>()[..] else { panic!("{kind}") };
        assert_eq!((book.status, book.bid_levels > 20), ("live", true), "{kind}: {book:?}");
        let noop = &report.consumers[0];
        for event in ["quote", "trade", "book"] {
            assert!(noop.kinds[event].published > 0, "{kind}: no {event}: {:?}", noop.kinds);
        }
    }
}

/// Mark prices of a Bybit that is asked at the address of its contracts.
#[test]
fn mark_prices_of_bybits_contracts_reach_a_strategy_and_allocate_nothing() {
    let dialect = VenueKind::find("bybit").and_then(|kind| kind.dialect).unwrap();
    let venue = SimulatedVenue::start_as(dialect, SimulatedVenueOptions::default()).unwrap();
    let at = venue.address();
    let of_venue = |path: &str| VenueConfig {
        name: "near".to_owned(),
        kind: "bybit".to_owned(),
        stream_url: format!("ws://{at}/v5/public/{path}"),
        rest_url: format!("http://{at}"),
        ..VenueConfig::default()
    };
    let (mut config, _dir) = config(&["noop"]);
    config.simulated.enabled = false;
    config.risk.trading = false;
    config.engine.warm_up_ms = 1_000;
    config.consumers[0].kinds = Some(vec!["quote".to_owned(), "mark_price".to_owned()]);
    config.venues = vec![of_venue("spot")];
    let builtin = pitlane_strategies::builtin();
    let refused = launch_with(config.clone(), &builtin, LaunchOptions::default());
    let problem = refused.err().expect("spot has none").to_string();
    let told = "consumer[0].kinds[1]: no venue sends \"mark_price\" (near: contracts alone have it";
    assert!(problem.contains(told), "{problem}");
    config.venues = vec![of_venue("linear")];
    let report =
        run(config, LaunchOptions::default(), |engine| engine.status().uptime_ns > 4_000_000_000);
    assert_clean(&report);
    let marks = &report.consumers[0].kinds["mark_price"];
    assert!(marks.published >= 3, "{marks:?}");
    assert_eq!(marks.handled, marks.published, "{marks:?}");
    assert_eq!(report.allocations_steady_state, Some(0));
    let counters = &report.venues[0].counters;
    assert_eq!((counters.refused, counters.unknown, counters.stale), (0, 0, 0), "{counters:?}");
}
