//! The routing table: which consumers get which stream, and where its events wait under load. Immutable:
//! a change of routes is another table.

use pitlane_ring::{CellGroupSpec, CellId, CellPolicy, CellSpec};

use crate::consumer::Interest;
use crate::event::{ConsumerId, Event, EventKind, InstrumentId, KIND_SLOTS, VenueId};

/// Bars that queue per key before the oldest is dead-lettered (LM-04).
const BARS_MAX: usize = 64;

/// What one consumer wants.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Its kinds.
    pub interest: Interest,
    /// Its instruments.
    pub instruments: Vec<InstrumentId>,
}

/// One copy to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Who gets it.
    pub consumer: ConsumerId,
    /// The cell in which it waits when the consumer's lane is full.
    pub cell: CellId,
}

/// One route by name: a stream and a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteKey {
    /// Where the stream comes from.
    pub venue: VenueId,
    /// What it is about.
    pub instrument: InstrumentId,
    /// What it carries.
    pub kind: EventKind,
    /// Who gets it.
    pub consumer: ConsumerId,
}

/// Routes by (venue, instrument, kind), dense: a look-up is an index.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    instruments: usize,
    /// Start and end in `routes`, by (venue, instrument, kind).
    ranges: Vec<(u32, u32)>,
    routes: Vec<Route>,
}

/// A table, and the cells that each consumer's link needs for it.
pub struct RoutingPlan {
    /// The table.
    pub table: RoutingTable,
    /// Cell groups by consumer.
    pub cells: Vec<Vec<CellGroupSpec>>,
}

impl RoutingTable {
    /// The routes of an event of the market lane; empty for a stream nobody subscribed to.
    #[inline]
    #[must_use]
    pub fn routes(&self, event: &Event) -> &[Route] {
        let instrument = event.instrument as usize;
        if instrument >= self.instruments || usize::from(event.kind_code) >= KIND_SLOTS {
            return &[];
        }
        let row = usize::from(event.venue) * self.instruments + instrument;
        match self.ranges.get(row * KIND_SLOTS + usize::from(event.kind_code)) {
            Some(&(start, end)) => &self.routes[start as usize..end as usize],
            None => &[],
        }
    }

    /// Every route of this table.
    pub fn keys(&self) -> impl Iterator<Item = RouteKey> {
        self.streams().flat_map(|(venue, instrument, kind, range)| {
            let routes = self.routes[range].iter();
            routes.map(move |route| RouteKey { venue, instrument, kind, consumer: route.consumer })
        })
    }

    /// The same table with only the routes that `keep` says yes to. Cells stay where they are.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(RouteKey) -> bool) -> RoutingTable {
        let mut table = RoutingTable {
            instruments: self.instruments,
            ranges: vec![(0, 0); self.ranges.len()],
            routes: Vec::with_capacity(self.routes.len()),
        };
        for (venue, instrument, kind, range) in self.streams() {
            let start = table.routes.len() as u32;
            let kept = self.routes[range].iter().filter(|route| {
                keep(RouteKey { venue, instrument, kind, consumer: route.consumer })
            });
            table.routes.extend(kept.copied());
            let row = venue.index() * self.instruments + instrument.index();
            let place = row * KIND_SLOTS + usize::from(kind.code());
            table.ranges[place] = (start, table.routes.len() as u32);
        }
        table
    }

    /// Every stream with the range of its routes.
    fn streams(
        &self,
    ) -> impl Iterator<Item = (VenueId, InstrumentId, EventKind, std::ops::Range<usize>)> {
        let instruments = self.instruments.max(1);
        self.ranges.iter().enumerate().filter_map(move |(place, &(start, end))| {
            let kind = EventKind::from_code((place % KIND_SLOTS) as u8)?;
            let row = place / KIND_SLOTS;
            let venue = VenueId((row / instruments) as u16);
            let instrument = InstrumentId((row % instruments) as u32);
            Some((venue, instrument, kind, start as usize..end as usize))
        })
    }
}

impl RoutingPlan {
    /// Lays out the routes of `subscriptions`, one per consumer in the order of their numbers, over
    /// `venues` venues and `instruments` instruments.
    #[must_use]
    pub fn new(subscriptions: &[Subscription], venues: usize, instruments: usize) -> RoutingPlan {
        let mut cells = vec![Vec::new(); subscriptions.len()];
        let mut table = RoutingTable { instruments, ..RoutingTable::default() };
        for _venue in 0..venues {
            for instrument in 0..instruments {
                table.add_stream(InstrumentId(instrument as u32), subscriptions, &mut cells);
            }
        }
        debug_assert_eq!(table.ranges.len(), venues * instruments * KIND_SLOTS);
        RoutingPlan { table, cells }
    }
}

impl RoutingTable {
    /// Adds the ranges of the next (venue, instrument).
    fn add_stream(
        &mut self,
        instrument: InstrumentId,
        subscriptions: &[Subscription],
        cells: &mut [Vec<CellGroupSpec>],
    ) {
        let subscribed: Vec<(&Subscription, BookGroup)> = subscriptions
            .iter()
            .filter(|subscription| subscription.instruments.contains(&instrument))
            .map(|subscription| {
                (subscription, BookGroup::reserve(&mut cells[subscription.consumer.index()]))
            })
            .collect();
        self.ranges.push((0, 0)); // kind code 0 is no kind
        for kind in EventKind::ALL {
            let start = self.routes.len() as u32;
            for (subscription, group) in &subscribed {
                if kind.is_critical() || !subscription.interest.contains(kind) {
                    continue;
                }
                let cell = group.cell(kind, &mut cells[subscription.consumer.index()]);
                self.routes.push(Route { consumer: subscription.consumer, cell });
            }
            self.ranges.push((start, self.routes.len() as u32));
        }
    }
}

/// The order group of one book: its state first, then its levels (LM-04).
#[derive(Clone, Copy)]
struct BookGroup(u16);

impl BookGroup {
    fn reserve(cells: &mut Vec<CellGroupSpec>) -> BookGroup {
        let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
        let state = CellSpec { policy: CellPolicy::Latest, clears: true };
        cells.push(CellGroupSpec { members: vec![state, latest] });
        BookGroup((cells.len() - 1) as u16)
    }

    fn cell(self, kind: EventKind, cells: &mut Vec<CellGroupSpec>) -> CellId {
        let policy = match kind {
            EventKind::BookState => return CellId { group: self.0, member: 0 },
            EventKind::Book => return CellId { group: self.0, member: 1 },
            EventKind::Bar | EventKind::Balance => CellPolicy::Queue { capacity: BARS_MAX },
            EventKind::Quote
            | EventKind::Trade
            | EventKind::Merged
            | EventKind::Instrument
            | EventKind::ExecReport
            | EventKind::ControlAck
            | EventKind::ControlResult
            | EventKind::Risk => CellPolicy::Latest,
        };
        cells.push(CellGroupSpec { members: vec![CellSpec { policy, clears: false }] });
        CellId { group: (cells.len() - 1) as u16, member: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Price, Qty, Quote, Side, Trade};

    fn subscription(consumer: u16, interest: Interest, instruments: &[u32]) -> Subscription {
        Subscription {
            consumer: ConsumerId(consumer),
            interest,
            instruments: instruments.iter().map(|id| InstrumentId(*id)).collect(),
        }
    }

    fn quote(venue: u16, instrument: u32) -> Event {
        let mut event = Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 });
        event.venue = venue;
        event.instrument = instrument;
        event
    }

    #[test]
    fn a_stream_reaches_its_subscribers_and_nobody_else() {
        let quotes = Interest::NONE.and(EventKind::Quote);
        let plan = RoutingPlan::new(
            &[subscription(0, Interest::ALL, &[0, 1]), subscription(1, quotes, &[1])],
            2,
            2,
        );
        let consumers = |event: &Event| {
            plan.table.routes(event).iter().map(|route| route.consumer.0).collect::<Vec<_>>()
        };
        assert_eq!(consumers(&quote(0, 0)), [0]);
        assert_eq!(consumers(&quote(1, 1)), [0, 1]);
        let mut trade = Event::new(&Trade::single(Price(1), Qty(1), Side::Buy));
        trade.instrument = 1;
        assert_eq!(consumers(&trade), [0]);
    }

    #[test]
    fn unknown_venues_and_instruments_have_no_route() {
        let plan = RoutingPlan::new(&[subscription(0, Interest::ALL, &[0])], 1, 1);
        assert!(plan.table.routes(&quote(1, 0)).is_empty());
        assert!(plan.table.routes(&quote(0, 1)).is_empty());
        assert!(plan.table.routes(&quote(u16::MAX, u32::MAX)).is_empty());
    }

    #[test]
    fn a_filtered_table_keeps_the_other_routes_and_their_cells() {
        let plan = RoutingPlan::new(
            &[subscription(0, Interest::ALL, &[0, 1]), subscription(1, Interest::ALL, &[1])],
            2,
            2,
        );
        let off = RouteKey {
            venue: VenueId(1),
            instrument: InstrumentId(1),
            kind: EventKind::Quote,
            consumer: ConsumerId(0),
        };
        let table = plan.table.filtered(|key| key != off);
        assert_eq!(table.keys().count() + 1, plan.table.keys().count());
        assert!(plan.table.keys().any(|key| key == off));
        let before = plan.table.routes(&quote(1, 1));
        assert_eq!(table.routes(&quote(1, 1)), &before[1..]);
        for (venue, instrument) in [(0, 0), (0, 1), (1, 0)] {
            let event = quote(venue, instrument);
            assert_eq!(table.routes(&event), plan.table.routes(&event));
        }
    }

    #[test]
    fn one_venue_never_shares_a_cell_with_another() {
        let plan = RoutingPlan::new(&[subscription(0, Interest::ALL, &[0])], 2, 1);
        let cell = |venue| plan.table.routes(&quote(venue, 0))[0].cell;
        assert_ne!(cell(0), cell(1));
    }
}
