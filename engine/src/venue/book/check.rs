//! Whether a live book is what a fresh snapshot of its venue says.
//!
//! A snapshot and a stream are not of one moment: the diffs that came since the snapshot was asked
//! for are applied to it, and the result is held against the book. Only prices that the snapshot
//! reaches to are compared; a book that had to drop levels is compared in its better half.

use super::buffer::DiffBuffer;
use super::l2::L2Book;
use crate::event::{Level, Side};

/// Levels a side that are compared.
const LEVELS_MAX: usize = 1_000;
/// Levels a side that the snapshot may have once the diffs are in it.
const SCRATCH_LEVELS: usize = 2 * LEVELS_MAX;

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The book is the venue's.
    Agrees,
    /// It is not.
    Differs(Difference),
    /// The stream has not come to where the snapshot is.
    Ahead,
    /// Nothing can be said: the snapshot is older than the question, it makes no sense, or the book
    /// is not live any more.
    Unclear,
}

/// The best level in which two books differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Side of the level.
    pub side: Side,
    /// Price of the level, in the instrument's scale.
    pub price: i64,
    /// Our quantity there, in the instrument's scale; 0: none.
    pub ours: i64,
    /// The venue's.
    pub venues: i64,
}

/// Memory in which a snapshot and its diffs are joined; one for all books of a connection.
#[derive(Clone, Debug)]
pub struct CheckBoard {
    joined: L2Book,
}

impl Default for CheckBoard {
    fn default() -> CheckBoard {
        CheckBoard { joined: L2Book::new(SCRATCH_LEVELS) }
    }
}

impl CheckBoard {
    /// Holds `book` against a snapshot of `bids` and `asks`, best first, at `last_update_id`, with
    /// those of `diffs` that end behind it.
    pub(super) fn compare(
        &mut self,
        book: &L2Book,
        (last_update_id, bids, asks): (u64, &[Level], &[Level]),
        diffs: &DiffBuffer,
    ) -> CheckOutcome {
        let bids = &bids[..bids.len().min(LEVELS_MAX)];
        let asks = &asks[..asks.len().min(LEVELS_MAX)];
        let falls = bids.is_sorted_by(|better, worse| better.price > worse.price);
        let rises = asks.is_sorted_by(|better, worse| better.price < worse.price);
        if !falls || !rises || (bids.is_empty() && asks.is_empty()) {
            return CheckOutcome::Unclear;
        }
        let overflows = self.joined.overflows();
        self.joined.load(bids, asks);
        // What a side without any level reaches to is all of it.
        let lowest = bids.last().map_or(i64::MIN, |level| level.price);
        let highest = asks.last().map_or(i64::MAX, |level| level.price);
        for diff in (0..diffs.len()).filter_map(|index| diffs.get(index)) {
            if diff.final_update_id <= last_update_id {
                continue;
            }
            for level in diff.bids.iter().filter(|level| level.price >= lowest) {
                self.joined.apply(Side::Buy, level.price, level.qty);
            }
            for level in diff.asks.iter().filter(|level| level.price <= highest) {
                self.joined.apply(Side::Sell, level.price, level.qty);
            }
        }
        if self.joined.overflows() != overflows {
            return CheckOutcome::Unclear;
        }
        let reaches = |side, price: i64| match side {
            Side::Buy => price >= lowest,
            Side::Sell => price <= highest,
        };
        let sides = [Side::Buy, Side::Sell].into_iter();
        let difference = sides.filter_map(|side| self.difference(book, side, reaches)).next();
        difference.map_or(CheckOutcome::Agrees, CheckOutcome::Differs)
    }

    /// Whether the book has, as they are, at least half of the levels of the snapshot that was
    /// compared last.
    pub(super) fn is_mostly(&self, book: &L2Book) -> bool {
        let (mut same, mut all) = (0, 0);
        for side in [Side::Buy, Side::Sell] {
            let is_ahead = |our: &Level, price: i64| match side {
                Side::Buy => our.price > price,
                Side::Sell => our.price < price,
            };
            let mut ours = book.best(side).peekable();
            for venues in self.joined.best(side) {
                all += 1;
                while ours.next_if(|our| is_ahead(our, venues.price)).is_some() {}
                same += usize::from(ours.next_if(|our| *our == venues).is_some());
            }
        }
        2 * same >= all
    }

    fn difference(
        &self,
        book: &L2Book,
        side: Side,
        reaches: impl Fn(Side, i64) -> bool,
    ) -> Option<Difference> {
        let most = match book.overflows() {
            0 => usize::MAX,
            _ => book.level_count(side) / 2,
        };
        let within = |level: &&Level| reaches(side, level.price);
        let mut ours = book.best(side).take(most).take_while(within);
        let mut venues = self.joined.best(side).take(most).take_while(within);
        loop {
            let (price, ours, venues) = match (ours.next(), venues.next()) {
                (None, None) => return None,
                // The better half of one may end before the other's.
                (None, Some(_)) | (Some(_), None) if most < usize::MAX => return None,
                (Some(our), None) => (our.price, our.qty, 0),
                (None, Some(venue)) => (venue.price, 0, venue.qty),
                (Some(our), Some(venue)) if our == venue => continue,
                (Some(our), Some(venue)) if our.price == venue.price => {
                    (our.price, our.qty, venue.qty)
                }
                (Some(our), Some(venue)) => {
                    let is_ours_better = (our.price > venue.price) == (side == Side::Buy);
                    match is_ours_better {
                        true => (our.price, our.qty, 0),
                        false => (venue.price, 0, venue.qty),
                    }
                }
            };
            return Some(Difference { side, price, ours, venues });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sequence::Diff;
    use super::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price, qty }
    }

    fn book(bids: &[Level], asks: &[Level]) -> L2Book {
        let mut book = L2Book::new(100);
        book.load(bids, asks);
        book
    }

    fn diff<'a>(id: u64, bids: &'a [Level], asks: &'a [Level]) -> Diff<'a> {
        Diff {
            first_update_id: id,
            final_update_id: id,
            previous_update_id: 0,
            checksum: None,
            venue_time_ns: 0,
            bids,
            asks,
        }
    }

    const BIDS: [Level; 2] = [Level { price: 10, qty: 1 }, Level { price: 9, qty: 2 }];
    const ASKS: [Level; 2] = [Level { price: 11, qty: 3 }, Level { price: 12, qty: 4 }];

    fn compare(
        ours: &L2Book,
        venues: (u64, &[Level], &[Level]),
        diffs: &[Diff<'_>],
    ) -> CheckOutcome {
        let mut kept = DiffBuffer::new(16, 64);
        diffs.iter().for_each(|diff| assert!(kept.push(diff)));
        CheckBoard::default().compare(ours, venues, &kept)
    }

    #[test]
    fn diffs_behind_the_snapshot_are_joined_and_older_ones_are_in_it() {
        let ours = book(&[level(10, 7), level(9, 2)], &ASKS);
        let (old, new) = ([level(10, 5)], [level(10, 7)]);
        let diffs = [diff(5, &old, &[]), diff(6, &new, &[])];
        assert_eq!(compare(&ours, (5, &BIDS, &ASKS), &diffs), CheckOutcome::Agrees);
        let missed = Difference { side: Side::Buy, price: 10, ours: 7, venues: 1 };
        assert_eq!(compare(&ours, (6, &BIDS, &ASKS), &diffs), CheckOutcome::Differs(missed));
    }

    #[test]
    fn levels_that_only_one_has_are_differences_where_the_snapshot_reaches_to() {
        let differs = |ours: &L2Book| match compare(ours, (5, &BIDS, &ASKS), &[]) {
            CheckOutcome::Differs(Difference { side, price, ours, venues }) => {
                (side, price, ours, venues)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(differs(&book(&BIDS[..1], &ASKS)), (Side::Buy, 9, 0, 2));
        let more = [level(11, 3), level(12, 4)];
        assert_eq!(
            differs(&book(&[level(10, 1), level(9, 2)], &more[1..])),
            (Side::Sell, 11, 0, 3)
        );
        let ghost = [level(10, 1), level(9, 2)];
        let between = [level(11, 3), level(12, 4)];
        assert_eq!(compare(&book(&ghost, &between), (5, &BIDS, &ASKS), &[]), CheckOutcome::Agrees);
        // Beyond the farthest level of the snapshot nothing is known of the venue's.
        let deeper = book(&[level(10, 1), level(9, 2), level(8, 9)], &ASKS);
        assert_eq!(compare(&deeper, (5, &BIDS, &ASKS), &[]), CheckOutcome::Agrees);
        assert_eq!(
            differs(&book(&[level(11, 1), level(10, 1), level(9, 2)], &ASKS)),
            (Side::Buy, 11, 1, 0)
        );
        // A side that the venue has empty is empty.
        let outcome = compare(&book(&BIDS, &ASKS), (5, &[], &ASKS), &[]);
        assert!(matches!(outcome, CheckOutcome::Differs(Difference { price: 10, venues: 0, .. })));
    }

    #[test]
    fn a_book_that_dropped_levels_is_compared_in_its_better_half() {
        let mut ours = L2Book::new(2);
        let venues = [level(10, 1), level(9, 2), level(8, 3), level(7, 4)];
        ours.load(&venues, &ASKS);
        ours.apply(Side::Buy, 10, 1);
        assert!(ours.overflows() > 0);
        assert_eq!(compare(&ours, (5, &venues, &ASKS), &[]), CheckOutcome::Agrees);
        ours.apply(Side::Buy, 10, 2);
        assert!(matches!(compare(&ours, (5, &venues, &ASKS), &[]), CheckOutcome::Differs(_)));
    }

    #[test]
    fn nonsense_says_nothing() {
        let ours = book(&BIDS, &ASKS);
        assert_eq!(compare(&ours, (5, &[], &[]), &[]), CheckOutcome::Unclear);
        let unsorted = [level(9, 2), level(10, 1)];
        assert_eq!(compare(&ours, (5, &unsorted, &ASKS), &[]), CheckOutcome::Unclear);
    }
}
