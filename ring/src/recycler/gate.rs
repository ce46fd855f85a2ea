//! The way of a free slot back to the publisher.
//!
//! A `disruptor` ring of `()` that runs against the records: the recycler publishes each slot it
//! has returned, and the publisher takes what is there when it knows of no more. So the ring's
//! sequence barrier is the point at which a slot is let go, and what holds a publisher back. It has
//! as many places as the lane has slots, and never too few: a slot is let go once for each time
//! that it was claimed.
//!
//! Records do not pass through a ring of that kind, though it could order them too (this lane was
//! built so at first): its cursor has a line of its own and says to nobody where it is, while the
//! cursors of lanes between the same two threads are best on one, see [`crate::cursor`].

use disruptor::{
    BusySpin, EventPoller, Producer, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier,
    build_single_producer,
};

/// Both ends of the gate of a lane with `capacity` slots, a power of two. All of them count as
/// free.
pub(crate) fn gate(capacity: usize) -> (Release, Admission) {
    let ring = build_single_producer(capacity, || (), BusySpin);
    let (admission, ring) = ring.new_event_poller();
    (Release(ring.build()), Admission(admission))
}

/// The recycler's end.
pub(crate) struct Release(SingleProducer<(), SingleConsumerBarrier>);

impl Release {
    /// Lets `count` slots go, in the order in which they were claimed.
    #[inline]
    pub(crate) fn let_go(&mut self, count: usize) {
        let passed = self.0.try_batch_publish(count, |_| ());
        debug_assert!(passed.is_ok(), "no more slots can be let go than were claimed");
    }
}

/// The publisher's end.
pub(crate) struct Admission(EventPoller<(), SingleProducerBarrier>);

impl Admission {
    /// Takes the slots that were let go since the last call; how many. None any more, when the
    /// recycler is gone.
    #[inline]
    pub(crate) fn take(&mut self) -> usize {
        let Ok(mut released) = self.0.poll() else { return 0 };
        ExactSizeIterator::len(&&mut released)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn slots_that_were_let_go_are_taken_once_and_a_gone_recycler_lets_none_go() {
        let (mut release, mut admission) = gate(4);
        assert_eq!(admission.take(), 0);
        for _ in 0..3 {
            release.let_go(1);
            release.let_go(3);
            assert_eq!((admission.take(), admission.take()), (4, 0));
        }
        release.let_go(0);
        assert_eq!(admission.take(), 0);
        release.let_go(2);
        release.let_go(0);
        drop(release);
        assert_eq!((admission.take(), admission.take()), (2, 0));
    }
}
