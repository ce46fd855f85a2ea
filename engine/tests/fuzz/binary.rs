//! Binary market data: what is recorded in JSON says the same in binary, and no changed frame makes
//! the decoder panic or is read in two ways.

use pitlane_engine::venue::binance::MarketDecoder;
use pitlane_engine::venue::binance_sbe::{SbeMarket, SbeWriter};
use pitlane_engine::venue::protocol::{MarketMessage, MarketProtocol, MarketSink};
use pitlane_engine::venue::{Symbol, SymbolMap};

use crate::market::{FRAME_BYTES_MAX, Words};
use crate::run::{Checked, fuzz};
use crate::{corpus, mutate};

/// Inputs in the suite.
const USUAL: u64 = 40_000;

fn name_of(symbols: &SymbolMap, symbol: Symbol) -> String {
    symbols.native(symbol.instrument).unwrap().to_owned()
}

fn symbol_of(message: &MarketMessage<'_>) -> Option<Symbol> {
    match message {
        MarketMessage::Quote { symbol, .. }
        | MarketMessage::Trade { symbol, .. }
        | MarketMessage::Depth { symbol, .. } => Some(*symbol),
        _ => None,
    }
}

/// The binary frames that say what the recorded ones do, each with what that is.
fn twins(symbols: &SymbolMap) -> Vec<(Vec<u8>, String)> {
    let mut decoder = MarketDecoder::new(symbols.clone(), FRAME_BYTES_MAX);
    let mut writer = SbeWriter::default();
    let mut twins = Vec::new();
    for frame in corpus::frames("binance") {
        let Ok(message) = decoder.decode(&frame) else { continue };
        let Some(symbol) = symbol_of(&message) else { continue };
        if writer.message(&message, &name_of(symbols, symbol)) {
            twins.push((writer.bytes().to_vec(), format!("{message:?}")));
        }
    }
    twins
}

#[test]
fn recorded_frames_say_the_same_in_binary() {
    let symbols = corpus::symbols(&corpus::frames("binance"));
    let mut protocol = SbeMarket::new(symbols.clone(), FRAME_BYTES_MAX);
    let twins = twins(&symbols);
    assert!(twins.len() >= 4);
    for (frame, said) in twins {
        let mut words = Words::default();
        protocol.decode(&frame, &mut words).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert_eq!(words.0, [said]);
    }
}

/// Writes again what was read.
struct Again<'s> {
    symbols: &'s SymbolMap,
    words: Vec<String>,
    frames: Vec<Vec<u8>>,
}

impl MarketSink for Again<'_> {
    fn take(&mut self, message: MarketMessage<'_>) {
        let Some(symbol) = symbol_of(&message) else { return };
        let mut writer = SbeWriter::default();
        writer.message(&message, &name_of(self.symbols, symbol));
        self.words.push(format!("{message:?}"));
        self.frames.push(writer.bytes().to_vec());
    }
}

/// What can be read, says the same when it is written and read again.
#[test]
fn binance_binary() {
    let symbols = corpus::symbols(&corpus::frames("binance"));
    let frames: Vec<Vec<u8>> = twins(&symbols).into_iter().map(|(frame, _)| frame).collect();
    let mut protocol = SbeMarket::new(symbols.clone(), FRAME_BYTES_MAX);
    let mut second = SbeMarket::new(symbols.clone(), FRAME_BYTES_MAX);
    let check = |frame: &[u8]| -> Checked {
        let mut again = Again { symbols: &symbols, words: Vec::new(), frames: Vec::new() };
        let outcome = protocol.decode_whole(frame, &mut again);
        if outcome.is_err() && !again.words.is_empty() {
            return Err("refused, but told something".to_owned());
        }
        for (said, frame) in again.words.iter().zip(&again.frames) {
            let mut words = Words::default();
            second.decode_whole(frame, &mut words).map_err(|error| format!("{error}: {said}"))?;
            if words.0 != [said.clone()] {
                return Err(format!("read as {said}, and again as {:?}", words.0));
            }
        }
        Ok(())
    };
    fuzz("binance binary", USUAL, |random, out| mutate::binary(random, &frames, out), check);
}
