//! Whether the numbers and times of a stream make sense: one absurd one must neither pass for the
//! newest, nor make all that follow old.
//!
//! A number is judged by the one before: venues count on, and skip what other instruments used. One
//! far beyond what could have happened in the meantime is left out, until the numbers that follow
//! bear it out: then the venue numbers anew. Numbers that fall back far are the same. A time is
//! judged by the time before it on the connection.

use crate::venue::protocol::Snapshot;

/// Numbers that may lie between two of one stream at any time: those of a venue that counts all its
/// symbols together, in a burst.
const JUMP: u64 = 100_000_000;
/// The same for each second between them: ten times what the largest venue counts.
const JUMP_PER_S: u64 = 10_000_000;
/// Numbers in a row that bear a jump out.
const BORNE_OUT: u8 = 3;
/// A time may be off from what passed since the time before by this much, ns.
const TIME_OFF_NS: i64 = 3_600_000_000_000;

/// A price is at most this many times the one before of its stream, and at least as small a part of
/// it: else it is left out, until others bear it out.
const NEXT_PRICE_TIMES: i64 = 10;

/// Best prices of a snapshot are at most this many times the last price, and at least as small a
/// part of it: else it is another instrument's.
const PRICE_TIMES: i64 = 3;

/// Whether a snapshot's best prices are anywhere near the instrument's last one; 0: not known.
pub(super) fn is_near(snapshot: &Snapshot, last_price: i64) -> bool {
    let best = [snapshot.bids.first(), snapshot.asks.first()];
    let is_near = |price: i64| {
        price <= last_price.saturating_mul(PRICE_TIMES)
            && last_price <= price.saturating_mul(PRICE_TIMES)
    };
    last_price <= 0
        || best.into_iter().flatten().any(|level| is_near(level.price))
        || best == [None, None]
}

/// What is known of one stream's numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    last: u64,
    /// When that one came, ns.
    at_ns: u64,
    /// The last of those that contradict it, and how many they are.
    rival: u64,
    rivals: u8,
    is_begun: bool,
    /// The last price that was taken; 0 before the first of a connection. And those in a row that
    /// are far from it.
    price: i64,
    far: u8,
    /// The venue's time of the last one, of a stream without numbers, ns.
    venue_time_ns: i64,
    /// How often it has been numbered anew, wrapping.
    pub(super) renumbered: u8,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// It follows, or is none: to be passed on.
    Fine,
    /// Not the next one by any measure: to be left out.
    Absurd,
}

impl Numbers {
    /// Another connection: its first number is taken as it is.
    pub(super) fn restart(&mut self) {
        (self.is_begun, self.rivals) = (false, 0);
        (self.price, self.far) = (0, 0);
    }

    /// Takes the next price of the stream; 0 is none. False for one that is far from the one
    /// before, unless it is the third in a row.
    #[inline]
    pub(super) fn take_price(&mut self, price: i64) -> bool {
        let is_near = price <= self.price.saturating_mul(NEXT_PRICE_TIMES)
            && self.price <= price.saturating_mul(NEXT_PRICE_TIMES);
        if is_near {
            (self.price, self.far) = (price, 0);
            return true;
        }
        self.judge_price(price)
    }

    #[cold]
    fn judge_price(&mut self, price: i64) -> bool {
        if price <= 0 {
            return true;
        }
        self.far += 1;
        if self.price > 0 && self.far < BORNE_OUT {
            return false;
        }
        (self.price, self.far) = (price, 0);
        true
    }

    /// Notes the venue's time of one without a number, ns; 0 is none.
    #[inline]
    pub(super) fn note_time(&mut self, venue_time_ns: i64) {
        if venue_time_ns != 0 {
            self.venue_time_ns = venue_time_ns;
        }
    }

    /// What was noted last.
    pub(super) fn venue_time_ns(&self) -> i64 {
        self.venue_time_ns
    }

    /// The last number that was taken; `None` before the first of a connection.
    pub(super) fn last(&self) -> Option<u64> {
        self.is_begun.then_some(self.last)
    }

    /// Takes the next number of the stream; 0 is none.
    #[inline]
    pub(super) fn take(&mut self, number: u64, now_ns: u64) -> Number {
        let is_near = number >= self.last && number - self.last <= JUMP;
        if is_near && self.is_begun || number == 0 {
            if number != 0 {
                (self.last, self.at_ns, self.rivals) = (number, now_ns, 0);
            }
            return Number::Fine;
        }
        self.judge(number, now_ns)
    }

    #[cold]
    fn judge(&mut self, number: u64, now_ns: u64) -> Number {
        if !self.is_begun {
            (self.is_begun, self.last, self.at_ns) = (true, number, now_ns);
            return Number::Fine;
        }
        let passed_s = now_ns.saturating_sub(self.at_ns) / 1_000_000_000 + 1;
        let most = JUMP.saturating_add(JUMP_PER_S.saturating_mul(passed_s));
        if number > self.last && number - self.last <= most {
            (self.last, self.at_ns, self.rivals) = (number, now_ns, 0);
            return Number::Fine;
        }
        if number <= self.last && self.last - number <= JUMP {
            // A repeat, a late one, or a new numbering not far below: the stream's order decides.
            return Number::Fine;
        }
        let follows = number > self.rival && number - self.rival <= most;
        self.rivals = if self.rivals > 0 && follows { self.rivals + 1 } else { 1 };
        self.rival = number;
        if self.rivals < BORNE_OUT {
            return Number::Absurd;
        }
        (self.last, self.at_ns, self.rivals) = (number, now_ns, 0);
        self.renumbered = self.renumbered.wrapping_add(1);
        Number::Fine
    }
}

/// What is known of the times of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// The venue's time that was read last, and when; 0 before the first.
    venue_ns: i64,
    read_ns: u64,
    rival_ns: i64,
    rivals: u8,
}

impl Times {
    /// Whether a time fits the one before.
    #[inline]
    pub(super) fn is_plausible(&mut self, venue_ns: i64, read_ns: u64) -> bool {
        let passed_ns = read_ns.wrapping_sub(self.read_ns) as i64;
        let off_ns = venue_ns.wrapping_sub(self.venue_ns).wrapping_sub(passed_ns);
        if off_ns.unsigned_abs() <= TIME_OFF_NS.unsigned_abs() {
            (self.venue_ns, self.read_ns, self.rivals) = (venue_ns, read_ns, 0);
            return true;
        }
        self.judge(venue_ns, read_ns)
    }

    #[cold]
    fn judge(&mut self, venue_ns: i64, read_ns: u64) -> bool {
        let agrees =
            venue_ns.saturating_sub(self.rival_ns).unsigned_abs() <= TIME_OFF_NS.unsigned_abs();
        self.rivals = if self.rivals > 0 && agrees { self.rivals + 1 } else { 1 };
        self.rival_ns = venue_ns;
        if self.venue_ns != 0 && self.rivals < BORNE_OUT {
            return false;
        }
        (self.venue_ns, self.read_ns, self.rivals) = (venue_ns, read_ns, 0);
        true
    }

    /// The last time that was plausible, and when it was read; `None` before the first.
    pub(super) fn last(&self) -> Option<(i64, u64)> {
        (self.venue_ns != 0).then_some((self.venue_ns, self.read_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_price_far_from_the_one_before_is_left_out_until_the_third_in_a_row_bears_it_out() {
        let mut numbers = Numbers::default();
        assert!(numbers.take_price(0) && numbers.take_price(60_000), "the first of all");
        for price in [60_000_000, 600_001, 5_999] {
            assert!(!numbers.take_price(price), "{price}");
            assert!(numbers.take_price(60_000) && numbers.take_price(599_999));
            assert!(numbers.take_price(60_000));
        }
        // A side that is empty says nothing of the price.
        assert!(numbers.take_price(0) && numbers.take_price(60_000));
        let taken = [600_100; 4].map(|price| numbers.take_price(price));
        assert_eq!(taken, [false, false, true, true]);
        numbers.restart();
        assert!(numbers.take_price(1), "another connection");
    }

    #[test]
    fn one_absurd_number_is_left_out_and_the_next_ones_pass() {
        for absurd in [u64::MAX, 4_000_000_000_000_000_000, (1 << 53) + 1, 1 << 40] {
            let mut numbers = Numbers::default();
            assert_eq!(numbers.take(50_000_000_000, 0), Number::Fine);
            assert_eq!(numbers.take(50_000_000_001, S), Number::Fine);
            assert_eq!(numbers.take(absurd, S), Number::Absurd, "{absurd}");
            assert_eq!(numbers.take(50_000_000_002, S), Number::Fine);
            assert_eq!(numbers.take(absurd, 2 * S), Number::Absurd, "again");
            assert_eq!(numbers.take(50_000_900_000, 2 * S), Number::Fine);
            assert_eq!(numbers.renumbered, 0);
        }
    }

    #[test]
    fn an_absurd_first_number_gives_way_to_the_third_that_contradicts_it() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.take(u64::MAX, 0), Number::Fine);
        assert_eq!(numbers.take(7, 1), Number::Absurd);
        assert_eq!(numbers.take(8, 2), Number::Absurd);
        assert_eq!((numbers.take(9, 3), numbers.renumbered), (Number::Fine, 1));
        assert_eq!(numbers.take(10, 4), Number::Fine);
    }

    #[test]
    fn a_venue_that_numbers_anew_is_followed() {
        let mut numbers = Numbers::default();
        numbers.take(50_000_000_000, 0);
        let taken = [1, 2, 5, 6].map(|number| numbers.take(number, S));
        assert_eq!(taken, [Number::Absurd, Number::Absurd, Number::Fine, Number::Fine]);
        assert_eq!(numbers.renumbered, 1);
        // Not far below: the order of the stream decides.
        assert_eq!(numbers.take(4, S), Number::Fine);
    }

    #[test]
    fn a_long_pause_allows_a_long_jump_and_zero_is_no_number() {
        let mut numbers = Numbers::default();
        numbers.take(1, 0);
        assert_eq!(numbers.take(0, 0), Number::Fine);
        assert_eq!(numbers.take(30_000_000_000, 3_600 * S), Number::Fine, "an hour of 8 million/s");
        assert_eq!(numbers.take(u64::MAX - 5, 3_601 * S), Number::Absurd);
    }

    #[test]
    fn one_absurd_time_is_no_time_and_moves_nothing() {
        let year_ns = 365 * 86_400 * S as i64;
        let start_ns = 1_767_225_600 * S as i64;
        let mut times = Times::default();
        assert!(times.is_plausible(start_ns, 5));
        for absurd in [start_ns + year_ns, start_ns - year_ns, i64::MAX, 0, -1] {
            assert!(!times.is_plausible(absurd, 6), "{absurd}");
            assert!(times.is_plausible(start_ns + 2, 7));
        }
        assert_eq!(times.last(), Some((start_ns + 2, 7)));
        // A recording at full speed: days pass in a second, but not between two frames.
        for minute in 1..10_000 {
            assert!(times.is_plausible(start_ns + minute * 60 * S as i64, 8));
        }
        // The first one was absurd.
        let mut times = Times::default();
        assert!(times.is_plausible(start_ns + year_ns, 0));
        let taken = [1, 2, 3, 4].map(|ns| times.is_plausible(start_ns + ns, 1));
        assert_eq!(taken, [false, false, true, true]);
    }
}
