//! The checksum of a book: CRC-32 of its best 25 levels a side, as the venue writes them.
//!
//! Source: "Order book channel, checksum" of the venue's reference, and recorded sessions. Since
//! June 2026 frames carry 0 or none.

use crate::event::Side;
use crate::venue::Scales;
use crate::venue::book::L2Book;
use crate::venue::codec::PlainNumber;

/// Levels a side that count.
const LEVELS: usize = 25;

/// Best bid and best ask, then the second ones, and so on: `price:quantity`, joined by colons. A
/// side that has fewer levels is left out where it ends.
pub(super) fn checksum(book: &L2Book, scales: Scales) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    let mut is_first = true;
    let mut add = |value: i64, scale: u8| {
        if !std::mem::take(&mut is_first) {
            crc.update(b":");
        }
        crc.update(PlainNumber::new(value, scale).as_bytes());
    };
    let mut bids = book.best(Side::Buy).take(LEVELS);
    let mut asks = book.best(Side::Sell).take(LEVELS);
    loop {
        let (bid, ask) = (bids.next(), asks.next());
        if bid.is_none() && ask.is_none() {
            return crc.finalize();
        }
        for level in bid.into_iter().chain(ask) {
            add(level.price, scales.price);
            add(level.qty, scales.qty);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Level;

    #[test]
    fn levels_are_interleaved_and_a_side_that_ends_is_left_out() {
        let scales = Scales { price: 2, qty: 1 };
        let level = |price, qty| Level { price, qty };
        let mut book = L2Book::new(10);
        book.load(&[level(336_610, 70), level(336_600, 65)], &[level(336_680, 8)]);
        let text = "3366.1:7:3366.8:0.8:3366:6.5";
        assert_eq!(checksum(&book, scales), crc32fast::hash(text.as_bytes()));
        book.load(&[], &[level(336_680, 8), level(336_800, 10)]);
        assert_eq!(checksum(&book, scales), crc32fast::hash(b"3366.8:0.8:3368:1"));
    }
}
