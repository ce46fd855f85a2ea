//! The reading end: blocks become bytes again.

use std::collections::VecDeque;

use super::error::Malformed;
use super::files::TapeReader;

/// The most bytes that an entry counts: a file that is read at the start may be a segment of the
/// journal, of at most 1 GiB. A count beyond is damage; one below it that goes on behind the end of
/// the record may be of an entry that was being written then.
const COUNT_MAX: u64 = 1 << 30;

/// Where a block was found.
struct Found {
    /// Bytes of the record before it.
    before: u64,
    /// Its part, and its first byte there.
    part: u32,
    offset: u64,
}

/// Reads bytes.
pub(crate) struct Spool {
    reader: TapeReader,
    /// What is read of the record and not used yet begins at `at`.
    data: Vec<u8>,
    at: usize,
    /// Bytes of the record before `data`, and before the present entry.
    before: u64,
    entry: u64,
    /// Blocks from the present entry on.
    blocks: VecDeque<Found>,
    /// The record has no more.
    is_over: bool,
    /// Its files are others than when it was opened.
    broken: Option<Malformed>,
}

impl Spool {
    pub(super) fn new(reader: TapeReader) -> Spool {
        Spool {
            reader,
            data: Vec::new(),
            at: 0,
            before: 0,
            entry: 0,
            blocks: VecDeque::new(),
            is_over: false,
            broken: None,
        }
    }

    /// Whether more was asked for than there is.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What is wrong with the files since they were opened.
    pub(super) fn broken(&self) -> Option<&Malformed> {
        self.broken.as_ref()
    }

    /// An entry begins here.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.entry = self.before + self.at as u64;
    }

    /// Something that is wrong with the present entry, and where that is.
    pub(super) fn malformed(&self, what: String) -> Malformed {
        let found = self.blocks.iter().rev().find(|block| block.before <= self.entry);
        let (part, offset) =
            found.map_or((0, 0), |block| (block.part, block.offset + (self.entry - block.before)));
        Malformed { path: self.reader.part(part), offset, what }
    }

    /// The next byte, which stays the next.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.fill(1).then(|| self.data[self.at])
    }

    /// The next bytes, taken.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Option<&[u8]> {
        if !self.fill(count) {
            return None;
        }
        self.at += count;
        Some(&self.data[self.at - count..self.at])
    }

    /// Whether so many bytes are there.
    #[inline]
    fn fill(&mut self, count: usize) -> bool {
        self.data.len() - self.at >= count || self.read_on(count)
    }

    #[cold]
    fn read_on(&mut self, count: usize) -> bool {
        self.data.drain(..self.at);
        self.before += self.at as u64;
        self.at = 0;
        while self.blocks.get(1).is_some_and(|next| next.before <= self.entry) {
            self.blocks.pop_front();
        }
        while self.data.len() < count {
            let before = self.before + self.data.len() as u64;
            match self.reader.next_block() {
                Ok(Some(block)) => {
                    let len = block.len() as u64;
                    self.data.extend_from_slice(block);
                    let (part, end) = self.reader.at();
                    self.blocks.push_back(Found { before, part, offset: end - len });
                }
                Ok(None) => {
                    self.is_over = true;
                    return false;
                }
                Err(error) => {
                    let ((part, offset), what) = (self.reader.at(), error.to_string());
                    let path = self.reader.part(part);
                    self.broken = Some(Malformed { path, offset, what });
                    self.is_over = true;
                    return false;
                }
            }
        }
        true
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.fill(1).then(|| {
            self.at += 1;
            self.data[self.at - 1]
        })
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        if !self.fill(N) {
            return None;
        }
        self.at += N;
        self.data[self.at - N..self.at].try_into().ok()
    }

    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn counted(&mut self) -> Option<Vec<u8>> {
        let count = self.number().filter(|count| *count <= COUNT_MAX)? as usize;
        if !self.fill(count) {
            return None;
        }
        self.at += count;
        Some(self.data[self.at - count..self.at].to_vec())
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.counted()?).ok()
    }
}
