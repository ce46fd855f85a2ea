//! Logs of other tools and ports, and of clocks that went back: read whole, or refused with the
//! true reason.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use hdrhistogram::Histogram;
use pitlane_engine::telemetry::{GAUGES_LINE, LineEncoder};
use serde_json::Value;

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Scratch {
        Scratch(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

fn latency(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latency")).args(args).output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(args: &[&str]) -> (Value, String) {
    let output = latency(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), err(&output))
}

/// The payload of a line that holds `count` values.
fn payload(value_ns: u64, count: u64) -> String {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
    histogram.record_n(value_ns, count).unwrap();
    let mut line = Vec::new();
    let zero = std::time::Duration::ZERO;
    LineEncoder::new().encode(&mut line, "", zero, zero, &histogram).unwrap();
    let text = String::from_utf8(line).unwrap();
    text.trim_end().rsplit(',').next().unwrap().to_owned()
}

fn line(start: &str, value_ns: u64, count: u64) -> String {
    format!("{start},1.000,0.000,{}\n", payload(value_ns, count))
}

fn count_of(summary: &Value) -> u64 {
    summary["series"][0]["count"].as_u64().unwrap()
}

/// Four intervals of 100 values, of which the third, the slowest, starts before the first.
fn backwards() -> String {
    [
        line("1700000010.000", 1_000, 100),
        line("1700000011.000", 1_000, 100),
        line("1700000006.000", 9_000_000, 100),
        line("1700000012.000", 1_000, 100),
    ]
    .concat()
}

#[test]
fn an_interval_before_the_start_of_the_log_counts_and_is_told() {
    let scratch = Scratch::new();
    let log = scratch.log("backwards.hlog", backwards());
    let (summary, warning) = json(&["summary", &log, "--json"]);
    assert_eq!(count_of(&summary), 400);
    assert!(summary["series"][0]["max"].as_f64().unwrap() >= 9_000.0);
    assert!(warning.contains("line 3: starts before the log's StartTime"), "{warning}");
    let verdict = latency(&["sla", &log, "--rule", "max<1ms"]);
    assert_eq!(verdict.status.code(), Some(1), "the slow interval is judged");
    let (ranged, _) = json(&["summary", &log, "--start", "0", "--json"]);
    assert_eq!(count_of(&ranged), 300, "a range was asked for");
    let (intervals, _) = json(&["intervals", &log, "--json"]);
    let shown = intervals.as_array().or(intervals["intervals"].as_array()).map(Vec::len);
    assert_eq!(shown, Some(4), "{intervals}");
}

#[test]
fn the_processor_leaves_out_what_the_java_tool_leaves_out() {
    let scratch = Scratch::new();
    let log = scratch.log("backwards.hlog", backwards());
    let output = latency(&["processor", "-i", &log]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains("Total count    =          300"), "{text}");
}

#[test]
fn a_header_of_1970_is_no_reason_to_lose_values() {
    let scratch = Scratch::new();
    let head = "#[StartTime: 4199232.004 (seconds since epoch), Wed Feb 14:27:12 GMT 1970]\n";
    let lines = [line("292663.168", 1_000, 100), line("292664.169", 1_000, 100)].concat();
    let log = scratch.log("c.hlog", format!("{head}{lines}"));
    let (summary, warning) = json(&["summary", &log, "--json"]);
    assert_eq!(count_of(&summary), 200);
    assert!(warning.contains("StartTime"), "{warning}");
    let ranged = latency(&["summary", &log, "--start", "0"]);
    assert_eq!(ranged.status.code(), Some(2));
    assert!(err(&ranged).contains("2 start before the log's StartTime"), "{}", err(&ranged));
}

#[test]
fn a_log_in_microseconds_is_read_as_such_where_it_is_said() {
    let scratch = Scratch::new();
    let log = scratch.log("us.hlog", line("1.000", 2_000, 100));
    let max = |args: &[&str]| json(args).0["series"][0]["max"].as_f64().unwrap();
    let as_ns = max(&["summary", &log, "--json"]);
    let as_us = max(&["summary", &log, "--recorded-in", "us", "--json"]);
    assert!((2.0..2.01).contains(&as_ns) && (2_000.0..2_010.0).contains(&as_us), "{as_ns} {as_us}");
    let rule = ["sla", &log, "--rule", "max<1ms"];
    assert_eq!(latency(&rule).status.code(), Some(0));
    assert_eq!(latency(&[&rule[..], &["--recorded-in", "us"]].concat()).status.code(), Some(1));
    let slice = latency(&["slice", &log, "--recorded-in", "us"]);
    assert_eq!(slice.status.code(), Some(2), "a slice copies lines");
}

#[test]
fn decimal_commas_byte_order_marks_and_cr_lf_are_read() {
    let scratch = Scratch::new();
    let head = "\u{feff}#[StartTime: 1700000000,500 (seconds since epoch), Di Nov 14]\r\n";
    let lines = [line("0,250", 1_000, 60), line("Tag=a,1,250", 1_000, 40)].concat();
    let lines = lines.replace("1.000,0.000", "1,000,0,000").replace('\n', "\r\n");
    let log = scratch.log("comma.hlog", format!("{head}{lines}"));
    let (tags, _) = json(&["tags", &log, "--json"]);
    assert_eq!(tags["start_s"], 1_700_000_000.5);
    assert_eq!(tags["tags"][0]["count"], 60);
    assert_eq!(tags["tags"][1]["count"], 40);
    assert!((tags["tags"][1]["from_s"].as_f64().unwrap() - 1.25).abs() < 1e-6);
}

#[test]
fn lines_that_end_in_cr_alone_are_refused_with_the_reason() {
    let scratch = Scratch::new();
    let log = scratch.log("mac.hlog", backwards().replace('\n', "\r"));
    let output = latency(&["summary", &log]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("line 1: a carriage return inside the line"), "{}", err(&output));
}

#[test]
fn a_compressed_log_is_read_and_a_torn_one_is_refused() {
    let scratch = Scratch::new();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(backwards().as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    let log = scratch.log("run.hlog.gz", &bytes);
    assert_eq!(count_of(&json(&["summary", &log, "--json"]).0), 400);
    let torn = scratch.log("torn.hlog.gz", &bytes[..bytes.len() / 2]);
    let output = latency(&["summary", &torn]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(err(&output).contains("the gzip data is cut off"), "{}", err(&output));
    let more = scratch.log("more.hlog.gz", [&bytes[..], &[0; 512]].concat());
    let output = latency(&["summary", &more]);
    assert!(err(&output).contains("something else stands behind it"), "{}", err(&output));
}

#[test]
fn text_of_another_encoding_is_refused_by_its_name() {
    let scratch = Scratch::new();
    let wide: Vec<u8> = backwards().bytes().flat_map(|byte| [byte, 0]).collect();
    let log = scratch.log("wide.hlog", [b"\xff\xfe".as_slice(), &wide].concat());
    let output = latency(&["summary", &log]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("it is UTF-16"), "{}", err(&output));
}

#[test]
fn a_tag_neither_steers_a_terminal_nor_reorders_its_line() {
    let scratch = Scratch::new();
    for tag in ["\u{1b}[2Jx", "a\u{202e}b", "a\u{9b}2J", "a\u{2028}b"] {
        let log = scratch.log("run.hlog", format!("Tag={tag},{}", line("1.000", 1_000, 100)));
        for more in [&["--json"][..], &[]] {
            let output = latency(&[&["summary", &log], more].concat());
            assert_eq!(output.status.code(), Some(0), "{}", err(&output));
            let text = String::from_utf8(output.stdout.clone()).unwrap() + &err(&output);
            let is_unfit = |character: char| pitlane_engine::text::is_dangerous(character);
            assert!(!text.chars().any(is_unfit), "{text:?}");
        }
    }
}

#[test]
fn a_series_without_values_passes_no_judgement() {
    let scratch = Scratch::new();
    let empty = scratch.log("empty.hlog", line("1.000", 1_000, 0));
    let full = scratch.log("full.hlog", line("1.000", 1_000, 100));
    for rule in ["max<1ms", "p99<1ms", "mean<1ms", "min>=0ns"] {
        let output = latency(&["sla", &empty, "--rule", rule]);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{rule}: {text}");
        assert!(text.contains("no values") && text.contains("FAIL"), "{text}");
    }
    assert_eq!(latency(&["sla", &empty, "--rule", "count<1"]).status.code(), Some(0));
    for pair in [[&empty, &full], [&full, &empty], [&empty, &empty]] {
        let output = latency(&["diff", pair[0], pair[1], "--fail-if", "p99>+10%"]);
        assert_eq!(output.status.code(), Some(1), "{pair:?}");
        assert!(err(&output).contains("has no values"), "{}", err(&output));
    }
    let output = latency(&["diff", &full, &full, "--fail-if", "p99>+10%"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[test]
fn a_correction_leaves_alone_what_counts_events() {
    let scratch = Scratch::new();
    let lines = [line("1.000", 5_000_000, 1), line("Tag=lane:maker,1.000", 5_000_000, 1)].concat();
    let log = scratch.log("run.hlog", format!("#[{GAUGES_LINE}]\n{lines}"));
    let corrected = scratch.at("corrected.hlog").display().to_string();
    json(&["correct", &log, "--expected-interval", "1ms", "-o", &corrected, "--json"]);
    let (tags, _) = json(&["tags", &corrected, "--json"]);
    assert_eq!(tags["tags"][0]["count"], 5, "{tags}");
    assert_eq!(tags["tags"][1]["count"], 1, "{tags}");
}

#[test]
fn no_verb_writes_over_what_it_reads() {
    let scratch = Scratch::new();
    let log = scratch.log("run.hgrm", backwards());
    let page = scratch.log("run.svg", backwards());
    let base = scratch.at("run").display().to_string();
    let refused: [&[&str]; 5] = [
        &["slice", &log, "-o", &log],
        &["merge", &log, "-o", &log],
        &["correct", &log, "--expected-interval", "1ms", "-o", &log],
        &["plot", &page, "-o", &page],
        &["processor", "-i", &log, "-o", &base],
    ];
    for args in refused {
        let output = latency(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains("is read from"), "{}", err(&output));
    }
    let stdin = fs::File::open(&log).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_latency"))
        .args(["slice", "-", "-o", &log])
        .stdin(stdin)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert_eq!(fs::read_to_string(&log).unwrap(), backwards());
    assert_eq!(fs::read_to_string(&page).unwrap(), backwards());
}

#[test]
fn a_legend_tells_files_and_series_apart() {
    let scratch = Scratch::new();
    let before = scratch.log("before/latency.hlog", line("1.000", 1_000, 100));
    let after = scratch.log("after/latency.hlog", line("1.000", 2_000, 100));
    let drawn = scratch.at("plot.svg").display().to_string();
    let (plot, _) = json(&["plot", &before, &after, "-o", &drawn, "--json"]);
    let labels: Vec<_> =
        plot["curves"].as_array().unwrap().iter().map(|curve| &curve["label"]).collect();
    assert_eq!(labels, ["before/latency (untagged)", "after/latency (untagged)"]);
    assert!(Path::new(&drawn).is_file());
}
