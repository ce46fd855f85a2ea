//! Ours: one lane a consumer, with every check of the product on.
//!
//! Copies are independent, slots return by compare-and-swap against a second return, gauges are
//! kept, and each callback runs in its own containment.

use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pitlane_ring::{Consumer, LaneOptions, Publisher, SharedCursors, fan_out_groups, lane_beside};

use crate::contender::{Contender, Form, Receiver, Sender, send_all};
use crate::load::Load;

pub(crate) struct Lanes;

impl<E: Load> Contender<E> for Lanes {
    type Sender = Publisher<E>;
    type Receiver = LaneReceiver<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        _form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let mut cursors = SharedCursors::default();
        let make = |index| {
            let options = LaneOptions { name: format!("race {index}"), capacity };
            let (publisher, consumer) = lane_beside(options, &mut cursors);
            (publisher, LaneReceiver(consumer))
        };
        (0..consumers).map(make).unzip()
    }

    /// A lone record as the dispatcher sends it: into some lanes, then their cursors, then the
    /// next.
    #[inline]
    fn send_to_each(senders: &mut [Self::Sender], records: &[E]) {
        let [record] = records else {
            return senders.iter_mut().for_each(|sender| send_all(sender, records));
        };
        for group in fan_out_groups(senders.len()) {
            for sender in &mut senders[group.clone()] {
                while sender.stage(record).is_err() {
                    spin_loop();
                }
            }
            senders[group].iter_mut().for_each(Publisher::publish_staged);
        }
        senders.iter().for_each(Publisher::prefetch);
    }
}

impl<E: Load> Sender<E> for Publisher<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        match records {
            [record] => usize::from(self.try_publish(record).is_ok()),
            records => self.try_publish_slice(records),
        }
    }
}

pub(crate) struct LaneReceiver<E: Load>(Consumer<E>);

impl<E: Load> Receiver<E> for LaneReceiver<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        self.0.poll(usize::MAX, |record| {
            let contained = catch_unwind(AssertUnwindSafe(|| handle(record)));
            assert!(contained.is_ok(), "a race's handler does not panic");
        })
    }
    #[inline]
    fn prefetch(&self) {
        self.0.prefetch();
    }
}
