//! A lane against a model of plain queues, and between two real threads.
//!
//! Promises 2, 3, 5 and 6 of the crate; F02 and F09 (a panic consumes its own record only, and a
//! half-written record is never seen); SC-005 (no slot is lost to panics).

mod common;

use std::collections::VecDeque;
use std::thread;

use common::{Failed, Packet, Random, options, panics_as_planted, planted_panic};
use pitlane_ring::{
    Checked, Checks, Consumer, Full, Plain, Publisher, Stage, lane_staged_with, lane_with,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Publish,
    PublishWith { panics: bool },
    Slice { count: usize },
    Batch { count: usize, panics_at: Option<usize> },
    PollStage { limit: usize, panics_at: Option<usize> },
    Poll { limit: usize, panics_at: Option<usize> },
    DropPublisher,
}

fn step() -> impl Strategy<Value = Step> {
    let count = || 0..12_usize;
    let panics_at = || prop_oneof![2 => Just(None), 1 => (0..6_usize).prop_map(Some)];
    prop_oneof![
        6 => Just(Step::Publish),
        4 => any::<bool>().prop_map(|panics| Step::PublishWith { panics }),
        4 => count().prop_map(|count| Step::Slice { count }),
        4 => (count(), panics_at()).prop_map(|(count, panics_at)| Step::Batch { count, panics_at }),
        8 => (count(), panics_at())
            .prop_map(|(limit, panics_at)| Step::PollStage { limit, panics_at }),
        8 => (count(), panics_at()).prop_map(|(limit, panics_at)| Step::Poll { limit, panics_at }),
        1 => Just(Step::DropPublisher),
    ]
}

/// What a lane should be.
#[derive(Default)]
struct Model {
    capacity: usize,
    is_staged: bool,
    next_value: u64,
    before_stage: VecDeque<u64>,
    before_consumer: VecDeque<u64>,
    published: u64,
    released: u64,
    full_count: u64,
    high_water: u64,
}

impl Model {
    fn room(&self) -> usize {
        self.capacity - (self.published - self.released) as usize
    }

    fn values(&self, count: usize) -> Vec<u64> {
        (self.next_value..self.next_value + count as u64).collect()
    }

    fn publish(&mut self, values: &[u64]) {
        self.published += values.len() as u64;
        let first = if self.is_staged { &mut self.before_stage } else { &mut self.before_consumer };
        first.extend(values);
        self.next_value += values.len() as u64;
    }

    /// Of `wanted`, how many fit; a shortage is counted once.
    fn fitting(&mut self, wanted: usize) -> usize {
        let fitting = wanted.min(self.room());
        self.full_count += u64::from(fitting < wanted);
        fitting
    }

    fn first_reader_finds(&mut self, limit: usize, has_any: bool) {
        if limit > 0 && has_any {
            self.high_water = self.high_water.max(self.published - self.released);
        }
    }
}

/// A lane and its model, driven together.
struct Twin<C: Checks> {
    publisher: Option<Publisher<Packet, C>>,
    stage: Option<Stage<Packet, C>>,
    consumer: Consumer<Packet, C>,
    model: Model,
}

/// How many records a callback gets that panics at the `panics_at`th of `count`, and if it does.
fn handled(count: usize, panics_at: Option<usize>) -> (usize, bool) {
    match panics_at {
        Some(index) if index < count => (index + 1, true),
        _ => (count, false),
    }
}

impl<C: Checks> Twin<C> {
    fn new(capacity: usize, is_staged: bool) -> Self {
        let (publisher, stage, consumer) = if is_staged {
            let (publisher, stage, consumer) = lane_staged_with(options("model", capacity));
            (publisher, Some(stage), consumer)
        } else {
            let (publisher, consumer) = lane_with(options("model", capacity));
            (publisher, None, consumer)
        };
        let model = Model { capacity, is_staged, ..Model::default() };
        Self { publisher: Some(publisher), stage, consumer, model }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Publish => self.publish(),
            Step::PublishWith { panics } => self.publish_with(panics),
            Step::Slice { count } => self.slice(count),
            Step::Batch { count, panics_at } => self.batch(count, panics_at),
            Step::PollStage { limit, panics_at } => self.poll_stage(limit, panics_at),
            Step::Poll { limit, panics_at } => self.poll(limit, panics_at),
            Step::DropPublisher => drop(self.publisher.take()),
        }
        self.compare();
    }

    fn publish(&mut self) {
        let Self { publisher: Some(publisher), model, .. } = self else { return };
        let expected = match model.fitting(1) {
            0 => Err(Full),
            _ => Ok(model.published as i64),
        };
        let value = model.next_value;
        assert_eq!(publisher.try_publish(&Packet::new(value)), expected);
        if expected.is_ok() {
            model.publish(&[value]);
        }
    }

    fn publish_with(&mut self, panics: bool) {
        let Self { publisher: Some(publisher), model, .. } = self else { return };
        let value = model.next_value;
        let fits = model.fitting(1) == 1;
        let mut published = Err(Full);
        let panicked = panics_as_planted(|| {
            published = publisher.try_publish_with(|slot| {
                if panics {
                    // Half of it, of a value that nobody should ever see.
                    *slot = Packet::new(u64::MAX);
                    planted_panic();
                }
                *slot = Packet::new(value);
            });
        });
        assert_eq!(panicked, panics && fits);
        assert_eq!(published.is_ok(), fits && !panics);
        if published.is_ok() {
            model.publish(&[value]);
        }
    }

    fn slice(&mut self, count: usize) {
        let Self { publisher: Some(publisher), model, .. } = self else { return };
        let values = model.values(count);
        let packets: Vec<_> = values.iter().map(|value| Packet::new(*value)).collect();
        let fitting = model.fitting(count);
        assert_eq!(publisher.try_publish_slice(&packets), fitting);
        model.publish(&values[..fitting]);
    }

    fn batch(&mut self, count: usize, panics_at: Option<usize>) {
        let Self { publisher: Some(publisher), model, .. } = self else { return };
        let values = model.values(count);
        let fitting = model.fitting(count);
        let (filled, should_panic) = handled(fitting, panics_at);
        let (mut calls, mut published) = (0, None);
        let panicked = panics_as_planted(|| {
            published = Some(publisher.try_publish_batch(count, |slot| {
                calls += 1;
                *slot = Packet::new(values[calls - 1]);
                if panics_at == Some(calls - 1) {
                    planted_panic();
                }
            }));
        });
        assert_eq!((calls, panicked), (filled, should_panic));
        if should_panic {
            assert_eq!(published, None);
        } else {
            assert_eq!(published, Some(fitting));
            model.publish(&values[..fitting]);
        }
    }

    fn poll_stage(&mut self, limit: usize, panics_at: Option<usize>) {
        let Self { stage: Some(stage), model, .. } = self else { return };
        model.first_reader_finds(limit, !model.before_stage.is_empty());
        let (count, should_panic) = handled(limit.min(model.before_stage.len()), panics_at);
        let passed: Vec<_> = model.before_stage.drain(..count).collect();
        let (seen, outcome) = seen_by(limit, panics_at, |limit, handle| stage.poll(limit, handle));
        assert_eq!(seen, passed);
        assert_eq!(outcome, (!should_panic).then_some(count));
        model.before_consumer.extend(passed);
    }

    fn poll(&mut self, limit: usize, panics_at: Option<usize>) {
        let Self { consumer, model, .. } = self;
        if !model.is_staged {
            model.first_reader_finds(limit, !model.before_consumer.is_empty());
        }
        let (count, should_panic) = handled(limit.min(model.before_consumer.len()), panics_at);
        let expected: Vec<_> = model.before_consumer.drain(..count).collect();
        let (seen, outcome) =
            seen_by(limit, panics_at, |limit, handle| consumer.poll(limit, handle));
        assert_eq!(seen, expected);
        assert_eq!(outcome, (!should_panic).then_some(count));
        model.released += count as u64;
    }

    fn compare(&mut self) {
        let Self { publisher, stage, consumer, model } = self;
        let in_flight = model.before_stage.len() + model.before_consumer.len();
        let gauge = consumer.gauge();
        assert_eq!((gauge.published(), gauge.released()), (model.published, model.released));
        assert_eq!(gauge.in_flight(), in_flight as u64);
        assert_eq!(gauge.full_count(), model.full_count);
        let high_water =
            if model.full_count > 0 { model.capacity as u64 } else { model.high_water };
        assert_eq!(gauge.high_water(), high_water);
        assert_eq!((gauge.double_returns(), gauge.out_of_order_returns()), (0, 0));
        assert_eq!(gauge.is_closed(), publisher.is_none());
        assert_eq!(consumer.has_available(), !model.before_consumer.is_empty());
        assert_eq!(consumer.is_closed(), publisher.is_none() && in_flight == 0);
        if let Some(stage) = stage {
            assert_eq!(stage.has_available(), !model.before_stage.is_empty());
            assert_eq!(stage.is_closed(), publisher.is_none() && model.before_stage.is_empty());
        }
        if let Some(publisher) = publisher {
            assert_eq!(publisher.has_room(), model.room() > 0);
            assert_eq!(publisher.room(model.capacity + 3), model.room());
        }
    }
}

/// Polls with a callback that notes what it sees and panics at the `panics_at`th; what it saw, and
/// what the poll returned, if it did.
fn seen_by(
    limit: usize,
    panics_at: Option<usize>,
    poll: impl FnOnce(usize, &mut dyn FnMut(&Packet)) -> usize,
) -> (Vec<u64>, Option<usize>) {
    let (mut seen, mut outcome) = (Vec::new(), None);
    let panicked = panics_as_planted(|| {
        outcome = Some(poll(limit, &mut |packet| {
            seen.push(packet.verified());
            if panics_at == Some(seen.len() - 1) {
                planted_panic();
            }
        }));
    });
    assert_eq!(panicked, outcome.is_none());
    (seen, outcome)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_plain_lane_is_a_queue(
        log2 in 1..5_u32,
        is_staged: bool,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut twin = Twin::<Plain>::new(1 << log2, is_staged);
        steps.iter().for_each(|step| twin.run(step));
    }

    #[test]
    fn a_checked_lane_is_a_queue(
        log2 in 1..5_u32,
        is_staged: bool,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut twin = Twin::<Checked>::new(1 << log2, is_staged);
        steps.iter().for_each(|step| twin.run(step));
    }
}

/// F02 to the letter: the third of eight panics, four to eight are delivered.
#[test]
fn a_panic_in_mid_batch_consumes_its_own_record_only() {
    let (mut publisher, mut consumer) = lane_with::<Packet, Checked>(options("f02", 8));
    let packets: Vec<_> = (1..=8).map(Packet::new).collect();
    assert_eq!(publisher.try_publish_slice(&packets), 8);
    let (seen, outcome) = seen_by(8, Some(2), |limit, handle| consumer.poll(limit, handle));
    assert_eq!((seen, outcome), (vec![1, 2, 3], None));
    assert_eq!(publisher.room(8), 3, "what was handled is free at once");
    let (seen, outcome) = seen_by(8, None, |limit, handle| consumer.poll(limit, handle));
    assert_eq!((seen, outcome), (vec![4, 5, 6, 7, 8], Some(5)));
}

/// Publishes `records` records, in all three ways, with fills that panic at times; how many did.
fn publish_all<C: Checks>(
    mut publisher: Publisher<Packet, C>,
    records: u64,
    mut random: Random,
    failed: &Failed,
) -> u64 {
    let _guard = failed.guard();
    let (mut next, mut panics) = (0, 0);
    while next < records {
        let way = random.below(16);
        let count = (1 + random.below(6)).min(records - next);
        let published = match way {
            0..6 => publisher.try_publish(&Packet::new(next)).map_or(0, |_| 1),
            6..15 => {
                let packets: Vec<_> = (next..next + count).map(Packet::new).collect();
                publisher.try_publish_slice(&packets) as u64
            }
            _ => {
                panics += u64::from(panics_as_planted(|| {
                    let _ = publisher.try_publish_with(|slot| {
                        *slot = Packet::new(u64::MAX);
                        planted_panic();
                    });
                }));
                continue;
            }
        };
        next += published;
        if published == 0 {
            failed.yield_or_give_up();
        }
    }
    panics
}

/// Consumes until the lane is closed; every 10th callback panics, the first after `first_panic`.
fn consume_all<C: Checks>(
    consumer: &mut Consumer<Packet, C>,
    mut random: Random,
    first_panic: u64,
    failed: &Failed,
) -> (u64, u64) {
    let _guard = failed.guard();
    let (mut expected, mut panics) = (0, 0);
    while !consumer.is_closed() {
        let limit = 1 + random.below(12) as usize;
        let mut handled = 0;
        panics += u64::from(panics_as_planted(|| {
            consumer.poll(limit, |packet| {
                assert_eq!(packet.verified(), expected, "in order, each once");
                expected += 1;
                handled += 1;
                if expected % 10 == first_panic {
                    planted_panic();
                }
            });
        }));
        if handled == 0 {
            failed.yield_or_give_up();
        }
    }
    (expected, panics)
}

fn all_arrive<C: Checks>(records: u64, capacity: usize, seed: u64) {
    let mut random = Random(seed);
    let first_panic = random.below(10);
    println!("seed {seed}: panics at the {first_panic}th of ten");
    let (publisher, mut consumer) = lane_with::<Packet, C>(options("storm", capacity));
    let (gauge, failed) = (consumer.gauge(), Failed::default());
    let (publishing, consuming) = (Random(random.next()), Random(random.next()));
    let (fill_panics, (handled, panics)) = thread::scope(|scope| {
        let publishing = scope.spawn(|| publish_all(publisher, records, publishing, &failed));
        let consumed = consume_all(&mut consumer, consuming, first_panic, &failed);
        (publishing.join().unwrap(), consumed)
    });
    assert_eq!((handled, panics), (records, records / 10));
    assert!(fill_panics > records / 100, "only {fill_panics} fills panicked");
    assert_eq!((gauge.published(), gauge.released(), gauge.in_flight()), (records, records, 0));
    assert_eq!((gauge.double_returns(), gauge.out_of_order_returns()), (0, 0));
    assert!(gauge.full_count() > 0, "the lane was never full");
}

#[test]
fn a_million_records_arrive_in_order_through_a_plain_lane_with_panics() {
    all_arrive::<Plain>(1_000_000, 256, 1);
}

#[test]
fn a_million_records_arrive_in_order_through_a_checked_lane_with_panics() {
    all_arrive::<Checked>(1_000_000, 256, 2);
}

/// Two and four slots: hardly a step without the other thread, which is slow on few cores.
#[test]
fn records_arrive_in_order_through_the_smallest_lanes_with_panics() {
    all_arrive::<Plain>(20_000, 2, 3);
    all_arrive::<Checked>(20_000, 4, 4);
}

/// The same through a stage on a third thread.
#[test]
fn records_arrive_in_order_through_a_stage_with_panics() {
    let (records, seed) = (200_000, 5);
    println!("seed {seed}");
    let mut random = Random(seed);
    let (publisher, mut stage, mut consumer) =
        lane_staged_with::<Packet, Plain>(options("staged", 128));
    let (gauge, failed) = (consumer.gauge(), Failed::default());
    let (publishing, staging, consuming) =
        (Random(random.next()), Random(random.next()), Random(random.next()));
    let (staged, consumed) = thread::scope(|scope| {
        scope.spawn(|| publish_all(publisher, records, publishing, &failed));
        let staged = scope.spawn(|| stage_all(&mut stage, staging, &failed));
        let consumed = consume_all(&mut consumer, consuming, 7, &failed);
        (staged.join().unwrap(), consumed)
    });
    assert_eq!(staged, (records, records / 100));
    assert_eq!(consumed, (records, records / 10));
    assert_eq!((gauge.published(), gauge.released()), (records, records));
}

fn stage_all<C: Checks>(
    stage: &mut Stage<Packet, C>,
    mut random: Random,
    failed: &Failed,
) -> (u64, u64) {
    let _guard = failed.guard();
    let (mut expected, mut panics) = (0, 0);
    while !stage.is_closed() {
        let limit = 1 + random.below(12) as usize;
        let before = expected;
        panics += u64::from(panics_as_planted(|| {
            stage.poll(limit, |packet| {
                assert_eq!(packet.verified(), expected);
                expected += 1;
                if expected % 100 == 50 {
                    planted_panic();
                }
            });
        }));
        if expected == before {
            failed.yield_or_give_up();
        }
    }
    (expected, panics)
}
