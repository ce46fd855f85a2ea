//! Where things stand in a frame: offsets by hand, and a reader that never reads beyond the end.
//!
//! Source: the venue's schema of its streams, `stream_1_0.xml` (id 1, version 0), and its page of
//! SBE market data. Numbers are little endian and stand without gaps. A block (the message's own
//! fields, or one entry of a group) says its length, which may be longer than what is known of it:
//! later versions add fields behind.

use crate::venue::LetterReason;
use crate::venue::codec::DecodeError;

/// The schema's number.
pub(super) const SCHEMA: u16 = 1;
/// The version that has nothing behind a message's last field.
const VERSION: u16 = 0;

/// `TradesStreamEvent`: trades of one moment.
pub(super) mod trades {
    pub const TEMPLATE: u16 = 10_000;
    pub const EVENT_TIME: usize = 0;
    pub const PRICE_EXPONENT: usize = 16;
    pub const QTY_EXPONENT: usize = 17;
    /// Bytes of the block, with the time of the match at 8.
    pub const BLOCK: usize = 18;

    pub const ID: usize = 0;
    pub const PRICE: usize = 8;
    pub const QTY: usize = 16;
    pub const BUYER_IS_MAKER: usize = 24;
    /// Bytes of one trade.
    pub const ENTRY: usize = 25;
}

/// `BestBidAskStreamEvent`.
pub(super) mod best {
    pub const TEMPLATE: u16 = 10_001;
    pub const EVENT_TIME: usize = 0;
    pub const UPDATE_ID: usize = 8;
    pub const PRICE_EXPONENT: usize = 16;
    pub const QTY_EXPONENT: usize = 17;
    pub const BID_PRICE: usize = 18;
    pub const BID_QTY: usize = 26;
    pub const ASK_PRICE: usize = 34;
    pub const ASK_QTY: usize = 42;
    pub const BLOCK: usize = 50;
}

/// `DepthSnapshotStreamEvent`: the best levels of a book.
pub(super) mod snapshot {
    pub const TEMPLATE: u16 = 10_002;
    pub const EVENT_TIME: usize = 0;
    pub const UPDATE_ID: usize = 8;
    pub const PRICE_EXPONENT: usize = 16;
    pub const QTY_EXPONENT: usize = 17;
    pub const BLOCK: usize = 18;
}

/// `DepthDiffStreamEvent`.
pub(super) mod diff {
    pub const TEMPLATE: u16 = 10_003;
    pub const EVENT_TIME: usize = 0;
    pub const FIRST_ID: usize = 8;
    pub const LAST_ID: usize = 16;
    pub const PRICE_EXPONENT: usize = 24;
    pub const QTY_EXPONENT: usize = 25;
    pub const BLOCK: usize = 26;
}

/// One entry of a side, in both messages of depth.
pub(super) mod level {
    pub const PRICE: usize = 0;
    pub const QTY: usize = 8;
    pub const ENTRY: usize = 16;
}

/// Bytes of the header.
const HEADER: usize = 8;
/// Where the schema's number stands in it.
const SCHEMA_AT: usize = 4;

/// What stands before each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) block: usize,
    pub(super) template: u16,
    pub(super) schema: u16,
    version: u16,
}

/// Whether a frame is a text: the venue answers requests, and says goodbye, in JSON. In a binary
/// frame of this schema the upper byte of the schema's number is 0, which stands in no JSON text.
#[inline]
pub(super) fn is_text(frame: &[u8]) -> bool {
    frame.first() == Some(&b'{') && frame.get(SCHEMA_AT + 1) != Some(&0)
}

/// What is left to be read of a frame.
pub(super) struct Reader<'f> {
    frame: &'f [u8],
    rest: &'f [u8],
    version: u16,
}

/// The entries of a group, each of at least `N` bytes.
#[derive(Clone, Copy)]
pub(super) struct Group<'f, const N: usize> {
    bytes: &'f [u8],
    /// Bytes of each.
    entry: usize,
    count: usize,
}

const ENDS_EARLY: DecodeError = DecodeError::malformed("frame ends before its fields");

impl<'f> Reader<'f> {
    /// A reader behind the header.
    #[inline]
    pub(super) fn new(frame: &'f [u8]) -> Result<(Header, Reader<'f>), DecodeError> {
        let (header, rest) = frame.split_first_chunk::<HEADER>().ok_or(ENDS_EARLY)?;
        let [block, template, schema, version] = [0, 2, SCHEMA_AT, 6].map(|at| short(header, at));
        let header = Header { block: block.into(), template, schema, version };
        Ok((header, Reader { frame, rest, version }))
    }

    /// The message's own fields.
    #[inline]
    pub(super) fn block<const N: usize>(
        &mut self,
        bytes: usize,
    ) -> Result<&'f [u8; N], DecodeError> {
        self.take(bytes)?.first_chunk().ok_or(DecodeError::field("block shorter than its fields"))
    }

    /// A group whose count has 32 bits.
    #[inline]
    pub(super) fn long_group<const N: usize>(&mut self) -> Result<Group<'f, N>, DecodeError> {
        let dimensions: &[u8; 6] = self.array()?;
        let count =
            u32::from_le_bytes([dimensions[2], dimensions[3], dimensions[4], dimensions[5]]);
        self.entries(short(dimensions, 0), count)
    }

    /// A group whose count has 16 bits.
    #[inline]
    pub(super) fn group<const N: usize>(&mut self) -> Result<Group<'f, N>, DecodeError> {
        let dimensions: &[u8; 4] = self.array()?;
        self.entries(short(dimensions, 0), short(dimensions, 2).into())
    }

    /// The symbol, which stands behind all else, and the frame's end: all bytes up to the symbol's
    /// last one, and how many of them are its own.
    #[inline]
    pub(super) fn symbol_and_end(mut self) -> Result<(&'f [u8], usize), DecodeError> {
        let [length] = *self.array()?;
        self.take(length.into())?;
        if !self.rest.is_empty() && self.version == VERSION {
            return Err(DecodeError::malformed("bytes behind the last field"));
        }
        Ok((&self.frame[..self.frame.len() - self.rest.len()], length.into()))
    }

    #[inline]
    fn entries<const N: usize>(
        &mut self,
        entry: u16,
        count: u32,
    ) -> Result<Group<'f, N>, DecodeError> {
        let entry = usize::from(entry);
        if count == 0 {
            return Ok(Group { bytes: &[], entry: N, count: 0 });
        }
        if entry < N {
            return Err(DecodeError::field("entry of a group shorter than its fields"));
        }
        let count = count as usize;
        let bytes = entry.checked_mul(count).ok_or(ENDS_EARLY)?;
        Ok(Group { bytes: self.take(bytes)?, entry, count })
    }

    #[inline]
    fn take(&mut self, bytes: usize) -> Result<&'f [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<&'f [u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'f, const N: usize> Group<'f, N> {
    /// How many entries there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The only entry; `None` where there is none, or several.
    #[inline]
    pub(super) fn only(&self) -> Option<&'f [u8; N]> {
        if self.count == 1 { self.bytes.first_chunk() } else { None }
    }

    /// The entries, as far as their fields are known.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = &'f [u8; N]> + use<'f, N> {
        // An entry has at least N bytes: none is left out.
        self.bytes.chunks_exact(self.entry).filter_map(|entry| entry.first_chunk())
    }

    /// The same group, unless it has more entries than `most`.
    #[inline]
    pub(super) fn at_most(self, most: usize) -> Result<Group<'f, N>, DecodeError> {
        match self.len() <= most {
            true => Ok(self),
            false => Err(DecodeError::new(LetterReason::Oversize, "too many levels")),
        }
    }
}

#[inline]
fn short<const N: usize>(block: &[u8; N], at: usize) -> u16 {
    u16::from_le_bytes([block[at], block[at + 1]])
}

/// A signed number of 64 bits in a block. `at` is one of the offsets above, eight before the end.
#[inline]
pub(super) fn long<const N: usize>(block: &[u8; N], at: usize) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[at..at + 8]);
    i64::from_le_bytes(bytes)
}

/// A number that counts: ids are never below 0.
#[inline]
pub(super) fn id<const N: usize>(block: &[u8; N], at: usize) -> Result<u64, DecodeError> {
    u64::try_from(long(block, at)).map_err(|_| DecodeError::number("id below 0"))
}

/// A time, which the frame has in microseconds, ns since the Unix epoch.
#[inline]
pub(super) fn time_ns<const N: usize>(block: &[u8; N], at: usize) -> Result<i64, DecodeError> {
    let time_ns = long(block, at).checked_mul(1_000).filter(|time_ns| *time_ns >= 0);
    time_ns.ok_or(DecodeError::number("time out of range"))
}

/// An exponent.
#[inline]
pub(super) fn exponent<const N: usize>(block: &[u8; N], at: usize) -> i8 {
    i8::from_le_bytes([block[at]])
}

/// A truth value, of which the schema lists two.
#[inline]
pub(super) fn boolean<const N: usize>(block: &[u8; N], at: usize) -> Result<bool, DecodeError> {
    match block[at] {
        // No branch on which one it is: that of a trade's side is taken by chance.
        word @ 0..=1 => Ok(word == 1),
        _ => Err(DecodeError::unknown("truth value not known")),
    }
}
