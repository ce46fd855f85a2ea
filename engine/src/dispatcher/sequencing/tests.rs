//! Streams by hand, EDGE-10, and against a plain model.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::{Sequencer, SequencerOptions, StreamCounts};
use crate::event::{BookState, Event, EventPayload, ExecReport, Price, Qty, Quote, Side, Trade};
use crate::orchestrator::Stamped;
use crate::venue::{StreamOrder, StreamOrders};

const LATENESS_NS: u64 = 1_000;
const VERSION: u32 = 4;

struct Bench {
    sequencer: Sequencer,
    now_ns: u64,
    out: Vec<(u16, u64)>,
}

fn options() -> SequencerOptions {
    let orders = StreamOrders {
        quote: StreamOrder::Monotonic,
        trade: StreamOrder::Contiguous,
        book: StreamOrder::Monotonic,
        bar: StreamOrder::Unsequenced,
    };
    SequencerOptions {
        venues: vec![orders; 3],
        instruments: 2,
        lateness_ns: LATENESS_NS,
        max_buffered: 4,
        held_events: 6,
        flood_events_per_s: 0,
        flood_burst: 1,
    }
}

fn bench(options: &SequencerOptions) -> Bench {
    Bench { sequencer: Sequencer::new(options), now_ns: 0, out: Vec::new() }
}

fn event<P: EventPayload>(venue: u16, sequence: u64, epoch: u8, payload: &P) -> Event {
    let mut event = Event::new(payload);
    (event.venue, event.instrument) = (venue, 1);
    (event.sequence, event.epoch) = (sequence, epoch);
    event
}

fn trade(venue: u16, sequence: u64) -> Event {
    event(venue, sequence, 1, &Trade::single(Price(1), Qty(1), Side::Buy))
}

fn quote(sequence: u64, epoch: u8) -> Event {
    event(0, sequence, epoch, &Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 })
}

impl Bench {
    fn admit(&mut self, event: &Event) {
        let Bench { sequencer, now_ns, out } = self;
        let stamped = Stamped { event, version: VERSION, now_ns: *now_ns };
        sequencer
            .admit(stamped, &mut |passed| out.push((passed.event.venue, passed.event.sequence)));
    }

    fn trades(&mut self, sequences: &[u64]) {
        sequences.iter().for_each(|sequence| self.admit(&trade(0, *sequence)));
    }

    fn pass_ns(&mut self, ns: u64) {
        self.now_ns += ns;
        let Bench { sequencer, now_ns, out } = self;
        sequencer.expire(*now_ns, &mut |Stamped { event, .. }| {
            out.push((event.venue, event.sequence));
        });
    }

    fn sequences(&mut self) -> Vec<u64> {
        self.out.drain(..).map(|(_, sequence)| sequence).collect()
    }

    fn counts(&self) -> StreamCounts {
        self.sequencer.stats().read()
    }
}

#[test]
fn what_is_in_order_passes_at_once() {
    let mut bench = bench(&options());
    bench.trades(&[10_000_000_000, 10_000_000_001, 10_000_000_002]);
    assert_eq!(bench.sequences(), [10_000_000_000, 10_000_000_001, 10_000_000_002]);
    assert_eq!(bench.counts(), StreamCounts::default());
    assert_eq!(bench.sequencer.next_timer_ns(), u64::MAX);
}

#[test]
fn a_gap_is_held_until_it_is_filled_and_then_all_passes_in_order() {
    let mut bench = bench(&options());
    bench.trades(&[5, 9, 7, 8]);
    assert_eq!((bench.sequences(), bench.sequencer.held()), (vec![5], 3));
    bench.trades(&[6, 10]);
    assert_eq!((bench.sequences(), bench.sequencer.held()), (vec![6, 7, 8, 9, 10], 0));
    let counts = bench.counts();
    assert_eq!((counts.held, counts.reordered, counts.gap_given_up), (3, 3, 0));
    assert_eq!(bench.sequencer.next_timer_ns(), u64::MAX);
}

/// EDGE-10: a gap that is never filled.
#[test]
fn a_gap_is_given_up_when_its_time_is_over() {
    let mut bench = bench(&options());
    bench.trades(&[5, 7]);
    assert_eq!(bench.sequencer.next_timer_ns(), LATENESS_NS);
    bench.pass_ns(400);
    bench.trades(&[9]);
    bench.pass_ns(LATENESS_NS - 401);
    assert_eq!(bench.sequences(), [5]);
    bench.pass_ns(1);
    assert_eq!(bench.sequences(), [7], "9 has not waited as long");
    assert_eq!(bench.sequencer.next_timer_ns(), 400 + LATENESS_NS);
    bench.trades(&[6, 8]);
    assert_eq!((bench.sequences(), bench.counts().late), (vec![8, 9], 1));
    assert_eq!((bench.counts().gap_given_up, bench.sequencer.held()), (1, 0));
}

/// EDGE-10: duplicated and equal, passed as well as held; before what was given up it is late.
#[test]
fn a_duplicate_is_told_from_what_is_late() {
    let mut bench = bench(&options());
    bench.trades(&[100, 100, 101, 100, 104, 104]);
    assert_eq!((bench.counts().duplicate, bench.counts().held), (3, 1));
    bench.pass_ns(LATENESS_NS);
    bench.trades(&[102, 104, 103, 99]);
    assert_eq!(bench.sequences(), [100, 101, 104]);
    assert_eq!((bench.counts().duplicate, bench.counts().late), (4, 3));
}

/// EDGE-10: a sequence that falls back after a reconnect, and one that jumps ahead.
#[test]
fn another_connection_starts_the_stream_anew() {
    let mut bench = bench(&options());
    bench.trades(&[500, 502]);
    let payload = Trade::single(Price(1), Qty(1), Side::Buy);
    bench.admit(&event(0, 3, 2, &payload));
    assert_eq!(bench.sequences(), [500, 502, 3], "what was held goes before it");
    bench.admit(&event(0, 4, 2, &payload));
    bench.admit(&event(0, 10_000, 3, &payload));
    assert_eq!(bench.sequences(), [4, 10_000]);
    bench.admit(&event(0, 10_000, 3, &payload));
    assert_eq!((bench.counts().gap_given_up, bench.counts().duplicate), (1, 1));
}

/// EDGE-10: zero, and the largest there is.
#[test]
fn zero_is_no_number_and_the_largest_is_one() {
    let mut bench = bench(&options());
    bench.trades(&[0, 0, u64::MAX - 1, 0, u64::MAX, 0, u64::MAX, 1]);
    assert_eq!(bench.sequences(), [0, 0, u64::MAX - 1, 0, u64::MAX, 0]);
    assert_eq!((bench.counts().duplicate, bench.counts().late), (2, 0));
}

#[test]
fn a_monotonic_stream_waits_for_nothing() {
    let mut bench = bench(&options());
    [3, 9, 9, 7, 0, 20].iter().for_each(|sequence| bench.admit(&quote(*sequence, 1)));
    bench.admit(&quote(20, 2));
    assert_eq!(bench.sequences(), [3, 9, 0, 20, 20]);
    assert_eq!((bench.counts().duplicate, bench.counts().late), (1, 1));
    assert_eq!(bench.sequencer.held(), 0);
}

#[test]
fn a_book_that_is_synchronised_again_may_stand_where_it_stood() {
    let mut bench = bench(&options());
    let levels = [crate::event::Level { price: 1, qty: 1 }; 10];
    let book = |sequence| event(0, sequence, 1, &crate::event::Book { bids: levels, asks: levels });
    bench.admit(&book(7));
    bench.admit(&book(7));
    let state = BookState { status_code: 2, reason_code: 2, reserved: [0; 6] };
    bench.admit(&event(0, 7, 1, &state));
    bench.admit(&book(7));
    assert_eq!((bench.sequences(), bench.counts().duplicate), (vec![7, 7, 7], 1));
}

#[test]
fn more_than_may_wait_gives_the_gap_up() {
    let mut bench = bench(&options());
    bench.trades(&[1, 3, 5, 6, 8]);
    assert_eq!((bench.sequences(), bench.sequencer.held()), (vec![1], 4));
    bench.trades(&[10]);
    assert_eq!((bench.sequences(), bench.sequencer.held()), (vec![3], 4));
    assert_eq!((bench.counts().released_early, bench.counts().gap_given_up), (1, 1));
    bench.trades(&[5, 10]);
    assert_eq!((bench.counts().duplicate, bench.sequencer.held()), (2, 4));
}

/// FR-023: a dry pool releases what has waited longest, of whatever stream.
#[test]
fn a_dry_pool_releases_the_oldest_early() {
    let mut bench = bench(&options());
    for venue in 0..3 {
        bench.now_ns += 1;
        [1, 3, 4].iter().for_each(|sequence| bench.admit(&trade(venue, *sequence)));
    }
    assert_eq!(bench.sequencer.held(), 6);
    bench.out.clear();
    bench.admit(&trade(2, 6));
    assert_eq!(bench.out, [(0, 3), (0, 4)]);
    assert_eq!((bench.sequencer.held(), bench.counts().released_early), (5, 2));
    assert_eq!(bench.sequencer.gauge().exhausted(), 1);
}

#[test]
fn without_a_wait_a_gap_is_given_up_at_once() {
    let mut bench = bench(&SequencerOptions { lateness_ns: 0, ..options() });
    bench.trades(&[1, 4, 2, 5]);
    assert_eq!((bench.sequences(), bench.sequencer.held()), (vec![1, 4, 5], 0));
    assert_eq!((bench.counts().gap_given_up, bench.counts().late), (1, 1));
}

#[test]
fn streams_do_not_wait_for_each_other() {
    let mut bench = bench(&options());
    bench.trades(&[1, 3]);
    bench.admit(&trade(1, 7));
    bench.admit(&quote(2, 1));
    bench.admit(&trade(1, 8));
    assert_eq!(bench.out, [(0, 1), (1, 7), (0, 2), (1, 8)]);
}

#[test]
fn critical_events_and_unknown_streams_pass_as_they_come() {
    let mut bench = bench(&options());
    let report: ExecReport = zerocopy::FromZeros::new_zeroed();
    [9, 9, 3].iter().for_each(|sequence| bench.admit(&event(0, *sequence, 1, &report)));
    bench.admit(&trade(u16::MAX, 9));
    bench.admit(&trade(u16::MAX, 9));
    assert_eq!(bench.sequences(), [9, 9, 3, 9, 9]);
}

#[test]
fn a_stream_that_floods_is_cut_to_its_rate_and_others_are_not() {
    let options = SequencerOptions { flood_events_per_s: 1_000, flood_burst: 3, ..options() };
    let mut bench = bench(&options);
    bench.trades(&[1, 2, 3, 4, 5]);
    bench.admit(&trade(1, 1));
    let report: ExecReport = zerocopy::FromZeros::new_zeroed();
    (0..5).for_each(|_| bench.admit(&event(0, 1, 1, &report)));
    assert_eq!((bench.out.len(), bench.counts().flooded), (3 + 1 + 5, 2));
    bench.now_ns += 1_000_000;
    bench.trades(&[6]);
    assert_eq!(bench.counts().held, 0, "what floods leaves no gap");
    assert_eq!(bench.out.last(), Some(&(0, 6)));
}

/// FR-014: a flip while an event waits does not make it newer.
#[test]
fn what_was_held_passes_with_the_version_under_which_it_came() {
    let mut sequencer = Sequencer::new(&options());
    let mut passed = Vec::new();
    for (sequence, version) in [(1, 4), (3, 4), (4, 5), (2, 6)] {
        let event = &trade(0, sequence);
        let pass = &mut |stamped: Stamped<'_>| {
            passed.push((stamped.event.sequence, stamped.version, stamped.now_ns));
        };
        sequencer.admit(Stamped { event, version, now_ns: 10 * sequence }, pass);
    }
    assert_eq!(passed, [(1, 4, 10), (2, 6, 20), (3, 4, 20), (4, 5, 20)]);
}

#[test]
fn what_waits_at_the_end_is_released() {
    let mut bench = bench(&options());
    bench.trades(&[1, 3, 5]);
    let Bench { sequencer, out, .. } = &mut bench;
    let pass = &mut |stamped: Stamped<'_>| out.push((0, stamped.event.sequence));
    assert_eq!(sequencer.release_all(0, pass), 2);
    assert_eq!((bench.sequences(), bench.sequencer.held()), (vec![1, 3, 5], 0));
    assert_eq!(bench.sequencer.next_timer_ns(), u64::MAX);
}

/// SC-002: neither what is in order, nor gaps, dry pools and reconnects.
#[test]
fn nothing_is_allocated() {
    let mut sequencer = Sequencer::new(&options());
    let events: Vec<Event> = (0..3_000_u64)
        .map(|n| {
            let mut event = trade((n % 3) as u16, 1 + n / 3 + n * 37 % 23);
            event.epoch = (n / 1_000) as u8;
            event
        })
        .collect();
    let mut passed = 0;
    let allocations = crate::allocations_of(|| {
        for (now_ns, event) in events.iter().enumerate() {
            let pass = &mut |_: Stamped<'_>| passed += 1;
            let now_ns = now_ns as u64;
            sequencer.expire(now_ns, pass);
            sequencer.admit(Stamped { event, version: VERSION, now_ns }, pass);
        }
    });
    let counts = sequencer.stats().read();
    assert_eq!(allocations, 0);
    assert!(counts.held > 100 && counts.released_early > 10 && counts.late > 0, "{counts:?}");
    let gone = counts.duplicate + counts.late + sequencer.held() as u64;
    assert_eq!(passed + gone, events.len() as u64, "{counts:?}");
}

/// One contiguous stream, with sets.
#[derive(Default)]
struct Model {
    last: Option<u64>,
    waiting: BTreeSet<u64>,
    arrivals: VecDeque<(u64, u64)>,
    seen: BTreeSet<u64>,
    out: Vec<u64>,
    dropped: u64,
}

impl Model {
    fn release(&mut self) {
        while let Some(last) = self.last
            && self.waiting.remove(&(last + 1))
        {
            self.out.push(last + 1);
            self.last = Some(last + 1);
        }
        self.arrivals.retain(|(sequence, _)| self.waiting.contains(sequence));
    }

    fn skip_gap(&mut self) {
        if let Some(first) = self.waiting.first() {
            self.last = Some(first - 1);
            self.release();
        }
    }

    fn expire(&mut self, now_ns: u64) {
        while self.arrivals.front().is_some_and(|(_, at)| at + LATENESS_NS <= now_ns) {
            self.skip_gap();
        }
    }

    fn admit(&mut self, sequence: u64, now_ns: u64, max_buffered: usize) {
        let Some(last) = self.last else {
            self.last = Some(sequence);
            self.seen.insert(sequence);
            return self.out.push(sequence);
        };
        if sequence <= last || !self.seen.insert(sequence) {
            self.dropped += 1;
            return;
        }
        while self.waiting.len() == max_buffered && sequence > self.last.unwrap() + 1 {
            self.skip_gap();
        }
        if sequence <= self.last.unwrap() {
            self.dropped += 1;
            return;
        }
        self.waiting.insert(sequence);
        self.arrivals.push_back((sequence, now_ns));
        self.release();
    }
}

proptest! {
    /// Any order, with losses, repeats and pauses: as the model. Nothing goes back, nothing goes
    /// missing.
    #[test]
    fn a_stream_is_as_the_model(
        start in prop::sample::select(vec![1_u64, 1_000, 10_000_000_000]),
        steps in prop::collection::vec((0_u64..12, 0_u64..300, any::<bool>()), 1..400),
    ) {
        let mut bench = bench(&options());
        let mut model = Model::default();
        for (index, (away, pass_ns, looks)) in steps.into_iter().enumerate() {
            let sequence = start + index as u64 / 2 + away;
            if looks {
                bench.pass_ns(pass_ns);
                model.expire(bench.now_ns);
            } else {
                bench.now_ns += pass_ns;
            }
            bench.trades(&[sequence]);
            model.admit(sequence, bench.now_ns, 4);
            prop_assert_eq!(bench.sequencer.held(), model.waiting.len());
        }
        let out = bench.sequences();
        prop_assert!(out.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(out, model.out);
        let counts = bench.counts();
        prop_assert_eq!(counts.duplicate + counts.late, model.dropped);
        bench.sequencer.release_all(0, &mut |_| ());
        prop_assert_eq!(bench.sequencer.held(), 0);
    }
}

#[test]
fn one_absurd_number_does_not_silence_a_stream() {
    // F34: all that follows would be old, for as long as the connection lives.
    for absurd in [u64::MAX, 4_000_000_000_000_000_000] {
        let mut bench = bench(&options());
        bench.admit(&quote(100, 1));
        bench.admit(&quote(absurd, 1));
        bench.trades(&[100, absurd]);
        bench.pass_ns(LATENESS_NS);
        bench.sequences();
        for number in 101..=140 {
            bench.pass_ns(100_000_000);
            bench.admit(&quote(number, 1));
            bench.trades(&[number]);
        }
        let passed = bench.sequences();
        assert_eq!(passed[passed.len() - 2..], [140, 140], "healed");
        assert!(passed.len() >= 2 * 29, "within about a second: {passed:?}");
        assert!(passed.chunks(2).all(|pair| pair[0] == pair[1]));
    }
}

#[test]
fn late_events_beside_new_ones_are_no_new_numbering() {
    let mut bench = bench(&options());
    bench.admit(&quote(1_000, 1));
    for number in 1..=50 {
        bench.pass_ns(100_000_000);
        bench.admit(&quote(number, 1));
        bench.admit(&quote(1_000 + number, 1));
    }
    assert_eq!(bench.sequences(), (1_000..=1_050).collect::<Vec<_>>());
    // Nor is one event that is told again and again.
    for _ in 0..50 {
        bench.pass_ns(100_000_000);
        bench.admit(&quote(7, 1));
    }
    assert_eq!(bench.sequences(), [0; 0]);
}
