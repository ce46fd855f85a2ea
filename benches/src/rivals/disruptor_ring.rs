//! Bare `disruptor`: records in its slots, pollers on our thread. One ring a consumer, or one for
//! all.
//!
//! The shared ring moves one copy where all others move one a consumer: its consumers see the same
//! memory, and the slowest of them holds up the publisher.

use disruptor::{
    BusySpin, EventPoller, MissingFreeSlots, MultiConsumerBarrier, Producer, SingleConsumerBarrier,
    SingleProducer, SingleProducerBarrier, build_single_producer,
};

use crate::contender::{Contender, Form, Receiver, Sender};
use crate::load::Load;

type Poller<E> = EventPoller<E, SingleProducerBarrier>;

pub(crate) struct DisruptorRings;

pub(crate) struct DisruptorShared;

/// The producer of a shared ring, by its number of consumers.
pub(crate) enum SharedProducer<E> {
    One(SingleProducer<E, SingleConsumerBarrier>),
    Many(SingleProducer<E, MultiConsumerBarrier>),
}

impl<E: Load> Contender<E> for DisruptorRings {
    type Sender = SingleProducer<E, SingleConsumerBarrier>;
    type Receiver = Poller<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        _form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let make = |_| {
            let builder = build_single_producer(capacity, || E::new(0, 0), BusySpin);
            let (poller, builder) = builder.new_event_poller();
            (builder.build(), poller)
        };
        (0..consumers).map(make).unzip()
    }
}

impl<E: Load> Contender<E> for DisruptorShared {
    type Sender = SharedProducer<E>;
    type Receiver = Poller<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        _form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let builder = build_single_producer(capacity, || E::new(0, 0), BusySpin);
        let (poller, first) = builder.new_event_poller();
        let mut pollers = vec![poller];
        if consumers == 1 {
            return (vec![SharedProducer::One(first.build())], pollers);
        }
        let (poller, mut builder) = first.new_event_poller();
        pollers.push(poller);
        for _ in 2..consumers {
            let (poller, next) = builder.new_event_poller();
            pollers.push(poller);
            builder = next;
        }
        (vec![SharedProducer::Many(builder.build())], pollers)
    }
}

#[inline]
fn send<E: Load>(producer: &mut impl Producer<E>, records: &[E]) -> usize {
    if let [record] = records {
        return usize::from(producer.try_publish(|slot| *slot = *record).is_ok());
    }
    let mut count = records.len();
    while count > 0 {
        let published = producer.try_batch_publish(count, |slots| {
            slots.zip(records).for_each(|(slot, record)| *slot = *record);
        });
        match published {
            Ok(_) => return count,
            Err(MissingFreeSlots(missing)) => count -= missing as usize,
        }
    }
    0
}

impl<E: Load> Sender<E> for SingleProducer<E, SingleConsumerBarrier> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        send(self, records)
    }
}

impl<E: Load> Sender<E> for SharedProducer<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        match self {
            SharedProducer::One(producer) => send(producer, records),
            SharedProducer::Many(producer) => send(producer, records),
        }
    }
}

impl<E: Load> Receiver<E> for Poller<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        let Ok(mut events) = self.poll() else { return 0 };
        let mut count = 0;
        for event in &mut events {
            handle(event);
            count += 1;
        }
        count
    }
}
