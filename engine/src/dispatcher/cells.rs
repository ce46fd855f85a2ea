//! Where events of each kind wait when their consumer's lane is full (LM-04).
//!
//! A route has a base cell; some kinds have several behind it, chosen by what the event carries: a
//! bar that is still open gives way to the next of its interval, closed ones queue; merged events
//! wait as what they were merged from. Balances have a cell for each asset.

use pitlane_ring::{CellGroupSpec, CellId, CellPolicy, CellSpec};

use crate::event::{Bar, Event, EventKind, Merged, StreamState};

/// Closed bars that queue per key before the oldest is dead-lettered (LM-04).
const BARS_MAX: usize = 64;

/// Intervals of bars that venues have, seconds. A month is given as 30 days.
const INTERVALS_S: [u32; 16] = [
    1, 60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 43_200, 86_400, 259_200,
    604_800, 2_592_000,
];

/// Closed bars, ahead of those still open.
const CLOSED: u8 = 0;
/// The bars that are still open, by interval; or whatever keeps only its latest.
const OPEN: u8 = 1;

pub(super) const LATEST: CellSpec = CellSpec { policy: CellPolicy::Latest, clears: false };

/// The cells of a kind that shares its group with no other. `None` for book and book state, which
/// share one.
pub(super) fn group_of(kind: EventKind) -> Option<CellGroupSpec> {
    let members = match kind {
        EventKind::Book | EventKind::BookState => return None,
        // What a bar was before it closed is of no use behind it.
        EventKind::Bar | EventKind::Merged => {
            let policy = CellPolicy::Queue { capacity: BARS_MAX };
            let closed = CellSpec { policy, clears: true };
            // Behind them the state of the stream.
            std::iter::once(closed)
                .chain(INTERVALS_S.map(|_| LATEST))
                .chain(std::iter::once(LATEST))
                .collect()
        }
        // The latest, and the state of the stream.
        EventKind::Quote | EventKind::Trade | EventKind::MarkPrice => vec![LATEST, LATEST],
        EventKind::StreamState
        | EventKind::Instrument
        | EventKind::Balance
        | EventKind::ExecReport
        | EventKind::ControlAck
        | EventKind::ControlResult
        | EventKind::Risk => vec![LATEST],
    };
    Some(CellGroupSpec { members })
}

/// Events that may wait for a consumer that gets every stream of a kind, by venue and instrument.
/// Balances wait by asset, one each.
pub(crate) fn records_of(kind: EventKind) -> usize {
    let records = |cell: &CellSpec| match cell.policy {
        CellPolicy::Latest => 1,
        CellPolicy::Queue { capacity } => capacity,
    };
    // Book and book state share a group of two.
    group_of(kind).map_or(1, |group| group.members.iter().map(records).sum())
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
    match event.get::<StreamState>() {
        Some(state) if state.stream() == Some(EventKind::Bar) => OPEN + INTERVALS_S.len() as u8,
        Some(_) => 1,
        None => 0,
    }
}

/// A bar of an interval that no venue is known to have queues: nothing of another one replaces it.
fn of_bar(bar: &Bar) -> u8 {
    let interval = INTERVALS_S.iter().position(|interval_s| *interval_s == bar.interval_s);
    match interval {
        Some(interval) if bar.closed == 0 => OPEN + interval as u8,
        _ => CLOSED,
    }
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

    /// An open bar gives way to bars of its own interval alone.
    #[test]
    fn bars_of_different_intervals_do_not_replace_each_other() {
        let of = |interval_s, close, closed| Bar { interval_s, ..bar(0, close, closed) };
        let bars = [
            of(60, 1, false),
            of(3_600, 2, false),
            of(60, 3, false),
            of(86_400, 4, false),
            of(60, 5, true),
            of(77, 6, false),
            of(77, 7, false),
        ];
        for kind in [EventKind::Bar, EventKind::Merged] {
            let offered = match kind {
                EventKind::Bar => events(bars),
                _ => events(bars.map(|bar| Merged::of(&bar))),
            };
            let (out, displaced) = through_cells(kind, &offered);
            // 77 s is no known interval: those queue with the closed ones.
            assert_eq!(closes(&out), [5, 6, 7, 2, 4], "{kind}");
            assert_eq!(displaced, [Displaced::Conflated; 2], "{kind}");
        }
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
