//! FNV-1a: a hash that is the same on every machine, for what is compared and never looked up.

/// What the hash of nothing is.
pub(super) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of `bytes`.
pub(crate) fn fnv_of(bytes: &[u8]) -> u64 {
    fnv(FNV_START, bytes)
}

/// The hash of what `hash` stands for with `bytes` behind it.
pub(super) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
