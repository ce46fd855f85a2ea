//! The tokens that stand for an account: a JWT for each request, signed with its key.
//!
//! Source: the venue's "API Key Authentication" page and its own client. The header names the
//! algorithm, the key and a number that is used once; the payload says from when and until when it
//! is good, and, over REST, for which method and path: without the query, and always with the
//! venue's public host. Each request has one of its own.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest;

use super::key::{AccountKey, SEED_BYTES};
use crate::venue::protocol::{KeyError, Keys, Signer};
use crate::world::SplitMix64;

/// The host of every token, wherever the request goes.
const HOST: &str = "api.coinbase.com";
/// So long a token is good, s. The venue takes two minutes at most; an order that reaches it later
/// than its token says is refused, so this is also the longest time that one may be on its way.
const LIFE_S: i64 = 10;
/// Bytes of the number that is used once.
const NONCE_BYTES: usize = 16;
/// Bytes of a token's parts for which there is room from the start.
const PART_BYTES: usize = 512;

/// An account's key, and what it is called at the venue.
pub struct CoinbaseKey {
    name: String,
    key: AccountKey,
    /// What numbers that are used once are made of, and how many there were.
    nonce_seed: [u8; 32],
    nonces: u64,
    part: Vec<u8>,
}

impl CoinbaseKey {
    fn new(name: &str, key: AccountKey, chance: u64) -> CoinbaseKey {
        // A number that is used once has to be another one each time, and need not be a secret.
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&chance.to_be_bytes());
        context.update(&key.public());
        let mut nonce_seed = [0; 32];
        nonce_seed.copy_from_slice(context.finish().as_ref());
        let part = Vec::with_capacity(PART_BYTES);
        CoinbaseKey { name: name.to_owned(), key, nonce_seed, nonces: 0, part }
    }

    /// Appends a token for a request over REST, or for one of a WebSocket. `about`: what it asks
    /// for, so that another program with the same key, in the same millisecond, uses another
    /// number. Allocates nothing while there is room.
    #[inline]
    pub fn write(
        &mut self,
        rest: Option<(&str, &str)>,
        about: &[u8],
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        self.write_header(about, time_ms);
        push_base64(&self.part, out);
        out.push(b'.');
        self.write_payload(rest, time_ms / 1_000);
        push_base64(&self.part, out);
        let end = out.len();
        let mut signature = [0; 64];
        self.key.sign(&out[start..end], |bytes| {
            if let Some(place) = signature.get_mut(..bytes.len()) {
                place.copy_from_slice(bytes);
            }
        });
        out.push(b'.');
        push_base64(&signature, out);
    }

    fn write_header(&mut self, about: &[u8], time_ms: i64) {
        self.nonces += 1;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.nonce_seed);
        context.update(&self.nonces.to_be_bytes());
        context.update(&time_ms.to_be_bytes());
        context.update(about);
        let mut nonce = [0; 2 * NONCE_BYTES];
        HEXLOWER.encode_mut(&context.finish().as_ref()[..NONCE_BYTES], &mut nonce);
        let parts: [&[u8]; 7] = [
            br#"{"alg":""#,
            self.key.algorithm().as_bytes(),
            br#"","kid":""#,
            self.name.as_bytes(),
            br#"","nonce":""#,
            &nonce,
            br#"","typ":"JWT"}"#,
        ];
        self.part.clear();
        parts.iter().for_each(|part| self.part.extend_from_slice(part));
    }

    fn write_payload(&mut self, rest: Option<(&str, &str)>, now_s: i64) {
        let (mut from, mut until) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (method, path) = rest.unwrap_or_default();
        let uri = [r#","uri":""#, method, " ", HOST, path, r#"""#];
        let parts = [
            r#"{"iss":"cdp","sub":""#,
            &self.name,
            r#"","nbf":"#,
            from.format(now_s),
            r#","exp":"#,
            until.format(now_s + LIFE_S),
        ];
        self.part.clear();
        let uri = uri.iter().take(if rest.is_some() { uri.len() } else { 0 });
        let all = parts.iter().chain(uri).chain(&["}"]);
        all.for_each(|part| self.part.extend_from_slice(part.as_bytes()));
    }
}

#[inline]
fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + BASE64URL_NOPAD.encode_len(bytes.len()), 0);
    BASE64URL_NOPAD.encode_mut(bytes, &mut out[start..]);
}

impl Signer for CoinbaseKey {
    /// Reads a file as the venue hands it out; see `key`.
    fn read(keys: Keys<'_>) -> Result<CoinbaseKey, KeyError> {
        let text = keys.read_text()?;
        let path = || keys.private_key_file.to_owned();
        let wrong = |expected, reason| KeyError::WrongKind { path: path(), expected, reason };
        match AccountKey::read(&text) {
            Some(Ok(key)) => Ok(CoinbaseKey::new(keys.api_key, key, keys.chance)),
            Some(Err((expected, reason))) => Err(wrong(expected, reason)),
            None => Err(wrong(
                "a PEM file (BEGIN EC PRIVATE KEY, BEGIN PRIVATE KEY), or an Ed25519 key in base64",
                "of another form".to_owned(),
            )),
        }
    }

    /// An Ed25519 key: it follows from its seed, and so do its signatures.
    fn drawn(api_key: &str, random: &mut SplitMix64) -> Result<CoinbaseKey, KeyError> {
        let mut seed = [0; SEED_BYTES];
        seed.chunks_exact_mut(8)
            .for_each(|part| part.copy_from_slice(&random.next_u64().to_ne_bytes()));
        let base64 = data_encoding::BASE64.encode(&seed);
        match AccountKey::read(&base64) {
            Some(Ok(key)) => Ok(CoinbaseKey::new(api_key, key, random.next_u64())),
            _ => Err(KeyError::NoRandom),
        }
    }

    fn verifying_key(&self) -> Vec<u8> {
        self.key.public()
    }
}

impl fmt::Debug for CoinbaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CoinbaseKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_999;
    const NAME: &str = "organizations/1/apiKeys/2";

    fn key() -> CoinbaseKey {
        CoinbaseKey::drawn(NAME, &mut SplitMix64::new(7)).unwrap()
    }

    /// Header and payload of a token, and its signed text with the signature.
    fn parts(token: &[u8]) -> (Value, Value, (String, Vec<u8>)) {
        let token = str::from_utf8(token).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
        let json = |part: &str| serde_json::from_slice(&decode(part)).unwrap();
        (json(header), json(payload), (signed.to_owned(), decode(signature)))
    }

    #[test]
    fn a_part_of_a_token_is_encoded_as_in_the_rfc() {
        // RFC 7515, A.3: its header.
        let mut out = b"x".to_vec();
        push_base64(br#"{"alg":"ES256"}"#, &mut out);
        assert_eq!(out, b"xeyJhbGciOiJFUzI1NiJ9");
    }

    #[test]
    fn a_token_says_whose_it_is_for_what_and_for_how_long() {
        let mut key = key();
        let mut out = b"Bearer ".to_vec();
        key.write(Some(("GET", "/api/v3/brokerage/accounts")), b"", NOW_MS, &mut out);
        let (header, payload, (signed, signature)) = parts(out.strip_prefix(b"Bearer ").unwrap());
        let nonce = header["nonce"].as_str().unwrap();
        assert_eq!(nonce.len(), 32);
        let expected = json!({"alg": "EdDSA", "kid": NAME, "nonce": nonce, "typ": "JWT"});
        assert_eq!(header, expected);
        let expected = json!({
            "iss": "cdp", "sub": NAME, "nbf": 1_700_000_000, "exp": 1_700_000_010,
            "uri": "GET api.coinbase.com/api/v3/brokerage/accounts",
        });
        assert_eq!(payload, expected);
        let public = UnparsedPublicKey::new(&ED25519, key.verifying_key());
        assert!(public.verify(signed.as_bytes(), &signature).is_ok());
    }

    #[test]
    fn no_two_tokens_are_the_same_and_that_of_a_websocket_names_no_request() {
        let (mut key, mut out) = (key(), Vec::new());
        key.write(None, b"", NOW_MS, &mut out);
        let first = parts(&out);
        out.clear();
        key.write(None, b"", NOW_MS, &mut out);
        let second = parts(&out);
        assert_ne!(first.0["nonce"], second.0["nonce"]);
        assert_eq!((first.1.get("uri"), &first.1), (None, &second.1));
        assert_eq!(format!("{key:?}"), "CoinbaseKey(hidden)");
    }

    /// The number in the first token of a key in PEM, whose signatures are another one each time.
    fn first_nonce(chance: u64) -> Value {
        let key = AccountKey::read(&super::super::key::pem_of_test()).unwrap().unwrap();
        assert_eq!(key.algorithm(), "ES256");
        let (mut key, mut out) = (CoinbaseKey::new(NAME, key, chance), Vec::new());
        key.write(Some(("POST", "/api/v3/brokerage/orders")), b"one", NOW_MS, &mut out);
        parts(&out).0["nonce"].clone()
    }

    #[test]
    fn the_numbers_of_a_run_come_from_its_chance_whatever_the_key() {
        assert_eq!(first_nonce(1), first_nonce(1), "a replay has the same");
        assert_ne!(first_nonce(1), first_nonce(2), "another run has others");
    }

    #[test]
    fn two_programs_with_one_key_use_different_numbers_for_different_orders() {
        let nonce = |about: &[u8]| {
            let mut out = Vec::new();
            key().write(Some(("POST", "/api/v3/brokerage/orders")), about, NOW_MS, &mut out);
            parts(&out).0["nonce"].clone()
        };
        assert_eq!(nonce(b"one"), nonce(b"one"), "chance has no part in it");
        assert_ne!(nonce(b"one"), nonce(b"two"));
    }

    #[test]
    fn tokens_are_written_where_there_is_room() {
        let (mut key, mut out) = (key(), Vec::with_capacity(4_096));
        let (place, room) = (out.as_ptr(), key.part.capacity());
        for _ in 0..100 {
            out.clear();
            key.write(Some(("POST", "/api/v3/brokerage/orders")), b"order", NOW_MS, &mut out);
        }
        assert_eq!((out.as_ptr(), key.part.capacity()), (place, room));
    }
}
