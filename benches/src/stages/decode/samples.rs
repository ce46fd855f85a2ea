//! The frames: recorded ones where `PITLANE_RECORDINGS` names a folder of recordings, otherwise
//! made here.

use std::path::Path;
use std::sync::Arc;

use pitlane_engine::event::InstrumentId;
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::venue::SymbolMap;
use pitlane_engine::venue::binance::MarketDecoder;
use pitlane_engine::venue::binance_sbe::SbeWriter;
use pitlane_engine::venue::protocol::MarketMessage;

/// Frames of a kind, at most.
const FRAMES_MAX: usize = 512;
/// Levels of both sides of the diffs that are taken: about 20 and 20.
const LEVELS: std::ops::RangeInclusive<usize> = 36..=44;

/// What a frame of market data is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Quote,
    Trade,
    Depth,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Quote => "bookTicker",
            Kind::Trade => "trade",
            Kind::Depth => "depth of 20 and 20 levels",
        }
    }
}

/// All frames, and the symbols in them.
pub(crate) struct Samples {
    pub(crate) source: &'static str,
    pub(crate) natives: Vec<String>,
    pub(crate) symbols: SymbolMap,
    lines: Vec<Vec<u8>>,
    reports: Vec<Vec<u8>>,
}

impl Samples {
    /// Recorded frames, or made ones.
    pub(crate) fn load() -> Samples {
        let folder = std::env::var_os("PITLANE_RECORDINGS");
        let (source, lines, reports) = match &folder {
            Some(folder) => {
                let folder = Path::new(folder).join("binance");
                let session = "spot_btcusdt_20240808";
                let parts =
                    (1..=6).map(|part| folder.join(format!("{session}/part{part:02}.jsonl")));
                let lines = parts.flat_map(|path| lines_of(&path)).collect();
                let reports = ["Limit", "Market"].map(|name| {
                    format!("user_data_qc/WebSocketGlobalSpot{name}SubmittedFilled.jsonl")
                });
                let reports = reports.iter().flat_map(|path| lines_of(&folder.join(path)));
                ("recorded", lines, reports.collect())
            }
            None => {
                let source = "generated (PITLANE_RECORDINGS is not set)";
                (source, generated(), vec![REPORT.as_bytes().to_vec()])
            }
        };
        let natives = vec!["BTCUSDT".to_owned(), "ACHUSDT".to_owned()];
        let symbols = symbols(&natives);
        Samples { source, natives, symbols, lines, reports }
    }

    /// Frames of a kind, in JSON.
    pub(crate) fn texts(&self, kind: Kind) -> Vec<Vec<u8>> {
        let mut decoder = MarketDecoder::new(self.symbols.clone(), 1 << 20);
        let is_of = |frame: &&Vec<u8>| match (decoder.decode(frame), kind) {
            (Ok(MarketMessage::Quote { .. }), Kind::Quote) => true,
            // Only those that binary frames have, too.
            (Ok(MarketMessage::Trade { .. }), Kind::Trade) => {
                frame.windows(7).any(|bytes| bytes == b"\"trade\"")
            }
            (Ok(MarketMessage::Depth { diff, .. }), Kind::Depth) => {
                LEVELS.contains(&(diff.bids.len() + diff.asks.len()))
            }
            _ => false,
        };
        let frames: Vec<_> = self.lines.iter().filter(is_of).take(FRAMES_MAX).cloned().collect();
        assert!(!frames.is_empty(), "no frame: {}", kind.name());
        frames
    }

    /// The binary frames that say the same.
    pub(crate) fn binaries(&self, texts: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut decoder = MarketDecoder::new(self.symbols.clone(), 1 << 20);
        let mut writer = SbeWriter::default();
        let twin = |text: &Vec<u8>| {
            let message = decoder.decode(text).expect("it was decoded before");
            assert!(writer.message(&message, "BTCUSDT"), "there is a binary frame");
            writer.bytes().to_vec()
        };
        texts.iter().map(twin).collect()
    }

    /// Execution reports, in JSON.
    pub(crate) fn reports(&self) -> Vec<Vec<u8>> {
        self.reports.clone()
    }
}

fn lines_of(path: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

fn symbols(natives: &[String]) -> SymbolMap {
    let spec = |native: &String| InstrumentSpec {
        symbol: native.replace("USDT", "-USDT"),
        price_scale: 8,
        qty_scale: 8,
        tick: 1,
        step: 1,
    };
    let instruments = Instruments::new(natives.iter().map(spec).collect()).expect("good ones");
    let pairs: Vec<_> = natives.iter().cloned().zip((0..).map(InstrumentId)).collect();
    SymbolMap::new(&pairs, Arc::new(instruments)).expect("good symbols")
}

const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1499405658658,"s":"BTCUSDT","c":"p1x0x7","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"61737.63000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"FILLED","r":"NONE","i":4293153,"l":"1.00000000","z":"1.00000000","L":"61737.63000000","n":"0.00100000","N":"BTC","T":1499405658657,"t":17,"I":8641984,"w":false,"m":false,"M":false,"O":1499405658657,"Z":"61737.63000000","Y":"61737.63000000","Q":"0.00000000","W":1499405658657,"V":"NONE"}}"#;

fn generated() -> Vec<Vec<u8>> {
    let levels = |n: u64, sign: i64| {
        let level = |depth: i64| {
            let price = 6_173_763 + sign * depth * 7;
            format!("[\"{}.{:02}000000\",\"0.{:05}000\"]", price / 100, price % 100, n % 99_991)
        };
        (1..=20).map(level).collect::<Vec<_>>().join(",")
    };
    let frames = |n: u64| {
        let quote = format!(
            r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{},"s":"BTCUSDT","b":"61737.63000000","B":"0.{:05}000","a":"61737.64000000","A":"3.34988000"}}}}"#,
            50_093_274_440 + n,
            n + 1
        );
        let trade = format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1723161255208,"s":"BTCUSDT","t":{},"p":"61837.64000000","q":"0.{:05}000","T":1723161255207,"m":false,"M":true}}}}"#,
            3_731_432_432 + n,
            n + 1
        );
        let depth = format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":{n},"u":{},"b":[{}],"a":[{}]}}}}"#,
            n + 9,
            levels(n, -1),
            levels(n, 1)
        );
        [quote, trade, depth].map(String::into_bytes)
    };
    (1..=512).flat_map(frames).collect()
}
