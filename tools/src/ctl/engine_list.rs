//! The engines that were found, and how they are shown.

use std::fmt::Write as _;
use std::path::PathBuf;

use pitlane_engine::control::Status;
use pitlane_engine::text::escaped;

use super::peer::Peer;
use crate::table::count;

/// A process that listens as an engine does.
#[derive(Clone, Debug)]
pub(crate) struct Engines {
    pub(crate) path: PathBuf,
    pub(crate) peer: Peer,
    /// Its reading; `None` where it does not answer.
    pub(crate) status: Option<Box<Status>>,
}

/// The engines that run here.
pub(super) fn engines(engines: &[Engines]) -> String {
    if engines.is_empty() {
        return "no engine runs here\n".to_owned();
    }
    let mut text = String::new();
    for Engines { path, peer, status } in engines {
        let state = match status {
            Some(status) => {
                let up_s = count(status.uptime_ns / 1_000_000_000);
                format!("up {up_s} s since {}, {}", started(status), status.config)
            }
            None => "does not answer".to_owned(),
        };
        // The path in a line of its own and whole: it is there to be copied.
        let _infallible = writeln!(text, "process {}, {state}\n  {}", peer.pid, path.display());
    }
    escaped(&text).into_owned()
}

/// When an engine started, by this machine's clock, in UTC.
fn started(status: &Status) -> String {
    let up = jiff::SignedDuration::from_nanos(status.uptime_ns.cast_signed());
    match jiff::Timestamp::now().checked_sub(up) {
        Ok(start) => start.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => "-".to_owned(),
    }
}
