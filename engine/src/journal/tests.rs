//! What is written is read back, up to what was torn, and nothing that was not written.

use std::path::{Path, PathBuf};

use zerocopy::{FromZeros, IntoBytes};

use super::*;
use crate::runtime::{Agent, Clock};
use crate::world::{FileConditions, Files, VirtualFiles};

const SMALL: JournalOptions =
    JournalOptions { durability: Durability::Os, segment_bytes: 16 << 10 };
const SYNCED: JournalOptions = JournalOptions { durability: Durability::FsyncBatch, ..SMALL };

fn disk(conditions: FileConditions) -> (VirtualFiles, Files) {
    let disk = VirtualFiles::new(7, conditions);
    (disk.clone(), Files::Virtual(disk))
}

fn folder() -> &'static Path {
    Path::new("/run/journal")
}

fn open(files: &Files, options: JournalOptions) -> (JournalWriter, JournalKeeper) {
    let folder = JournalFolder::open(files, folder(), |_, _| ()).unwrap();
    folder.start(options, &Clock::manual(0).0).unwrap()
}

fn intent(id: u64) -> Intent {
    let mut intent = Intent::new_zeroed();
    (intent.client_order_id, intent.price, intent.qty) = (id, 100 + id as i64, 5);
    intent
}

/// All intents of a folder, and what else is to be said of it.
fn read(files: &Files) -> (Vec<Intent>, FolderRead) {
    let mut intents = Vec::new();
    let read = read_folder(files, folder(), |_, record| intents.extend(record.body::<Intent>()));
    (intents, read.unwrap())
}

fn files_of(files: &Files) -> Vec<PathBuf> {
    files.list(folder()).unwrap()
}

#[test]
fn what_is_appended_over_segments_and_starts_is_read_back_in_order() {
    let (_, files) = disk(FileConditions::default());
    let mut expected = Vec::new();
    for start in 0..3_u64 {
        let (mut writer, mut keeper) = open(&files, SMALL);
        assert_eq!(writer.epoch(), start + 1);
        for id in 0..500 {
            keeper.duty_cycle();
            assert!(writer.room() > 0);
            let body = intent(1_000 * start + id);
            assert_eq!(writer.append(id as i64, &body), Ok(expected.len() as u64 + 1));
            expected.push(body);
        }
        if start != 1 {
            keeper.finish(&writer.end());
        }
    }
    let (intents, read) = read(&files);
    assert_eq!(intents, expected);
    assert_eq!((read.records, read.last_sequence, read.last_epoch), (1_500, 1_500, 3));
    assert!(read.stop.is_none() && read.segments.len() > 9, "{}", read.segments.len());
    assert_eq!(read.segments.last().map(|facts| facts.stop), Some(StopReason::Filled));
}

#[test]
fn a_journal_cut_at_any_byte_gives_the_whole_records_before_the_cut() {
    // F23.
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, _keeper) = open(&files, SMALL);
    let mut ends = vec![SEGMENT_HEADER_BYTES];
    for id in 0..20 {
        writer.append(0, &intent(id)).unwrap();
        ends.push(writer.used_bytes());
    }
    let path = files_of(&files)[0].clone();
    let whole = files.read(&path).unwrap();
    let used = writer.used_bytes();
    for cut in 0..=used {
        // Once as a file that ends there, once as one that is allocated behind it.
        for len in [cut, whole.len()] {
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(len, 0);
            put(&disk, &path, &bytes);
            let (intents, read) = read(&files);
            // Zeros that were cut off and stand there again are as they were.
            let zeros = whole[cut..].iter().take_while(|byte| **byte == 0).count();
            let reach = if len > cut { cut + zeros } else { cut };
            let last = ends.iter().filter(|end| **end <= reach).max().copied().unwrap_or(0);
            let expected = ends.iter().position(|end| *end == last).unwrap_or(0);
            assert_eq!(intents.len(), expected, "cut at {cut}, {len} bytes");
            let has_no_header = reach < SEGMENT_HEADER_BYTES;
            let is_clean = has_no_header && len > cut
                || whole[last..cut.max(last)].iter().all(|byte| *byte == 0)
                    && (len > cut || cut == last);
            assert_eq!(read.stop.is_none(), is_clean, "cut at {cut}, {len} bytes");
            assert!(intents.iter().enumerate().all(|(id, seen)| *seen == intent(id as u64)));
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_never_gives_a_wrong_record() {
    // F23.
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, _keeper) = open(&files, SMALL);
    for id in 0..5 {
        writer.append(0, &intent(id)).unwrap();
    }
    let path = files_of(&files)[0].clone();
    let whole = files.read(&path).unwrap();
    let mut last_offset = 0;
    for bit in 0..8 * (writer.used_bytes() + 64) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        put(&disk, &path, &bytes);
        let (intents, read) = read(&files);
        assert!(intents.iter().enumerate().all(|(id, seen)| *seen == intent(id as u64)), "{bit}");
        let stop = read.stop.unwrap_or_else(|| panic!("bit {bit} is not missed"));
        assert!(stop.offset <= bit / 8 + 1, "bit {bit}: {stop}");
        assert!(stop.offset >= last_offset || stop.offset == 0);
        last_offset = stop.offset;
    }
}

fn put(disk: &VirtualFiles, path: &Path, bytes: &[u8]) {
    let files = Files::Virtual(disk.clone());
    files.create_private(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_torn_write_ends_the_journal_for_good_and_the_next_start_goes_on_behind_it() {
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, keeper) = open(&files, SMALL);
    for id in 0..3 {
        writer.append(0, &intent(id)).unwrap();
    }
    disk.set_conditions(FileConditions { torn_ppm: 1_000_000, ..FileConditions::default() });
    assert_eq!(writer.append(0, &intent(3)), Err(JournalFailure::Write));
    assert_eq!(disk.totals().torn, 1, "it happened");
    disk.set_conditions(FileConditions::default());
    assert_eq!(writer.append(0, &intent(4)), Err(JournalFailure::Write), "never tried again");
    assert_eq!(disk.totals().torn, 1);
    drop((writer, keeper));
    let (intents, _) = read(&files);
    assert_eq!(intents.len(), 3);
    let (mut writer, _keeper) = open(&files, SMALL);
    assert_eq!(writer.append(0, &intent(3)), Ok(4));
    let (intents, read) = read(&files);
    assert_eq!((intents.len(), read.stop.is_none()), (4, true), "{:?}", read.stop);
}

#[test]
fn a_start_that_was_killed_in_its_segments_header_is_no_damage() {
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, keeper) = open(&files, SMALL);
    writer.append(0, &intent(0)).unwrap();
    let torn_at = writer.used_bytes();
    writer.append(0, &intent(1)).unwrap();
    drop((writer, keeper));
    let first = files_of(&files)[0].clone();
    let mut bytes = files.read(&first).unwrap();
    bytes[torn_at + 40..].fill(0);
    put(&disk, &first, &bytes);
    let (mut writer, keeper) = open(&files, SMALL);
    writer.append(0, &intent(1)).unwrap();
    drop((writer, keeper));
    let second = files_of(&files)[1].clone();
    let whole = files.read(&second).unwrap();
    for cut in 0..SEGMENT_HEADER_BYTES {
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        put(&disk, &second, &bytes);
        let (intents, read) = read(&files);
        assert_eq!((intents.len(), read.unread), (1, 0), "cut at {cut}: {read:?}");
        assert!(JournalFolder::open(&files, folder(), |_, _| ()).is_ok(), "cut at {cut}");
    }
    // What has a record behind such a header was written whole once, and has rotted.
    let mut bytes = whole;
    bytes[3] ^= 1;
    put(&disk, &second, &bytes);
    let refused = JournalFolder::open(&files, folder(), |_, _| ());
    assert!(matches!(refused, Err(JournalError::Damaged(_))));
}

#[test]
fn rot_before_the_end_is_told_and_the_folder_not_used() {
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, mut keeper) = open(&files, SMALL);
    for id in 0..300 {
        keeper.duty_cycle();
        writer.append(0, &intent(id)).unwrap();
    }
    let path = files_of(&files)[0].clone();
    let mut bytes = files.read(&path).unwrap();
    bytes[1_000] ^= 4;
    put(&disk, &path, &bytes);
    let (intents, read) = read(&files);
    let stop = read.stop.clone().unwrap();
    assert_eq!((intents.len() as u64, stop.reason), (stop.last_sequence, StopReason::Checksum));
    assert!(read.unread > 0 && !read.is_usable());
    let refused = JournalFolder::open(&files, folder(), |_, _| ()).err().unwrap();
    assert!(matches!(refused, JournalError::Damaged(found) if found == stop));
}

#[test]
fn a_first_header_that_has_rotted_in_any_byte_hides_nothing() {
    let (disk, files) = disk(FileConditions::default());
    for id in 0..2 {
        let (mut writer, keeper) = open(&files, SMALL);
        writer.append(0, &intent(id)).unwrap();
        drop((writer, keeper));
    }
    let first = files_of(&files)[0].clone();
    let whole = files.read(&first).unwrap();
    for place in 0..SEGMENT_HEADER_BYTES {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        put(&disk, &first, &bytes);
        let opened = JournalFolder::open(&files, folder(), |_, _| ());
        assert!(matches!(opened, Err(JournalError::Damaged(_))), "byte {place}");
    }
}

#[test]
fn a_later_segment_that_was_on_the_disk_before_an_earlier_one_is_laid_aside() {
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, mut keeper) = open(&files, SYNCED);
    for id in 0..200 {
        keeper.duty_cycle();
        writer.append(0, &intent(id)).unwrap();
    }
    drop((writer, keeper));
    let path = files_of(&files)[0].clone();
    let mut bytes = files.read(&path).unwrap();
    bytes[10_000..10_100].fill(0);
    put(&disk, &path, &bytes);
    assert_eq!(read(&files).1.unread, 1, "it happened");
    let left = read(&files).0.len() as u64;
    let open_as = |durability| JournalFolder::open_as(durability, &files, folder(), |_, _| ());
    assert!(matches!(open_as(Durability::Os), Err(JournalError::Damaged(_))));
    let opened = open_as(Durability::FsyncBatch).unwrap();
    let (mut writer, _keeper) = opened.start(SYNCED, &Clock::manual(0).0).unwrap();
    assert_eq!(writer.append(0, &intent(7)), Ok(left + 1));
    let is_aside = |path: &&PathBuf| path.extension().is_some_and(|end| end == "not_synced");
    assert_eq!(files_of(&files).iter().filter(is_aside).count(), 1);
    let (intents, read) = read(&files);
    assert_eq!((intents.len() as u64, read.stop.is_none()), (left + 1, true), "{:?}", read.stop);
}

#[test]
fn what_a_killed_start_left_outlives_the_machine_once_it_was_taken_up() {
    for seed in 0..20 {
        let disk = VirtualFiles::new(seed, FileConditions::default());
        let files = Files::Virtual(disk.clone());
        let (mut writer, mut keeper) = open(&files, SYNCED);
        for id in 0..200 {
            keeper.duty_cycle();
            writer.append(0, &intent(id)).unwrap();
        }
        assert_eq!(writer.health().synced(), 0, "nothing was asked for");
        drop((writer, keeper));
        let (mut writer, mut keeper) = open(&files, SYNCED);
        writer.append(0, &intent(200)).unwrap();
        writer.request_sync();
        keeper.duty_cycle();
        drop((writer, keeper));
        disk.crash();
        let (intents, read) = read(&files);
        assert_eq!((intents.len(), read.stop.is_none()), (201, true), "seed {seed}: {read:?}");
    }
}

#[test]
fn whole_records_behind_a_rotten_one_are_counted_and_none_behind_a_torn_end() {
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, _keeper) = open(&files, SMALL);
    let mut ends = Vec::new();
    for id in 0..20 {
        writer.append(0, &intent(id)).unwrap();
        ends.push(writer.used_bytes());
    }
    let path = files_of(&files)[0].clone();
    let whole = files.read(&path).unwrap();
    for (rotten, end) in ends.iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[end - 20] ^= 1;
        put(&disk, &path, &bytes);
        let (intents, read) = read(&files);
        assert_eq!((intents.len(), read.records_behind), (rotten, 19 - rotten as u64));
        bytes[*end..].fill(0);
        put(&disk, &path, &bytes);
        assert_eq!(self::read(&files).1.records_behind, 0, "what was being written is the last");
    }
}

#[test]
fn a_full_disk_halts_before_a_record_has_no_place() {
    let room_bytes = 40 << 10;
    let (disk, files) = disk(FileConditions { room_bytes, ..FileConditions::default() });
    let (mut writer, mut keeper) = open(&files, SMALL);
    let mut id = 0;
    while writer.room() > 0 {
        keeper.duty_cycle();
        if writer.append(0, &intent(id)).is_err() {
            break;
        }
        id += 1;
    }
    assert!(disk.totals().full > 0, "it happened");
    assert_eq!(writer.health().failure(), Some(JournalFailure::NoSegment));
    assert_eq!(read(&files).0.len() as u64, id, "all that was said to be on record is");
    let full = disk.totals().full;
    keeper.duty_cycle();
    assert_eq!(disk.totals().full, full, "never tried again");
}

#[test]
fn a_failed_sync_is_never_tried_again_and_what_was_synced_outlasts_the_machine() {
    let (disk, files) = disk(FileConditions::default());
    let (mut writer, mut keeper) = open(&files, SYNCED);
    for id in 0..200 {
        keeper.duty_cycle();
        writer.append(0, &intent(id)).unwrap();
        if id % 10 == 0 {
            writer.request_sync();
        }
    }
    keeper.duty_cycle();
    let synced = writer.health().synced();
    assert_eq!(synced, 191);
    disk.set_conditions(FileConditions { sync_ppm: 1_000_000, ..FileConditions::default() });
    writer.request_sync();
    keeper.duty_cycle();
    keeper.duty_cycle();
    assert_eq!((disk.totals().sync_failed, writer.health().synced()), (1, synced));
    assert_eq!(writer.health().failure(), Some(JournalFailure::Sync));
    assert_eq!(writer.append(0, &intent(200)), Err(JournalFailure::Sync));
    drop((writer, keeper));
    disk.crash();
    assert!(disk.totals().lost_bytes > 0, "it happened");
    let (intents, read) = read(&files);
    assert!(intents.len() as u64 >= synced, "{} of {synced}", intents.len());
    assert!(intents.iter().enumerate().all(|(id, seen)| *seen == intent(id as u64)));
    assert!(read.is_usable());
}

#[test]
fn appending_allocates_nothing() {
    let (mut writer, _keeper) = {
        let dir = tempfile::tempdir().unwrap();
        let folder = JournalFolder::open(&Files::Real, dir.path(), |_, _| ()).unwrap();
        folder.start(SMALL, &Clock::manual(0).0).unwrap()
    };
    writer.append(0, &intent(0)).unwrap();
    let body = ReportRecord::new_zeroed();
    let allocations = crate::allocations_of(|| {
        for id in 0..20 {
            writer.append(0, &intent(id)).unwrap();
            writer.append(0, &body).unwrap();
        }
    });
    assert_eq!(allocations, 0);
}

#[test]
fn a_real_folder_is_locked_allocated_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let start = || JournalFolder::open(&Files::Real, dir.path(), |_, _| ());
    let (mut writer, mut keeper) = start().unwrap().start(SYNCED, &Clock::manual(0).0).unwrap();
    let refused = start().err().expect("it is held");
    let holder = Some(std::process::id());
    assert!(matches!(refused, JournalError::Locked { holder: of, .. } if of == holder));
    let told = format!("belongs to a running engine, process {}:", std::process::id());
    assert!(refused.to_string().contains(&told), "{refused}");
    for id in 0..400 {
        keeper.duty_cycle();
        assert!(writer.room() > 0);
        writer.append(0, &intent(id)).unwrap();
    }
    let path = dir.path().join("000000000001.journal");
    let blocks = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(path).unwrap());
    assert!(blocks * 512 >= SYNCED.segment_bytes as u64, "it is not sparse: {blocks} blocks");
    writer.request_sync();
    keeper.duty_cycle();
    assert_eq!(writer.health().synced(), 400);
    keeper.finish(&writer.end());
    drop(keeper);
    let mut bytes = 0;
    let read = read_folder(&Files::Real, dir.path(), |_, record| {
        bytes += record.payload.as_bytes().len();
    });
    let read = read.unwrap();
    assert_eq!((read.records, bytes), (400, 400 * size_of::<Intent>()));
    let last = read.segments.last().unwrap();
    assert_eq!((last.stop, last.bytes), (StopReason::Filled, last.used_bytes), "cut to its end");
    start().unwrap();
}

#[test]
fn names_keep_their_beginning_and_stay_text() {
    let long = "é".repeat(40);
    let named = Named::new(NameTable::Venue, 3, &long);
    assert_eq!((named.text(), named.number), ("é".repeat(32).as_str(), 3));
    for kind in RecordKind::ALL {
        assert_eq!(RecordKind::from_code(kind as u8), Some(kind));
    }
}

/// Writes so many intents as one start, and ends it in order.
fn written(files: &Files, ids: std::ops::Range<u64>) {
    let (mut writer, mut keeper) = open(files, SMALL);
    for id in ids {
        keeper.duty_cycle();
        writer.append(1, &intent(id)).unwrap();
    }
    keeper.finish(&writer.end());
}

#[test]
fn a_segment_that_was_copied_in_is_no_torn_end() {
    let (_, files) = disk(FileConditions::default());
    let (_, other) = disk(FileConditions::default());
    written(&files, 0..20);
    written(&other, 0..3);
    let first = files_of(&files)[0].clone();
    for (what, from) in [("another journal's", &other), ("its own first", &files)] {
        let copied = folder().join("000000000002.journal");
        let bytes = from.read(&first).unwrap();
        files.create_private(&copied).unwrap().write_all(&bytes).unwrap();
        for durability in [Durability::Os, Durability::FsyncBatch] {
            let opened = JournalFolder::open_as(durability, &files, folder(), |_, _| ());
            let refused = opened.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains("record 1 stands where 21 should"), "{what}: {refused}");
        }
        files.remove(&copied).unwrap();
        assert!(JournalFolder::open(&files, folder(), |_, _| ()).is_ok());
    }
}

#[test]
fn a_checkpoint_of_another_journal_is_passed_over() {
    let (_, files) = disk(FileConditions::default());
    written(&files, 0..20);
    let begun_ns = segment_begun_ns(&files, folder(), 1).unwrap();
    let taken = |next_begun_ns| {
        let facts = CheckpointFacts { number: 1, next_begun_ns, ..CheckpointFacts::default() };
        write_checkpoint(&files, folder(), facts, b"all").unwrap();
        newest_checkpoint(&files, folder(), |_| true).unwrap().is_some()
    };
    assert!(taken(begun_ns));
    assert!(!taken(begun_ns + 1));
}

/// A file that was removed, or lost by whoever copied the folder, is no loss of power: nothing
/// behind it may be laid aside.
#[test]
fn a_segment_that_is_not_there_is_told_as_lost_and_nothing_goes_on_without_it() {
    for (starts, gone) in [(1, 2), (2, 1), (2, 2)] {
        let (_, files) = disk(FileConditions::default());
        for start in 0..starts {
            let opened =
                JournalFolder::open_as(Durability::FsyncBatch, &files, folder(), |_, _| ());
            let (mut writer, mut keeper) =
                opened.unwrap().start(SYNCED, &Clock::manual(0).0).unwrap();
            // Of one start three segments, of two starts two each.
            for id in 0..(if starts == 1 { 350 } else { 200 }) {
                keeper.duty_cycle();
                writer.append(start, &intent(id)).unwrap();
            }
            keeper.finish(&writer.end());
        }
        let path = folder().join(format!("{gone:012}.journal"));
        files.remove(&path).unwrap();
        let before = files_of(&files);
        let (_, read) = read(&files);
        let reason = read.stop.clone().map(|stop| stop.reason);
        if gone > 1 {
            assert_eq!(reason, Some(StopReason::Missing { number: gone }), "{read:?}");
        }
        for durability in [Durability::Os, Durability::FsyncBatch] {
            let opened = JournalFolder::open_as(durability, &files, folder(), |_, _| ());
            let Err(refused) = opened.map(|_| ()) else {
                assert_eq!(gone, 1, "a first one is missed by its number alone");
                continue;
            };
            let told =
                format!("segment {gone} before it is not there: its file was lost or removed");
            assert!(refused.to_string().contains(&told), "{refused}");
        }
        assert_eq!(files_of(&files), before, "nothing was laid aside");
    }
}

#[test]
fn what_no_checkpoint_that_is_there_can_stand_for_is_said_with_the_reason_of_each() {
    let (_, files) = disk(FileConditions::default());
    written(&files, 0..300);
    let first = folder().join("000000000001.journal");
    let all = files.read(&first).unwrap();
    files.remove(&first).unwrap();
    let refused = || newest_checkpoint(&files, folder(), |_| false).unwrap_err().to_string();
    let none = refused();
    assert!(none.contains("can be taken up (there is none)"), "{none}");
    let begun_ns = segment_begun_ns(&files, folder(), 2).unwrap();
    let facts = CheckpointFacts { number: 2, next_begun_ns: begun_ns, ..Default::default() };
    write_checkpoint(&files, folder(), facts, b"what all before comes to").unwrap();
    assert!(refused().contains("not one that this engine can take up"), "{}", refused());
    let path = folder().join("000000000002.checkpoint");
    let whole = files.read(&path).unwrap();
    for (format, told) in [(1_u16, "of an older version"), (9, "of a later version")] {
        // An older one had a shorter header, too.
        let mut bytes = whole[..whole.len() - 8].to_vec();
        bytes[8..10].copy_from_slice(&format.to_le_bytes());
        bytes[12..16].fill(0);
        let crc = crc32fast::hash(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        files.create_private(&path).unwrap().write_all(&bytes).unwrap();
        let refused = refused();
        assert!(refused.contains(told) && refused.contains("000000000002.checkpoint"), "{refused}");
    }
    files.create_private(&first).unwrap().write_all(&all).unwrap();
    assert!(matches!(newest_checkpoint(&files, folder(), |_| false), Ok(None)), "all is there");
}

#[test]
fn times_on_record_never_go_back_where_the_clock_does() {
    let (_, files) = disk(FileConditions::default());
    for times in [[5_000, 6_000, 5_500], [10, 20, 7_000], [1, 2, 3]] {
        let (mut writer, mut keeper) = open(&files, SMALL);
        for (id, time_ns) in times.into_iter().enumerate() {
            writer.append(time_ns, &intent(id as u64)).unwrap();
        }
        keeper.finish(&writer.end());
    }
    let mut told = Vec::new();
    let read = read_folder(&files, folder(), |_, record| told.push(record.time_ns)).unwrap();
    assert_eq!(told, [5_000, 6_000, 6_000, 6_000, 6_000, 7_000, 7_000, 7_000, 7_000]);
    assert_eq!(read.last_time_ns, 7_000);
}
