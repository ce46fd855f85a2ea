//! A request's text, written without formatting machinery.

use crate::event::push_scaled;

/// Writes into a buffer that is kept. What is written needs no escaping: words of ours, and names
/// of letters, digits and dashes.
pub(in crate::venue) struct JsonText<'a>(pub(in crate::venue) &'a mut Vec<u8>);

impl JsonText<'_> {
    #[inline]
    pub(in crate::venue) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    #[inline]
    pub(in crate::venue) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    pub(in crate::venue) fn integer(&mut self, integer: impl itoa::Integer) {
        self.bytes(itoa::Buffer::new().format(integer).as_bytes());
    }

    /// `,"NAME":NUMBER`, of a number in units of 10^-`scale`.
    #[inline]
    pub(in crate::venue) fn bare_number(&mut self, name: &str, value: i64, scale: u8) {
        self.text(",\"");
        self.text(name);
        self.text("\":");
        push_scaled(self.0, value, scale);
    }

    /// `,"NAME":"NUMBER"`, of a number in units of 10^-`scale`.
    #[inline]
    pub(in crate::venue) fn number(&mut self, name: &str, value: i64, scale: u8) {
        self.text(",\"");
        self.text(name);
        self.text("\":\"");
        push_scaled(self.0, value, scale);
        self.text("\"");
    }
}
