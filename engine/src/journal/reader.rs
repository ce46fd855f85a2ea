//! One segment's bytes, read: the records that are whole, and why there are no more.

use std::fmt;

use zerocopy::FromBytes;

use super::format::{
    FORMAT_VERSION, MAGIC, RECORD_HEADER_BYTES, RecordHeader, RecordKind, SEGMENT_HEADER_BYTES,
    SegmentHeader, record_crc,
};
use super::payload::Body;

/// Why there are no more records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The file ends where a record ends.
    Filled,
    /// Only zeros follow: no more was written.
    Zeros,
    /// It was made and never used: there is not even a header.
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
pub struct SegmentReader<'a> {
    header: SegmentHeader,
    bytes: &'a [u8],
    offset: usize,
    next_sequence: u64,
    stop: Option<StopReason>,
}

impl<'a> SegmentReader<'a> {
    /// Over a whole segment file.
    ///
    /// # Errors
    /// Why there is nothing to read.
    pub fn new(bytes: &'a [u8]) -> Result<SegmentReader<'a>, StopReason> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(StopReason::Unused);
        }
        let Ok((header, _)) = SegmentHeader::read_from_prefix(bytes) else {
            return Err(StopReason::CutShort);
        };
        if header.magic != MAGIC {
            return Err(StopReason::NotASegment);
        }
        // Before the version is believed.
        if !header.is_whole() {
            return Err(StopReason::Header);
        }
        if header.version != FORMAT_VERSION {
            return Err(StopReason::Version(header.version));
        }
        Ok(SegmentReader {
            header,
            bytes,
            offset: SEGMENT_HEADER_BYTES,
            next_sequence: header.first_sequence,
            stop: None,
        })
    }

    /// The segment's header.
    #[must_use]
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Sequence of the record after the last one that was given.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The first byte behind the last record that was given.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Why there are no more; `None` as long as there may be.
    #[must_use]
    pub fn stop(&self) -> Option<StopReason> {
        self.stop
    }

    /// Whole records of later sequences behind the place where reading has stopped. A process that
    /// was killed leaves none: what it was writing was the last.
    #[must_use]
    pub fn records_behind(&self) -> u64 {
        let (mut offset, mut last, mut count) = (self.offset, self.next_sequence, 0);
        while let Some(rest) = self.bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            let found = RecordHeader::read_from_prefix(rest).ok().and_then(|(header, _)| {
                let record = rest.get(..header.len as usize)?;
                let is_length = header.len.is_multiple_of(8) && record.len() >= RECORD_HEADER_BYTES;
                let is_next = is_length && header.sequence > last;
                (is_next && record_crc(record) == header.crc).then_some(header)
            });
            match found {
                Some(header) => {
                    (offset, last) = (offset + header.len as usize, header.sequence);
                    count += 1;
                }
                None => offset += 8,
            }
        }
        count
    }

    fn read(&self) -> Result<(RecordView<'a>, usize), StopReason> {
        let rest = &self.bytes[self.offset..];
        if rest.is_empty() {
            return Err(StopReason::Filled);
        }
        let Ok((header, _)) = RecordHeader::read_from_prefix(rest) else {
            let is_zero = rest.iter().all(|byte| *byte == 0);
            return Err(if is_zero { StopReason::Zeros } else { StopReason::CutShort });
        };
        if header.len == 0 {
            let is_zero = rest.iter().all(|byte| *byte == 0);
            return Err(if is_zero { StopReason::Zeros } else { StopReason::BytesBehindEnd });
        }
        let (len, payload_bytes) = (header.len as usize, header.payload_bytes as usize);
        if !len.is_multiple_of(8) || len < RECORD_HEADER_BYTES {
            return Err(StopReason::Length(header.len));
        }
        let Some(record) = rest.get(..len) else { return Err(StopReason::CutShort) };
        if record_crc(record) != header.crc {
            return Err(StopReason::Checksum);
        }
        if header.sequence != self.next_sequence {
            let (expected, found) = (self.next_sequence, header.sequence);
            return Err(StopReason::Sequence { expected, found });
        }
        let payload = record[RECORD_HEADER_BYTES..].get(..payload_bytes);
        let Some(payload) = payload else { return Err(StopReason::Length(header.len)) };
        let view = RecordView {
            sequence: header.sequence,
            time_ns: header.time_ns,
            kind: RecordKind::from_code(header.kind),
            kind_code: header.kind,
            version: header.version,
            offset: self.offset,
            payload,
        };
        Ok((view, len))
    }
}

impl<'a> Iterator for SegmentReader<'a> {
    type Item = RecordView<'a>;

    fn next(&mut self) -> Option<RecordView<'a>> {
        if self.stop.is_some() {
            return None;
        }
        match self.read() {
            Ok((view, len)) => {
                self.offset += len;
                self.next_sequence += 1;
                Some(view)
            }
            Err(reason) => {
                self.stop = Some(reason);
                None
            }
        }
    }
}
