//! The checksum of a book: CRC-32 of its best ten levels a side.
//!
//! Source: the venue's guide "Book checksum (v2)", and a recorded session.

use crate::event::Side;
use crate::venue::Scales;
use crate::venue::book::L2Book;

/// Levels a side that count.
const LEVELS: usize = 10;

/// Asks from the lowest up, then bids from the highest down: digits of price and quantity without
/// point and leading zeros. With the venue's own numbers of decimals, which are the instrument's
/// scales, that is the number in units of its last decimal.
pub(super) fn checksum(book: &L2Book, _scales: Scales) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    let levels = book.best(Side::Sell).take(LEVELS).chain(book.best(Side::Buy).take(LEVELS));
    for level in levels {
        let mut digits = itoa::Buffer::new();
        crc.update(digits.format(level.price).as_bytes());
        crc.update(digits.format(level.qty).as_bytes());
    }
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Level;

    #[test]
    fn asks_come_first_and_numbers_have_neither_point_nor_leading_zeros() {
        let level = |price, qty| Level { price, qty };
        let mut book = L2Book::new(10);
        // 0.5 x 0.00000500 and 0.6 x 1.00000000 in tenths and 10^-8.
        book.load(&[level(5, 500)], &[level(6, 100_000_000)]);
        let scales = Scales { price: 1, qty: 8 };
        assert_eq!(checksum(&book, scales), crc32fast::hash(b"61000000005500"));
    }
}
