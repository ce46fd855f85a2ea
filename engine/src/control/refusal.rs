//! Why a request was not carried out.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::limits::{ID_BYTES_MAX, LINE_BYTES_MAX, VERSION};
use crate::event::ControlCode;

/// Why a request was not carried out. Each has a code that stays the same ([`Refusal::code`]).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("the line is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("the line was not finished in time")]
    HalfLine,
    #[error("the line is no UTF-8 text")]
    NotUtf8,
    #[error("the line is no JSON object: {reason}")]
    Malformed { reason: String },
    #[error("the request must name \"version\": {VERSION}, not {given}")]
    Version { given: String },
    #[error("there is no verb {verb:?}")]
    UnknownVerb { verb: String, suggestion: Option<String> },
    #[error("{verb} has no field {field:?}")]
    UnknownField { verb: String, field: String, suggestion: Option<String> },
    #[error("{verb}: {problem}")]
    BadField { verb: String, problem: String },
    #[error("the id is longer than {ID_BYTES_MAX} bytes")]
    IdTooLong,
    #[error("the id {id:?} was used for another request")]
    IdReused { id: String },
    #[error("too many requests: {per_s} a second are taken from one client")]
    RateLimited { per_s: u32 },
    #[error("{most} clients are connected already: from more, only a kill is taken")]
    TooManyClients { most: usize },
    #[error("user {uid} may not control this engine")]
    WrongUser { uid: u32 },
    #[error("there is no {what} {name:?}")]
    UnknownName { what: &'static str, name: String, suggestion: Option<String> },
    #[error("no flip: {reason}")]
    Flip { code: ControlCode, reason: String },
    #[error("{operation} failed: {reason}")]
    Failed { operation: String, reason: String },
    #[error("the engine is stopping")]
    Stopping,
}

/// A refusal as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalText {
    /// What kind it is; see [`Refusal::code`].
    pub code: String,
    /// For a person.
    pub message: String,
    /// What may have been meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Refusal {
    /// The refusal of a name that is not among `known`, with the one most like it.
    #[must_use]
    pub fn unknown_name<'a>(
        what: &'static str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Refusal {
        let suggestion = most_alike(name, known).map(str::to_owned);
        Refusal::UnknownName { what, name: shortened(name), suggestion }
    }

    /// Whether asking again may come out differently: the answer is then not kept for a repetition.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Refusal::Flip { code, .. } => {
                matches!(code, ControlCode::Deadline | ControlCode::QueueFull)
            }
            _ => false,
        }
    }

    /// A word for programs that stays the same.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::LineTooLong => "line_too_long",
            Refusal::HalfLine => "half_line",
            Refusal::NotUtf8 => "not_utf8",
            Refusal::Malformed { .. } => "malformed",
            Refusal::Version { .. } => "version",
            Refusal::UnknownVerb { .. } => "unknown_verb",
            Refusal::UnknownField { .. } => "unknown_field",
            Refusal::BadField { .. } => "bad_field",
            Refusal::IdTooLong => "id_too_long",
            Refusal::IdReused { .. } => "id_reused",
            Refusal::RateLimited { .. } => "rate_limited",
            Refusal::TooManyClients { .. } => "too_many_clients",
            Refusal::WrongUser { .. } => "wrong_user",
            Refusal::UnknownName { .. } => "unknown_name",
            Refusal::Flip { code, .. } => code.name(),
            Refusal::Failed { .. } => "failed",
            Refusal::Stopping => "stopping",
        }
    }

    /// What may have been meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Refusal::UnknownVerb { suggestion, .. }
            | Refusal::UnknownField { suggestion, .. }
            | Refusal::UnknownName { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }

    /// The refusal as it travels.
    #[must_use]
    pub fn text(&self) -> RefusalText {
        RefusalText {
            code: self.code().to_owned(),
            message: self.to_string(),
            suggestion: self.suggestion().map(str::to_owned),
        }
    }
}

/// The word most like `word`; `None` when none is like it.
#[must_use]
pub fn most_alike<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes time in the product of the lengths; no name is that long.
    let word = word.get(..word.len().min(WORD_BYTES_MAX)).unwrap_or_default();
    crate::config::most_alike(word, known)
}

/// Bytes of a client's word that are compared or given back.
const WORD_BYTES_MAX: usize = 64;

/// The beginning of a client's word, so that an answer and a log line stay short.
pub(super) fn shortened(word: &str) -> String {
    if word.len() <= WORD_BYTES_MAX {
        return word.to_owned();
    }
    let end = (0..=WORD_BYTES_MAX).rev().find(|at| word.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &word[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_gets_a_suggestion() {
        let known = ["noop", "momentum", "market_maker"];
        let refusal = Refusal::unknown_name("consumer", "momentun", known.into_iter());
        assert_eq!(refusal.suggestion(), Some("momentum"));
        assert_eq!(refusal.to_string(), "there is no consumer \"momentun\"");
        let refusal = Refusal::unknown_name("consumer", "x", known.into_iter());
        assert_eq!(refusal.suggestion(), None);
    }

    #[test]
    fn a_clients_word_is_never_given_back_at_length() {
        let long = "\u{e9}".repeat(10_000);
        let refusal = Refusal::unknown_name("venue", &long, ["simulated"].into_iter());
        assert!(refusal.to_string().len() < 200);
    }
}
