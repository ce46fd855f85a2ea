//! A poll that its handler ends, and critical records that are taken out of the spill.

mod common;

use common::{Packet, options};
use pitlane_ring::{Consumer, CriticalPublisher, lane};

fn values(consumer: &mut Consumer<Packet>) -> Vec<u64> {
    let mut seen = Vec::new();
    consumer.poll(usize::MAX, |packet| seen.push(packet.verified()));
    seen
}

#[test]
fn a_poll_ends_behind_the_record_whose_handler_said_so() {
    let (mut publisher, mut consumer) = lane(options("early", 8));
    (0..5).for_each(|value| publisher.try_publish(&Packet::new(value)).map(drop).unwrap());
    let mut seen = Vec::new();
    let handled = consumer.poll_while(9, |packet| {
        seen.push(packet.verified());
        packet.value() != 1
    });
    assert_eq!((handled, seen), (2, vec![0, 1]));
    assert_eq!(publisher.gauge().in_flight(), 3, "what was handled is returned");
    assert_eq!(consumer.poll_while(2, |_| true), 2, "the limit holds");
    assert_eq!(consumer.poll_while(9, |_| false), 1, "the last of all is taken");
    assert_eq!(consumer.poll_while(9, |_| true), 0);
    publisher.try_publish(&Packet::new(5)).map(drop).unwrap();
    assert_eq!(values(&mut consumer), [5]);
}

#[test]
fn what_is_taken_out_of_the_spill_never_reaches_the_lane_and_the_rest_does_in_order() {
    let (publisher, mut consumer) = lane(options("critical", 2));
    let mut critical = CriticalPublisher::new(publisher, 8);
    (0..7).for_each(|value| critical.offer(&Packet::new(value)).map(drop).unwrap());
    let mut taken = Vec::new();
    assert_eq!(critical.take_pending(2, |packet| taken.push(packet.verified())), 2);
    assert_eq!((taken, critical.pending()), (vec![2, 3], 3));
    let mut delivered = values(&mut consumer);
    while critical.flush() > 0 {
        delivered.extend(values(&mut consumer));
    }
    assert_eq!(delivered, [0, 1, 4, 5, 6]);
    assert_eq!(critical.take_pending(9, |_| ()), 0);
}
