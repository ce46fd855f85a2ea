//! How a market session is asked for more streams while it runs.
//!
//! A route to events that the venue does not send would stay silent. So the owner of the routes
//! asks here first, and flips once the venue has confirmed. Streams are only ever added: what no
//! route wants any more goes on being decoded, and reaches nobody, until the next start.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use pitlane_ring::Exchange;
use thiserror::Error;

use super::subscriptions::Subscriptions;
use super::topics::{Stream, Topics};

/// Why a session did not get more streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum StreamError {
    /// The venue's error code.
    #[error("refused by the venue (code: {0})")]
    Refused(i32),
    /// It has not answered in time; if it still does, the streams come, and no route takes them.
    #[error("no answer in time")]
    Deadline,
}

/// More streams, on their way to the session and back.
#[derive(Debug)]
pub(super) struct StreamRequest {
    /// All requests of the connection, the new ones last. On the way back: those that were
    /// replaced.
    pub(super) subscriptions: Subscriptions,
    /// Those that are new.
    pub(super) streams: BTreeSet<Stream>,
    /// The venue's error code, when it refused.
    pub(super) refusal: Option<i32>,
}

/// The port of one venue's market session.
#[derive(Debug)]
pub(crate) struct StreamPort {
    pub(super) staged: Exchange<StreamRequest>,
    pub(super) done: Exchange<StreamRequest>,
    topics: Topics,
    known: Mutex<Known>,
}

/// What the session subscribes to.
#[derive(Debug)]
struct Known {
    streams: BTreeSet<Stream>,
    subscriptions: Subscriptions,
    /// What it does once it has answered: it has taken a request.
    asked: Option<(BTreeSet<Stream>, Subscriptions)>,
}

impl StreamPort {
    /// A port to a session that carries `topics`, and subscribes to those that `wanted` says.
    pub(super) fn new(topics: Topics, wanted: impl Fn(&Stream) -> bool) -> Arc<StreamPort> {
        let streams = topics.by_stream.keys().filter(|stream| wanted(stream)).copied().collect();
        let subscriptions = Subscriptions::new(&topics, wanted);
        let known = Mutex::new(Known { streams, subscriptions, asked: None });
        let (staged, done) = (Exchange::new(), Exchange::new());
        Arc::new(StreamPort { staged, done, topics, known })
    }

    /// What the session starts with.
    pub(super) fn subscriptions(&self) -> Subscriptions {
        self.known.lock().subscriptions.clone()
    }

    /// Has the session subscribe to those of `streams` that it is not subscribed to. `None` until
    /// the venue has confirmed: to be called again, with the same streams. The answer comes at once
    /// when none is missing, or when there is no connection. `is_over` gives up; what the session
    /// has not taken is withdrawn then. `wake` wakes the session's core.
    pub(crate) fn poll(
        &self,
        streams: impl Iterator<Item = Stream>,
        is_over: bool,
        wake: impl Fn(),
    ) -> Option<Result<(), StreamError>> {
        let mut known = self.known.lock();
        // Some kinds have no topic of their own, or are carried by another connection.
        let streams: BTreeSet<Stream> =
            streams.filter(|stream| self.topics.by_stream.contains_key(stream)).collect();
        if let Some((asked, _)) = &known.asked {
            // It may be of one that was given up after it had been taken: then only what came of it
            // counts.
            let is_ours = !asked.is_disjoint(&streams);
            match self.done.take() {
                Some(done) => {
                    known.hear(&done);
                    if let (true, Some(code)) = (is_ours, done.refusal) {
                        return Some(Err(StreamError::Refused(code)));
                    }
                }
                None if !is_over => return None,
                None => {
                    if self.staged.take().is_some() {
                        known.asked = None;
                    }
                    return Some(Err(StreamError::Deadline));
                }
            }
        }
        let missing: BTreeSet<Stream> = streams.difference(&known.streams).copied().collect();
        if missing.is_empty() {
            return Some(Ok(()));
        }
        if is_over {
            return Some(Err(StreamError::Deadline));
        }
        let mut subscriptions = known.subscriptions.clone();
        subscriptions.add(&self.topics, |stream| missing.contains(stream));
        let request = StreamRequest {
            subscriptions: subscriptions.clone(),
            streams: missing.clone(),
            refusal: None,
        };
        if self.staged.put(Box::new(request)).is_ok() {
            known.asked = Some((missing, subscriptions));
            wake();
        }
        None
    }
}

impl Known {
    /// The session's answer.
    fn hear(&mut self, done: &StreamRequest) {
        let asked = self.asked.take();
        if let (None, Some((streams, subscriptions))) = (done.refusal, asked) {
            self.streams.extend(streams);
            self.subscriptions = subscriptions;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventKind, InstrumentId};
    use crate::instrument::{InstrumentSpec, Instruments};
    use crate::venue::SymbolMap;
    use crate::venue::binance::SpotMarket;
    use crate::venue::market::Connection;

    const ID: InstrumentId = InstrumentId(0);

    fn port() -> Arc<StreamPort> {
        let spec =
            InstrumentSpec { symbol: "A-B".into(), price_scale: 2, qty_scale: 2, tick: 1, step: 1 };
        let instruments = Arc::new(Instruments::new(vec![spec]).unwrap());
        let symbols = SymbolMap::new(&[("AB".into(), ID)], instruments).unwrap();
        let connection =
            Connection::spread::<SpotMarket>(&symbols, false, None, 1_024, "/").remove(0);
        StreamPort::new(connection.topics, |(_, kind)| *kind == EventKind::Quote)
    }

    /// Asks twice, as one does who waits: the second time is the last where `is_over`.
    fn ask(port: &StreamPort, kind: EventKind, wake: impl Fn()) -> Result<(), StreamError> {
        let poll = |is_over| port.poll([(ID, kind)].into_iter(), is_over, &wake);
        poll(false).or_else(|| poll(true)).expect("it is over")
    }

    /// Answers as a session does.
    fn answer(port: &StreamPort, refusal: Option<i32>) -> usize {
        let mut request = port.staged.take().unwrap();
        request.refusal = refusal;
        let count = request.subscriptions.count();
        port.done.put(request).unwrap();
        count
    }

    #[test]
    fn what_is_there_or_has_no_stream_is_not_asked_for() {
        let port = port();
        for kind in [EventKind::Quote, EventKind::BookState, EventKind::Book] {
            assert_eq!(ask(&port, kind, || panic!("asked for {kind}")), Ok(()));
        }
    }

    #[test]
    fn what_was_confirmed_is_known_and_what_was_refused_is_asked_for_again() {
        let port = port();
        let refuse = || assert_eq!(answer(&port, Some(-1)), 2);
        assert_eq!(ask(&port, EventKind::Bar, refuse), Err(StreamError::Refused(-1)));
        let confirm = || assert_eq!(answer(&port, None), 2);
        assert_eq!(ask(&port, EventKind::Bar, confirm), Ok(()));
        assert_eq!(ask(&port, EventKind::Bar, || panic!("asked again")), Ok(()));
    }

    #[test]
    fn a_request_that_nobody_took_is_withdrawn_and_a_late_answer_counts() {
        let port = port();
        assert_eq!(ask(&port, EventKind::Bar, || {}), Err(StreamError::Deadline));
        assert!(port.staged.take().is_none());
        let taken = std::cell::Cell::new(None);
        let take = || taken.set(port.staged.take());
        assert_eq!(ask(&port, EventKind::Bar, take), Err(StreamError::Deadline));
        assert_eq!(ask(&port, EventKind::Trade, || {}), Err(StreamError::Deadline));
        port.done.put(taken.take().unwrap()).unwrap();
        assert_eq!(ask(&port, EventKind::Bar, || panic!("it has come")), Ok(()));
    }
}
