//! The exit codes of `pitlane`: one meaning each, so that a script can tell a lost fill from a
//! typo.

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
    /// Orders may still rest at a venue: they are named on standard error and in the report.
    OrdersLeft = 7,
    /// A book is not to be trusted at the end, or a recording was not played whole.
    MarketDataIncomplete = 8,
    /// Lines of the interval log or of the dead letters could not be written.
    LinesLost = 9,
    /// A strategy was quarantined, and not by an operator.
    StrategyQuarantined = 10,
    /// Every order of a strategy was refused.
    OrdersRefused = 11,
    /// The journal failed, and trading was halted for it.
    JournalFailed = 12,
    /// The engine stood still, and the guard has cancelled all.
    GuardActed = 13,
    /// The engine stood still, and the guard does not know whether all is cancelled.
    GuardUnsure = 14,
    /// A second signal ended the process at once.
    SecondSignal = 130,
}

/// Every exit code of `pitlane` with its meaning: help and guides are made from this table.
pub const EXITS: [(Exit, &str); 16] = [
    (Exit::Ok, "all accounts hold"),
    (Exit::Failed, "an account or a rule does not hold"),
    (Exit::Usage, "command line or configuration"),
    (Exit::Unreadable, "a file can't be read"),
    (Exit::StartRefused, "start refused: port, core, permission"),
    (Exit::CriticalLost, "a critical event was lost"),
    (Exit::ThreadLeftBehind, "a thread did not stop in time"),
    (Exit::OrdersLeft, "orders may still rest at a venue"),
    (
        Exit::MarketDataIncomplete,
        "no market data, a book not to be trusted, or a recording not whole",
    ),
    (Exit::LinesLost, "lines of a run's files could not be written"),
    (Exit::StrategyQuarantined, "a strategy was quarantined"),
    (Exit::OrdersRefused, "every order of a strategy was refused"),
    (Exit::JournalFailed, "the journal failed, and trading was halted"),
    (Exit::GuardActed, "guard: the engine stood still, all is cancelled"),
    (Exit::GuardUnsure, "guard: the engine stood still, orders may be open"),
    (Exit::SecondSignal, "a second signal"),
];

impl Exit {
    /// The code as the shell sees it.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// How a run with this report ended.
    #[must_use]
    pub fn of_report(report: &Report) -> Exit {
        let code = report.exit_code();
        EXITS.iter().find(|(exit, _)| exit.code() == code).map_or(Exit::Failed, |(exit, _)| *exit)
    }

    /// The table as help shows it.
    pub(crate) fn table() -> String {
        EXITS.iter().map(|(exit, words)| format!("  {:>3}  {words}\n", exit.code())).collect()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use pitlane_engine::report::FindingKind;

    use super::*;

    #[test]
    fn every_finding_of_a_report_has_its_code_in_the_table_and_no_code_is_there_twice() {
        for kind in FindingKind::ALL {
            let found = EXITS.iter().find(|(exit, _)| exit.code() == kind.exit_code());
            assert!(found.is_some(), "{kind:?}");
        }
        let mut codes = EXITS.map(|(exit, _)| exit.code());
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:?}");
    }

    #[test]
    fn the_guide_names_exactly_the_codes_of_the_table() {
        let guide = include_str!("../../engine/docs/exit-codes.md");
        let cell = |line: &str| line.strip_prefix("| ")?.split(' ').next()?.parse().ok();
        let named: Vec<u8> = guide.lines().filter_map(cell).collect();
        assert_eq!(named, EXITS.map(|(exit, _)| exit.code()));
    }
}
