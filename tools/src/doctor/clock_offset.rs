//! How far the wall clock is from true time, as far as a daemon of this machine knows.
//!
//! The kernel's own state (`adjtimex`) is in no file. `chronyc` knows more than it does and is
//! asked first; `timedatectl` tells the kernel's verdict.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::scene::Scene;

const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";
const PTP: &str = "/sys/class/ptp";

/// A daemon that has not answered by then is taken as not answering.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Offset from which venue times say nothing about what is a normal way through the internet.
const OFFSET_NS_MAX: u64 = 1_000_000;

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    vec![offset(scene), ptp(scene)]
}

fn offset(scene: &Scene<'_>) -> Finding {
    const ID: &str = "clock.offset";
    // systemd-timesyncd touches it when it has set the clock; it is no offset, but better than
    // nothing.
    let set_once = || {
        let mark = scene.files.exists(TIMESYNCD);
        mark.then(|| Finding::fine(ID, "timesyncd has set the clock").read(TIMESYNCD, "there"))
    };
    if !scene.files.is_live() {
        let unread = Unread::new("chronyc, timedatectl", "only the running machine can be asked");
        return set_once().unwrap_or_else(|| Finding::unknown(ID, "clock offset", &unread));
    }
    let chrony = ask("chronyc", &["-c", "-n", "tracking"]);
    if let Some(tracking) = chrony.as_ref().ok().and_then(|text| tracking_of(text)) {
        return judged(&tracking);
    }
    let systemd = ask("timedatectl", &["show", "-p", "NTPSynchronized", "--value"]);
    match systemd.as_deref() {
        Ok("yes") => Finding::fine(ID, "the kernel holds its clock for synchronised")
            .read("timedatectl show -p NTPSynchronized", "yes (the offset is not told)"),
        Ok("no") => unsynchronised("timedatectl show -p NTPSynchronized", "no"),
        _ => {
            if let Some(finding) = set_once() {
                return finding;
            }
            let said = [chrony, systemd].map(|answer| match answer {
                Ok(text) => format!("said {text:?}"),
                Err(reason) => reason,
            });
            let unread = Unread::new("chronyc; timedatectl", said.join("; "));
            Finding::unknown(ID, "clock offset", &unread)
        }
    }
}

/// What `chronyc -c tracking` says.
#[derive(Debug, PartialEq, Eq)]
struct Tracking {
    server: String,
    /// Distance between the system's clock and true time.
    offset_ns: u64,
    is_synchronised: bool,
}

fn tracking_of(text: &str) -> Option<Tracking> {
    const SERVER: usize = 1;
    const OFFSET_S: usize = 4;
    const LEAP: usize = 13;
    let fields: Vec<&str> = text.lines().next()?.split(',').collect();
    Some(Tracking {
        server: (*fields.get(SERVER)?).to_owned(),
        offset_ns: nanoseconds(fields.get(OFFSET_S)?)?,
        is_synchronised: *fields.get(LEAP)? != "Not synchronised",
    })
}

/// The size of a decimal number of seconds, its sign left out.
fn nanoseconds(text: &str) -> Option<u64> {
    let (whole, rest) = text.trim_start_matches(['-', '+']).split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(rest) {
        return None;
    }
    let rest: String = rest.chars().chain("000000000".chars()).take(9).collect();
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(rest.parse().ok()?)
}

fn judged(tracking: &Tracking) -> Finding {
    const ID: &str = "clock.offset";
    const COMMAND: &str = "chronyc -c tracking";
    if !tracking.is_synchronised {
        return unsynchronised(COMMAND, "Not synchronised");
    }
    let us = tracking.offset_ns / 1_000;
    let value = format!("{us} us from {}", tracking.server);
    if tracking.offset_ns <= OFFSET_NS_MAX {
        return Finding::fine(ID, format!("the clock is {us} us off")).read(COMMAND, value);
    }
    Finding::new(ID, Severity::Medium, format!("the clock is {us} us off"))
        .read(COMMAND, value)
        .costs("No latency, but the time on the way from the venue is measured wrong by that much.")
        .mend("sudo chronyc makestep")
}

fn unsynchronised(command: &str, value: &str) -> Finding {
    Finding::new("clock.offset", Severity::Medium, "the clock is not synchronised")
        .read(command, value)
        .costs(
            "No latency, but the wall clock drifts by 1 to 100 us a second: times from the venue \
             can't be compared with ours, and signed orders may be refused as too old.",
        )
        .mend("sudo apt-get install chrony && sudo systemctl enable --now chrony")
}

fn ptp(scene: &Scene<'_>) -> Finding {
    const ID: &str = "clock.ptp";
    let devices = match scene.files.names(PTP) {
        Ok(devices) => devices,
        Err(unread) => return Finding::unknown(ID, "PTP devices", &unread),
    };
    if devices.is_empty() {
        return Finding::fine(ID, "no PTP clock; NTP reaches 10 us to 1 ms").read(PTP, "empty");
    }
    let named = devices.iter().map(|device| {
        let name = scene.files.text(&format!("{PTP}/{device}/clock_name"));
        name.map_or(device.clone(), |name| format!("{device} {name}"))
    });
    let value = named.collect::<Vec<_>>().join(", ");
    let daemons = ["ptp4l", "phc2sys", "chronyd"];
    let running: Vec<&str> =
        daemons.into_iter().filter(|name| scene.processes.iter().any(|p| p == name)).collect();
    match running.is_empty() {
        false => Finding::fine(ID, format!("PTP clock beside a running {}", running.join(", ")))
            .read(PTP, value),
        true => Finding::new(ID, Severity::Low, "a PTP clock that no daemon uses")
            .read(PTP, value)
            .costs("No latency; the wall clock could be true to 1 us instead of 10 us to 1 ms.")
            .mend("# chrony: refclock PHC /dev/ptp0 poll 0 in /etc/chrony/chrony.conf"),
    }
}

/// What a command prints, or why it printed nothing.
fn ask(program: &str, args: &[&str]) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("{program} is not installed"),
            _ => format!("{program}: {error}"),
        })?;
    let start = Instant::now();
    while let Ok(None) = child.try_wait() {
        if start.elapsed() > ANSWER_WITHIN {
            // Its answer is not waited for any longer; a child that can't be killed has ended.
            let _ended = child.kill();
            let _ended = child.wait();
            return Err(format!("{program} does not answer"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(format!("{program} failed, {}", output.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNCHRONISED: &str = "D8EF2308,216.239.35.8,2,1795517700.123456789,-0.000012345,0.000001,\
        0.00002,-9.1,0.0,0.1,0.0123,0.0004,64.2,Normal";

    #[test]
    fn chrony_tells_offset_and_state() {
        let tracking = tracking_of(SYNCHRONISED).unwrap();
        assert_eq!((tracking.offset_ns, tracking.is_synchronised), (12_345, true));
        assert_eq!(judged(&tracking).severity, Severity::Fine);
        let far = tracking_of(&SYNCHRONISED.replace("-0.000012345", "2.5")).unwrap();
        assert_eq!(far.offset_ns, 2_500_000_000);
        assert_eq!(judged(&far).severity, Severity::Medium);
        let off = tracking_of(&SYNCHRONISED.replace("Normal", "Not synchronised")).unwrap();
        assert!(judged(&off).title.contains("not synchronised"));
        for garbled in ["", "506 Cannot talk to daemon", "a,b,c,d,e", "a,b,c,d,1.2.3"] {
            assert_eq!(tracking_of(garbled), None, "{garbled}");
        }
    }

    #[test]
    fn a_command_that_is_missing_or_fails_says_so() {
        assert_eq!(
            ask("no-such-program-here", &[]).unwrap_err(),
            "no-such-program-here is not installed"
        );
        assert!(ask("false", &[]).unwrap_err().starts_with("false failed"));
        assert_eq!(ask("echo", &["yes"]).unwrap(), "yes");
    }
}
