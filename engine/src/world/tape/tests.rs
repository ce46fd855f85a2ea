use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use super::entry::{Kept, Tag};
use super::files::remove_record;
use super::{
    CallNote, Happening, Malformed, Observer, Pen, Player, Step, Tape, TapeError, TapeFolder,
    TapeReader, Writer, attach, detach,
};
use crate::world::{Clock, FileConditions, Files, VirtualFiles};

const FOLDER: &str = "/record";

fn disk() -> Files {
    Files::Virtual(VirtualFiles::new(1, FileConditions::default()))
}

fn folder(files: &Files) -> TapeFolder {
    TapeFolder::create(files, Path::new(FOLDER), u64::MAX).unwrap()
}

fn player(files: &Files) -> Player {
    Player::new(TapeReader::open(files, Path::new(FOLDER)).unwrap(), |_| ())
}

#[test]
fn what_is_noted_comes_back_as_it_was_over_blocks_and_errors_with_it() {
    let files = disk();
    let mut writer = Writer::new(Pen::to_folder(folder(&files)));
    writer.head("{}");
    let long = vec![7; 100_000];
    writer.file(Path::new("/a/file"), &long);
    let addresses: Vec<SocketAddr> =
        ["10.1.2.3:4".parse().unwrap(), "[::1]:65535".parse().unwrap()].into();
    let results: [io::Result<Option<Vec<SocketAddr>>>; 5] = [
        Ok(Some(addresses.clone())),
        Ok(None),
        Err(ErrorKind::WouldBlock.into()),
        Err(io::Error::from_raw_os_error(104)),
        Err(io::Error::new(ErrorKind::InvalidData, "told")),
    ];
    for result in &results {
        writer.tag(Tag::Lookup);
        result.put(&mut writer.pen);
    }
    for ns in [5, 5, 1 << 40, u64::MAX] {
        writer.clock(ns);
    }
    writer.end();
    drop(writer);

    let mut player = player(&files);
    assert_eq!(player.head().as_deref(), Some("{}"));
    assert_eq!(player.files(), [(Path::new("/a/file").to_owned(), long)]);
    for result in &results {
        let kept: io::Result<Option<Vec<SocketAddr>>> = player.kept(Tag::Lookup).unwrap();
        let told = |of: &io::Result<Option<Vec<SocketAddr>>>| match of {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{:?} {:?} {error}", error.kind(), error.raw_os_error()),
        };
        let is_bare = matches!(result, Err(error) if error.kind() == ErrorKind::WouldBlock);
        assert!(told(&kept) == told(result) || is_bare, "{kept:?} for {result:?}");
    }
    for ns in [5, 5, 1 << 40, u64::MAX] {
        assert_eq!(player.clock(), ns);
    }
    assert!(matches!(player.next_step(), Step::End(_)));
}

#[test]
fn a_full_ring_ends_the_record_and_is_said_and_the_clock_goes_on() {
    let files = disk();
    let mut writer = Writer::new(Pen::to_folder(folder(&files)));
    let mut drain = writer.through_ring(2).unwrap();
    assert!(writer.through_ring(2).is_none());
    let state = writer.state();
    let (clock, time) = Clock::manual(0);
    let clock = clock.taped();
    attach(Tape::Recording(writer));
    let mut passed_ns = 0;
    while state.ended_early().is_none() {
        time.advance_ns(1_000);
        passed_ns += 1_000;
        assert_eq!(clock.now_ns(), passed_ns);
        assert!(passed_ns < 1_000_000_000, "it never is full");
    }
    assert!(state.ended_early().is_some_and(|why| why.contains("ring")));
    time.advance_ns(1);
    assert_eq!(clock.now_ns(), passed_ns + 1);
    drop(detach());
    drain.drain();
    assert!(drain.is_over());
    let (mut player, mut last_ns) = (player(&files), 0);
    loop {
        let now_ns = player.clock();
        if now_ns == last_ns {
            break;
        }
        last_ns = now_ns;
    }
    assert!(last_ns > 0 && last_ns < passed_ns, "{last_ns} of {passed_ns}");
    assert_eq!(player.next_step(), Step::Over);
}

#[test]
fn what_is_noted_allocates_nothing() {
    let files = disk();
    let mut writer = Writer::new(Pen::to_folder(folder(&files)));
    let _drain = writer.through_ring(1_024).unwrap();
    let (clock, time) = Clock::manual(0);
    let clock = clock.taped();
    attach(Tape::Recording(writer));
    let allocations = crate::allocations_of(|| {
        for number in 0..100_000 {
            time.advance_ns(number % 300);
            super::cycle(number as usize % 12);
            let _ = clock.now_ns();
        }
    });
    drop(detach());
    assert_eq!(allocations, 0);
}

#[test]
fn what_is_read_at_the_start_may_be_more_than_a_ring_holds_and_the_last_is_kept_without_an_end() {
    let files = disk();
    let mut writer = Writer::new(Pen::to_folder(folder(&files)));
    let long = vec![7; 3 << 20];
    writer.head("{}");
    writer.file(Path::new("/a/journal"), &long);
    let mut drain = writer.through_ring(2).unwrap();
    writer.clock(5);
    assert_eq!(writer.state().ended_early(), None);
    drop(writer);
    drain.drain();
    assert!(drain.is_over());
    let mut player = player(&files);
    assert_eq!(player.head().as_deref(), Some("{}"));
    assert_eq!(player.files(), [(Path::new("/a/journal").to_owned(), long)]);
    assert_eq!((player.clock(), player.next_step()), (5, Step::Over));
}

/// A record of a reading of the clock, in a block of its own, and of these bytes.
fn with_bytes(bytes: &[u8]) -> Player {
    let files = disk();
    let mut writer = Writer::new(Pen::to_folder(folder(&files)));
    writer.clock(5);
    writer.flush();
    writer.clock(6);
    writer.pen.bytes(bytes);
    drop(writer);
    let mut player = player(&files);
    assert_eq!((player.clock(), player.clock()), (5, 6));
    player
}

#[test]
fn an_entry_that_can_t_be_read_is_named_with_its_file_and_its_byte() {
    // Heads of the part and of two blocks, and two bytes of each reading of the clock.
    let offset = 16 + 2 * 12 + 2 * 2;
    let number = [0xFF; 11];
    let of = |tag: Tag, rest: &[u8]| [&[tag as u8], rest].concat();
    for bytes in [
        vec![200],
        of(Tag::Cycle, &number),
        of(Tag::Operate, &[1, 0xFF]),
        of(Tag::Operate, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
        // One byte more than the longest file has, and an entry below the count of former bounds.
        of(Tag::Operate, &[0x81, 0x80, 0x80, 0x80, 0x04]),
        of(Tag::Operate, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
        of(Tag::End, &number),
    ] {
        let mut player = with_bytes(&[&bytes[..], &[0; 20]].concat());
        let Step::Malformed(malformed) = player.next_step() else { panic!("{bytes:?}") };
        let Malformed { path, offset: at, .. } = &malformed;
        assert_eq!((path.as_path(), *at), (Path::new("/record/tape-000000"), offset), "{bytes:?}");
        assert_eq!(player.next_step(), Step::Malformed(malformed));
    }
    let mut player = with_bytes(&of(Tag::Clock, &number));
    assert_eq!(player.clock(), 6);
    assert!(matches!(player.next_step(), Step::Malformed(of) if of.offset == offset));
    let mut player = with_bytes(&[200]);
    assert_eq!(player.kept::<bool>(Tag::Lookup), None);
    assert!(matches!(player.next_step(), Step::Malformed(of) if of.offset == offset));
    // What is cut off is not malformed.
    assert_eq!(with_bytes(&of(Tag::Operate, &[9, b'{'])).next_step(), Step::Over);
}

#[test]
fn counts_of_bytes_that_are_absurd_are_a_difference() {
    for (taken, left) in [(u64::MAX, 5), (5, u64::MAX), (9, 0), (0, 0)] {
        let files = disk();
        let mut writer = Writer::new(Pen::to_folder(folder(&files)));
        writer.tag(Tag::Write);
        [0, 0, taken, left].into_iter().for_each(|number| writer.pen.number(number));
        writer.pen.bytes(&[0; 4]);
        drop(writer);
        let mut player = player(&files);
        let _number = player.places.add("127.0.0.1:1".parse().unwrap());
        assert!(player.wrote(0, b"abcd").is_none());
        let Step::Differs(difference) = player.next_step() else { panic!("{taken} {left}") };
        assert!(difference.what.contains("other bytes"), "{difference}");
    }
}

#[test]
fn a_part_whose_head_was_never_written_ends_the_record_and_one_in_the_middle_is_damage() {
    for len in [0, 9] {
        let files = disk();
        let mut writer = Writer::new(Pen::to_folder(folder(&files)));
        writer.clock(5);
        drop(writer);
        let head = *b"PITTAPE\0\x01\0\0\0\x01\0\0\0";
        let mut part = files.create_private(Path::new("/record/tape-000001")).unwrap();
        part.write_all(&head[..len]).unwrap();
        let mut player = player(&files);
        assert_eq!((player.clock(), player.next_step()), (5, Step::Over));
        drop(files.create_private(Path::new("/record/tape-000002")).unwrap());
        let opened = TapeReader::open(&files, Path::new(FOLDER));
        assert!(matches!(opened, Err(TapeError::Damaged { .. })), "{opened:?}");
    }
}

#[test]
fn a_part_that_is_missing_before_a_later_one_is_damage() {
    for (first_bytes, later) in [(&[][..], 2), (&[1, 2, 3][..], 9)] {
        let files = disk();
        let mut writer = Writer::new(Pen::to_folder(folder(&files)));
        writer.clock(5);
        drop(writer);
        let first = Path::new("/record/tape-000000");
        files.append_private(first).unwrap().write_all(first_bytes).unwrap();
        assert!(TapeReader::open(&files, Path::new(FOLDER)).is_ok());
        let path = format!("/record/tape-{later:06}");
        drop(files.create_private(Path::new(&path)).unwrap());
        let error = TapeReader::open(&files, Path::new(FOLDER)).unwrap_err().to_string();
        assert!(error.contains("code: damaged"), "{error}");
        // A whole first part, and none behind it: the next one is named.
        assert_eq!(error.contains("tape-000001 is missing"), first_bytes.is_empty(), "{error}");
    }
}

#[test]
fn a_record_of_a_start_that_was_refused_is_gone_and_what_else_lies_there_stays() {
    let files = disk();
    drop(folder(&files));
    remove_record(&files, Path::new(FOLDER));
    drop(folder(&files));
    let other = Path::new("/record/other");
    drop(files.create_private(other).unwrap());
    remove_record(&files, Path::new(FOLDER));
    assert_eq!(files.list(Path::new(FOLDER)).unwrap(), [other]);
}

/// Ends a replay before its first callback.
struct Stops;

impl Observer for Stops {
    fn sees(&mut self, _at_ns: u64, happening: &Happening<'_>) -> bool {
        !matches!(happening, Happening::Call(_))
    }
}

#[test]
fn what_an_agent_does_behind_the_stop_of_an_observer_is_no_difference_and_before_it_is_one() {
    let note =
        CallNote { consumer: 0, name: "on_quote", hash: 7, trace_id: 1, sequence: 1, event: &[] };
    for is_other_before in [false, true] {
        let files = disk();
        let mut writer = Writer::new(Pen::to_folder(folder(&files)));
        writer.clock(5);
        writer.call(&note);
        writer.call(&note);
        drop(writer);
        let mut player = player(&files);
        player.observe(Box::new(Stops));
        assert_eq!(player.clock(), 5);
        if is_other_before {
            assert_eq!(player.kept::<bool>(Tag::Lookup), None);
        }
        assert!(!player.call(&note));
        let _clock = player.clock();
        match player.next_step() {
            Step::Differs(difference) => assert!(is_other_before, "{difference}"),
            step => assert_eq!((step, is_other_before), (Step::Halted, false)),
        }
    }
}
