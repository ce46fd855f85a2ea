//! What a run ends with: one finding for each thing that did not go as promised, one exit code for
//! all.

use serde::Serialize;

use super::Report;
use crate::order::order_log::OrderLogReport;

/// What a finding is about. The first of a report's in this order gives the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A critical event was lost, or trading was halted since one could not be stored.
    CriticalLost,
    /// An order may still rest at its venue.
    OrdersLeft,
    /// A thread did not stop in time.
    ThreadLeftBehind,
    /// An account does not hold.
    AccountBroken,
    /// A book is not to be trusted at the end, or frames of a recording were refused or not played.
    MarketDataIncomplete,
    /// Lines that a file did not take, as on a full disk.
    LinesLost,
}

impl FindingKind {
    /// Every kind, the gravest first.
    pub const ALL: [FindingKind; 6] = [
        FindingKind::CriticalLost,
        FindingKind::OrdersLeft,
        FindingKind::ThreadLeftBehind,
        FindingKind::AccountBroken,
        FindingKind::MarketDataIncomplete,
        FindingKind::LinesLost,
    ];

    /// The exit code of `pitlane` for it.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            FindingKind::CriticalLost => 5,
            FindingKind::OrdersLeft => 7,
            FindingKind::ThreadLeftBehind => 6,
            FindingKind::AccountBroken => 1,
            FindingKind::MarketDataIncomplete => 8,
            FindingKind::LinesLost => 9,
        }
    }
}

/// One thing that did not go as promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// What happened and where, one line.
    pub text: String,
}

/// How a recording was played.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordingReport {
    /// Frames of the recording.
    pub frames: u64,
    /// Frames sent to the engine.
    pub played: u64,
    /// Lines that are no frame of a symbol's stream, and were left out.
    pub left_out: u64,
    /// What was noticed when it was read, with file and line.
    pub notes: Vec<String>,
}

impl Report {
    /// Everything that did not go as promised, the gravest first; empty when all is well.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |kind, text: String| findings.push(Finding { kind, text });
        if let Some(reason) = self.halted {
            add(FindingKind::CriticalLost, format!("trading was halted: {}", reason.words()));
        }
        if self.critical_lost > 0 {
            add(FindingKind::CriticalLost, format!("{} critical events lost", self.critical_lost));
        }
        for order in &self.orders.left_at_venues {
            add(FindingKind::OrdersLeft, order.to_string());
        }
        for name in &self.threads_left_behind {
            add(FindingKind::ThreadLeftBehind, format!("thread {name} did not stop in time"));
        }
        if !self.identity_holds {
            let text = "an account does not hold: events are missing or counted twice";
            add(FindingKind::AccountBroken, text.to_owned());
        }
        self.market_data(&mut add);
        self.lines_lost(&mut add);
        findings.sort_by_key(|finding| finding.kind);
        findings
    }

    fn market_data(&self, add: &mut impl FnMut(FindingKind, String)) {
        let kind = FindingKind::MarketDataIncomplete;
        // A live run may be stopped before a venue's first snapshot has come. A recording has its
        // snapshots.
        let is_distrusted =
            |status| status == "stale" || (status != "live" && self.recording.is_some());
        for (name, book) in self.books.iter().filter(|(_, book)| is_distrusted(book.status)) {
            add(
                kind,
                format!("the book of {name} is {} at the end: not to be trusted", book.status),
            );
        }
        let Some(recording) = &self.recording else { return };
        if recording.played < recording.frames {
            let RecordingReport { frames, played, .. } = recording;
            add(kind, format!("only {played} of the recording's {frames} frames were played"));
        }
        let of_venues = |count: fn(&crate::venue::VenueCounters) -> u64| -> u64 {
            self.venues.iter().map(|venue| count(&venue.counters)).sum()
        };
        let (refused, gaps) = (of_venues(|counts| counts.refused), of_venues(|counts| counts.gaps));
        if refused > 0 {
            add(
                kind,
                format!("{refused} frames of the recording were refused, see the dead letters"),
            );
        }
        if gaps > 0 {
            add(kind, format!("{gaps} gaps in the recording's sequences"));
        }
    }

    fn lines_lost(&self, add: &mut impl FnMut(FindingKind, String)) {
        let kind = FindingKind::LinesLost;
        if self.hlog_failed > 0 {
            let path = self.hlog.as_deref().unwrap_or("the interval log");
            add(kind, format!("{} lines of {path} could not be written", self.hlog_failed));
        }
        if self.dead_letters.failed > 0 {
            let path = self.dead_letters.path.as_deref().unwrap_or("the dead-letter file");
            add(kind, format!("{} lines of {path} could not be written", self.dead_letters.failed));
        }
        let OrderLogReport { fills, orders, dropped, .. } = &self.order_log;
        for (file, name) in [(fills, "fills.jsonl"), (orders, "orders.jsonl")] {
            if file.failed > 0 {
                let path = file.path.as_deref().unwrap_or(name);
                add(kind, format!("{} lines of {path} could not be written", file.failed));
            }
        }
        if *dropped > 0 {
            let text = "events of orders have no line in orders.jsonl: their lane was full";
            add(kind, format!("{dropped} {text}"));
        }
    }

    /// The exit code of `pitlane` for this report: that of its gravest finding.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.findings().first().map_or(0, |finding| finding.kind.exit_code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_finding_gives_the_exit_code_and_all_are_told() {
        let mut report = Report { identity_holds: true, ..Report::default() };
        assert_eq!((report.findings(), report.exit_code()), (Vec::new(), 0));
        report.hlog_failed = 3;
        assert_eq!(report.exit_code(), 9);
        let (frames, played) = (10, 4);
        report.recording = Some(RecordingReport { frames, played, ..RecordingReport::default() });
        assert_eq!(report.exit_code(), 8);
        report.identity_holds = false;
        assert_eq!(report.exit_code(), 1);
        report.threads_left_behind.push("core-1".to_owned());
        assert_eq!(report.exit_code(), 6);
        report.critical_lost = 1;
        assert_eq!(report.exit_code(), 5);
        let texts: Vec<String> = report.findings().into_iter().map(|f| f.text).collect();
        assert_eq!(texts.len(), 5, "{texts:?}");
        assert!(texts[3].contains("only 4 of the recording's 10 frames"), "{texts:?}");
    }
}
