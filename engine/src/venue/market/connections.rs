//! How the topics of a venue are spread over connections.
//!
//! Every topic has one connection for the life of the run, whether it is subscribed to from the
//! start, later, or never: so a book and the numbers of a stream live on one connection, and a
//! request at run time needs no new one. A connection with nothing to carry is not opened.

use std::collections::BTreeMap;
use std::ops::Range;

use super::topics::Topics;
use crate::event::EventKind;
use crate::venue::SymbolMap;
use crate::venue::protocol::MarketProtocol;

/// One market connection of a venue.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Index into the routes of the protocol.
    pub route: usize,
    /// The symbols that it carries.
    pub symbols: SymbolMap,
    /// Whether diffs of books come on it.
    pub has_books: bool,
    pub(super) topics: Topics,
}

impl Connection {
    /// The connections over which a venue's topics are spread, `topics_max` each at most; books
    /// only if `has_books`, and no kind that does not come at the address or path `stream_at`.
    /// Topics that are `listed` take the place of all others: those of one route share a
    /// connection.
    #[must_use]
    pub fn spread<P: MarketProtocol>(
        symbols: &SymbolMap,
        has_books: bool,
        listed: Option<&[String]>,
        topics_max: usize,
        stream_at: &str,
    ) -> Vec<Connection> {
        let topics_max = topics_max.clamp(1, P::LIMITS.topics_per_connection);
        let mut connections = Vec::new();
        for route in 0..P::ROUTES.len() {
            let is_of_route = |topic: &String| P::route(topic) == route;
            let has_topic = |kind: EventKind| {
                let is_offered = kind != EventKind::Book || has_books;
                let is_there = P::elsewhere(kind, stream_at).is_none();
                is_offered && is_there && P::topic("X", kind).as_ref().is_some_and(is_of_route)
            };
            let kinds: Vec<_> = EventKind::ALL.into_iter().filter(|k| has_topic(*k)).collect();
            let has_books = kinds.contains(&EventKind::Book);
            let topics = |by_stream, listed| Topics {
                by_stream,
                listed,
                opening: P::OPENING_TOPIC,
                subscribe: P::subscribe,
                per_request: P::LIMITS.topics_per_request,
            };
            if let Some(listed) = listed {
                let listed: Vec<_> = listed.iter().filter(|t| is_of_route(t)).cloned().collect();
                if !listed.is_empty() {
                    let topics = topics(BTreeMap::new(), Some(listed));
                    connections.push(Connection {
                        route,
                        symbols: symbols.clone(),
                        has_books,
                        topics,
                    });
                }
                continue;
            }
            let symbols_max = (topics_max / kinds.len().max(1)).max(1);
            for slots in chunks(symbols.len(), symbols_max) {
                let symbols = symbols.part(slots);
                let stream = |(native, instrument): (&str, _), kind| {
                    P::topic(native, kind).map(|topic| ((instrument, kind), topic))
                };
                let by_stream = symbols.iter().flat_map(|(native, symbol)| {
                    kinds.iter().filter_map(move |kind| stream((native, symbol.instrument), *kind))
                });
                let topics = topics(by_stream.collect(), None);
                connections.push(Connection { route, symbols, has_books, topics });
            }
        }
        connections
    }
}

/// `0..count` in pieces of at most `size`; one empty piece of nothing.
fn chunks(count: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count.max(1)).step_by(size).map(move |start| start..(start + size).min(count))
}

/// The address of a route: its name before the last segment of the configured path.
#[must_use]
pub fn routed_url(url: &str, route: &str) -> String {
    if route.is_empty() {
        return url.to_owned();
    }
    let path_at = url.find("://").map_or(0, |at| at + 3);
    match url[path_at..].rfind('/') {
        Some(at) => {
            let (head, last) = url.split_at(path_at + at);
            format!("{head}/{route}{last}")
        }
        None => format!("{url}/{route}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::binance::SpotMarket;
    use crate::venue::bybit::BybitMarket;

    fn symbols(count: u32) -> SymbolMap {
        let natives: Vec<_> = (0..count).map(|n| format!("S{n}X")).collect();
        SymbolMap::of_test(&natives)
    }

    #[test]
    fn every_topic_has_one_connection_and_none_carries_too_many() {
        let connections = Connection::spread::<SpotMarket>(&symbols(10), true, None, 12, "/");
        let counts: Vec<_> = connections.iter().map(|c| c.topics.by_stream.len()).collect();
        assert_eq!(counts, [12, 12, 12, 4], "four kinds of three symbols each");
        let mut all: Vec<_> = connections.iter().flat_map(|c| c.topics.by_stream.keys()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((count, all.len()), (40, 40));
        for connection in &connections {
            let slots = connection.symbols.iter().map(|(_, symbol)| symbol.slot);
            assert!(slots.eq(0..connection.symbols.len()), "slots start anew");
        }
        let without = Connection::spread::<SpotMarket>(&symbols(10), false, None, 12, "/");
        assert_eq!((without.len(), without[0].has_books), (3, false));
    }

    #[test]
    fn a_kind_has_no_topic_where_it_does_not_come() {
        for (path, marks) in [
            ("/v5/public/linear", 3),
            ("wss://h/v5/public/inverse?x=1", 3),
            ("/v5/public/spot", 0),
            ("/v5/public/option", 0),
            ("", 0),
        ] {
            let connections =
                Connection::spread::<BybitMarket>(&symbols(3), true, None, 1_024, path);
            let streams = connections.iter().flat_map(|one| one.topics.by_stream.keys());
            let of_marks = streams.filter(|(_, kind)| *kind == EventKind::MarkPrice);
            assert_eq!(of_marks.count(), marks, "{path}");
        }
    }

    #[test]
    fn listed_topics_share_a_connection() {
        let listed = ["s0x@trade".to_owned(), "s1x@depth".to_owned()];
        let connections =
            Connection::spread::<SpotMarket>(&symbols(2), true, Some(&listed), 4, "/");
        let [connection] = &connections[..] else { panic!("one connection") };
        assert_eq!(connection.topics.listed.as_deref(), Some(&listed[..]));
    }

    #[test]
    fn a_route_comes_before_the_last_segment() {
        let routed = |url| routed_url(url, "public");
        assert_eq!(routed("ws://h:1/stream"), "ws://h:1/public/stream");
        assert_eq!(routed("ws://h:1/a/ws"), "ws://h:1/a/public/ws");
        assert_eq!(routed("ws://h:1"), "ws://h:1/public");
        assert_eq!(routed_url("ws://h:1/stream", ""), "ws://h:1/stream");
    }
}
