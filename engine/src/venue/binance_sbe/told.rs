//! What a frame is about, for who keeps frames: its stream and its numbers, without its values.

use super::wire::{self, Reader, best, diff, level, snapshot, trades};
use crate::venue::codec::DecodeError;

/// What a binary frame says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::venue) struct ToldFrame {
    /// The venue's symbol.
    pub(in crate::venue) symbol: String,
    /// What its stream is called behind the symbol.
    pub(in crate::venue) stream: &'static str,
    /// The first and the last update of a diff.
    pub(in crate::venue) updates: Option<(u64, u64)>,
    /// When it was told, ns since the Unix epoch.
    pub(in crate::venue) venue_time_ns: i64,
}

/// Reads that much of a frame.
///
/// # Errors
/// What is wrong with it, as where it is decoded.
pub(in crate::venue) fn told(frame: &[u8]) -> Result<ToldFrame, DecodeError> {
    let (header, mut reader) = Reader::new(frame)?;
    if header.schema != wire::SCHEMA {
        return Err(DecodeError::unknown("schema not known"));
    }
    let mut updates = None;
    let (stream, venue_time_ns) = match header.template {
        best::TEMPLATE => {
            let block = reader.block::<{ best::BLOCK }>(header.block)?;
            ("bestBidAsk", wire::time_ns(block, best::EVENT_TIME)?)
        }
        trades::TEMPLATE => {
            let block = reader.block::<{ trades::BLOCK }>(header.block)?;
            reader.long_group::<{ trades::ENTRY }>()?;
            ("trade", wire::time_ns(block, trades::EVENT_TIME)?)
        }
        diff::TEMPLATE => {
            let block = reader.block::<{ diff::BLOCK }>(header.block)?;
            updates = Some((wire::id(block, diff::FIRST_ID)?, wire::id(block, diff::LAST_ID)?));
            sides(&mut reader)?;
            ("depth", wire::time_ns(block, diff::EVENT_TIME)?)
        }
        snapshot::TEMPLATE => {
            let block = reader.block::<{ snapshot::BLOCK }>(header.block)?;
            sides(&mut reader)?;
            ("depth20", wire::time_ns(block, snapshot::EVENT_TIME)?)
        }
        _ => return Err(DecodeError::unknown("template not known")),
    };
    let (upto, length) = reader.symbol_and_end()?;
    let symbol = str::from_utf8(&upto[upto.len() - length..]);
    let symbol = symbol.map_err(|_| DecodeError::symbol())?.to_owned();
    Ok(ToldFrame { symbol, stream, updates, venue_time_ns })
}

fn sides(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.group::<{ level::ENTRY }>()?;
    reader.group::<{ level::ENTRY }>()?;
    Ok(())
}
