//! The table of checks: what was held, what failed, and what could not be seen.

use pitlane_engine::text::escaped;

use crate::exit::Exit;
use crate::table::{render, table};

/// What became of one check.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Fails,
    /// It could not be seen.
    NotSeen,
}

/// The rows of a table of checks.
#[derive(Default)]
pub(super) struct Checks(Vec<(&'static str, Verdict, String)>);

impl Checks {
    pub(super) fn add(&mut self, name: &'static str, holds: bool, what: String) {
        let verdict = if holds { Verdict::Holds } else { Verdict::Fails };
        self.0.push((name, verdict, what));
    }

    pub(super) fn not_seen(&mut self, name: &'static str, why: &str) {
        self.0.push((name, Verdict::NotSeen, why.to_owned()));
    }

    pub(super) fn exit(&self) -> Exit {
        let fails = self.0.iter().any(|(_, verdict, _)| *verdict == Verdict::Fails);
        if fails { Exit::Failed } else { Exit::Ok }
    }

    pub(super) fn text(&self) -> String {
        let mut table = table(&["check", "result", "what was seen"]);
        for (name, verdict, what) in &self.0 {
            let verdict = match verdict {
                Verdict::Holds => "holds",
                Verdict::Fails => "FAILS",
                Verdict::NotSeen => "not seen",
            };
            table.add_row([*name, verdict, escaped(what).as_ref()]);
        }
        render(&table)
    }
}
