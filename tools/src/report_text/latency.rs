//! Latency by stage.

use std::fmt::Write;

use pitlane_engine::report::Report;
use pitlane_engine::telemetry::LatencyFigures;

use crate::table::{count, micros, render, table};

pub(super) fn latency(report: &Report) -> String {
    let mut table = table(&["stage", ">count", ">p50", ">p90", ">p99", ">p99.9", ">max"]);
    let mut add = |name: &str, figures: &LatencyFigures| {
        let values =
            [figures.p50_ns, figures.p90_ns, figures.p99_ns, figures.p999_ns, figures.max_ns];
        let mut cells = vec![name.to_owned(), count(figures.count)];
        cells.extend(values.map(|ns| if figures.count == 0 { "-".into() } else { micros(ns) }));
        table.add_row(cells);
    };
    for (name, figures) in &report.stages {
        add(name, figures);
    }
    add("tick to trade", &report.tick_to_trade);
    add("hiccups, all", &report.hiccups);
    let mut text = render(&table);
    if report.fanout_incomplete > 0 {
        let incomplete = count(report.fanout_incomplete);
        let _infallible =
            writeln!(text, "{incomplete} fan-outs not timed: a copy was conflated on the way");
    }
    text
}
