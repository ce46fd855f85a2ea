//! Text for people: what a venue, a file or a peer says must not steer a terminal, nor give a key
//! away.

mod secrets;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use secrets::{MASK, hide, hide_passing, masked, masked_bytes};

/// The text as it may be shown to a person: secrets masked, control characters written out.
#[must_use]
pub fn shown(text: &str) -> String {
    escaped(&masked(text)).into_owned()
}

/// The text with every control character written out (`\\u{1b}`); line ends and tabs stay.
///
/// Everything that did not come from this program passes here before it reaches a terminal: an
/// escape sequence could clear the screen, retitle the window, or hide the line before (F39).
/// Characters that reorder the line count too.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_dangerous(character) {
            // A string takes everything.
            let _written = write!(safe, "\\u{{{:x}}}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// The same of JSON, which stays what it is: its writers put out the control characters of ASCII
/// as `\\u001b`, and leave those above (`\\u009b` begins a sequence as escape does) and what
/// reorders a line as they are. Such characters stand in strings alone.
#[must_use]
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    if json.is_ascii() || !json.chars().any(is_dangerous_in_json) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_dangerous_in_json(character) {
            let _written = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Whether a character does more to a terminal than to take its place: steers it, ends or reorders
/// the line. Line feeds and tabs do not count.
#[must_use]
pub fn is_dangerous(character: char) -> bool {
    let is_layout = matches!(character, '\n' | '\t');
    let reorders = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let ends_a_line = matches!(character, '\u{2028}' | '\u{2029}');
    (character.is_control() && !is_layout) || reorders || ends_a_line
}

/// Those of which a JSON writer leaves some. All are below 2^16: one escape each.
fn is_dangerous_in_json(character: char) -> bool {
    !character.is_ascii() && is_dangerous(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(escaped("plain, 币安 and\ttabs\n"), "plain, 币安 and\ttabs\n");
        assert_eq!(escaped("\u{1b}]0;title\u{7}\u{1b}[2J"), "\\u{1b}]0;title\\u{7}\\u{1b}[2J");
        assert_eq!(escaped("a\rb\u{9b}2J\u{202e}c"), "a\\u{d}b\\u{9b}2J\\u{202e}c");
        assert_eq!(escaped("a\u{2028}b"), "a\\u{2028}b");
    }

    #[test]
    fn json_stays_the_same_value_and_steers_nothing() {
        let text = "币 \u{1b}[2J \u{9b}31m \u{7f} \u{202e}c \u{2028} \u{85}";
        let json = serde_json::to_string(text).unwrap();
        let safe = escaped_json(&json);
        assert!(!safe.chars().any(|character| !character.is_ascii() && is_dangerous(character)));
        assert!(safe.contains("\\u009b31m") && safe.contains('币'), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        assert!(matches!(escaped_json("{\"a\":\"币\"}"), Cow::Borrowed(_)));
    }
}
