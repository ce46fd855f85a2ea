//! A reader's view of the stage before it: the publisher, or another reader.
//!
//! Two facts about the ring's pollers shape this file. A guard moves its poller's cursor to the end
//! of what it *took* when it is dropped, whatever was read; and it holds nothing but a reference to
//! the poller, so forgetting it leaks nothing and moves nothing. Hence: take all that is there, and
//! drop the guard when all of it was handled, or forget it and take again exactly what was.

use disruptor::{EventGuard, EventPoller, SingleConsumerBarrier, SingleProducerBarrier};

/// The poller of a reader, by what gates it.
pub(crate) enum Upstream {
    /// Sees a record when it is published.
    Publisher(EventPoller<(), SingleProducerBarrier>),
    /// Sees a record when the reader before has handled it.
    Stage(EventPoller<(), SingleConsumerBarrier>),
}

/// All that was available at one moment. Dropping it marks all of it as handled.
pub(crate) enum Taken<'p> {
    Publisher(EventGuard<'p, (), SingleProducerBarrier>),
    Stage(EventGuard<'p, (), SingleConsumerBarrier>),
}

impl Upstream {
    /// Takes everything available; `None` when that is nothing, also after the publisher is gone.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<Taken<'_>> {
        match self {
            Self::Publisher(poller) => poller.poll().ok().map(Taken::Publisher),
            Self::Stage(poller) => poller.poll().ok().map(Taken::Stage),
        }
    }

    /// Marks the next `count` records as handled; they must be available.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        match self {
            Self::Publisher(poller) => drop(poller.take(count as u64)),
            Self::Stage(poller) => drop(poller.take(count as u64)),
        }
    }

    /// Whether [`Self::take`] would find something.
    #[inline]
    pub(crate) fn has_available(&self) -> bool {
        match self {
            Self::Publisher(poller) => poller.has_available(),
            Self::Stage(poller) => poller.has_available(),
        }
    }

    /// Whether this is the first reader of the lane.
    #[inline]
    pub(crate) fn is_publisher(&self) -> bool {
        matches!(self, Self::Publisher(_))
    }
}

impl Taken<'_> {
    /// Number of records taken.
    #[inline(always)]
    pub(crate) fn len(&mut self) -> usize {
        match self {
            Self::Publisher(guard) => ExactSizeIterator::len(&guard),
            Self::Stage(guard) => ExactSizeIterator::len(&guard),
        }
    }
}
