//! What is read of folders, and what is refused.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::venue::registry::VenueKind;
use crate::venue::simulated::dialect::binance_spot::CombinedStreams;
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::server::{HttpRequest, Opening, Session};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn loaded(path: &Path) -> Result<Recording, RecordingError> {
    let mut recording = Recording::empty(&CombinedStreams);
    recording.read(path).map(|()| recording)
}

fn load(files: &[(&str, &str)]) -> Result<Recording, String> {
    loaded(folder(files).path()).map_err(|error| error.to_string())
}

#[track_caller]
fn error(files: &[(&str, &str)]) -> String {
    load(files).expect_err("the recording was read")
}

fn times(recording: &Recording) -> Vec<i64> {
    recording.steps.iter().map(|(time, _)| *time).collect()
}

const TRADE: &str = r#"{"stream":"abcusdt@trade","data":{"e":"trade","E":5,"s":"ABCUSDT"}}"#;

fn diff(symbol: &str, first: u64, last: u64) -> String {
    let data = format!(r#"{{"e":"depthUpdate","E":9,"U":{first},"u":{last}}}"#);
    format!(r#"{{"stream":"{symbol}@depth@100ms","data":{data}}}"#)
}

fn snapshot(id: u64) -> String {
    format!(r#"{{"lastUpdateId":{id},"bids":[],"asks":[]}}"#)
}

#[test]
fn the_order_of_the_file_is_the_truth_and_times_only_pace() {
    // K11: the clock steps back behind the first line.
    let text = format!("{TRADE}\n{}\n{}\n", diff("abcusdt", 7, 8), snapshot(7));
    let recording = load(&[("a.jsonl", &text), ("a.recv_ns.txt", "30\n10\n20\n")]).unwrap();
    assert_eq!(
        (recording.frames(), recording.symbols()),
        (2, &[RecordedSymbol::new("ABCUSDT")][..])
    );
    assert_eq!(recording.streams(), ["abcusdt@trade", "abcusdt@depth@100ms"]);
    assert_eq!(times(&recording), [30, 30, 30]);
    assert!(matches!(recording.steps[0].1, Step::Frame { stream: 0, .. }));
    let Step::Snapshot { symbol, last_update_id, .. } = &recording.steps[2].1 else {
        panic!("no snapshot")
    };
    assert_eq!((symbol.as_str(), *last_update_id), ("ABCUSDT", 7));
}

#[test]
fn a_file_goes_on_where_the_one_before_ended_or_was_recorded_beside_it() {
    let text = format!("{TRADE}\n{TRADE}\n");
    let of = |second: &str| {
        load(&[
            ("a.jsonl", &text),
            ("a.recv_s.txt", "10\n20\n"),
            ("b.jsonl", &text),
            ("b.recv_s.txt", second),
        ])
        .map(|recording| times(&recording).iter().map(|ns| ns / 1_000_000_000).collect())
    };
    let of = |second: &str| -> Vec<i64> { of(second).unwrap() };
    assert_eq!(of("19\n30\n"), [10, 20, 20, 30], "set back by a second");
    assert_eq!(of("11\n21\n"), [10, 11, 20, 21], "beside it");
}

#[test]
fn snapshots_of_an_index_lie_between_the_frames_and_count_once() {
    let index = r#"{"symbol":"ABCUSDT","recv_s":1.5,"file":"s.json"}"#;
    let text = format!("{TRADE}\n{}\n", diff("abcusdt", 7, 8));
    let recording = load(&[
        ("ws.jsonl", &text),
        ("ws.recv_s.txt", "1.0000000001\n2\n"),
        (REST_INDEX, &format!("{index}\n{index}\n")),
        ("s.json", &snapshot(7)),
    ])
    .unwrap();
    assert_eq!(times(&recording), [1_000_000_000, 1_500_000_000, 2_000_000_000]);
    assert!(recording.notes()[0].contains("rest_index.jsonl:2: "), "{:?}", recording.notes());
}

#[test]
fn a_snapshot_of_another_symbol_is_refused() {
    let text = format!("{}\n{}\n", diff("abcusdt", 7, 8), diff("xyzusdt", 50_007, 50_008));
    let index = concat!(
        r#"{"symbol":"ABCUSDT","recv_s":1,"file":"a.json"}"#,
        "\n",
        r#"{"symbol":"XYZUSDT","recv_s":1,"file":"x.json"}"#
    );
    let of = |a: u64, x: u64| {
        load(&[
            ("ws.jsonl", &text),
            ("ws.recv_s.txt", "1\n2\n"),
            (REST_INDEX, index),
            ("a.json", &snapshot(a)),
            ("x.json", &snapshot(x)),
        ])
    };
    assert_eq!(of(7, 50_007).map(|recording| recording.steps.len()), Ok(4));
    let text = of(50_007, 7).unwrap_err();
    assert!(text.contains("rest_index.jsonl:1: "), "{text}");
    assert!(text.ends_with("lies among the updates of XYZUSDT, not of ABCUSDT"), "{text}");
}

#[test]
fn the_snapshot_among_several_symbols_is_the_ones_with_its_updates() {
    let lines = [snapshot(50_007), diff("abcusdt", 7, 8), diff("xyzusdt", 50_007, 50_008)];
    let text = lines.join("\n");
    let recording = load(&[("a.jsonl", &text), ("a.recv_s.txt", "1\n2\n3")]).unwrap();
    let Step::Snapshot { symbol, .. } = &recording.steps[0].1 else { panic!("no snapshot") };
    assert_eq!(symbol, "XYZUSDT");
}

#[test]
fn what_is_usual_beside_frames_is_read_or_left_out_with_a_note() {
    let ack = r#"{"result":null,"id":1}"#;
    let all = r#"{"stream":"!ticker@arr","data":[]}"#;
    let text = format!("\u{feff}{TRADE}\r\n{ack}\r\n\r\n{all}\r\n{all}\r\n");
    // No file of times: paced by the event times.
    let dir = folder(&[]);
    let file = fs::File::create(dir.path().join("a.jsonl.gz")).unwrap();
    let mut packed = GzEncoder::new(file, Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap();
    let recording = loaded(dir.path()).unwrap();
    assert_eq!((recording.frames(), recording.left_out()), (1, 3));
    assert_eq!(times(&recording), [5_000_000]);
    let notes = recording.notes().join("\n");
    for expected in ["paced by event times", "a.jsonl.gz:2: ", "a.jsonl.gz:4: ", "!ticker@arr"] {
        assert!(notes.contains(expected), "{expected}: {notes}");
    }
    assert_eq!(recording.notes().len(), 3, "{notes}");
}

/// A kind of venue with lines `SYMBOL NUMBER`, heartbeats `beat` and no snapshots over REST.
#[derive(Debug)]
struct Words;

impl RecordedDialect for Words {
    fn stream_path(&self) -> &'static str {
        "/words"
    }

    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String> {
        if line == "beat" {
            return Ok(RecordedLine::LeftOut("heartbeats".into()));
        }
        let (symbol, _) = line.split_once(' ').ok_or("no two words")?;
        Ok(RecordedLine::Frame(RecordedFrame {
            stream: format!("all.{symbol}").into(),
            symbol: symbol.into(),
            kind: FrameKind::Depth,
            updates: None,
            data: line,
        }))
    }

    fn open(&self, _request: &HttpRequest) -> Option<Opening> {
        None
    }

    fn answer(
        &self,
        _session: &mut Session,
        _text: &str,
        _resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String> {
        None
    }
}

#[test]
fn what_a_line_is_the_kind_of_venue_says() {
    let dir = folder(&[("a.jsonl", "A/B 1\nbeat\nA/B 2\n"), ("b.jsonl", "A-C 1\n")]);
    let mut recording = Recording::empty(&Words);
    recording.read(&dir.path().join("a.jsonl")).unwrap();
    assert_eq!((recording.frames(), recording.streams()), (2, vec!["all.A/B".to_owned()]));
    assert_eq!(recording.left_out(), 1);
    let mut recording = Recording::empty(&Words);
    recording.read(dir.path()).unwrap();
    assert_eq!(recording.symbols(), ["A/B", "A-C"].map(RecordedSymbol::new));
}

#[test]
fn the_kind_of_venue_may_stand_in_the_folder() {
    let data = r#"{"u":1,"s":"ABCUSDT","b":"1.0","B":"1.0","a":"2.0","A":"1.0"}"#;
    let quote = format!(r#"{{"stream":"abcusdt@bookTicker","data":{data}}}"#);
    let dir = folder(&[("a.jsonl", &quote), ("venue.txt", "acme\n")]);
    for path in [dir.path().to_owned(), dir.path().join("a.jsonl")] {
        assert_eq!(Recording::kind_beside(&path).unwrap().as_deref(), Some("acme"));
        let error = VenueKind::recording(&path, None).unwrap_err().to_string();
        assert!(error.contains("acme is no kind of venue; there are binance, "), "{error}");
        let (kind, recording) = VenueKind::recording(&path, Some("binance")).unwrap();
        assert_eq!((kind.name, recording.frames()), ("binance", 1));
    }
    let dir = folder(&[("a.jsonl", "{\"x\":1}\n")]);
    let error = VenueKind::recording(dir.path(), None).unwrap_err().to_string();
    assert!(error.contains("is of no known kind of venue (binance, "), "{error}");
    assert!(error.contains(": a.jsonl:1: no frame "), "{error}");
}

#[test]
fn a_last_line_that_is_cut_off_is_left_out_with_a_note() {
    let text = format!("{TRADE}\n{TRADE}\n{}", &TRADE[..TRADE.len() - 5]);
    for times in ["1\n2\n", "1\n2\n3\n"] {
        let recording = load(&[("a.jsonl", &text), ("a.recv_ns.txt", times)]).unwrap();
        assert_eq!((recording.frames(), recording.left_out()), (2, 1));
        assert!(recording.notes()[0].contains("a.jsonl:3: the last line is cut off"));
    }
    let text = error(&[("a.jsonl", &text), ("a.recv_ns.txt", "1\n2\n3\n4\n")]);
    assert!(text.contains("4 times for 2 lines"), "{text}");
    // In the middle it is none that a killed recorder leaves.
    let text = error(&[("a.jsonl", &format!("{}\n{TRADE}\n", &TRADE[..TRADE.len() - 5]))]);
    assert!(text.contains("a.jsonl:1: "), "{text}");
}

#[test]
fn one_session_is_not_played_twice_and_gzip_is_known_by_its_bytes() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(format!("{TRADE}\n").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let dir = folder(&[("a.jsonl", TRADE)]);
    fs::write(dir.path().join("a.jsonl.gz"), &packed).unwrap();
    let text = loaded(dir.path()).unwrap_err().to_string();
    assert!(text.contains("a.jsonl.gz: the same frames lie packed and unpacked"), "{text}");
    let dir = folder(&[]);
    fs::write(dir.path().join("a.jsonl"), &packed).unwrap();
    assert_eq!(loaded(dir.path()).unwrap().frames(), 1);
    fs::write(dir.path().join("a.jsonl"), &packed[..packed.len() - 9]).unwrap();
    let text = loaded(dir.path()).unwrap_err().to_string();
    assert!(text.contains("a.jsonl: cannot be read: the gzip data is cut off"), "{text}");
}

#[test]
fn a_book_without_a_snapshot_and_a_snapshot_without_a_book_are_noted() {
    let text = format!("{}\n", diff("abcusdt", 7, 8));
    let index = r#"{"symbol":"abcusdt","recv_s":1.5,"file":"s.json"}"#;
    let files = [("ws.jsonl", text.as_str()), ("ws.recv_s.txt", "1\n"), ("s.json", &snapshot(7))];
    let notes =
        |more: &[(&str, &str)]| load(&[&files[..], more].concat()).unwrap().notes().join("\n");
    assert!(notes(&[]).contains("no snapshot of ABCUSDT: its book can't become live"));
    let of_another = notes(&[(REST_INDEX, index)]);
    assert!(of_another.contains("rest_index.jsonl:1: no frame is of abcusdt"), "{of_another}");
    assert!(of_another.contains("no snapshot of ABCUSDT"), "{of_another}");
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    assert!(error(&[]).contains("no recorded frames"));
    let text = error(&[("a.jsonl", "{\"x\":1}\n"), ("a.recv_ns.txt", "1\n")]);
    assert!(text.contains("a.jsonl:1: no frame"), "{text}");
    let text = error(&[("a.jsonl", TRADE), ("a.recv_ns.txt", "x\n")]);
    assert!(text.contains("a.recv_ns.txt:1: \"x\" is no time"), "{text}");
    let text = error(&[("a.jsonl", TRADE), ("a.recv_ns.txt", "1\n2\n")]);
    assert!(text.contains("2 times for 1 lines"), "{text}");
    let text = error(&[("a.jsonl", &format!("{TRADE}\n{{\"lastUpdateId\":7}}"))]);
    assert!(text.contains("a.jsonl:2: no snapshot"), "{text}");
    assert!(error(&[("a.jsonl.gz", "no gzip")]).contains("a.jsonl.gz: cannot be read"));
    let text = error(&[("a.jsonl", TRADE), ("instruments", "a file where a folder belongs")]);
    assert!(text.contains("instruments: cannot be read"), "{text}");
    let missing = loaded(Path::new("/nowhere")).unwrap_err();
    assert!(matches!(missing, RecordingError::Unreadable { .. }));
}
