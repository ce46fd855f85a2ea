//! The topics of one market connection, and the requests that subscribe to them.

use super::topics::{Stream, Topics, WriteSubscribe};

/// The topics of a connection, ready to be sent, and which requests are still unanswered.
#[derive(Clone, Debug)]
pub(super) struct Subscriptions {
    /// One text a request; request `n` has id `n + 1`.
    requests: Vec<String>,
    answered: Vec<bool>,
    sent: usize,
    /// The first so many are what the connection is for.
    essential: usize,
    write: WriteSubscribe,
    per_request: usize,
}

impl Subscriptions {
    /// Requests for those of a connection's topics that `wanted` says, or for those that are
    /// listed.
    pub(super) fn new(topics: &Topics, wanted: impl Fn(&Stream) -> bool) -> Subscriptions {
        let mut subscriptions = Subscriptions {
            requests: Vec::new(),
            answered: Vec::new(),
            sent: 0,
            essential: 0,
            write: topics.subscribe,
            per_request: topics.per_request,
        };
        subscriptions.add_topics(topics.opening.map(str::to_owned).as_slice());
        match &topics.listed {
            Some(listed) => subscriptions.add_topics(listed),
            None => subscriptions.add(topics, wanted),
        }
        subscriptions.essential = subscriptions.count();
        subscriptions
    }

    /// Adds requests for more topics; those that are there keep their ids.
    pub(super) fn add(&mut self, topics: &Topics, wanted: impl Fn(&Stream) -> bool) {
        let wanted = topics.by_stream.iter().filter(|(stream, _)| wanted(stream));
        let topics: Vec<String> = wanted.map(|(_, topic)| topic.clone()).collect();
        self.add_topics(&topics);
    }

    fn add_topics(&mut self, topics: &[String]) {
        for topics in topics.chunks(self.per_request) {
            let mut request = String::new();
            (self.write)(topics, self.requests.len() as u64 + 1, &mut request);
            self.requests.push(request);
            self.answered.push(false);
        }
    }

    /// Whether request `id` is one of those that the connection was made for, and not added later.
    pub(super) fn is_essential(&self, id: u64) -> bool {
        id <= self.essential as u64
    }

    /// Whether request `id` is one of these.
    pub(super) fn has(&self, id: u64) -> bool {
        (1..=self.requests.len() as u64).contains(&id)
    }

    /// How many requests there are.
    pub(super) fn count(&self) -> usize {
        self.requests.len()
    }

    /// Takes over how far `other` has come with the requests that both have: one begins with those
    /// of the other.
    pub(super) fn take_over(&mut self, other: &Subscriptions) {
        let count = self.requests.len().min(other.requests.len());
        debug_assert_eq!(self.requests[..count], other.requests[..count]);
        self.sent = other.sent.min(count);
        self.answered[..count].copy_from_slice(&other.answered[..count]);
    }

    /// Starts over, for a new connection.
    pub(super) fn restart(&mut self) {
        self.answered.fill(false);
        self.sent = 0;
    }

    /// Whether every request was sent and confirmed.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.sent == self.requests.len() && self.answered.iter().all(|answered| *answered)
    }

    /// Hands the next request to `send`, which says whether it was taken; the number of one that
    /// was. One at a time: the next one waits for the answer to the one before.
    pub(super) fn send_next(&mut self, send: impl FnOnce(&str) -> bool) -> Option<u64> {
        let is_waiting = self.answered[..self.sent].contains(&false);
        let has_sent =
            !is_waiting && self.sent < self.requests.len() && send(&self.requests[self.sent]);
        self.sent += usize::from(has_sent);
        has_sent.then_some(self.sent as u64)
    }

    /// Notes the answer to request `id`; false when no request has it.
    pub(super) fn on_reply(&mut self, id: u64) -> bool {
        let index = (id as usize).wrapping_sub(1);
        match self.answered[..self.sent].get_mut(index) {
            Some(answered) => {
                *answered = true;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventKind, InstrumentId};
    use crate::venue::SymbolMap;
    use crate::venue::binance::SpotMarket;
    use crate::venue::market::Connection;

    fn topics(count: u32) -> Topics {
        let natives: Vec<_> = (0..count).map(|n| format!("S{n}X")).collect();
        let symbols = SymbolMap::of_test(&natives);
        Connection::spread::<SpotMarket>(&symbols, true, None, 1_024, "/").remove(0).topics
    }

    #[test]
    fn only_what_is_wanted_is_subscribed_to() {
        let wanted = |(id, kind): &(InstrumentId, _)| (id.0 == 1) == (*kind == EventKind::Trade);
        let subscriptions = Subscriptions::new(&topics(2), wanted);
        let expected = r#"{"method":"SUBSCRIBE","params":["s0x@bookTicker","s0x@depth@100ms","s0x@kline_1m","s1x@trade"],"id":1}"#;
        let mut streams: Vec<&str> = subscriptions.requests[0].split('"').collect();
        let mut wanted: Vec<&str> = expected.split('"').collect();
        streams.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(streams, wanted);
    }

    #[test]
    fn requests_go_one_after_the_other_and_all_must_be_answered() {
        let mut subscriptions = Subscriptions::new(&topics(40), |_| true);
        let mut sent = 0;
        for id in 1..=3 {
            assert!(!subscriptions.is_complete());
            subscriptions.send_next(|_| {
                sent += 1;
                true
            });
            subscriptions.send_next(|_| panic!("the one before is not answered"));
            assert!(subscriptions.on_reply(id));
        }
        assert_eq!((sent, subscriptions.is_complete()), (3, true));
        assert!(!subscriptions.on_reply(4) && !subscriptions.on_reply(0));
        subscriptions.restart();
        assert!(!subscriptions.is_complete());
    }

    #[test]
    fn what_is_added_is_asked_for_behind_what_is_there() {
        let topics = topics(1);
        let mut before = Subscriptions::new(&topics, |(_, kind)| *kind == EventKind::Quote);
        before.send_next(|_| true);
        assert!(before.on_reply(1) && before.is_complete());
        let mut more = before.clone();
        more.add(&topics, |(_, kind)| *kind == EventKind::Bar);
        more.take_over(&before);
        assert!(!more.is_complete());
        let mut sent = String::new();
        more.send_next(|text| {
            sent.push_str(text);
            true
        });
        assert_eq!(sent, r#"{"method":"SUBSCRIBE","params":["s0x@kline_1m"],"id":2}"#);
        assert!(more.on_reply(2) && more.is_complete());
        assert!(more.is_essential(1) && !more.is_essential(2));
    }

    #[test]
    fn a_refusal_takes_back_the_new_ones_and_no_answer_to_the_others() {
        let topics = topics(1);
        let mut before = Subscriptions::new(&topics, |(_, kind)| *kind == EventKind::Quote);
        before.send_next(|_| true);
        let mut more = before.clone();
        more.add(&topics, |(_, kind)| *kind == EventKind::Bar);
        more.take_over(&before);
        // The answer to the first one comes while the second one waits.
        assert!(more.on_reply(1));
        more.send_next(|_| true);
        before.take_over(&more);
        assert!(before.is_complete());
    }

    #[test]
    fn what_keeps_the_connection_open_is_asked_for_first_and_even_alone() {
        let topics = Topics { opening: Some("heartbeats"), ..topics(1) };
        let mut subscriptions = Subscriptions::new(&topics, |_| false);
        let mut sent = String::new();
        let id = subscriptions.send_next(|text| {
            sent.push_str(text);
            true
        });
        assert_eq!(sent, r#"{"method":"SUBSCRIBE","params":["heartbeats"],"id":1}"#);
        assert_eq!(id, Some(1));
        assert!(subscriptions.on_reply(1) && subscriptions.is_complete());
        assert_eq!(subscriptions.send_next(|_| true), None);
    }

    #[test]
    fn nothing_wanted_is_complete_at_once() {
        assert!(Subscriptions::new(&topics(3), |_| false).is_complete());
    }
}
