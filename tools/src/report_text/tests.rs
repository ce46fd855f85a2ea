//! What the text says, and that it fits.

use std::collections::BTreeMap;

use pitlane_engine::consumer::{ConsumerState, FailureLog};
use pitlane_engine::order::OrderCounts;
use pitlane_engine::order::trading::{
    PositionFigures, ProfitFigures, RefusalFigures, StrategyFigures,
};
use pitlane_engine::report::{ConsumerReport, TermCounts, VenueReport};
use pitlane_engine::runtime::{Demotion, StallFigures};
use pitlane_engine::telemetry::LatencyFigures;
use pitlane_engine::venue::{BookSummary, VenueClockReading, VenueCounters};

use super::*;

/// A day's worth of events in every term.
const MANY: u64 = 172_800_000;

fn consumer(terms: TermCounts) -> ConsumerReport {
    ConsumerReport {
        name: "market_maker".into(),
        core: Some(1),
        state: ConsumerState::Stopped,
        quarantine: None,
        terms,
        stale_handled: 0,
        failures: 0,
        critical_lost: 0,
        kinds: BTreeMap::from([("exec_report", terms)]),
        orders: OrderCounts { submitted: MANY, ..OrderCounts::default() },
        orders_open: 0,
        failure_log: FailureLog::default(),
        stalls: StallFigures::default(),
        left_behind: false,
    }
}

fn report(terms: TermCounts) -> Report {
    let clock = VenueClockReading::default();
    let counters =
        VenueCounters { frames: MANY, decoded: MANY, events: MANY, ..Default::default() };
    Report {
        identity_holds: terms.identity_holds(),
        critical_lost: 0,
        halted: None,
        events_published: MANY,
        allocations_steady_state: Some(0),
        duration_ns: 86_400_500_000_000,
        stages: BTreeMap::from([(
            "queue:market_maker".into(),
            LatencyFigures {
                count: MANY,
                p50_ns: 1_234,
                max_ns: 10_000_000_000,
                ..Default::default()
            },
        )]),
        consumers: vec![consumer(terms)],
        venues: vec![VenueReport {
            name: "simulated".into(),
            counters,
            clock,
            ..VenueReport::default()
        }],
        books: BTreeMap::from([("BTC-USDT".into(), book())]),
        notes: vec!["a note".into()],
        ..Report::default()
    }
}

fn book() -> BookSummary {
    let sha256 = "0123456789abcdef".repeat(4);
    BookSummary { sha256, status: "live", bid_levels: 1_209, ask_levels: 2_196, levels_dropped: 0 }
}

fn row<'a>(text: &'a str, start: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no row {start:?} in:\n{text}"))
}

#[test]
fn a_day_of_events_fits_a_hundred_columns_with_whole_numbers() {
    let terms = TermCounts { published: MANY, handled: MANY, ..TermCounts::default() };
    let text = report_text(&report(terms));
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(row(&text, "every account holds; ").contains("172,800,000 events in 86400.5 s"));
    assert!(row(&text, "queue:market_maker").contains("1.234"));
    assert!(row(&text, "queue:market_maker").ends_with("10,000,000.0"));
    assert!(row(&text, "simulated").starts_with("simulated  172,800,000  172,800,000 "));
    assert!(text.contains("0 throughout: skipped, dead lett., discarded"));
}

#[test]
fn a_term_that_is_not_zero_is_shown_and_a_broken_account_stands_out() {
    let terms = TermCounts { published: 9, handled: 6, discarded: 2, ..TermCounts::default() };
    let text = report_text(&report(terms));
    assert!(row(&text, "AN ACCOUNT DOES NOT HOLD").contains("critical lost: 0"));
    assert!(row(&text, "consumer, kind").contains("discarded"));
    assert!(row(&text, "market_maker ").ends_with("NO"));
    assert!(row(&text, "- exec_report ").ends_with("NO"));
}

#[test]
fn stalls_name_the_consumer_its_times_and_what_became_of_it() {
    let mut report = report(TermCounts::default());
    assert!(!report_text(&report).contains("Stalls"), "nothing is said where there are none");
    report.consumers[0].stalls = StallFigures {
        count: 1,
        total_ns: 86_400_000_000_000,
        longest_ns: 86_400_000_000_000,
        conflated: MANY,
        critical_waited: MANY,
        is_alone: true,
        ..StallFigures::default()
    };
    report.demotions = vec![Demotion {
        consumer: "market_maker".into(),
        thread: "consumers".into(),
        core: Some(1),
        at_ns: 86_400_000_000_000,
        callback_ns: 6_650_000,
        taken_by: "consumers+1".into(),
    }];
    let text = report_text(&report);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(text.contains("86,400,000.0") && text.contains("  alone"), "{text}");
    let line = row(&text, "market_maker lost core 1 after 6.6 ms in a callback");
    assert!(line.ends_with(", at 86400.0 s; consumers+1 has the rest"), "{line}");
    report.consumers[0].left_behind = true;
    assert!(report_text(&report).contains("NEVER RETURNED"));
}

#[test]
fn a_thread_left_behind_and_lost_letters_are_named() {
    let mut report = report(TermCounts::default());
    report.threads_left_behind = vec!["consumers".into()];
    report.dead_letters.dropped = 3;
    report.allocations_steady_state = None;
    let text = report_text(&report);
    assert!(text.contains("LEFT BEHIND, did not stop in time: thread consumers"));
    assert!(text.contains("3 without room"));
    assert!(text.contains("pinned threads: not counted"));
}

fn traded() -> StrategyFigures {
    let wide = "-123456789.12345".to_owned();
    let row = PositionFigures {
        instrument: "1000CHEEMS-USDT".into(),
        venue: "simulated".into(),
        position: wide.clone(),
        average_price: Some("61234.5678".into()),
        quote_asset: "USDT".into(),
        realised: wide.clone(),
        unrealised: None,
        fees_in_quote: "0.0000001".into(),
        fees: vec![pitlane_engine::order::trading::FeeFigures {
            asset: "BNB".into(),
            amount: "0.1".into(),
        }],
        fee_unknown_qty: "0.5".into(),
        inferred_qty: "0.5".into(),
        prevented: "0.00000".into(),
        volume: "9999999999.99".into(),
        price_places: 2,
        fills: MANY,
        orders_sent: MANY,
        orders_rejected: 3,
        refusals: vec![RefusalFigures {
            by: "venue".into(),
            what: "order".into(),
            reason: "venue".into(),
            venue_code: Some(-2_010),
            count: MANY,
        }],
        ..PositionFigures::default()
    };
    let total = ProfitFigures {
        asset: "USDT".into(),
        realised: wide,
        fees: "0.1".into(),
        ..ProfitFigures::default()
    };
    StrategyFigures {
        strategy: "market_maker".into(),
        positions: vec![row],
        totals: vec![total],
        reports_undelivered: 2,
        ..StrategyFigures::default()
    }
}

#[test]
fn what_was_earned_comes_first_and_fits_with_wide_numbers() {
    let mut report = report(TermCounts::default());
    report.trading =
        vec![StrategyFigures { strategy: "noop".into(), ..StrategyFigures::default() }, traded()];
    let text = report_text(&report);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in:\n{text}"));
    assert!(at("Positions") < at("Accounts, in events") && at("Accounts") < at("Latency, in us"));
    assert!(at("Venues, in frames") < at("Latency, in us"));
    for part in [
        "-123456789.1235",
        "no mark",
        "fees 0.1 BNB",
        "the fee of 0.5 filled IS NOT KNOWN",
        "0.5 of it filled by inference",
        "2 REPORTS ARE IN THE DEAD LETTERS",
        "the venue refused, code -2010",
        "No order and no fill: noop",
    ] {
        at(part);
    }
    assert!(!text.contains("self-trade prevention"), "{text}");
}

/// A report in which every section is there.
fn with_everything() -> Report {
    let terms = TermCounts { skipped: 1, dead_lettered: 1, discarded: 1, ..TermCounts::default() };
    let mut report = report(terms);
    report.trading = vec![traded()];
    report.merge.counts.opened = 1;
    report.consumers[0].stalls.count = 1;
    report
}

#[test]
fn every_head_of_a_table_is_explained_in_the_guide() {
    let guide = include_str!("../../../engine/docs/report.md");
    let words: Vec<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .collect();
    let text = report_text(&with_everything());
    let lines: Vec<&str> = text.lines().collect();
    let mut heads = 0;
    for (head, rule) in lines.iter().zip(&lines[1..]) {
        let is_head = !rule.is_empty() && rule.chars().all(|c| c == '-');
        for label in head.split("  ").map(str::trim).filter(|label| is_head && !label.is_empty()) {
            heads += 1;
            let is_known =
                words.contains(&label) || label.split(", ").all(|part| words.contains(&part));
            assert!(is_known, "{label:?} is in no table of the guide");
        }
    }
    assert!(heads > 50, "{heads} labels");
}
