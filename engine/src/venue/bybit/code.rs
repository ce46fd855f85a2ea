//! The venue's codes, and ours beside them.

use crate::venue::codec::{DecodeError, Value, signed};

/// The account was not granted what is asked of it. The venue has codes above 0 alone.
pub(super) const NOT_GRANTED: i32 = -4;

/// The field `retCode`.
pub(super) fn need_code(code: Value<'_, '_>) -> Result<i32, DecodeError> {
    let code = code.and_then(signed).and_then(|code| i32::try_from(code).ok());
    code.ok_or(DecodeError::field("field retCode missing or no integer"))
}
