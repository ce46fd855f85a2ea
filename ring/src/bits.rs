//! The positions of the set bits of a word.

/// Yields them, lowest first.
///
/// ```
/// assert!(pitlane_ring::Bits(0b1010).eq([1, 3]));
/// ```
#[derive(Clone, Debug)]
pub struct Bits(pub u64);

impl Iterator for Bits {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let position = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_lowest_first() {
        assert!(Bits(0).eq([0; 0]));
        assert!(Bits(0b1011 | 1 << 63).eq([0, 1, 3, 63]));
    }
}
