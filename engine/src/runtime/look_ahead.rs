//! When the agents of a core fetch what others have sent them, some before their turn.
//!
//! What an agent reads first are two lines of another core's, one after the other: the cursor of its lane,
//! then the slot. Together they take longer than a short callback. But an event goes to many consumers, so
//! where one had work the next will have some too, and the lines of several come in the time of one.

/// Agents that fetch together. A fetch of a cursor is a load, since the rings do not say where theirs are: the
/// core goes on behind it, but only as far as its window reaches, so one at a time would still be waited for.
const TOGETHER: usize = 6;

/// Follows one pass over the agents of a core.
#[derive(Debug, Default)]
pub(crate) struct LookAhead {
    /// Agents that come next and have fetched already, but for the last of them.
    fetched: usize,
}

impl LookAhead {
    /// After an agent's duty cycle: how many of those behind it should now fetch.
    #[inline]
    pub(crate) fn after(&mut self, work: usize) -> usize {
        if self.fetched > 0 {
            self.fetched -= 1;
            return 0;
        }
        if work == 0 {
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
    fn every_agent_behind_the_first_with_work_fetches_once_and_before_its_turn() {
        let agents = 3 * TOGETHER + 2;
        let (mut fetched, mut look_ahead) = (vec![0; agents], LookAhead::default());
        for agent in 0..agents {
            let work = usize::from(agent >= 1);
            assert_eq!(fetched[agent], usize::from(agent >= 2), "agent {agent}");
            fetched.iter_mut().skip(agent + 1).take(look_ahead.after(work)).for_each(|f| *f += 1);
        }
    }

    #[test]
    fn a_pass_without_work_fetches_nothing() {
        let mut look_ahead = LookAhead::default();
        assert!((0..100).all(|_| look_ahead.after(0) == 0));
    }
}
