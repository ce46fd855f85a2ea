//! Hints to the processor: which line will be needed soon.

/// Starts to fetch a line that will be read soon.
///
/// ```
/// use pitlane_ring::prefetch_line;
///
/// let records = [1_u64; 64];
/// let mut sum = 0;
/// for (at, record) in records.iter().enumerate() {
///     // Two lines ahead; an address beyond the end is as good as any.
///     prefetch_line(records.as_ptr().wrapping_add(at + 16));
///     sum += record;
/// }
/// assert_eq!(sum, 64);
/// ```
#[inline(always)]
pub fn prefetch_line<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint: it changes nothing that a program could see and never
        // faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Starts to take a line that will be written soon from the core that has it.
#[inline(always)]
pub(crate) fn prefetch_line_exclusive(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // Not the intrinsic: where the target does not promise the instruction, that becomes a fetch
    // for reading, and the line is moved twice.
    // SAFETY: as above; a processor without this hint does nothing.
    unsafe {
        std::arch::asm!(
            "prefetchw [{address}]",
            address = in(reg) address,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
