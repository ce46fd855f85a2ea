//! Reading what venues write: JSON on reused memory, its fields, decimal numbers and price levels.
//!
//! Knows no venue: each protocol says which fields a frame has and what they mean.

mod digits;
mod error;
mod fields;
mod json;
mod levels;
mod scanner;

pub use error::DecodeError;
pub(in crate::venue) use fields::{
    Letters, elements, is_null, members, milliseconds_to_ns, signed, text, unsigned,
};
pub(in crate::venue) use json::JsonBuffer;
pub(in crate::venue) use levels::{DIFF_LEVELS_MAX, read_levels};
pub(in crate::venue) use scanner::Scanner;
