//! The one word from which the state of every slot of a lane follows.
//!
//! What is at or below it was returned. A return is a compare-and-swap of that word from the
//! sequence before the slot to the slot. So of two threads exactly one wins, a slot that was reused
//! meanwhile can't be taken for the old one, and nothing can be returned past a slot that is still
//! out.
//!
//! A consumer that handles its records in place returns them without the locked instruction.
//! Another thread could only win a return of a slot that a token was made for, and while such a
//! slot is out the consumer handles nothing; tokens of slots that were returned before find the
//! word beyond theirs, whoever moved it there. A lock would be more than the 7 ns it takes: nothing
//! behind it starts before it is done, so a thread that polls many lanes would not begin to fetch
//! the next one's lines.

use crate::record::Sequence;
use crate::sync::{AtomicI64, Ordering};

/// A return that was not accepted; the lane is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedReturn {
    /// The slot had been returned before, whether or not it was reused since.
    #[error("the slot was returned before")]
    AlreadyReturned,
    /// A slot published earlier is still out; this one may be returned after it.
    #[error("an earlier slot is still out")]
    OutOfOrder,
}

/// The last sequence that was returned.
pub(crate) struct ReturnCursor(AtomicI64);

impl ReturnCursor {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(-1))
    }

    /// Returns `first` to `last` at once. Of several calls for one sequence exactly one succeeds.
    #[inline]
    pub(crate) fn try_return(&self, first: Sequence, last: Sequence) -> Result<(), RefusedReturn> {
        // Release: what the returning thread did with the slots comes before the return. Acquire:
        // the next in line comes after it.
        match self.0.compare_exchange(first - 1, last, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(found) if found < first => Err(RefusedReturn::OutOfOrder),
            Err(_) => Err(RefusedReturn::AlreadyReturned),
        }
    }

    /// Returns like [`Self::try_return`], on the thread that reads the lane, while no slot is out:
    /// then nobody else can return anything, so there is nothing to win.
    #[inline]
    pub(crate) fn return_in_place(
        &self,
        first: Sequence,
        last: Sequence,
    ) -> Result<(), RefusedReturn> {
        match self.last() {
            found if found == first - 1 => {
                // Release, as in `try_return`.
                self.0.store(last, Ordering::Release);
                Ok(())
            }
            found if found < first => Err(RefusedReturn::OutOfOrder),
            _ => Err(RefusedReturn::AlreadyReturned),
        }
    }

    /// Whether `sequence` was returned.
    #[inline]
    pub(crate) fn is_returned(&self, sequence: Sequence) -> bool {
        sequence <= self.last()
    }

    /// The last sequence that was returned, -1 before the first.
    #[inline]
    pub(crate) fn last(&self) -> Sequence {
        self.0.load(Ordering::Acquire)
    }

    /// Plants a fault: from now on `sequence` and all behind it count as not returned. The last
    /// sequence that was returned until now, for [`Self::remember`].
    pub(crate) fn forget(&self, sequence: Sequence) -> Sequence {
        self.0.swap(sequence - 1, Ordering::AcqRel)
    }

    /// Mends what [`Self::forget`] planted.
    pub(crate) fn remember(&self, last: Sequence) {
        let mut found = self.last();
        while found < last {
            match self.0.compare_exchange(found, last, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => found = other,
            }
        }
    }

    /// Number of sequences returned.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        (self.last() + 1) as u64
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::sync::{SharedCell, explore};

    /// F07: of two returns of one slot exactly one wins, in every interleaving.
    #[test]
    fn loom_return_one_of_two_returns_wins() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            let other = {
                let cursor = Arc::clone(&cursor);
                thread::spawn(move || cursor.try_return(0, 0))
            };
            let mine = cursor.try_return(0, 0);
            let theirs = other.join().unwrap();
            assert!(mine.is_ok() ^ theirs.is_ok());
            assert_eq!(mine.and(theirs), Err(RefusedReturn::AlreadyReturned));
            assert_eq!(cursor.last(), 0);
        });
    }

    /// F07, EDGE-5: a stale return loses also while the slot is reused and returned again.
    #[test]
    fn loom_return_a_stale_return_never_wins_over_reuse() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            cursor.try_return(0, 1).unwrap();
            let other = {
                let cursor = Arc::clone(&cursor);
                thread::spawn(move || cursor.try_return(0, 0))
            };
            assert_eq!(cursor.try_return(2, 3), Ok(()), "the reuse of both slots");
            assert_eq!(other.join().unwrap(), Err(RefusedReturn::AlreadyReturned));
            assert_eq!(cursor.last(), 3);
        });
    }

    /// A return without the locked instruction takes nothing from a token, and a token nothing from
    /// it.
    #[test]
    fn loom_return_in_place_beside_stale_tokens() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            cursor.return_in_place(0, 1).unwrap();
            let tokens: Vec<_> = (0..2)
                .map(|sequence| {
                    let cursor = Arc::clone(&cursor);
                    thread::spawn(move || cursor.try_return(sequence, sequence))
                })
                .collect();
            assert_eq!(cursor.return_in_place(2, 3), Ok(()));
            assert_eq!(cursor.return_in_place(4, 5), Ok(()));
            for token in tokens {
                assert_eq!(token.join().unwrap(), Err(RefusedReturn::AlreadyReturned));
            }
            assert_eq!(cursor.last(), 5);
        });
    }

    /// Two threads that return neighbours: the later never goes first.
    #[test]
    fn loom_return_returns_stay_in_order() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            let other = {
                let cursor = Arc::clone(&cursor);
                thread::spawn(move || cursor.try_return(1, 1))
            };
            assert_eq!(cursor.try_return(0, 0), Ok(()));
            match other.join().unwrap() {
                Ok(()) => assert_eq!(cursor.last(), 1),
                Err(refused) => {
                    assert_eq!(refused, RefusedReturn::OutOfOrder);
                    assert_eq!(cursor.last(), 0);
                }
            }
        });
    }

    /// What returning threads did with their slots comes before the return as the recycler sees it:
    /// it may then write to all of them, also to those of which it only saw the successor.
    #[test]
    fn loom_return_hands_the_slots_over() {
        explore(|| {
            let shared = Arc::new((ReturnCursor::new(), [SharedCell::new(0), SharedCell::new(0)]));
            let returning: Vec<_> = (0..2)
                .map(|sequence| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        // SAFETY: the slot is this thread's until it returns it.
                        shared.1[sequence as usize].with_mut(|slot| unsafe { *slot += 1 });
                        shared.0.try_return(sequence, sequence)
                    })
                })
                .collect();
            for sequence in 0..=shared.0.last() {
                // SAFETY: it was returned, so it is the recycler's.
                let held = shared.1[sequence as usize].with_mut(|slot| unsafe { slot.replace(9) });
                assert_eq!(held, 1);
            }
            let mut refused = 0;
            for thread in returning {
                refused += i64::from(thread.join().unwrap() == Err(RefusedReturn::OutOfOrder));
            }
            assert_eq!(shared.0.last(), 1 - refused, "only the second may be refused");
        });
    }
}
