//! Amendments of one order: what it was asked to become, and may become at any time.

use arrayvec::ArrayVec;

/// Terms that may still come true and are remembered.
const POSSIBLE_MAX: usize = 4;
/// Answers that show the order as it was, before an amendment without an outcome counts as refused.
const DENIALS_MAX: u32 = 2;

/// A price and a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) price: i64,
    pub(super) qty: i64,
}

/// The amendments of one order.
#[derive(Clone, Debug, Default)]
pub(super) struct Amendments {
    /// The one that is under way.
    wanted: Option<Terms>,
    /// Its reply is awaited.
    is_waiting: bool,
    denials: u32,
    /// Those that may have reached the venue and were not refused by its reply, oldest first.
    possible: ArrayVec<Terms, POSSIBLE_MAX>,
    /// So many of them have come true, or were overtaken by one that has.
    done: usize,
    /// The one that was refused last, if it would have changed the quantity, and its place among
    /// those above. A report of it says more than a refusal.
    refused: Option<(usize, Terms)>,
}

impl Amendments {
    /// One is written.
    pub(super) fn ask(&mut self, price: i64, qty: i64) {
        let terms = Terms { price, qty };
        (self.wanted, self.is_waiting, self.denials) = (Some(terms), true, 0);
        self.refused = self.refused.filter(|(_, refused)| refused.qty != qty);
        self.make_room();
        self.possible.push(terms);
    }

    /// Forgets the oldest one where no other has room.
    fn make_room(&mut self) {
        if self.possible.is_full() {
            self.possible.remove(0);
            self.done = self.done.saturating_sub(1);
            if let Some((place, _)) = &mut self.refused {
                *place = place.saturating_sub(1);
            }
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.wanted.is_some()
    }

    /// Its reply came, or none will.
    pub(super) fn replied(&mut self) {
        self.is_waiting = false;
    }

    /// Whether the order has had this quantity, or may have it by now.
    pub(super) fn allow_qty(&self, qty: i64) -> bool {
        let refused = self.refused.iter().map(|(_, terms)| terms);
        self.possible.iter().chain(refused).any(|terms| terms.qty == qty)
    }

    /// Whether this quantity would be a new one.
    pub(super) fn awaits_qty(&self, qty: i64) -> bool {
        self.possible[self.done..].iter().any(|terms| terms.qty == qty)
            || self.refused_of(qty).is_some()
    }

    /// The refused one, if it has this quantity and none that came later has come true.
    fn refused_of(&self, qty: i64) -> Option<Terms> {
        let (_, terms) = self.refused.filter(|(place, _)| *place >= self.done)?;
        (terms.qty == qty).then_some(terms)
    }

    /// Prices that it has had, or may have by now.
    pub(super) fn prices(&self) -> impl Iterator<Item = i64> {
        let refused = self.refused.iter().map(|(_, terms)| terms);
        self.possible.iter().chain(refused).map(|terms| terms.price)
    }

    /// The venue tells this quantity: the terms that came true.
    pub(super) fn come_true(&mut self, qty: i64) -> Option<Terms> {
        if let Some(terms) = self.refused_of(qty) {
            self.make_room();
            let place = self.refused.take().map_or(0, |(place, _)| place);
            self.possible.insert(place.min(self.possible.len()), terms);
        }
        let index = (self.done..self.possible.len()).find(|at| self.possible[*at].qty == qty)?;
        self.done = index + 1;
        if self.done == self.possible.len() {
            (self.wanted, self.is_waiting) = (None, false);
        }
        Some(self.possible[index])
    }

    /// The venue refused the one that is under way, of an order of this quantity; false when none
    /// is.
    pub(super) fn refused(&mut self, present_qty: i64) -> bool {
        let wanted = self.wanted.take();
        self.is_waiting = false;
        // The one under way is the last.
        if wanted.is_some() && self.possible.len() > self.done {
            let terms = self.possible.pop().filter(|terms| terms.qty != present_qty);
            self.refused = terms.map(|terms| (self.possible.len(), terms));
        }
        wanted.is_some()
    }

    /// An answer shows the order as it was. True when the one under way is given up: it may still
    /// come true, and is told then.
    pub(super) fn denied(&mut self) -> bool {
        if self.wanted.is_none() || self.is_waiting {
            return false;
        }
        self.denials += 1;
        if self.denials < DENIALS_MAX {
            return false;
        }
        self.wanted = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_without_an_outcome_is_given_up_after_two_answers_and_may_still_come_true() {
        let mut amendments = Amendments::default();
        amendments.ask(100, 5);
        assert!(!amendments.denied() && !amendments.denied(), "its reply may still come");
        amendments.replied();
        assert!(!amendments.denied());
        assert!(amendments.denied());
        assert!(!amendments.is_under_way() && !amendments.denied());
        assert!(amendments.allow_qty(5));
        assert_eq!(amendments.come_true(5), Some(Terms { price: 100, qty: 5 }));
        assert_eq!(amendments.come_true(5), None);
    }

    #[test]
    fn an_older_one_does_not_come_true_after_a_newer_one() {
        let mut amendments = Amendments::default();
        amendments.ask(100, 8);
        amendments.ask(100, 5);
        assert!(amendments.awaits_qty(8) && amendments.awaits_qty(5));
        assert_eq!(amendments.come_true(5), Some(Terms { price: 100, qty: 5 }));
        assert!(amendments.allow_qty(8) && !amendments.awaits_qty(8));
        assert_eq!(amendments.come_true(8), None);
        assert!(!amendments.is_under_way());
    }

    #[test]
    fn one_that_the_venue_refused_comes_true_where_it_is_told_all_the_same() {
        let mut amendments = Amendments::default();
        amendments.ask(100, 5);
        assert!(amendments.refused(10) && !amendments.refused(10));
        assert!(!amendments.is_under_way() && amendments.awaits_qty(5));
        assert_eq!(amendments.come_true(5), Some(Terms { price: 100, qty: 5 }));
        assert!(!amendments.awaits_qty(5) && amendments.come_true(5).is_none(), "once");
        assert!(amendments.allow_qty(5), "a late report still tells it");
        // Of the same quantity no report says that it came true.
        amendments.ask(101, 5);
        assert!(amendments.refused(5) && !amendments.awaits_qty(5));
        // Asked for again it is the new one.
        amendments.ask(100, 4);
        assert!(amendments.refused(5));
        amendments.ask(102, 4);
        assert_eq!(amendments.come_true(4), Some(Terms { price: 102, qty: 4 }));
        assert!(!amendments.is_under_way() && !amendments.awaits_qty(4));
        // One that came before it does not come true behind it, and one that came after it does.
        let mut amendments = Amendments::default();
        [8, 5].into_iter().for_each(|qty| amendments.ask(100, qty));
        assert!(amendments.refused(10));
        amendments.ask(100, 3);
        assert!(amendments.come_true(5).is_some() && amendments.come_true(8).is_none());
        assert!(amendments.is_under_way() && amendments.awaits_qty(3));
        assert!(amendments.come_true(3).is_some() && !amendments.is_under_way());
        // Nor does the refused one behind a newer one.
        amendments.ask(100, 2);
        assert!(amendments.refused(3));
        amendments.ask(100, 1);
        assert!(amendments.come_true(1).is_some() && amendments.come_true(2).is_none());
        // Where there is no room the oldest one gives way.
        let mut amendments = Amendments::default();
        (1..=POSSIBLE_MAX as i64).for_each(|qty| amendments.ask(100, 10 + qty));
        amendments.ask(100, 9);
        assert!(amendments.refused(20));
        amendments.ask(100, 8);
        assert!(amendments.come_true(9).is_some() && !amendments.allow_qty(11));
        assert!(amendments.is_under_way() && amendments.come_true(8).is_some());
    }
}
