//! One thing that was looked at: what was read, what it costs, how to mend it.

use serde::Serialize;

use super::host_files::Unread;

/// How much a finding matters, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Expect it in every run: stalls of milliseconds, or times that can't be believed.
    High,
    /// Expect it under load or in the tail: tens of microseconds and more.
    Medium,
    /// Microseconds now and then; worth it on a machine that does nothing else.
    Low,
    /// It could not be read, so nothing is said about it.
    Unknown,
    /// It costs nothing worth mending.
    Fine,
}

impl Severity {
    pub(crate) const ALL: [Severity; 5] =
        [Severity::High, Severity::Medium, Severity::Low, Severity::Unknown, Severity::Fine];

    /// The word in the text report.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Unknown => "unknown",
            Severity::Fine => "fine",
        }
    }
}

/// A file (or command) and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reading {
    /// Path on the host, or the command that was asked.
    pub(crate) path: String,
    /// Its content, shortened to what matters.
    pub(crate) value: String,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Stable name for scripts: `area.thing`.
    pub(crate) id: &'static str,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// One line.
    pub(crate) title: String,
    /// What was read; empty only when nothing could be.
    pub(crate) read: Vec<Reading>,
    /// What it costs, in orders of magnitude; empty when it is fine or unknown.
    pub(crate) costs: String,
    /// Shell commands that mend it, or lines that start with `#` where no command does.
    pub(crate) mend: Vec<String>,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Finding {
    pub(crate) fn new(id: &'static str, severity: Severity, title: impl Into<String>) -> Finding {
        let (title, read, costs) = (title.into(), Vec::new(), String::new());
        Finding { id, severity, title, read, costs, mend: Vec::new(), reason: None }
    }

    pub(crate) fn fine(id: &'static str, title: impl Into<String>) -> Finding {
        Finding::new(id, Severity::Fine, title)
    }

    /// What could not be read; `what` names it in a few words.
    pub(crate) fn unknown(id: &'static str, what: &str, unread: &Unread) -> Finding {
        let mut finding = Finding::new(id, Severity::Unknown, what);
        finding.reason = Some(format!("{}: {}", unread.path, unread.reason));
        finding
    }

    pub(crate) fn read(mut self, path: impl Into<String>, value: impl Into<String>) -> Finding {
        self.read.push(Reading { path: path.into(), value: value.into() });
        self
    }

    pub(crate) fn costs(mut self, costs: impl Into<String>) -> Finding {
        self.costs = costs.into();
        self
    }

    pub(crate) fn mend(mut self, line: impl Into<String>) -> Finding {
        self.mend.push(line.into());
        self
    }
}
