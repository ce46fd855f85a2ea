//! FNV-1a: a hash that is the same on every machine, for what is compared and never looked up.

/// What the hash of nothing is.
pub(super) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// The hash of `bytes`.
pub(crate) fn fnv_of(bytes: &[u8]) -> u64 {
    fnv(FNV_START, bytes)
}

/// A hash of what `hash` stands for with `bytes` behind it, eight at a time: for running hashes
/// over all that a world carries.
pub(super) fn fnv_words(hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    // The length tells bytes of zero from none.
    last[7] = rest.len() as u8;
    words.iter().chain([&last]).fold(hash, |hash, word| {
        (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FNV_PRIME).rotate_left(29)
    })
}

/// The hash of what `hash` stands for with `bytes` behind it.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}
