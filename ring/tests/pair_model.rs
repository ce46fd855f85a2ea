//! The pair of publishers against models of plain queues.
//!
//! Promise 8 of the crate: a market publisher conflates per key and a critical one spills in order;
//! order is kept per key, and every record that will not be delivered by itself is told once:
//! published = delivered + displaced + pending. FR-016, LM-04, EDGE-6.

mod common;

use std::collections::{BTreeMap, VecDeque};

use common::options;
use pitlane_ring::{
    Absorbed, CellGroupSpec, CellId, CellPolicy, CellSpec, Checked, Checks, Conflate, Consumer,
    CriticalPublisher, Displaced, MarketPublisher, Offered, Plain, Record, SpillFull, lane_with,
};
use proptest::prelude::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A record that says which offers it stands for.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Tick {
    /// Position among all offers.
    offer: u64,
    group: u64,
    member: u64,
    /// Whether an older one takes this in, instead of giving way to it.
    aggregates: u64,
    /// How many offers this stands for, itself included.
    stands_for: u64,
    unused: [u64; 3],
}

impl Record for Tick {
    fn used_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Conflate for Tick {
    fn absorb(&mut self, newer: &Self) -> Absorbed {
        let stands_for = self.stands_for + newer.stands_for;
        let absorbed = if newer.aggregates == 0 {
            *self = *newer;
            Absorbed::Replaced
        } else {
            Absorbed::Aggregated
        };
        self.stands_for = stands_for;
        absorbed
    }

    /// Some of what waits is kept by a cell that clears, also from the midst of a queue.
    fn outdates(&self, older: &Self) -> bool {
        self.aggregates == older.aggregates
    }
}

#[derive(Clone, Debug)]
enum Step {
    Offer { cell: usize, aggregates: bool },
    Flush,
    Poll { limit: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..64_usize, prop::bool::weighted(0.3))
            .prop_map(|(cell, aggregates)| Step::Offer { cell, aggregates }),
        3 => Just(Step::Flush),
        3 => (0..6_usize).prop_map(|limit| Step::Poll { limit }),
    ]
}

fn member() -> impl Strategy<Value = CellSpec> {
    prop_oneof![
        3 => any::<bool>().prop_map(|clears| CellSpec { policy: CellPolicy::Latest, clears }),
        2 => (1..4_usize, any::<bool>()).prop_map(|(capacity, clears)| CellSpec {
            policy: CellPolicy::Queue { capacity },
            clears,
        }),
    ]
}

fn groups() -> impl Strategy<Value = Vec<CellGroupSpec>> {
    let group = prop::collection::vec(member(), 1..4).prop_map(|members| CellGroupSpec { members });
    prop::collection::vec(group, 1..5)
}

/// What a market publisher should be.
struct Model {
    groups: Vec<CellGroupSpec>,
    /// What waits, by group and member.
    cells: Vec<Vec<VecDeque<Tick>>>,
    /// Groups with something waiting, oldest first.
    waiting: VecDeque<usize>,
    lane: VecDeque<Tick>,
    lane_capacity: usize,
    displaced: Vec<(Tick, Displaced)>,
}

impl Model {
    fn new(lane_capacity: usize, groups: &[CellGroupSpec]) -> Self {
        let cells = groups.iter().map(|group| vec![VecDeque::new(); group.members.len()]);
        Self {
            cells: cells.collect(),
            groups: groups.to_vec(),
            waiting: VecDeque::new(),
            lane: VecDeque::new(),
            lane_capacity,
            displaced: Vec::new(),
        }
    }

    fn offer(&mut self, tick: Tick) -> Offered {
        let (group, member) = (tick.group as usize, tick.member as usize);
        let is_waiting = self.waiting.contains(&group);
        if !is_waiting && self.lane.len() < self.lane_capacity {
            self.lane.push_back(tick);
            return Offered::Published;
        }
        if !is_waiting {
            self.waiting.push_back(group);
        }
        let spec = &self.groups[group].members[member];
        if spec.clears {
            for (index, cell) in self.cells[group].iter_mut().enumerate() {
                if index != member {
                    let (gone, kept): (Vec<_>, Vec<_>) =
                        cell.drain(..).partition(|older| tick.outdates(older));
                    cell.extend(kept);
                    self.displaced.extend(gone.into_iter().map(|t| (t, Displaced::Conflated)));
                }
            }
        }
        let cell = &mut self.cells[group][member];
        match spec.policy {
            CellPolicy::Latest if !cell.is_empty() => {
                let older = cell[0];
                self.displaced.push(match cell[0].absorb(&tick) {
                    Absorbed::Replaced => (older, Displaced::Conflated),
                    Absorbed::Aggregated => (tick, Displaced::Aggregated),
                });
                return Offered::Held;
            }
            CellPolicy::Queue { capacity } if cell.len() == capacity => {
                let oldest = cell.pop_front().unwrap();
                self.displaced.push((oldest, Displaced::Evicted));
            }
            _ => (),
        }
        cell.push_back(tick);
        Offered::Held
    }

    fn pending(&self) -> Vec<Tick> {
        let groups = self.waiting.iter().map(|group| &self.cells[*group]);
        groups.flatten().flatten().copied().collect()
    }

    fn flush(&mut self) -> usize {
        let count = self.pending().len().min(self.lane_capacity - self.lane.len());
        for tick in self.pending().into_iter().take(count) {
            let cells = &mut self.cells[tick.group as usize];
            assert_eq!(cells[tick.member as usize].pop_front(), Some(tick));
            self.lane.push_back(tick);
            if cells.iter().all(VecDeque::is_empty) {
                self.waiting.pop_front();
            }
        }
        count
    }
}

/// A market publisher, its consumer and their model, driven together.
struct Market<C: Checks> {
    publisher: MarketPublisher<Tick, C>,
    consumer: Consumer<Tick, C>,
    model: Model,
    /// Every cell there is.
    ids: Vec<CellId>,
    offers: u64,
    displaced: Vec<(Tick, Displaced)>,
    delivered: Vec<Tick>,
}

impl<C: Checks> Market<C> {
    fn new(lane_capacity: usize, groups: &[CellGroupSpec]) -> Self {
        let (publisher, consumer) = lane_with(options("market", lane_capacity));
        let ids = groups.iter().enumerate().flat_map(|(group, spec)| {
            (0..spec.members.len())
                .map(move |member| CellId { group: group as u32, member: member as u8 })
        });
        Self {
            publisher: MarketPublisher::new(publisher, groups),
            consumer,
            model: Model::new(lane_capacity, groups),
            ids: ids.collect(),
            offers: 0,
            displaced: Vec::new(),
            delivered: Vec::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Offer { cell, aggregates } => {
                self.offer(self.ids[cell % self.ids.len()], aggregates)
            }
            Step::Flush => assert_eq!(self.publisher.flush(), self.model.flush()),
            Step::Poll { limit } => self.poll(limit),
        }
        assert_eq!(self.displaced, self.model.displaced);
        let mut pending = Vec::new();
        self.publisher.for_each_pending(|tick| pending.push(*tick));
        assert_eq!(pending, self.model.pending());
        assert_eq!(self.publisher.pending(), pending.len());
        assert_eq!(self.publisher.gauge().in_flight(), self.model.lane.len() as u64);
    }

    fn offer(&mut self, id: CellId, aggregates: bool) {
        let tick = Tick {
            offer: self.offers,
            group: id.group.into(),
            member: id.member.into(),
            aggregates: aggregates.into(),
            stands_for: 1,
            unused: [0; 3],
        };
        self.offers += 1;
        let displaced = &mut self.displaced;
        let offered =
            self.publisher.offer(&tick, id, &mut |tick, why| displaced.push((*tick, why)));
        assert_eq!(offered, self.model.offer(tick));
    }

    fn poll(&mut self, limit: usize) {
        let before = self.delivered.len();
        self.consumer.poll(limit, |tick| self.delivered.push(*tick));
        let count = limit.min(self.model.lane.len());
        let expected: Vec<_> = self.model.lane.drain(..count).collect();
        assert_eq!(self.delivered[before..], expected);
    }

    /// Delivers all that is left and judges the whole run, by what the model has no part in.
    fn finish(mut self) {
        while self.publisher.pending() > 0 || self.consumer.has_available() {
            self.run(&Step::Flush);
            self.run(&Step::Poll { limit: 3 });
        }
        self.each_offer_is_delivered_or_told_once();
        self.each_cell_keeps_its_order();
    }

    fn each_offer_is_delivered_or_told_once(&self) {
        let told = self.displaced.iter().map(|(tick, _)| tick.offer);
        let mut all: Vec<_> = self.delivered.iter().map(|tick| tick.offer).chain(told).collect();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..self.offers), "{all:?} of {}", self.offers);
    }

    fn each_cell_keeps_its_order(&self) {
        let mut last = BTreeMap::new();
        for tick in &self.delivered {
            let before = last.insert((tick.group, tick.member), tick.offer);
            assert!(before < Some(tick.offer), "{before:?} before {}", tick.offer);
        }
    }
}

#[derive(Clone, Debug)]
enum CriticalStep {
    Offer,
    Flush,
    Poll { limit: usize },
}

fn critical_step() -> impl Strategy<Value = CriticalStep> {
    prop_oneof![
        8 => Just(CriticalStep::Offer),
        3 => Just(CriticalStep::Flush),
        3 => (0..6_usize).prop_map(|limit| CriticalStep::Poll { limit }),
    ]
}

fn tick(offer: u64) -> Tick {
    Tick { offer, group: 0, member: 0, aggregates: 0, stands_for: 1, unused: [0; 3] }
}

fn critical_is_a_queue<C: Checks>(lane_capacity: usize, spill: usize, steps: &[CriticalStep]) {
    let (publisher, mut consumer) = lane_with::<Tick, C>(options("critical", lane_capacity));
    let mut publisher = CriticalPublisher::new(publisher, spill);
    let (mut in_lane, mut in_spill) = (VecDeque::new(), VecDeque::new());
    let (mut next, mut delivered) = (0, 0);
    for step in steps {
        match *step {
            CriticalStep::Offer => {
                let offered = publisher.offer(&tick(next));
                if in_spill.is_empty() && in_lane.len() < lane_capacity {
                    assert_eq!(offered, Ok(Offered::Published));
                    in_lane.push_back(next);
                    next += 1;
                } else if in_spill.len() < spill {
                    assert_eq!(offered, Ok(Offered::Held));
                    in_spill.push_back(next);
                    next += 1;
                } else {
                    // The record is still ours: the next offer brings the same number.
                    assert_eq!(offered, Err(SpillFull));
                }
            }
            CriticalStep::Flush => {
                let count = in_spill.len().min(lane_capacity - in_lane.len());
                assert_eq!(publisher.flush(), count);
                in_lane.extend(in_spill.drain(..count));
            }
            CriticalStep::Poll { limit } => {
                let count = limit.min(in_lane.len());
                let mut expected = in_lane.drain(..count);
                let handled = consumer.poll(limit, |tick| {
                    assert_eq!((tick.offer, Some(tick.offer)), (delivered, expected.next()));
                    delivered += 1;
                });
                assert_eq!(handled, count);
            }
        }
        let mut pending = Vec::new();
        publisher.for_each_pending(|tick| pending.push(tick.offer));
        assert_eq!((pending.len(), &pending), (publisher.pending(), &Vec::from(in_spill.clone())));
        assert_eq!(next, delivered + publisher.gauge().in_flight() + pending.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_plain_market_publisher_conflates_by_the_rules(
        log2 in 1..4_u32,
        groups in groups(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut market = Market::<Plain>::new(1 << log2, &groups);
        steps.iter().for_each(|step| market.run(step));
        market.finish();
    }

    #[test]
    fn a_checked_market_publisher_conflates_by_the_rules(
        log2 in 1..4_u32,
        groups in groups(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut market = Market::<Checked>::new(1 << log2, &groups);
        steps.iter().for_each(|step| market.run(step));
        market.finish();
    }

    #[test]
    fn a_critical_publisher_spills_in_order_and_gives_back_what_it_cannot_take(
        log2 in 1..4_u32,
        spill in 0..6_usize,
        steps in prop::collection::vec(critical_step(), 1..150),
    ) {
        critical_is_a_queue::<Plain>(1 << log2, spill, &steps);
        critical_is_a_queue::<Checked>(1 << log2, spill, &steps);
    }
}

/// The order group of a book and its state: nothing of a distrusted book follows the word that it
/// is distrusted, and the same group publishes nothing past what waits.
#[test]
fn a_clearing_cell_drops_what_waits_in_its_group() {
    let latest = |clears| CellSpec { policy: CellPolicy::Latest, clears };
    let group = CellGroupSpec { members: vec![latest(true), latest(false)] };
    let mut market = Market::<Checked>::new(2, &[group]);
    let [state, book] = [0, 1].map(|member| CellId { group: 0, member });
    for id in [book, book, book, book, state, book] {
        market.offer(id, false);
    }
    let told: Vec<_> = market.displaced.iter().map(|(tick, why)| (tick.offer, *why)).collect();
    assert_eq!(told, [(2, Displaced::Conflated), (3, Displaced::Conflated)]);
    market.poll(9);
    market.offer(book, false);
    assert_eq!(market.publisher.pending(), 2, "there is room, and still it waits its turn");
    market.run(&Step::Flush);
    market.poll(9);
    let delivered: Vec<_> = market.delivered.iter().map(|tick| tick.offer).collect();
    assert_eq!(delivered, [0, 1, 4, 6]);
}
