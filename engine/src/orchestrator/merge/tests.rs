//! Windows by hand: each rule of the game, and against a plain model.

use std::sync::Arc;

use proptest::prelude::*;

use super::{MergeCounts, MergePort, MergeRule, MergeTable, Merger};
use crate::event::{
    Bar, Book, BookState, BookStatus, BookStatusReason, Event, EventKind, EventPayload,
    InstrumentId, Level, Merged, Price, Qty, Quote, Side, Trade,
};

const WINDOW_NS: u64 = 1_000;

struct Bench {
    merger: Merger,
    port: Arc<MergePort>,
    out: Vec<Event>,
}

fn rule(id: u16, kind: EventKind, providers: u64) -> MergeRule {
    let instrument = InstrumentId(2);
    MergeRule { id, instrument, kind, providers, window_ns: WINDOW_NS, max_events: 5 }
}

fn bench(rules: &[MergeRule]) -> Bench {
    let port = Arc::<MergePort>::default();
    let mut bench = Bench { merger: Merger::new(Arc::clone(&port), 64), port, out: Vec::new() };
    bench.set(rules);
    bench
}

impl Bench {
    fn set(&mut self, rules: &[MergeRule]) {
        let table = Box::new(MergeTable::new(rules).unwrap());
        assert!(self.port.staged.put(table).is_ok());
        assert_eq!(self.merger.change_if_staged(), 1);
        assert!(self.port.done.take().is_some());
    }

    fn offer(&mut self, event: &Event) {
        let Bench { merger, out, .. } = self;
        merger.offer(event, event.routing_version, &mut |merged| out.push(*merged));
    }

    fn counts(&self, rule: u16) -> MergeCounts {
        self.port.stats.read(rule).unwrap()
    }

    fn merged(&self) -> Vec<&Merged> {
        self.out.iter().map(|event| event.get::<Merged>().unwrap()).collect()
    }

    fn owned(&self) -> u64 {
        self.merger.gauge().owned()
    }
}

fn event<P: EventPayload>(venue: u16, at_ns: u64, payload: &P) -> Event {
    let mut event = Event::new(payload);
    (event.venue, event.instrument, event.receive_ns) = (venue, 2, at_ns);
    event.trace_id = at_ns;
    event.routing_version = 3;
    event
}

fn quote(venue: u16, at_ns: u64, bid: i64) -> Event {
    event(venue, at_ns, &Quote { bid_price: bid, bid_qty: 1, ask_price: bid + 10, ask_qty: 1 })
}

fn trade(venue: u16, at_ns: u64, price: i64, side: Side) -> Event {
    event(venue, at_ns, &Trade::single(Price(price), Qty(2), side))
}

#[test]
fn a_window_is_emitted_at_once_when_every_venue_has_contributed() {
    let mut bench = bench(&[rule(7, EventKind::Quote, 0b1011)]);
    bench.offer(&quote(0, 100, 50));
    bench.offer(&quote(3, 90, 52));
    assert!(bench.out.is_empty());
    let mut last = quote(1, 140, 51);
    (last.routing_version, last.venue_time_ns, last.decode_after_ns) = (2, 9, 8);
    bench.offer(&last);
    let event = bench.out[0];
    assert_eq!((event.kind(), event.venue, event.instrument), (Some(EventKind::Merged), 7, 2));
    assert_eq!((event.sequence, event.trace_id, event.receive_ns), (1, 140, 140));
    assert_eq!((event.venue_time_ns, event.decode_after_ns), (9, 8));
    assert_eq!(event.routing_version, 2, "the lowest of its parts");
    let merged = bench.merged()[0];
    assert_eq!((merged.providers, merged.provider_count(), merged.count), (0b1011, 3, 3));
    assert_eq!((merged.skew_ns, merged.last_venue), (50, 1));
    assert_eq!((merged.bid_venue, merged.ask_venue), (3, 0));
    let quote = merged.quote().unwrap();
    assert_eq!((quote.bid_price, quote.ask_price), (52, 60));
    // FR-007: every place is back the moment it is emitted.
    assert_eq!((bench.owned(), bench.merger.next_timer_ns()), (0, u64::MAX));
    let skews: Vec<_> =
        bench.port.stats.venues(7, 0b1011).map(|v| (v.venue, v.skew_last_ns)).collect();
    assert_eq!(skews, [(0, 40), (1, 0), (3, 50)]);
    let counts = bench.counts(7);
    assert_eq!((counts.opened, counts.complete, counts.merged), (1, 1, 3));
}

#[test]
fn a_side_without_quantity_is_no_offer_and_more_wins_at_one_price() {
    let mut bench = bench(&[rule(0, EventKind::Quote, 0b11)]);
    bench.offer(&event(0, 1, &Quote { bid_price: 9, bid_qty: 0, ask_price: 3, ask_qty: 4 }));
    bench.offer(&event(1, 1, &Quote { bid_price: 1, bid_qty: 1, ask_price: 3, ask_qty: 5 }));
    let merged = bench.merged()[0];
    let quote = merged.quote().unwrap();
    assert_eq!((quote.bid_price, quote.bid_qty, merged.bid_venue), (1, 1, 1));
    assert_eq!((quote.ask_price, quote.ask_qty, merged.ask_venue), (3, 5, 1));
}

/// EDGE-11: a late fragment.
#[test]
fn what_is_stamped_before_the_end_of_the_last_window_is_late() {
    let mut bench = bench(&[rule(0, EventKind::Quote, 0b11)]);
    bench.offer(&quote(0, 100, 1));
    bench.offer(&quote(1, 200, 1));
    bench.offer(&quote(0, 199, 2)); // older than the complete window's latest
    assert_eq!((bench.counts(0).late, bench.owned()), (1, 0));
    bench.offer(&quote(0, 200, 2)); // of the same read
    assert_eq!((bench.counts(0).late, bench.owned()), (1, 1));
    // By time: the window of 200 ends at 1,200.
    assert_eq!(bench.merger.expire(1_199), 0);
    assert_eq!(bench.merger.expire(1_200), 1);
    bench.offer(&quote(1, 1_199, 2));
    assert_eq!((bench.counts(0).late, bench.owned()), (2, 0));
    bench.offer(&quote(1, 1_200, 2));
    bench.offer(&quote(0, 1_201, 2));
    assert_eq!(bench.out.len(), 2);
}

/// EDGE-11: a partial at timeout with no further traffic.
#[test]
fn a_timer_closes_a_window_when_every_venue_is_quiet() {
    let mut bench = bench(&[rule(0, EventKind::Quote, 0b111)]);
    bench.offer(&quote(1, 100, 1));
    assert_eq!(bench.merger.next_timer_ns(), 100 + WINDOW_NS);
    assert_eq!(bench.merger.expire(100 + WINDOW_NS), 1);
    assert_eq!((bench.owned(), bench.merger.next_timer_ns()), (0, u64::MAX));
    let counts = bench.counts(0);
    assert_eq!((counts.suppressed_timeout, counts.suppressed_events), (1, 1));
    let missing: Vec<_> = bench.port.stats.venues(0, 0b111).map(|v| v.missing).collect();
    assert_eq!((missing, bench.out.len()), (vec![1, 0, 1], 0));
}

#[test]
fn an_event_after_the_end_closes_the_window_and_opens_the_next() {
    let mut bench = bench(&[rule(0, EventKind::Quote, 0b11)]);
    bench.offer(&quote(0, 100, 1));
    bench.offer(&quote(1, 100 + WINDOW_NS, 2));
    assert_eq!((bench.out.len(), bench.counts(0).suppressed_timeout), (0, 1));
    assert_eq!(bench.merger.next_timer_ns(), 100 + 2 * WINDOW_NS);
    bench.offer(&quote(0, 150 + WINDOW_NS, 3));
    assert_eq!(bench.merged()[0].quote().unwrap().bid_price, 3);
}

/// EDGE-11: closed by count with a venue missing.
#[test]
fn a_window_full_of_one_venue_is_suppressed() {
    let mut bench = bench(&[rule(0, EventKind::Quote, 0b11)]);
    (0..5).for_each(|n| bench.offer(&quote(0, 100 + n, 1)));
    let counts = bench.counts(0);
    assert_eq!((counts.suppressed_count, counts.replaced), (1, 4));
    assert_eq!((counts.suppressed_events, bench.owned()), (1, 0));
    bench.offer(&quote(1, 103, 1));
    assert_eq!(bench.counts(0).late, 1, "it belongs to the window that is gone");
}

/// EDGE-11: one venue twice. The latest wins, and no second place is taken.
#[test]
fn the_latest_of_a_venue_wins() {
    let mut bench = bench(&[rule(0, EventKind::Quote, 0b11)]);
    bench.offer(&quote(0, 100, 70));
    bench.offer(&quote(0, 101, 60));
    assert_eq!((bench.owned(), bench.counts(0).replaced), (1, 1));
    bench.offer(&quote(1, 102, 50));
    let merged = bench.merged()[0];
    assert_eq!((merged.quote().unwrap().bid_price, merged.count), (60, 3));
    assert_eq!((merged.skew_ns, bench.counts(0).merged), (1, 2));
}

#[test]
fn trades_are_summed_within_a_venue_and_over_venues() {
    let mut bench = bench(&[rule(0, EventKind::Trade, 0b11)]);
    bench.offer(&trade(0, 100, 50, Side::Buy));
    bench.offer(&trade(0, 110, 40, Side::Sell));
    let mut last = trade(1, 105, 60, Side::Buy);
    last.routing_version = 9;
    bench.offer(&last);
    let merged = bench.merged()[0];
    let trade = merged.trade().unwrap();
    assert_eq!((trade.buy_qty, trade.sell_qty, merged.count), (4, 2, 3));
    assert_eq!((trade.high_price, trade.low_price), (60, 40));
    assert_eq!((trade.first_price, trade.last_price), (60, 40), "by the stamps of the sums");
    assert_eq!(trade.notional(), 2 * (50 + 40 + 60));
    assert_eq!((bench.out[0].routing_version, bench.counts(0).aggregated), (3, 1));
}

fn book(venue: u16, at_ns: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Event {
    let empty = [Level { price: 0, qty: 0 }; 10];
    let mut book = Book { bids: empty, asks: empty };
    let fill = |side: &mut [Level; 10], levels: &[(i64, i64)]| {
        side.iter_mut().zip(levels).for_each(|(to, (price, qty))| {
            *to = Level { price: *price, qty: *qty };
        });
    };
    fill(&mut book.bids, bids);
    fill(&mut book.asks, asks);
    let mut event = event(venue, at_ns, &book);
    (event.bid_levels, event.ask_levels) = (bids.len() as u8, asks.len() as u8);
    event
}

#[test]
fn books_are_consolidated_and_equal_prices_summed() {
    let mut bench = bench(&[rule(0, EventKind::Book, 0b111)]);
    bench.offer(&book(0, 1, &[(100, 1), (98, 2)], &[(101, 5)]));
    bench.offer(&book(1, 2, &[(100, 3), (99, 4)], &[]));
    bench.offer(&book(2, 3, &[(97, 1)], &[(101, 5), (104, 1)]));
    let merged = bench.merged()[0];
    let levels = |levels: &mut dyn Iterator<Item = Level>| {
        levels.map(|level| (level.price, level.qty)).collect::<Vec<_>>()
    };
    let book = merged.book().unwrap();
    assert_eq!(levels(&mut book.bids()), [(100, 4), (99, 4), (98, 2), (97, 1)]);
    assert_eq!(levels(&mut book.asks()), [(101, 10), (104, 1)]);
    assert_eq!((bench.out[0].bid_levels, bench.out[0].ask_levels), (4, 2));
    assert_eq!((merged.bid_venue, merged.ask_venue), (1, 0));
}

#[test]
fn a_consolidated_book_ends_at_ten_levels() {
    let mut bench = bench(&[rule(0, EventKind::Book, 0b11)]);
    let bids = |first: i64| (0..10).map(|n| (first - 2 * n, 1)).collect::<Vec<_>>();
    bench.offer(&book(0, 1, &bids(100), &[]));
    bench.offer(&book(1, 2, &bids(99), &[]));
    let prices: Vec<_> =
        bench.merged()[0].book().unwrap().bids().map(|level| level.price).collect();
    assert_eq!(prices, (91..=100).rev().collect::<Vec<_>>());
    assert_eq!(bench.merged()[0].book().unwrap().asks().count(), 0);
}

/// LM-07: what a book said before it lost trust goes into no merged book.
#[test]
fn a_distrusted_book_is_withdrawn() {
    let mut bench = bench(&[rule(0, EventKind::Book, 0b11)]);
    bench.offer(&book(0, 1, &[(100, 1)], &[]));
    let lost = BookState {
        status_code: BookStatus::Syncing.code(),
        reason_code: BookStatusReason::Gap.code(),
        reserved: [0; 6],
    };
    bench.offer(&event(0, 2, &lost));
    assert_eq!((bench.counts(0).withdrawn, bench.owned()), (1, 0));
    bench.offer(&book(1, 3, &[(99, 1)], &[]));
    assert!(bench.out.is_empty());
    bench.offer(&book(0, 4, &[(98, 1)], &[]));
    assert_eq!(bench.merged()[0].book().unwrap().bids().next().unwrap().price, 99);
}

fn bar(venue: u16, at_ns: u64, open_time_ns: i64, prices: [i64; 4], volume: i64) -> Event {
    let [open, high, low, close] = prices;
    let bar =
        Bar { open, high, low, close, volume, open_time_ns, interval_s: 60, trades: 2, closed: 1 };
    event(venue, at_ns, &bar)
}

#[test]
fn bars_of_one_interval_are_combined() {
    let mut bench = bench(&[rule(0, EventKind::Bar, 0b11)]);
    bench.offer(&bar(0, 1, 60, [10, 12, 9, 11], 5));
    let mut open = bar(1, 2, 60, [11, 13, 10, 12], 7);
    open.get_mut::<Bar>().unwrap().closed = 0;
    bench.offer(&open);
    let bar = bench.merged()[0].bar().unwrap();
    assert_eq!([bar.open, bar.high, bar.low, bar.close], [11, 13, 9, 12]);
    assert_eq!((bar.volume, bar.trades, bar.closed), (12, 4, 0));
}

#[test]
fn bars_of_different_intervals_are_not_combined() {
    let mut bench = bench(&[rule(0, EventKind::Bar, 0b111)]);
    bench.offer(&bar(0, 1, 60, [1; 4], 1));
    bench.offer(&bar(1, 2, 120, [2; 4], 1)); // the next one: replaces
    assert_eq!((bench.counts(0).replaced, bench.owned()), (1, 1));
    bench.offer(&bar(2, 3, 60, [3; 4], 1));
    assert_eq!(bench.counts(0).late, 1);
    bench.offer(&bar(0, 4, 120, [4; 4], 1));
    bench.offer(&bar(2, 5, 120, [5; 4], 1));
    assert_eq!(bench.merged()[0].bar().unwrap().open_time_ns, 120);
}

/// EDGE-11: a rule that is replaced or removed while its window is open; others go on.
#[test]
fn a_change_of_rules_ends_the_windows_of_those_that_changed() {
    let [keep, gone, other] =
        [0, 1, 2].map(|id| rule(id, EventKind::Quote, 0b11 << id | 1 << (id + 1)));
    let mut bench = bench(&[keep, gone, other]);
    bench.offer(&quote(1, 100, 1)); // of 0 and 1
    bench.offer(&quote(3, 101, 1)); // of 2
    assert_eq!(bench.owned(), 3);
    bench.set(&[keep, MergeRule { window_ns: 5, ..other }]);
    assert_eq!(bench.owned(), 1);
    assert_eq!(bench.counts(1).suppressed_rule_changed, 1);
    assert_eq!(bench.counts(2).suppressed_rule_changed, 1);
    bench.offer(&quote(0, 102, 1));
    assert_eq!((bench.out.len(), bench.out[0].venue), (1, 0), "the kept window goes on");
    bench.offer(&quote(2, 50, 1)); // a changed rule starts anew: nothing is late for it
    assert_eq!((bench.counts(2).late, bench.merger.next_timer_ns()), (0, 55));
    bench.set(&[]);
    bench.offer(&quote(0, 103, 1));
    assert_eq!((bench.owned(), bench.counts(0).offered), (0, 2));
}

#[test]
fn a_change_waits_until_the_table_before_was_taken() {
    let mut bench = bench(&[]);
    let table = || Box::new(MergeTable::new(&[rule(0, EventKind::Quote, 3)]).unwrap());
    assert!(bench.port.staged.put(table()).is_ok());
    assert_eq!(bench.merger.change_if_staged(), 1);
    assert!(bench.port.staged.put(table()).is_ok());
    assert_eq!(bench.merger.change_if_staged(), 0);
    assert!(bench.port.done.take().is_some());
    assert_eq!(bench.merger.change_if_staged(), 1);
}

/// FR-023: a dry pool suppresses the oldest window, and never the one in hand.
#[test]
fn a_dry_pool_suppresses_the_oldest_window() {
    let wide = |id, kind| MergeRule { max_events: 100, ..rule(id, kind, u64::MAX) };
    let mut bench = bench(&[wide(0, EventKind::Quote), wide(1, EventKind::Trade)]);
    bench.offer(&trade(5, 1, 1, Side::Buy));
    (0..63).for_each(|venue| bench.offer(&quote(venue, 2, 1)));
    assert_eq!((bench.owned(), bench.counts(1).suppressed_evicted), (64, 0));
    bench.offer(&quote(63, 3, 1));
    assert_eq!((bench.out.len(), bench.counts(1).suppressed_evicted), (1, 1));
    assert_eq!((bench.owned(), bench.merger.gauge().exhausted()), (0, 1));
    // The oldest is the one in hand: another one has to go.
    (0..63).for_each(|venue| bench.offer(&quote(venue, 10, 1)));
    bench.offer(&trade(5, 11, 1, Side::Buy));
    bench.offer(&quote(63, 12, 1));
    assert_eq!((bench.out.len(), bench.counts(1).suppressed_evicted), (2, 2));
    assert_eq!(bench.counts(0).suppressed(), 0);
}

#[test]
fn of_two_others_the_older_window_goes() {
    let wide = |id, kind, venues| MergeRule { max_events: 100, ..rule(id, kind, venues) };
    let mut bench = bench(&[
        wide(0, EventKind::Quote, u64::MAX),
        wide(1, EventKind::Trade, 0b11 << 5),
        wide(2, EventKind::Trade, 0b11 << 8),
    ]);
    bench.offer(&trade(5, 1, 1, Side::Buy));
    bench.offer(&trade(8, 2, 1, Side::Buy));
    (0..62).for_each(|venue| bench.offer(&quote(venue, 3, 1)));
    assert_eq!(bench.owned(), 64);
    bench.offer(&quote(62, 4, 1));
    let evicted = [0, 1, 2].map(|id| bench.counts(id).suppressed_evicted);
    assert_eq!(evicted, [0, 1, 0]);
}

/// LM-09: nothing of a window outlives the engine.
#[test]
fn a_stop_suppresses_what_is_open() {
    let mut bench = bench(&[rule(0, EventKind::Quote, 0b11)]);
    bench.offer(&quote(0, 1, 1));
    bench.merger.stop();
    let remains = bench.merger.finish();
    assert_eq!((remains.counts.suppressed_stopped, remains.owned), (1, 0));
    assert_eq!((remains.counts.in_windows(), bench.out.len()), (0, 0));
}

/// SC-002: neither complete windows, nor those that are suppressed, nor a change of rules.
#[test]
fn nothing_is_allocated() {
    let kinds = [EventKind::Quote, EventKind::Trade, EventKind::Book, EventKind::Bar];
    let rules: Vec<_> = (0..4).map(|id| rule(id, kinds[usize::from(id)], 0b111)).collect();
    let mut bench = bench(&rules);
    let events: Vec<Event> = (0..6_000_u64)
        .map(|n| {
            let (venue, at_ns) = ((n * 7 % 5 % 3) as u16, 100 * n);
            match n / 3 % 4 {
                0 => quote(venue, at_ns, n as i64),
                1 => trade(venue, at_ns, n as i64, Side::Sell),
                2 => book(venue, at_ns, &[(n as i64, 1)], &[]),
                _ => bar(venue, at_ns, 60, [1; 4], 1),
            }
        })
        .collect();
    let mut merged = 0;
    assert!(bench.port.staged.put(Box::new(MergeTable::new(&rules[1..]).unwrap())).is_ok());
    let allocations = crate::allocations_of(|| {
        for (index, event) in events.iter().enumerate() {
            if index == 5_000 {
                assert_eq!(bench.merger.change_if_staged(), 1);
            }
            bench.merger.expire(event.receive_ns.saturating_sub(WINDOW_NS));
            bench.merger.offer(event, 1, &mut |_| merged += 1);
        }
    });
    let total = bench.port.stats.total();
    assert_eq!((allocations, merged), (0, total.complete));
    assert!(merged > 100 && total.suppressed() > 100, "{total:?}");
}

/// What a window must do, with vectors: the contributions in order of arrival.
#[derive(Default)]
struct Model {
    open: Vec<(u16, u64, i64)>,
    opened_ns: u64,
    events: u32,
    closed_ns: u64,
    emitted: Vec<(i64, u16, u32, u32)>,
    late: u64,
    suppressed: u64,
}

impl Model {
    fn end(&mut self, closed_ns: u64) {
        self.open.clear();
        self.events = 0;
        self.closed_ns = closed_ns;
    }

    fn expire(&mut self, now_ns: u64) {
        if self.events > 0 && now_ns >= self.opened_ns + WINDOW_NS {
            self.suppressed += 1;
            self.end(self.opened_ns + WINDOW_NS);
        }
    }

    fn offer(&mut self, venue: u16, at_ns: u64, bid: i64, rule: &MergeRule, latest: &mut u64) {
        self.expire(at_ns);
        if at_ns < self.closed_ns {
            self.late += 1;
            return;
        }
        if self.events == 0 {
            self.opened_ns = at_ns;
            *latest = 0;
        }
        *latest = (*latest).max(at_ns);
        self.events += 1;
        self.open.retain(|(of, ..)| *of != venue);
        self.open.push((venue, at_ns, bid));
        if self.open.len() == rule.providers.count_ones() as usize {
            let mut by_venue = self.open.clone();
            by_venue.sort_unstable();
            let best = by_venue.iter().map(|(.., bid)| *bid).max().unwrap();
            let of = by_venue.iter().find(|(.., bid)| *bid == best).unwrap().0;
            let stamps = by_venue.iter().map(|(_, at, _)| *at);
            let skew = stamps.clone().max().unwrap() - stamps.min().unwrap();
            self.emitted.push((best, of, skew as u32, self.events));
            self.end(*latest);
        } else if self.events >= rule.max_events {
            self.suppressed += 1;
            self.end(*latest);
        }
    }
}

proptest! {
    /// Any order of events, stamps that go back, and timers: as the model.
    #[test]
    fn windows_are_as_the_model(
        steps in prop::collection::vec((0_u16..3, 0_u64..400, 0_u64..300, 0_i64..5, any::<bool>()), 1..300)
    ) {
        let rule = MergeRule { max_events: 6, ..rule(4, EventKind::Quote, 0b111) };
        let mut bench = bench(&[rule]);
        let mut model = Model::default();
        let (mut now_ns, mut latest) = (1_000, 0);
        for (venue, pass_ns, back_ns, bid, looks) in steps {
            now_ns += pass_ns;
            if looks {
                bench.merger.expire(now_ns);
                model.expire(now_ns);
            }
            bench.offer(&quote(venue, now_ns - back_ns, bid));
            model.offer(venue, now_ns - back_ns, bid, &rule, &mut latest);
            prop_assert_eq!(bench.owned() as usize, model.open.len());
        }
        let emitted: Vec<_> = bench
            .merged()
            .iter()
            .map(|m| (m.quote().unwrap().bid_price, m.bid_venue, m.skew_ns, m.count))
            .collect();
        prop_assert_eq!(emitted, model.emitted);
        let counts = bench.counts(4);
        prop_assert_eq!((counts.late, counts.suppressed()), (model.late, model.suppressed));
        prop_assert_eq!(counts.in_windows() as usize, model.open.len());
        bench.merger.stop();
        prop_assert_eq!(bench.counts(4).in_windows(), 0);
    }
}
