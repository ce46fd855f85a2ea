//! Frames to begin with: a few of each venue that are always there, and all that is recorded.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pitlane_engine::event::InstrumentId;
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::venue::SymbolMap;
use serde_json::Value;

/// Lines that are taken of one file, and the longest one.
const LINES_MAX: usize = 2_000;
const LINE_BYTES_MAX: usize = 16 * 1024;
/// Symbols that are known, at most.
const SYMBOLS_MAX: usize = 200;

/// Frames that are always there, by venue.
const KEPT: &[(&str, &[&str])] = &[
    (
        "binance",
        &[
            r#"{"stream":"btcusdt@bookTicker","data":{"u":50093274440,"s":"BTCUSDT","b":"61828.25000000","B":"0.99959000","a":"61828.26000000","A":"3.34988000"}}"#,
            r#"{"e":"trade","E":1723161255208,"s":"BTCUSDT","t":3731432432,"p":"61837.64000000","q":"0.00073000","T":1723161255207,"m":false,"M":true}"#,
            r#"{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":12345,"p":"0.01","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}"#,
            r#"{"e":"depthUpdate","E":9,"s":"BTCUSDT","U":5,"u":7,"pu":4,"b":[["1.50","2"],["1.40","0"]],"a":[["1.60","3"]]}"#,
            r#"{"e":"kline","E":5,"s":"BTCUSDT","k":{"t":60000,"T":119999,"s":"BTCUSDT","i":"1m","o":"1.50","c":"1.60","h":"1.70","l":"1.40","v":"10","n":2,"x":true}}"#,
            r#"{"result":null,"id":1}"#,
            r#"{"e":"serverShutdown","E":1770123456789}"#,
            r#"{"id":"7","status":200,"result":{"symbol":"BTCUSDT","orderId":12569099453,"orderListId":-1,"clientOrderId":"p1x0x7","transactTime":1660801715639}}"#,
            r#"{"id":"7","status":400,"error":{"code":-2010,"msg":"Account has insufficient balance for requested action."}}"#,
            r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1499405658658,"s":"BTCUSDT","c":"p1x0x7","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"0.10264410","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4293153,"l":"0.50000000","z":"0.50000000","L":"0.10264410","n":"0.001","N":"BNB","T":1499405658657,"t":17,"I":8641984,"w":true,"m":false,"M":false,"O":1499405658657,"Z":"0.05132205","Y":"0.05132205","Q":"0.00000000","W":1499405658657,"V":"NONE"}}"#,
        ],
    ),
    (
        "bybit",
        &[
            r#"{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":9,"data":{"s":"BTCUSDT","b":[["1.50","1"]],"a":[["1.60","2"]],"u":7}}"#,
            r#"{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":9,"data":{"s":"BTCUSDT","b":[["1.50","0"]],"a":[["1.60","2"]],"u":8}}"#,
            r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":9,"data":[{"T":8,"s":"BTCUSDT","S":"Buy","v":"2","p":"1.5","i":"2290000000061666327","BT":false,"seq":7}]}"#,
            r#"{"reqId":"7","retCode":0,"retMsg":"OK","op":"order.create","data":{"orderId":"1523347543495541248","orderLinkId":"p1x0x7"},"header":{"X-Bapi-Limit":"20","X-Bapi-Limit-Status":"19"},"connId":"c"}"#,
        ],
    ),
    (
        "coinbase",
        &[
            r#"{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"21921.73","new_quantity":"0.06317902"},{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"21921.8","new_quantity":"0.02"}]}]}"#,
            r#"{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":1,"events":[{"type":"update","trades":[{"trade_id":"7","product_id":"BTC-USD","price":"1.5","size":"2","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#,
        ],
    ),
    (
        "kraken",
        &[
            r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":1.5,"qty":2}],"asks":[{"price":1.6,"qty":3}],"checksum":2439117997}]}"#,
            r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":1.5,"qty":2,"ord_type":"market","trade_id":7,"timestamp":"2023-09-25T07:49:37.708706Z"}]}"#,
            r#"{"method":"add_order","req_id":7,"result":{"order_id":"AA5JGQ-SBMRC-SCJ7J7","cl_ord_id":"00000001-0000-4700-8000-000000000007"},"success":true,"time_in":"2023-09-21T14:15:07.197274Z","time_out":"2023-09-21T14:15:07.205301Z"}"#,
        ],
    ),
    (
        "okx",
        &[
            r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["1.6","2","0","1"]],"bids":[["1.5","1","0","1"]],"ts":"9","seqId":7,"prevSeqId":-1}]}"#,
            r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"7","px":"1.5","sz":"2","side":"buy","ts":"9","count":"3"}]}"#,
            r#"{"id":"7","op":"order","data":[{"clOrdId":"p1x0x7","ordId":"12345689","tag":"","ts":"9","sCode":"0","sMsg":""}],"code":"0","msg":"","inTime":"1695190491421339","outTime":"1695190491423240"}"#,
        ],
    ),
];

/// All frames of a venue.
pub fn frames(venue: &str) -> Vec<Vec<u8>> {
    let kept = KEPT.iter().filter(|(name, _)| *name == venue).flat_map(|(_, frames)| *frames);
    let mut frames: Vec<Vec<u8>> = kept.map(|frame| frame.as_bytes().to_vec()).collect();
    assert!(!frames.is_empty(), "no frames of {venue}");
    if let Some(folder) = std::env::var_os("PITLANE_RECORDINGS").map(PathBuf::from) {
        for path in files(&folder.join(venue)) {
            read(&path, venue, &mut frames);
        }
        read(&folder.join("edge/edge_cases.jsonl"), venue, &mut frames);
    }
    frames
}

/// The files of a folder with a frame a line, whole trees.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    found.sort();
    let is_heard = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name.ends_with(".jsonl") || name.ends_with(".json")) && !name.ends_with("sent.jsonl")
    };
    let below = found.iter().flat_map(|path| match path.is_dir() {
        true => files(path),
        false => Vec::from_iter(is_heard(path).then(|| path.clone())),
    });
    below.collect()
}

/// Takes the frames of a file. A line may be a frame, or a note that has frames in it.
fn read(path: &Path, venue: &str, frames: &mut Vec<Vec<u8>>) {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines: Vec<&str> = text.lines().filter(|line| line.len() <= LINE_BYTES_MAX).collect();
    for line in lines.iter().step_by(lines.len() / LINES_MAX + 1) {
        let Ok(Value::Object(note)) = serde_json::from_str::<Value>(line) else {
            frames.push(line.as_bytes().to_vec());
            continue;
        };
        if note.get("venue").is_some_and(|of| of != venue) {
            continue;
        }
        let exchanges = note.get("frames").and_then(Value::as_array).into_iter().flatten();
        let noted = exchanges.filter_map(|one| one.get("json")).chain(
            (note.contains_key("doc") || note.contains_key("why"))
                .then(|| note.get("json").or(note.get("raw")))
                .flatten(),
        );
        let noted: Vec<Vec<u8>> = noted.map(|value| text_of(value).into_bytes()).collect();
        match noted.is_empty() {
            true => frames.push(line.as_bytes().to_vec()),
            false => frames.extend(noted),
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The symbols that the frames are about, with prices and quantities of eight places.
pub fn symbols(frames: &[Vec<u8>]) -> SymbolMap {
    let mut natives = BTreeSet::new();
    for frame in frames {
        if let Ok(value) = serde_json::from_slice(frame) {
            named(&value, &mut natives);
        }
    }
    // Those that are always there have their place.
    let first = ["BTCUSDT", "BTC-USD", "BTC/USD", "BTC-USDT"].map(str::to_owned);
    let others = natives.into_iter().filter(|name| !first.contains(name));
    let natives: Vec<String> = first.iter().cloned().chain(others).take(SYMBOLS_MAX).collect();
    let spec = |number: usize| InstrumentSpec {
        symbol: format!("S{number}-X"),
        price_scale: 8,
        qty_scale: 8,
        tick: 1,
        step: 1,
    };
    let instruments = Instruments::new((0..natives.len()).map(spec).collect()).unwrap();
    let pairs: Vec<_> = natives.into_iter().zip((0..).map(InstrumentId)).collect();
    SymbolMap::new(&pairs, Arc::new(instruments)).unwrap()
}

fn named(value: &Value, natives: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_symbol = ["s", "symbol", "instId", "product_id"].contains(&name.as_str());
                match value.as_str().filter(|text| (1..=32).contains(&text.len())) {
                    Some(text) if is_symbol => drop(natives.insert(text.to_owned())),
                    _ => named(value, natives),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| named(value, natives)),
        _ => {}
    }
}
