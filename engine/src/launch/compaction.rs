//! Keeps the journal short: writes what closed segments come to into a checkpoint, and removes
//! those that no start needs any more.
//!
//! Done by housekeeping, a few records a look, with a fold of its own: nothing of the run is
//! touched. What fails is told, counted and tried again after a pause; trading goes on meanwhile.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::instrument::Instruments;
use crate::journal::{
    CheckpointBoard, CheckpointFacts, FolderRead, JournalError, JournalHealth, RecordView,
    SegmentHeader, SegmentReading, checkpoint_numbers, checkpoint_path, is_of_this_journal,
    newest_checkpoint, read_checkpoint, remove_unfinished, segment_begun_ns, segment_numbers,
    segment_path, write_checkpoint,
};
use crate::order::recovery::JournalFold;
use crate::runtime::Clock;
use crate::world::Files;

/// Records that are folded in a look, at most: some milliseconds of housekeeping.
const RECORDS_MAX: usize = 16_384;
/// The pause after a first failure, ns; doubled with each that follows, up to the other.
const PAUSE_NS: u64 = 10_000_000_000;
const PAUSE_NS_MAX: u64 = 600_000_000_000;

/// What a fold is made for.
#[derive(Clone)]
pub(super) struct FoldParts {
    pub(super) consumers: Vec<String>,
    pub(super) venues: Vec<String>,
    pub(super) instruments: Arc<Instruments>,
    pub(super) open_max: usize,
    pub(super) ids_max: Vec<usize>,
}

impl FoldParts {
    fn fold(&self) -> JournalFold {
        let FoldParts { consumers, venues, instruments, open_max, ids_max } = self;
        JournalFold::new(consumers, venues, instruments, *open_max, ids_max)
    }

    /// A fold that has taken up the newest checkpoint that can be, and its facts; an empty one
    /// where there is none.
    ///
    /// # Errors
    /// As those of [`newest_checkpoint`].
    pub(super) fn begin(
        &self,
        files: &Files,
        folder: &Path,
    ) -> Result<(JournalFold, Option<CheckpointFacts>), JournalError> {
        let mut fold = self.fold();
        let base = newest_checkpoint(files, folder, |body| {
            fold = self.fold();
            fold.restore(body).is_some()
        })?;
        Ok(if base.is_some() { (fold, base) } else { (self.fold(), None) })
    }
}

/// A checkpoint that is being made.
struct Folding {
    fold: JournalFold,
    read: FolderRead,
    /// The segment that is read.
    reading: Option<SegmentReading>,
    /// The segment that is read next, and the first that is not in it.
    next: u64,
    end: u64,
}

/// Writes checkpoints of one journal.
pub(super) struct Compactor {
    pub(super) files: Files,
    pub(super) folder: PathBuf,
    pub(super) parts: FoldParts,
    pub(super) health: JournalHealth,
    pub(super) clock: Clock,
    /// Segments between two checkpoints.
    pub(super) every: u64,
    /// Whether segments that no start needs are kept.
    pub(super) keeps_all: bool,
    /// Whether records are synced before they are acted on.
    syncs: bool,
    board: CheckpointBoard,
    /// Up to this segment, which is not in it, there is a checkpoint.
    done: u64,
    folding: Option<Box<Folding>>,
    /// There may be something to remove.
    removes: bool,
    /// Failures since something worked, and no try before this time, ns.
    failed: u32,
    not_before_ns: u64,
}

impl Compactor {
    /// One whose journal begins at this segment, or has a checkpoint up to it.
    pub(super) fn new(
        (files, folder): (Files, PathBuf),
        parts: FoldParts,
        (health, board): (JournalHealth, CheckpointBoard),
        clock: Clock,
        (begin, every): (u64, u64),
        (keeps_all, syncs): (bool, bool),
    ) -> Compactor {
        Compactor {
            files,
            folder,
            parts,
            health,
            clock,
            every,
            keeps_all,
            syncs,
            board,
            done: begin,
            folding: None,
            removes: false,
            failed: 0,
            not_before_ns: 0,
        }
    }

    /// Goes on with it, if there is anything to do.
    pub(super) fn poll(&mut self) {
        if self.clock.now_ns() < self.not_before_ns || self.health.failure().is_some() {
            return;
        }
        let present = self.health.segment();
        let (what, outcome) = if self.folding.is_some() {
            ("a checkpoint is not written", self.go_on())
        } else if present >= self.done.saturating_add(self.every) {
            ("a checkpoint is not written", self.begin(present))
        } else if self.removes {
            ("segments that no start needs are not removed", self.remove())
        } else {
            return;
        };
        match outcome {
            Ok(()) => {}
            Err(problem) => self.pause(&format!("{what}: {problem}")),
        }
    }

    /// Says why, and tries again later.
    fn pause(&mut self, problem: &str) {
        self.folding = None;
        let pause_ns = (PAUSE_NS << self.failed.min(10)).min(PAUSE_NS_MAX);
        self.not_before_ns = self.clock.now_ns() + pause_ns;
        if self.failed == 0 {
            log::warn!(
                "[journal] {problem}. It is tried again; until then a start reads the segments \
                 behind the last whole checkpoint"
            );
        }
        self.failed = self.failed.saturating_add(1);
        self.board.update(|figures| {
            figures.failures += 1;
            figures.problem = Some(problem.to_owned());
        });
    }

    /// Something worked.
    fn worked(&mut self) {
        if std::mem::take(&mut self.failed) > 0 {
            log::info!("[journal] checkpoints are written and kept again");
        }
        self.board.update(|figures| figures.problem = None);
    }

    fn begin(&mut self, end: u64) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        remove_unfinished(&self.files, &self.folder).map_err(text)?;
        let begun = self.parts.begin(&self.files, &self.folder);
        let (fold, base) = begun.map_err(|error| error.to_string())?;
        let segments = segment_numbers(&self.files, &self.folder);
        let segments = segments.map_err(|error| error.to_string())?;
        let from = base.map_or(0, |base| base.number);
        let first = segments.into_iter().find(|number| *number >= from);
        let next = first.ok_or("there is no segment")?;
        let read = FolderRead::behind(base);
        self.folding = Some(Box::new(Folding { fold, read, reading: None, next, end }));
        Ok(())
    }

    fn go_on(&mut self) -> Result<(), String> {
        let Some(folding) = &mut self.folding else { return Ok(()) };
        let Folding { fold, read, reading, next, end } = &mut **folding;
        if *next < *end {
            let (number, path) = (*next, segment_path(&self.folder, *next));
            // What an earlier start had made ready and not used was removed by the next one.
            if reading.is_none() && !self.files.is_there(&path) {
                *next += 1;
                return Ok(());
            }
            let begun = match reading.take() {
                Some(begun) => Ok(begun),
                None => SegmentReading::begin(&self.files, (number, path), read),
            };
            let mut begun = begun.map_err(|error| error.to_string())?;
            let visit = &mut |header: &SegmentHeader, record: &RecordView<'_>| {
                fold.take(header.epoch, record);
            };
            let is_read = begun.go_on(read, RECORDS_MAX, visit);
            if is_read.map_err(|error| error.to_string())? {
                *next += 1;
            } else {
                *reading = Some(begun);
            }
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), String> {
        // A checkpoint outlives the loss of power: it must not know more than the segments do then.
        let is_ahead = |of: &Folding| self.syncs && self.health.synced() < of.read.last_sequence;
        let Some(folding) = self.folding.take_if(|of| !is_ahead(of)) else { return Ok(()) };
        let Folding { fold, read, end, .. } = *folding;
        // A torn end of an earlier start is healed by the start that went on behind it.
        if let Some(stop) = read.stop.as_ref().filter(|_| !read.is_usable()) {
            return Err(stop.to_string());
        }
        let body = fold.checkpoint().map_err(|problems| problems.join("; "))?;
        let facts = CheckpointFacts {
            number: end,
            last_sequence: read.last_sequence,
            last_epoch: read.last_epoch,
            written_ns: self.clock.wall_ns(),
            next_begun_ns: segment_begun_ns(&self.files, &self.folder, end)
                .ok_or("the segment behind it has no header")?,
        };
        write_checkpoint(&self.files, &self.folder, facts, &body)
            .map_err(|error| format!("it can't be written: {error} (code: io)"))?;
        log::info!(
            "[journal] a checkpoint of {} bytes stands for the {} records before segment {}",
            body.len(),
            facts.last_sequence,
            facts.number
        );
        (self.done, self.removes) = (facts.number, !self.keeps_all);
        self.board.update(|figures| {
            figures.written += 1;
            figures.newest = facts.number;
        });
        self.worked();
        Ok(())
    }

    /// Removes what no start needs: two checkpoints stay, and the segments behind the older one, so
    /// that one that has rotted costs nothing.
    fn remove(&mut self) -> Result<(), String> {
        let numbers = checkpoint_numbers(&self.files, &self.folder);
        let numbers = numbers.map_err(|error| error.to_string())?;
        // One that no start can take up counts for nothing, nor does another journal's.
        let is_of_use = |number: &u64| *number <= self.done && self.is_of_use(*number);
        let kept = numbers.iter().copied().filter(is_of_use).nth(1).unwrap_or_default();
        let segments = segment_numbers(&self.files, &self.folder);
        let segments = segments.map_err(|error| error.to_string())?.into_iter();
        for number in segments.filter(|number| *number < kept) {
            self.take_away(segment_path(&self.folder, number))?;
            self.board.update(|figures| figures.removed += 1);
        }
        for number in numbers.into_iter().filter(|number| *number < kept) {
            self.take_away(checkpoint_path(&self.folder, number))?;
        }
        self.removes = false;
        self.worked();
        Ok(())
    }

    /// Whether a start can take up this checkpoint.
    fn is_of_use(&self, number: u64) -> bool {
        let content = read_checkpoint(&self.files, &self.folder, number).content;
        content.is_ok_and(|(facts, _)| is_of_this_journal(&self.files, &self.folder, facts))
    }

    /// Somebody else may have done it.
    fn take_away(&self, path: PathBuf) -> Result<(), String> {
        match self.files.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{}: {error} (code: io)", path.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{JournalFolder, JournalKeeper, JournalOptions, JournalWriter, RunStart};
    use crate::world::{FileConditions, ManualTime, VirtualFiles};

    /// A journal that is written to, and its compactor.
    struct Bench {
        disk: VirtualFiles,
        time: ManualTime,
        ends: (JournalWriter, JournalKeeper),
        compactor: Compactor,
        board: CheckpointBoard,
    }

    fn folder() -> &'static Path {
        Path::new("/journal")
    }

    impl Bench {
        /// One that makes a checkpoint every two segments, and keeps no more than are needed.
        fn new(syncs: bool) -> Bench {
            let disk = VirtualFiles::new(7, FileConditions::default());
            let files = Files::Virtual(disk.clone());
            let (clock, time) = Clock::manual(1);
            let opened = JournalFolder::open(&files, folder(), |_, _| ()).unwrap();
            let options = JournalOptions { segment_bytes: 16 << 10, ..JournalOptions::default() };
            let ends = opened.start(options, &clock).unwrap();
            let parts = FoldParts {
                consumers: vec!["maker".to_owned()],
                venues: vec!["venue".to_owned()],
                instruments: Instruments::of_test(1),
                open_max: 4,
                ids_max: vec![0],
            };
            let board = CheckpointBoard::default();
            let of = (ends.1.health().clone(), board.clone());
            let compactor = Compactor::new(
                (files, folder().to_owned()),
                parts,
                of,
                clock,
                (1, 2),
                (false, syncs),
            );
            let mut bench = Bench { disk, time, ends, compactor, board };
            bench.record();
            bench
        }

        fn record(&mut self) {
            let (writer, keeper) = &mut self.ends;
            keeper.make_room(writer).unwrap();
            writer.append(1, &RunStart::new(1, 1)).unwrap();
        }

        /// Fills so many segments.
        fn fill(&mut self, segments: u64) {
            let end = self.compactor.health.segment() + segments;
            while self.compactor.health.segment() < end {
                self.record();
            }
        }

        fn poll(&mut self, times: usize) -> crate::journal::CheckpointFigures {
            (0..times).for_each(|_| self.compactor.poll());
            self.board.read()
        }

        fn refuse(&self, refused_ppm: u32) {
            self.disk.set_conditions(FileConditions { refused_ppm, ..FileConditions::default() });
        }
    }

    #[test]
    fn what_fails_is_counted_told_and_tried_again_after_a_pause() {
        let mut bench = Bench::new(false);
        bench.fill(2);
        bench.refuse(1_000_000);
        let figures = bench.poll(20);
        assert_eq!((figures.written, figures.failures), (0, 1), "{figures:?}");
        assert!(figures.problem.as_deref().unwrap().contains("can't be written"), "{figures:?}");
        // Twice as long a pause with each.
        for (seconds, failures) in [(9, 1), (2, 2), (19, 2), (2, 3)] {
            bench.time.advance_ns(seconds * 1_000_000_000);
            assert_eq!(bench.poll(20).failures, failures);
        }
        bench.refuse(0);
        bench.time.advance_ns(PAUSE_NS_MAX);
        let figures = bench.poll(20);
        assert_eq!((figures.written, figures.failures), (1, 3));
        assert_eq!((figures.newest, figures.problem), (3, None), "it works again");
    }

    #[test]
    fn segments_that_could_not_be_removed_are_removed_later_and_checkpoints_go_on() {
        let mut bench = Bench::new(false);
        for _ in 0..3 {
            bench.fill(2);
            assert_eq!(bench.poll(1).removed, 0);
            let _ = bench.poll(3);
            bench.refuse(1_000_000);
            let _refused = bench.poll(20);
            bench.refuse(0);
        }
        let figures = bench.board.read();
        assert!(figures.failures > 0 && figures.removed == 0, "{figures:?}");
        bench.time.advance_ns(PAUSE_NS_MAX);
        let figures = bench.poll(40);
        assert_eq!((figures.written, figures.problem), (3, None));
        assert_eq!((figures.newest, figures.removed), (7, 4), "those before the second newest");
    }

    #[test]
    fn a_checkpoint_that_is_due_comes_before_what_is_to_be_removed() {
        let mut bench = Bench::new(false);
        for written in 1..5 {
            bench.fill(2);
            let figures = bench.poll(4);
            assert_eq!((figures.written, figures.removed), (written, 0), "{figures:?}");
        }
        assert!(bench.poll(40).removed > 0);
    }

    #[test]
    fn a_checkpoint_that_no_start_can_take_up_stands_for_no_segment() {
        let mut bench = Bench::new(false);
        for number in [400, 500] {
            let path = checkpoint_path(folder(), number);
            let mut file = bench.compactor.files.create_private(&path).unwrap();
            file.write_all(b"of a version before").unwrap();
        }
        bench.fill(2);
        assert_eq!((bench.poll(20).written, bench.poll(20).removed), (1, 0));
        let newest = checkpoint_path(folder(), 3);
        bench.compactor.files.create_private(&newest).unwrap().write_all(b"rotten").unwrap();
        bench.fill(2);
        let figures = bench.poll(40);
        assert_eq!((figures.written, figures.removed), (2, 0), "one of use, and none before it");
        bench.fill(2);
        let figures = bench.poll(40);
        assert_eq!((figures.written, figures.removed), (3, 4), "those before the second of use");
    }

    #[test]
    fn a_checkpoint_waits_for_the_disk_where_records_are_synced() {
        let mut bench = Bench::new(true);
        bench.fill(2);
        assert_eq!(bench.poll(20).written, 0, "nothing was synced");
        bench.compactor.health.set_synced(bench.ends.0.sequence());
        assert_eq!(bench.poll(20).written, 1);
    }
}
