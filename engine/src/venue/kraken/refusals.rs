//! The venue's words on what it did not do. It tells no codes: those that this engine tells are the
//! places in this table, from 1; 0 is any other word.
//!
//! Source: "Errors" of the REST pages, and replies on record. A word may go on behind what stands
//! here (`EService:Throttled: 1700000000`).

use crate::event::RejectReason;
use crate::venue::protocol::Outcome;

/// No such order, or none that is open.
pub(in crate::venue) const UNKNOWN_ORDER: i32 = 1;
/// The number of a request is not above that of the last one.
pub(super) const INVALID_NONCE: i32 = 25;
/// The list of the open orders does not have it, which says nothing yet.
pub(super) const NOT_OPEN_NOW: i32 = -1;

const REFUSED: Outcome = Outcome::Refused(RejectReason::Venue);

/// Codes stay what they are: a new word goes to the end.
#[rustfmt::skip]
const WORDS: [(&str, Outcome); 33] = [
    ("EOrder:Unknown order", Outcome::NotOpen),
    ("EOrder:Rate limit exceeded", Outcome::TooManyOrders),
    ("EOrder:Orders limit exceeded", REFUSED),
    ("EOrder:Insufficient funds", REFUSED),
    ("EOrder:Order minimum not met", REFUSED),
    ("EOrder:Cost minimum not met", REFUSED),
    ("EOrder:Tick size check failed", REFUSED),
    ("EOrder:Invalid price", REFUSED),
    ("EOrder:Post only order", REFUSED),
    ("EOrder:Rejected", REFUSED),
    ("EOrder:Trading agreement required", REFUSED),
    ("EGeneral:Invalid arguments", REFUSED),
    ("EGeneral:Unknown method", REFUSED),
    ("EQuery:Unknown asset pair", REFUSED),
    ("EService:Deadline elapsed", REFUSED),
    ("EService:Market in cancel_only mode", REFUSED),
    ("EService:Market in post_only mode", REFUSED),
    ("ESession:Invalid session", Outcome::NoSession),
    ("EAPI:Invalid key", Outcome::BadKey),
    ("EAPI:Invalid signature", Outcome::BadKey),
    ("EGeneral:Permission denied", Outcome::BadKey),
    ("EAPI:Rate limit exceeded", Outcome::SlowDown),
    ("EGeneral:Too many requests", Outcome::SlowDown),
    ("EService:Throttled", Outcome::SlowDown),
    // Asked again it has a higher number.
    ("EAPI:Invalid nonce", Outcome::Unknown),
    ("EGeneral:Internal error", Outcome::Unknown),
    ("EService:Unavailable", Outcome::Unknown),
    ("EService:Timeout", Outcome::Unknown),
    ("EService:Busy", Outcome::Unknown),
    ("EGeneral:Temporary lockout", Outcome::LockedOut),
    ("EOrder:Domain rate limit exceeded", Outcome::TooManyOrders),
    ("EAuth:Rate limit exceeded", Outcome::SlowDown),
    ("EAuth:Too many requests", Outcome::SlowDown),
];

/// The code of a word.
pub(in crate::venue) fn code_of(word: &str) -> i32 {
    let place = WORDS.iter().position(|(known, _)| word.starts_with(known));
    place.map_or(0, |place| place as i32 + 1)
}

/// What a code means for a request.
pub(super) fn meaning_of(code: i32) -> Option<Outcome> {
    let place = usize::try_from(code).ok()?.checked_sub(1)?;
    WORDS.get(place).map(|(_, outcome)| *outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_means_what_it_says_and_an_unknown_one_is_a_refusal_of_no_code() {
        let meaning = |word| meaning_of(code_of(word));
        assert_eq!(code_of("EOrder:Unknown order"), UNKNOWN_ORDER);
        assert_eq!(meaning("EOrder:Unknown order"), Some(Outcome::NotOpen));
        assert_eq!(meaning("EOrder:Rate limit exceeded"), Some(Outcome::TooManyOrders));
        assert_eq!(meaning("EService:Throttled: 1700000000"), Some(Outcome::SlowDown));
        assert_eq!(meaning("EGeneral:Invalid arguments:volume"), Some(REFUSED));
        assert_eq!(meaning("EAPI:Invalid signature"), Some(Outcome::BadKey));
        assert_eq!(meaning("EService:Unavailable"), Some(Outcome::Unknown));
        assert_eq!(meaning("EGeneral:Temporary lockout"), Some(Outcome::LockedOut));
        assert_eq!(meaning("ESession:Invalid session"), Some(Outcome::NoSession));
        assert_eq!(code_of("EAPI:Invalid nonce"), INVALID_NONCE);
        assert_eq!((code_of("Moon"), meaning("Moon")), (0, None));
    }

    #[test]
    fn no_word_hides_behind_a_shorter_one() {
        for (place, (word, _)) in WORDS.iter().enumerate() {
            assert_eq!(code_of(word), place as i32 + 1, "{word}");
        }
    }
}
