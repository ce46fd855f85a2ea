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
            r#"{"e":"ORDER_TRADE_UPDATE","E":1568879465651,"T":1568879465650,"o":{"s":"BTCUSDT","c":"p1-0-7","S":"SELL","o":"LIMIT","f":"GTC","q":"0.002","p":"7100.50","ap":"7100.50","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":8886774,"l":"0.001","z":"0.001","L":"7100.50","N":"USDT","n":"0.01","T":1568879465650,"t":12345678,"m":true,"R":false,"ps":"BOTH","er":"0"}}"#,
            r#"{"e":"ACCOUNT_UPDATE","E":9,"T":8,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"122.5","cw":"100.1","bc":"5"}],"P":[{"s":"BTCUSDT","pa":"-10","ep":"6563.8","ps":"BOTH"}]}}"#,
            r#"{"avgPrice":"0","clientOrderId":"p1-0-7","cumQuote":"14.2","executedQty":"0.002","orderId":1917641,"origQty":"0.40","price":"7100.00","reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"PARTIALLY_FILLED","symbol":"BTCUSDT","time":9,"timeInForce":"GTC","type":"LIMIT","updateTime":9}"#,
            r#"[{"symbol":"BTCUSDT","id":698759,"orderId":25851813,"side":"SELL","price":"7819.01","qty":"0.002","commission":"-0.07819010","commissionAsset":"USDT","time":1569514978020,"maker":false}]"#,
            r#"{"listenKey":"pqia91ma19a5s61cv6a81va65sdf19v8a65a1"}"#,
        ],
    ),
    (
        "bybit",
        &[
            r#"{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":9,"data":{"s":"BTCUSDT","b":[["1.50","1"]],"a":[["1.60","2"]],"u":7}}"#,
            r#"{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":9,"data":{"s":"BTCUSDT","b":[["1.50","0"]],"a":[["1.60","2"]],"u":8}}"#,
            r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":9,"data":[{"T":8,"s":"BTCUSDT","S":"Buy","v":"2","p":"1.5","i":"2290000000061666327","BT":false,"seq":7}]}"#,
            r#"{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","lastPrice":"1.5","markPrice":"1.55","indexPrice":"1.54","nextFundingTime":"1786320000000","fundingRate":"-0.0001","bid1Price":"1.5"},"cs":7,"ts":9}"#,
            r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","markPrice":"1.56","openInterest":"7"},"cs":8,"ts":10}"#,
            r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","fundingRate":"","nextFundingTime":""},"cs":9,"ts":11}"#,
            r#"{"reqId":"7","retCode":0,"retMsg":"OK","op":"order.create","data":{"orderId":"1523347543495541248","orderLinkId":"p1x0x7"},"header":{"X-Bapi-Limit":"20","X-Bapi-Limit-Status":"19"},"connId":"c"}"#,
        ],
    ),
    (
        "coinbase",
        &[
            r#"{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"21921.73","new_quantity":"0.06317902"},{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"21921.8","new_quantity":"0.02"}]}]}"#,
            r#"{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":1,"events":[{"type":"update","trades":[{"trade_id":"7","product_id":"BTC-USD","price":"1.5","size":"2","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#,
            r#"{"channel":"user","client_id":"","timestamp":"2026-04-07T14:30:06.000001Z","sequence_num":2,"events":[{"type":"update","orders":[{"order_id":"11111111-0000-4000-8000-000000000001","client_order_id":"00000001-0000-4700-8000-000000000007","product_id":"BTC-USD","product_type":"SPOT","order_side":"BUY","order_type":"Limit","status":"OPEN","limit_price":"30000.00","avg_price":"29999.5","cumulative_quantity":"0.004","leaves_quantity":"0.006","total_fees":"0.12","number_of_fills":"1","time_in_force":"GOOD_UNTIL_CANCELLED","post_only":"false","cancel_reason":"","reject_reason":""}],"positions":{}}]}"#,
            r#"{"success":true,"success_response":{"order_id":"11111111-0000-4000-8000-000000000001","product_id":"BTC-USD","side":"BUY","client_order_id":"00000001-0000-4700-8000-000000000007"}}"#,
            r#"{"success":false,"error_response":{"error":"INSUFFICIENT_FUND","message":"","error_details":"","new_order_failure_reason":"UNKNOWN_FAILURE_REASON"}}"#,
            r#"{"results":[{"success":false,"failure_reason":"UNKNOWN_CANCEL_ORDER","order_id":"11111111-0000-4000-8000-000000000001"}]}"#,
            r#"{"orders":[{"order_id":"11111111-0000-4000-8000-000000000001","client_order_id":"00000001-0000-4700-8000-000000000007","product_id":"BTC-USD","side":"BUY","status":"OPEN","order_configuration":{"limit_limit_gtc":{"base_size":"0.01","limit_price":"30000.00","post_only":false}},"filled_size":"0.004","average_filled_price":"29999.5","filled_value":"119.998"}],"has_next":true,"cursor":"789100"}"#,
            r#"{"fills":[{"trade_id":"9","order_id":"11111111-0000-4000-8000-000000000001","trade_time":"2026-04-07T14:30:06Z","price":"30000.00","size":"0.004","commission":"0.12","product_id":"BTC-USD","sequence_timestamp":"2026-04-07T14:30:06Z","liquidity_indicator":"MAKER","side":"BUY"}],"cursor":""}"#,
            r#"{"accounts":[{"uuid":"u","currency":"BTC","available_balance":{"value":"1.5","currency":"BTC"},"hold":{"value":"0.5","currency":"BTC"}}],"has_next":false,"cursor":""}"#,
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

/// Answers over REST to what is asked beside orders, by venue.
const ANSWERS: &[(&str, &[&str])] = &[
    (
        "binance",
        &[
            r#"{"serverTime":1767225600123}"#,
            r#"{"lastUpdateId":160,"bids":[["100.10","1.5"],["100.00","2"]],"asks":[["100.20","0.00001"]]}"#,
            r#"{"lastUpdateId":160,"E":1767225600123,"T":1767225600120,"bids":[["100.10","1.5"]],"asks":[["100.20","0.001"]]}"#,
            r#"{"timezone":"UTC","rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100}],"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000","tickSize":"0.01"},{"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000","stepSize":"0.00001"},{"filterType":"NOTIONAL","minNotional":"5.0"},{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"1.2","bidMultiplierDown":"0.2","askMultiplierUp":"5","askMultiplierDown":"0.8","avgPriceMins":5}]}]}"#,
            r#"{"code":-1003,"msg":"Too much weight; IP banned until 1659146400000."}"#,
            r#"{"id":1,"status":200,"result":{"commissionRates":{"maker":"0.001","taker":"0.0015"},"canTrade":true,"accountType":"SPOT","permissions":["SPOT"]}}"#,
            r#"{"ipRestrict":false,"enableReading":true,"enableWithdrawals":false,"enableSpotAndMarginTrading":true,"enableFutures":true}"#,
            r#"{"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":true,"dualSidePosition":false,"multiAssetsMargin":false}"#,
            r#"{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0004"}"#,
            r#"[{"symbol":"BTCUSDT","marginType":"CROSSED","leverage":21}]"#,
        ],
    ),
    (
        "bybit",
        &[
            r#"{"retCode":0,"retMsg":"OK","result":{"timeSecond":"1688639403"},"time":1688639403423}"#,
            r#"{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[{"symbol":"BTCUSDT","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","lotSizeFilter":{"qtyStep":"0.001","minOrderQty":"0.001","minNotionalValue":"5"},"priceFilter":{"tickSize":"0.10"}}]},"time":1}"#,
            r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbol":"BTCUSDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001","minOrderQty":"0.000048","minOrderAmt":"1"},"priceFilter":{"tickSize":"0.01"}}]},"time":1}"#,
            r#"{"retCode":0,"retMsg":"","result":{"readOnly":0,"permissions":{"Spot":["SpotTrade"],"Wallet":[]},"ips":["*"]}}"#,
            r#"{"retCode":0,"result":{"marginMode":"REGULAR_MARGIN","unifiedMarginStatus":4}}"#,
            r#"{"retCode":0,"result":{"list":[{"symbol":"BTCUSDT","takerFeeRate":"0.001","makerFeeRate":"0.0008"}]}}"#,
        ],
    ),
    (
        "coinbase",
        &[
            r#"{"iso":"2026-08-09T21:05:48Z","epochSeconds":"1786309548","epochMillis":"1786309548228"}"#,
            r#"{"products":[{"product_id":"BTC-USD","status":"online","price_increment":"0.01","base_increment":"0.00000001","base_min_size":"0.00000001","quote_min_size":"1","trading_disabled":false,"view_only":false,"cancel_only":false}],"num_products":1}"#,
            r#"{"can_view":true,"can_trade":true,"can_transfer":false,"portfolio_uuid":"u","portfolio_type":"DEFAULT"}"#,
            r#"{"fee_tier":{"maker_fee_rate":"0.006","taker_fee_rate":"0.012"}}"#,
        ],
    ),
    (
        "kraken",
        &[
            r#"{"error":[],"result":{"unixtime":1688669448,"rfc1123":"Thu, 06 Jul 23 18:50:48 +0000"}}"#,
            r#"{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","status":"online","lot_decimals":8,"tick_size":"0.1","ordermin":"0.00005","costmin":"0.5"}}}"#,
            r#"{"error":[],"result":{"permissions":["query-funds","query-open-trades","query-closed-trades","modify-trades","close-trades"]}}"#,
            r#"{"error":[],"result":{"currency":"ZUSD","volume":"1","fees":{"XXBTZUSD":{"fee":"0.4000"}},"fees_maker":{"XXBTZUSD":{"fee":"0.2500"}}}}"#,
        ],
    ),
    (
        "okx",
        &[
            r#"{"code":"0","data":[{"ts":"1597026383085"}],"msg":""}"#,
            r#"{"code":"0","msg":"","data":[{"instId":"BTC-USDT","state":"live","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001","baseCcy":"BTC","quoteCcy":"USDT"}]}"#,
            r#"{"code":"0","msg":"","data":[{"acctLv":"1","posMode":"net_mode","perm":"read_only,trade","ip":""}]}"#,
            r#"{"code":"0","msg":"","data":[{"maker":"-0.0008","taker":"-0.001"}]}"#,
        ],
    ),
];

/// What a venue answers over REST beside orders.
pub fn answers(venue: &str) -> Vec<Vec<u8>> {
    let kept = ANSWERS.iter().filter(|(name, _)| *name == venue).flat_map(|(_, answers)| *answers);
    let answers: Vec<_> = kept.map(|answer| answer.as_bytes().to_vec()).collect();
    assert!(!answers.is_empty(), "no answers of {venue}");
    answers
}

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
