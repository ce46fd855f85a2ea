//! What Kraken's requests over REST are signed with: HMAC-SHA512 of the path and of a hash of what
//! is posted. Over the WebSocket a token stands for it.
//!
//! Source: "Spot REST Authentication".

use std::fmt;

use ring::{digest, hmac};

use crate::text::hide;
use crate::venue::protocol::{KeyError, Keys, Signer};
use crate::world::SplitMix64;

/// An API key and its private half.
pub struct KrakenSecret {
    api_key: String,
    /// As the venue gives it, in base64.
    private: String,
    key: hmac::Key,
}

impl KrakenSecret {
    /// `None` when `private` is no base64.
    fn new(api_key: &str, private: &str) -> Option<KrakenSecret> {
        let bytes = data_encoding::BASE64.decode(private.as_bytes()).ok()?;
        hide(private);
        let key = hmac::Key::new(hmac::HMAC_SHA512, &bytes);
        Some(KrakenSecret { api_key: api_key.to_owned(), private: private.to_owned(), key })
    }

    /// What the key is called at the venue.
    pub(super) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The signature of what is posted to a path, in base64.
    pub(super) fn sign(&self, path: &str, nonce: u64, posted: &str) -> String {
        let text = signed_text(path, &nonce.to_string(), posted);
        data_encoding::BASE64.encode(hmac::sign(&self.key, &text).as_ref())
    }
}

/// What is signed.
pub(in crate::venue) fn signed_text(path: &str, nonce: &str, posted: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, format!("{nonce}{posted}").as_bytes());
    [path.as_bytes(), hash.as_ref()].concat()
}

impl Signer for KrakenSecret {
    /// Reads a file of one line.
    fn read(keys: Keys<'_>) -> Result<KrakenSecret, KeyError> {
        let text = keys.read_text()?;
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let wrong = |reason: String| KeyError::WrongKind {
            path: keys.private_key_file.to_owned(),
            expected: "a file of one line: the private key as the venue shows it",
            reason,
        };
        let [private] = lines[..] else { return Err(wrong(format!("{} lines", lines.len()))) };
        let secret = KrakenSecret::new(keys.api_key, private);
        secret.ok_or_else(|| wrong("not base64".to_owned()))
    }

    fn drawn(api_key: &str, random: &mut SplitMix64) -> Result<KrakenSecret, KeyError> {
        let bytes: Vec<u8> = (0..8).flat_map(|_| random.next_u64().to_be_bytes()).collect();
        let private = data_encoding::BASE64.encode(&bytes);
        KrakenSecret::new(api_key, &private).ok_or(KeyError::NoRandom)
    }

    fn verifying_key(&self) -> Vec<u8> {
        self.private.as_bytes().to_vec()
    }
}

impl fmt::Debug for KrakenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KrakenSecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_on_the_venues_own_page() {
        let private = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
        let secret = KrakenSecret::new("key", private).unwrap();
        let posted =
            "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
        let expected = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==";
        assert_eq!(secret.sign("/0/private/AddOrder", 1_616_492_376_594, posted), expected);
        assert_eq!(format!("{secret:?}"), "KrakenSecret(hidden)");
        assert!(KrakenSecret::new("key", "no base64!").is_none());
    }

    #[test]
    fn what_verifies_is_what_was_drawn() {
        let drawn = KrakenSecret::drawn("key", &mut SplitMix64::new(7)).unwrap();
        assert_eq!(drawn.verifying_key(), drawn.private.as_bytes());
        let other = KrakenSecret::drawn("key", &mut SplitMix64::new(8)).unwrap();
        assert_ne!(drawn.sign("/p", 1, "x"), other.sign("/p", 1, "x"));
    }
}
