//! The other side: `barter-data`, as its own stream of Binance's best bids and offers works. Its
//! WebSocket parser reads the message, its transformer finds the instrument and makes the
//! normalised [`MarketEvent`], and a clone of that goes to each strategy through a channel of its
//! own kind.
//!
//! Where one had to choose, the choice is in its favour:
//!
//! - It subscribes on the raw stream and doesn't know the envelope of a combined one. The envelope
//!   is taken off before the run, and the message is made before the clock starts.
//! - An instrument is a number, as with its indexed instruments, not a pair of names, so a clone
//!   allocates nothing.
//! - No runtime: no task is woken, strategies poll their channels without an end. Its events travel
//!   bare, not in the layers that tell of reconnections and errors, and not through its stream's
//!   buffer.
//! - It has no orders at this venue, so its strategies only look at the event. Ours answer with
//!   orders meanwhile.

use std::hint::{black_box, spin_loop};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use barter_data::Identifier;
use barter_data::event::MarketEvent;
use barter_data::exchange::binance::book::l1::BinanceOrderBookL1;
use barter_data::exchange::binance::channel::BinanceChannel;
use barter_data::exchange::binance::spot::BinanceSpot;
use barter_data::exchange::subscription::ExchangeSub;
use barter_data::subscription::Map;
use barter_data::subscription::book::{OrderBookL1, OrderBooksL1};
use barter_data::transformer::ExchangeTransformer;
use barter_data::transformer::stateless::StatelessTransformer;
use barter_instrument::instrument::InstrumentIndex;
use barter_integration::Transformer;
use barter_integration::channel::{Channel, Tx, UnboundedRx, UnboundedTx, mpsc_unbounded};
use barter_integration::protocol::StreamParser;
use barter_integration::protocol::websocket::{WebSocketSerdeParser, WsMessage};
use pitlane_benches::wire::{CONSUMERS, Latencies, Run, arrived_ns, symbols};
use pitlane_engine::runtime::Clock;

/// What its stream of best bids and offers yields.
type Event = MarketEvent<InstrumentIndex, OrderBookL1>;

/// The transformer that it selects for that stream.
type ToEvents =
    StatelessTransformer<BinanceSpot, InstrumentIndex, OrderBooksL1, BinanceOrderBookL1>;

/// In place of a time at which a strategy has not seen a frame. Not zero, so that the memory is
/// there before the run.
const UNSEEN_NS: u64 = u64::MAX;

/// Tells the second core that no more will come. Dropped also by a panic, so that one here ends the
/// race and doesn't leave the other core spinning.
#[derive(Default)]
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs the frames.
///
/// # Panics
/// When a frame can't be read, or a strategy did not get every frame.
pub(crate) fn run(run: &Run<'_>) -> Latencies {
    let messages: Vec<WsMessage> = run.frames.iter().map(|frame| without_envelope(frame)).collect();
    let mut to_events = transformer(&symbols(run.frames));
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..CONSUMERS)
        .map(|_| Channel::<Event>::new())
        .map(|channel| (channel.tx, channel.rx))
        .unzip();
    let seen_ns = vec![vec![UNSEEN_NS; run.count]; CONSUMERS];
    let over = Over::default();
    let (theirs, clock) = (Arc::clone(&over.0), run.clock.clone());
    let done = run.partner.run(move || strategies(receivers, seen_ns, &clock, &theirs));
    let mut receive_ns = vec![UNSEEN_NS; run.count];
    let start_ns = run.clock.now_ns() + 100_000;
    for (next, receive_ns) in receive_ns.iter_mut().enumerate() {
        let message = messages[next % messages.len()].clone();
        while run.clock.now_ns() < run.due_ns(start_ns, next) {
            spin_loop();
        }
        *receive_ns = run.clock.now_ns();
        publish(message, &mut to_events, &senders);
    }
    drop(over);
    let seen_ns = done.wait();
    let is_complete = seen_ns.iter().flatten().all(|ns| *ns != UNSEEN_NS);
    assert!(is_complete, "each strategy gets each frame, or the race is void");
    let (seen_ns, receive_ns) = (&seen_ns, &receive_ns);
    let of = |index: usize| seen_ns.iter().map(move |ns| ns[index] - receive_ns[index]);
    let first_ns = (0..run.count).filter_map(|index| of(index).min()).collect();
    let last_ns = (0..run.count).filter_map(|index| of(index).max()).collect();
    Latencies::new(first_ns, last_ns, Vec::new())
}

/// The message as it comes on the raw stream: what stands under `data` in a combined one.
fn without_envelope(frame: &[u8]) -> WsMessage {
    let text = std::str::from_utf8(frame).expect("a frame of text is UTF-8");
    let data = text.split_once("\"data\":").and_then(|(_, rest)| rest.trim_end().strip_suffix('}'));
    WsMessage::text(data.expect("a frame of a combined stream"))
}

/// Its transformer, with numbers for the symbols in their order.
fn transformer(symbols: &[String]) -> ToEvents {
    let subscription = |(index, symbol): (usize, &String)| {
        let id = ExchangeSub::from((BinanceChannel::ORDER_BOOK_L1, symbol)).id();
        (id, InstrumentIndex(index))
    };
    let map: Map<InstrumentIndex> = symbols.iter().enumerate().map(subscription).collect();
    // For what a transformer sends to the venue; this one sends nothing.
    let (to_venue, _nothing) = mpsc_unbounded();
    let init = pin!(ToEvents::init(map, &[], to_venue.tx));
    match init.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(transformer)) => transformer,
        Poll::Ready(Err(error)) => panic!("a transformer without state can't fail: {error}"),
        Poll::Pending => panic!("a transformer without state waits for nothing"),
    }
}

/// One message, from its bytes into all channels.
fn publish(message: WsMessage, to_events: &mut ToEvents, senders: &[UnboundedTx<Event>]) {
    for event in events(message, to_events) {
        for sender in senders {
            let sent = sender.send(event.clone());
            assert!(sent.is_ok(), "strategies outlive the venue");
        }
    }
}

fn events(message: WsMessage, to_events: &mut ToEvents) -> impl Iterator<Item = Event> {
    let parsed = WebSocketSerdeParser::parse(Ok(message)).expect("a message of text");
    let book: BinanceOrderBookL1 = parsed.expect("a bookTicker message");
    to_events.transform(book).into_iter().map(|event| event.expect("a symbol of the recording"))
}

/// Polls all strategies until there is nothing more to come; gives back when each saw each frame,
/// ns.
fn strategies(
    mut receivers: Vec<UnboundedRx<Event>>,
    mut seen_ns: Vec<Vec<u64>>,
    clock: &Clock,
    is_over: &AtomicBool,
) -> Vec<Vec<u64>> {
    let mut counts = [0; CONSUMERS];
    loop {
        // Asked before the pass, so that the last pass finds whatever was sent.
        let is_last = is_over.load(Ordering::Acquire);
        let mut work = 0;
        for (consumer, receiver) in receivers.iter_mut().enumerate() {
            // Its own iterator would wait in this channel and leave the others alone.
            while let Ok(event) = receiver.rx.try_recv() {
                work += 1;
                black_box((event.instrument, event.kind.best_bid, event.kind.best_ask));
                let ns = arrived_ns(clock);
                // A channel keeps the order, so the count is the frame's number.
                seen_ns[consumer][counts[consumer]] = ns;
                counts[consumer] += 1;
            }
        }
        if is_last {
            return seen_ns;
        }
        if work == 0 {
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use barter_data::books::Level;

    use super::*;

    const FRAME: &[u8] = br#"{"stream":"swrvbusd@bookTicker","data":{"u":64830107,"s":"SWRVBUSD","b":"2.27200000","B":"218.40800000","a":"2.27700000","A":"1.19200000"}}"#;

    #[test]
    fn a_message_is_what_stands_in_the_envelope() {
        let text = without_envelope(FRAME).into_text().expect("a message of text");
        assert!(text.starts_with(r#"{"u":64830107,"#) && text.ends_with(r#""A":"1.19200000"}"#));
    }

    #[test]
    fn a_message_becomes_one_event_with_its_instrument_and_prices() {
        let mut to_events = transformer(&["BTCUSDT".to_owned(), "SWRVBUSD".to_owned()]);
        let events: Vec<Event> = events(without_envelope(FRAME), &mut to_events).collect();
        let [event] = events.as_slice() else { panic!("one event, not {}", events.len()) };
        assert_eq!(event.instrument, InstrumentIndex(1));
        let level =
            |level: Option<Level>| level.map(|of| (of.price.to_string(), of.amount.to_string()));
        let of = |price: &str, amount: &str| Some((price.to_owned(), amount.to_owned()));
        assert_eq!(level(event.kind.best_bid), of("2.27200000", "218.40800000"));
        assert_eq!(level(event.kind.best_ask), of("2.27700000", "1.19200000"));
    }
}
