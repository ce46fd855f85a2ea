//! The verbs of the real `latency` binary over logs that the Java library wrote.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

fn latency(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latency")).args(args).output().unwrap()
}

fn piped(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_latency"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A verb that gives up early closes its end: that is its right.
    let _early = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The result of a verb that must succeed, as JSON.
fn json(args: &[&str]) -> Value {
    let output = latency(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(args: &[&str]) -> String {
    let output = latency(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
    assert!(!out(&output).contains('\x1b'), "colours where no terminal is");
    out(&output)
}

fn scratch() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().to_owned();
    (dir, move |name: &str| base.join(name))
}

#[test]
fn a_summary_has_a_line_for_each_series() {
    let text = text(&["summary", &fixture("tagged.hlog")]);
    assert!(text.lines().next().unwrap().starts_with("Tag"), "{text}");
    for tag in ["(untagged)", "dispatch", "queue:maker", "queue:taker", "h\u{e4}ndle=\"x\""] {
        assert!(text.lines().any(|line| line.starts_with(tag)), "{tag} is missing:\n{text}");
    }
    let all = json(&["summary", &fixture("tagged.hlog"), "--json"]);
    assert_eq!(all["series"].as_array().unwrap().len(), 5);
    assert_eq!(all["series"][0]["count"], 12 * 100);
    let twice = json(&["summary", &fixture("tagged.hlog"), &fixture("tagged.hlog"), "--json"]);
    assert_eq!(twice["series"][0]["count"], 2 * 12 * 100, "files are summed by tag");
    let by_file =
        json(&["summary", "--by", "file", &fixture("plain.hlog"), &fixture("v1.hlog"), "--json"]);
    assert_eq!(by_file["series"].as_array().unwrap().len(), 2);
}

#[test]
fn encodings_that_java_no_longer_reads_decode_to_the_same_values() {
    // Java reads no uncompressed payloads from a log; its compressed sister tells what is in them.
    let log = json(&["summary", &fixture("v2_uncompressed.hlog"), "--json"]);
    assert_eq!(log["series"][0]["count"], 600);
}

#[test]
fn standard_input_is_a_file_too() {
    let bytes = fs::read(fixture("plain.hlog")).unwrap();
    let from_pipe = piped(&["summary", "-"], &bytes);
    assert_eq!(from_pipe.status.code(), Some(0), "{}", err(&from_pipe));
    assert_eq!(out(&from_pipe), text(&["summary", &fixture("plain.hlog")]));
}

#[test]
fn units_scale_what_is_shown() {
    let max = |unit: &str| {
        let log = json(&["summary", &fixture("plain.hlog"), "--unit", unit, "--json"]);
        log["series"][0]["max"].as_f64().unwrap()
    };
    assert!((max("ns") / max("us") - 1_000.0).abs() < 1e-6);
    assert!((max("us") / max("ms") - 1_000.0).abs() < 1e-6);
}

#[test]
fn a_slice_holds_the_lines_as_they_were() {
    let (_dir, at) = scratch();
    let output = at("slice.hlog").display().to_string();
    let log = fixture("plain.hlog");
    text(&["slice", &log, "--start", "5", "--end", "10", "-o", &output]);
    let original = fs::read_to_string(&log).unwrap();
    let slice = fs::read_to_string(&output).unwrap();
    assert!(slice.lines().all(|line| original.contains(line)));
    let intervals = slice.lines().filter(|line| line.contains(",HIST")).count();
    assert_eq!(intervals, 5, "starts 5.015 to 9.027 of one interval in 1.003 s");
    let direct = json(&["summary", &log, "--start", "5", "--end", "10", "--json"]);
    assert_eq!(json(&["summary", &output, "--json"]), direct);
}

#[test]
fn split_and_merge_lose_nothing() {
    let (dir, at) = scratch();
    let folder = dir.path().display().to_string();
    let parts = json(&["split", &fixture("tagged.hlog"), "--by", "tag", "-d", &folder, "--json"]);
    let parts = parts["written"].as_array().unwrap();
    assert_eq!(parts.len(), 5);
    for part in parts {
        let file = part["file"].as_str().unwrap();
        assert!(!fs::read_to_string(file).unwrap().contains("Tag="), "{file}");
        assert_eq!(part["intervals"], 12);
    }
    let merged = at("merged.hlog").display().to_string();
    let plain = fixture("plain.hlog");
    let done = json(&["merge", &plain, &plain, "-o", &merged, "--json"]);
    assert_eq!(done["intervals"], 30, "the same intervals of both logs become one");
    let (one, two) = (json(&["summary", &plain, "--json"]), json(&["summary", &merged, "--json"]));
    let count = |log: &Value| log["series"][0]["count"].as_u64().unwrap();
    assert_eq!(count(&two), 2 * count(&one));
    assert_eq!(two["series"][0]["percentiles"], one["series"][0]["percentiles"]);
    let header = fs::read_to_string(&merged).unwrap();
    assert!(header.contains("#[Rate: 5000/s offered, 4998/s achieved]"), "run header is kept");
}

#[test]
fn correction_only_adds() {
    let (_dir, at) = scratch();
    let corrected = at("corrected.hlog").display().to_string();
    let log = fixture("plain.hlog");
    text(&["correct", &log, "--expected-interval", "200us", "-o", &corrected]);
    let (before, after) =
        (json(&["summary", &log, "--json"]), json(&["summary", &corrected, "--json"]));
    let count = |log: &Value| log["series"][0]["count"].as_u64().unwrap();
    assert!(count(&after) > count(&before));
    assert_eq!(after["series"][0]["max"], before["series"][0]["max"]);
}

#[test]
fn rules_decide_the_exit_code() {
    let log = fixture("plain.hlog");
    let good = latency(&["sla", &log, "--rule", "p50<1s", "--rule", "count>=1000"]);
    assert_eq!(good.status.code(), Some(0));
    assert!(out(&good).contains("pass") && !out(&good).contains("FAIL"));
    let bad = latency(&["sla", &log, "--rule", "p50<1s", "--rule", "max<1us"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(out(&bad).contains("FAIL"));
    assert_eq!(latency(&["sla", &log]).status.code(), Some(2), "no rule");
    assert_eq!(latency(&["sla", &log, "--rule", "p50<50"]).status.code(), Some(2), "no unit");
    let tagged = latency(&["sla", &fixture("tagged.hlog"), "--rule", "queue:maker:max<1h"]);
    assert_eq!(tagged.status.code(), Some(2), "h is no unit of a latency");
    let tagged = latency(&["sla", &fixture("tagged.hlog"), "--rule", "queue:maker:max<100s"]);
    assert_eq!(tagged.status.code(), Some(0), "{}", err(&tagged));
}

#[test]
fn a_difference_beyond_what_is_allowed_fails() {
    let (one, two) = (fixture("plain.hlog"), fixture("tiny.hlog"));
    let same = latency(&["diff", &one, &one, "--fail-if", "p99>+0%"]);
    assert_eq!(same.status.code(), Some(0), "{}", err(&same));
    assert!(err(&same).is_empty());
    assert!(out(&same).starts_with("Percentile"));
    let worse = latency(&["diff", &two, &one, "--fail-if", "p50>+10%"]);
    assert_eq!(worse.status.code(), Some(1));
    let other_run = latency(&["diff", &one, &fixture("v1.hlog")]);
    assert!(err(&other_run).contains("the run headers differ"), "{}", err(&other_run));
}

#[test]
fn rates_are_sorted_by_what_was_offered() {
    let (dir, at) = scratch();
    let plain = fs::read_to_string(fixture("plain.hlog")).unwrap();
    for (name, rate) in [("b.hlog", "9000"), ("a.FAIL.hlog", "20000"), ("c.hlog", "1000")] {
        fs::write(at(name), plain.replace("Rate: 5000", &format!("Rate: {rate}"))).unwrap();
    }
    let table = json(&["rates", &dir.path().display().to_string(), "--json"]);
    let runs = table["runs"].as_array().unwrap();
    let rates: Vec<_> =
        runs.iter().map(|run| run["offered_per_s"].as_f64().unwrap() as u64).collect();
    assert_eq!(rates, [1_000, 9_000, 20_000]);
    assert_eq!(runs[2]["failed"], true);
}

#[test]
fn exports_are_what_their_readers_expect() {
    let log = fixture("tagged.hlog");
    let csv = text(&["export", &log, "--format", "csv"]);
    assert_eq!(csv.lines().count(), 1 + 5 * 12);
    assert!(csv.contains("\"h\u{e4}ndle=\"\"x\"\"\""), "quotes are doubled");
    for line in text(&["export", &log, "--json"]).lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(value["count"].as_u64().unwrap() > 0);
    }
    let prom = text(&["export", &log, "--format", "prom"]);
    assert!(prom.contains("latency_seconds{tag=\"dispatch\",quantile=\"0.999\"}"), "{prom}");
    assert!(prom.contains("latency_seconds{tag=\"h\u{e4}ndle=\\\"x\\\"\",quantile"), "{prom}");
    assert!(prom.contains("latency_seconds_count{tag=\"dispatch\"} 1800"), "{prom}");
}

#[test]
fn plots_are_whole_documents_without_a_network() {
    let (_dir, at) = scratch();
    let rules = at("rules");
    fs::write(&rules, "p99<1ms\nmax<100ms\n").unwrap();
    let logs = [fixture("plain.hlog"), fixture("tagged.hlog")];
    for name in ["plot.svg", "plot.html"] {
        let file = at(name).display().to_string();
        let rules = rules.display().to_string();
        text(&["plot", &logs[0], &logs[1], "-o", &file, "--sla", &rules, "--timeline"]);
        let document = fs::read_to_string(&file).unwrap();
        assert_eq!(document.matches("<svg").count(), 1);
        assert!(document.contains("</svg>") && document.contains("<title>plain (untagged): "));
        assert!(document.contains("limit") && document.contains("99.9%"));
        assert!(document.contains("Rate: 5000/s offered"), "the run header is underneath");
        let addresses = document.replace("http://www.w3.org/", "");
        assert!(!addresses.contains("://") && !document.contains("<script"), "{name}");
    }
    let unknown = latency(&["plot", &logs[0], "-o", "x.png"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn hiccups_are_recorded_for_each_core_and_read_back() {
    let (_dir, at) = scratch();
    let file = at("hiccup.hlog").display().to_string();
    let allowed = fs::read_to_string("/proc/self/status").unwrap();
    let list = allowed.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let core: String = list.trim().chars().take_while(char::is_ascii_digit).collect();
    let result = json(&["hiccup", "--cores", &core, "--duration", "1s", "-o", &file, "--json"]);
    assert!(result["cores"][0]["ticks"].as_u64().unwrap() > 1_000, "{result}");
    let log = json(&["summary", &file, "--json"]);
    let tags: Vec<_> =
        log["series"].as_array().unwrap().iter().map(|series| series["tag"].clone()).collect();
    assert!(tags.contains(&Value::Null) && tags.contains(&Value::from(format!("core:{core}"))));
    let missing = latency(&["hiccup", "--cores", "100000", "-o", &file]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).contains("core 100000"));
}

#[test]
fn top_shows_what_is_there() {
    let text = text(&["top", &fixture("tagged.hlog"), "--once"]);
    assert!(text.contains("queue:maker") && text.contains("99.9%"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let series = json(&["top", &fixture("tagged.hlog"), "--once", "--json"]);
    assert_eq!(series["series"].as_array().unwrap().len(), 5);
}

#[test]
fn completions_and_help_are_there() {
    assert!(text(&["completions", "bash"]).contains("_latency"));
    let help = text(&["--help"]);
    assert!(help.contains("Examples:") && help.contains("Exit codes:"));
    assert!(text(&["processor", "-h"]).contains("-outputValueUnitRatio"));
}
