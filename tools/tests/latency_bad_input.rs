//! Broken logs: a clear message with the number of the line, and the exit code that says what it
//! was.

use std::fs;
use std::process::{Command, Output};

use data_encoding::BASE64;

/// A whole interval line of the Java library, from a fixture.
fn good_line(second: usize) -> String {
    let log = include_str!("fixtures/plain.hlog");
    log.lines().filter(|line| line.contains(",HIST")).nth(second).unwrap().to_owned()
}

fn summary(log: &[u8]) -> (Output, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.hlog");
    fs::write(&file, log).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_latency")).arg("summary").arg(&file).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.clone(), text(&output.stdout), text(&output.stderr))
}

/// Exit code 3, and a message that holds these words.
fn unreadable(log: &[u8], words: &[&str]) {
    let (output, out, err) = summary(log);
    assert_eq!(output.status.code(), Some(3), "{out}{err}");
    assert!(out.is_empty(), "no figures of a log that can't be read: {out}");
    for word in words {
        assert!(err.contains(word), "`{word}` is missing: {err}");
    }
}

/// Exit code 0, with a warning that holds these words.
fn warned(log: &[u8], words: &[&str]) {
    let (output, out, err) = summary(log);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    for word in words {
        assert!(err.contains(word), "`{word}` is missing: {err}");
    }
}

/// A V2 payload with this head and no counts.
fn payload(counts_len: u32, digits: u32, lowest: u64, highest: u64) -> String {
    let mut bytes = 0x1c84_9313_u32.to_be_bytes().to_vec();
    bytes.extend(counts_len.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(digits.to_be_bytes());
    bytes.extend(lowest.to_be_bytes());
    bytes.extend(highest.to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    BASE64.encode(&bytes)
}

#[test]
fn an_empty_file_holds_no_interval() {
    unreadable(b"", &["holds no interval", "empty"]);
    unreadable(b"\n\n", &["holds no interval"]);
}

#[test]
fn comments_alone_are_no_log() {
    unreadable(b"#[StartTime: 1.0]\n# nothing\n", &["holds no interval", "only comments"]);
}

#[test]
fn foreign_text_is_named() {
    unreadable(b"Dear Sir,\nthank you\n", &["line 1", "Dear Sir"]);
    unreadable(b"\x7fELF\x02\x01\x01\n\x00\x00", &["line 1"]);
    unreadable(b"no line feed at all", &["holds no interval", "cut off"]);
}

#[test]
fn a_broken_line_in_the_middle_is_an_error_with_its_number() {
    let log = format!("# one\n{}\n{}\nrubbish\n{}\n", good_line(0), good_line(1), good_line(2));
    unreadable(log.as_bytes(), &["line 4", "rubbish"]);
}

#[test]
fn a_torn_tail_is_a_warning_and_the_rest_counts() {
    let (first, second) = (good_line(0), good_line(1));
    for cut in [1, 7, 20, second.len() / 2, second.len() - 1] {
        let log = format!("{first}\n{}", &second[..cut]);
        warned(log.as_bytes(), &["warning", "line 2", "cut off"]);
    }
    // A whole last line needs no line feed.
    let (output, _, err) = summary(format!("{first}\n{second}").as_bytes());
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
}

#[test]
fn truncated_base64_in_the_middle_is_an_error() {
    let (first, second) = (good_line(0), good_line(1));
    for cut in [first.len() - 1, first.len() - 4, first.len() / 2] {
        let log = format!("{}\n{second}\n", &first[..cut]);
        unreadable(log.as_bytes(), &["line 1", "histogram"]);
    }
}

#[test]
fn absurd_bounds_are_refused_without_taking_memory() {
    let line = |payload: String| format!("0.0,1.0,1.0,{payload}\n{}\n", good_line(0));
    unreadable(line(payload(u32::MAX, 3, 1, 1 << 40)).as_bytes(), &["line 1", "4294967295 bytes"]);
    unreadable(line(payload(0, 200, 1, 1 << 40)).as_bytes(), &["line 1", "200 significant digits"]);
    unreadable(line(payload(0, 3, 1, u64::MAX)).as_bytes(), &["line 1", "highest value"]);
    unreadable(line(payload(0, 3, 0, 1 << 40)).as_bytes(), &["line 1", "lowest value"]);
    unreadable(line("AAAA".repeat(20)).as_bytes(), &["line 1", "no encoding of HdrHistogram"]);
}

#[test]
fn a_line_without_end_is_refused() {
    let mut log = b"0.0,1.0,1.0,".to_vec();
    log.resize(17 << 20, b'A');
    unreadable(&log, &["line 1", "16 MiB"]);
}

#[test]
fn a_clock_that_goes_backwards_is_a_warning_with_its_line() {
    let log = format!("{}\n{}\n{}\n", good_line(0), good_line(5), good_line(3));
    warned(log.as_bytes(), &["warning", "line 3", "clock went backwards"]);
    let negative = good_line(0).replacen("0.000,", "-5.000,", 1);
    unreadable(format!("{negative}\n").as_bytes(), &["line 1", "start time of -5 s"]);
}

#[test]
fn a_start_time_that_no_clock_shows_is_refused_with_its_line() {
    for time in ["nan", "inf", "-1.5", "1e300", "soon", ""] {
        for name in ["StartTime", "BaseTime"] {
            let log = format!("#[{name}: {time} (seconds since epoch)]\n{}\n", good_line(0));
            unreadable(log.as_bytes(), &["line 1", name]);
        }
    }
}

#[test]
fn odd_tags_are_taken_and_shown_without_harm() {
    let line = good_line(0);
    let log = format!("Tag=a=b:\"c\",{line}\nTag=\x1b[31mred\x07,{line}\nTag=,{line}\n");
    let (output, out, err) = summary(log.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(out.contains("a=b:\"c\""), "{out}");
    assert!(!out.contains('\x1b') && !out.contains('\x07'), "control characters reach no terminal");
}

#[test]
fn a_missing_file_and_a_folder_are_unreadable() {
    for file in ["/nonexistent/x.hlog", "/"] {
        let run =
            Command::new(env!("CARGO_BIN_EXE_latency")).args(["summary", file]).output().unwrap();
        assert_eq!(run.status.code(), Some(3), "{file}");
        assert!(String::from_utf8_lossy(&run.stderr).contains(file));
    }
}

#[test]
fn a_tag_that_is_not_there_is_a_mistake_of_the_command_line() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tagged.hlog");
    let run = Command::new(env!("CARGO_BIN_EXE_latency"))
        .args(["percentiles", file, "--tag", "nope"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    let err = String::from_utf8(run.stderr).unwrap();
    assert!(err.contains("`nope`") && err.contains("queue:maker"), "{err}");
}
