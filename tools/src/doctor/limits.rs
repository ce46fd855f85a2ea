//! Limits of the process: locked memory, real-time priority, open files.

use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::scene::Scene;

const LIMITS: &str = "/proc/self/limits";
const RT_RUNTIME: &str = "/proc/sys/kernel/sched_rt_runtime_us";

/// Open files that a run with many sessions may need: sockets, logs, one poller a core.
const FILES_MIN: u64 = 1_024;

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let text = match scene.files.text(LIMITS) {
        Ok(text) => text,
        Err(unread) => {
            return ["limits.memlock", "limits.rtprio", "limits.nofile"]
                .map(|id| Finding::unknown(id, "limit of the process", &unread))
                .into();
        }
    };
    vec![locked(scene, &text), real_time(scene, &text), files(&text)]
}

/// The soft limit named `name`: `None` when unlimited.
fn soft(text: &str, name: &str) -> Result<Option<u64>, Unread> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
        .ok_or_else(|| Unread::new(LIMITS, format!("no line {name:?}")))?;
    match value {
        "unlimited" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| Unread::new(LIMITS, format!("not understood: {name} {number:?}"))),
    }
}

fn locked(scene: &Scene<'_>, text: &str) -> Finding {
    const ID: &str = "limits.memlock";
    const NAME: &str = "Max locked memory";
    let limit = match soft(text, NAME) {
        Ok(limit) => limit,
        Err(unread) => return Finding::unknown(ID, NAME, &unread),
    };
    let read = |finding: Finding| {
        let limit = limit.map_or("unlimited".to_owned(), |bytes| format!("{} KiB", bytes / 1_024));
        finding.read(LIMITS, format!("{NAME}: {limit}"))
    };
    let needed_kib = scene.lane_bytes.div_ceil(1_024);
    if limit.is_none_or(|bytes| bytes >= scene.lane_bytes) {
        return read(Finding::fine(ID, format!("the lanes ({needed_kib} KiB) may be locked")));
    }
    let title = format!("the lanes take {needed_kib} KiB, more than may be locked");
    read(Finding::new(ID, Severity::Low, title))
        .costs(
            "Nothing without swap: the engine does not lock its memory. With swap, a page that was \
             moved out costs 0.1 to 10 ms.",
        )
        .mend("ulimit -l unlimited    # systemd: LimitMEMLOCK=infinity")
}

fn real_time(scene: &Scene<'_>, text: &str) -> Finding {
    const ID: &str = "limits.rtprio";
    const NAME: &str = "Max realtime priority";
    let limit = match soft(text, NAME) {
        Ok(limit) => limit,
        Err(unread) => return Finding::unknown(ID, NAME, &unread),
    };
    let shown = limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let mut finding = Finding::fine(ID, "the engine asks for no real-time priority")
        .read(LIMITS, format!("{NAME}: {shown}"));
    if let Ok(runtime) = scene.files.text(RT_RUNTIME) {
        finding = finding.read(RT_RUNTIME, &runtime);
        if limit != Some(0) && runtime != "-1" {
            finding.title = "under chrt a spinning thread would be stopped 50 ms a second".into();
        }
    }
    finding
}

fn files(text: &str) -> Finding {
    const ID: &str = "limits.nofile";
    const NAME: &str = "Max open files";
    match soft(text, NAME) {
        Ok(limit) => {
            let shown = limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
            let value = format!("{NAME}: {shown}");
            if limit.is_none_or(|limit| limit >= FILES_MIN) {
                return Finding::fine(ID, "enough files may be open").read(LIMITS, value);
            }
            Finding::new(ID, Severity::Low, "few files may be open")
                .read(LIMITS, value)
                .costs("No latency; a reconnect may fail once every socket and log is open.")
                .mend("ulimit -n 65536    # systemd: LimitNOFILE=65536")
        }
        Err(unread) => Finding::unknown(ID, NAME, &unread),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_unlimited_or_not_understood() {
        let text = "Limit  Soft Limit  Hard Limit  Units\n\
            Max locked memory         8388608              8388608              bytes\n\
            Max open files            unlimited            unlimited            files\n\
            Max realtime priority     x                    0\n";
        assert_eq!(soft(text, "Max locked memory"), Ok(Some(8_388_608)));
        assert_eq!(soft(text, "Max open files"), Ok(None));
        assert!(soft(text, "Max realtime priority").unwrap_err().reason.contains("not understood"));
        assert!(soft(text, "Max stack size").unwrap_err().reason.contains("no line"));
    }
}
