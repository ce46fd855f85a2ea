//! What takes part in a race: a way to hand records from one thread to `n` consumers on another.

use std::hint::spin_loop;

use pitlane_ring::LookAhead;

use crate::load::Load;

/// How a contender is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// One record into every queue, then the next record: what a plain loop does.
    OneByOne,
    /// A run of records into one queue, then the same run into the next, by the crate's own batch
    /// interface where it has one: the best form of each.
    Batched,
}

impl Form {
    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::OneByOne => "one by one",
            Form::Batched => "batched",
        }
    }

    /// Records in a run when there is a backlog.
    pub(crate) fn run(self) -> usize {
        match self {
            Form::OneByOne => 1,
            Form::Batched => 64,
        }
    }
}

/// The sending end of one queue.
pub(crate) trait Sender<E>: Send {
    /// Sends as many of `records` as fit, from the first; returns how many. One attempt, no
    /// waiting.
    fn send(&mut self, records: &[E]) -> usize;
}

/// The receiving end of one consumer.
pub(crate) trait Receiver<E>: Send {
    /// Hands what is there to `handle`, in order; returns how many. One attempt, no waiting.
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize;

    /// Starts to fetch what is read next, where the crate has a way to.
    #[inline]
    fn prefetch(&self) {}
}

/// One look at each receiver, in turn, as a thread does that serves many; returns what was handed
/// on.
#[inline]
pub(crate) fn receive_from_each<E, R: Receiver<E>>(
    receivers: &mut [R],
    mut receive: impl FnMut(usize, &mut R) -> usize,
) -> usize {
    let (mut work, mut look_ahead) = (0, LookAhead::default());
    for place in 0..receivers.len() {
        let received = receive(place, &mut receivers[place]);
        let behind = receivers.iter().skip(place + 1);
        look_ahead.after(received, behind).for_each(Receiver::prefetch);
        work += received;
    }
    work
}

/// A crate, or a part of ours.
pub(crate) trait Contender<E: Load> {
    /// Sending end.
    type Sender: Sender<E>;
    /// Receiving end.
    type Receiver: Receiver<E>;

    /// Queues for `consumers` consumers with room for `capacity` records each: one sender per
    /// queue, or one for all where the queue itself reaches every consumer.
    fn build(
        consumers: usize,
        capacity: usize,
        form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>);

    /// Sends all of `records` into every queue, as the crate does that best. Waits for room.
    #[inline]
    fn send_to_each(senders: &mut [Self::Sender], records: &[E]) {
        senders.iter_mut().for_each(|sender| send_all(sender, records));
    }
}

/// Sends all of them into one queue.
#[inline]
pub(crate) fn send_all<E>(sender: &mut impl Sender<E>, mut records: &[E]) {
    loop {
        let count = sender.send(records);
        records = &records[count..];
        if records.is_empty() {
            return;
        }
        spin_loop();
    }
}
