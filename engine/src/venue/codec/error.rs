//! Why a frame was refused.

use thiserror::Error;

use crate::event::{FixedError, InstrumentId};
use crate::venue::LetterReason;

/// Why a frame was refused. Small and static: making one never allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("decode failed: {detail}")]
pub struct DecodeError {
    /// The reason under which the frame is kept as a dead letter.
    pub reason: LetterReason,
    /// What was wrong, such as `field q missing`.
    pub detail: &'static str,
    /// The instrument whose book lost a diff with this frame, where that much could be read.
    pub book: Option<InstrumentId>,
}

impl DecodeError {
    /// One that a frame is kept under this reason for.
    #[must_use]
    pub const fn new(reason: LetterReason, detail: &'static str) -> DecodeError {
        DecodeError { reason, detail, book: None }
    }

    /// A frame of another form than those of the protocol.
    #[must_use]
    pub const fn malformed(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Malformed, detail)
    }

    /// A word that is not known.
    #[must_use]
    pub const fn unknown(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Unknown, detail)
    }

    /// A field that is missing, or of another type.
    #[must_use]
    pub const fn field(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Field, detail)
    }

    /// A number that is none, or out of range.
    #[must_use]
    pub const fn number(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Number, detail)
    }

    /// What can be read, and can't be.
    #[must_use]
    pub const fn nonsense(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Nonsense, detail)
    }

    /// A symbol that is not configured.
    #[must_use]
    pub const fn symbol() -> DecodeError {
        DecodeError::new(LetterReason::Symbol, "symbol not configured")
    }
}

impl From<FixedError> for DecodeError {
    fn from(error: FixedError) -> DecodeError {
        DecodeError::number(match error {
            FixedError::Empty => "empty number",
            FixedError::NotDecimal => "not a plain decimal number",
            FixedError::TooPrecise => "more decimal places than the instrument's scale",
            FixedError::OutOfRange => "number out of range",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_every_other_failure() {
        let error = DecodeError::field("field q missing");
        assert_eq!(error.to_string(), "decode failed: field q missing");
    }
}
