//! One test for each mistake that was in the tools.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use pitlane_engine::telemetry::{GAUGES_LINE, HlogWriter, new_histogram};
use pitlane_engine::world::Files;
use serde_json::Value;

fn latency(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latency")).args(args).output().unwrap()
}

fn text(args: &[&str]) -> String {
    let output = latency(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A log of one second with a latency of 5 us, and 7 events that wait in a lane.
fn log_with_lane(path: &Path) -> String {
    let header = [GAUGES_LINE.to_owned(), "Load: 10 events/s offered".to_owned()];
    let mut log = HlogWriter::create(&Files::Real, path, SystemTime::now(), &header).unwrap();
    for (tag, value) in [("", 5_000), ("decode", 5_000), ("lane:noop:market", 7)] {
        let mut histogram = new_histogram();
        histogram.record(value).unwrap();
        log.append(tag, Duration::ZERO, Duration::from_secs(1), &histogram).unwrap();
    }
    path.display().to_string()
}

#[test]
fn a_log_is_not_written_over_while_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.hlog");
    fs::copy(fixture("tagged.hlog"), &path).unwrap();
    let log = path.display().to_string();
    let link = dir.path().join("link.hlog");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let link = link.display().to_string();
    let before = fs::read(&path).unwrap();
    let lines: [&[&str]; 5] = [
        &["slice", &log, "--start", "2", "-o", &log],
        &["slice", &log, "-o", &link],
        &["merge", &fixture("plain.hlog"), &log, "-o", &log],
        &["correct", &log, "--expected-interval", "1ms", "-o", &log],
        &["processor", "-i", &log, "-o", &log],
    ];
    for line in lines {
        let output = latency(line);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{line:?}: {words}");
        assert!(words.contains("is read from"), "{words}");
        assert!(fs::read(&path).unwrap() == before, "{line:?} has touched the log");
    }
}

#[test]
fn what_waits_in_a_lane_is_shown_in_events_and_not_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_with_lane(&dir.path().join("run.hlog"));
    let summary = text(&["summary", &log]);
    let lane = summary.lines().find(|line| line.starts_with("lane:")).unwrap();
    assert!(lane.ends_with(" 7"), "{summary}");
    assert!(summary.contains("values in us; lane:NAME in events"), "{summary}");
    let summary: Value = serde_json::from_str(&text(&["summary", &log, "--json"])).unwrap();
    let units: Vec<_> =
        summary["series"].as_array().unwrap().iter().map(|series| &series["unit"]).collect();
    assert_eq!(units, ["us", "us", "events"]);
    assert!(text(&["top", &log, "--once"]).contains("lane:NAME in events"));
    let csv = text(&["export", &log, "--tag", "lane:noop:market"]);
    assert!(csv.trim_end().ends_with(",7.000"), "{csv}");
    let prom = text(&["export", &log, "--format", "prom"]);
    assert!(prom.contains("lane_max_events{tag=\"lane:noop:market\"} 7\n"), "{prom}");
    assert!(!prom.contains("seconds{tag=\"lane:"), "{prom}");
    let picture = dir.path().join("mixed.svg").display().to_string();
    let tags = ["--tag", "decode", "--tag", "lane:noop:market"];
    let mixed = latency(&[&["plot", &log, "-o", &picture], &tags[..]].concat());
    assert_eq!(mixed.status.code(), Some(2), "times and events have no axis in common");
}

#[test]
fn a_tag_of_a_log_that_says_nothing_of_lanes_stays_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.hlog");
    let log = log_with_lane(&path);
    let silent = fs::read_to_string(&path).unwrap().replace(GAUGES_LINE, "by another program");
    fs::write(&path, silent).unwrap();
    let summary: Value = serde_json::from_str(&text(&["summary", &log, "--json"])).unwrap();
    assert!(summary["series"].as_array().unwrap().iter().all(|series| series["unit"] == "us"));
}

#[test]
fn runs_of_a_picture_have_their_own_names_and_one_header_for_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let logs = ["run2.hlog", "run.hlog"].map(|name| log_with_lane(&dir.path().join(name)));
    let page = dir.path().join("two.html").display().to_string();
    text(&["plot", &logs[0], &logs[1], "-o", &page]);
    let document = fs::read_to_string(&page).unwrap();
    assert!(!document.contains("run (2)"), "`run` is not a second `run2`");
    text(&["plot", &logs[0], "--tag", "decode", "--tag", "decode", "-o", &page]);
    let document = fs::read_to_string(&page).unwrap();
    assert!(document.contains("run2 decode, run2 decode (2)</h2>"), "{document}");
    assert_eq!(document.matches("Load: 10 events/s offered").count(), 1);
}

#[test]
fn limits_of_a_series_are_drawn_for_that_series_only() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_with_lane(&dir.path().join("run.hlog"));
    let rules = dir.path().join("rules").display().to_string();
    fs::write(&rules, "decode:p99<9us\nwire:max<1s\n").unwrap();
    let picture = dir.path().join("run.svg").display().to_string();
    let plot =
        |tag: &[&str]| latency(&[&["plot", &log, "--sla", &rules, "-o", &picture], tag].concat());
    let decode = plot(&["--tag", "decode"]);
    assert!(String::from_utf8_lossy(&decode.stderr).contains("wire:max<1s: its series is not in"));
    assert!(fs::read_to_string(&picture).unwrap().contains("limit run decode"));
    plot(&[]);
    assert!(!fs::read_to_string(&picture).unwrap().contains("limit"), "none is for end to end");
}

/// A payload of five digits over all 63 bits with these counts, deflated.
fn widest(counts: &[u8]) -> String {
    let mut bytes = 0x1c84_9313_u32.to_be_bytes().to_vec();
    bytes.extend((counts.len() as u32).to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 5]);
    bytes.extend(1_u64.to_be_bytes());
    bytes.extend((i64::MAX as u64).to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    bytes.extend(counts);
    let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    deflated.write_all(&bytes).unwrap();
    let deflated = deflated.finish().unwrap();
    let mut all = 0x1c84_9314_u32.to_be_bytes().to_vec();
    all.extend((deflated.len() as u32).to_be_bytes());
    all.extend(deflated);
    BASE64.encode(&all)
}

/// `latency` with no more address space than this.
fn limited(mib: u32, args: &[&str]) -> Output {
    let limit = format!("ulimit -v {}; exec \"$@\"", mib << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &limit, "sh", env!("CARGO_BIN_EXE_latency")]);
    command.args(args).output().unwrap()
}

#[test]
fn wide_sums_of_few_values_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wide.hlog");
    // Six million empty cells, then one value: minus six million and plus one as ZigZag LEB128.
    let payload = widest(&[0xff, 0xb5, 0xdc, 0x05, 0x02]);
    let lines: String = (0..300).map(|tag| format!("Tag=t{tag},0.0,1.0,1.0,{payload}\n")).collect();
    fs::write(&file, &lines).unwrap();
    let file = file.display().to_string();
    let output = limited(200, &["summary", &file, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["series"].as_array().unwrap().len(), 300);
}

#[test]
fn sums_without_bound_are_refused_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("full.hlog");
    let payload = widest(&vec![0x02; 6_000_000]);
    let lines: String = (0..9).map(|tag| format!("Tag=t{tag},0.0,1.0,1.0,{payload}\n")).collect();
    fs::write(&file, &lines).unwrap();
    let file = file.display().to_string();
    let tags = ["summary", "tags"].map(|verb| latency(&[verb, &file]));
    let window = latency(&["top", &file, "--once"]);
    for output in tags.iter().chain([&window]) {
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{words}");
        assert!(words.contains("hlog: line ") && words.contains("256 MiB"), "{words}");
    }
    assert!(latency(&["summary", &file, "--tag", "t8"]).status.success(), "one series is no harm");
}

#[test]
fn corrected_series_keep_apart() {
    // Java 2.1.11 loses the tag of what it corrects: it sums all series, or finds none.
    let correct = |flags: &[&str]| {
        let log = fixture("tagged.hlog");
        let expected = ["-correctLogWithKnownCoordinatedOmission", "1000000000"];
        text(&[&["processor", "-i", &log], flags, &expected].concat())
    };
    assert!(correct(&[]).contains("Total count    =         1200]"), "{}", correct(&[]));
    assert!(correct(&["-tag", "dispatch"]).contains("Total count    =         1800]"));
}

#[test]
fn runs_that_differ_in_what_they_achieved_are_alike() {
    let dir = tempfile::tempdir().unwrap();
    let logs = ["base.hlog", "new.hlog"].map(|name| log_with_lane(&dir.path().join(name)));
    for (log, achieved) in logs.iter().zip([9, 10]) {
        let mut file = fs::OpenOptions::new().append(true).open(log).unwrap();
        writeln!(file, "#[Achieved: {achieved} events/s over 1000 ms]").unwrap();
    }
    let output = latency(&["diff", &logs[0], &logs[1]]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn top_ends_when_its_terminal_is_gone_without_a_signal() {
    use std::io::Read;
    use std::os::fd::AsFd;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    // A terminal that is not the process's own: nobody gets SIGHUP when it goes away.
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let end = std::fs::File::options().read(true).write(true).open(name).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.hlog");
    std::fs::write(&log, "#[Histogram log format version 1.3]\n").unwrap();
    let mut top = Command::new(env!("CARGO_BIN_EXE_latency"))
        .arg("top")
        .arg(&log)
        .stdin(end.try_clone().unwrap())
        .stdout(end.try_clone().unwrap())
        .stderr(end)
        .spawn()
        .unwrap();
    // It has drawn, so it waits for keys.
    let mut drawn = [0; 64];
    let mut screen = std::fs::File::from(terminal.as_fd().try_clone_to_owned().unwrap());
    assert!(screen.read(&mut drawn).unwrap() > 0);
    drop((screen, terminal));
    let started = std::time::Instant::now();
    let status = loop {
        if let Some(status) = top.try_wait().unwrap() {
            break status;
        }
        if started.elapsed().as_secs() > 20 {
            top.kill().unwrap();
            panic!("it goes on without a terminal");
        }
        std::thread::yield_now();
    };
    // What had not been written yet may be told as an error.
    assert!(matches!(status.code(), Some(0 | 3)), "{status}");
}
