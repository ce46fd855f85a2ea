//! The same exchange in both dialects, read by both decoders.

use std::sync::Arc;

use super::*;
use crate::event::Quote;
use crate::venue::SymbolMap;
use crate::venue::binance::MarketDecoder;
use crate::venue::binance_sbe::SbeDecoder;
use crate::venue::protocol::{MarketMessage, MarketSink};

const FRAME_BYTES_MAX: usize = 1 << 20;

/// Messages, in words. Quotes have no time in JSON: they are told without it.
#[derive(Default)]
struct Told(Vec<String>);

impl MarketSink for Told {
    fn take(&mut self, message: MarketMessage<'_>) {
        self.0.push(words(message));
    }
}

fn words(message: MarketMessage<'_>) -> String {
    match message {
        MarketMessage::Quote { symbol, update_id, quote, .. } => {
            format!("{:?}", MarketMessage::Quote { symbol, update_id, venue_time_ns: 0, quote })
        }
        other => format!("{other:?}"),
    }
}

fn symbols() -> SymbolMap {
    SymbolMap::of_test(&["BTCUSDT"])
}

fn read_binary(decoder: &mut SbeDecoder, frame: &[u8]) -> Vec<String> {
    let mut told = Told::default();
    decoder.decode(frame, &mut told).unwrap();
    told.0
}

#[test]
fn both_dialects_tell_the_same_of_one_exchange() {
    let options = SimulatedVenueOptions { events_per_s: 2_000, ..SimulatedVenueOptions::default() };
    let mut now = Moment { ns: 1, epoch_ms: 1_700_000_000_000 };
    let mut exchange = Exchange::new(&options, now);
    let (mut json, mut sbe) = (BinanceSpot::new(&options), BinanceSbe::new(&options));
    let mut of_text = MarketDecoder::new(symbols(), FRAME_BYTES_MAX);
    let mut of_binary = SbeDecoder::new(symbols(), FRAME_BYTES_MAX);
    let mut events = Vec::new();
    let (mut same, mut shallow) = ([0; 3], 0);
    for _ in 0..40 {
        now = now.later_ms(50);
        exchange.tick(now);
        exchange.drain_events(&mut events);
        for event in events.drain(..) {
            let Some(frame) = sbe.market_frame(&event, &exchange, now) else { continue };
            let told = read_binary(&mut of_binary, frame.data);
            if matches!(event, Event::Depth { is_slow: true, .. }) {
                assert!(told[0].starts_with("Book"), "{told:?}");
                shallow += 1;
                continue;
            }
            let kind = frame.kind;
            let text = json.market_frame(&event, &exchange, now).unwrap();
            let expected = words(of_text.decode(text.data).unwrap());
            assert_eq!(told, [expected], "{kind:?}");
            let place = [FrameKind::Trade, FrameKind::BookTicker, FrameKind::Depth];
            same[place.iter().position(|of| *of == kind).unwrap()] += 1;
        }
    }
    assert!(same.iter().all(|count| *count > 10) && shallow > 0, "{same:?}, {shallow}");
}

#[test]
fn the_best_levels_are_those_of_the_exchange() {
    let options = SimulatedVenueOptions::default();
    let now = Moment { ns: 1, epoch_ms: 1_700_000_000_000 };
    let exchange = Exchange::new(&options, now);
    let mut sbe = BinanceSbe::new(&options);
    let event =
        Event::Depth { market: 0, is_slow: true, ids: (1, 1), bids: Vec::new(), asks: Vec::new() };
    let frame = sbe.market_frame(&event, &exchange, now).unwrap();
    let told = read_binary(&mut SbeDecoder::new(symbols(), FRAME_BYTES_MAX), frame.data);
    let best = exchange.markets()[0].book.levels(Side::Buy).next().unwrap();
    let first = format!("bids: [Level {{ price: {}, qty: {} }}", best.0, best.1);
    assert!(told[0].contains(&first), "{first} in {told:?}");
    assert_eq!(told[0].matches("Level {").count(), 2 * SHALLOW_LEVELS);
}

#[test]
fn a_session_shows_its_key_and_gets_binary_frames_without_a_wrapping() {
    let options = SimulatedVenueOptions::default();
    let now = Moment { ns: 1, epoch_ms: 1_700_000_000_000 };
    let mut limits = Limits::new(options.limits, Arc::default());
    let mut sbe = BinanceSbe::new(&options);
    let mut open = |headers: &[(&str, &str)]| {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let request = HttpRequest {
            method: "GET".to_owned(),
            path: "/stream".to_owned(),
            query: String::new(),
            headers: headers.iter().map(own).collect(),
            body: String::new(),
            websocket_key: Some("k".to_owned()),
            keep_alive: true,
        };
        sbe.open(&request, &mut limits, now)
    };
    assert_eq!(open(&[]).err().unwrap().status, 401);
    assert_eq!(open(&[("x-mbx-apikey", "another")]).err().unwrap().status, 401);
    let opening = open(&[("x-mbx-apikey", &options.api_key)]).ok().unwrap();
    assert!(opening.envelope.is_none() && opening.binary.is_some());
    assert!(sbe.resolve("btcusdt@depth").is_some() && sbe.resolve("btcusdt@").is_none());
}

#[test]
fn faults_spoil_what_they_name() {
    let symbol = SbeSymbol { name: "BTCUSDT", price_scale: 2, qty_scale: 5 };
    let mut writer = SbeWriter::default();
    let mut decoder = SbeDecoder::new(symbols(), FRAME_BYTES_MAX);
    writer.diff(symbol, 9, (5, 7), [&[(150, 2), (140, 0)], &[(160, 3)]]);
    let told = read_binary(&mut decoder, &(spoiled::SPOILED.without_levels)(writer.bytes()));
    assert!(told[0].contains("bids: [], asks: []") && told[0].contains("final_update_id: 7"));
    let error = decoder.decode(spoiled::SPOILED.unknown, &mut Told::default()).unwrap_err();
    assert_eq!(error.detail, "template not known");
    writer.best(symbol, (9, 7), ((150, 2), (160, 3)));
    for number in 0..10 {
        let frame = (spoiled::SPOILED.absurd)(writer.bytes(), number);
        let mut told = Told::default();
        let outcome = decoder.decode(&frame, &mut told);
        let of_quote = Quote { bid_price: 150, bid_qty: 2, ask_price: 160, ask_qty: 3 };
        let same = MarketMessage::Quote {
            symbol: symbols().lookup(b"BTCUSDT").unwrap(),
            update_id: 7,
            venue_time_ns: 9_000,
            quote: of_quote,
        };
        assert_ne!(frame, writer.bytes());
        assert!(outcome.is_err() || number % 2 == 0 || told.0 != [words(same)], "{number}");
    }
}
