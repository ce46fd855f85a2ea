//! The tokens of requests: whose they are, for what, for how long, and that each that changes
//! something is used once.

use std::collections::VecDeque;

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::Value;

use crate::venue::simulated::moment::Moment;

/// Bytes of an Ed25519 key's public half; one for ECDSA has 65.
const ED25519_BYTES: usize = 32;
/// A token is good for two minutes at most, s.
const LIFE_MAX_S: i64 = 120;
/// How far clocks may be apart, s.
const LEEWAY_S: i64 = 5;
/// Numbers that were used and are remembered.
const USED_MAX: usize = 10_000;
/// The host of every token.
const HOST: &str = "api.coinbase.com";

/// The account's key, and what was used.
pub(super) struct Tokens {
    name: String,
    public: Vec<u8>,
    used: VecDeque<String>,
}

impl Tokens {
    pub(super) fn new(name: &str, public: &[u8]) -> Tokens {
        Tokens { name: name.to_owned(), public: public.to_vec(), used: VecDeque::new() }
    }

    /// Whether a token opens the account: for this method and path over REST, or for a WebSocket.
    pub(super) fn opens(&mut self, token: &str, rest: Option<(&str, &str)>, now: Moment) -> bool {
        let Some(nonce) = self.nonce_of(token, rest, now.epoch_ms / 1_000) else { return false };
        if rest.is_none_or(|(method, _)| method != "POST") {
            return true;
        }
        if self.used.contains(&nonce) {
            return false;
        }
        if self.used.len() == USED_MAX {
            self.used.pop_front();
        }
        self.used.push_back(nonce);
        true
    }

    /// The number of a token that is good.
    fn nonce_of(&self, token: &str, rest: Option<(&str, &str)>, now_s: i64) -> Option<String> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        let json = |part: &str| serde_json::from_slice::<Value>(&bytes(part)?).ok();
        let (header, payload) = (json(header)?, json(payload)?);
        let is_verified = match (self.public.len() == ED25519_BYTES, header["alg"].as_str()?) {
            (true, "EdDSA") => UnparsedPublicKey::new(&ED25519, &self.public)
                .verify(signed.as_bytes(), &bytes(signature)?),
            (false, "ES256") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public)
                .verify(signed.as_bytes(), &bytes(signature)?),
            _ => return None,
        };
        is_verified.ok()?;
        let (from, until) = (payload["nbf"].as_i64()?, payload["exp"].as_i64()?);
        let is_of_now = from <= now_s + LEEWAY_S && now_s < until && until - from <= LIFE_MAX_S;
        let uri = rest.map(|(method, path)| format!("{method} {HOST}{path}"));
        let is_for_it = payload["uri"].as_str() == uri.as_deref();
        let is_its = header["kid"] == self.name.as_str() && payload["sub"] == self.name.as_str();
        let is_all = payload["iss"] == "cdp" && header["typ"] == "JWT";
        let nonce = header["nonce"].as_str().filter(|nonce| nonce.len() >= 16)?;
        (is_of_now && is_for_it && is_its && is_all).then(|| nonce.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::coinbase::CoinbaseKey;
    use crate::venue::protocol::Signer;
    use crate::world::SplitMix64;

    const PATH: (&str, &str) = ("POST", "/api/v3/brokerage/orders");
    const NOW: Moment = Moment { ns: 0, epoch_ms: 1_700_000_000_000 };

    fn token(key: &mut CoinbaseKey, rest: Option<(&str, &str)>, ms: i64) -> String {
        let mut out = Vec::new();
        key.write(rest, b"", ms, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_token_opens_the_account_once_for_its_request_and_its_time() {
        let drawn =
            |name: &str, seed| CoinbaseKey::drawn(name, &mut SplitMix64::new(seed)).unwrap();
        let mut key = drawn("key", 1);
        let mut tokens = Tokens::new("key", &key.verifying_key());
        let good = token(&mut key, Some(PATH), NOW.epoch_ms);
        assert!(tokens.opens(&good, Some(PATH), NOW));
        assert!(!tokens.opens(&good, Some(PATH), NOW), "used before");
        let mut opens = |key: &mut CoinbaseKey, of: Option<(&str, &str)>, rest, ms| {
            let token = token(key, of, ms);
            tokens.opens(&token, rest, NOW)
        };
        assert!(opens(&mut key, None, None, NOW.epoch_ms), "that of a WebSocket");
        let other = ("GET", "/api/v3/brokerage/accounts");
        assert!(!opens(&mut key, Some(other), Some(PATH), NOW.epoch_ms), "for another request");
        assert!(!opens(&mut key, None, Some(PATH), NOW.epoch_ms), "for no request");
        assert!(!opens(&mut key, Some(PATH), Some(PATH), NOW.epoch_ms - 11_000), "expired");
        assert!(!opens(&mut key, Some(PATH), Some(PATH), NOW.epoch_ms + 7_000), "not yet good");
        assert!(!opens(&mut drawn("key", 2), Some(PATH), Some(PATH), NOW.epoch_ms), "other key");
        assert!(!opens(&mut drawn("kez", 1), Some(PATH), Some(PATH), NOW.epoch_ms), "other name");
        assert!(!tokens.opens("", Some(PATH), NOW) && !tokens.opens("a.b.c", Some(PATH), NOW));
    }
}
