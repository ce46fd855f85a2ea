//! The status line: one line that overwrites itself, for a person at a terminal.

use pitlane_engine::LiveStatus;

use crate::table::{WIDTH, count};

/// Makes the line of each reading, with rates since the one before.
#[derive(Debug, Default)]
pub(crate) struct StatusLine {
    last_ns: u64,
    last_events: u64,
    is_shown: bool,
}

impl StatusLine {
    /// The text that overwrites the line before with a new one.
    pub(crate) fn update(&mut self, status: &LiveStatus) -> String {
        let elapsed_ns = status.uptime_ns.saturating_sub(self.last_ns).max(1);
        let events = status.events_in.saturating_sub(self.last_events);
        let rate = u128::from(events) * 1_000_000_000 / u128::from(elapsed_ns);
        let fullest = match &status.fullest_lane {
            Some((name, used, slots)) => format!("{name} {used}/{slots}"),
            None => "all empty".to_owned(),
        };
        // What is wrong comes first: the line is cut at its end.
        let stalled = status
            .stalled
            .iter()
            .map(|(name, ns)| format!("{name} STALLED {} ms | ", count(ns / 1_000_000)));
        let halted = status.is_halted.then(|| "TRADING HALTED | ".to_owned());
        let paused = status.limits.iter().filter(|(_, limits)| limits.penalty_left_ms > 0);
        let paused = paused.map(|(venue, limits)| {
            format!("{venue} WANTS A PAUSE, {} s | ", count(limits.penalty_left_ms.div_ceil(1_000)))
        });
        let stalled: String = halted.into_iter().chain(paused).chain(stalled).collect();
        let line = format!(
            "{:>5} s | {stalled}{} events/s | {} handled | {} conflated | {} failures | lanes: {fullest}",
            status.uptime_ns / 1_000_000_000,
            count(u64::try_from(rate).unwrap_or(u64::MAX)),
            count(status.handled),
            count(status.conflated),
            count(status.failures),
        );
        (self.last_ns, self.last_events) = (status.uptime_ns, status.events_in);
        self.is_shown = true;
        // One column stays free: some terminals wrap when the last one is written.
        let width = WIDTH - 1;
        let line: String = line.chars().take(width).collect();
        format!("\r{line:width$}")
    }

    /// The text that leaves the line standing and goes on below it; nothing when none was shown.
    pub(crate) fn end(&self) -> &'static str {
        if self.is_shown { "\n" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_since_the_line_before_and_the_width_is_constant() {
        let mut line = StatusLine::default();
        assert_eq!(line.end(), "");
        let second = 1_000_000_000;
        let first = LiveStatus { uptime_ns: second, events_in: 2_000, ..Default::default() };
        assert!(line.update(&first).contains("2,000 events/s"));
        let lane = Some(("a lane with a very long name indeed".repeat(3), 5, 64));
        let next = LiveStatus {
            uptime_ns: 3 * second,
            events_in: 3_000,
            fullest_lane: lane,
            ..Default::default()
        };
        let text = line.update(&next);
        assert!(text.contains("500 events/s"), "{text}");
        assert_eq!(text.chars().count(), 1 + WIDTH - 1);
        assert!(!text.contains('\u{1b}'));
        let stalled = vec![("slow".to_owned(), 1_500_000_000)];
        let text = line.update(&LiveStatus { stalled, ..next });
        assert!(text.contains("s | slow STALLED 1,500 ms | 0 events/s"), "{text}");
        assert_eq!(line.end(), "\n");
    }
}
