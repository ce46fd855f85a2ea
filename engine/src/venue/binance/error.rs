//! Why a frame was refused.

use thiserror::Error;

use crate::event::{FixedError, InstrumentId};
use crate::venue::LetterReason;

/// Why a frame was refused. Small and static: making one never allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("[binance] decode failed: {detail}")]
pub struct DecodeError {
    /// The reason under which the frame is kept as a dead letter.
    pub reason: LetterReason,
    /// What was wrong, such as `field q missing`.
    pub detail: &'static str,
    /// The instrument whose book lost a diff with this frame, where that much could be read.
    pub book: Option<InstrumentId>,
}

impl DecodeError {
    pub(super) const fn new(reason: LetterReason, detail: &'static str) -> DecodeError {
        DecodeError { reason, detail, book: None }
    }

    pub(super) const fn malformed(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Malformed, detail)
    }

    pub(super) const fn unknown(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Unknown, detail)
    }

    pub(super) const fn field(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Field, detail)
    }

    pub(super) const fn number(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Number, detail)
    }

    pub(super) const fn nonsense(detail: &'static str) -> DecodeError {
        DecodeError::new(LetterReason::Nonsense, detail)
    }

    pub(super) const fn symbol() -> DecodeError {
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
    fn reads_like_every_other_error_of_a_venue() {
        let error = DecodeError::field("field q missing");
        assert_eq!(error.to_string(), "[binance] decode failed: field q missing");
    }
}
