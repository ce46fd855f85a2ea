//! The venue's words on what it did not do. It tells no codes: those that this engine tells are the
//! places in this table, from 1; -3 is any other word, which the log names, and 0 none at all.
//!
//! Source: "Create Order" and "Cancel Orders" of the venue's reference, its client, and replies on
//! record. A new order that is refused is answered with status 200 and a word.

use crate::event::RejectReason;
use crate::venue::protocol::{Failure, Outcome};

/// There is no such order.
pub(in crate::venue) const NOT_FOUND: i32 = 1;
/// Too many requests.
pub(in crate::venue) const RATE_LIMITED: i32 = 3;
/// The token opens nothing.
pub(in crate::venue) const UNAUTHORIZED: i32 = 5;
/// The part of the list that was asked for does not have it, which says nothing yet.
pub(super) const NOT_LISTED: i32 = -1;

/// The list goes on, or has grown, and is read on later, which says nothing of the order yet.
pub(super) const NOT_IN_TIME: i32 = -2;
/// A word that is not in this table.
const OTHER_WORD: i32 = -3;

const REFUSED: Outcome = Outcome::Refused(RejectReason::Venue);

/// Codes stay what they are: a new word goes to the end.
#[rustfmt::skip]
const WORDS: [(&str, Outcome); 44] = [
    ("NOT_FOUND", Outcome::NoSuchOrder),
    ("UNKNOWN_CANCEL_ORDER", Outcome::NotOpen),
    ("rate_limit_exceeded", Outcome::SlowDown),
    ("authentication failure", Outcome::BadKey),
    ("Unauthorized", Outcome::BadKey),
    ("PERMISSION_DENIED", Outcome::BadKey),
    ("INVALID_CANCEL_REQUEST", Outcome::NotOpen),
    ("COMMANDER_REJECTED_CANCEL_ORDER", REFUSED),
    // One is under way: what becomes of it is asked for.
    ("DUPLICATE_CANCEL_REQUEST", Outcome::Unknown),
    ("UNKNOWN_CANCEL_FAILURE_REASON", Outcome::Unknown),
    ("INSUFFICIENT_FUND", REFUSED),
    ("INSUFFICIENT_FUNDS", REFUSED),
    ("PREVIEW_INSUFFICIENT_FUND", REFUSED),
    ("INVALID_LIMIT_PRICE_POST_ONLY", REFUSED),
    ("PREVIEW_INVALID_LIMIT_PRICE_POSTONLY", REFUSED),
    ("INVALID_PRODUCT_ID", REFUSED),
    ("UNSUPPORTED_ORDER_CONFIGURATION", REFUSED),
    ("INVALID_ARGUMENT", REFUSED),
    ("INVALID_REQUEST", REFUSED),
    ("INVALID_SIZE_PRECISION", REFUSED),
    ("INVALID_PRICE_PRECISION", REFUSED),
    ("INVALID_LIMIT_PRICE", REFUSED),
    ("INVALID_NO_LIQUIDITY", REFUSED),
    ("PREVIEW_INVALID_BASE_SIZE_TOO_SMALL", REFUSED),
    ("PREVIEW_INVALID_BASE_SIZE_TOO_LARGE", REFUSED),
    ("PREVIEW_INVALID_PRICE_TOO_SMALL", REFUSED),
    ("ORDER_ENTRY_DISABLED", REFUSED),
    ("UNKNOWN_FAILURE_REASON", REFUSED),
    ("INTERNAL", Outcome::Unknown),
    ("UNAVAILABLE", Outcome::Unknown),
    ("INVALID_CANCEL_PRODUCT_ID", Outcome::NotOpen),
    ("NOT_ALLOWED_TO_CANCEL", REFUSED),
    ("ORDER_IS_FULLY_FILLED", Outcome::NotOpen),
    // It goes on under its name.
    ("ORDER_IS_BEING_REPLACED", Outcome::Unknown),
    ("COMMANDER_REJECTED_EDIT_ORDER", REFUSED),
    ("CANNOT_EDIT_TO_BELOW_FILLED_SIZE", REFUSED),
    ("ORDER_NOT_FOUND", Outcome::NotOpen),
    ("ONLY_LIMIT_ORDER_EDITS_SUPPORTED", REFUSED),
    ("INVALID_EDITED_SIZE", REFUSED),
    ("INVALID_EDITED_PRICE", REFUSED),
    ("EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST", REFUSED),
    ("ONLY_OPEN_ORDERS_CAN_BE_EDITED", Outcome::NotOpen),
    ("ORDER_IS_ALREADY_BEING_REPLACED", REFUSED),
    ("UNKNOWN_EDIT_ORDER_FAILURE_REASON", REFUSED),
];

/// The code of a word.
pub(in crate::venue) fn code_of(word: &str) -> i32 {
    let place = WORDS.iter().position(|(known, _)| *known == word);
    place.map_or(0, |place| place as i32 + 1)
}

/// A failure of this status, for which the venue has this word, and the code that goes with them.
pub(super) fn failure_of<'a>(status: u16, word: &'a str, message: &'a str) -> Failure<'a> {
    let code = match (code_of(word), status) {
        (0, 401 | 403) => UNAUTHORIZED,
        (0, 404) => NOT_FOUND,
        // The pages name no 418; at other venues it is a ban of the address that went on at 429.
        (0, 418 | 429) => RATE_LIMITED,
        // The word itself is what is to be known of it.
        (0, _) if !word.is_empty() => {
            return Failure { unknown: Some(word), ..Failure::of(status, OTHER_WORD, word) };
        }
        (code, _) => code,
    };
    Failure::of(status, code, message)
}

/// What a failure means for the request.
pub(super) fn meaning_of(failure: &Failure<'_>) -> Outcome {
    // What a server in trouble says of an order is no word on it; nor is that the request took too
    // long, is there already, or was done in another way than the one on record.
    if failure.status >= 500 || matches!(failure.status, 201..=299 | 408 | 409 | 499) {
        return Outcome::Unknown;
    }
    match failure.code {
        NOT_LISTED => return Outcome::NotListed,
        NOT_IN_TIME => return Outcome::Unknown,
        _ => {}
    }
    let place = usize::try_from(failure.code).ok().and_then(|code| code.checked_sub(1));
    place.and_then(|place| WORDS.get(place)).map_or(REFUSED, |(_, outcome)| *outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_means_what_it_says_and_a_server_in_trouble_says_nothing() {
        let meaning = |status, word| meaning_of(&failure_of(status, word, ""));
        assert_eq!(meaning(200, "INSUFFICIENT_FUND"), REFUSED);
        assert_eq!(meaning(200, "UNKNOWN_CANCEL_ORDER"), Outcome::NotOpen);
        assert_eq!(meaning(200, "MOON"), REFUSED);
        assert_eq!(meaning(404, ""), Outcome::NoSuchOrder);
        for status in [418, 429] {
            assert_eq!(meaning(status, ""), Outcome::SlowDown);
        }
        for status in [401, 403] {
            assert_eq!(meaning(status, ""), Outcome::BadKey);
        }
        let moon = Failure { unknown: Some("MOON"), ..Failure::of(200, OTHER_WORD, "MOON") };
        assert_eq!(failure_of(200, "MOON", "no"), moon);
        for status in [201, 202, 204, 408, 409, 499, 500, 502, 503, 504] {
            assert_eq!(meaning(status, "INVALID_PRODUCT_ID"), Outcome::Unknown);
        }
        assert_eq!(meaning_of(&Failure::of(200, NOT_LISTED, "")), Outcome::NotListed);
        assert_eq!(meaning_of(&Failure::of(200, NOT_IN_TIME, "")), Outcome::Unknown);
        let named = [NOT_FOUND, RATE_LIMITED, UNAUTHORIZED];
        let words = ["NOT_FOUND", "rate_limit_exceeded", "Unauthorized"];
        assert_eq!(words.map(code_of), named);
    }
}
