//! One segment's file, read: the records that are whole, and why there are no more.
//!
//! A part of it is in memory at a time, however large it is.

use std::fmt;
use std::io::{self, Read};

use zerocopy::FromBytes;

use super::format::{
    FORMAT_VERSION, MAGIC, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RecordChecksum, RecordHeader,
    RecordKind, SEGMENT_HEADER_BYTES, SegmentHeader, record_crc,
};
use super::payload::Body;
use crate::world::PlainFile;

/// Bytes that are read at once. What a record needs is far less.
const PART_BYTES: usize = 256 << 10;

const _: () =
    assert!(PART_BYTES >= 4 * RECORD_BYTES_MAX && RECORD_BYTES_MAX > SEGMENT_HEADER_BYTES);

/// Why there are no more records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The file ends where a record ends.
    Filled,
    /// Only zeros follow: no more was written.
    Zeros,
    /// It was made and never used: there is no whole header, and nothing behind it.
    Unused,
    /// The file does not begin as a segment does.
    NotASegment,
    /// Another version of the format.
    Version(u16),
    /// The header does not have its checksum.
    Header,
    /// A record's length can't be one.
    Length(u32),
    /// The file ends within a record.
    CutShort,
    /// A record does not have its checksum: it was torn, or has rotted.
    Checksum,
    /// A record is whole, but its sequence is not the next one.
    Sequence {
        /// The next one.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The segment goes on where one has ended that is not there: number and file.
    Missing {
        /// Its number.
        number: u64,
    },
    /// No record begins here, and yet not only zeros follow.
    BytesBehindEnd,
}

impl StopReason {
    /// Whether a journal may end so without anything having gone wrong.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        matches!(self, StopReason::Filled | StopReason::Zeros | StopReason::Unused)
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Filled => f.write_str("the segment is full"),
            StopReason::Zeros => f.write_str("no more was written"),
            StopReason::Unused => f.write_str("it was never used"),
            StopReason::NotASegment => f.write_str("not a segment of a journal"),
            StopReason::Version(version) => {
                write!(f, "format version {version}; this program reads {FORMAT_VERSION}")
            }
            StopReason::Header => f.write_str("the segment's header is torn or has rotted"),
            StopReason::Length(len) => write!(f, "{len} is no record's length"),
            StopReason::CutShort => f.write_str("the file ends within a record"),
            StopReason::Checksum => f.write_str("a record is torn or has rotted (checksum)"),
            StopReason::Sequence { expected, found } => {
                write!(f, "record {found} stands where {expected} should")
            }
            StopReason::Missing { number } => {
                write!(f, "segment {number} before it is not there: its file was lost or removed")
            }
            StopReason::BytesBehindEnd => f.write_str("a torn record: bytes behind the end"),
        }
    }
}

/// A whole record.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Its number, without gaps over all segments.
    pub sequence: u64,
    /// When it was appended: wall time, ns since the Unix epoch.
    pub time_ns: i64,
    /// What it is; `None` for a kind of a later version.
    pub kind: Option<RecordKind>,
    /// Code of the kind.
    pub kind_code: u8,
    /// Version of the payload's layout.
    pub version: u8,
    /// Where it begins in its file.
    pub offset: usize,
    /// The payload.
    pub payload: &'a [u8],
}

impl RecordView<'_> {
    /// Bytes of the whole record.
    #[must_use]
    pub fn bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.payload.len().next_multiple_of(8)
    }

    /// The payload, when it is a `B` of the layout that is known here.
    #[must_use]
    pub fn body<B: Body>(&self) -> Option<B> {
        let is_it = self.kind == Some(B::KIND) && self.version == B::VERSION;
        if is_it { B::read_from_bytes(self.payload).ok() } else { None }
    }
}

/// Reads the records of one segment, in order.
#[derive(Debug)]
pub(super) struct SegmentReader {
    header: SegmentHeader,
    part: Part,
    checksum: RecordChecksum,
    next_sequence: u64,
    stop: Option<StopReason>,
}

/// What of the file is in memory.
#[derive(Debug)]
struct Part {
    file: PlainFile,
    /// Memory for a part: what was read is from its beginning to `end`.
    bytes: Box<[u8]>,
    end: usize,
    /// What lies before it in `bytes` was given.
    from: usize,
    /// Bytes of the file before `bytes`.
    before: usize,
    /// Nothing of the file is left behind `bytes`.
    is_last: bool,
}

impl Part {
    fn new(file: PlainFile) -> Part {
        let bytes = vec![0; PART_BYTES].into_boxed_slice();
        Part { file, bytes, end: 0, from: 0, before: 0, is_last: false }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.from..self.end]
    }

    fn offset(&self) -> usize {
        self.before + self.from
    }

    /// Has a whole record in memory, or all that is left.
    #[inline]
    fn fill(&mut self) -> io::Result<()> {
        if self.is_last || self.end - self.from >= RECORD_BYTES_MAX {
            return Ok(());
        }
        self.read_on()
    }

    #[cold]
    fn read_on(&mut self) -> io::Result<()> {
        self.bytes.copy_within(self.from..self.end, 0);
        (self.before, self.end) = (self.before + self.from, self.end - self.from);
        self.from = 0;
        while self.end < self.bytes.len() {
            match self.file.read(&mut self.bytes[self.end..]) {
                Ok(0) => {
                    self.is_last = true;
                    return Ok(());
                }
                Ok(more) => self.end += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether only zeros are left: in memory, and in the file behind it.
    fn is_zero(&self) -> io::Result<bool> {
        if !are_zeros(self.rest()) {
            return Ok(false);
        }
        let mut file = self.file.behind((self.before + self.end) as u64)?;
        let mut part = vec![0; PART_BYTES];
        loop {
            match file.read(&mut part) {
                Ok(0) => return Ok(true),
                Ok(read) if !are_zeros(&part[..read]) => return Ok(false),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Whether there is nothing but zeros. Many at a time: a segment that was just begun is 16 MiB of
/// them.
fn are_zeros(bytes: &[u8]) -> bool {
    bytes.chunks(4_096).all(|some| some.iter().fold(0, |all, byte| all | byte) == 0)
}

impl SegmentReader {
    /// Over a whole segment file; or why there is nothing to read.
    ///
    /// # Errors
    /// Of the file.
    pub(super) fn new(file: PlainFile) -> io::Result<Result<SegmentReader, StopReason>> {
        let mut part = Part::new(file);
        part.fill()?;
        let Ok((header, _)) = SegmentHeader::read_from_prefix(part.rest()) else {
            let is_unused = part.is_zero()?;
            return Ok(Err(if is_unused { StopReason::Unused } else { StopReason::CutShort }));
        };
        if header.magic != MAGIC || !header.is_whole() {
            // One that was killed while it wrote the header had nothing on record here.
            part.from = SEGMENT_HEADER_BYTES;
            return Ok(Err(match header.magic {
                _ if part.is_zero()? => StopReason::Unused,
                MAGIC => StopReason::Header,
                _ => StopReason::NotASegment,
            }));
        }
        // Its version is believed, since its checksum holds.
        if header.version != FORMAT_VERSION {
            return Ok(Err(StopReason::Version(header.version)));
        }
        part.from = SEGMENT_HEADER_BYTES;
        Ok(Ok(SegmentReader {
            header,
            part,
            checksum: RecordChecksum::default(),
            next_sequence: header.first_sequence,
            stop: None,
        }))
    }

    /// The segment's header.
    pub(super) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// The first byte behind the last record that was given.
    pub(super) fn offset(&self) -> usize {
        self.part.offset()
    }

    /// Why there are no more; `None` as long as there may be.
    pub(super) fn stop(&self) -> Option<StopReason> {
        self.stop
    }

    /// The next record; `None` where there are no more, and [`SegmentReader::stop`] says why.
    ///
    /// # Errors
    /// Of the file.
    #[inline]
    pub(super) fn next(&mut self) -> io::Result<Option<RecordView<'_>>> {
        if self.stop.is_some() {
            return Ok(None);
        }
        self.part.fill()?;
        let offset = self.part.offset();
        match read_record(self.part.rest(), self.next_sequence, &mut self.checksum) {
            Ok((header, len)) => {
                self.next_sequence += 1;
                let from = self.part.from + RECORD_HEADER_BYTES;
                self.part.from += len;
                let payload = &self.part.bytes[from..from + header.payload_bytes as usize];
                Ok(Some(RecordView {
                    sequence: header.sequence,
                    time_ns: header.time_ns,
                    kind: RecordKind::from_code(header.kind),
                    kind_code: header.kind,
                    version: header.version,
                    offset,
                    payload,
                }))
            }
            Err(reason) => {
                let reason = match reason {
                    StopReason::Zeros if !self.part.is_zero()? => StopReason::BytesBehindEnd,
                    reason => reason,
                };
                self.stop = Some(reason);
                Ok(None)
            }
        }
    }

    /// Whole records of later sequences behind the place where reading has stopped. A process that
    /// was killed leaves none: what it was writing was the last.
    ///
    /// # Errors
    /// Of the file.
    pub(super) fn records_behind(&self) -> io::Result<u64> {
        let mut part = Part::new(self.part.file.behind(self.offset() as u64)?);
        let (mut last, mut count) = (self.next_sequence, 0);
        loop {
            part.fill()?;
            if part.rest().is_empty() {
                return Ok(count);
            }
            match record_behind(part.rest(), last) {
                Some(header) => {
                    (part.from, last) = (part.from + header.len as usize, header.sequence);
                    count += 1;
                }
                None => part.from = (part.from + 8).min(part.end),
            }
        }
    }
}

/// A whole record of a later sequence at the beginning of these bytes.
fn record_behind(rest: &[u8], last: u64) -> Option<RecordHeader> {
    let (header, _) = RecordHeader::read_from_prefix(rest).ok()?;
    let record = rest.get(..header.len as usize)?;
    let is_length = header.len.is_multiple_of(8) && record.len() >= RECORD_HEADER_BYTES;
    let is_next = is_length && header.sequence > last;
    (is_next && record_crc(record) == header.crc).then_some(header)
}

/// The record at the beginning of these bytes, of which there are as many as the longest has, or
/// all that are left; and its length.
#[inline]
fn read_record(
    rest: &[u8],
    next_sequence: u64,
    checksum: &mut RecordChecksum,
) -> Result<(RecordHeader, usize), StopReason> {
    if rest.is_empty() {
        return Err(StopReason::Filled);
    }
    let Ok((header, _)) = RecordHeader::read_from_prefix(rest) else {
        return Err(if are_zeros(rest) { StopReason::Zeros } else { StopReason::CutShort });
    };
    if header.len == 0 {
        return Err(StopReason::Zeros);
    }
    let (len, payload_bytes) = (header.len as usize, header.payload_bytes as usize);
    if !len.is_multiple_of(8) || !(RECORD_HEADER_BYTES..=RECORD_BYTES_MAX).contains(&len) {
        return Err(StopReason::Length(header.len));
    }
    let Some(record) = rest.get(..len) else { return Err(StopReason::CutShort) };
    if checksum.of(record, header.len) != header.crc {
        return Err(StopReason::Checksum);
    }
    if header.sequence != next_sequence {
        return Err(StopReason::Sequence { expected: next_sequence, found: header.sequence });
    }
    if payload_bytes > len - RECORD_HEADER_BYTES {
        return Err(StopReason::Length(header.len));
    }
    Ok((header, len))
}
