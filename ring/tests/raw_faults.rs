//! Wrong returns and accesses after a return, planted by the raw handles, and what catches them.
//!
//! F07 and SC-008 (FR-009, EDGE-3 to 5): of all returns of a slot exactly one wins. F08 and SC-007
//! (FR-010): a checked lane catches each access after a return and names lane, sequence and call
//! sites. F09: what a panicking fill has half written is never seen. Each test also shows that the
//! lane works afterwards.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Barrier, Mutex, Once};
use std::thread;

use common::{Packet, Random, message, options, panics_as_planted, planted_panic};
use pitlane_ring::raw::{RefusedReturn, ReturnToken, deface, hold, settle, stale_token};
use pitlane_ring::{Checked, Checks, Consumer, Plain, Publisher, lane_with};

const PLANTED: u64 = 10_000;

/// Panics of checked lanes come by the ten thousand here; their messages are read from the payload.
/// Those of this file's own assertions are still printed.
fn without_lane_messages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !info.location().is_some_and(|site| site.file().contains("recycler.rs")) {
                before(info);
            }
        }));
    });
}

fn caught(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("nothing was caught");
    message(&*payload).to_owned()
}

/// The lane takes and gives `capacity` more records, in order and intact.
fn works<C: Checks>(publisher: &mut Publisher<Packet, C>, consumer: &mut Consumer<Packet, C>) {
    let capacity = publisher.capacity() as u64;
    for value in 0..capacity {
        publisher.try_publish(&Packet::new(value)).unwrap();
    }
    assert!(!publisher.has_room());
    let mut expected = 0..capacity;
    let handled = consumer.poll(usize::MAX, |packet| {
        assert_eq!(Some(packet.verified()), expected.next());
    });
    assert_eq!(handled as u64, capacity);
    assert_eq!(publisher.room(usize::MAX) as u64, capacity);
    assert_eq!(consumer.gauge().in_flight(), 0);
}

/// What a second return of a slot looks like: an error that is counted, or a panic that is.
fn refused<C: Checks>(token: &ReturnToken<C>, by: RefusedReturn) -> bool {
    match catch_unwind(AssertUnwindSafe(|| token.give_back())) {
        Ok(outcome) => !C::CHECKED && outcome == Err(by),
        Err(payload) => {
            let text = message(&*payload);
            let sequence = token.sequence();
            // This place and the claim; the return as well, if there was one.
            let sites = if by == RefusedReturn::AlreadyReturned { 3 } else { 2 };
            C::CHECKED
                && text.starts_with(&format!("lane faults: return of sequence {sequence} at "))
                && text.contains(&format!("refused: {by}"))
                && text.matches("raw_faults.rs:").count() == sites
        }
    }
}

/// F07: at once, after later returns, and after the slot was reused (EDGE-5).
fn double_returns_are_refused<C: Checks>(planted: u64) {
    without_lane_messages();
    let seed = 7;
    println!("seed {seed}");
    let mut random = Random(seed);
    let (mut publisher, mut consumer) = lane_with::<Packet, C>(options("faults", 4));
    let gauge = consumer.gauge();
    let (mut caught, mut reused) = (0, 0);
    for value in 0..planted {
        publisher.try_publish(&Packet::new(value)).unwrap();
        let (handle, token) = hold(&mut consumer).unwrap();
        assert_eq!(handle.read().verified(), value);
        assert_eq!(token.give_back(), Ok(()));
        assert_eq!(settle(&mut consumer), 0);
        // Over a lap of the ring the slot is in use again, with another sequence.
        let between = random.below(7);
        for _ in 0..between {
            publisher.try_publish(&Packet::new(0)).unwrap();
            consumer.poll(1, |_| ());
        }
        reused += u64::from(between >= 4);
        let again = if random.below(2) == 0 {
            token.clone()
        } else {
            stale_token(&consumer, token.sequence())
        };
        caught += u64::from(refused(&again, RefusedReturn::AlreadyReturned));
    }
    assert_eq!((caught, gauge.double_returns()), (planted, planted));
    assert!(reused > planted / 4, "only {reused} slots were in use again");
    assert_eq!(gauge.out_of_order_returns(), 0);
    works(&mut publisher, &mut consumer);
}

#[test]
fn ten_thousand_double_returns_are_refused_by_a_checked_lane() {
    double_returns_are_refused::<Checked>(PLANTED);
}

#[test]
fn ten_thousand_double_returns_are_refused_by_a_plain_lane() {
    double_returns_are_refused::<Plain>(PLANTED);
}

/// F07, out of order: nothing can be returned past a slot that is out, and the right order is
/// still open afterwards.
fn returns_out_of_order_are_refused<C: Checks>() {
    without_lane_messages();
    let (mut publisher, mut consumer) = lane_with::<Packet, C>(options("faults", 4));
    for value in 0..4 {
        publisher.try_publish(&Packet::new(value)).unwrap();
    }
    let held: Vec<_> = (0..4).map(|_| hold(&mut consumer).unwrap()).collect();
    for (_, token) in held.iter().skip(1) {
        assert!(refused(token, RefusedReturn::OutOfOrder));
    }
    assert_eq!((settle(&mut consumer), publisher.has_room()), (4, false));
    assert_eq!(consumer.poll(9, |_| panic!("nothing can be handled")), 0);
    for (index, (handle, token)) in held.iter().enumerate() {
        assert_eq!(handle.read().verified(), index as u64, "still readable");
        assert_eq!(token.give_back(), Ok(()));
        assert!(refused(token, RefusedReturn::AlreadyReturned));
    }
    assert_eq!(settle(&mut consumer), 0);
    let gauge = consumer.gauge();
    assert_eq!((gauge.out_of_order_returns(), gauge.double_returns()), (3, 4));
    works(&mut publisher, &mut consumer);
}

#[test]
fn returns_out_of_order_are_refused_and_harm_nothing() {
    returns_out_of_order_are_refused::<Plain>();
    returns_out_of_order_are_refused::<Checked>();
}

/// F07, EDGE-4: two threads at once, ten thousand times; exactly one wins each time.
fn one_of_two_threads_wins<C: Checks>(rounds: u64) {
    without_lane_messages();
    let (mut publisher, mut consumer) = lane_with::<Packet, C>(options("faults", 2));
    let gauge = consumer.gauge();
    let contested: Mutex<Option<ReturnToken<C>>> = Mutex::new(None);
    let (start, end) = (Barrier::new(2), Barrier::new(2));
    let mut wins = [0, 0];
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut wins = 0;
            for _ in 0..rounds {
                start.wait();
                let token = contested.lock().unwrap().clone().unwrap();
                wins += u64::from(token_wins(&token));
                end.wait();
            }
            wins
        });
        for value in 0..rounds {
            publisher.try_publish(&Packet::new(value)).unwrap();
            let (_handle, token) = hold(&mut consumer).unwrap();
            *contested.lock().unwrap() = Some(token.clone());
            start.wait();
            wins[0] += u64::from(token_wins(&token));
            end.wait();
            assert_eq!(settle(&mut consumer), 0, "one of the two has won");
        }
        wins[1] = other.join().unwrap();
    });
    assert_eq!(wins[0] + wins[1], rounds, "{wins:?}");
    assert_eq!(gauge.double_returns(), rounds, "each loser is counted");
    works(&mut publisher, &mut consumer);
}

fn token_wins<C: Checks>(token: &ReturnToken<C>) -> bool {
    match catch_unwind(AssertUnwindSafe(|| token.give_back())) {
        Ok(outcome) => outcome.is_ok(),
        Err(payload) => {
            assert!(C::CHECKED && message(&*payload).contains("was returned before"));
            false
        }
    }
}

#[test]
fn of_two_threads_that_return_one_slot_exactly_one_wins() {
    one_of_two_threads_wins::<Plain>(PLANTED);
    one_of_two_threads_wins::<Checked>(PLANTED);
}

/// F08, SC-007, EDGE-3: each read after a return is caught before it reads, within the event.
#[test]
fn ten_thousand_reads_after_return_are_caught_by_a_checked_lane() {
    without_lane_messages();
    let seed = 8;
    println!("seed {seed}");
    let mut random = Random(seed);
    let (mut publisher, mut consumer) = lane_with::<Packet, Checked>(options("faults", 4));
    let (mut found, mut reused) = (0, 0);
    for value in 0..PLANTED {
        publisher.try_publish(&Packet::new(value)).unwrap();
        let claim_line = line!() - 1;
        let (handle, token) = hold(&mut consumer).unwrap();
        assert_eq!(handle.read().verified(), value);
        token.give_back().unwrap();
        let return_line = line!() - 1;
        // Before the publisher may have the slot, after, and when it holds another record.
        let reuse = random.below(3);
        if reuse > 0 {
            settle(&mut consumer);
        }
        if reuse > 1 {
            works(&mut publisher, &mut consumer);
        }
        let text = caught(|| _ = handle.read());
        let sequence = handle.sequence();
        let is_named = text.starts_with(&format!("lane faults: sequence {sequence}, held at "));
        // In a slot that was reused, claim and return are those of the reuse, in `works`.
        let sites = if reuse > 1 {
            text.matches("raw_faults.rs:").count() == 4
        } else {
            text.contains(&format!("last claimed at ring/tests/raw_faults.rs:{claim_line}:"))
                && text.contains(&format!("returned at ring/tests/raw_faults.rs:{return_line}:"))
        };
        found += u64::from(is_named && sites);
        reused += u64::from(reuse > 1);
        settle(&mut consumer);
    }
    assert_eq!(found, PLANTED);
    assert!(reused > PLANTED / 4, "only {reused} slots held another record");
    works(&mut publisher, &mut consumer);
}

/// A plain lane asks the same question first: the read is refused, and nothing of it happens.
#[test]
fn a_read_after_return_is_refused_by_a_plain_lane() {
    let (mut publisher, mut consumer) = lane_with::<Packet, Plain>(options("faults", 2));
    publisher.try_publish(&Packet::new(5)).unwrap();
    let (handle, token) = hold(&mut consumer).unwrap();
    token.give_back().unwrap();
    let text = caught(|| _ = handle.read());
    assert!(text.starts_with("lane faults: sequence 0, held at "), "{text}");
    assert!(text.contains("was read at "), "{text}");
    settle(&mut consumer);
    works(&mut publisher, &mut consumer);
}

/// FR-010: the whole slot is poisoned and verified, so every byte of it is tried.
#[test]
fn a_write_into_any_byte_of_a_returned_slot_is_found_at_the_next_claim() {
    let (mut publisher, mut consumer) = lane_with::<Packet, Checked>(options("faults", 2));
    let mut found = 0;
    for offset in 0..size_of::<Packet>() {
        publisher.try_publish(&Packet::new(1)).unwrap();
        consumer.poll(1, |_| ());
        assert!(deface(&mut publisher, offset));
        let sequence = publisher.gauge().published();
        let before = publisher.gauge().published();
        let text = caught(|| _ = publisher.try_publish(&Packet::new(2)));
        found += usize::from(
            text.starts_with(&format!("lane faults: the slot claimed for sequence {sequence} at "))
                && text.contains(&format!("(first at byte {offset})")),
        );
        assert_eq!(publisher.gauge().published(), before, "nothing was published");
    }
    assert_eq!(found, size_of::<Packet>());
    works(&mut publisher, &mut consumer);
}

/// F09 on both kinds of lane, also when the slot is then used by a batch.
fn nothing_half_written_is_seen<C: Checks>() {
    let (mut publisher, mut consumer) = lane_with::<Packet, C>(options("faults", 4));
    for value in 0..PLANTED {
        let panicked = panics_as_planted(|| {
            let _ = publisher.try_publish_with(|slot| {
                *slot = Packet::new(u64::MAX);
                planted_panic();
            });
        });
        assert!(panicked);
        assert!(!consumer.has_available());
        assert_eq!(consumer.poll(9, |_| panic!("nothing was published")), 0);
        let packets = [Packet::new(value), Packet::new(value + 1)];
        assert_eq!(publisher.try_publish_slice(&packets), 2);
        let mut expected = value..value + 2;
        consumer.poll(9, |packet| assert_eq!(Some(packet.verified()), expected.next()));
        assert_eq!(expected.next(), None);
    }
    works(&mut publisher, &mut consumer);
}

#[test]
fn what_a_panicking_fill_has_half_written_is_never_seen() {
    nothing_half_written_is_seen::<Plain>();
    nothing_half_written_is_seen::<Checked>();
}
