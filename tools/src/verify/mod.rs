//! `pitlane verify`: every success criterion, measured on the running engine, in one table.
//!
//! Each check launches the real engine (its lanes, cores, wrapper and telemetry) on a synthetic
//! load, or drives the real recycler, and judges what it finds against the bound of REQUIREMENTS.
//! It passes only when its attack can be shown to have taken place. `--canary` plants a fault into
//! each check in turn and fails when the check does not notice.
//!
//! Counts are exact and decided at once. What is judged by time may be spoilt by a busy machine: it
//! is tried a second time, and the table then shows both attempts; with `--exact` it is not judged
//! at all.

mod accounts;
mod canary;
mod criterion;
mod double_returns;
mod failures;
mod fanout_time;
mod finding;
mod flip_storm;
mod flips;
mod leaks;
mod memory;
mod occupancy;
mod parallelism;
mod plant;
mod process;
mod scale;
mod setting;
mod stale_reads;
mod stalls;
mod trial;
mod witness;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use pitlane_engine::consumer::install_panic_hook;
use pitlane_engine::telemetry::install_logger;
use pitlane_engine::world::Entropy;

use crate::cli::VerifyArgs;
use crate::exit::Exit;
use crate::terminal::Terminal;
use criterion::{Criterion, Timing};
use finding::{Finding, Row, Verdict, ended, table_json, table_text};
use plant::Plant;
use scale::Scale;
use setting::Setting;
use trial::TrialError;

pub(crate) use process::resident_kib;
pub(crate) use witness::{Testimony, Witness};

/// In the order of the table.
const CRITERIA: [Criterion; 13] = [
    Criterion {
        id: "SC-001",
        title: "fan-out time",
        timing: Timing::Wholly,
        plants: &[Plant::SlowConsumer],
        check: fanout_time::check,
    },
    Criterion {
        id: "SC-002",
        title: "no growth",
        timing: Timing::None,
        plants: &[Plant::Allocation],
        check: memory::check,
    },
    Criterion {
        id: "SC-003",
        title: "lane and pool occupancy",
        timing: Timing::Wholly,
        plants: &[Plant::SmallLanes, Plant::SmallPool],
        check: occupancy::check,
    },
    Criterion {
        id: "SC-004",
        title: "critical in flips",
        timing: Timing::None,
        plants: &[Plant::LostCriticalEvent],
        check: flips::check_critical,
    },
    Criterion {
        id: "SC-005",
        title: "no leaks",
        timing: Timing::None,
        plants: &[Plant::LeakedSlot],
        check: leaks::check,
    },
    Criterion {
        id: "SC-006",
        title: "failures reported",
        timing: Timing::None,
        plants: &[Plant::SwallowedFailure],
        check: failures::check,
    },
    Criterion {
        id: "SC-007",
        title: "use after return",
        timing: Timing::None,
        plants: &[Plant::ForgottenReturn],
        check: stale_reads::check,
    },
    Criterion {
        id: "SC-008",
        title: "double return",
        timing: Timing::None,
        plants: &[Plant::ForgottenReturn],
        check: double_returns::check,
    },
    Criterion {
        id: "SC-009",
        title: "parallelism",
        timing: Timing::Wholly,
        plants: &[Plant::OneCore],
        check: parallelism::check,
    },
    Criterion {
        id: "SC-010",
        title: "stale in flips",
        timing: Timing::None,
        plants: &[Plant::StaleEvent],
        check: flips::check_stale,
    },
    Criterion {
        id: "FLIPS",
        title: "a storm of flips",
        timing: Timing::Partly,
        plants: &[Plant::LostCriticalEvent],
        check: flip_storm::check,
    },
    Criterion {
        id: "ACCOUNTS",
        title: "identity",
        timing: Timing::None,
        plants: &[Plant::LostMarketEvent, Plant::LostCriticalEvent],
        check: accounts::check,
    },
    Criterion {
        id: "F04",
        title: "a stalled neighbour",
        timing: Timing::Wholly,
        plants: &[Plant::NoTakeOver],
        check: stalls::check,
    },
];

/// Runs the criteria that were asked for, prints the table, and says whether all of them hold.
pub(crate) fn verify(
    args: &VerifyArgs,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let criteria = chosen(&args.only, terminal)?;
    let folder = RunFolder::make(terminal)?;
    install_panic_hook();
    install_logger();
    // Failures are planted by the thousand: their log lines would bury the table. Whoever wants
    // them sets the filter.
    let level = log::max_level();
    if std::env::var_os("RUST_LOG").is_none() {
        log::set_max_level(log::LevelFilter::Off);
    }
    let scale = match (args.canary, args.full) {
        (true, _) => Scale::CANARY,
        (false, true) => Scale::FULL,
        (false, false) => Scale::QUICK,
    };
    let setting =
        Setting { scale, plant: Plant::None, is_exact: args.exact, folder: &folder.0, stop };
    let rows = match args.canary {
        true => canary::rows(&criteria, &setting, terminal),
        false => rows(&criteria, &setting, terminal),
    };
    log::set_max_level(level);
    let rows = rows.map_err(|error| failed(&error, terminal))?;
    let text = match args.json {
        true => table_json(scale.name, &rows).map_err(|error| {
            terminal.complain(&format!("cannot write the table as JSON: {error}"));
            Exit::Failed
        })?,
        false => table_text(scale.name, &rows),
    };
    terminal.print(&text)?;
    Ok(if ended(&rows, Verdict::Fail) == 0 { Exit::Ok } else { Exit::Failed })
}

/// The criteria with these ids, or all when there are none.
fn chosen(only: &[String], terminal: &mut Terminal<'_>) -> Result<Vec<&'static Criterion>, Exit> {
    if only.is_empty() {
        return Ok(CRITERIA.iter().collect());
    }
    let find = |id: &String| {
        let found = CRITERIA.iter().find(|criterion| criterion.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| {
            let known = CRITERIA.map(|criterion| criterion.id).join(", ");
            terminal.complain(&format!("--only {id}: no such criterion; one of {known}"));
            Exit::Usage
        })
    };
    only.iter().map(find).collect()
}

fn rows(
    criteria: &[&Criterion],
    setting: &Setting<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<Vec<Row>, TrialError> {
    let mut rows = Vec::new();
    for criterion in criteria {
        progress(criterion.id, criterion.title, terminal);
        let Criterion { id, title, timing, .. } = **criterion;
        let (finding, first_attempt) = match setting.is_exact && timing == Timing::Wholly {
            true => ((criterion.check)(setting)?.for_information(), None),
            false => attempted(criterion, setting, terminal)?,
        };
        rows.push(Row { id, title, finding, first_attempt });
    }
    Ok(rows)
}

/// Runs a check; once more when it is judged by time and failed. The second value is what the first
/// attempt measured, where there were two.
fn attempted(
    criterion: &Criterion,
    setting: &Setting<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<(Finding, Option<String>), TrialError> {
    let finding = (criterion.check)(setting)?;
    if finding.verdict != Verdict::Fail || criterion.timing == Timing::None || setting.is_stopped()
    {
        return Ok((finding, None));
    }
    progress(criterion.id, "second attempt", terminal);
    let first_attempt = Some(finding.measured);
    Ok(((criterion.check)(setting)?, first_attempt))
}

fn progress(id: &str, what: &str, terminal: &mut Terminal<'_>) {
    if terminal.err_is_terminal {
        terminal.say(&format!("{id}: {what}\n"));
    }
}

fn failed(error: &TrialError, terminal: &mut Terminal<'_>) -> Exit {
    terminal.complain(&error.to_string());
    match error {
        TrialError::Launch(_) => Exit::StartRefused,
        TrialError::TooSlow { .. } | TrialError::NoReport | TrialError::Interrupted => Exit::Failed,
    }
}

/// A folder for the files of the runs, removed at the end.
pub(crate) struct RunFolder(pub(crate) PathBuf);

impl RunFolder {
    /// Makes one in the system's temporary folder, for this user alone, under a name that nobody
    /// can have guessed and prepared.
    pub(crate) fn make(terminal: &mut Terminal<'_>) -> Result<RunFolder, Exit> {
        let base = std::env::temp_dir();
        RunFolder::make_in(&base).map_err(|error| {
            terminal.complain(&format!("preparing a folder in {} failed: {error}", base.display()));
            Exit::StartRefused
        })
    }

    fn make_in(base: &Path) -> std::io::Result<RunFolder> {
        let path = base.join(format!("pitlane-{:016x}", Entropy::from_os()?.seed("folder")));
        // One that is there already is not ours.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(RunFolder(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // What can't be removed is left to the system, whose folder it is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_for_runs_is_this_users_alone_under_a_new_name_each_time() {
        let base = tempfile::tempdir().unwrap();
        let (one, two) =
            (RunFolder::make_in(base.path()).unwrap(), RunFolder::make_in(base.path()).unwrap());
        assert_ne!(one.path(), two.path());
        let mode = std::fs::metadata(one.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && two.path().exists());
    }
}
