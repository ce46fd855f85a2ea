use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use super::entry::{Kept, Tag};
use super::{Pen, Player, Step, Tape, TapeFolder, TapeReader, Writer, attach, detach};
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
    let (pen, mut drain) = Pen::with_drain(folder(&files), 2);
    let writer = Writer::new(pen);
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
    let (pen, _drain) = Pen::with_drain(folder(&files), 1_024);
    let (clock, time) = Clock::manual(0);
    let clock = clock.taped();
    attach(Tape::Recording(Writer::new(pen)));
    let allocations = crate::allocations_of(|| {
        for number in 0..100_000 {
            time.advance_ns(number % 300);
            super::cycle(number as usize % 12);
            let _now_ns = clock.now_ns();
        }
    });
    drop(detach());
    assert_eq!(allocations, 0);
}
