//! The key of an account: ES256 (ECDSA on P-256) or Ed25519, read as the venue hands it out.
//!
//! Source: the venue's "CDP API Keys" pages and its own client. An ECDSA key is a PEM file of SEC1
//! (`BEGIN EC PRIVATE KEY`, RFC 5915), in which line ends may be written as `\n`; an Ed25519 key is
//! base64 of its seed, with or without the public half behind it. PKCS#8 (`BEGIN PRIVATE KEY`) is
//! what other tools make of either.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use crate::text::hide;
use crate::world::signing_random;

const EXPECTED: &str = "an ECDSA key on P-256, or an Ed25519 key";
/// Bytes of an Ed25519 key's seed, and of its public half.
pub(super) const SEED_BYTES: usize = 32;
/// `ecPublicKey` on `prime256v1` (RFC 5480), and the version of PKCS#8 that has no public half of
/// its own.
const P256: [u8; 21] = [
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
const VERSION_0: [u8; 3] = [0x02, 0x01, 0x00];
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;

/// The private half.
pub(super) enum AccountKey {
    Es256(EcdsaKeyPair, SystemRandom),
    Ed25519(Ed25519KeyPair),
}

/// What is wrong with a key: what was expected, and why it is not that.
pub(super) type Wrong = (&'static str, String);

impl AccountKey {
    /// The key in a file's text; `None` when it is of no form that is known.
    pub(super) fn read(text: &str) -> Option<Result<AccountKey, Wrong>> {
        // As it stands in the JSON file that the venue offers, too.
        let text = text.trim().trim_matches('"').replace("\\n", "\n");
        if let Some(sec1) = pem_body(&text, "EC PRIVATE KEY") {
            return Some(AccountKey::from_pkcs8_of_p256(&wrapped(&sec1)));
        }
        if let Some(pkcs8) = pem_body(&text, "PRIVATE KEY") {
            let is_p256 = pkcs8.windows(P256.len()).any(|bytes| bytes == P256);
            return Some(match is_p256 {
                true => AccountKey::from_pkcs8_of_p256(&pkcs8),
                false => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8)
                    .map(AccountKey::Ed25519)
                    .map_err(|why| (EXPECTED, why.to_string())),
            });
        }
        let base64: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = data_encoding::BASE64.decode(base64.as_bytes()).ok()?;
        hide(&base64);
        let pair = match bytes.len() {
            SEED_BYTES => Ed25519KeyPair::from_seed_unchecked(&bytes),
            _ if bytes.len() == 2 * SEED_BYTES => {
                let (seed, public) = bytes.split_at(SEED_BYTES);
                Ed25519KeyPair::from_seed_and_public_key(seed, public)
            }
            _ => return None,
        };
        Some(pair.map(AccountKey::Ed25519).map_err(|why| (EXPECTED, why.to_string())))
    }

    fn from_pkcs8_of_p256(pkcs8: &[u8]) -> Result<AccountKey, Wrong> {
        let random = signing_random();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random);
        pair.map(|pair| AccountKey::Es256(pair, random)).map_err(|why| (EXPECTED, why.to_string()))
    }

    /// The name of its algorithm in a token.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            AccountKey::Es256(..) => "ES256",
            AccountKey::Ed25519(_) => "EdDSA",
        }
    }

    /// The public half: 32 bytes of an Ed25519 key, 65 of an ECDSA key.
    pub(super) fn public(&self) -> Vec<u8> {
        match self {
            AccountKey::Es256(pair, _) => pair.public_key().as_ref().to_vec(),
            AccountKey::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// Hands the signature of `text`, 64 bytes, to `take`. An ECDSA signature needs the system's
    /// random bytes: without them it is empty, and the venue refuses the request.
    #[inline]
    pub(super) fn sign(&self, text: &[u8], take: impl FnOnce(&[u8])) {
        match self {
            AccountKey::Es256(pair, random) => match pair.sign(random, text) {
                Ok(signature) => take(signature.as_ref()),
                Err(_) => take(&[]),
            },
            AccountKey::Ed25519(pair) => take(pair.sign(text).as_ref()),
        }
    }
}

/// The bytes between the two lines of a PEM file that name `what`.
fn pem_body(text: &str, what: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {what}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {what}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    hide(&body);
    data_encoding::BASE64.decode(body.as_bytes()).ok()
}

/// A SEC1 key as PKCS#8 has it.
fn wrapped(sec1: &[u8]) -> Vec<u8> {
    let key = der(OCTET_STRING, sec1);
    der(SEQUENCE, &[&VERSION_0[..], &P256, &key].concat())
}

/// A value of DER: its tag, its length, its bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// The ECDSA key of RFC 7515, A.3.
#[cfg(test)]
pub(super) fn pem_of_test() -> String {
    tests::pem("EC PRIVATE KEY", &tests::sec1(true))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

    use super::*;

    /// RFC 7515, A.3: the private half of its key, and the two coordinates of the public one.
    const D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    /// The text that is signed there, and its signature.
    const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn bytes(base64: &str) -> Vec<u8> {
        data_encoding::BASE64URL_NOPAD.decode(base64.as_bytes()).unwrap()
    }

    fn point() -> Vec<u8> {
        [vec![4], bytes(X), bytes(Y)].concat()
    }

    /// The key of the RFC as SEC1 has it, with or without the name of its curve.
    pub(super) fn sec1(names_curve: bool) -> Vec<u8> {
        let curve = der(0xa0, &P256[11..]);
        let public = der(0xa1, &der(0x03, &[vec![0], point()].concat()));
        let named = if names_curve { curve } else { Vec::new() };
        let parts = [vec![0x02, 0x01, 0x01], der(OCTET_STRING, &bytes(D)), named, public];
        der(SEQUENCE, &parts.concat())
    }

    pub(super) fn pem(what: &str, der: &[u8]) -> String {
        let body = data_encoding::BASE64.encode(der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
    }

    fn read(text: &str) -> AccountKey {
        AccountKey::read(text).expect("a form that is known").map_err(|(_, why)| why).unwrap()
    }

    #[test]
    fn a_published_signature_is_that_of_the_key_and_ours_is_verified_by_its_public_half() {
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point());
        assert!(public.verify(SIGNED.as_bytes(), &bytes(SIGNATURE)).is_ok());
        let forms = [
            pem("EC PRIVATE KEY", &sec1(true)),
            pem("EC PRIVATE KEY", &sec1(false)),
            pem("EC PRIVATE KEY", &sec1(true)).replace('\n', "\\n"),
            pem("PRIVATE KEY", &wrapped(&sec1(false))),
        ];
        for form in forms {
            let key = read(&form);
            assert_eq!((key.algorithm(), key.public()), ("ES256", point()));
            key.sign(SIGNED.as_bytes(), |signature| {
                assert_eq!(signature.len(), 64, "two numbers, not DER");
                assert!(public.verify(SIGNED.as_bytes(), signature).is_ok());
                assert!(public.verify(&SIGNED.as_bytes()[1..], signature).is_err());
            });
        }
    }

    /// RFC 8037, A.1 and A.4: an Ed25519 key, and its signature of a token.
    #[test]
    fn an_ed25519_key_signs_what_the_rfc_says() {
        let seed = bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
        let public = bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let whole = [seed.clone(), public.clone()].concat();
        // RFC 8410 puts the seed into an octet string of its own.
        let algorithm = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
        let inner = der(OCTET_STRING, &der(OCTET_STRING, &seed));
        let pkcs8 = der(SEQUENCE, &[&VERSION_0[..], &algorithm, &inner].concat());
        for form in [
            data_encoding::BASE64.encode(&seed),
            data_encoding::BASE64.encode(&whole) + "\n",
            pem("PRIVATE KEY", &pkcs8),
        ] {
            let key = read(&form);
            assert_eq!((key.algorithm(), key.public()), ("EdDSA", public.clone()));
            let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
            let told = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
            key.sign(text.as_bytes(), |signature| assert_eq!(signature, bytes(told)));
            let verifier = UnparsedPublicKey::new(&ED25519, public.clone());
            assert!(verifier.verify(text.as_bytes(), &bytes(told)).is_ok());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        assert!(AccountKey::read("hush").is_none());
        assert!(AccountKey::read(&data_encoding::BASE64.encode(&[7; 31])).is_none());
        let mut other = sec1(true);
        other[10] ^= 1;
        let wrong = AccountKey::read(&pem("EC PRIVATE KEY", &other)).expect("its form is known");
        assert_eq!(wrong.err().map(|(expected, _)| expected), Some(EXPECTED));
        let not_its_own = data_encoding::BASE64.encode(&[7; 64]);
        assert!(AccountKey::read(&not_its_own).is_some_and(|key| key.is_err()));
    }
}
