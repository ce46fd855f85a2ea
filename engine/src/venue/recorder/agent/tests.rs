//! Recordings on a disk in memory: what is written can be read, and what is not is told.

use std::path::Path;

use super::*;
use crate::world::{FileConditions, VirtualFiles};

const FOLDER: &str = "/recordings";

fn recorder(files: &VirtualFiles, file_bytes_max: u64, bytes_max: u64) -> (Recorder, Tap) {
    let (clock, _time) = Clock::manual(1_000);
    let options = RecorderOptions { folder: FOLDER.into(), file_bytes_max, bytes_max };
    let mut recorder = Recorder::new(options, clock.clone(), Files::Virtual(files.clone()));
    let tap = recorder.tap("acme", "binance", "market", &clock).unwrap();
    (recorder, tap)
}

fn text(files: &VirtualFiles, name: &str) -> String {
    let path = Path::new(FOLDER).join("acme").join(name);
    let bytes = Files::Virtual(files.clone()).read(&path);
    String::from_utf8(bytes.unwrap_or_else(|error| panic!("{name}: {error}"))).unwrap()
}

fn close(recorder: Recorder) -> RecorderTotals {
    let totals = recorder.totals();
    Box::new(recorder).on_close();
    totals
}

#[test]
fn each_frame_is_a_line_with_its_time_beside_it() {
    let files = VirtualFiles::new(1, FileConditions::default());
    let (mut recorder, mut tap) = recorder(&files, 1 << 20, 1 << 30);
    let long = format!("[{}]", "7,".repeat(5_000));
    tap.note("connected", 1);
    tap.sent(br#"{"op":"subscribe"}"#, 2);
    tap.frame(b"{\"a\":\n1}", 3);
    recorder.duty_cycle();
    tap.frame(long.as_bytes(), 4);
    tap.snapshot("BTC\"X", b"{\"lastUpdateId\":5}", 5);
    let totals = close(recorder);
    assert_eq!(text(&files, "venue.txt"), "binance\n");
    assert_eq!(text(&files, "market.0001.jsonl"), format!("{{\"a\": 1}}\n{long}\n"));
    assert_eq!(text(&files, "market.0001.recv_ns.txt").lines().count(), 2);
    assert!(text(&files, "market.0001.sent.jsonl").contains(r#"{\"op\":\"subscribe\"}"#));
    assert!(text(&files, "market.notes.txt").ends_with(" connected\n"));
    assert_eq!(text(&files, "rest/000001.json"), "{\"lastUpdateId\":5}");
    let index: serde_json::Value = serde_json::from_str(&text(&files, "rest_index.jsonl")).unwrap();
    assert_eq!((&index["symbol"], &index["file"]), (&"BTC\"X".into(), &"rest/000001.json".into()));
    let [ours] = &totals.connections()[..] else { panic!("one connection") };
    assert_eq!((ours.frames, ours.sent, ours.snapshots, ours.lost), (2, 1, 1, 0));
    assert_eq!((ours.notes.len(), totals.end()), (1, None));
}

#[test]
fn a_file_that_is_large_enough_is_followed_by_the_next() {
    let files = VirtualFiles::new(1, FileConditions::default());
    let (recorder, mut tap) = recorder(&files, 100, 1 << 30);
    let frame = "x".repeat(60);
    (0..3).for_each(|n| tap.frame(frame.as_bytes(), n));
    assert_eq!(close(recorder).connections()[0].files, 3);
    for part in 1..=3 {
        assert_eq!(text(&files, &format!("market.000{part}.jsonl")), format!("{frame}\n"));
        assert_eq!(text(&files, &format!("market.000{part}.recv_ns.txt")).lines().count(), 1);
    }
}

#[test]
fn what_finds_no_room_in_the_lane_is_counted_as_lost() {
    let files = VirtualFiles::new(1, FileConditions::default());
    let (recorder, mut tap) = recorder(&files, 1 << 20, 1 << 30);
    (0..PIECES as u64 + 7).for_each(|n| tap.frame(b"1", n));
    let ours = close(recorder).connections().remove(0);
    assert_eq!((ours.frames, ours.lost), (PIECES as u64, 7));
}

#[test]
fn no_more_is_written_than_may_be_and_that_is_told() {
    let files = VirtualFiles::new(1, FileConditions::default());
    let (recorder, mut tap) = recorder(&files, 1 << 20, 2 << 20);
    let frame = "x".repeat(1 << 20);
    (0..4).for_each(|n| tap.frame(frame.as_bytes(), n));
    let totals = close(recorder);
    let ours = totals.connections().remove(0);
    assert_eq!(ours.frames, 1);
    assert!(ours.bytes < 2 << 20 && ours.lost >= 2, "{ours:?}");
    assert!(totals.end().unwrap().contains("2 MiB are full"));
}

#[test]
fn a_full_disk_ends_the_recording_and_is_told() {
    let files = VirtualFiles::new(1, FileConditions::default());
    let (recorder, mut tap) = recorder(&files, 1 << 20, 1 << 30);
    files.set_conditions(FileConditions { room_bytes: 0, ..FileConditions::default() });
    (0..3).for_each(|n| tap.frame(b"{}", n));
    let totals = close(recorder);
    assert!(totals.end().unwrap().contains("writing failed"), "{:?}", totals.end());
}

#[test]
fn a_folder_that_is_there_is_not_written_into() {
    let files = VirtualFiles::new(1, FileConditions::default());
    let (_first, _tap) = recorder(&files, 1, 1);
    let (clock, _time) = Clock::manual(0);
    let options = RecorderOptions { folder: FOLDER.into(), file_bytes_max: 1, bytes_max: 1 };
    let mut second = Recorder::new(options, clock.clone(), Files::Virtual(files.clone()));
    assert!(second.tap("acme", "binance", "market", &clock).is_err());
}
