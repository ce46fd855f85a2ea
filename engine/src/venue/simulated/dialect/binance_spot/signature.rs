//! Who may trade: API key, Ed25519 signature, and the age of the request.
//!
//! The venue's rule: all parameters but the signature, sorted by name, written `name=value` and
//! joined by `&`, are signed; the signature is standard base64.

use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// A request may be this old when it does not say otherwise.
const RECV_WINDOW_DEFAULT_MS: i64 = 5_000;
/// It may not ask for more.
const RECV_WINDOW_MAX_MS: i64 = 60_000;
/// A client's clock may be ahead by this much.
const AHEAD_MAX_MS: i64 = 1_000;

/// The account's keys.
pub struct Keys {
    pub api_key: String,
    /// Ed25519.
    pub public_key: Vec<u8>,
}

impl Keys {
    /// Checks a signed request.
    pub fn verify(&self, params: &Map<String, Value>, now_ms: i64) -> Result<(), Refusal> {
        let text = |name: &str| params.get(name).and_then(Value::as_str);
        let missing = |name: &str| Refusal::missing(name);
        let api_key = text("apiKey").ok_or_else(|| missing("apiKey"))?;
        let signature = text("signature").ok_or_else(|| missing("signature"))?;
        check_age(params, now_ms)?;
        if api_key != self.api_key {
            return Err(Refusal::key());
        }
        match self.is_signed(&signed_text(params), signature) {
            true => Ok(()),
            false => Err(Refusal::unauthorized(-1022, "Signature for this request is not valid.")),
        }
    }

    /// Whether this is the account's signature of a text, in base64.
    pub fn is_signed(&self, text: &str, signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public_key);
        let signature = data_encoding::BASE64.decode(signature.as_bytes());
        signature.is_ok_and(|signature| key.verify(text.as_bytes(), &signature).is_ok())
    }
}

/// Refuses a request that is too old or from the future.
pub fn check_age(params: &Map<String, Value>, now_ms: i64) -> Result<(), Refusal> {
    let stamp = params.get("timestamp").and_then(Value::as_i64);
    let stamp = stamp.ok_or_else(|| Refusal::missing("timestamp"))?;
    let window = params.get("recvWindow").and_then(Value::as_i64).unwrap_or(RECV_WINDOW_DEFAULT_MS);
    if window > RECV_WINDOW_MAX_MS {
        return Err(Refusal::bad(-1131, "recvWindow must be less than 60000"));
    }
    if stamp > now_ms + AHEAD_MAX_MS {
        let message = "Timestamp for this request was 1000ms ahead of the server's time.";
        return Err(Refusal::bad(-1021, message));
    }
    if now_ms - stamp > window {
        return Err(Refusal::bad(
            -1021,
            "Timestamp for this request is outside of the recvWindow.",
        ));
    }
    Ok(())
}

/// The text that is signed.
fn signed_text(params: &Map<String, Value>) -> String {
    let mut pairs: Vec<(&str, String)> = params
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| {
            (name.as_str(), value.as_str().map_or_else(|| value.to_string(), Into::into))
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    fn params(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn parameters_are_signed_in_the_order_of_their_names() {
        let params = params(json!({"timestamp": 5, "signature": "x", "apiKey": "k", "b": true}));
        assert_eq!(signed_text(&params), "apiKey=k&b=true&timestamp=5");
    }

    #[test]
    fn only_the_right_signature_of_a_fresh_request_passes() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any seed is a key");
        let public_key = pair.public_key().as_ref().to_vec();
        let keys = Keys { api_key: "k".into(), public_key };
        let mut signed = params(json!({"apiKey": "k", "timestamp": 100_000}));
        let signature = pair.sign(signed_text(&signed).as_bytes());
        let signature = data_encoding::BASE64.encode(signature.as_ref());
        signed.insert("signature".into(), signature.into());
        assert_eq!(keys.verify(&signed, 100_500), Ok(()));
        let code = |params: &Map<String, Value>, now_ms| {
            keys.verify(params, now_ms).expect_err("refused").code
        };
        assert_eq!(code(&signed, 106_000), -1021);
        assert_eq!(code(&signed, 90_000), -1021);
        let mut other_key = signed.clone();
        other_key.insert("apiKey".into(), "other".into());
        assert_eq!(code(&other_key, 100_500), -2015);
        let mut tampered = signed.clone();
        tampered.insert("timestamp".into(), 100_001.into());
        assert_eq!(code(&tampered, 100_500), -1022);
        signed.remove("signature");
        assert_eq!(code(&signed, 100_500), -1102);
    }
}
