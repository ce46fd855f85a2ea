//! What the system says of this process: threads, open files, resident memory.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time that the system gets to take joined threads out of its list.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// A reading of `/proc/self`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessFigures {
    pub(crate) threads: usize,
    pub(crate) files: usize,
}

impl ProcessFigures {
    /// The figures now; 0 where the system does not say.
    pub(crate) fn read() -> ProcessFigures {
        let entries = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
        ProcessFigures { threads: entries("/proc/self/task"), files: entries("/proc/self/fd") }
    }

    /// The figures once they are down to `before`, or as they are when they don't come down: a
    /// joined thread may be listed for a moment longer.
    pub(crate) fn settled(before: ProcessFigures) -> ProcessFigures {
        let started = Instant::now();
        loop {
            let now = ProcessFigures::read();
            if (now.threads <= before.threads && now.files <= before.files)
                || started.elapsed() > PATIENCE
            {
                return now;
            }
            sleep(PAUSE);
        }
    }
}

/// Resident memory of this process, KiB; 0 where the system does not say.
pub(crate) fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_seen() {
        let before = ProcessFigures::read();
        assert!(before.threads > 0 && before.files > 0 && resident_kib() > 0);
        // Other tests open and close files meanwhile: only far more of them than before is a proof.
        let files: Vec<_> = (0..64).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        assert!(ProcessFigures::read().files > before.files + files.len() / 2);
    }
}
