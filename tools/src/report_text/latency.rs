//! Latency by stage.

use std::fmt::Write;

use pitlane_engine::report::Report;
use pitlane_engine::telemetry::LatencyFigures;

use crate::table::{count, micros, render, table};

pub(super) fn latency(report: &Report) -> String {
    let mut table = table(&["stage", ">count", ">min", ">p50", ">p90", ">p99", ">p99.9", ">max"]);
    let mut add = |name: &str, figures: &LatencyFigures| {
        let LatencyFigures { min_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns, .. } = *figures;
        let values = [min_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns];
        let mut cells = vec![name.to_owned(), count(figures.count)];
        cells.extend(
            values.map(|ns| if figures.count == 0 { "-".into() } else { short_micros(ns) }),
        );
        table.add_row(cells);
    };
    for (name, figures) in &report.stages {
        add(name, figures);
    }
    add("tick to trade", &report.tick_to_trade);
    add("hiccups, all", &report.hiccups);
    let mut text = render(&table);
    let together = &report.parallelism;
    let at_once = together.at_once_permille;
    let _infallible = writeln!(
        text,
        "wire: from the venue's stamp, which is in whole milliseconds; hiccup: a gap of the machine's\n\
         fanout: until the first, half, 95 %, 99 %, the last of an event's subscribers had handled it\n\
         callbacks at once: {}.{:03} on average, on {} threads",
        at_once / 1_000,
        at_once % 1_000,
        together.threads
    );
    if report.fanout_incomplete > 0 {
        let incomplete = count(report.fanout_incomplete);
        let _infallible =
            writeln!(text, "{incomplete} fan-outs not timed: a copy was conflated on the way");
    }
    text
}

/// Microseconds with as many places as say something: long ones leave room for the names.
fn short_micros(ns: u64) -> String {
    match ns {
        0..1_000_000 => micros(ns),
        _ => format!("{}.{}", count(ns / 1_000), ns % 1_000 / 100),
    }
}
