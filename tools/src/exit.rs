//! The exit codes of `pitlane`: one meaning each, so that a script can tell a lost fill from a typo.

use std::process::ExitCode;

use pitlane_engine::report::Report;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, and everything holds.
    Ok = 0,
    /// An accounting identity or a rule does not hold.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A file or folder can't be read.
    Unreadable = 3,
    /// The engine did not start: a port, a core, a permission.
    StartRefused = 4,
    /// A critical event was lost.
    CriticalLost = 5,
    /// A thread did not stop in time and was left behind.
    ThreadLeftBehind = 6,
    /// A second signal ended the process at once.
    SecondSignal = 130,
}

impl Exit {
    /// The code as the shell sees it.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// How a run with this report ended.
    #[must_use]
    pub fn of_report(report: &Report) -> Exit {
        match report.exit_code() {
            0 => Exit::Ok,
            5 => Exit::CriticalLost,
            6 => Exit::ThreadLeftBehind,
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
