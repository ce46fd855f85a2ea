//! Requests for streams that were subscribed to and are silent, and for books in the stream that
//! are to be told again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::topics::Stream;
use crate::venue::protocol::MarketProtocol;

/// Numbers of these requests: above those of all others.
const FIRST_ID: u64 = 1 << 40;

/// Streams that are to be asked for again, and how.
#[derive(Debug)]
pub(super) struct Resubscriptions {
    topics: BTreeMap<Stream, String>,
    wanted: BTreeSet<Stream>,
    /// Ready to be sent, each with its number.
    requests: VecDeque<(u64, String)>,
    next_id: u64,
}

impl Resubscriptions {
    /// Of these topics.
    pub(super) fn new(topics: BTreeMap<Stream, String>) -> Resubscriptions {
        let (wanted, requests) = (BTreeSet::new(), VecDeque::new());
        Resubscriptions { topics, wanted, requests, next_id: FIRST_ID }
    }

    /// The stream is to be asked for again; false when it has no topic that is known.
    pub(super) fn want(&mut self, stream: Stream) -> bool {
        let is_known = self.topics.contains_key(&stream);
        if is_known {
            self.wanted.insert(stream);
        }
        is_known
    }

    /// Whether something is to be sent.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        !self.wanted.is_empty() || !self.requests.is_empty()
    }

    /// The connection is gone: the next one subscribes to all.
    pub(super) fn clear(&mut self) {
        self.wanted.clear();
        self.requests.clear();
    }

    /// Whether a reply is to one of these requests.
    pub(super) fn is_reply(id: u64) -> bool {
        id >= FIRST_ID
    }

    /// The next request with its number: for as many streams as one may have, first they are given
    /// up, then asked for. `None` when nothing is wanted.
    pub(super) fn next<P: MarketProtocol>(&mut self) -> Option<(u64, String)> {
        if self.requests.is_empty() && !self.wanted.is_empty() {
            self.write::<P>();
        }
        self.requests.pop_front()
    }

    fn write<P: MarketProtocol>(&mut self) {
        let next = std::iter::from_fn(|| self.wanted.pop_first());
        let streams = next.take(P::LIMITS.topics_per_request);
        let topics: Vec<String> =
            streams.filter_map(|stream| self.topics.get(&stream).cloned()).collect();
        self.queue::<P>(&topics, (self.next_id, self.next_id + 1));
        self.next_id += 2;
    }

    /// Queues a pair of requests with these numbers: to give topics up, and to subscribe to them.
    pub(super) fn queue<P: MarketProtocol>(
        &mut self,
        topics: &[String],
        (off_id, on_id): (u64, u64),
    ) {
        let (mut off, mut on) = (String::new(), String::new());
        P::unsubscribe(topics, off_id, &mut off);
        P::subscribe(topics, on_id, &mut on);
        self.requests.extend([(off_id, off), (on_id, on)]);
    }

    /// Whether what was given up is still to be subscribed to.
    pub(super) fn is_half_done(&self) -> bool {
        self.requests.len() % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventKind, InstrumentId};
    use crate::venue::binance::SpotMarket;

    #[test]
    fn a_silent_stream_is_given_up_and_asked_for_by_itself_and_once() {
        let stream = (InstrumentId(3), EventKind::Quote);
        let topics = BTreeMap::from([(stream, "ab@bookTicker".to_owned())]);
        let mut resubscriptions = Resubscriptions::new(topics);
        assert!(!resubscriptions.want((InstrumentId(3), EventKind::Trade)), "no topic");
        assert!(!resubscriptions.is_wanted());
        assert!(resubscriptions.want(stream) && resubscriptions.want(stream));
        let expected =
            |method, id| format!(r#"{{"method":"{method}","params":["ab@bookTicker"],"id":{id}}}"#);
        let (id, off) = resubscriptions.next::<SpotMarket>().unwrap();
        assert_eq!(id, FIRST_ID);
        assert_eq!(off, expected("UNSUBSCRIBE", FIRST_ID));
        let (_, on) = resubscriptions.next::<SpotMarket>().unwrap();
        assert_eq!(on, expected("SUBSCRIBE", FIRST_ID + 1));
        assert!(!resubscriptions.is_wanted());
        assert!(Resubscriptions::is_reply(FIRST_ID) && !Resubscriptions::is_reply(1_024));
    }
}
