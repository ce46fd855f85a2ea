//! The reading end: blocks become bytes again.

use super::files::TapeReader;

/// Reads bytes.
pub(crate) struct Spool {
    reader: TapeReader,
    /// What is read of the record and not used yet begins at `at`.
    data: Vec<u8>,
    at: usize,
    /// The record has no more.
    is_over: bool,
}

impl Spool {
    pub(super) fn new(reader: TapeReader) -> Spool {
        Spool { reader, data: Vec::new(), at: 0, is_over: false }
    }

    /// Whether more was asked for than there is.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.is_over
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
        self.at = 0;
        while self.data.len() < count {
            match self.reader.next_block() {
                Ok(Some(block)) => self.data.extend_from_slice(block),
                Ok(None) => {
                    self.is_over = true;
                    return false;
                }
                Err(error) => {
                    log::error!("{error}");
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
        let count = self.number()? as usize;
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
