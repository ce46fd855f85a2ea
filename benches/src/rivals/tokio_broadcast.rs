//! `tokio::sync::broadcast`, one channel for all, polled without a runtime.
//!
//! It overwrites what a slow receiver has not read. A race loses nothing, so the sender asks for
//! the room first; a receiver that lags all the same fails the race.

use tokio::sync::broadcast;

use crate::contender::{Contender, Form, Receiver, Sender};
use crate::load::Load;

pub(crate) struct TokioBroadcast;

pub(crate) struct BroadcastSender<E> {
    sender: broadcast::Sender<E>,
    capacity: usize,
    room: usize,
}

pub(crate) struct BroadcastReceiver<E>(broadcast::Receiver<E>);

impl<E: Load> Contender<E> for TokioBroadcast {
    type Sender = BroadcastSender<E>;
    type Receiver = BroadcastReceiver<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        _form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let sender = broadcast::Sender::new(capacity);
        let receivers = (0..consumers).map(|_| BroadcastReceiver(sender.subscribe())).collect();
        (vec![BroadcastSender { sender, capacity, room: capacity }], receivers)
    }
}

impl<E: Load> Sender<E> for BroadcastSender<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        if self.room < records.len() {
            self.room = self.capacity - self.sender.len();
        }
        let count = records.len().min(self.room);
        for record in &records[..count] {
            assert!(self.sender.send(*record).is_ok(), "receivers outlive the sender");
        }
        self.room -= count;
        count
    }
}

impl<E: Load> Receiver<E> for BroadcastReceiver<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        let mut count = 0;
        loop {
            match self.0.try_recv() {
                Ok(record) => handle(&record),
                Err(broadcast::error::TryRecvError::Lagged(_)) => panic!("broadcast lost records"),
                Err(_) => return count,
            }
            count += 1;
        }
    }
}
