//! A session's end of the recorder.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_ring::{Publisher, Record};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::world::Clock;

/// Bytes of a text that one piece takes: with the rest of it, 4 KiB.
const TEXT_BYTES: usize = 4_080;

/// What a piece is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Frame,
    Sent,
    Note,
    /// The venue's symbol, a newline, and the body of an answer over REST.
    Snapshot,
    /// The body of an answer over REST that lists instruments.
    Instruments,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] =
        [Kind::Frame, Kind::Sent, Kind::Note, Kind::Snapshot, Kind::Instruments];
}

/// A part of a text on its way to the recorder.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Piece {
    /// When the text was read or written, ns since the Unix epoch.
    pub(super) time_ns: i64,
    /// Bytes of the text in use.
    pub(super) bytes: u32,
    /// Index into [`Kind::ALL`].
    pub(super) kind: u16,
    /// 1: the text ends here.
    pub(super) is_last: u16,
    pub(super) text: [u8; TEXT_BYTES],
}

impl Record for Piece {
    fn used_bytes(&self) -> usize {
        size_of::<Piece>() - TEXT_BYTES + self.bytes as usize
    }
}

impl Piece {
    pub(super) fn used(&self) -> &[u8] {
        &self.text[..(self.bytes as usize).min(TEXT_BYTES)]
    }
}

/// What a session tells of itself. Never waits and never allocates.
pub struct Tap {
    pieces: Publisher<Piece>,
    lost: Arc<AtomicU64>,
    clock: Clock,
}

impl Tap {
    pub(super) fn new(pieces: Publisher<Piece>, lost: Arc<AtomicU64>, clock: Clock) -> Tap {
        Tap { pieces, lost, clock }
    }

    /// A frame that was read then, ns of the engine's clock.
    #[inline]
    pub fn frame(&mut self, bytes: &[u8], read_ns: u64) {
        self.take(Kind::Frame, read_ns, bytes, &[]);
    }

    /// A message of ours.
    pub fn sent(&mut self, text: &[u8], now_ns: u64) {
        self.take(Kind::Sent, now_ns, text, &[]);
    }

    /// What became of the connection.
    pub fn note(&mut self, text: &str, now_ns: u64) {
        self.take(Kind::Note, now_ns, text.as_bytes(), &[]);
    }

    /// A snapshot of this symbol that was fetched over REST.
    pub fn snapshot(&mut self, native: &str, body: &[u8], now_ns: u64) {
        let name = [native.as_bytes(), b"\n"].concat();
        self.take(Kind::Snapshot, now_ns, &name, body);
    }

    /// What the venue says of its instruments.
    pub fn instruments(&mut self, body: &[u8], now_ns: u64) {
        self.take(Kind::Instruments, now_ns, body, &[]);
    }

    fn take(&mut self, kind: Kind, at_ns: u64, first: &[u8], second: &[u8]) {
        let pieces = |bytes: &[u8]| bytes.len().div_ceil(TEXT_BYTES);
        let count = (pieces(first) + pieces(second)).max(1);
        if self.pieces.room(count) < count {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let time_ns = self.clock.wall_at_ns(at_ns);
        let chunks = first.chunks(TEXT_BYTES).chain(second.chunks(TEXT_BYTES));
        // A text of nothing is one piece, too.
        let empty = (first.len() + second.len() == 0).then_some(&[][..]);
        for (n, chunk) in chunks.chain(empty).enumerate() {
            let told = self.pieces.try_publish_with(|piece| {
                piece.time_ns = time_ns;
                piece.bytes = chunk.len() as u32;
                piece.kind = kind as u16;
                piece.is_last = u16::from(n + 1 == count);
                piece.text[..chunk.len()].copy_from_slice(chunk);
            });
            debug_assert!(told.is_ok(), "there was room for all of them");
        }
    }
}
