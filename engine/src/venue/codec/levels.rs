//! Price levels as the venue writes them: `[["price","quantity"],..]`, in diffs and in snapshots.

use simd_json::Node;

use super::error::DecodeError;
use super::fields::{elements, text};
use crate::event::{Level, parse_scaled};
use crate::venue::{LetterReason, Scales};

/// Levels a side in one diff. The largest diff in 40 MB of recordings has 1,076 on both sides
/// together.
pub(in crate::venue) const DIFF_LEVELS_MAX: usize = 5_000;

/// Reads `[[price, quantity], ..]` into `out`, which is cleared first.
#[inline]
pub(in crate::venue) fn read_levels(
    nodes: &[Node<'_>],
    scales: Scales,
    levels_max: usize,
    out: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    read_wide_levels(nodes, 2, scales, levels_max, out)
}

/// [`read_levels`] of `[[price, quantity, ..], ..]` with `width` elements each; those behind the
/// quantity are left out.
#[inline]
pub(in crate::venue) fn read_wide_levels(
    nodes: &[Node<'_>],
    width: usize,
    scales: Scales,
    levels_max: usize,
    out: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    out.clear();
    let levels = elements(nodes).ok_or(DecodeError::field("levels are no array"))?;
    if levels.len() > levels_max {
        return Err(DecodeError::new(LetterReason::Oversize, "too many levels"));
    }
    for level in levels {
        let [Node::Array { len, .. }, price, qty, ..] = level else {
            return Err(DecodeError::field("level is not [price, quantity]"));
        };
        if *len != width {
            return Err(DecodeError::field("level is not [price, quantity]"));
        }
        let number = |node| text(std::slice::from_ref(node));
        let (Some(price), Some(qty)) = (number(price), number(qty)) else {
            return Err(DecodeError::field("level is not [price, quantity] in text"));
        };
        let price = parse_scaled(price.as_bytes(), scales.price)?;
        let qty = parse_scaled(qty.as_bytes(), scales.qty)?;
        if price <= 0 || qty < 0 {
            return Err(DecodeError::nonsense("level at no price or of negative quantity"));
        }
        out.push(Level { price, qty });
    }
    Ok(())
}
