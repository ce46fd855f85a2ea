//! The pipeline race with a third side: frames decoded and normalised by `barter-data`, in its own
//! types, and handed on as in the ordinary pipeline, since the crate itself ends at a stream of
//! events. See `../BENCHMARKS.md`.

use std::collections::HashMap;
use std::process::ExitCode;

use barter_data::event::{MarketEvent, MarketIter};
use barter_data::exchange::binance::book::l1::BinanceOrderBookL1;
use barter_data::subscription::book::OrderBookL1;
use barter_data::Identifier;
use barter_instrument::exchange::ExchangeId;
use barter_integration::subscription::SubscriptionId;
use pitlane_benches::wire::{Decode, main_with_peer};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

/// The combined form of a frame, of which the crate reads the inner part.
#[derive(Deserialize)]
struct Combined {
    data: BinanceOrderBookL1,
}

struct Barter {
    instruments: HashMap<SubscriptionId, usize>,
}

impl Decode for Barter {
    type Event = MarketEvent<usize, OrderBookL1>;

    fn new(natives: &[String]) -> Barter {
        let id = |native: &String| SubscriptionId::from(format!("@bookTicker|{native}"));
        Barter { instruments: natives.iter().map(id).zip(0..).collect() }
    }

    fn decode(&mut self, frame: &[u8]) -> Self::Event {
        let book = serde_json::from_slice::<Combined>(frame).expect("a bookTicker frame").data;
        let id = book.id().expect("every ticker has a symbol");
        let instrument = self.instruments[&id];
        let events = MarketIter::from((ExchangeId::BinanceSpot, instrument, book)).0;
        let event = events.into_iter().next().expect("one event a frame");
        event.expect("the crate takes every frame")
    }

    fn read(event: &Self::Event) -> (usize, i64) {
        let bid = event.kind.best_bid.map_or(Decimal::ZERO, |level| level.price);
        let price_e8 = bid * Decimal::from(100_000_000);
        (event.instrument, price_e8.to_i64().expect("a price of eight places"))
    }
}

fn main() -> ExitCode {
    main_with_peer::<Barter>("barter-data + crossbeam + Arc")
}
