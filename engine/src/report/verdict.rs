//! What a run ends with: one finding for each thing that did not go as promised or is worth a look,
//! one exit code for all.

mod market;
mod notices;
mod strategies;

use serde::Serialize;

use super::Report;
use crate::order::order_log::OrderLogReport;

/// What a finding is about. The first of a report's in this order gives the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An order may still rest at its venue: it goes on costing money while nobody looks, so it is
    /// said last and loudest, whatever else went wrong.
    OrdersLeft,
    /// A critical event was lost, or trading was halted since one could not be stored.
    CriticalLost,
    /// The journal failed, and trading was halted for it.
    JournalFailed,
    /// A thread did not stop in time.
    ThreadLeftBehind,
    /// An account does not hold.
    AccountBroken,
    /// A book is not to be trusted at the end, or frames of a recording were refused or not played.
    MarketDataIncomplete,
    /// A strategy was quarantined, and not by an operator.
    StrategyQuarantined,
    /// Every order of a strategy was refused, for another reason than that trading was off.
    OrdersRefused,
    /// Lines that a file did not take, as on a full disk, or the rest of a record.
    LinesLost,
    /// Worth a look; the run did what it promised.
    Notice,
}

impl FindingKind {
    /// Every kind, the gravest first.
    pub const ALL: [FindingKind; 10] = [
        FindingKind::OrdersLeft,
        FindingKind::CriticalLost,
        FindingKind::JournalFailed,
        FindingKind::ThreadLeftBehind,
        FindingKind::AccountBroken,
        FindingKind::MarketDataIncomplete,
        FindingKind::StrategyQuarantined,
        FindingKind::OrdersRefused,
        FindingKind::LinesLost,
        FindingKind::Notice,
    ];

    /// The exit code of `pitlane` for it.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            FindingKind::OrdersLeft => 7,
            FindingKind::CriticalLost => 5,
            FindingKind::JournalFailed => 12,
            FindingKind::ThreadLeftBehind => 6,
            FindingKind::AccountBroken => 1,
            FindingKind::MarketDataIncomplete => 8,
            FindingKind::LinesLost => 9,
            FindingKind::StrategyQuarantined => 10,
            FindingKind::OrdersRefused => 11,
            FindingKind::Notice => 0,
        }
    }
}

/// One thing that did not go as promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// What happened and where, one line.
    pub text: String,
}

/// How a recording was played.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordingReport {
    /// Frames of the recording.
    pub frames: u64,
    /// Frames sent to the engine.
    pub played: u64,
    /// Lines that are no frame of a symbol's stream, and were left out.
    pub left_out: u64,
    /// What was noticed when it was read, with file and line.
    pub notes: Vec<String>,
}

impl Report {
    /// Everything that did not go as promised, the gravest first, then what is worth a look; empty
    /// when all is well.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |kind, text: String| findings.push(Finding { kind, text });
        if let Some(reason) = self.halted {
            add(FindingKind::CriticalLost, format!("trading was halted: {}", reason.words()));
        }
        if self.critical_lost > 0 {
            add(FindingKind::CriticalLost, format!("{} critical events lost", self.critical_lost));
        }
        if let Some(failure) = self.journal.failure {
            let (path, words) = (self.journal.path.as_deref().unwrap_or("-"), failure.words());
            let text = format!("trading was halted: the journal in {path}: {words}");
            add(FindingKind::JournalFailed, text);
        }
        for order in &self.orders.left_at_venues {
            add(FindingKind::OrdersLeft, order.to_string());
        }
        for name in &self.threads_left_behind {
            add(FindingKind::ThreadLeftBehind, format!("thread {name} did not stop in time"));
        }
        if !self.identity_holds {
            let text = "an account does not hold: events are missing or counted twice";
            add(FindingKind::AccountBroken, text.to_owned());
        }
        market::find(self, &mut add);
        strategies::find(self, &mut add);
        self.lines_lost(&mut add);
        notices::find(self, &mut add);
        findings.sort_by_key(|finding| finding.kind);
        findings
    }

    fn lines_lost(&self, add: &mut impl FnMut(FindingKind, String)) {
        let kind = FindingKind::LinesLost;
        if self.hlog_failed > 0 {
            let path = self.hlog.as_deref().unwrap_or("the interval log");
            add(kind, format!("{} lines of {path} could not be written", self.hlog_failed));
        }
        if self.dead_letters.failed > 0 {
            let path = self.dead_letters.path.as_deref().unwrap_or("the dead-letter file");
            add(kind, format!("{} lines of {path} could not be written", self.dead_letters.failed));
        }
        let OrderLogReport { fills, orders, dropped, .. } = &self.order_log;
        for (file, name) in [(fills, "fills.jsonl"), (orders, "orders.jsonl")] {
            if file.failed > 0 {
                let path = file.path.as_deref().unwrap_or(name);
                add(kind, format!("{} lines of {path} could not be written", file.failed));
            }
        }
        if *dropped > 0 {
            let text = "events of orders have no line in orders.jsonl: their lane was full";
            add(kind, format!("{dropped} {text}"));
        }
        if let Some(record) = &self.record
            && let Some(why) = &record.ended_early
        {
            // Its bound was wanted.
            let kind = if record.has_failed { kind } else { FindingKind::Notice };
            add(kind, format!("the record in {} ends before the run: {why}", record.path));
        }
    }

    /// The exit code of `pitlane` for this report: that of its gravest finding.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.findings().first().map_or(0, |finding| finding.kind.exit_code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::consumer::{ConsumerState, FailureLog};
    use crate::order::OrderCounts;
    use crate::order::trading::{PositionFigures, RefusalFigures, StrategyFigures};
    use crate::pipeline::TermCounts;
    use crate::report::{ConsumerReport, RunRecordReport, SilentStream, VenueReport};
    use crate::runtime::StallFigures;
    use crate::safety::{HaltReason, QuarantineReason};
    use crate::venue::BookSummary;
    use crate::venue::orders::LeftOrder;

    #[test]
    fn the_gravest_finding_gives_the_exit_code_and_all_are_told() {
        let mut report = Report { identity_holds: true, ..Report::default() };
        assert_eq!((report.findings(), report.exit_code()), (Vec::new(), 0));
        report.hlog_failed = 3;
        assert_eq!(report.exit_code(), 9);
        let (frames, played) = (10, 4);
        report.recording = Some(RecordingReport { frames, played, ..RecordingReport::default() });
        assert_eq!(report.exit_code(), 8);
        report.identity_holds = false;
        assert_eq!(report.exit_code(), 1);
        report.threads_left_behind.push("core-1".to_owned());
        assert_eq!(report.exit_code(), 6);
        report.critical_lost = 1;
        assert_eq!(report.exit_code(), 5);
        let texts: Vec<String> = report.findings().into_iter().map(|f| f.text).collect();
        assert_eq!(texts.len(), 5, "{texts:?}");
        assert!(texts[3].contains("only 4 of the recording's 10 frames"), "{texts:?}");
    }

    #[test]
    fn orders_that_were_left_come_before_a_halt_and_both_are_named() {
        let mut report = report();
        report.halted = Some(HaltReason::LettersFull);
        report.critical_lost = 3;
        report.orders.left_at_venues.push(LeftOrder {
            venue: "sim".into(),
            name: "p1-0-7".into(),
            venue_order_id: "1234".into(),
            symbol: "BTCUSDT".into(),
            side: "buy",
            price: "1".into(),
            trigger_price: None,
            qty: "2".into(),
            filled: "0".into(),
            state: "open".into(),
        });
        let expected =
            [FindingKind::OrdersLeft, FindingKind::CriticalLost, FindingKind::CriticalLost];
        let found: Vec<FindingKind> = kinds(&report).iter().map(|(kind, _)| *kind).collect();
        assert_eq!((&found[..], report.exit_code()), (&expected[..], 7));
        assert!(kinds(&report)[0].1.contains("p1-0-7"), "{:?}", kinds(&report));
    }

    fn report() -> Report {
        Report { identity_holds: true, duration_ns: 10_000_000_000, ..Report::default() }
    }

    fn kinds(report: &Report) -> Vec<(FindingKind, String)> {
        report.findings().into_iter().map(|finding| (finding.kind, finding.text)).collect()
    }

    #[test]
    fn a_venue_that_takes_no_orders_and_gets_some_is_told_with_the_reason() {
        let mut report = report();
        let venue = VenueReport { name: "deaf".into(), market_frames: 9, ..Default::default() };
        report.venues = vec![venue];
        let refusal = RefusalFigures {
            by: "engine".into(),
            what: "order".into(),
            reason: "not_connected".into(),
            venue_code: None,
            count: 2_998,
        };
        let row = PositionFigures {
            instrument: "BTC-USDT".into(),
            venue: "deaf".into(),
            orders_sent: 2_998,
            orders_rejected: 2_998,
            refusals: vec![refusal],
            ..Default::default()
        };
        let strategy = "mm".to_owned();
        report.trading =
            vec![StrategyFigures { strategy, positions: vec![row], ..Default::default() }];
        let (kind, text) = kinds(&report).remove(0);
        assert_eq!((kind, report.exit_code()), (FindingKind::OrdersRefused, 11));
        assert!(text.contains("all 2998 orders for BTC-USDT at deaf were refused"), "{text}");
        assert!(text.contains("has no api_url"), "{text}");
        report.trading[0].positions[0].refusals[0].reason = "trading_halted".into();
        assert_eq!(report.exit_code(), 0, "trading was off: {:?}", report.findings());
        let mut pace = report.trading[0].positions[0].refusals[0].clone();
        pace.reason = "rate_limit".into();
        report.trading[0].positions[0].refusals.push(pace);
        assert_eq!(report.exit_code(), 0, "and some came too fast: {:?}", report.findings());
        report.trading[0].positions[0].orders_acknowledged = 1;
        assert_eq!(kinds(&report), [], "one was taken");
    }

    #[test]
    fn a_venue_without_market_data_and_levels_dropped_are_told() {
        let mut report = report();
        report.venues = vec![VenueReport { name: "mute".into(), ..Default::default() }];
        assert_eq!(report.exit_code(), 8, "{:?}", report.findings());
        report.venues[0].is_off = true;
        assert_eq!(kinds(&report), []);
        let (sha256, status) = (String::new(), "live");
        let book = BookSummary { sha256, status, bid_levels: 5, ask_levels: 5, levels_dropped: 7 };
        report.books.insert("BTC-USDT".into(), book);
        assert_eq!((kinds(&report)[0].0, report.exit_code()), (FindingKind::Notice, 0));
        report.recording = Some(RecordingReport::default());
        let (kind, text) = kinds(&report).remove(0);
        assert_eq!(kind, FindingKind::MarketDataIncomplete);
        assert!(text.contains("lacks 7 levels"), "{text}");
    }

    #[test]
    fn live_books_that_never_had_a_snapshot_are_told_unless_their_venue_is_off() {
        let mut report = report();
        let venue =
            |name: &str| VenueReport { name: name.into(), market_frames: 9, ..Default::default() };
        report.venues = vec![venue("a"), venue("b")];
        let book = |status| BookSummary { status, ..Default::default() };
        for name in ["1-USDT@a", "2-USDT@a", "3-USDT@a", "4-USDT@a", "5-USDT@a", "6-USDT@a"] {
            report.books.insert(name.into(), book("syncing"));
        }
        report.books.insert("1-USDT@b".into(), book("live"));
        let (kind, text) = kinds(&report).remove(0);
        assert_eq!(kind, FindingKind::MarketDataIncomplete);
        assert!(text.ends_with("4-USDT@a, 5-USDT@a and 1 more"), "{text}");
        report.duration_ns = 5_000_000_000;
        assert_eq!((kinds(&report)[0].0, report.exit_code()), (FindingKind::Notice, 0));
        report.venues[0].is_off = true;
        assert_eq!(kinds(&report), []);
    }

    fn consumer() -> ConsumerReport {
        ConsumerReport {
            name: "one".into(),
            core: None,
            state: ConsumerState::Stopped,
            quarantine: None,
            terms: TermCounts::default(),
            failures: 0,
            stale_handled: 0,
            critical_lost: 0,
            kinds: BTreeMap::new(),
            orders: OrderCounts::default(),
            orders_open: 0,
            failure_log: FailureLog::default(),
            stalls: StallFigures::default(),
            left_behind: false,
        }
    }

    #[test]
    fn a_quarantine_is_told_and_has_its_code_unless_an_operator_wanted_it() {
        let mut report = report();
        report.duration_ns = 1_000_000_000;
        let quarantined = |reason| vec![ConsumerReport { quarantine: Some(reason), ..consumer() }];
        for reason in [QuarantineReason::Failed, QuarantineReason::Overrun, QuarantineReason::Stuck]
        {
            report.consumers = quarantined(reason);
            let (kind, text) = kinds(&report).remove(0);
            assert_eq!((kind, report.exit_code()), (FindingKind::StrategyQuarantined, 10));
            assert!(text.contains("one was quarantined"), "{text}");
        }
        report.consumers = quarantined(QuarantineReason::Operator);
        assert_eq!((kinds(&report)[0].0, report.exit_code()), (FindingKind::Notice, 0));
    }

    #[test]
    fn a_record_that_failed_has_a_code_and_one_that_reached_its_bound_a_line() {
        let mut report = Report { identity_holds: true, ..Report::default() };
        report.record = Some(RunRecordReport::default());
        assert_eq!(kinds(&report), []);
        let (path, ended_early) = ("/record".to_owned(), Some("its ring was full".to_owned()));
        let record = RunRecordReport { path, ended_early, ..RunRecordReport::default() };
        report.record = Some(RunRecordReport { has_failed: true, ..record.clone() });
        assert_eq!((kinds(&report)[0].0, report.exit_code()), (FindingKind::LinesLost, 9));
        assert!(kinds(&report)[0].1.contains("/record ends before the run: its ring"));
        report.record = Some(record);
        assert_eq!((kinds(&report)[0].0, report.exit_code()), (FindingKind::Notice, 0));
    }

    #[test]
    fn a_strategy_without_market_data_is_told_and_why() {
        let mut report = report();
        report.consumers = vec![consumer()];
        let (kind, text) = kinds(&report).remove(0);
        assert_eq!((kind, report.exit_code()), (FindingKind::Notice, 0));
        assert!(text.contains("one has no route to any market data"), "{text}");
        report.silent_streams = vec![SilentStream {
            consumer: "one".into(),
            venue: "v".into(),
            instrument: "A-USDT".into(),
            events: vec!["trade"],
            is_silent: true,
        }];
        let (kind, text) = kinds(&report).remove(0);
        assert_eq!((kind, report.exit_code()), (FindingKind::MarketDataIncomplete, 8));
        assert!(text.contains("one never got a market event"), "{text}");
        report.duration_ns = 1_000_000_000;
        assert_eq!(kinds(&report), [], "it has just begun");
    }

    #[test]
    fn streams_that_never_spoke_are_named_together() {
        let mut report = report();
        let stream = |number: u32, is_silent| SilentStream {
            consumer: "one".into(),
            venue: "v".into(),
            instrument: format!("A{number}-USDT"),
            events: vec!["trade"],
            is_silent,
        };
        report.silent_streams = (0..7).map(|number| stream(number, true)).collect();
        let texts = kinds(&report);
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert!(texts[0].1.contains("A4-USDT and 2 more: v never sent any"), "{texts:?}");
        report.silent_streams = vec![stream(0, false)];
        assert_eq!(kinds(&report), [], "a market may be quiet for a minute");
    }
}
