//! The key that signs a logon, and what it is called at the venue.

use std::fmt;
use std::path::Path;

use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::text::hide;
use crate::venue::protocol::{KeyError, Keys, Signer, read_private};
use crate::world::{Entropy, Files, SplitMix64};

/// An API key and its Ed25519 key pair.
pub struct Credentials {
    api_key: String,
    key_pair: Ed25519KeyPair,
}

impl Credentials {
    /// Reads the private key from a PEM file (PKCS#8, as the venue's key page and `openssl genpkey
    /// -algorithm ed25519` write it).
    ///
    /// # Errors
    /// [`KeyError`] names the file and what is wrong with it.
    pub fn from_pem_file(
        files: &Files,
        api_key: String,
        path: &Path,
    ) -> Result<Credentials, KeyError> {
        let owned = || path.to_owned();
        let text = read_private(files, path)?;
        let der = pem_body(&text).ok_or_else(|| KeyError::NotPem { path: owned() })?;
        // The venue's keys have no public half in them: it is computed.
        let key_pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|reason| {
            KeyError::WrongKind {
                path: owned(),
                expected: "an Ed25519 key",
                reason: reason.to_string(),
            }
        })?;
        Ok(Credentials { api_key, key_pair })
    }

    /// A fresh key, for the simulated venue, which is told its public half.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate(api_key: &str) -> Result<Credentials, KeyError> {
        let entropy = Entropy::from_os().map_err(|_| KeyError::NoRandom)?;
        Credentials::drawn(api_key, &mut entropy.random("key"))
    }

    /// What the key is called at the venue.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The public half; 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.key_pair.public_key().as_ref());
        bytes
    }

    /// The signature of `text` in base64.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        data_encoding::BASE64.encode(self.key_pair.sign(text.as_bytes()).as_ref())
    }
}

impl Signer for Credentials {
    fn read(keys: Keys<'_>) -> Result<Credentials, KeyError> {
        Credentials::from_pem_file(keys.files, keys.api_key.to_owned(), keys.private_key_file)
    }

    fn drawn(api_key: &str, random: &mut SplitMix64) -> Result<Credentials, KeyError> {
        let mut seed = [0; 32];
        seed.chunks_exact_mut(8)
            .for_each(|part| part.copy_from_slice(&random.next_u64().to_ne_bytes()));
        let key_pair =
            Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::NoRandom)?;
        Ok(Credentials { api_key: api_key.to_owned(), key_pair })
    }

    fn verifying_key(&self) -> Vec<u8> {
        self.public_key().to_vec()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

/// The bytes between the two lines of a PEM file.
fn pem_body(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    hide(&body);
    data_encoding::BASE64.decode(body.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// RFC 8410, section 10.3: the example key without a public half.
    const RFC_8410: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";

    fn from_file(text: &str, mode: u32) -> Result<Credentials, KeyError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        Credentials::from_pem_file(&Files::Real, "k".into(), &path)
    }

    fn from_text(text: &str) -> Result<Credentials, KeyError> {
        from_file(text, 0o600)
    }

    #[test]
    fn a_key_that_others_may_read_or_change_is_refused_with_the_command_that_mends_it() {
        for mode in [0o666, 0o640, 0o602] {
            let text = from_file(RFC_8410, mode).unwrap_err().to_string();
            assert!(text.contains(&format!("mode {mode:04o}): chmod 600 /")), "{text}");
        }
        assert!(from_file(RFC_8410, 0o400).is_ok());
    }

    #[test]
    fn a_published_key_signs_what_its_public_half_verifies() {
        let credentials = from_text(RFC_8410).unwrap();
        let signature = data_encoding::BASE64.decode(credentials.sign("a=b").as_bytes()).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, credentials.public_key());
        assert!(public.verify(b"a=b", &signature).is_ok());
        assert!(public.verify(b"a=c", &signature).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let error = |text: &str| from_text(text).unwrap_err();
        assert!(matches!(error("hush"), KeyError::NotPem { .. }));
        let other = RFC_8410.replace("MC4C", "MC4D");
        assert!(matches!(error(&other), KeyError::WrongKind { .. }));
        assert!(!error(&other).to_string().contains("INTuct"));
        let missing =
            Credentials::from_pem_file(&Files::Real, "k".into(), Path::new("/nowhere/key.pem"));
        assert!(missing.unwrap_err().to_string().contains("/nowhere/key.pem"));
        assert_eq!(format!("{:?}", from_text(RFC_8410).unwrap()), "Credentials(hidden)");
    }
}
