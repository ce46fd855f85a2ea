//! The accounting identity of each consumer, by kind.

use std::fmt::Write;

use pitlane_engine::report::{ConsumerReport, TermCounts};

use crate::table::{count, render, table};

type TermOf = fn(&TermCounts) -> u64;

/// The terms in the order of the identity; the second half is left out where it is 0 throughout.
const TERMS: [(&str, TermOf); 8] = [
    (">published", |terms| terms.published),
    (">handled", |terms| terms.handled),
    (">conflated", |terms| terms.conflated),
    (">aggregated", |terms| terms.aggregated),
    (">in flight", |terms| terms.in_flight),
    (">skipped", |terms| terms.skipped),
    (">dead lett.", |terms| terms.dead_lettered),
    (">discarded", |terms| terms.discarded),
];

/// Terms that are always shown.
const ALWAYS: usize = 5;

pub(super) fn accounts(consumers: &[ConsumerReport]) -> String {
    let is_used = |term: TermOf| consumers.iter().any(|consumer| term(&consumer.terms) > 0);
    let shown: Vec<(&str, TermOf)> = TERMS
        .iter()
        .enumerate()
        .filter(|(index, (_, term))| *index < ALWAYS || is_used(*term))
        .map(|(_, term)| *term)
        .collect();
    let mut heads = vec!["consumer, kind"];
    heads.extend(shown.iter().map(|(head, _)| *head));
    heads.push("holds");
    let mut table = table(&heads);
    let row = |name: String, terms: &TermCounts, holds: bool| {
        let mut cells = vec![name];
        cells.extend(shown.iter().map(|(_, term)| count(term(terms))));
        cells.push(if holds { "yes" } else { "NO" }.to_owned());
        cells
    };
    for consumer in consumers {
        let holds = consumer.identity_holds();
        table.add_row(row(consumer.name.clone(), &consumer.terms, holds));
        for (kind, terms) in &consumer.kinds {
            table.add_row(row(format!("- {kind}"), terms, terms.identity_holds()));
        }
    }
    let mut text = render(&table);
    if shown.len() < TERMS.len() {
        let hidden = TERMS[ALWAYS..].iter().filter(|(_, term)| !is_used(*term));
        let hidden: Vec<&str> = hidden.map(|(head, _)| head.trim_start_matches('>')).collect();
        let _infallible = writeln!(text, "0 throughout: {}", hidden.join(", "));
    }
    text
}
