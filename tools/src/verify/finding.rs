//! What came out of a check, and the text and the JSON of all of them.

use serde::Serialize;

use crate::table::WIDTH;

/// Characters of the longest label of a finding's parts.
const LABEL_CHARS: usize = 8;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Within its bound, and the attack took place.
    Pass,
    /// Out of its bound, or the attack did not take place.
    Fail,
    /// Could not be judged in this build or on this machine; `measured` says why.
    Skipped,
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// What was done, with counts.
    pub(crate) done: String,
    pub(crate) measured: String,
    pub(crate) bound: String,
    pub(crate) verdict: Verdict,
    /// Counters that prove that what the check is about did happen.
    pub(crate) attack: String,
}

/// A finding with its criterion.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    #[serde(flatten)]
    pub(crate) finding: Finding,
    /// What the first attempt measured, where it failed and there was a second.
    pub(crate) first_attempt: Option<String>,
}

/// The object that `--json` prints.
#[derive(Serialize)]
struct Object<'a> {
    scale: &'static str,
    results: &'a [Row],
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Finding {
    /// A check that could not be judged.
    pub(crate) fn skipped(bound: &str, why: &str) -> Finding {
        Finding {
            done: "nothing".to_owned(),
            measured: why.to_owned(),
            bound: bound.to_owned(),
            verdict: Verdict::Skipped,
            attack: "none".to_owned(),
        }
    }

    /// The same, shown but not judged: its bound is one of time.
    pub(crate) fn for_information(mut self) -> Finding {
        if self.verdict != Verdict::Skipped {
            let said = if self.verdict == Verdict::Pass { "within" } else { "NOT within" };
            self.measured =
                format!("{} [{said} the bound; --exact judges no times]", self.measured);
            self.verdict = Verdict::Skipped;
        }
        self
    }

    /// Pass when all of `conditions` hold.
    pub(crate) fn judged(mut self, conditions: &[bool]) -> Finding {
        let holds = conditions.iter().all(|holds| *holds);
        self.verdict = if holds { Verdict::Pass } else { Verdict::Fail };
        self
    }
}

/// How many rows ended so.
pub(crate) fn ended(rows: &[Row], verdict: Verdict) -> usize {
    rows.iter().filter(|row| row.finding.verdict == verdict).count()
}

/// The findings for people: a verdict each, and below it what was found, as wide as a terminal is.
pub(crate) fn table_text(scale: &str, rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let Finding { done, measured, bound, verdict, attack } = &row.finding;
        let measured = match &row.first_attempt {
            Some(first) => format!("{measured} [second attempt; the first: {first}]"),
            None => measured.clone(),
        };
        let verdict = match verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Skipped => "not judged",
        };
        text.push_str(&format!("{} {}: {verdict}\n", row.id, row.title));
        let parts = [("done", done), ("measured", &measured), ("bound", bound), ("attack", attack)];
        parts.iter().for_each(|(label, part)| push_wrapped(&mut text, label, part));
        text.push('\n');
    }
    format!(
        "{text}{scale}: {} passed, {} failed, {} not judged\n",
        ended(rows, Verdict::Pass),
        ended(rows, Verdict::Fail),
        ended(rows, Verdict::Skipped),
    )
}

/// Appends a label and a text of words, its lines below each other.
fn push_wrapped(out: &mut String, label: &str, text: &str) {
    let mut line = format!("  {label:LABEL_CHARS$}");
    let empty = line.chars().count();
    for word in text.split_whitespace() {
        let (used, more) = (line.chars().count(), word.chars().count());
        if used > empty && used + 1 + more > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(empty);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// The same as one JSON object on a line.
///
/// # Errors
/// serde's, which these types don't give.
pub(crate) fn table_json(scale: &'static str, rows: &[Row]) -> Result<String, serde_json::Error> {
    let object = Object {
        scale,
        results: rows,
        passed: ended(rows, Verdict::Pass),
        failed: ended(rows, Verdict::Fail),
        skipped: ended(rows, Verdict::Skipped),
    };
    serde_json::to_string(&object).map(|json| json + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, first_attempt: Option<&str>) -> Row {
        let text = |text: &str| text.to_owned();
        let finding = Finding {
            done: text("10,000 second returns by two threads at once, each after a reuse"),
            measured: text("9,999 refused"),
            bound: text("all refused"),
            verdict,
            attack: text("10,000 planted"),
        };
        Row {
            id: "SC-008",
            title: "double returns",
            finding,
            first_attempt: first_attempt.map(text),
        }
    }

    #[test]
    fn the_table_fits_a_hundred_columns_and_admits_a_second_attempt() {
        let rows = [row(Verdict::Pass, Some("p50 9 us")), row(Verdict::Fail, None)];
        let text = table_text("quick", &rows);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.contains("second attempt; the first: p50 9 us"), "{text}");
        assert!(text.contains("SC-008 double returns: FAIL\n  done     10,000 second"), "{text}");
        assert!(text.ends_with("quick: 1 passed, 1 failed, 0 not judged\n"), "{text}");
    }

    #[test]
    fn a_long_finding_takes_the_lines_that_its_words_need() {
        let mut long = row(Verdict::Pass, None);
        long.finding.measured = "p50 1.000 us, ".repeat(100);
        let text = table_text("quick", &[long]);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        // 1,400 characters in lines of 90.
        assert!(text.lines().count() < 24, "{text}");
    }

    #[test]
    fn what_is_shown_for_information_is_neither_passed_nor_failed() {
        let shown = row(Verdict::Fail, None).finding.for_information();
        assert_eq!(shown.verdict, Verdict::Skipped);
        assert!(shown.measured.contains("NOT within the bound"), "{}", shown.measured);
        let skipped = Finding::skipped("bound", "why").for_information();
        assert_eq!(skipped.measured, "why");
    }

    #[test]
    fn the_json_has_what_scripts_look_for() {
        let rows = [row(Verdict::Pass, None), row(Verdict::Skipped, None)];
        let json: serde_json::Value =
            serde_json::from_str(&table_json("quick", &rows).unwrap()).unwrap();
        assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &0.into()));
        let first = &json["results"][0];
        assert_eq!((&first["id"], &first["verdict"]), (&"SC-008".into(), &"pass".into()));
        for key in ["measured", "bound", "attack"] {
            assert!(first[key].is_string(), "{key}");
        }
    }
}
