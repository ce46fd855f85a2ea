//! The routing table: which consumers get which stream, and where its events wait under load.
//! Immutable: a change of routes is another table, built by the [`RouteBook`], which gives each
//! route its cell.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use pitlane_ring::{CellGroupSpec, CellId, CellPolicy, CellSpec};

use super::cells;
use crate::event::{
    AssetId, Balance, ConsumerId, Event, EventKind, InstrumentId, Interest, KIND_SLOTS,
    StreamState, VenueId,
};
use crate::instrument::Instruments;
use crate::orchestrator::merge::MERGE_RULES_MAX;

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
    /// The first of the cells in which it may wait when the consumer's lane is full.
    pub cell: CellId,
}

/// One route by name: a stream and a consumer. Sorted by stream, then by consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    /// Where the stream comes from: a venue, or for [`EventKind::Merged`] the number of a merge
    /// rule.
    pub venue: VenueId,
    /// What it is about.
    pub instrument: InstrumentId,
    /// What it carries.
    pub kind: EventKind,
    /// Who gets it.
    pub consumer: ConsumerId,
}

/// The routes of one stream in a table, from the first to before the second number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RouteRange(u32, u32);

impl RouteRange {
    /// How many there are.
    #[inline]
    pub(super) fn len(self) -> usize {
        (self.1 - self.0) as usize
    }
}

/// Routes by (venue, instrument, kind), dense: a look-up is an index. Merged streams have one
/// source each, their rule, and are found by its number. A balance belongs to an asset, which
/// several instruments trade: it is found by (venue, asset) and goes once to each consumer with a
/// route from any of them.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    instruments: usize,
    assets: usize,
    /// Start and end in `routes`, by (venue, instrument, kind), behind them by (venue, asset), and
    /// last by merge rule.
    ranges: Vec<RouteRange>,
    /// Where those of the balances begin in `ranges`.
    balances_at: usize,
    /// Where those of the merge rules begin in `ranges`.
    rules_at: usize,
    routes: Vec<Route>,
}

impl RoutingTable {
    /// The routes of an event that is no critical one; empty for a stream nobody subscribed to.
    #[inline]
    #[must_use]
    pub fn routes(&self, event: &Event) -> &[Route] {
        self.routes_at(self.range(event))
    }

    /// The routes of a range that was found in this table.
    #[inline]
    pub(super) fn routes_at(&self, range: RouteRange) -> &[Route] {
        &self.routes[range.0 as usize..range.1 as usize]
    }

    /// Where the routes of an event are.
    #[inline]
    pub(super) fn range(&self, event: &Event) -> RouteRange {
        let place = if event.kind_code == EventKind::Balance.code() {
            event.get::<Balance>().and_then(|b| self.asset_place(event.venue, b.asset_id()))
        } else {
            // The state of a stream goes the way of what the stream carries.
            let kind_code = event.get::<StreamState>().map_or(event.kind_code, |s| s.kind_code);
            self.place(event.venue, event.instrument, kind_code)
        };
        place.and_then(|place| self.ranges.get(place)).copied().unwrap_or_default()
    }

    /// The first cell of the route from this event's stream to `consumer`.
    ///
    /// # Panics
    /// When there is no such route.
    pub(super) fn cell(&self, event: &Event, consumer: ConsumerId) -> CellId {
        let routes = self.routes(event);
        let place = routes.binary_search_by_key(&consumer, |route| route.consumer);
        routes[place.expect("what is offered was routed")].cell
    }

    /// Index of a stream in `ranges`, not checked against its end.
    #[inline]
    fn place(&self, source: u16, instrument: u32, kind_code: u8) -> Option<usize> {
        let instrument = instrument as usize;
        if instrument >= self.instruments || usize::from(kind_code) >= KIND_SLOTS {
            return None;
        }
        if kind_code == EventKind::Merged.code() {
            return Some(self.rules_at + usize::from(source));
        }
        let row = usize::from(source) * self.instruments + instrument;
        let place = row * KIND_SLOTS + usize::from(kind_code);
        (place < self.balances_at).then_some(place)
    }

    /// Index of the balances of an asset at a venue in `ranges`.
    fn asset_place(&self, venue: u16, asset: AssetId) -> Option<usize> {
        let place = self.balances_at + usize::from(venue) * self.assets + asset.index();
        (asset.index() < self.assets && place < self.rules_at).then_some(place)
    }

    /// Adds a route behind those that are there; the routes of one place must come one after
    /// another.
    fn push(&mut self, place: usize, route: Route) {
        let at = self.routes.len() as u32;
        let range = &mut self.ranges[place];
        let start = if range.1 == 0 { at } else { range.0 };
        *range = RouteRange(start, at + 1);
        self.routes.push(route);
    }
}

/// Gives each route its cell, and builds tables. A cell is never taken back, so that a route which
/// returns finds its own.
pub(crate) struct RouteBook {
    venues: usize,
    instruments: Arc<Instruments>,
    /// Cell groups by consumer.
    cells: Vec<Vec<CellGroupSpec>>,
    places: HashMap<RouteKey, CellId>,
    /// Where balances wait: latest by asset.
    balances: HashMap<BalanceKey, CellId>,
    groups: HashMap<(ConsumerId, VenueId, InstrumentId), BookGroup>,
}

impl RouteBook {
    /// A book without routes.
    pub(crate) fn new(consumers: usize, venues: usize, instruments: Arc<Instruments>) -> RouteBook {
        RouteBook {
            venues,
            instruments,
            cells: vec![Vec::new(); consumers],
            places: HashMap::new(),
            balances: HashMap::new(),
            groups: HashMap::new(),
        }
    }

    /// The cell groups of a consumer; only ever more are added behind them.
    pub(crate) fn cells(&self, consumer: ConsumerId) -> &[CellGroupSpec] {
        &self.cells[consumer.index()]
    }

    /// Sees to it that the route has a cell. True when it had none.
    ///
    /// # Panics
    /// When there is no such consumer, or no such instrument.
    pub(crate) fn add(&mut self, key: RouteKey) -> bool {
        if key.kind == EventKind::Balance {
            return self.add_balances(key);
        }
        if self.places.contains_key(&key) {
            return false;
        }
        let cells = &mut self.cells[key.consumer.index()];
        let book = (key.consumer, key.venue, key.instrument);
        let cell = match cells::group_of(key.kind) {
            Some(group) => {
                cells.push(group);
                CellId { group: (cells.len() - 1) as u32, member: 0 }
            }
            None => {
                let group = self.groups.entry(book).or_insert_with(|| BookGroup::reserve(cells));
                group.cell(key.kind)
            }
        };
        self.places.insert(key, cell);
        true
    }

    /// The cells of both assets of the route's instrument.
    fn add_balances(&mut self, key: RouteKey) -> bool {
        let cells = &mut self.cells[key.consumer.index()];
        let before = cells.len();
        for balance in balances_of(&self.instruments, key) {
            self.balances.entry(balance).or_insert_with(|| {
                cells.push(CellGroupSpec { members: vec![cells::LATEST] });
                CellId { group: (cells.len() - 1) as u32, member: 0 }
            });
        }
        cells.len() > before
    }

    /// The table with these routes.
    ///
    /// # Panics
    /// When a route was not added, or is none of this book's venues, rules and instruments.
    pub(crate) fn table(&self, on: &BTreeSet<RouteKey>) -> RoutingTable {
        let (instruments, assets) = (self.instruments.len(), self.instruments.asset_count());
        let balances_at = self.venues * instruments * KIND_SLOTS;
        let rules_at = balances_at + self.venues * assets;
        let mut table = RoutingTable {
            instruments,
            assets,
            ranges: vec![RouteRange::default(); rules_at + MERGE_RULES_MAX],
            balances_at,
            rules_at,
            routes: Vec::with_capacity(on.len()),
        };
        // Sorted, so the routes of a stream lie together.
        for key in on.iter().filter(|key| key.kind != EventKind::Balance) {
            let place = table.place(key.venue.0, key.instrument.0, key.kind.code());
            let place = place.expect("a route of a known stream");
            table.push(place, Route { consumer: key.consumer, cell: self.places[key] });
        }
        let balances = on.iter().filter(|key| key.kind == EventKind::Balance);
        let balances: BTreeSet<BalanceKey> =
            balances.flat_map(|key| balances_of(&self.instruments, *key)).collect();
        for key in balances {
            let place = table.asset_place(key.venue.0, key.asset);
            let place = place.expect("balances of a known asset");
            table.push(place, Route { consumer: key.consumer, cell: self.balances[&key] });
        }
        table
    }
}

/// The balances of one asset at one venue, on their way to one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct BalanceKey {
    venue: VenueId,
    asset: AssetId,
    consumer: ConsumerId,
}

/// What a route of balances stands for: those of both assets of its instrument.
fn balances_of(instruments: &Instruments, route: RouteKey) -> [BalanceKey; 2] {
    let legs = instruments.legs(route.instrument).expect("a route of a known instrument");
    let RouteKey { venue, consumer, .. } = route;
    legs.map(|asset| BalanceKey { venue, asset, consumer })
}

/// The routes of `subscriptions` over `venues` venues. Merged streams are subscribed to by their
/// rule.
pub(crate) fn routes_of(
    subscriptions: &[Subscription],
    venues: usize,
) -> impl Iterator<Item = RouteKey> {
    subscriptions.iter().flat_map(move |subscription| {
        let kinds = subscription.interest.kinds();
        let plain = kinds.filter(|kind| is_routed(*kind) && *kind != EventKind::Merged);
        plain.flat_map(move |kind| {
            let of_venue = move |venue| {
                subscription.instruments.iter().map(move |instrument| RouteKey {
                    venue: VenueId(venue as u16),
                    instrument: *instrument,
                    kind,
                    consumer: subscription.consumer,
                })
            };
            (0..venues).flat_map(of_venue)
        })
    })
}

/// Whether a kind goes by the table. Critical kinds go to their owner whatever the routes are
/// (FR-011), the state of a stream to whom the stream goes.
pub(crate) fn is_routed(kind: EventKind) -> bool {
    !kind.is_critical() && kind != EventKind::StreamState
}

/// The order group of one book: its state first, then its levels (LM-04).
#[derive(Clone, Copy)]
struct BookGroup(u32);

impl BookGroup {
    fn reserve(cells: &mut Vec<CellGroupSpec>) -> BookGroup {
        let state = CellSpec { policy: CellPolicy::Latest, clears: true };
        cells.push(CellGroupSpec { members: vec![state, cells::LATEST] });
        BookGroup((cells.len() - 1) as u32)
    }

    fn cell(self, kind: EventKind) -> CellId {
        CellId { group: self.0, member: u8::from(kind == EventKind::Book) }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{Price, Qty, Quote, Side, Trade};

    fn subscription(consumer: u16, interest: Interest, instruments: &[u32]) -> Subscription {
        Subscription {
            consumer: ConsumerId(consumer),
            interest,
            instruments: instruments.iter().map(|id| InstrumentId(*id)).collect(),
        }
    }

    fn plan(
        subscriptions: &[Subscription],
        venues: usize,
        instruments: usize,
    ) -> (RouteBook, BTreeSet<RouteKey>) {
        let instruments = Instruments::of_test(instruments);
        let mut book = RouteBook::new(subscriptions.len(), venues, instruments);
        let on: BTreeSet<RouteKey> = routes_of(subscriptions, venues).collect();
        assert!(on.iter().all(|key| book.add(*key)));
        (book, on)
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
        let (book, on) =
            plan(&[subscription(0, Interest::ALL, &[0, 1]), subscription(1, quotes, &[1])], 2, 2);
        let table = book.table(&on);
        let consumers = |event: &Event| {
            table.routes(event).iter().map(|route| route.consumer.0).collect::<Vec<_>>()
        };
        assert_eq!(consumers(&quote(0, 0)), [0]);
        assert_eq!(consumers(&quote(1, 1)), [0, 1]);
        let mut trade = Event::new(&Trade::single(Price(1), Qty(1), Side::Buy));
        trade.instrument = 1;
        assert_eq!(consumers(&trade), [0]);
    }

    /// A balance of USDT goes once to whoever is subscribed to balances of any instrument traded in
    /// it.
    #[test]
    fn a_balance_reaches_all_who_trade_its_asset_once() {
        let (book, mut on) = plan(
            &[subscription(0, Interest::ALL, &[0, 1]), subscription(1, Interest::ALL, &[1])],
            2,
            2,
        );
        let instruments = Instruments::of_test(2);
        let balance = |asset: &str, venue| {
            let mut balance = Balance::new_zeroed();
            balance.asset_id = instruments.asset(asset).unwrap().id.0;
            let mut event = Event::new(&balance);
            event.venue = venue;
            event
        };
        let table = book.table(&on);
        let consumers = |table: &RoutingTable, event: &Event| {
            table.routes(event).iter().map(|route| route.consumer.0).collect::<Vec<_>>()
        };
        assert_eq!(consumers(&table, &balance("USDT", 1)), [0, 1]);
        assert_eq!(consumers(&table, &balance("A0", 1)), [0]);
        assert_eq!(consumers(&table, &balance("A1", 0)), [0, 1]);
        assert!(consumers(&table, &balance("USDT", 2)).is_empty());
        let cells: BTreeSet<_> = ["USDT", "A0", "A1"]
            .iter()
            .flat_map(|asset| (0..2).map(|venue| balance(asset, venue)))
            .map(|event| table.cell(&event, ConsumerId(0)).group)
            .collect();
        assert_eq!(cells.len(), 6, "each asset of each venue waits by itself");
        // One of two instruments that trade it goes: the asset is still told.
        let off = RouteKey {
            venue: VenueId(1),
            instrument: InstrumentId(0),
            kind: EventKind::Balance,
            consumer: ConsumerId(0),
        };
        assert!(on.remove(&off));
        let fewer = book.table(&on);
        assert_eq!(consumers(&fewer, &balance("USDT", 1)), [0, 1]);
        assert!(consumers(&fewer, &balance("A0", 1)).is_empty());
    }

    #[test]
    fn unknown_venues_and_instruments_have_no_route() {
        let (book, on) = plan(&[subscription(0, Interest::ALL, &[0])], 1, 1);
        let table = book.table(&on);
        assert!(table.routes(&quote(1, 0)).is_empty());
        assert!(table.routes(&quote(0, 1)).is_empty());
        assert!(table.routes(&quote(u16::MAX, u32::MAX)).is_empty());
        let mut merged = quote(u16::MAX, 0);
        merged.kind_code = EventKind::Merged.code();
        assert!(table.routes(&merged).is_empty());
    }

    #[test]
    fn a_table_with_fewer_routes_keeps_the_cells_of_the_others() {
        let (book, mut on) = plan(
            &[subscription(0, Interest::ALL, &[0, 1]), subscription(1, Interest::ALL, &[1])],
            2,
            2,
        );
        let before = book.table(&on);
        let off = RouteKey {
            venue: VenueId(1),
            instrument: InstrumentId(1),
            kind: EventKind::Quote,
            consumer: ConsumerId(0),
        };
        assert!(on.remove(&off));
        let table = book.table(&on);
        assert_eq!(table.routes(&quote(1, 1)), &before.routes(&quote(1, 1))[1..]);
        for (venue, instrument) in [(0, 0), (0, 1), (1, 0)] {
            let event = quote(venue, instrument);
            assert_eq!(table.routes(&event), before.routes(&event));
            assert!(!table.routes(&event).is_empty());
        }
    }

    #[test]
    fn one_venue_never_shares_a_cell_with_another() {
        let (book, on) = plan(&[subscription(0, Interest::ALL, &[0])], 2, 1);
        let table = book.table(&on);
        let cell = |venue| table.routes(&quote(venue, 0))[0].cell;
        assert_ne!(cell(0), cell(1));
    }

    #[test]
    fn a_new_route_adds_cells_behind_those_that_are_there() {
        let quotes = Interest::NONE.and(EventKind::Quote);
        let (mut book, mut on) = plan(&[subscription(0, quotes, &[0])], 1, 2);
        let before = book.cells(ConsumerId(0)).to_vec();
        let more = RouteKey {
            venue: VenueId(0),
            instrument: InstrumentId(1),
            kind: EventKind::Book,
            consumer: ConsumerId(0),
        };
        assert!(book.add(more) && !book.add(more));
        on.insert(more);
        let after = book.cells(ConsumerId(0));
        assert!(after.len() > before.len() && after.starts_with(&before));
        assert_eq!(book.table(&on).routes.len(), 2);
    }

    #[test]
    fn merged_streams_are_found_by_their_rule() {
        let (mut book, mut on) = plan(&[subscription(0, Interest::ALL, &[0])], 1, 1);
        let rule = |number| RouteKey {
            venue: VenueId(number),
            instrument: InstrumentId(0),
            kind: EventKind::Merged,
            consumer: ConsumerId(0),
        };
        on.insert(rule(63));
        book.add(rule(63));
        let table = book.table(&on);
        let mut event = quote(63, 0);
        event.kind_code = EventKind::Merged.code();
        assert_eq!(table.routes(&event).len(), 1);
        event.venue = 0;
        assert!(table.routes(&event).is_empty(), "venue 0 is not rule 63");
    }
}
