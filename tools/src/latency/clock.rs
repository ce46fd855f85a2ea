//! The times of a log: where its seconds start, by the rules of the Java reader.

use super::line::{LineError, TIMES_S, number};

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
    ///
    /// # Errors
    /// [`LineError`] when the time in it is no number, or is none that a clock shows.
    pub fn comment(&mut self, comment: &str) -> Result<bool, LineError> {
        if let Some(rest) = comment.strip_prefix("#[StartTime:") {
            self.start_s = Some(time_s("StartTime", rest)?);
        } else if let Some(rest) = comment.strip_prefix("#[BaseTime:") {
            self.base_s = Some(time_s("BaseTime", rest)?);
        } else {
            return Ok(false);
        }
        Ok(true)
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

/// The time behind the name of a header, in seconds since the epoch.
fn time_s(field: &'static str, text: &str) -> Result<f64, LineError> {
    let text = text.trim_start().split([' ', ']']).next().unwrap_or_default();
    let time_s = number(field, text.trim_end_matches(',').as_bytes())?;
    if TIMES_S.contains(&time_s) {
        Ok(time_s)
    } else {
        Err(LineError::Range { field, value: time_s })
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
        assert_eq!(
            relative.comment("#[StartTime: 1438867590.285 (seconds since epoch), Thu Aug 06]"),
            Ok(true)
        );
        assert!(close(relative.absolute_s(0.127), 1_438_867_590.412));
        let mut comma = LogClock::default();
        assert_eq!(
            comma.comment("#[StartTime: 1438867590,285 (seconds since epoch), Do Aug 06]"),
            Ok(true)
        );
        assert!(close(comma.absolute_s(0.127), 1_438_867_590.412));
        let mut absolute = LogClock::default();
        assert_eq!(
            absolute.comment("#[StartTime: 1438867590.285 (seconds since epoch)]"),
            Ok(true)
        );
        assert!(close(absolute.absolute_s(1_438_867_590.5), 1_438_867_590.5));
        let mut based = LogClock::default();
        assert_eq!(based.comment("#[StartTime: 1000.0 (seconds since epoch)]"), Ok(true));
        assert_eq!(based.comment("#[BaseTime: 900.0 (seconds since epoch)]"), Ok(true));
        assert!(close(based.absolute_s(150.0), 1_050.0));
        let mut bare = LogClock::default();
        assert!(close(bare.absolute_s(5.0), 5.0));
        assert!(close(bare.start_s(), 5.0));
        assert_eq!(bare.comment("#[Plan: one core]"), Ok(false));
    }
}
