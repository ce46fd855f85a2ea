//! Instruction counts of the hot functions: one case a process, to be run under callgrind by
//! `benches/instructions/check.py`. Time stands still, so that a count is the same in every run.

use std::process::ExitCode;
use std::sync::Arc;

use pitlane_engine::event::{Event, InstrumentId};
use pitlane_engine::instrument::Instruments;
use pitlane_engine::runtime::{Agent, Clock};
use pitlane_engine::testing::bare_dispatcher;
use pitlane_engine::venue::SymbolMap;
use pitlane_engine::venue::binance::MarketDecoder;
use pitlane_ring::{Consumer, LaneOptions, Publisher, lane};

use crate::order_path::{Decision, Passing, Submitting, Writing};
use crate::stages::{assemble, consumer, instruments, quote};

/// Calls before the counted ones.
const WARM_UP: u64 = 200;

/// Callgrind counts what runs inside this function, and nothing else.
#[inline(never)]
fn measured<R>(work: impl FnOnce() -> R) -> R {
    std::hint::black_box(work())
}

type Case = (&'static str, fn(u64));

const CASES: [Case; 12] = [
    ("lane_publish_one", publish_one),
    ("lane_publish_run_of_64", publish_run),
    ("lane_poll_run_of_64", poll_run),
    ("dispatcher_lone_quote_to_10", |calls| dispatch(calls, 1)),
    ("dispatcher_run_of_64_quotes_to_10", |calls| dispatch(calls, 64)),
    ("consumer_quote", consume),
    ("consumer_without_work", idle),
    ("decode_book_ticker", decode),
    ("consumer_quote_and_submit", submit),
    ("gateway_order", pass_on),
    ("governor_order", govern),
    ("order_text_and_frame", write_order),
];

/// The command line of the binary `instructions`: `list`, or a case and how many calls to count.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["list"] => {
            CASES.iter().for_each(|(name, _)| println!("{name}"));
            ExitCode::SUCCESS
        }
        [name, calls] => match (CASES.iter().find(|(of, _)| *of == name), calls.parse()) {
            (Some((_, run)), Ok(calls)) => {
                run(calls);
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions list | instructions CASE CALLS");
    ExitCode::from(2)
}

/// Calls `work` with whether the call counts.
fn repeat(calls: u64, mut work: impl FnMut(u64, bool)) {
    (0..WARM_UP + calls).for_each(|call| work(call, call >= WARM_UP));
}

fn quotes() -> Vec<Event> {
    (0..64).map(|number| quote(number, 1_000)).collect()
}

fn quote_lane() -> (Publisher<Event>, Consumer<Event>) {
    lane(LaneOptions { name: "counted".to_owned(), capacity: 1_024 })
}

fn publish_one(calls: u64) {
    let (mut publisher, mut consumer) = quote_lane();
    let event = quote(1, 1_000);
    repeat(calls, |_, counts| {
        let published = if counts {
            measured(|| publisher.try_publish(&event))
        } else {
            publisher.try_publish(&event)
        };
        assert!(published.is_ok());
        consumer.poll(1, |_| ());
    });
}

fn publish_run(calls: u64) {
    let (mut publisher, mut consumer) = quote_lane();
    let run = quotes();
    repeat(calls, |_, counts| {
        let published = if counts {
            measured(|| publisher.try_publish_slice(&run))
        } else {
            publisher.try_publish_slice(&run)
        };
        assert_eq!(published, run.len());
        consumer.poll(usize::MAX, |_| ());
    });
}

fn poll_run(calls: u64) {
    let (mut publisher, mut consumer) = quote_lane();
    let run = quotes();
    let mut sum = 0;
    repeat(calls, |_, counts| {
        publisher.try_publish_slice(&run);
        let mut poll = || consumer.poll(usize::MAX, |event| sum += event.sequence);
        assert_eq!(if counts { measured(poll) } else { poll() }, run.len());
    });
    std::hint::black_box(sum);
}

fn dispatch(calls: u64, run: usize) {
    let (clock, _time) = Clock::manual(0);
    let mut bare = bare_dispatcher(10, &instruments(), clock, 1_024, 1_024);
    let quotes = quotes();
    repeat(calls, |_, counts| {
        assert_eq!(bare.link.try_publish_slice(&quotes[..run]), run);
        let dispatcher = &mut bare.dispatcher;
        let mut cycle = || dispatcher.duty_cycle();
        assert_eq!(if counts { measured(cycle) } else { cycle() }, run);
        bare.market.iter_mut().for_each(|lane| {
            lane.poll(usize::MAX, |_| ());
        });
    });
}

fn consume(calls: u64) {
    let (clock, _time) = Clock::manual(0);
    let mut stages = assemble(vec![consumer(|_| ())], &clock);
    stages.consumers[0].duty_cycle();
    repeat(calls, |call, counts| {
        assert!(stages.link.try_publish(&quote(call, 0)).is_ok());
        stages.dispatcher.duty_cycle();
        let agent = &mut stages.consumers[0];
        let mut cycle = || agent.duty_cycle();
        assert_eq!(if counts { measured(cycle) } else { cycle() }, 1);
    });
}

fn idle(calls: u64) {
    let (clock, _time) = Clock::manual(0);
    let mut stages = assemble(vec![consumer(|_| ())], &clock);
    let agent = &mut stages.consumers[0];
    agent.duty_cycle();
    repeat(calls, |_, counts| {
        let mut cycle = || agent.duty_cycle();
        assert_eq!(if counts { measured(cycle) } else { cycle() }, 0);
    });
}

fn decode(calls: u64) {
    let frame = concat!(
        r#"{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","#,
        r#""b":"25.35000000","B":"31.21000000","a":"25.36000000","A":"40.66000000"}}"#
    )
    .as_bytes();
    let instruments: Arc<Instruments> = instruments();
    let names = [("BTCUSDT".to_owned(), InstrumentId(0))];
    let symbols = SymbolMap::new(&names, instruments).expect("a constant symbol");
    let mut decoder = MarketDecoder::new(symbols, 1 << 20);
    repeat(calls, |_, counts| {
        let mut decode = || decoder.decode(frame).is_ok();
        assert!(if counts { measured(decode) } else { decode() });
    });
}

fn submit(calls: u64) {
    let (clock, _time) = Clock::manual(0);
    let mut strategy = Submitting::new((WARM_UP + calls) as usize, clock);
    repeat(calls, |call, counts| {
        strategy.offer(call);
        let mut cycle = || strategy.cycle();
        assert!(if counts { measured(cycle) } else { cycle() });
        assert!(strategy.take());
    });
}

fn pass_on(calls: u64) {
    let (clock, _time) = Clock::manual(0);
    let mut gateway = Passing::new(clock);
    repeat(calls, |_, counts| {
        gateway.offer();
        let mut cycle = || gateway.cycle();
        assert!(if counts { measured(cycle) } else { cycle() });
        assert!(gateway.take());
    });
}

fn govern(calls: u64) {
    let mut decision = Decision::new();
    repeat(calls, |_, counts| {
        let mut decide = || decision.decide();
        assert!(if counts { measured(decide) } else { decide() });
    });
}

fn write_order(calls: u64) {
    let mut order = Writing::new();
    repeat(calls, |_, counts| {
        let mut write = || order.write();
        assert!(if counts { measured(write) } else { write() });
    });
}
