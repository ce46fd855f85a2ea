//! An engine that is killed in the middle of trading, again and again, and started anew on its
//! journal, while its venue lives on: no order is lost or doubled, and what it believes to own is
//! what the venue's own record says.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{
    Ledger, LedgerOrder, LedgerSide, LedgerStatus, LimitRules, SimulatedVenue,
    SimulatedVenueOptions,
};
use serde_json::Value;

const PITLANE: &str = env!("CARGO_BIN_EXE_pitlane");
/// The key pair of RFC 8410, 10.3 and 10.1.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC_KEY: &str = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A venue, and an engine that trades there when it is started.
struct Bench {
    venue: SimulatedVenue,
    dir: tempfile::TempDir,
    config: PathBuf,
}

impl Bench {
    fn new(risk: &str, distance_ticks: u32) -> Bench {
        let any = u32::MAX;
        let rules = LimitRules {
            weight_per_min: any,
            orders_per_10s: any,
            orders_per_day: any,
            connections_per_5min: usize::MAX,
            ..LimitRules::default()
        };
        let venue = SimulatedVenue::start(SimulatedVenueOptions {
            events_per_s: 400,
            api_key: "kills".to_owned(),
            verifying_key: hex(PUBLIC_KEY),
            limits: rules,
            ..SimulatedVenueOptions::default()
        })
        .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("pitlane.toml");
        let key = dir.path().join("key.pem");
        std::fs::write(&key, PRIVATE_KEY).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&config, text(&venue, dir.path(), risk, distance_ticks)).unwrap();
        Bench { venue, dir, config }
    }

    fn start(&self) -> Engine {
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let child = Command::new(PITLANE)
            .args(["run", "--report", "json", "--config"])
            .arg(&self.config)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        Engine(child)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    fn orders(&self) -> u64 {
        self.venue.counters().report().orders_received
    }

    /// Waits until the venue was asked for so many orders.
    fn wait_for_orders(&self, engine: &mut Engine, orders: u64) {
        let started = Instant::now();
        while self.orders() < orders {
            assert!(started.elapsed() < PATIENCE, "no orders: {}", self.log());
            assert!(engine.0.try_wait().unwrap().is_none(), "it ended: {}", self.log());
            nap();
        }
    }

    /// Replaces a part of the configuration.
    fn reconfigure(&self, from: &str, to: &str) {
        let config = std::fs::read_to_string(&self.config).unwrap();
        assert!(config.contains(from), "{config}");
        std::fs::write(&self.config, config.replace(from, to)).unwrap();
    }

    /// What an operator is told.
    fn ctl(&self, args: &[&str]) -> String {
        let socket = self.dir.path().join("control/socket");
        let mut command = Command::new(PITLANE);
        let output = command.arg("ctl").arg("--socket").arg(socket).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn wait_for_log(&self, engine: &mut Engine, mark: &str) {
        let started = Instant::now();
        while !self.log().contains(mark) {
            assert!(started.elapsed() < PATIENCE, "no {mark:?}: {}", self.log());
            assert!(engine.0.try_wait().unwrap().is_none(), "it ended: {}", self.log());
            nap();
        }
    }

    fn open(&self) -> Vec<LedgerOrder> {
        let orders = self.venue.ledger().orders.into_values();
        let is_open = |order: &LedgerOrder| {
            matches!(order.status, LedgerStatus::New | LedgerStatus::PartiallyFilled)
        };
        orders.filter(is_open).collect()
    }
}

/// A process; killed when the test ends before it.
struct Engine(Child);

impl Engine {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Ends it in order; its exit code and its report.
    fn stop(mut self) -> (Option<i32>, Value) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut out = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = self.0.wait().unwrap().code();
        (code, serde_json::from_str(&out).unwrap())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(venue: &SimulatedVenue, dir: &Path, risk: &str, distance_ticks: u32) -> String {
    let kind = VenueKind::usual();
    let dialect = VenueKind::simulable().find(|(of, _)| of.name == kind.name).unwrap().1;
    let (address, path) = (venue.address(), dir.display());
    let (stream, api) = (dialect.stream_path, dialect.api_path.unwrap());
    format!(
        "[engine]\nrun_dir = \"{path}/runs\"\nprofile = \"quiet\"\n[cores]\npin = false\n\
         [control]\nsocket = \"{path}/control/socket\"\n[telemetry]\nhlog = false\n\
         [journal]\ndir = \"{path}/journal\"\nsegment_bytes = 65536\n\
         [risk]\nmax_orders_per_s = 50\n{risk}\n\
         [[venue]]\nname = \"outside\"\nkind = \"{}\"\nbooks = false\n\
         stream_url = \"ws://{address}{stream}\"\napi_url = \"ws://{address}{api}\"\n\
         api_key = \"kills\"\nprivate_key_file = \"{path}/key.pem\"\n\
         [[instrument]]\nsymbol = \"BTC-USDT\"\n\
         [[consumer]]\nstrategy = \"market_maker\"\n\
         params = {{ distance_ticks = {distance_ticks}, tolerance_ticks = {}, \
         position_max = 1000 }}\n",
        kind.name,
        distance_ticks + 1,
    )
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[allow(clippy::disallowed_methods, reason = "waits for another process")]
fn nap() {
    std::thread::sleep(Duration::from_millis(1));
}

/// A plain decimal in units of 10^-`places`.
fn units(text: &str, places: u32) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= places as usize, "{text} has more than {places} places");
    let digits = format!("{whole}{part:0<width$}", width = places as usize);
    digits.parse().unwrap()
}

/// What a record of the venue says was bought or sold, and for how much, in units of 10^-5 and
/// 10^-7.
fn traded(ledger: &Ledger, side: LedgerSide) -> (i128, i128) {
    let trades = ledger.trades.iter().filter(|trade| trade.side == side);
    trades.fold((0, 0), |(qty, value), trade| {
        let (of_it, price) = (i128::from(trade.qty), i128::from(trade.price));
        (qty + of_it, value + of_it * price)
    })
}

/// The engine's own figures against the venue's record: quantities and money of all starts, to the
/// last unit.
fn assert_same_books(report: &Value, ledger: &Ledger, log: &str) {
    assert_eq!(ledger.forgotten, 0);
    let row = &report["trading"][0]["positions"][0];
    let of = |key: &str, places| units(row[key].as_str().unwrap(), places);
    for (side, qty, value) in
        [(LedgerSide::Buy, "bought", "bought_value"), (LedgerSide::Sell, "sold", "sold_value")]
    {
        let venues = traded(ledger, side);
        // Values and quantities have more places in the report, all of them zeros here.
        let own = (of(qty, 8), of(value, 10));
        let venues = (venues.0 * 1_000, venues.1 * 1_000);
        assert_eq!(own, venues, "{side:?}: engine's and venue's\n{log}");
    }
    for key in ["fee_unknown_qty", "inferred_qty"] {
        assert_eq!(of(key, 8), 0, "{key} of {row}\n{log}");
    }
    assert_eq!(row["saturated"], false);
}

/// Starts and kills it so often, each time after a few more orders, by a seed.
fn kill_again_and_again(bench: &Bench, kills: u64, seed: u64) {
    let mut draw = seed;
    for kill in 0..kills {
        let mut engine = bench.start();
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let more = 1 + (draw >> 33) % 12;
        bench.wait_for_orders(&mut engine, bench.orders() + more);
        engine.kill();
        if kill % 20 == 19 {
            println!("{} kills, {} orders, {} open", kill + 1, bench.orders(), bench.open().len());
        }
    }
}

/// The last start, to its end. An order that was on record and never left counts as open until it
/// can't be on its way any more, and is told as left before; lists of fills are asked for at five a
/// second, and starts that live for a second leave some for later. Then it takes another start.
fn settled(bench: &Bench) -> (Option<i32>, Value) {
    for _ in 0..8 {
        let mut engine = bench.start();
        // Long enough for the venue to have listed the fills that were missed.
        bench.wait_for_orders(&mut engine, bench.orders() + 40);
        let (code, report) = engine.stop();
        let row = &report["trading"][0]["positions"][0];
        let is_settled = ["fee_unknown_qty", "inferred_qty"]
            .iter()
            .all(|key| row[key].as_str().is_some_and(|text| units(text, 8) == 0));
        if (code != Some(7) || !bench.open().is_empty()) && is_settled {
            return (code, report);
        }
        println!("not settled: {}, {}", row["inferred_qty"], report["findings"]);
    }
    panic!("an order stays unknown, or a fill without its fee: {}", bench.log());
}

fn survives(kills: u64, seed: u64) {
    println!("seed {seed}, {kills} kills");
    let bench = Bench::new("", 0);
    kill_again_and_again(&bench, kills, seed);
    let (code, report) = settled(&bench);
    let (ledger, log) = (bench.venue.ledger(), bench.log());
    assert!(bench.open().is_empty(), "all were cancelled: {:?}\n{log}", bench.open());
    assert_eq!(code, Some(0), "{}\n{log}", report["findings"]);
    let names: BTreeSet<_> = ledger.orders.values().map(|order| &order.client_order_id).collect();
    assert_eq!(names.len(), ledger.orders.len(), "no name was used twice");
    assert!(!ledger.trades.is_empty(), "it traded");
    assert_same_books(&report, &ledger, &log);
    println!("{} orders, {} trades", ledger.orders.len(), ledger.trades.len());
}

#[test]
fn an_engine_that_is_killed_while_it_trades_goes_on_where_it_was() {
    survives(3, 7);
}

/// `KILLS` (200) times.
#[test]
#[ignore = "takes minutes"]
fn two_hundred_kills_lose_and_double_nothing() {
    let kills = std::env::var("KILLS").ok().and_then(|text| text.parse().ok());
    survives(kills.unwrap_or(200), 11);
}

#[test]
fn orders_that_a_stop_leaves_are_taken_up_by_the_next_start() {
    // Far from the market, so that both sides rest.
    let bench = Bench::new("on_stop = \"leave\"", 5_000);
    let mut engine = bench.start();
    bench.wait_for_orders(&mut engine, 2);
    let (_, report) = engine.stop();
    let left = bench.open();
    assert_eq!(left.len(), 2, "{left:?}\n{}", bench.log());
    assert_eq!(report["orders"]["left_at_venues"].as_array().unwrap().len(), left.len());
    bench.reconfigure("on_stop = \"leave\"", "on_start = \"cancel\"");
    let mut engine = bench.start();
    bench.wait_for_orders(&mut engine, bench.orders() + 1);
    let ledger = bench.venue.ledger();
    let (_, report) = engine.stop();
    let log = bench.log();
    for order in &left {
        let status = ledger.orders[&order.id].status;
        assert!(matches!(status, LedgerStatus::Canceled | LedgerStatus::Filled), "{status:?}");
    }
    let found = &report["recovery"][0];
    assert_eq!(found["recorded"], left.len(), "{found}\n{log}");
    assert_eq!(found["is_done"], true);
    assert_same_books(&report, &bench.venue.ledger(), &log);
}

#[test]
fn trading_waits_for_an_operator_and_a_start_for_a_place_for_what_is_open() {
    let bench = Bench::new("on_stop = \"leave\"", 5_000);
    let mut engine = bench.start();
    bench.wait_for_orders(&mut engine, 2);
    engine.kill();
    bench.reconfigure("on_stop = \"leave\"", "on_start = \"ask\"");
    let mut engine = bench.start();
    bench.wait_for_log(&mut engine, "trading stays off");
    let status: Value = serde_json::from_str(&bench.ctl(&["--json", "status"])).unwrap();
    let reply = &status["reply"];
    assert_eq!((&reply["trading"], &reply["recovery"][0]["open"]), (&false.into(), &2.into()));
    let text = bench.ctl(&["status"]);
    assert!(text.contains("found at the start"), "{text}");
    assert!(bench.ctl(&["mode", "on"]).contains("trading is on now"));
    assert_eq!((bench.open().len(), bench.orders()), (2, 2), "they were kept");
    engine.kill();
    bench.reconfigure("strategy = \"market_maker\"", "name = \"new\"\nstrategy = \"market_maker\"");
    let mut engine = bench.start();
    assert_eq!(engine.0.wait().unwrap().code(), Some(4), "{}", bench.log());
    let log = bench.log();
    assert!(log.contains("2 open orders in") && log.contains("consumer not there now"), "{log}");
}
