//! When a thread that reads many lanes fetches some before their turn.
//!
//! What a consumer reads first are two lines of another core's, one after the other: the cursor of its
//! lane, then the slot. Together they take longer than a short callback. But a record goes to many
//! consumers, so where one had some the next will too, and the lines of several come in the time of one.

/// Consumers that fetch together. A fetch of a cursor is a load, since the rings do not say where theirs
/// are: the core goes on behind it, but only as far as its window reaches, so one at a time would still
/// be waited for.
const TOGETHER: usize = 6;

/// Records in one poll from which on there is a backlog: then the lines of a lane come in a row, and a
/// look at the next one's cursor would only take it from the publisher.
const BACKLOG: usize = 8;

/// Follows one pass over the consumers of a thread; see [`crate::Consumer::prefetch`].
#[derive(Debug, Default)]
pub struct LookAhead {
    /// Consumers that come next and have fetched already, but for the last of them.
    fetched: usize,
}

impl LookAhead {
    /// After a consumer that handled `work` records: how many of those behind it should now fetch.
    #[inline]
    pub fn after(&mut self, work: usize) -> usize {
        if self.fetched > 0 {
            self.fetched -= 1;
            return 0;
        }
        if work == 0 || work >= BACKLOG {
            return 0;
        }
        self.fetched = TOGETHER - 1;
        TOGETHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_consumer_behind_the_first_with_work_fetches_once_and_before_its_turn() {
        let consumers = 3 * TOGETHER + 2;
        let (mut fetched, mut look_ahead) = (vec![0; consumers], LookAhead::default());
        for consumer in 0..consumers {
            let work = usize::from(consumer >= 1);
            assert_eq!(fetched[consumer], usize::from(consumer >= 2), "consumer {consumer}");
            let next = fetched.iter_mut().skip(consumer + 1);
            next.take(look_ahead.after(work)).for_each(|count| *count += 1);
        }
    }

    #[test]
    fn without_work_and_under_backlog_nothing_is_fetched() {
        let mut look_ahead = LookAhead::default();
        assert!((0..100).all(|_| look_ahead.after(0) == 0));
        assert!((0..100).all(|_| look_ahead.after(BACKLOG) == 0));
    }
}
