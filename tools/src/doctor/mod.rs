//! The command `doctor`: what the machine gives, what costs latency, how to mend it, which cores to
//! use.
//!
//! Promises: it changes nothing; every reading names its file; what can't be read is "unknown" with
//! the reason and never guessed; costs are stated as orders of magnitude. It does not promise to
//! find all that costs latency: firmware (SMIs, power settings) and a hypervisor's own doings are
//! not in any file.

mod args;
mod clock_offset;
mod clock_source;
mod control_group;
mod core_matrix;
mod cpu_list;
mod cpu_time;
mod cpu_times;
mod diagnosis;
mod finding;
#[cfg(test)]
mod fixture;
mod frequency;
mod hiccups;
mod host_files;
mod interrupt_table;
mod interrupts;
mod isolation;
mod kernel_noise;
mod limits;
mod memory;
mod network;
mod pinned;
mod placement;
mod scene;
mod text;
mod topology;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use pitlane_engine::config::Config;

use args::{Args, Cores};
use core_matrix::CoreMatrix;
use diagnosis::{Diagnosis, DiagnosisError};
use finding::Severity;
use text::Ink;

use crate::{Exit, Terminal, config_file};

/// The command line of the binary. Call it from `main`.
#[must_use]
pub fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let is_coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let err_is_terminal = err.is_terminal();
    let mut terminal = Terminal { out: &mut out, err: &mut err, err_is_terminal };
    run_doctor(std::env::args_os(), is_coloured, &mut terminal).into()
}

/// One command. `args` starts with the program's name; `is_coloured` says whether escapes may be
/// printed.
pub fn run_doctor(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    is_coloured: bool,
    terminal: &mut Terminal<'_>,
) -> Exit {
    let done = parsed(args, terminal).and_then(|args| doctor(&args, Ink { is_coloured }, terminal));
    done.unwrap_or_else(|exit| exit)
}

fn parsed(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    terminal: &mut Terminal<'_>,
) -> Result<Args, Exit> {
    Args::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            terminal.print(&error.render().to_string()).map_or_else(|exit| exit, |()| Exit::Ok)
        }
        _ => {
            terminal.say(&error.render().to_string());
            Exit::Usage
        }
    })
}

fn doctor(args: &Args, ink: Ink, terminal: &mut Terminal<'_>) -> Result<Exit, Exit> {
    if args.root != Path::new("/") && (args.matrix.is_some() || args.hiccups.is_some()) {
        terminal.complain("--matrix and --hiccups measure the running machine: leave --root away");
        return Err(Exit::Usage);
    }
    let config: Config = config_file::load(args.config.as_deref(), terminal)?;
    let made = Diagnosis::make(&args.root, &config, args.sample)
        .and_then(|diagnosis| measured(args, diagnosis));
    let diagnosis = made.map_err(|error| {
        terminal.complain(&format!("[doctor] cannot diagnose: {error}"));
        Exit::Unreadable
    })?;
    let text = match (args.json, args.toml) {
        (true, _) => json(&diagnosis, terminal)?,
        (_, true) => toml(&diagnosis),
        _ => text::text(&diagnosis, ink, args.all),
    };
    terminal.print(&text)?;
    let fails = args.strict && diagnosis.count(Severity::High) > 0;
    Ok(if fails { Exit::Failed } else { Exit::Ok })
}

/// Adds what is measured on pinned threads, where it is asked for.
fn measured(args: &Args, mut diagnosis: Diagnosis) -> Result<Diagnosis, DiagnosisError> {
    let refused = |cores: &[usize], reason| DiagnosisError::Measure {
        cores: cpu_list::folded(cores),
        reason,
    };
    if let Some(Cores(cores)) = &args.matrix {
        let cores = if cores.is_empty() { &diagnosis.mask } else { cores };
        let matrix = CoreMatrix::measure(cores, &diagnosis.topology);
        diagnosis.matrix = Some(matrix.map_err(|reason| refused(cores, reason))?);
    }
    if let Some(time) = args.hiccups {
        let cores = &diagnosis.placement.busy;
        let found = hiccups::watch(cores, time).map_err(|reason| refused(cores, reason))?;
        diagnosis.hiccups = Some(found);
    }
    Ok(diagnosis)
}

fn json(diagnosis: &Diagnosis, terminal: &mut Terminal<'_>) -> Result<String, Exit> {
    serde_json::to_string(diagnosis).map(|text| text + "\n").map_err(|error| {
        terminal.complain(&format!("[doctor] cannot write JSON: {error}"));
        Exit::Failed
    })
}

/// The table alone, with the command that it needs as a comment.
fn toml(diagnosis: &Diagnosis) -> String {
    match &diagnosis.placement.taskset {
        Some(cores) => format!(
            "# Start it as: taskset -c {cores} pitlane run --config FILE\n{}",
            diagnosis.toml
        ),
        None => diagnosis.toml.clone(),
    }
}
