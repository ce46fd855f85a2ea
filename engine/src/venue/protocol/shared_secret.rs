//! A secret that a venue shares with its client, with which requests are signed: HMAC-SHA256.

use std::fmt;

use ring::hmac;

use super::{KeyError, Keys, Signer};
use crate::text::hide;
use crate::world::SplitMix64;

/// An API key and what belongs to it: `LINES` texts, of which the first one signs. A venue that
/// gives a passphrase with each key has it in the second.
pub struct SharedSecret<const LINES: usize> {
    api_key: String,
    lines: [String; LINES],
    key: hmac::Key,
}

impl<const LINES: usize> SharedSecret<LINES> {
    /// The key of these texts.
    pub(in crate::venue) fn new(api_key: &str, lines: [String; LINES]) -> SharedSecret<LINES> {
        const { assert!(LINES > 0, "one of them signs") };
        lines.iter().for_each(|line| hide(line));
        let key = hmac::Key::new(hmac::HMAC_SHA256, lines[0].as_bytes());
        SharedSecret { api_key: api_key.to_owned(), lines, key }
    }

    /// What the key is called at the venue.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The text behind the secret, where the venue gives one.
    pub(in crate::venue) fn passphrase(&self) -> &str {
        self.lines.get(1).map_or("", String::as_str)
    }

    /// The signature of a text, 32 bytes.
    pub(in crate::venue) fn sign(&self, text: &str) -> hmac::Tag {
        hmac::sign(&self.key, text.as_bytes())
    }

    /// The signature of a text, in base64.
    #[must_use]
    pub fn sign_base64(&self, text: &str) -> String {
        data_encoding::BASE64.encode(self.sign(text).as_ref())
    }
}

impl<const LINES: usize> Signer for SharedSecret<LINES> {
    /// Reads a file of `LINES` lines.
    fn read(keys: Keys<'_>) -> Result<SharedSecret<LINES>, KeyError> {
        let text = keys.read_text()?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        let lines = lines.try_into().map_err(|lines: Vec<String>| KeyError::WrongKind {
            path: keys.private_key_file.to_owned(),
            expected: match LINES {
                1 => "a file of one line: the secret",
                _ => "a file of two lines: the secret, and the passphrase",
            },
            reason: format!("{} lines", lines.len()),
        })?;
        Ok(SharedSecret::new(keys.api_key, lines))
    }

    fn drawn(api_key: &str, random: &mut SplitMix64) -> Result<SharedSecret<LINES>, KeyError> {
        let lines = std::array::from_fn(|_| format!("{:016X}", random.next_u64()).repeat(2));
        Ok(SharedSecret::new(api_key, lines))
    }

    fn verifying_key(&self) -> Vec<u8> {
        self.lines.join("\n").into_bytes()
    }
}

impl<const LINES: usize> fmt::Debug for SharedSecret<LINES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        // Its second test case: a key that is shorter than the hash.
        let secret = SharedSecret::new("key", ["Jefe".to_owned()]);
        let signature =
            data_encoding::HEXLOWER.encode(secret.sign("what do ya want for nothing?").as_ref());
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature, expected);
    }

    #[test]
    fn what_verifies_is_what_was_drawn_and_nothing_is_shown() {
        let drawn = SharedSecret::<2>::drawn("key", &mut SplitMix64::new(7)).unwrap();
        let lines = String::from_utf8(drawn.verifying_key()).unwrap();
        let (secret, passphrase) = lines.split_once('\n').unwrap();
        assert_eq!((secret, passphrase), (drawn.lines[0].as_str(), drawn.passphrase()));
        assert_ne!(secret, passphrase);
        assert_eq!(format!("{drawn:?}"), "SharedSecret(hidden)");
    }
}
