//! What decoders of market data have in common: the memory that frames are read with, the levels of
//! a book, and replies by their numbers.

use simd_json::Node;

use super::{MarketMessage, WholeBook};
use crate::event::Level;
use crate::venue::book::Diff;
use crate::venue::codec::{
    DIFF_LEVELS_MAX, DecodeError, JsonBuffer, Value, number_of, read_wide_levels,
};
use crate::venue::{Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start: a snapshot of 400 levels has 25,000.
const FRAME_BYTES_USUAL: usize = 64 * 1024;

/// Reads the frames of one market connection. Nothing is allocated for a frame in steady state.
pub(in crate::venue) struct MarketFrames {
    json: JsonBuffer,
    parts: FrameParts,
}

/// What the parts of a frame are read with, and into.
pub(in crate::venue) struct FrameParts {
    pub(in crate::venue) symbols: SymbolMap,
    pub(in crate::venue) bids: Vec<Level>,
    pub(in crate::venue) asks: Vec<Level>,
    /// By the symbols' slots: how many frames of a book have come.
    counted: Box<[u64]>,
}

/// What a frame says of a book beside its levels.
#[derive(Clone, Copy)]
pub(in crate::venue) struct BookUpdate {
    /// The book, and not a change of it.
    pub(in crate::venue) is_whole: bool,
    pub(in crate::venue) update_id: u64,
    pub(in crate::venue) previous_id: u64,
    pub(in crate::venue) checksum: Option<u32>,
    pub(in crate::venue) venue_time_ns: i64,
}

impl MarketFrames {
    pub(in crate::venue) fn new(symbols: SymbolMap, frame_bytes_max: usize) -> MarketFrames {
        let levels = || Vec::with_capacity(DIFF_LEVELS_MAX);
        MarketFrames {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            parts: FrameParts {
                counted: vec![0; symbols.len()].into(),
                symbols,
                bids: levels(),
                asks: levels(),
            },
        }
    }

    /// A new connection.
    pub(in crate::venue) fn restart(&mut self) {
        self.parts.counted.fill(0);
    }

    /// Reads a frame, which must be an object.
    #[inline]
    pub(in crate::venue) fn parse(
        &mut self,
        frame: &[u8],
        read: impl FnOnce(&mut FrameParts, &[Node<'_>]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let MarketFrames { json, parts } = self;
        json.parse(frame, |nodes| read(parts, object(nodes)?))
    }

    /// [`MarketFrames::parse`] with every number as the text that it is.
    #[inline]
    pub(in crate::venue) fn parse_numbers_as_texts(
        &mut self,
        frame: &[u8],
        read: impl FnOnce(&mut FrameParts, &[Node<'_>]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let MarketFrames { json, parts } = self;
        json.parse_numbers_as_texts(frame, |nodes| read(parts, object(nodes)?))
    }
}

/// The nodes of a frame, which must be an object.
#[inline]
pub(in crate::venue) fn object<'t, 'a>(
    nodes: &'t [Node<'a>],
) -> Result<&'t [Node<'a>], DecodeError> {
    match nodes.first() {
        Some(Node::Object { .. }) => Ok(nodes),
        _ => Err(DecodeError::unknown("frame is not an object")),
    }
}

impl FrameParts {
    /// The symbol of a name.
    #[inline]
    pub(in crate::venue) fn find(&self, name: &str) -> Result<Symbol, DecodeError> {
        self.symbols.lookup(name.as_bytes()).ok_or(DecodeError::symbol())
    }

    /// One frame more of a book: its number, which begins at 1 with each connection.
    #[inline]
    pub(in crate::venue) fn count(&mut self, symbol: Symbol) -> u64 {
        let counted = &mut self.counted[symbol.slot];
        *counted += 1;
        *counted
    }

    /// Reads both sides of a book, `[[price, quantity, ..], ..]` of `width` elements each.
    #[inline]
    pub(in crate::venue) fn read_sides(
        &mut self,
        sides: [Value<'_, '_>; 2],
        width: usize,
        symbol: Symbol,
    ) -> Result<(), DecodeError> {
        let [bids, asks] = sides;
        for (side, levels) in [(bids, &mut self.bids), (asks, &mut self.asks)] {
            let side = side.ok_or(DecodeError::field("a side of the book missing"))?;
            read_wide_levels(side, width, symbol.scales, DIFF_LEVELS_MAX, levels)?;
        }
        Ok(())
    }

    /// The levels that were read, as the book or as a change of it.
    #[inline]
    pub(in crate::venue) fn book(&self, symbol: Symbol, update: BookUpdate) -> MarketMessage<'_> {
        let BookUpdate { is_whole, update_id, previous_id, checksum, venue_time_ns } = update;
        let (bids, asks) = (&self.bids[..], &self.asks[..]);
        if is_whole {
            let book = WholeBook { last_update_id: update_id, venue_time_ns, bids, asks, checksum };
            return MarketMessage::Book { symbol, book };
        }
        let diff = Diff {
            first_update_id: update_id,
            final_update_id: update_id,
            previous_update_id: previous_id,
            checksum,
            venue_time_ns,
            bids,
            asks,
        };
        MarketMessage::Depth { symbol, diff }
    }
}

/// The error of a book's frame, which leaves a hole in that book.
#[inline]
pub(in crate::venue) fn in_book(symbol: Symbol) -> impl Fn(DecodeError) -> DecodeError + Copy {
    move |error| DecodeError { book: Some(symbol.instrument), ..error }
}

/// The reply to the request with this number. A confirmation without one is of a request of those
/// who recorded.
pub(in crate::venue) fn numbered_reply<'a>(
    id: Value<'_, '_>,
    error: Option<i32>,
) -> Result<MarketMessage<'a>, DecodeError> {
    match id.map(|id| number_of(Some(id))) {
        Some(Some(id)) => Ok(MarketMessage::Reply { id, error }),
        None if error.is_none() => Ok(MarketMessage::KeptAlive),
        _ => Err(DecodeError::unknown("reply without a number of ours")),
    }
}
