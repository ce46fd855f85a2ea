//! `rtrb`, one ring a consumer; batched by its slices and chunks.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::contender::{Contender, Form, Receiver, Sender};
use crate::load::Load;

pub(crate) struct Rtrb;

pub(crate) struct RtrbReceiver<E>(Consumer<E>, Form);

impl<E: Load> Contender<E> for Rtrb {
    type Sender = Producer<E>;
    type Receiver = RtrbReceiver<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let make = |_| {
            let (producer, consumer) = RingBuffer::new(capacity);
            (producer, RtrbReceiver(consumer, form))
        };
        (0..consumers).map(make).unzip()
    }
}

impl<E: Load> Sender<E> for Producer<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        match records {
            [record] => usize::from(self.push(*record).is_ok()),
            records => self.push_partial_slice(records).0.len(),
        }
    }
}

impl<E: Load> Receiver<E> for RtrbReceiver<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        let RtrbReceiver(consumer, form) = self;
        if *form == Form::OneByOne {
            let mut count = 0;
            while let Ok(record) = consumer.pop() {
                handle(&record);
                count += 1;
            }
            return count;
        }
        let count = consumer.slots();
        if count == 0 {
            return 0;
        }
        let Ok(chunk) = consumer.read_chunk(count) else { return 0 };
        let (first, second) = chunk.as_slices();
        first.iter().chain(second).for_each(&mut *handle);
        chunk.commit_all();
        count
    }
}
