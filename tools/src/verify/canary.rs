//! `verify --canary`: each check, with a fault planted that it must notice.
//!
//! A check that fails without a plant as well proves nothing by failing with one, so each is also
//! run as it is, at the same scale: where that control does not pass, its canaries are not judged.

use super::criterion::Criterion;
use super::finding::{Finding, Row, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::TrialError;
use super::{attempted, progress};
use crate::terminal::Terminal;

/// One row a planted fault: it passes when the check failed, and its control did not.
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
        progress(id, "control, with nothing planted", terminal);
        let (control, first_attempt) =
            attempted(criterion, &Setting { plant: Plant::None, ..*setting }, terminal)?;
        for plant in criterion.plants {
            progress(id, plant.name(), terminal);
            let found = (criterion.check)(&Setting { plant: *plant, ..*setting })?;
            let finding = judged(plant.name(), found, &control);
            rows.push(Row { id, title, finding, first_attempt: first_attempt.clone() });
        }
    }
    Ok(rows)
}

fn judged(planted: &str, found: Finding, control: &Finding) -> Finding {
    let (verdict, said) = match (control.verdict, found.verdict) {
        (Verdict::Fail, _) => (Verdict::Skipped, "the check fails without the plant too"),
        (Verdict::Skipped, _) | (_, Verdict::Skipped) => (Verdict::Skipped, "not judged"),
        (Verdict::Pass, Verdict::Fail) => (Verdict::Pass, "noticed"),
        (Verdict::Pass, Verdict::Pass) => (Verdict::Fail, "NOT NOTICED"),
    };
    Finding {
        done: format!("planted: {planted}"),
        measured: format!("{said}: {}; without the plant: {}", found.measured, control.measured),
        bound: format!("the check must fail its bound: {}", found.bound),
        verdict,
        attack: found.attack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_check_that_passes_without_the_plant_can_notice_it() {
        let finding = |verdict| Finding { verdict, ..Finding::skipped("bound", "measured") };
        let verdict = |control, found| judged("x", finding(found), &finding(control)).verdict;
        let (pass, fail, skipped) = (Verdict::Pass, Verdict::Fail, Verdict::Skipped);
        assert_eq!(verdict(pass, fail), pass);
        assert_eq!(verdict(pass, pass), fail);
        for (control, found) in [(fail, fail), (fail, pass), (skipped, fail), (pass, skipped)] {
            assert_eq!(verdict(control, found), skipped);
        }
    }
}
