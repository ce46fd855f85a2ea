//! Where events of each kind wait when their consumer's lane is full (LM-04).
//!
//! A route has a base cell; some kinds have several behind it, chosen by what the event carries: a bar that
//! is still open gives way to the next, closed ones queue; balances wait by asset; merged events as what
//! they were merged from.

use pitlane_ring::{CellGroupSpec, CellId, CellPolicy, CellSpec};

use crate::event::{Balance, Bar, Event, EventKind, Merged};

/// Closed bars that queue per key before the oldest is dead-lettered (LM-04).
const BARS_MAX: usize = 64;

/// Assets of one venue whose balances never replace each other; numbers that differ by a multiple of it do.
const ASSETS_MAX: usize = 64;

/// Closed bars, ahead of the open one.
const CLOSED: u8 = 0;
/// The bar that is still open, or whatever keeps only its latest.
const OPEN: u8 = 1;

const LATEST: CellSpec = CellSpec { policy: CellPolicy::Latest, clears: false };

/// The cells of a kind that shares its group with no other. `None` for book and book state, which share one.
pub(super) fn group_of(kind: EventKind) -> Option<CellGroupSpec> {
    let members = match kind {
        EventKind::Book | EventKind::BookState => return None,
        // What a bar was before it closed is of no use behind it.
        EventKind::Bar | EventKind::Merged => {
            let policy = CellPolicy::Queue { capacity: BARS_MAX };
            vec![CellSpec { policy, clears: true }, LATEST]
        }
        EventKind::Balance => vec![LATEST; ASSETS_MAX],
        EventKind::Quote
        | EventKind::Trade
        | EventKind::Instrument
        | EventKind::ExecReport
        | EventKind::ControlAck
        | EventKind::ControlResult
        | EventKind::Risk => vec![LATEST],
    };
    Some(CellGroupSpec { members })
}

/// The cell of this event, in a route with this base.
#[inline]
pub(super) fn cell_of(base: CellId, event: &Event) -> CellId {
    CellId { group: base.group, member: base.member + member_of(event) }
}

#[inline]
fn member_of(event: &Event) -> u8 {
    if let Some(bar) = event.get::<Bar>() {
        return of_bar(bar);
    }
    if let Some(merged) = event.get::<Merged>() {
        return merged.bar().map_or(OPEN, of_bar);
    }
    event.get::<Balance>().map_or(0, |balance| (balance.asset % ASSETS_MAX as u64) as u8)
}

fn of_bar(bar: &Bar) -> u8 {
    if bar.closed != 0 { CLOSED } else { OPEN }
}

#[cfg(test)]
mod tests {
    use pitlane_ring::{Displaced, LaneOptions, MarketPublisher, lane};

    use super::*;
    use crate::event::{EventPayload, Price, Qty, Quote, Side, Trade};

    /// Offers into a full lane, then lets everything out. Tells what came and what was displaced.
    fn through_cells(kind: EventKind, events: &[Event]) -> (Vec<Event>, Vec<Displaced>) {
        let (publisher, mut end) = lane(LaneOptions { name: "full".to_owned(), capacity: 2 });
        let mut market = MarketPublisher::new(publisher, &[group_of(kind).unwrap()]);
        let base = CellId { group: 0, member: 0 };
        let (mut displaced, mut out) = (Vec::new(), Vec::new());
        let filler = [events[0]; 2];
        for event in filler.iter().chain(events) {
            market.offer(event, cell_of(base, event), &mut |_, how| displaced.push(how));
        }
        end.poll(2, |_| ());
        while market.pending() > 0 {
            market.flush();
            end.poll(2, |event| out.push(*event));
        }
        (out, displaced)
    }

    fn bar(open_time_ns: i64, close: i64, closed: bool) -> Bar {
        let (high, low) = (close, close);
        let closed = u64::from(closed);
        Bar {
            open: 1,
            high,
            low,
            close,
            volume: 1,
            open_time_ns,
            interval_s: 60,
            trades: 1,
            closed,
        }
    }

    fn events<P: EventPayload>(payloads: impl IntoIterator<Item = P>) -> Vec<Event> {
        payloads.into_iter().map(|payload| Event::new(&payload)).collect()
    }

    fn closes(events: &[Event]) -> Vec<i64> {
        let bar = |event: &Event| match event.get::<Merged>() {
            Some(merged) => merged.bar().copied(),
            None => event.get::<Bar>().copied(),
        };
        events.iter().filter_map(bar).map(|bar| bar.close).collect()
    }

    /// LM-04: the bar that is still open is latest-wins, closed ones queue ahead of it.
    #[test]
    fn open_bars_give_way_and_closed_ones_queue() {
        let bars = [
            bar(0, 1, false),
            bar(0, 2, false),
            bar(0, 3, true),
            bar(60, 4, false),
            bar(60, 5, true),
            bar(120, 6, false),
            bar(120, 7, false),
        ];
        for kind in [EventKind::Bar, EventKind::Merged] {
            let offered = match kind {
                EventKind::Bar => events(bars),
                _ => events(bars.map(|bar| Merged::of(&bar))),
            };
            let (out, displaced) = through_cells(kind, &offered);
            assert_eq!(closes(&out), [3, 5, 7], "{kind}");
            assert_eq!(displaced, [Displaced::Conflated; 4], "{kind}");
        }
    }

    #[test]
    fn the_oldest_of_too_many_closed_bars_is_evicted() {
        let offered = events((0..66).map(|n| bar(60 * n, n, true)));
        let (out, displaced) = through_cells(EventKind::Bar, &offered);
        assert_eq!(closes(&out), (2..66).collect::<Vec<_>>());
        assert_eq!(displaced, [Displaced::Evicted; 2]);
    }

    #[test]
    fn balances_wait_by_asset() {
        let balance = |asset, free| Balance { asset, free, locked: 0 };
        let (out, displaced) = through_cells(
            EventKind::Balance,
            &events([balance(3, 1), balance(0, 2), balance(3, 5), balance(63, 4)]),
        );
        let mut read: Vec<_> = out
            .iter()
            .filter_map(|event| event.get::<Balance>())
            .map(|balance| (balance.asset, balance.free))
            .collect();
        read.sort_unstable();
        assert_eq!(read, [(0, 2), (3, 5), (63, 4)]);
        assert_eq!(displaced, [Displaced::Conflated]);
    }

    #[test]
    fn merged_events_wait_as_what_they_were_merged_from() {
        let trade = Merged::of(&Trade::single(Price(1), Qty(2), Side::Buy));
        let (out, displaced) = through_cells(EventKind::Merged, &events([trade; 3]));
        let sum = out[0].get::<Merged>().and_then(Merged::trade).unwrap();
        assert_eq!((out.len(), sum.buy_qty), (1, 6));
        assert_eq!(displaced, [Displaced::Aggregated; 2]);
        let quote = |bid_price| Quote { bid_price, bid_qty: 1, ask_price: 9, ask_qty: 1 };
        let offered = events([1, 2, 3].map(|bid| Merged::of(&quote(bid))));
        let (out, displaced) = through_cells(EventKind::Merged, &offered);
        let best = out[0].get::<Merged>().and_then(Merged::quote).unwrap();
        assert_eq!((out.len(), best.bid_price), (1, 3));
        assert_eq!(displaced, [Displaced::Conflated; 2]);
    }
}
