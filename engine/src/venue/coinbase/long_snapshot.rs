//! A book in one frame of megabytes, read in pieces.
//!
//! Such a frame has its members in a known order, and its levels last:
//! `{"channel":"l2_data",..,"events":[{"type":"snapshot","product_id":..,"updates":[LEVELS]}]}`.
//! What stands before the levels is read as a frame of its own; then so many levels a call. A frame
//! that is written in any other way is not taken here: it is read as all others are, in one go.

use crate::event::Level;
use crate::venue::Scales;
use crate::venue::codec::Scanner;

/// Frames below this are read in one go: that takes a few hundred microseconds.
pub(super) const FRAME_BYTES_MIN: usize = 64 * 1024;
/// Levels read in one call: a fraction of a millisecond.
const LEVELS_PER_CALL: usize = 4_096;
/// What stands before the levels is shorter than this, bytes.
const HEAD_BYTES_MAX: usize = 512;
const LEVELS: &[u8] = b"\"updates\":[";
const END: &[u8] = b"]}]}";

/// Where the reading of a long frame stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LongSnapshot {
    /// Bytes of the frame that were read; 0 when none is begun.
    at: usize,
    /// Bytes of the whole frame, so that another one is not taken for it.
    bytes: usize,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// There are more levels.
    More,
    /// All levels were read.
    Whole,
    /// It is not written as expected: nothing of what was read counts.
    Other,
}

/// The part of a frame before its levels, closed as if it had none; `None` when it is not written
/// as expected, or does not fit. And where the levels begin.
pub(super) fn head<'b>(frame: &[u8], into: &'b mut Vec<u8>) -> Option<(&'b [u8], usize)> {
    let start = &frame[..frame.len().min(HEAD_BYTES_MAX)];
    let at = start.windows(LEVELS.len()).position(|bytes| bytes == LEVELS)? + LEVELS.len();
    into.clear();
    into.extend_from_slice(&frame[..at]);
    into.extend_from_slice(END);
    Some((&into[..], at))
}

impl LongSnapshot {
    /// A frame whose levels begin at this byte.
    pub(super) fn begin(at: usize, bytes: usize) -> LongSnapshot {
        LongSnapshot { at, bytes }
    }

    /// Whether it is begun, and this may be its frame.
    pub(super) fn is_of(&self, frame: &[u8]) -> bool {
        self.is_begun() && self.bytes == frame.len()
    }

    pub(super) fn is_begun(&self) -> bool {
        self.at > 0
    }

    /// Reads the next levels into the sides.
    pub(super) fn read(
        &mut self,
        frame: &[u8],
        scales: Scales,
        bids: &mut Vec<Level>,
        asks: &mut Vec<Level>,
    ) -> Piece {
        let mut scanner = Scanner { rest: &frame[self.at..] };
        let piece = read_levels(&mut scanner, scales, bids, asks).unwrap_or(Piece::Other);
        self.at = match piece {
            Piece::More => frame.len() - scanner.rest.len(),
            Piece::Whole | Piece::Other => 0,
        };
        piece
    }
}

/// `None` at what is not written as expected.
fn read_levels(
    scanner: &mut Scanner<'_>,
    scales: Scales,
    bids: &mut Vec<Level>,
    asks: &mut Vec<Level>,
) -> Option<Piece> {
    for _ in 0..LEVELS_PER_CALL {
        scanner.skip(b"{\"side\":\"")?;
        let side = if scanner.skips(b"bid\"") {
            &mut *bids
        } else {
            scanner.skip(b"offer\"")?;
            &mut *asks
        };
        scanner.skip(b",\"event_time\":\"")?;
        scanner.plain_text()?;
        scanner.skip(b",\"price_level\":\"")?;
        let price = scanner.scaled(scales.price)?;
        scanner.skip(b",\"new_quantity\":\"")?;
        let qty = scanner.scaled(scales.qty)?;
        scanner.skip(b"}")?;
        // What makes no sense, or is more than there is memory for, is refused in the other way.
        if price <= 0 || qty <= 0 || side.len() == side.capacity() {
            return None;
        }
        side.push(Level { price, qty });
        if !scanner.skips(b",") {
            scanner.skip(END)?;
            return scanner.rest.is_empty().then_some(Piece::Whole);
        }
    }
    Some(Piece::More)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALES: Scales = Scales { price: 2, qty: 8 };

    fn frame(levels: usize) -> String {
        let level = |n: usize| {
            let (side, price) =
                if n.is_multiple_of(2) { ("bid", 50_000 - n) } else { ("offer", 50_000 + n) };
            format!(
                r#"{{"side":"{side}","event_time":"2026-08-09T21:05:48.170326Z","price_level":"{price}.5","new_quantity":"0.{n:08}"}}"#
            )
        };
        let levels: Vec<_> = (1..=levels).map(level).collect();
        format!(
            r#"{{"channel":"l2_data","events":[{{"type":"snapshot","updates":[{}]}}]}}"#,
            levels.join(",")
        )
    }

    fn read(frame: &str) -> (Vec<Piece>, Vec<Level>, Vec<Level>) {
        let (mut bids, mut asks) = (Vec::with_capacity(8_192), Vec::with_capacity(8_192));
        let mut buffer = Vec::new();
        let (text, at) = head(frame.as_bytes(), &mut buffer).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(text).is_ok());
        let mut long = LongSnapshot::begin(at, frame.len());
        let mut pieces = Vec::new();
        while long.is_of(frame.as_bytes()) {
            pieces.push(long.read(frame.as_bytes(), SCALES, &mut bids, &mut asks));
        }
        (pieces, bids, asks)
    }

    #[test]
    fn a_long_frame_is_read_in_pieces() {
        let (pieces, bids, asks) = read(&frame(10_000));
        assert_eq!(pieces, [Piece::More, Piece::More, Piece::Whole]);
        assert_eq!((bids.len(), asks.len()), (5_000, 5_000));
        assert_eq!(bids[0], Level { price: 4_999_850, qty: 2 });
        assert_eq!(asks[4_999], Level { price: 5_999_950, qty: 9_999 });
    }

    #[test]
    fn what_is_written_in_another_way_is_not_taken() {
        let good = frame(3);
        for (from, to) in [
            ("]}]}", "]}],\"more\":1}"),
            ("]}]}", "]}]"),
            (",{\"side\"", ", {\"side\""),
            ("\"offer\"", "\"ask\""),
            ("0.00000002", "0.00000000"),
            ("49998.5", "-49998.5"),
            ("49998.5", "49998.505"),
        ] {
            assert!(good.contains(from), "{from}");
            let (pieces, ..) = read(&good.replacen(from, to, 1));
            assert_eq!(pieces, [Piece::Other], "{from} -> {to}");
        }
        assert!(head(b"{\"channel\":\"l2_data\",\"events\":[]}", &mut Vec::new()).is_none());
    }
}
