//! Housekeeping's side of the order log: the two files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::line::{LineOf, OrderLogNames, lines};
use super::note::{NoteKind, OrderNote};
use super::open_orders::OpenOrders;
use super::sender::OrderLogSource;
use crate::event::Event;
use crate::runtime::Clock;
use crate::telemetry::{FileLimits, RunFile};
use crate::world::Files;

/// Bytes that are written at once.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// One of a run's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFileReport {
    /// Where it lies; `None` when it has no line.
    pub path: Option<String>,
    /// Lines in it, and in its parts that were set aside.
    pub written: u64,
    /// Lines that could not be written.
    pub failed: u64,
}

/// What became of the record of orders and fills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderLogReport {
    /// Fills and their corrections.
    pub fills: RunFileReport,
    /// All that came about of orders.
    pub orders: RunFileReport,
    /// Things of which no line could be made, since their lane was full.
    pub dropped: u64,
    /// Refusals by the strategies' own checks beyond the rate that is written.
    pub thinned: u64,
}

/// A file with what waits for it.
struct LineFile {
    file: RunFile,
    waiting: Vec<u8>,
    waiting_lines: u64,
    written: u64,
    failed: u64,
}

impl LineFile {
    fn new(files: &Files, path: &Path) -> LineFile {
        LineFile {
            file: RunFile::new(files, path, FileLimits::DEFAULT, Vec::new()),
            waiting: Vec::new(),
            waiting_lines: 0,
            written: 0,
            failed: 0,
        }
    }

    fn take(&mut self, line: &str) {
        self.waiting.extend_from_slice(line.as_bytes());
        self.waiting_lines += 1;
        if self.waiting.len() >= WRITE_BYTES_MAX {
            self.write();
        }
    }

    /// Whole lines or none: what can't be written is counted, and gone.
    fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.file.append(&self.waiting, false) {
            Ok(()) => self.written += self.waiting_lines,
            Err(error) => {
                if self.failed == 0 {
                    let path = self.file.path().display();
                    log::error!("[order log] writing {path} failed: {error}; lines are counted");
                }
                self.failed += self.waiting_lines;
            }
        }
        self.waiting.clear();
        self.waiting_lines = 0;
    }

    fn report(&self) -> RunFileReport {
        RunFileReport {
            path: self.file.is_made().then(|| self.file.path().display().to_string()),
            written: self.written,
            failed: self.failed,
        }
    }
}

/// Writes the files. Owned by housekeeping.
pub(crate) struct OrderLog {
    sources: Vec<OrderLogSource>,
    names: OrderLogNames,
    clock: Clock,
    orders: LineFile,
    fills: LineFile,
    open: Arc<OpenOrders>,
}

impl OrderLog {
    /// Files in the run's folder, made with their first lines.
    pub(crate) fn new(
        files: &Files,
        run_dir: &Path,
        sources: Vec<OrderLogSource>,
        names: OrderLogNames,
        clock: Clock,
        open: Arc<OpenOrders>,
    ) -> OrderLog {
        if !sources.is_empty() {
            open.keep();
        }
        let at = |name: &str| -> PathBuf { run_dir.join(name) };
        OrderLog {
            sources,
            names,
            clock,
            orders: LineFile::new(files, &at("orders.jsonl")),
            fills: LineFile::new(files, &at("fills.jsonl")),
            open,
        }
    }

    /// Writes what has come in, and the reports that their strategies were never told; returns how
    /// many notes there were.
    pub(crate) fn drain(&mut self, undelivered: &[Event]) -> u64 {
        let Self { sources, names, clock, orders, fills, open } = self;
        let mut count = 0;
        let mut write = |note: &OrderNote| {
            count += 1;
            open.take(note, names, clock);
            for (of, line) in lines(note, names, clock) {
                match of {
                    LineOf::Orders => orders.take(&line),
                    LineOf::Fills => fills.take(&line),
                }
            }
        };
        for source in sources {
            source.lane.poll(usize::MAX, &mut write);
        }
        let notes = undelivered.iter();
        notes
            .filter_map(|event| OrderNote::of_event(event, NoteKind::Undelivered))
            .for_each(|note| write(&note));
        self.orders.write();
        self.fills.write();
        self.open.missed(self.dropped());
        count
    }

    fn dropped(&self) -> u64 {
        self.sources.iter().map(|source| source.counts.dropped()).sum()
    }

    pub(crate) fn report(&self) -> OrderLogReport {
        OrderLogReport {
            fills: self.fills.report(),
            orders: self.orders.report(),
            dropped: self.dropped(),
            thinned: self.sources.iter().map(|source| source.counts.thinned()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use pitlane_ring::{LaneOptions, lane};
    use zerocopy::FromZeros;

    use super::super::sender::{OrderLogSender, order_log_lane};
    use super::*;
    use crate::event::{
        ExecReport, ExecType, FEE_UNKNOWN, INFERRED, Liquidity, OrderStatus, RejectReason, Side,
        VenueRef, asset_code,
    };
    use crate::instrument::Instruments;
    use crate::order::{OrderAction, OrderCommand, OrderType, TimeInForce};

    struct Bench {
        sender: OrderLogSender,
        log: OrderLog,
        dir: tempfile::TempDir,
    }

    fn bench(slots: usize) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let options = LaneOptions { name: "log:orders".to_owned(), capacity: slots };
        let (sender, source) = order_log_lane(lane(options));
        let names = OrderLogNames {
            consumers: vec!["one".into()],
            venues: vec!["sim".into()],
            instruments: Instruments::of_test(1),
        };
        let clock = Clock::manual(0).0;
        let open = Arc::default();
        let log = OrderLog::new(&Files::Real, dir.path(), vec![source], names, clock, open);
        Bench { sender, log, dir }
    }

    impl Bench {
        fn lines(&self, file: &str) -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(self.dir.path().join(file)).unwrap_or_default();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    fn command(action: OrderAction) -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        command.action_code = action as u8;
        command.order_type_code = OrderType::LimitMaker as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
        command.side_code = Side::Buy.code();
        (command.price, command.qty, command.client_order_id) = (10_050, 200_000, 7);
        command.decision_id = 99;
        command
    }

    fn fill() -> Event {
        let mut report = ExecReport::new_zeroed();
        report.exec_type_code = ExecType::Trade.code();
        report.status_code = OrderStatus::PartiallyFilled.code();
        report.side_code = Side::Buy.code();
        report.client_order_id = 7;
        report.venue_order_id = VenueRef::number(1_234);
        report.execution_id = VenueRef::number(55);
        (report.price, report.qty) = (10_050, 200_000);
        (report.last_price, report.last_qty, report.filled_qty) = (10_049, 100_000, 100_000);
        (report.fee, report.fee_asset) = (12_345, asset_code("BNB").unwrap());
        report.set_liquidity(Some(Liquidity::Taker));
        let mut event = Event::new(&report);
        (event.trace_id, event.venue_time_ns, event.receive_ns) = (5, 1_700_000_000_000, 10);
        event
    }

    #[test]
    fn an_order_can_be_followed_from_its_sending_to_its_fill() {
        let mut bench = bench(16);
        bench.sender.sent(&command(OrderAction::Submit));
        bench.sender.reported(&fill());
        bench.sender.sent(&command(OrderAction::Cancel));
        assert_eq!(bench.log.drain(&[]), 3);
        let orders = bench.lines("orders.jsonl");
        let events: Vec<_> = orders.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["sent", "trade", "cancel_sent"]);
        let sent = &orders[0];
        assert_eq!(
            (sent["price"].as_str(), sent["qty"].as_str()),
            (Some("100.50"), Some("2.00000"))
        );
        assert_eq!(sent["order_type"], "limit_maker");
        assert_eq!((&sent["strategy"], &sent["venue"]), (&"one".into(), &"sim".into()));
        assert_eq!((&sent["decision_id"], &sent["trace_id"]), (&99.into(), &().into()));
        let fills = bench.lines("fills.jsonl");
        assert_eq!(fills.len(), 1);
        let fill = &fills[0];
        assert_eq!((&fill["order"], &fill["venue_order_id"]), (&7.into(), &"1234".into()));
        assert_eq!((&fill["value"], &fill["fee"]), (&"100.4900000".into(), &"0.00012345".into()));
        assert_eq!((&fill["fee_asset"], &fill["told"]), (&"BNB".into(), &true.into()));
        assert_eq!(fill["liquidity"], "taker");
    }

    #[test]
    fn what_is_not_known_is_null_and_what_was_never_told_says_so() {
        let mut bench = bench(16);
        let mut inferred = fill();
        let report = inferred.get_mut::<ExecReport>().unwrap();
        report.flags = INFERRED | FEE_UNKNOWN;
        report.execution_id = VenueRef::NONE;
        bench.log.drain(&[inferred]);
        let fill = &bench.lines("fills.jsonl")[0];
        assert_eq!((&fill["fee"], &fill["execution_id"]), (&().into(), &().into()));
        assert_eq!(fill["liquidity"], serde_json::Value::Null);
        assert_eq!((&fill["inferred"], &fill["told"]), (&true.into(), &false.into()));
    }

    #[test]
    fn refusals_have_their_reason_and_a_flood_of_them_is_counted() {
        let mut bench = bench(256);
        for _ in 0..200 {
            let halted = RejectReason::TradingHalted;
            bench.sender.refused(&command(OrderAction::Submit), halted);
        }
        bench.log.drain(&[]);
        let lines = bench.lines("orders.jsonl");
        assert_eq!((lines.len(), bench.log.report().thinned), (50, 150));
        assert_eq!(
            (&lines[0]["event"], &lines[0]["reason"]),
            (&"refused".into(), &"trading_halted".into())
        );
        assert!(lines[0]["reason_text"].as_str().unwrap().contains("trading is off"));
    }

    #[test]
    fn a_full_lane_and_a_full_disk_cost_lines_that_are_counted() {
        let mut bench = bench(2);
        for _ in 0..5 {
            bench.sender.reported(&fill());
        }
        // A folder stands where the file should be.
        std::fs::create_dir(bench.dir.path().join("fills.jsonl")).unwrap();
        bench.log.drain(&[]);
        let report = bench.log.report();
        assert_eq!((report.dropped, report.fills.failed, report.orders.written), (3, 2, 2));
        assert_eq!((report.fills.path, report.fills.written), (None, 0));
    }
}
