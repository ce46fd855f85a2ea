//! Counters that mean trouble, each with a line when it is not 0.

use super::FindingKind;
use crate::report::Report;
use crate::runtime::Pinned;

pub(super) fn find(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    let mut notice = |count: u64, words: &str| {
        if count > 0 {
            add(FindingKind::Notice, format!("{count} {words}"));
        }
    };
    let letters = &report.dead_letters;
    // Those that could not be written are lost lines.
    let others = letters.written - report.refused_frames().min(letters.written);
    notice(others, "dead letters of other things than refused frames: pitlane dlq list");
    notice(letters.dropped, "dead letters found no room on their way to the file");
    notice(letters.suppressed, "dead letters were counted and not written: too many alike");
    notice(report.log_lines_dropped, "log lines found no room");
    let checkpoints = &report.journal.checkpoints;
    if let Some(problem) = &checkpoints.problem {
        let words = format!("tries to keep the journal short failed, at last since {problem}");
        notice(checkpoints.failures, &words);
    }
    let streams = &report.streams;
    notice(streams.late, "market events came too late for their place in their stream");
    notice(streams.gap_given_up, "gaps in streams were given up");
    notice(streams.flooded, "market events were above the rate that a stream may have");
    notice(report.routing.flips_abandoned, "changes of routes were given up at their deadline");
    notice(report.orders.untaken, "order commands were never taken by a session");
    notice(report.orders.gateway.unsent, "order commands were still unsent at the stop");
    let pools = report.pools.iter();
    notice(pools.map(|pool| pool.exhausted).sum(), "claims found a pool exhausted");
    let returns = report.lanes.iter().map(|lane| lane.double_returns).sum::<u64>();
    notice(returns, "slots were returned twice: all refused");
    if report.threads_left_behind.is_empty() {
        notice(report.slots_owned, "slots of lanes and pools were never returned");
    }
    for consumer in &report.consumers {
        let name = &consumer.name;
        notice(consumer.failures, &format!("callbacks of {name} failed"));
        notice(consumer.stalls.count, &format!("callbacks of {name} took longer than its budget"));
    }
    let refused = report.threads.iter().filter(|thread| thread.pinned == Pinned::Refused);
    for thread in refused {
        let name = &thread.name;
        add(FindingKind::Notice, format!("thread {name} could not be pinned to its core"));
    }
}

impl Report {
    /// Frames that venues sent and that could not be decoded: each is a dead letter.
    fn refused_frames(&self) -> u64 {
        self.venues.iter().map(|venue| venue.counters.refused).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Finding;

    #[test]
    fn each_counter_that_means_trouble_has_a_line_and_costs_no_exit_code() {
        let mut report = Report { identity_holds: true, ..Report::default() };
        assert_eq!(report.findings(), Vec::<Finding>::new());
        report.dead_letters.written = 3;
        report.dead_letters.suppressed = 4;
        report.streams.flooded = 5;
        report.orders.gateway.unsent = 6;
        report.log_lines_dropped = 7;
        report.slots_owned = 8;
        let findings = report.findings();
        assert_eq!((findings.len(), report.exit_code()), (6, 0), "{findings:?}");
        assert!(findings.iter().all(|finding| finding.kind == FindingKind::Notice));
        assert!(findings[0].text.starts_with("3 dead letters"), "{findings:?}");
    }
}
