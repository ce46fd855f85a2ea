//! The topics that one market connection may carry.

use std::collections::BTreeMap;

use crate::event::{EventKind, InstrumentId};

/// A stream: an instrument and a kind of event.
pub(crate) type Stream = (InstrumentId, EventKind);

/// Writes a request to subscribe.
pub(super) type WriteSubscribe = fn(&[String], u64, &mut String);

/// The topics that a connection may carry, and how they are subscribed to.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    pub(super) by_stream: BTreeMap<Stream, String>,
    /// Topics that the configuration names; in place of those that are wanted.
    pub(super) listed: Option<Vec<String>>,
    /// What is subscribed to first of all, if anything: it keeps the connection open.
    pub(super) opening: Option<&'static str>,
    pub(super) subscribe: WriteSubscribe,
    pub(super) per_request: usize,
}
