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

fn is_dangerous(character: char) -> bool {
    let is_layout = matches!(character, '\n' | '\t');
    let reorders = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    (character.is_control() && !is_layout) || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(escaped("plain, 币安 and\ttabs\n"), "plain, 币安 and\ttabs\n");
        assert_eq!(escaped("\u{1b}]0;title\u{7}\u{1b}[2J"), "\\u{1b}]0;title\\u{7}\\u{1b}[2J");
        assert_eq!(escaped("a\rb\u{9b}2J\u{202e}c"), "a\\u{d}b\\u{9b}2J\\u{202e}c");
    }
}
