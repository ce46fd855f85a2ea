//! A progress bar for long inputs: on a terminal only, and not before a second has gone by.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that ends sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far the reading of one input has come.
pub struct Progress {
    name: String,
    total: Option<u64>,
    started: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Of an input of `total` bytes, where that is known. `wanted` when a person looks at standard error.
    #[must_use]
    pub fn new(name: &str, total: Option<u64>, wanted: bool) -> Progress {
        Progress { name: name.to_owned(), total, started: Instant::now(), wanted, bar: None }
    }

    /// `bytes` have been read by now.
    pub fn at(&mut self, bytes: u64) {
        if !self.wanted {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        } else if self.started.elapsed() > PATIENCE {
            let bar = self.start();
            bar.set_position(bytes);
            self.bar = Some(bar);
        }
    }

    fn start(&self) -> ProgressBar {
        let form = match self.total {
            Some(_) => "{prefix} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{prefix} {bytes} {bytes_per_sec}",
        };
        let bar = ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.with_prefix(self.name.clone())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
