//! The rivals, each through its own interface, none with anything of ours around it.

mod channels;
mod disruptor_ring;
mod rtrb_ring;
mod tokio_broadcast;

pub(crate) use channels::{Crossbeam, Flume, Kanal, StdSync};
pub(crate) use disruptor_ring::{DisruptorRings, DisruptorShared};
pub(crate) use rtrb_ring::Rtrb;
pub(crate) use tokio_broadcast::TokioBroadcast;
