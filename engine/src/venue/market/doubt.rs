//! Signs that a live book is not the venue's although its sequence has no hole.
//!
//! Quotes and diffs are two words of the venue on one thing, sent at different times: after a
//! change they differ until the slower one has come. In recorded sessions that lasts for a tenth of
//! a second at most, the pace of diffs. When they differ for far longer, one of them is wrong. A
//! book that stands still while trades go on is wrong, too: each trade takes from it.

/// The longest time for which best prices of book and quotes may differ, ns.
const DIFFERS_NS: u64 = 2_000_000_000;
/// Trades, and the time since the first of them, ns, in which a book has to change.
const TRADES: u32 = 8;
const TRADES_NS: u64 = 3_000_000_000;
/// Between two doubts of one book that turned out to be wrong, ns, at first; doubles.
const AGAIN_NS: u64 = 60_000_000_000;
/// Doublings of it: to about an hour.
const DOUBLINGS_MAX: u8 = 6;

/// Why a book is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Quotes have other best prices.
    Quotes,
    /// It stands still while trades go on.
    Trades,
}

impl Sign {
    pub(super) const fn says(self) -> &'static str {
        match self {
            Sign::Quotes => "its best prices are not those of the quotes",
            Sign::Trades => "it stands still while trades go on",
        }
    }
}

/// What speaks against one book.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubt {
    /// Best bid and ask of the last quote; `None` before the first of a connection.
    quote: Option<(i64, i64)>,
    /// Since when they are not the book's; 0: they are.
    differs_ns: u64,
    /// Trades since the book changed, and when the first of them came, ns.
    trades: u32,
    trades_ns: u64,
    /// It is not doubted before that, ns.
    again_ns: u64,
    /// The last sign, whose question is not answered.
    open: Option<Sign>,
    /// Doubts in a row that were wrong.
    wrong: u8,
}

impl Doubt {
    /// A new connection, or the book is not live: what was heard says nothing any more.
    pub(super) fn restart(&mut self) {
        (self.quote, self.differs_ns, self.trades, self.open) = (None, 0, 0, None);
    }

    /// Best bid and ask of the last quote; `None` before the first of a connection.
    pub(super) fn quote(&self) -> Option<(i64, i64)> {
        self.quote
    }

    /// A quote was read beside a live book with these best prices, 0 for an empty side.
    #[inline]
    pub(super) fn quoted(
        &mut self,
        quote: (i64, i64),
        book: (i64, i64),
        now_ns: u64,
    ) -> Option<Sign> {
        self.quote = Some(quote);
        self.hold(quote, book, now_ns)
    }

    /// A quote was read while the book is not live.
    #[inline]
    pub(super) fn quoted_alone(&mut self, quote: (i64, i64)) {
        (self.quote, self.differs_ns) = (Some(quote), 0);
    }

    /// The live book has changed.
    #[inline]
    pub(super) fn changed(&mut self, book: (i64, i64), now_ns: u64) -> Option<Sign> {
        self.trades = 0;
        let quote = self.quote?;
        self.hold(quote, book, now_ns)
    }

    /// A trade was read.
    #[inline]
    pub(super) fn traded(&mut self, now_ns: u64) -> Option<Sign> {
        if self.trades == 0 {
            self.trades_ns = now_ns;
        }
        self.trades = self.trades.saturating_add(1);
        let is_odd = self.trades >= TRADES && now_ns.saturating_sub(self.trades_ns) >= TRADES_NS;
        if is_odd { self.raise(Sign::Trades, now_ns) } else { None }
    }

    #[inline]
    fn hold(&mut self, quote: (i64, i64), book: (i64, i64), now_ns: u64) -> Option<Sign> {
        if quote == book {
            self.differs_ns = 0;
            return None;
        }
        self.differs(now_ns)
    }

    fn differs(&mut self, now_ns: u64) -> Option<Sign> {
        if self.differs_ns == 0 {
            self.differs_ns = now_ns.max(1);
        }
        let is_odd = now_ns.saturating_sub(self.differs_ns) >= DIFFERS_NS;
        if is_odd { self.raise(Sign::Quotes, now_ns) } else { None }
    }

    #[cold]
    fn raise(&mut self, sign: Sign, now_ns: u64) -> Option<Sign> {
        if self.open.is_some() || now_ns < self.again_ns {
            return None;
        }
        self.open = Some(sign);
        self.again_ns = now_ns + AGAIN_NS;
        Some(sign)
    }

    /// The book was held against a snapshot: it is the venue's, or not, or nothing can be said. The
    /// sign that was wrong.
    pub(super) fn answered(&mut self, is_venues: Option<bool>, now_ns: u64) -> Option<Sign> {
        let open = self.open.take()?;
        match is_venues {
            Some(true) => {
                self.again_ns = now_ns + (AGAIN_NS << self.wrong);
                self.wrong = (self.wrong + 1).min(DOUBLINGS_MAX);
                Some(open)
            }
            Some(false) => {
                self.wrong = 0;
                None
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;

    #[test]
    fn a_quote_that_is_ahead_of_the_book_for_a_while_is_no_sign() {
        let mut doubt = Doubt::default();
        for tick in 0..1_000 {
            let now_ns = tick * 100 * MS;
            let price = 100 + tick as i64;
            // The quote comes at once, the book's diff a tenth of a second later.
            assert_eq!(doubt.quoted((price, price + 1), (price - 1, price), now_ns), None);
            assert_eq!(doubt.changed((price, price + 1), now_ns + 99 * MS), None);
        }
    }

    #[test]
    fn a_difference_that_lasts_is_a_sign_once_and_again_ever_more_rarely_while_it_is_wrong() {
        let mut doubt = Doubt::default();
        let mut signs = Vec::new();
        for tenth in 1..=72_000 {
            let now_ns = tenth * 100 * MS;
            if let Some(sign) = doubt.quoted((100, 101), (99, 101), now_ns) {
                signs.push(tenth / 10);
                assert_eq!(doubt.answered(Some(true), now_ns), Some(sign));
            }
        }
        assert_eq!(signs, [2, 62, 182, 422, 902, 1_862, 3_782]);
        // Right at last: from then on it is looked at as in the beginning.
        let mut doubt = Doubt { wrong: DOUBLINGS_MAX, ..Doubt::default() };
        doubt.quoted((100, 101), (99, 101), S);
        assert_eq!(doubt.quoted((100, 101), (99, 101), 4 * S), Some(Sign::Quotes));
        assert_eq!(doubt.answered(Some(false), 5 * S), None);
        doubt.restart();
        doubt.quoted((100, 101), (99, 101), 70 * S);
        assert_eq!(doubt.quoted((100, 101), (99, 101), 73 * S), Some(Sign::Quotes));
    }

    #[test]
    fn a_book_that_stands_still_while_trades_go_on_is_a_sign() {
        let mut doubt = Doubt::default();
        // Many at once are one order that sweeps: its diff is on its way.
        assert!((0..100).all(|_| doubt.traded(S).is_none()));
        doubt.changed((100, 101), S + 100 * MS);
        let signs: Vec<_> = (2..30).filter(|second| doubt.traded(second * S).is_some()).collect();
        assert_eq!(signs, [9]);
    }

    #[test]
    fn an_empty_side_and_a_book_without_quotes_are_no_signs() {
        let mut doubt = Doubt::default();
        assert!((1..100).all(|second| doubt.changed((100, 0), second * S).is_none()));
        assert!((1..100).all(|second| doubt.quoted((100, 0), (100, 0), second * S).is_none()));
    }
}
