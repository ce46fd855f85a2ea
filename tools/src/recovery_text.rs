//! What was found of orders of earlier starts, as a table: in the report of a run and in a reading
//! of a running engine.

use std::fmt::Write;

use pitlane_engine::journal::CheckpointFigures;
use pitlane_engine::order::recovery::VenueRecoveryFigures;
use pitlane_engine::text::escaped;

use crate::table::{count, render, table};

/// How checkpoints of the journal get on, where there is anything to say.
pub(crate) fn checkpoints(figures: &CheckpointFigures) -> String {
    let CheckpointFigures { written, newest, removed, failures, problem } = figures;
    let mut text = String::new();
    if *written > 0 {
        let (written, removed) = (count(*written), count(*removed));
        let _infallible = writeln!(
            text,
            "checkpoints   {written} written, the newest before segment {newest}; {removed} \
             segments removed"
        );
    }
    if *failures > 0 {
        let last = match problem {
            Some(problem) => format!("at last since {}", escaped(problem)),
            None => "and worked again since".to_owned(),
        };
        let _infallible = writeln!(text, "checkpoints   {} TRIES FAILED, {last}", count(*failures));
    }
    text
}

/// One table with a line for each venue above it; empty when there was nothing to be found.
pub(crate) fn recovery(venues: &[VenueRecoveryFigures]) -> String {
    if venues.is_empty() {
        return String::new();
    }
    let mut text = String::from("Orders and balances found at the start\n\n");
    let mut found = table(&[
        "order", "venue", "side", ">qty", "symbol", ">price", "was", ">filled", "is", ">filled",
    ]);
    for of in venues {
        let VenueRecoveryFigures { venue, recorded, open, filled, ended, .. } = of;
        let _infallible = match of.is_done {
            false => writeln!(text, "{venue}: {recorded} orders on record, being asked for"),
            true => writeln!(
                text,
                "{venue}: {recorded} orders on record and {} more of ours, found {open} open, \
                 {filled} filled, {ended} ended otherwise, {} never arrived, {} not known there; {} \
                 of others{}{}",
                of.adopted,
                of.never_arrived,
                of.unknown,
                of.others_count,
                if of.is_listed { "" } else { " (it did not tell all that is open)" },
                if of.has_balances { "" } else { " (it did not tell its balances)" },
            ),
        };
        for order in &of.orders {
            found.add_row(vec![
                escaped(&order.name).to_string(),
                venue.clone(),
                order.side.clone(),
                order.qty.clone(),
                order.symbol.clone(),
                order.price.clone(),
                order.was.clone(),
                order.filled_before.clone(),
                order.found.clone(),
                order.filled.clone(),
            ]);
        }
    }
    if venues.iter().any(|of| !of.orders.is_empty()) {
        let _infallible = write!(text, "\n{}", render(&found));
    }
    text.push_str(&others(venues));
    text.push_str(&balances(venues));
    text
}

/// Open orders of the account that are in no book of this engine.
fn others(venues: &[VenueRecoveryFigures]) -> String {
    let mut found = table(&[
        "order of others",
        "venue",
        "side",
        ">qty",
        "symbol",
        ">price",
        ">filled",
        "is",
        "then",
    ]);
    let each = venues.iter().flat_map(|of| of.others.iter().map(move |other| (&of.venue, other)));
    let mut any = false;
    for (venue, other) in each {
        any = true;
        found.add_row(vec![
            escaped(&other.name).to_string(),
            venue.clone(),
            other.side.clone(),
            escaped(&other.qty).to_string(),
            escaped(&other.symbol).to_string(),
            escaped(&other.price).to_string(),
            escaped(&other.filled).to_string(),
            other.what.clone(),
            if other.is_canceled { "cancelled" } else { "left alone" }.to_owned(),
        ]);
    }
    if any { format!("\n{}", render(&found)) } else { String::new() }
}

/// Balances that are not what is on record.
fn balances(venues: &[VenueRecoveryFigures]) -> String {
    let mut found =
        table(&["balance", "venue", ">on record", ">traded since", ">found", ">difference"]);
    let each = venues.iter().flat_map(|of| of.balances.iter().map(move |row| (&of.venue, row)));
    let mut any = false;
    for (venue, row) in each {
        any = true;
        found.add_row(vec![
            row.asset.clone(),
            venue.clone(),
            row.recorded.clone(),
            row.traded.clone(),
            row.found.clone(),
            row.difference.clone(),
        ]);
    }
    if any { format!("\n{}", render(&found)) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use pitlane_engine::order::recovery::{FoundBalance, OtherOrder};

    use super::*;

    #[test]
    fn checkpoints_have_lines_where_there_is_anything_to_say() {
        assert_eq!(checkpoints(&CheckpointFigures::default()), "");
        let mut figures = CheckpointFigures { written: 2, newest: 33, ..Default::default() };
        let text = checkpoints(&figures);
        assert!(text.contains("2 written, the newest before segment 33"), "{text}");
        assert_eq!(text.lines().count(), 1);
        (figures.failures, figures.problem) = (3, Some("a full disk\u{1b}".to_owned()));
        let text = checkpoints(&figures);
        assert!(text.contains("3 TRIES FAILED, at last since a full disk"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn orders_of_others_and_balances_are_shown_with_names_escaped() {
        let other = OtherOrder {
            name: "evil\u{1b}[2J".to_owned(),
            what: "unrecorded".to_owned(),
            ..OtherOrder::default()
        };
        let balance = FoundBalance {
            asset: "BTC".to_owned(),
            difference: "-0.50000000".to_owned(),
            ..FoundBalance::default()
        };
        let of = VenueRecoveryFigures {
            venue: "one".to_owned(),
            is_done: true,
            has_balances: true,
            others_count: 1,
            others: vec![other],
            balances: vec![balance],
            ..VenueRecoveryFigures::default()
        };
        let text = recovery(&[of]);
        assert!(text.contains("1 of others (it did not tell all that is open)"), "{text}");
        assert!(text.contains("unrecorded") && text.contains("left alone"), "{text}");
        assert!(text.contains("-0.50000000") && !text.contains('\u{1b}'), "{text}");
    }
}
