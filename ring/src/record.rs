//! What may live in a slot.
//!
//! A record is plain bytes without padding, and every bit pattern of it is valid: poison, a zeroed
//! slot and a slot of which only the first lines were written are all readable without undefined
//! behaviour. That is what lets a copy move only the lines that are in use.

use std::ptr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of one cache line, the unit in which records are copied.
pub const LINE_BYTES: usize = 64;

/// Lines of most records: a header and a short payload.
const COMMON_LINES: usize = 2;

/// Position of a record in its lane, from 0, never reused.
pub type Sequence = i64;

/// Plain old data that can be published into a lane.
///
/// Records whose size is a multiple of [`LINE_BYTES`] are copied line by line, as far as they are
/// used; all others are copied whole.
pub trait Record:
    FromBytes + IntoBytes + Immutable + KnownLayout + Copy + Send + Sync + 'static
{
    /// Bytes in use, counted from the start, at most the size of the record; a larger figure is
    /// taken as the size. What lies behind them (rounded up to whole lines) is not copied, and a
    /// consumer finds there whatever the slot held before. Must not panic.
    fn used_bytes(&self) -> usize;

    /// Copies the used lines of `source`; the rest of `self` stays as it was.
    #[inline(always)]
    fn copy_used_from(&mut self, source: &Self) {
        let size_bytes = size_of::<Self>();
        if !size_bytes.is_multiple_of(LINE_BYTES) {
            *self = *source;
            return;
        }
        let used_bytes = source.used_bytes().min(size_bytes);
        let line_count = used_bytes.div_ceil(LINE_BYTES);
        let from = ptr::from_ref(source).cast::<Line>();
        let to = ptr::from_mut(self).cast::<Line>();
        // SAFETY: `line_count` lines fit into both records, as `used_bytes` was cut to their size,
        // which is a whole number of lines, so any line below it does. `&mut self` excludes
        // overlap; both are plain bytes without padding, by the bounds of `Record`.
        let copy = |index| unsafe { copy_line(from.add(index), to.add(index)) };
        if line_count == COMMON_LINES {
            // As straight code: a loop over two lines costs as much as the lines.
            (0..COMMON_LINES).for_each(copy);
        } else {
            (0..line_count).for_each(copy);
        }
    }
}

/// A bare number, for small lanes and examples.
impl Record for u64 {
    #[inline]
    fn used_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// One line, as opaque bytes: unaligned, since a record need not start on a line.
type Line = [u8; LINE_BYTES];

/// Copies one line through registers.
///
/// A plain copy of 64 bytes would be recognised in the loop above as one long copy and become a
/// call of `memcpy`, whose dispatch costs more than the two lines of a quote.
///
/// # Safety
/// `from` is readable and `to` writable for a line each; they do not overlap.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn copy_line(from: *const Line, to: *mut Line) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_storeu_si128};
    let from = from.cast::<__m128i>();
    let to = to.cast::<__m128i>();
    // SAFETY: four times 16 bytes are the line that the caller vouches for; SSE2 is part of every
    // x86-64, and these loads and stores need no alignment.
    unsafe {
        let first = _mm_loadu_si128(from);
        let second = _mm_loadu_si128(from.add(1));
        let third = _mm_loadu_si128(from.add(2));
        let fourth = _mm_loadu_si128(from.add(3));
        _mm_storeu_si128(to, first);
        _mm_storeu_si128(to.add(1), second);
        _mm_storeu_si128(to.add(2), third);
        _mm_storeu_si128(to.add(3), fourth);
    }
}

/// Copies one line as four 128-bit words, see the other form for the reason.
///
/// # Safety
/// `from` is readable and `to` writable for a line each; they do not overlap.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn copy_line(from: *const Line, to: *mut Line) {
    let from = from.cast::<u128>();
    let to = to.cast::<u128>();
    for word in 0..LINE_BYTES / size_of::<u128>() {
        // SAFETY: four times 16 bytes are the line that the caller vouches for.
        unsafe { to.add(word).write_unaligned(from.add(word).read_unaligned()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
    #[repr(C, align(64))]
    struct Lines {
        used_bytes: u64,
        bytes: [u8; 248],
    }

    impl Record for Lines {
        fn used_bytes(&self) -> usize {
            self.used_bytes as usize
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
    #[repr(C)]
    struct Odd([u8; 24]);

    impl Record for Odd {
        fn used_bytes(&self) -> usize {
            1
        }
    }

    #[test]
    fn copies_used_bytes_rounded_up_to_whole_lines() {
        for used_bytes in [0_usize, 1, 8, 63, 64, 65, 128, 129, 255, 256] {
            let source = Lines { used_bytes: used_bytes as u64, bytes: [7; 248] };
            let mut target = Lines { used_bytes: 0, bytes: [9; 248] };
            target.copy_used_from(&source);
            let copied_bytes = used_bytes.div_ceil(LINE_BYTES) * LINE_BYTES;
            assert_eq!(target.as_bytes()[..copied_bytes], source.as_bytes()[..copied_bytes]);
            assert!(target.as_bytes()[copied_bytes.max(8)..].iter().all(|byte| *byte == 9));
        }
    }

    #[test]
    fn cuts_a_figure_beyond_the_size() {
        let source = Lines { used_bytes: u64::MAX, bytes: [7; 248] };
        let mut target = Lines { used_bytes: 0, bytes: [9; 248] };
        target.copy_used_from(&source);
        assert_eq!(target.as_bytes(), source.as_bytes());
    }

    #[test]
    fn copies_records_of_odd_size_whole() {
        let mut target = Odd([0; 24]);
        target.copy_used_from(&Odd([5; 24]));
        assert_eq!(target, Odd([5; 24]));
    }
}
