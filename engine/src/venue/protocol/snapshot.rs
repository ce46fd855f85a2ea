//! A book as a venue tells it whole, and where that comes from.

use crate::event::{InstrumentId, Level};
use crate::venue::Scales;
use crate::venue::book::L2Book;
use crate::venue::codec::DecodeError;

/// A book as it was at `last_update_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What it is about.
    pub instrument: InstrumentId,
    /// Last update of the venue's sequence in it.
    pub last_update_id: u64,
    /// Bids, highest first.
    pub bids: Vec<Level>,
    /// Asks, lowest first.
    pub asks: Vec<Level>,
}

/// Where the book of a symbol is told whole.
#[derive(Clone, Copy, Debug)]
pub enum SnapshotFrom {
    /// In the stream, behind a subscription and whenever the venue starts over: `decode` hands it
    /// over. Diffs begin behind it. To have it told again, its topic is given up and subscribed to.
    InBand,
    /// Over REST, beside the stream: diffs are kept until it joins them.
    Rest(RestSnapshot),
}

/// How REST tells a book.
#[derive(Clone, Copy, Debug)]
pub struct RestSnapshot {
    /// Path and query, for the venue's own symbol.
    pub path: fn(&str) -> String,
    /// Reads the body of the answer. The venue's own error body is of reason `Unknown`.
    pub read: fn(InstrumentId, &[u8], Scales) -> Result<Snapshot, DecodeError>,
    /// What the request weighs.
    pub weight: u32,
    /// The same of the best levels alone, which weighs less: live books are held against it.
    pub shallow: ShallowSnapshot,
    /// From so many symbols of a connection on, what is asked for in its place: with fewer levels
    /// all of them fit into the venue's budget at once, and none waits minutes for its book.
    pub many: Option<(usize, ShallowSnapshot)>,
}

impl RestSnapshot {
    /// What is asked for where a connection has so many symbols: path and query, and weight.
    #[must_use]
    pub fn of_symbols(&self, count: usize) -> (fn(&str) -> String, u32) {
        match self.many {
            Some((least, many)) if count >= least => (many.path, many.weight),
            _ => (self.path, self.weight),
        }
    }
}

/// How REST tells the best levels of a book; the answer is worded as that of the whole book.
#[derive(Clone, Copy, Debug)]
pub struct ShallowSnapshot {
    /// Path and query, for the venue's own symbol.
    pub path: fn(&str) -> String,
    /// What the request weighs.
    pub weight: u32,
}

impl SnapshotFrom {
    /// How REST tells it; `None` where the stream does.
    #[must_use]
    pub const fn rest(&self) -> Option<RestSnapshot> {
        match self {
            SnapshotFrom::Rest(rest) => Some(*rest),
            SnapshotFrom::InBand => None,
        }
    }
}

/// A book in the stream, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeBook<'a> {
    /// Last update of the venue's sequence in it.
    pub last_update_id: u64,
    /// The venue's own time, ns since the Unix epoch; 0 when it has none.
    pub venue_time_ns: i64,
    /// Bids, highest first.
    pub bids: &'a [Level],
    /// Asks, lowest first.
    pub asks: &'a [Level],
    /// The venue's checksum of the book, where the frame has one.
    pub checksum: Option<u32>,
}

/// The venue's checksum of a book, which is computed of our own.
pub type BookChecksum = fn(&L2Book, Scales) -> u32;
