//! Order entry: neither a frame nor an answer over REST makes a decoder panic or go on for ever.

use pitlane_engine::venue::binance::BinanceOrders;
use pitlane_engine::venue::binance_futures::FuturesOrders;
use pitlane_engine::venue::bybit::BybitOrders;
use pitlane_engine::venue::coinbase::CoinbaseOrders;
use pitlane_engine::venue::kraken::KrakenOrders;
use pitlane_engine::venue::okx::OkxOrders;
use pitlane_engine::venue::protocol::{OrderDecoder, OrderProtocol};

use crate::market::{FRAME_BYTES_MAX, spaced};
use crate::run::{Checked, fuzz};
use crate::{corpus, mutate};

/// Inputs of a target in the suite.
const USUAL: u64 = 20_000;
/// Messages of one frame, at most.
const MESSAGES_MAX: usize = 100_000;
/// Answers over REST have these numbers and states.
const NUMBERS: u64 = 64;
const STATES: [u16; 6] = [200, 400, 409, 429, 500, 503];

/// What a decoder makes of a frame, in words.
fn read<D: OrderDecoder>(decoder: &mut D, frame: &[u8]) -> Result<Vec<String>, String> {
    let mut told = match decoder.decode(frame) {
        Ok(message) => vec![format!("{message:?}")],
        Err(unread) => vec![format!("{:?}", unread.error.reason)],
    };
    let mut count = 0;
    while let Some((message, _)) = decoder.next_of_frame() {
        told.push(match message {
            Ok(message) => format!("{message:?}"),
            Err(unread) => format!("{:?}", unread.error.reason),
        });
        count += 1;
        if count > MESSAGES_MAX {
            return Err("the messages of one frame do not end".to_owned());
        }
    }
    Ok(told)
}

fn target<P: OrderProtocol>(name: &str, venue: &str) {
    let frames = corpus::frames(venue);
    let symbols = corpus::symbols(&frames);
    let mut plain = P::Decoder::new(symbols.clone(), FRAME_BYTES_MAX);
    let mut other = P::Decoder::new(symbols.clone(), FRAME_BYTES_MAX);
    let mut of_rest = P::Decoder::new(symbols, FRAME_BYTES_MAX);
    let mut number = 0;
    let check = |frame: &[u8]| -> Checked {
        let ours = read(&mut plain, frame)?;
        let others = match spaced(frame) {
            Some(spaced) => read(&mut other, &spaced)?,
            None => read(&mut other, frame)?,
        };
        if ours != others {
            return Err(format!("read as {ours:?}, and with white space as {others:?}"));
        }
        number = (number + 1) % NUMBERS;
        for state in STATES {
            let _outcome = of_rest.decode_rest(number, state, frame);
        }
        let _limits = plain.limits();
        Ok(())
    };
    fuzz(name, USUAL, |random, out| mutate::text(random, &frames, out), check);
}

#[test]
fn binance_orders() {
    target::<BinanceOrders>("binance orders", "binance");
}

#[test]
fn binance_futures_orders() {
    target::<FuturesOrders>("binance futures orders", "binance");
}

#[test]
fn bybit_orders() {
    target::<BybitOrders>("bybit orders", "bybit");
}

#[test]
fn coinbase_orders() {
    target::<CoinbaseOrders>("coinbase orders", "coinbase");
}

#[test]
fn kraken_orders() {
    target::<KrakenOrders>("kraken orders", "kraken");
}

#[test]
fn okx_orders() {
    target::<OkxOrders>("okx orders", "okx");
}
