//! `verify --canary`: each check, with a fault planted that it must notice.

use super::criterion::{Criterion, Setting};
use super::finding::{Finding, Row, Verdict};
use super::progress;
use super::trial::TrialError;
use crate::terminal::Terminal;

/// One row a planted fault: it passes when the check failed.
///
/// # Errors
/// When a trial came to no finding at all.
pub(super) fn rows(
    criteria: &[&Criterion],
    setting: &Setting<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<Vec<Row>, TrialError> {
    let mut rows = Vec::new();
    for criterion in criteria {
        let Criterion { id, title, .. } = **criterion;
        for plant in criterion.plants {
            progress(id, plant.name(), terminal);
            let planted = Setting { plant: *plant, ..*setting };
            let found = (criterion.check)(&planted)?;
            rows.push(Row { id, title, finding: turned(plant.name(), found), first_attempt: None });
        }
    }
    Ok(rows)
}

fn turned(planted: &str, found: Finding) -> Finding {
    let (verdict, said) = match found.verdict {
        Verdict::Fail => (Verdict::Pass, "noticed"),
        Verdict::Pass => (Verdict::Fail, "NOT NOTICED"),
        Verdict::Skipped => (Verdict::Skipped, "not judged"),
    };
    Finding {
        done: format!("planted: {planted}"),
        measured: format!("{said}: {}", found.measured),
        bound: format!("the check must fail its bound: {}", found.bound),
        verdict,
        attack: found.attack,
    }
}
