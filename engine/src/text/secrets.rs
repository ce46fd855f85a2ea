//! Masks keys, tokens and signatures in whatever is shown or kept.
//!
//! A venue may echo what it was sent: in an error, a close reason, a header, a frame that nobody
//! can decode. Every way out of the process passes here: log, dead letters, answers of the control
//! socket, panics, and what commands print. Masked is what this process knows as a secret, whole
//! or from its beginning on; what is named as one (`"signature":"..."`, `apiKey=...`); the inside
//! of a PEM key; a password in an address; and what looks like a key.

use std::borrow::Cow;
use std::collections::VecDeque;

use parking_lot::RwLock;

/// Stands where a secret stood.
pub const MASK: &str = "***";

/// Shortest secret that is known by its text, bytes; also the beginning that gives one away. What
/// is shorter is no secret, and would be found in plain words.
const KNOWN_BYTES_MIN: usize = 8;

/// Signatures that are known at a time; the oldest goes.
const PASSING_MAX: usize = 256;

/// Secrets that are known at a time, beside signatures.
const KEPT_MAX: usize = 1_024;

/// A word from which on letters of both cases and digits together are taken for a key. Venues' keys
/// have 60 and more; SHA-256 in hexadecimal has one case.
const KEY_LOOK_BYTES_MIN: usize = 60;

/// A value behind a name and a blank is masked from this length on.
const SPACED_BYTES_MIN: usize = 16;

/// What the last part of a name says, without `_` and `-`, in lower case.
const NAMES: [&str; 11] = [
    "apikey",
    "signature",
    "listenkey",
    "secret",
    "secretkey",
    "token",
    "password",
    "passphrase",
    "privatekey",
    "authorization",
    "cookie",
];

/// Marks the payload of a latency histogram, which looks like a key and is none.
const HISTOGRAM: &[u8] = b"HISTF";

static KNOWN: RwLock<Known> = RwLock::new(Known { kept: Vec::new(), passing: VecDeque::new() });

/// Secrets of this process.
struct Known {
    kept: Vec<String>,
    passing: VecDeque<String>,
}

/// Makes a key known as a secret, for the life of the process. Called when it is read, never by a
/// pinned thread.
pub fn hide(secret: &str) {
    let mut known = KNOWN.write();
    for form in forms(secret) {
        if known.kept.len() < KEPT_MAX && !known.kept.contains(&form) {
            known.kept.push(form);
        }
    }
}

/// The same for one that is of use for a short time, as a signature.
pub fn hide_passing(secret: &str) {
    let mut known = KNOWN.write();
    for form in forms(secret) {
        if known.passing.len() == PASSING_MAX {
            known.passing.pop_front();
        }
        known.passing.push_back(form);
    }
}

/// As it is, as an address holds it, and as some JSON writers put it.
fn forms(secret: &str) -> Vec<String> {
    let secret = secret.trim();
    if secret.len() < KNOWN_BYTES_MIN || !secret.is_ascii() {
        return Vec::new();
    }
    let encoded = secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let mut forms = vec![secret.to_owned(), encoded, secret.replace('/', "\\/")];
    forms.dedup();
    forms
}

/// The text with every secret masked.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    match masked_bytes(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        // Only whole runs of ASCII are replaced: what is left is text.
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// The same of bytes that may be no text.
#[must_use]
pub fn masked_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut spans = Vec::new();
    known_secrets(bytes, &mut spans);
    named_values(bytes, &mut spans);
    pem_keys(bytes, &mut spans);
    passwords(bytes, &mut spans);
    key_like_words(bytes, &mut spans);
    if spans.is_empty() {
        return Cow::Borrowed(bytes);
    }
    spans.sort_unstable();
    let mut shown = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for (start, end) in spans {
        if start >= at {
            shown.extend_from_slice(&bytes[at..start]);
            shown.extend_from_slice(MASK.as_bytes());
        }
        at = at.max(end);
    }
    shown.extend_from_slice(&bytes[at..]);
    Cow::Owned(shown)
}

/// Where secrets lie: start and end.
type Spans = Vec<(usize, usize)>;

fn known_secrets(bytes: &[u8], spans: &mut Spans) {
    let known = KNOWN.read();
    for secret in known.kept.iter().chain(&known.passing) {
        let secret = secret.as_bytes();
        let mut from = 0;
        while let Some(at) = find(&bytes[from..], &secret[..KNOWN_BYTES_MIN]) {
            let start = from + at;
            let same = bytes[start..].iter().zip(secret).take_while(|(a, b)| a == b).count();
            spans.push((start, start + same));
            from = start + same;
        }
    }
}

/// Values behind a name and one of `:`, `=` and a blank.
fn named_values(bytes: &[u8], spans: &mut Spans) {
    for at in 0..bytes.len() {
        let separator = bytes[at];
        if !matches!(separator, b':' | b'=' | b' ') || !is_named_secret(&bytes[..at]) {
            continue;
        }
        let (start, end) = value(bytes, at + 1);
        let text = &bytes[start..end];
        let is_word = matches!(text, b"null" | b"None" | b"true" | b"false");
        let is_spaced = separator == b' ';
        let is_secret = if is_spaced { looks_random(text) } else { !text.is_empty() && !is_word };
        if is_secret {
            spans.push((start, end));
        }
    }
}

/// Whether what stands before a separator is the name of a secret.
fn is_named_secret(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let end = before.iter().rposition(|byte| !matches!(byte, b'"' | b'\'' | b'\\'));
    let Some(end) = end.map(|end| end + 1) else { return false };
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let start = before[..end].iter().rposition(|byte| !is_part(byte)).map_or(0, |at| at + 1);
    // A file may be named so, too.
    if start > 0 && matches!(before[start - 1], b'/' | b'.') {
        return false;
    }
    let mut name = [0; 32];
    let mut len = 0;
    for byte in before[start..end].iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        if len == name.len() {
            return false;
        }
        name[len] = byte.to_ascii_lowercase();
        len += 1;
    }
    NAMES.iter().any(|known| name[..len].ends_with(known.as_bytes()))
}

/// The value that begins at `from`, without its quotes and what stands before it.
fn value(bytes: &[u8], from: usize) -> (usize, usize) {
    let is_lead = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\\' | b'"' | b'\'');
    let skip = |from: usize| from + bytes[from..].iter().take_while(|byte| is_lead(byte)).count();
    let mut start = skip(from);
    for lead in [&b"Some("[..], b"Bearer ", b"bearer ", b"Basic "] {
        if bytes[start..].starts_with(lead) {
            start = skip(start + lead.len());
        }
    }
    let is_end = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'\'' | b'\\' | b',' | b';' | b'&' | b'}' | b']' | b')')
    };
    // A slash that JSON has escaped ends no value.
    let mut end = start;
    while end < bytes.len() && (!is_end(&bytes[end]) || bytes[end..].starts_with(b"\\/")) {
        end += 1;
    }
    (start, end)
}

fn looks_random(word: &[u8]) -> bool {
    word.len() >= SPACED_BYTES_MIN
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_alphabetic)
}

fn pem_keys(bytes: &[u8], spans: &mut Spans) {
    const BEGIN: &[u8] = b"PRIVATE KEY-----";
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], BEGIN) {
        let start = from + at + BEGIN.len();
        let end = find(&bytes[start..], b"-----END").map_or(bytes.len(), |len| start + len);
        spans.push((start, end));
        from = end + find(&bytes[end..], b"KEY-----").map_or(bytes.len() - end, |len| len + 8);
    }
}

/// `user:password` in `scheme://user:password@host`.
fn passwords(bytes: &[u8], spans: &mut Spans) {
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], b"://") {
        let start = from + at + 3;
        let is_end = |byte: &u8| {
            byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'')
        };
        let len = bytes[start..].iter().take_while(|byte| !is_end(byte)).count();
        if let Some(end) = bytes[start..start + len].iter().rposition(|byte| *byte == b'@') {
            spans.push((start, start + end));
        }
        from = start;
    }
}

fn key_like_words(bytes: &[u8], spans: &mut Spans) {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'=');
    let mut start = 0;
    while start < bytes.len() {
        let word = bytes[start..].iter().take_while(|byte| is_part(byte)).count();
        let text = &bytes[start..start + word];
        let has = |is: fn(&u8) -> bool| text.iter().any(is);
        if word >= KEY_LOOK_BYTES_MIN
            && !text.starts_with(HISTOGRAM)
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_uppercase)
        {
            spans.push((start, start + word));
        }
        start += word.max(1);
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_masked_in_each_of_its_forms_and_from_its_beginning_on() {
        hide("Known/Secret+Of=This-Test");
        hide_passing("Passing+Signature/Of=This");
        for (text, shown) in [
            ("key Known/Secret+Of=This-Test is bad", "key *** is bad"),
            ("?k=Known%2FSecret%2BOf%3DThis-Test&x=1", "?k=***&x=1"),
            (r#"{"k":"Known\/Secret+Of=This-Test"}"#, r#"{"k":"***"}"#),
            ("it was cut: Known/Secr", "it was cut: ***"),
            ("twice Known/Secret+Of=This-TestKnown/Secret+Of=This-Test", "twice ******"),
            ("Passing+Signature/Of=This", "***"),
            ("Known/S is too little to be one", "Known/S is too little to be one"),
        ] {
            assert_eq!(masked(text), shown);
        }
        hide("k");
        assert_eq!(masked("a key that is a word"), "a key that is a word");
    }

    #[test]
    fn what_is_named_as_a_secret_is_masked_and_plain_words_are_not() {
        for (text, shown) in [
            (
                r#"{"apiKey":"abc","signature":"d\/e=","x":1}"#,
                r#"{"apiKey":"***","signature":"***","x":1}"#,
            ),
            (r#"{"raw":"{\"listenKey\":\"pqia91\"}"}"#, r#"{"raw":"{\"listenKey\":\"***\"}"}"#),
            (
                "GET /x?apiKey=abc&signature=de%2F HTTP/1.1",
                "GET /x?apiKey=***&signature=*** HTTP/1.1",
            ),
            ("X-MBX-APIKEY: abc\r\nHost: x", "X-MBX-APIKEY: ***\r\nHost: x"),
            ("Authorization: Bearer abc.def\n", "Authorization: Bearer ***\n"),
            ("api_key: Some(\"abc\"), other: 1", "api_key: Some(\"***\"), other: 1"),
            ("bad listenKey pqia91ma19a5s61cv6a8 here", "bad listenKey *** here"),
            ("wss://user:hush@host/ws?a@b", "wss://***@host/ws?a@b"),
            (
                "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n",
                "-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----\n",
            ),
        ] {
            assert_eq!(masked(text), shown);
        }
        for plain in [
            "Invalid API-key, IP, or permissions for action. (code: -2015)",
            "Signature for this request is not valid.",
            "private key /home/me/secret: cannot be read",
            "API key: environment variable PITLANE_API_KEY is not set",
            r#"{"token":null,"price":"1.5"}"#,
            "unexpected token found",
            "a mail to me@host, 币安",
        ] {
            assert!(matches!(masked(plain), Cow::Borrowed(_)), "{}", masked(plain));
        }
    }

    #[test]
    fn what_looks_like_a_key_is_masked_and_sums_and_histograms_are_not() {
        let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        assert_eq!(masked(&format!("/ws/{key}?x")), "/ws/***?x");
        let sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let histogram = "HISTFAAAACF42pNpmSzMwMCgxAABzFCaEUzAaAYGFgYAsgIBw9AAAAAA0000000000";
        for plain in [sum, histogram] {
            assert_eq!(masked(plain), plain);
        }
        assert_eq!(masked_bytes(&[0xff, b'=', 0x00]).as_ref(), [0xff, b'=', 0x00]);
    }
}
