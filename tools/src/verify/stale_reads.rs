//! SC-007: a read through a handle that was returned is caught at once, on checked lanes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use pitlane_engine::event::{Event, Quote};
use pitlane_ring::{Checked, Consumer, LaneOptions, Publisher, lane_with, raw};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::TrialError;
use crate::table::count;

const LANE: &str = "verify:stale-reads";
const SLOTS: usize = 8;

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let planted = setting.scale.wrong_accesses;
    let options = LaneOptions { name: LANE.to_owned(), capacity: SLOTS };
    let (mut publisher, mut consumer) = lane_with::<Event, Checked>(options);
    // Each of the panics is expected; the process's hook would print them all.
    let hook = take_hook();
    set_hook(Box::new(|_info| ()));
    let (mut caught, mut reused, mut fresh) = (0, 0, 0);
    for number in 0..planted {
        if setting.is_stopped() {
            break;
        }
        let is_reused = number % 2 == 1;
        let outcome = read_after_return(&mut publisher, &mut consumer, is_reused, setting.plant);
        fresh += u64::from(outcome.before);
        caught += u64::from(outcome.caught);
        reused += u64::from(is_reused);
    }
    set_hook(hook);
    let finding = Finding {
        done: format!(
            "{} reads through a returned handle of a checked lane, half of them after the slot \
             was reused",
            count(planted)
        ),
        measured: format!("{} caught before anything was read", count(caught)),
        bound: "all, each at the read itself, with lane and sequence named".to_owned(),
        verdict: Verdict::Skipped,
        attack: format!(
            "{} handles read well before their return; {} reads after reuse",
            count(fresh),
            count(reused)
        ),
    };
    Ok(finding.judged(&[caught == planted, fresh == planted]))
}

struct Outcome {
    /// The read before the return gave the event.
    before: bool,
    /// The read after it panicked and said where.
    caught: bool,
}

fn read_after_return(
    publisher: &mut Publisher<Event, Checked>,
    consumer: &mut Consumer<Event, Checked>,
    is_reused: bool,
    plant: Plant,
) -> Outcome {
    let event = Event::new(&Quote { bid_price: 1, bid_qty: 2, ask_price: 3, ask_qty: 4 });
    let Some((handle, token)) =
        publisher.try_publish(&event).ok().and_then(|_| raw::hold(consumer))
    else {
        return Outcome { before: false, caught: false };
    };
    let before = handle.read().get::<Quote>().is_some_and(|quote| quote.ask_qty == 4);
    let returned = token.give_back().is_ok();
    raw::settle(consumer);
    if is_reused {
        for _ in 0..SLOTS {
            let published = publisher.try_publish(&event).is_ok();
            debug_assert!(published, "the lane is empty");
        }
        consumer.poll(SLOTS, |_event| ());
    }
    let read = || catch_unwind(AssertUnwindSafe(|| handle.read()));
    let read = match plant {
        Plant::ForgottenReturn => {
            raw::with_forgotten_return(publisher, consumer, handle.sequence(), read)
        }
        _ => read(),
    };
    let sequence = format!("sequence {}", handle.sequence());
    let says = |payload: &Box<dyn Any + Send>| {
        let text = payload.downcast_ref::<String>().map_or("", String::as_str);
        text.contains(LANE) && text.contains(&sequence)
    };
    Outcome { before: before && returned, caught: read.as_ref().err().is_some_and(says) }
}
