//! What a person sees of an audit.

use std::fmt::Write as _;

use pitlane_engine::control::ConsumerAudit;

use crate::table::{count, render, table};

/// The accounts, a table a consumer.
pub(super) fn audit(holds: bool, consumers: &[ConsumerAudit]) -> String {
    let mut text = String::new();
    for one in consumers {
        let verdict = match (&one.not_reached, one.holds) {
            (Some(why), _) => format!("NOT REACHED: {why}"),
            (None, true) => format!("holds, {} in its market lane", count(one.lane)),
            (None, false) => format!("DOES NOT HOLD, {} in its market lane", count(one.lane)),
        };
        let _infallible = writeln!(text, "{}: {verdict}", one.consumer);
        if !one.kinds.is_empty() {
            text.push_str(&kinds(one));
        }
        text.push('\n');
    }
    let _infallible = writeln!(
        text,
        "{}\nmerged: conflated or aggregated; lost: dead letters and discarded; held: in cells",
        if holds { "every account holds" } else { "NOT EVERY ACCOUNT HOLDS" }
    );
    text
}

fn kinds(one: &ConsumerAudit) -> String {
    let heads =
        ["kind", ">published", ">handled", ">skipped", ">merged", ">lost", ">held", ">in lane", ""];
    let mut table = table(&heads);
    for row in &one.kinds {
        let numbers = [
            row.published,
            row.handled,
            row.skipped,
            row.conflated + row.aggregated,
            row.dead_lettered + row.discarded,
            row.held,
            row.in_lane,
        ];
        let mut cells = vec![row.kind.clone()];
        cells.extend(numbers.map(count));
        cells.push(if row.holds { "" } else { "DOES NOT HOLD" }.to_owned());
        table.add_row(cells);
    }
    render(&table)
}
