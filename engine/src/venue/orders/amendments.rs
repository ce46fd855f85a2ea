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
}

impl Amendments {
    /// One is written.
    pub(super) fn ask(&mut self, price: i64, qty: i64) {
        let terms = Terms { price, qty };
        (self.wanted, self.is_waiting, self.denials) = (Some(terms), true, 0);
        if self.possible.is_full() {
            self.possible.remove(0);
            self.done = self.done.saturating_sub(1);
        }
        self.possible.push(terms);
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
        self.possible.iter().any(|terms| terms.qty == qty)
    }

    /// Whether this quantity would be a new one.
    pub(super) fn awaits_qty(&self, qty: i64) -> bool {
        self.possible[self.done..].iter().any(|terms| terms.qty == qty)
    }

    /// Prices that it has had, or may have by now.
    pub(super) fn prices(&self) -> impl Iterator<Item = i64> {
        self.possible.iter().map(|terms| terms.price)
    }

    /// The venue tells this quantity: the terms that came true.
    pub(super) fn come_true(&mut self, qty: i64) -> Option<Terms> {
        let index = (self.done..self.possible.len()).find(|at| self.possible[*at].qty == qty)?;
        self.done = index + 1;
        if self.done == self.possible.len() {
            (self.wanted, self.is_waiting) = (None, false);
        }
        Some(self.possible[index])
    }

    /// The venue refused the one that is under way; false when none is.
    pub(super) fn refused(&mut self) -> bool {
        let wanted = self.wanted.take();
        self.is_waiting = false;
        // The one under way is the last.
        if wanted.is_some() && self.possible.len() > self.done {
            self.possible.pop();
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
    fn one_that_the_venue_refused_does_not_come_true() {
        let mut amendments = Amendments::default();
        amendments.ask(100, 5);
        assert!(amendments.refused() && !amendments.refused());
        assert!(!amendments.allow_qty(5));
    }
}
