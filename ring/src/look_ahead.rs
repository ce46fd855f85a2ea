//! When a thread that reads many lanes fetches some before their turn.
//!
//! What a consumer reads of a lone record are lines of another core's, and they take longer to come
//! than a short callback takes. But a record goes to many consumers, so where one had some the next
//! will too, and the lines of several come in the time of one.

use std::ops::Range;

/// How many consumers ahead of its turn a lane is fetched: two lines each are what a core of today
/// can wait for at once (10 to 16), and a turn of 60 ns times six is longer than a line takes.
const DISTANCE: usize = 6;

/// Records in one poll from which on there is a backlog: then the lines of a lane come in a row,
/// and a look at the next one's cursor would only take it from the publisher.
const BACKLOG: usize = 8;

/// Follows one pass over the consumers of a thread; see [`crate::Consumer::prefetch`].
#[derive(Debug, Default)]
pub struct LookAhead {
    /// Consumers that come next and have fetched already.
    fetched: usize,
}

impl LookAhead {
    /// After a consumer that handled `work` records: which of those `behind` it should now fetch.
    /// Each is named once in a pass.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// use pitlane_ring::LookAhead;
    ///
    /// let mut consumers = vec![consumer];
    /// let mut look_ahead = LookAhead::default();
    /// for turn in 0..consumers.len() {
    ///     let work = consumers[turn].poll(8, |_record| ());
    ///     look_ahead.after(work, consumers[turn + 1..].iter()).for_each(|next| next.prefetch());
    /// }
    /// ```
    #[inline]
    pub fn after<I: Iterator>(&mut self, work: usize, behind: I) -> impl Iterator<Item = I::Item> {
        let places = self.advance(work);
        behind.skip(places.start).take(places.len())
    }

    /// The same as places, from 0 for the next one.
    #[inline]
    fn advance(&mut self, work: usize) -> Range<usize> {
        let fetched = self.fetched.saturating_sub(1);
        if work == 0 || work >= BACKLOG {
            self.fetched = fetched;
            return 0..0;
        }
        self.fetched = DISTANCE;
        fetched..DISTANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of 20 consumers has fetched when its turn comes.
    fn fetches(work_of: impl Fn(usize) -> usize) -> Vec<usize> {
        let (mut fetched, mut at_turn) = (vec![0; 20], Vec::new());
        let mut look_ahead = LookAhead::default();
        for consumer in 0..20 {
            at_turn.push(fetched[consumer]);
            let behind = fetched.iter_mut().skip(consumer + 1);
            look_ahead.after(work_of(consumer), behind).for_each(|count| *count += 1);
        }
        at_turn
    }

    #[test]
    fn every_consumer_behind_the_first_with_work_fetches_once_and_before_its_turn() {
        let fetched = fetches(|consumer| usize::from(consumer >= 3));
        assert_eq!(fetched, [[0; 4].as_slice(), &[1; 16]].concat());
    }

    #[test]
    fn consumers_without_work_between_others_change_nothing() {
        let fetched = fetches(|consumer| usize::from(consumer % 3 == 0));
        assert_eq!(fetched, [[0; 1].as_slice(), &[1; 19]].concat());
    }

    #[test]
    fn without_work_and_under_backlog_nothing_is_fetched() {
        assert_eq!(fetches(|_| 0), [0; 20]);
        assert_eq!(fetches(|_| BACKLOG), [0; 20]);
    }
}
