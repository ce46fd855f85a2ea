//! Reading what venues write: JSON on reused memory, its fields, decimal numbers and price levels.
//!
//! Knows no venue: each protocol says which fields a frame has and what they mean.

mod digits;
mod error;
mod fields;
mod json;
mod json_text;
mod levels;
mod object;
mod plain_number;
mod plain_tape;
mod plausible;
mod raw_text;
mod scanner;

pub use error::DecodeError;
pub(in crate::venue) use fields::{
    Letters, boolean, elements, is_null, members, milliseconds_to_ns, signed, text, unsigned,
};
pub(in crate::venue) use json::JsonBuffer;
pub(in crate::venue) use json_text::JsonText;
pub(in crate::venue) use levels::{DIFF_LEVELS_MAX, read_levels, read_wide_levels};
pub(in crate::venue) use object::{
    Value, need_date_ns, need_elements, need_number, need_scaled, need_text, need_time_ns,
    need_unsigned, need_word, number_of, number_or_none, pick,
};
pub(in crate::venue) use plain_number::PlainNumber;
pub(in crate::venue) use plausible::{
    bar_of, best_of, check_bar, check_mark, check_quote, make_trade, quote_of, trade_of,
};
pub(in crate::venue) use raw_text::{number_after, parse_cut, text_after};
pub(in crate::venue) use scanner::Scanner;
