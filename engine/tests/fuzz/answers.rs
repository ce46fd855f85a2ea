//! Answers over REST to what is asked beside orders: time, instruments, limits, books, and what an
//! account may do. None makes a reader panic, and white space between its words changes nothing.

use std::fmt::{self, Write};

use pitlane_engine::event::InstrumentId;
use pitlane_engine::venue::binance::{BinanceOrders, SpotMarket};
use pitlane_engine::venue::binance_futures::{FuturesMarket, FuturesOrders};
use pitlane_engine::venue::bybit::{BybitMarket, BybitOrders};
use pitlane_engine::venue::coinbase::{CoinbaseMarket, CoinbaseOrders};
use pitlane_engine::venue::governor::ToldLimits;
use pitlane_engine::venue::kraken::{KrakenMarket, KrakenOrders};
use pitlane_engine::venue::okx::{OkxMarket, OkxOrders};
use pitlane_engine::venue::protocol::{AccountWords, MarketProtocol, OrderProtocol};
use pitlane_engine::venue::{Scales, SymbolMap};

use crate::market::spaced;
use crate::run::{Checked, fuzz};
use crate::{corpus, mutate};

/// Inputs of a target in the suite.
const USUAL: u64 = 5_000;
const SCALES: Scales = Scales { price: 8, qty: 8 };

/// What a venue's readers make of an answer.
#[derive(Default, PartialEq, Eq)]
struct Told {
    words: String,
    /// Readers that found in it what they look for.
    taken: usize,
}

impl Told {
    fn add(&mut self, is_taken: bool, words: fmt::Arguments<'_>) {
        self.words.write_fmt(words).unwrap();
        self.taken += usize::from(is_taken);
    }
}

fn read<M: MarketProtocol, O: OrderProtocol>(symbols: &SymbolMap, body: &[u8]) -> Told {
    let mut told = Told::default();
    if let Some(time) = M::TIME {
        let at_ns = (time.read)(body);
        told.add(at_ns.is_some(), format_args!("time {at_ns:?}\n"));
    }
    if let Some(instruments) = M::INSTRUMENTS {
        let outcome = (instruments.read)(body, symbols, &mut |word| {
            told.add(word.data.is_ok(), format_args!("{word:?}\n"));
        });
        let outcome = outcome.map_err(|error| error.reason);
        told.add(false, format_args!("instruments {outcome:?}\n"));
    }
    if let Some(rest) = M::SNAPSHOT.rest() {
        let book = (rest.read)(InstrumentId(0), body, SCALES).map_err(|error| error.reason);
        told.add(book.is_ok(), format_args!("book {book:?}\n"));
    }
    let mut limits = ToldLimits::default();
    let outcome = M::read_limits(body, &mut limits).map_err(|error| error.reason);
    told.add(false, format_args!("limits {outcome:?} {limits:?}\n"));
    let refusal = M::read_refusal(body);
    told.add(refusal.is_some(), format_args!("refusal {refusal:?}\n"));
    if let Ok(answer) = serde_json::from_slice(body) {
        for place in 0..O::ACCOUNT_QUESTIONS.len() {
            let mut words = AccountWords::default();
            let outcome = O::read_account_answer(place, &answer, &mut words);
            told.add(outcome.is_ok(), format_args!("account {outcome:?} {words:?}\n"));
        }
    }
    told
}

fn target<M: MarketProtocol, O: OrderProtocol>(name: &str, venue: &str) {
    let bodies = corpus::answers(venue);
    let symbols = corpus::symbols(&bodies);
    // Spot and futures of a venue share what is asked of it, so not each answer is of both.
    let taken = bodies.iter().filter(|body| read::<M, O>(&symbols, body).taken > 0).count();
    assert!(taken * 2 > bodies.len(), "{taken} of {} are read at all", bodies.len());
    let check = |body: &[u8]| -> Checked {
        let ours = read::<M, O>(&symbols, body);
        match spaced(body).map(|spaced| read::<M, O>(&symbols, &spaced)) {
            Some(others) if others != ours => {
                Err(format!("read as {}, and with white space as {}", ours.words, others.words))
            }
            _ => Ok(()),
        }
    };
    fuzz(name, USUAL, |random, out| mutate::text(random, &bodies, out), check);
}

#[test]
fn binance_answers() {
    target::<SpotMarket, BinanceOrders>("binance answers", "binance");
}

#[test]
fn binance_futures_answers() {
    target::<FuturesMarket, FuturesOrders>("binance futures answers", "binance");
}

#[test]
fn bybit_answers() {
    target::<BybitMarket, BybitOrders>("bybit answers", "bybit");
}

#[test]
fn coinbase_answers() {
    target::<CoinbaseMarket, CoinbaseOrders>("coinbase answers", "coinbase");
}

#[test]
fn kraken_answers() {
    target::<KrakenMarket, KrakenOrders>("kraken answers", "kraken");
}

#[test]
fn okx_answers() {
    target::<OkxMarket, OkxOrders>("okx answers", "okx");
}
