//! What a venue's requests are signed with, and why it can't be had.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::world::{Files, SplitMix64};

/// The keys that a configuration names.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// What the key is called at the venue.
    pub api_key: &'a str,
    /// The file with the secret half.
    pub private_key_file: &'a Path,
    /// Where files are.
    pub files: &'a Files,
    /// What numbers that are used once are made of: of the world's chance, so that each run has its
    /// own, and a replay those of its run.
    pub chance: u64,
}

impl Keys<'_> {
    /// The text of the private key file.
    ///
    /// # Errors
    /// As [`Signer::read`].
    pub fn read_text(&self) -> Result<String, KeyError> {
        read_private(self.files, self.private_key_file)
    }
}

/// The text of a file that nobody else may read.
pub(in crate::venue) fn read_private(files: &Files, path: &Path) -> Result<String, KeyError> {
    let owned = || path.to_owned();
    let unreadable = |source| KeyError::Unreadable { path: owned(), source };
    let (text, mode) = files.read_text_and_mode(path).map_err(unreadable)?;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: owned(), mode });
    }
    Ok(text)
}

/// Signs the requests of one account. Never shows key material.
pub trait Signer: Sized + Send + 'static {
    /// Reads the secret half, and makes it known as a secret ([`crate::text::hide`]); signatures
    /// are made known where they are sent ([`crate::text::hide_passing`]).
    ///
    /// # Errors
    /// [`KeyError`] names the file and what is wrong with it.
    fn read(keys: Keys<'_>) -> Result<Self, KeyError>;

    /// The key that follows from `random`, for a simulated venue: as secret as its seed, which is
    /// enough on loopback and in memory.
    ///
    /// # Errors
    /// When the library refuses the key.
    fn drawn(api_key: &str, random: &mut SplitMix64) -> Result<Self, KeyError>;

    /// What the venue verifies signatures with: the public half, or the secret that both share.
    fn verifying_key(&self) -> Vec<u8>;
}

/// Why a key can't be used. Never shows key material.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum KeyError {
    #[error("private key {}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "private key {}: others may read or change it (mode {mode:04o}): chmod 600 {}",
        path.display(), path.display()
    )]
    Open { path: PathBuf, mode: u32 },
    #[error("private key {}: not a PKCS#8 file in PEM form (BEGIN PRIVATE KEY)", path.display())]
    NotPem { path: PathBuf },
    #[error("private key {}: not {expected}: {reason}", path.display())]
    WrongKind { path: PathBuf, expected: &'static str, reason: String },
    #[error("API key: environment variable {name} is not set")]
    NoVariable { name: String },
    #[error("making a key failed: the system gives no random bytes")]
    NoRandom,
}
