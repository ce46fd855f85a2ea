//! What venues allow, as text: how much is used, what was held back, and until when they are
//! paused.

use std::collections::BTreeMap;
use std::fmt::Write;

use pitlane_engine::venue::governor::{Allowance, LimitUse};

use crate::table::{count, render, table};

/// A table of all limits, and a line for each pause and for what was held back.
pub(crate) fn limits(allowances: &[Allowance]) -> String {
    let mut table = table(&["limit", "window", ">used", ">of", "told by"]);
    for Allowance { venue, limits, .. } in allowances {
        for LimitUse { counts, window_ms, amount, used, is_learned } in limits {
            table.add_row([
                format!("{venue} {counts}"),
                window(*window_ms),
                count(*used),
                count(*amount),
                if *is_learned { "the venue" } else { "its documents" }.to_owned(),
            ]);
        }
    }
    let has_limits = allowances.iter().any(|allowance| !allowance.limits.is_empty());
    let mut text = if has_limits { render(&table) } else { String::new() };
    for allowance in allowances {
        pauses(&mut text, allowance);
        let Allowance { venue, held_back_for, unknown_limits, .. } = allowance;
        if !held_back_for.is_empty() {
            let held_back = listed(held_back_for);
            let _infallible = writeln!(text, "{venue}: held back, each try counted: {held_back}");
        }
        if *unknown_limits > 0 {
            let unknown = count(*unknown_limits);
            let _infallible =
                writeln!(text, "{venue}: {unknown} times told a limit of a kind not known");
        }
    }
    text
}

fn pauses(text: &mut String, allowance: &Allowance) {
    for pause in &allowance.pauses {
        let (venue, stops, until) = (&allowance.venue, &pause.stops, &pause.until);
        let left = count(pause.left_ms.div_ceil(1_000));
        let cause = match (pause.status, pause.code) {
            (0, code) => format!("code: {code}"),
            (status, 0) => format!("code: http {status}"),
            (status, code) => format!("code: http {status}, {code}"),
        };
        let _infallible =
            writeln!(text, "{venue}: PAUSED, {stops}, until {until}, {left} s from now ({cause})");
    }
}

fn window(ms: u64) -> String {
    match ms / 1_000 {
        s if s >= 86_400 && s.is_multiple_of(86_400) => format!("{} d", s / 86_400),
        s if s >= 60 && s.is_multiple_of(60) => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    let texts: Vec<_> = counts.iter().map(|(name, n)| format!("{name} {}", count(*n))).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use pitlane_engine::venue::governor::PauseLeft;

    use super::*;

    #[test]
    fn limits_pauses_and_what_was_held_back_are_told() {
        let limit = LimitUse {
            counts: "weight".to_owned(),
            window_ms: 60_000,
            amount: 6_000,
            used: 1_250,
            is_learned: true,
        };
        let pause = PauseLeft {
            stops: "all requests".to_owned(),
            until: "2026-11-29 12:00:00 UTC".to_owned(),
            left_ms: 259_200_000,
            status: 418,
            code: -1003,
            ..PauseLeft::default()
        };
        let text = limits(&[Allowance {
            venue: "binance".to_owned(),
            limits: vec![limit],
            pauses: vec![pause],
            held_back_for: [("pause".to_owned(), 1_234)].into(),
            unknown_limits: 3,
            ..Allowance::default()
        }]);
        for part in [
            "binance weight",
            "1 min",
            "1,250",
            "6,000",
            "held back, each try counted: pause 1,234",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let pause = "binance: PAUSED, all requests, until 2026-11-29 12:00:00 UTC, 259,200 s from \
                     now (code: http 418, -1003)";
        assert!(text.contains(pause), "{text}");
        assert_eq!(limits(&[]), "");
    }
}
