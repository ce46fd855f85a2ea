//! The bytes: a segment's header, a record's header, and the checksums over both.
//!
//! All numbers are little endian. A segment is its header, then records one behind the other, each
//! a multiple of 8 bytes, then zeros. A length of zero is where the records end.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of this layout; a reader refuses another.
pub const FORMAT_VERSION: u16 = 1;
/// The first bytes of every segment.
pub(super) const MAGIC: [u8; 8] = *b"PITLJRNL";
/// Bytes of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a record's header.
pub const RECORD_HEADER_BYTES: usize = 32;
/// No payload is larger, bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1_024;
/// No record is larger, bytes.
pub(super) const RECORD_BYTES_MAX: usize = RECORD_HEADER_BYTES + PAYLOAD_BYTES_MAX;

const _: () = assert!(cfg!(target_endian = "little"), "the journal is written as it is in memory");

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SegmentHeader {
    pub(super) magic: [u8; 8],
    /// [`FORMAT_VERSION`].
    pub version: u16,
    pub(super) header_bytes: u16,
    /// CRC-32 of the header with this field zero.
    pub(super) crc: u32,
    /// Number of the engine's start that wrote it, from 1 on, in this folder.
    pub epoch: u64,
    /// Number of the segment, from 1 on, without gaps.
    pub number: u64,
    /// Sequence of its first record.
    pub first_sequence: u64,
    /// When it was begun, ns since the Unix epoch.
    pub begun_ns: i64,
    pub(super) reserved: [u8; 16],
}

const _: () = assert!(size_of::<SegmentHeader>() == SEGMENT_HEADER_BYTES);

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct RecordHeader {
    /// Of the whole record, a multiple of 8.
    pub(super) len: u32,
    /// CRC-32 of `len`, then of all that comes behind this field.
    pub(super) crc: u32,
    pub(super) sequence: u64,
    /// Wall time, ns since the Unix epoch.
    pub(super) time_ns: i64,
    pub(super) kind: u8,
    /// Of the payload's own layout.
    pub(super) version: u8,
    pub(super) reserved: u16,
    pub(super) payload_bytes: u32,
}

const _: () = assert!(size_of::<RecordHeader>() == RECORD_HEADER_BYTES);

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RecordKind {
    /// An engine starts.
    RunStart = 1,
    /// What a number of this run stands for.
    Named = 2,
    /// A strategy's command, before it can reach the venue.
    Intent = 3,
    /// A report on an order, the venue's or the engine's.
    Report = 4,
    /// Trading was switched.
    Trading = 5,
    /// An operator's command.
    Control = 6,
    /// An engine has ended in order.
    RunStop = 7,
    /// What holds a strategy's orders back, or no longer does.
    Risk = 9,
    /// What the account has of an asset, as the venue tells it.
    Balance = 10,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [RecordKind; 9] = [
        RecordKind::RunStart,
        RecordKind::Named,
        RecordKind::Intent,
        RecordKind::Report,
        RecordKind::Trading,
        RecordKind::Control,
        RecordKind::RunStop,
        RecordKind::Risk,
        RecordKind::Balance,
    ];

    /// The kind with this code; `None` for one of a later version.
    #[must_use]
    pub fn from_code(code: u8) -> Option<RecordKind> {
        Some(match code {
            1 => RecordKind::RunStart,
            2 => RecordKind::Named,
            3 => RecordKind::Intent,
            4 => RecordKind::Report,
            5 => RecordKind::Trading,
            6 => RecordKind::Control,
            7 => RecordKind::RunStop,
            9 => RecordKind::Risk,
            10 => RecordKind::Balance,
            _ => return None,
        })
    }

    /// The name in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RecordKind::RunStart => "run_start",
            RecordKind::Named => "named",
            RecordKind::Intent => "intent",
            RecordKind::Report => "report",
            RecordKind::Trading => "trading",
            RecordKind::Control => "control",
            RecordKind::RunStop => "run_stop",
            RecordKind::Risk => "risk",
            RecordKind::Balance => "balance",
        }
    }
}

impl SegmentHeader {
    /// A header with its checksum.
    pub(super) fn new(epoch: u64, number: u64, first_sequence: u64, begun_ns: i64) -> Self {
        let mut header = SegmentHeader {
            magic: MAGIC,
            version: FORMAT_VERSION,
            header_bytes: SEGMENT_HEADER_BYTES as u16,
            crc: 0,
            epoch,
            number,
            first_sequence,
            begun_ns,
            reserved: [0; 16],
        };
        header.crc = crc32fast::hash(header.as_bytes());
        header
    }

    /// Whether its checksum is its own.
    pub(super) fn is_whole(&self) -> bool {
        self.crc == crc32fast::hash(SegmentHeader { crc: 0, ..*self }.as_bytes())
    }
}

/// A record's bytes, built in place.
#[repr(C, align(64))]
pub(super) struct RecordBuffer([u8; RECORD_BYTES_MAX]);

impl RecordBuffer {
    pub(super) const fn new() -> RecordBuffer {
        RecordBuffer([0; RECORD_BYTES_MAX])
    }

    /// The record's bytes; `None` when the payload is larger than [`PAYLOAD_BYTES_MAX`].
    #[inline]
    pub(super) fn fill(
        &mut self,
        sequence: u64,
        time_ns: i64,
        (kind, version): (RecordKind, u8),
        payload: &[u8],
    ) -> Option<&[u8]> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        let end = RECORD_HEADER_BYTES + payload.len();
        let len = end.next_multiple_of(8);
        let mut header = RecordHeader {
            len: len as u32,
            crc: 0,
            sequence,
            time_ns,
            kind: kind as u8,
            version,
            reserved: 0,
            payload_bytes: payload.len() as u32,
        };
        let bytes = &mut self.0[..len];
        bytes[RECORD_HEADER_BYTES..end].copy_from_slice(payload);
        bytes[end..].fill(0);
        bytes[..RECORD_HEADER_BYTES].copy_from_slice(header.as_bytes());
        header.crc = record_crc(bytes);
        bytes[4..8].copy_from_slice(&header.crc.to_le_bytes());
        Some(bytes)
    }
}

/// Checks records one after the other: most have one of few lengths, and what the checksum has come
/// to behind a length is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordChecksum {
    /// By the length in units of 8 bytes, modulo its own size: the length, and the state behind it.
    behind: [Option<(u32, crc32fast::Hasher)>; 8],
}

impl RecordChecksum {
    /// [`record_crc`] of a record of `len` bytes, as it says itself.
    #[inline]
    pub(super) fn of(&mut self, record: &[u8], len: u32) -> u32 {
        let kept = &mut self.behind[(len / 8) as usize % 8];
        let mut hasher = match kept {
            Some((of, hasher)) if *of == len => hasher.clone(),
            _ => {
                let mut hasher = crc32fast::Hasher::new();
                hasher.update(&len.to_le_bytes());
                kept.insert((len, hasher)).1.clone()
            }
        };
        hasher.update(&record[8..]);
        hasher.finalize()
    }
}

/// The checksum of a whole record: its length, then all behind the checksum itself.
#[inline]
pub(super) fn record_crc(record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[..4]);
    hasher.update(&record[8..]);
    hasher.finalize()
}
