//! Bounded channels, one a consumer.
//!
//! None of them takes a batch; where one hands out a batch (flume's `drain`, kanal's `drain_into`),
//! the batched form uses it.

use std::sync::mpsc;

use crate::contender::{Contender, Form, Receiver, Sender};
use crate::load::Load;

/// Sends record by record until one does not fit.
#[inline]
fn send_each<E: Load>(records: &[E], mut send: impl FnMut(E) -> bool) -> usize {
    records.iter().take_while(|record| send(**record)).count()
}

/// Receives record by record until there is none.
#[inline]
fn receive_each<E: Load>(
    handle: &mut impl FnMut(&E),
    mut receive: impl FnMut() -> Option<E>,
) -> usize {
    let mut count = 0;
    while let Some(record) = receive() {
        handle(&record);
        count += 1;
    }
    count
}

pub(crate) struct Crossbeam;

impl<E: Load> Contender<E> for Crossbeam {
    type Sender = crossbeam_channel::Sender<E>;
    type Receiver = crossbeam_channel::Receiver<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        _form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        (0..consumers).map(|_| crossbeam_channel::bounded(capacity)).unzip()
    }
}

impl<E: Load> Sender<E> for crossbeam_channel::Sender<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        send_each(records, |record| self.try_send(record).is_ok())
    }
}

impl<E: Load> Receiver<E> for crossbeam_channel::Receiver<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        receive_each(handle, || self.try_recv().ok())
    }
}

pub(crate) struct StdSync;

impl<E: Load> Contender<E> for StdSync {
    type Sender = mpsc::SyncSender<E>;
    type Receiver = mpsc::Receiver<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        _form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        (0..consumers).map(|_| mpsc::sync_channel(capacity)).unzip()
    }
}

impl<E: Load> Sender<E> for mpsc::SyncSender<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        send_each(records, |record| self.try_send(record).is_ok())
    }
}

impl<E: Load> Receiver<E> for mpsc::Receiver<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        receive_each(handle, || self.try_recv().ok())
    }
}

pub(crate) struct Flume;

pub(crate) struct FlumeReceiver<E>(flume::Receiver<E>, Form);

impl<E: Load> Contender<E> for Flume {
    type Sender = flume::Sender<E>;
    type Receiver = FlumeReceiver<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let make = |_| {
            let (sender, receiver) = flume::bounded(capacity);
            (sender, FlumeReceiver(receiver, form))
        };
        (0..consumers).map(make).unzip()
    }
}

impl<E: Load> Sender<E> for flume::Sender<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        send_each(records, |record| self.try_send(record).is_ok())
    }
}

impl<E: Load> Receiver<E> for FlumeReceiver<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        match self.1 {
            Form::OneByOne => receive_each(handle, || self.0.try_recv().ok()),
            Form::Batched if self.0.is_empty() => 0,
            Form::Batched => self.0.drain().map(|record| handle(&record)).count(),
        }
    }
}

pub(crate) struct Kanal;

pub(crate) struct KanalReceiver<E> {
    receiver: kanal::Receiver<E>,
    drained: Vec<E>,
    form: Form,
}

impl<E: Load> Contender<E> for Kanal {
    type Sender = kanal::Sender<E>;
    type Receiver = KanalReceiver<E>;

    fn build(
        consumers: usize,
        capacity: usize,
        form: Form,
    ) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let make = |_| {
            let (sender, receiver) = kanal::bounded(capacity);
            (sender, KanalReceiver { receiver, drained: Vec::with_capacity(capacity), form })
        };
        (0..consumers).map(make).unzip()
    }
}

impl<E: Load> Sender<E> for kanal::Sender<E> {
    #[inline]
    fn send(&mut self, records: &[E]) -> usize {
        send_each(records, |record| matches!(self.try_send(record), Ok(true)))
    }
}

impl<E: Load> Receiver<E> for KanalReceiver<E> {
    #[inline]
    fn receive(&mut self, handle: &mut impl FnMut(&E)) -> usize {
        if self.form == Form::OneByOne {
            return receive_each(handle, || self.receiver.try_recv().ok().flatten());
        }
        if self.receiver.is_empty() {
            return 0;
        }
        let count = self.receiver.drain_into(&mut self.drained).unwrap_or(0);
        self.drained.iter().for_each(&mut *handle);
        self.drained.clear();
        count
    }
}
