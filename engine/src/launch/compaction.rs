//! Keeps the journal short: writes what closed segments come to into a checkpoint, and removes
//! those that no start needs any more.
//!
//! Done by housekeeping, one segment a look, with a fold of its own: nothing of the run is touched.
//! A checkpoint that can't be written is said once, and the segments stay; trading goes on.

use std::path::PathBuf;
use std::sync::Arc;

use crate::instrument::Instruments;
use crate::journal::{
    CheckpointFacts, FolderRead, JournalHealth, RecordView, SegmentHeader, checkpoint_numbers,
    checkpoint_path, needs_no_checkpoint, read_checkpoint, read_segment, segment_numbers,
    segment_path, write_checkpoint,
};
use crate::order::recovery::JournalFold;
use crate::runtime::Clock;
use crate::world::Files;

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
    pub(super) fn fold(&self) -> JournalFold {
        let FoldParts { consumers, venues, instruments, open_max, ids_max } = self;
        JournalFold::new(consumers, venues, instruments, *open_max, ids_max)
    }
}

/// A checkpoint that is being made.
struct Folding {
    fold: JournalFold,
    read: FolderRead,
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
    state: State,
}

enum State {
    /// Up to this segment, which is not in it, there is a checkpoint.
    Idle(u64),
    Folding(Box<Folding>),
    /// It did not work: no more in this run.
    GivenUp,
}

impl Compactor {
    /// One whose journal begins at this segment, or has a checkpoint up to it.
    pub(super) fn new(
        (files, folder): (Files, PathBuf),
        parts: FoldParts,
        health: JournalHealth,
        clock: Clock,
        (begin, every, keeps_all): (u64, u64, bool),
    ) -> Compactor {
        let state = State::Idle(begin);
        Compactor { files, folder, parts, health, clock, every, keeps_all, state }
    }

    /// Goes on with it, if there is anything to do; one segment at most.
    pub(super) fn look(&mut self) {
        let outcome = match &mut self.state {
            State::GivenUp => return,
            State::Idle(done) => {
                let (done, present) = (*done, self.health.segment());
                if present < done.saturating_add(self.every) || self.health.failure().is_some() {
                    return;
                }
                self.begin(present)
            }
            State::Folding(_) => self.go_on(),
        };
        if let Err(problem) = outcome {
            log::warn!(
                "[journal] no checkpoint is written and no segment removed any more in this run: \
                 {problem}. A start reads the segments behind the last whole checkpoint"
            );
            self.state = State::GivenUp;
        }
    }

    fn begin(&mut self, end: u64) -> Result<(), String> {
        let mut fold = self.parts.fold();
        let newest = checkpoint_numbers(&self.files, &self.folder);
        let newest = newest.map_err(|error| error.to_string())?.into_iter();
        let whole = newest
            .map(|number| read_checkpoint(&self.files, &self.folder, number).content)
            .find_map(Result::ok);
        let base = match whole {
            Some((facts, body)) => {
                fold.restore(&body).ok_or("the one before can't be taken up")?;
                Some(facts)
            }
            None => {
                let whole = needs_no_checkpoint(&self.files, &self.folder);
                whole.map_err(|error| error.to_string())?;
                None
            }
        };
        let segments = segment_numbers(&self.files, &self.folder);
        let segments = segments.map_err(|error| error.to_string())?;
        let from = base.map_or(0, |base| base.number);
        let first = segments.into_iter().find(|number| *number >= from);
        let next = first.ok_or("there is no segment")?;
        let read = FolderRead::behind(base);
        self.state = State::Folding(Box::new(Folding { fold, read, next, end }));
        Ok(())
    }

    fn go_on(&mut self) -> Result<(), String> {
        let State::Folding(folding) = &mut self.state else { return Ok(()) };
        let Folding { fold, read, next, end } = &mut **folding;
        if *next < *end {
            let number = *next;
            *next += 1;
            // What an earlier start had made ready and not used was removed by the next one.
            if !self.files.is_there(&segment_path(&self.folder, number)) {
                return Ok(());
            }
            let visit = |header: &SegmentHeader, record: &RecordView<'_>| {
                fold.take(header.epoch, record);
            };
            let taken = read_segment(&self.files, &self.folder, number, read, visit);
            return taken.map_err(|error| error.to_string());
        }
        // A torn end of an earlier start is healed by the start that went on behind it.
        if let Some(stop) = read.stop.as_ref().filter(|_| !read.is_usable()) {
            return Err(stop.to_string());
        }
        let body = fold.checkpoint().map_err(|problems| problems.join("; "))?;
        let facts = CheckpointFacts {
            number: *end,
            last_sequence: read.last_sequence,
            last_epoch: read.last_epoch,
            written_ns: self.clock.wall_ns(),
        };
        write_checkpoint(&self.files, &self.folder, facts, &body)
            .map_err(|error| format!("it can't be written: {error} (code: io)"))?;
        log::info!(
            "[journal] a checkpoint of {} bytes stands for the {} records before segment {}",
            body.len(),
            facts.last_sequence,
            facts.number
        );
        self.state = State::Idle(facts.number);
        if self.keeps_all { Ok(()) } else { self.remove() }
    }

    /// Removes what no start needs: two checkpoints stay, and the segments behind the older one, so
    /// that one that has rotted costs nothing.
    fn remove(&self) -> Result<(), String> {
        let io = |error: std::io::Error| error.to_string();
        let numbers = checkpoint_numbers(&self.files, &self.folder).map_err(io)?;
        let Some(kept) = numbers.get(1).copied() else { return Ok(()) };
        let segments = segment_numbers(&self.files, &self.folder);
        let segments = segments.map_err(|error| error.to_string())?.into_iter();
        for number in segments.filter(|number| *number < kept) {
            self.files.remove(&segment_path(&self.folder, number)).map_err(io)?;
        }
        for number in numbers.into_iter().skip(2) {
            self.files.remove(&checkpoint_path(&self.folder, number)).map_err(io)?;
        }
        Ok(())
    }
}
