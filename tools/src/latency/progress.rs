//! A progress bar for long inputs: on a terminal only, and not before a second has gone by.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that ends sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Characters of the name that are shown.
const NAME_CHARS: usize = 24;

/// Bytes between two words on the pace: each is a little work.
const TELL_BYTES: u64 = 4 * 1024 * 1024;

/// How far the reading of one input has come.
pub struct Progress {
    name: String,
    total: Option<u64>,
    started: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
    /// Where the pace was said last.
    told: u64,
}

impl Progress {
    /// Of an input of `total` bytes, where that is known. `wanted` when a person looks at standard
    /// error.
    #[must_use]
    pub fn new(name: &str, total: Option<u64>, wanted: bool) -> Progress {
        Progress {
            name: name.to_owned(),
            total,
            started: Instant::now(),
            wanted,
            bar: None,
            told: 0,
        }
    }

    /// `bytes` have been read by now.
    pub fn at(&mut self, bytes: u64) {
        if !self.wanted {
            return;
        }
        if self.bar.is_none() && self.started.elapsed() > PATIENCE {
            self.bar = Some(self.start());
        }
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            // Its own rate would begin with the bar, as if all before had been read in no time.
            if bytes - self.told >= TELL_BYTES {
                bar.set_message(pace(bytes, self.total, self.started.elapsed()));
                self.told = bytes;
            }
        }
    }

    /// Takes the bar away for good: something else is written there.
    pub fn hide(&mut self) {
        self.wanted = false;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn start(&self) -> ProgressBar {
        let form = match self.total {
            Some(_) => "{prefix} [{wide_bar}] {bytes}/{total_bytes} {msg}",
            None => "{prefix} {bytes} {msg}",
        };
        let bar = ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        // The end of a path says more than its beginning, and the bar needs room.
        let skipped = self.name.chars().count().saturating_sub(NAME_CHARS);
        bar.with_prefix(self.name.chars().skip(skipped).collect::<String>())
    }
}

/// So many bytes a second, and the time that is left at that pace.
fn pace(bytes: u64, total: Option<u64>, elapsed: Duration) -> String {
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_s = bytes.saturating_mul(1_000) / ms;
    let rate = format!("{}/s", HumanBytes(per_s));
    match total.filter(|_| per_s > 0) {
        Some(total) => {
            let left_s = total.saturating_sub(bytes).div_ceil(per_s);
            format!("{rate}, {left_s} s left")
        }
        None => rate,
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_all_that_was_read() {
        let mib = 1024 * 1024;
        let text = pace(100 * mib, Some(300 * mib), Duration::from_secs(2));
        assert_eq!(text, "50.00 MiB/s, 4 s left");
        assert_eq!(pace(10 * mib, None, Duration::from_secs(1)), "10.00 MiB/s");
        assert_eq!(pace(0, Some(mib), Duration::ZERO), "0 B/s");
    }
}
