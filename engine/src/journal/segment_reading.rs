//! One segment more of a folder, read in parts.

use std::path::PathBuf;

use super::folder_read::{FolderRead, SegmentFacts};
use super::format::SegmentHeader;
use super::journal_error::JournalError;
use super::reader::{RecordView, SegmentReader, StopReason};
use crate::world::Files;

/// A segment that is being read.
#[derive(Debug)]
pub(crate) struct SegmentReading {
    facts: SegmentFacts,
    /// `None` where nothing of it is a record of this journal.
    reader: Option<SegmentReader>,
}

impl SegmentReading {
    /// Opens the next segment behind what was read of its folder.
    ///
    /// # Errors
    /// [`JournalError::File`] for what can't be read at all.
    pub(crate) fn begin(
        files: &Files,
        (number, path): (u64, PathBuf),
        read: &mut FolderRead,
    ) -> Result<SegmentReading, JournalError> {
        let opened = files.open(&path).and_then(|file| {
            let bytes = file.len()?;
            SegmentReader::new(file).map(|reader| (bytes, reader))
        });
        let of_file = |source| JournalError::File { path: path.clone(), source };
        let (bytes, opened) = opened.map_err(of_file)?;
        let (reader, header, mut stop) = match opened {
            Ok(reader) => {
                let header = *reader.header();
                (Some(reader), Some(header), StopReason::Unused)
            }
            Err(reason) => (None, None, reason),
        };
        let next_number = read.next_number();
        read.last_number = number;
        let is_next = header.is_some_and(|header| read.goes_on_with(&header));
        if let Some(header) = header.filter(|_| !is_next) {
            let (expected, found) = (read.last_sequence + 1, header.first_sequence);
            // A loss of power takes what is in a file, and not the file: its name was synced
            // before anything was written to it.
            stop = match number > next_number && found > expected {
                true => StopReason::Missing { number: next_number },
                false => StopReason::Sequence { expected, found },
            };
        }
        let facts = SegmentFacts {
            number,
            path,
            bytes: bytes as usize,
            used_bytes: 0,
            header,
            records: 0,
            times_ns: None,
            stop,
            is_healed: false,
        };
        Ok(SegmentReading { facts, reader: reader.filter(|_| is_next) })
    }

    /// Hands on the next `most` records; whether the segment has no more.
    ///
    /// # Errors
    /// As those of [`SegmentReading::begin`].
    pub(crate) fn go_on(
        &mut self,
        read: &mut FolderRead,
        most: usize,
        visit: &mut impl FnMut(&SegmentHeader, &RecordView<'_>),
    ) -> Result<bool, JournalError> {
        let SegmentReading { facts, reader } = self;
        let of_file = |source| JournalError::File { path: facts.path.clone(), source };
        let Some(reader) = reader else {
            read.end(facts.clone(), 0);
            return Ok(true);
        };
        let header = *reader.header();
        for _ in 0..most {
            let Some(record) = reader.next().map_err(of_file)? else { break };
            let first_ns = facts.times_ns.map_or(record.time_ns, |times| times.0);
            facts.times_ns = Some((first_ns, record.time_ns));
            facts.records += 1;
            read.records += 1;
            read.last_sequence = record.sequence;
            read.last_time_ns = read.last_time_ns.max(record.time_ns);
            visit(&header, &record);
        }
        let Some(stop) = reader.stop() else { return Ok(false) };
        read.last_epoch = header.epoch;
        (facts.used_bytes, facts.stop) = (reader.offset(), stop);
        let behind = if stop.is_clean() { 0 } else { reader.records_behind().map_err(of_file)? };
        read.end(facts.clone(), behind);
        Ok(true)
    }
}
