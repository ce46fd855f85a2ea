//! The times of a log: where its seconds start, by the rules of the Java reader.

use super::line::parse_decimal;

/// A start time that lies more than a year before the log's own makes it relative, says the Java
/// reader.
const YEAR_S: f64 = 365.0 * 24.0 * 3600.0;

/// Start and base time of a log, in seconds since the epoch, as far as they are known by now.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogClock {
    start_s: Option<f64>,
    base_s: Option<f64>,
}

impl LogClock {
    /// Takes notice of a comment: `#[StartTime: ...]` or `#[BaseTime: ...]`. Tells whether it was
    /// one.
    pub fn comment(&mut self, comment: &str) -> bool {
        let time = |prefix| {
            let rest = comment.strip_prefix(prefix)?;
            let number = rest.trim_start().split([' ', ']']).next()?;
            parse_decimal(number.trim_end_matches(','))
        };
        if let Some(start_s) = time("#[StartTime:") {
            self.start_s = Some(start_s);
        } else if let Some(base_s) = time("#[BaseTime:") {
            self.base_s = Some(base_s);
        } else {
            return false;
        }
        true
    }

    /// Start of an interval, in seconds since the epoch, from the time in its line.
    pub fn absolute_s(&mut self, line_s: f64) -> f64 {
        let start_s = *self.start_s.get_or_insert(line_s);
        let relative = line_s < start_s - YEAR_S;
        line_s + *self.base_s.get_or_insert(if relative { start_s } else { 0.0 })
    }

    /// Start of the log in seconds since the epoch; 0 before the first interval of a log that has
    /// none.
    #[must_use]
    pub fn start_s(&self) -> f64 {
        self.start_s.unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn relative_and_absolute_logs_are_told_apart() {
        let mut relative = LogClock::default();
        assert!(relative.comment("#[StartTime: 1438867590.285 (seconds since epoch), Thu Aug 06]"));
        assert!(close(relative.absolute_s(0.127), 1_438_867_590.412));
        let mut comma = LogClock::default();
        assert!(comma.comment("#[StartTime: 1438867590,285 (seconds since epoch), Do Aug 06]"));
        assert!(close(comma.absolute_s(0.127), 1_438_867_590.412));
        let mut absolute = LogClock::default();
        absolute.comment("#[StartTime: 1438867590.285 (seconds since epoch)]");
        assert!(close(absolute.absolute_s(1_438_867_590.5), 1_438_867_590.5));
        let mut based = LogClock::default();
        based.comment("#[StartTime: 1000.0 (seconds since epoch)]");
        based.comment("#[BaseTime: 900.0 (seconds since epoch)]");
        assert!(close(based.absolute_s(150.0), 1_050.0));
        let mut bare = LogClock::default();
        assert!(close(bare.absolute_s(5.0), 5.0));
        assert!(close(bare.start_s(), 5.0));
        assert!(!bare.comment("#[Plan: one core]"));
    }
}
