//! Texts of order entry for servers whose every byte is scripted, venue by venue.

use std::io;

use pitlane_engine::event::{ExecType, OrderStatus};

use crate::harness::wall_ms;
use crate::raw::{Peer, text};
use crate::subject::{BinanceFutures, BinanceSpot, Bybit, Coinbase, Kraken, Okx, Orders};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    ToPlace,
    HowItStands,
    SomethingElse,
}

/// What a venue hears and says of orders. Each is to buy 0.01 BTC at 30000 and has number 77.
pub trait Scripted {
    /// The status of a refusal over REST.
    const REFUSED: &'static str = "200 OK";

    /// Takes the requests with which a session begins, and grants them.
    fn log_on(peer: &mut Peer) -> io::Result<()>;

    /// What a request asks for.
    fn asks(request: &str) -> Asks;

    /// The reply that takes an order.
    fn acknowledged(request: &str) -> String;

    /// The reply that refuses a request.
    fn refused(request: &str, code: i32) -> String;

    /// The reply that tells how the order of this name stands, and how much of it is filled.
    fn stands(request: &str, name: &str, status: OrderStatus, filled: &str) -> String;

    /// A report on the order of this name, with its last and its whole filled quantity.
    fn report(
        name: &str,
        id: u64,
        exec: ExecType,
        status: OrderStatus,
        last_and_filled: (&str, &str),
    ) -> String;
}

impl Scripted for BinanceSpot {
    fn log_on(peer: &mut Peer) -> io::Result<()> {
        log_on(peer)
    }

    fn asks(request: &str) -> Asks {
        if request.contains("order.place") {
            Asks::ToPlace
        } else if request.contains("order.status") {
            Asks::HowItStands
        } else {
            Asks::SomethingElse
        }
    }

    fn acknowledged(request: &str) -> String {
        format!(r#"{{"id":{},"status":200,"result":{{}}}}"#, id_of(request))
    }

    fn refused(request: &str, code: i32) -> String {
        let error = format!(r#"{{"code":{code},"msg":"A test."}}"#);
        format!(r#"{{"id":{},"status":400,"error":{error}}}"#, id_of(request))
    }

    fn stands(request: &str, name: &str, status: OrderStatus, filled: &str) -> String {
        let names = format!(r#""symbol":"BTCUSDT","orderId":77,"clientOrderId":"{name}""#);
        let sums = format!(r#""price":"30000.00","origQty":"0.01000","executedQty":"{filled}""#);
        let state = format!(r#""status":"{}","side":"BUY""#, status_word(status));
        let result = format!("{{{names},{sums},{state}}}");
        format!(r#"{{"id":{},"status":200,"result":{result}}}"#, id_of(request))
    }

    fn report(
        name: &str,
        id: u64,
        exec: ExecType,
        status: OrderStatus,
        (last, filled): (&str, &str),
    ) -> String {
        let exec = match exec {
            ExecType::Trade => "TRADE",
            ExecType::Canceled => "CANCELED",
            _ => "NEW",
        };
        execution(name, id, exec, status_word(status), last, filled)
    }
}

fn status_word(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Canceled => "CANCELED",
        _ => "NEW",
    }
}

pub fn id_of(request: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(request).unwrap()["id"].as_u64().unwrap()
}

/// A scripted order connection: it answers the logon and the subscription.
pub fn log_on(peer: &mut Peer) -> io::Result<()> {
    peer.shake_hands()?;
    for _ in 0..2 {
        let id = id_of(&peer.read_text()?);
        peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{{}}}}"#)))?;
    }
    Ok(())
}

pub fn execution(
    name: &str,
    id: u64,
    exec: &str,
    status: &str,
    last: &str,
    filled: &str,
) -> String {
    let trade = if exec == "TRADE" { id as i64 } else { -1 };
    let now_ms = wall_ms();
    format!(
        r#"{{"subscriptionId":0,"event":{{"e":"executionReport","E":{now_ms},"s":"BTCUSDT","c":"{name}","S":"BUY","o":"LIMIT","f":"GTC","q":"0.01000","p":"30000.00","P":"0.00","F":"0.00","g":-1,"C":"","x":"{exec}","X":"{status}","r":"NONE","i":77,"l":"{last}","z":"{filled}","L":"30000.00","n":"0","N":null,"T":{now_ms},"t":{trade},"I":{id},"w":true,"m":false,"O":{now_ms},"Z":"0","Y":"0","Q":"0"}}}}"#
    )
}

impl Scripted for BinanceFutures {
    fn log_on(peer: &mut Peer) -> io::Result<()> {
        peer.shake_hands()?;
        for _ in 0..2 {
            let id = id_of(&peer.read_text()?);
            let result = r#"{"listenKey":"the-stream"}"#;
            peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{result}}}"#)))?;
        }
        Ok(())
    }

    fn asks(request: &str) -> Asks {
        if request.contains("order.place") {
            Asks::ToPlace
        } else if request.contains("/fapi/v1/order?") {
            Asks::HowItStands
        } else {
            Asks::SomethingElse
        }
    }

    fn acknowledged(request: &str) -> String {
        BinanceSpot::acknowledged(request)
    }

    fn refused(_request: &str, code: i32) -> String {
        format!(r#"{{"code":{code},"msg":"A test."}}"#)
    }

    fn stands(_request: &str, name: &str, status: OrderStatus, filled: &str) -> String {
        let names = format!(r#""symbol":"BTCUSDT","orderId":77,"clientOrderId":"{name}""#);
        let sums = format!(r#""price":"30000.00","origQty":"0.01000","executedQty":"{filled}""#);
        let state = format!(r#""status":"{}","side":"BUY""#, status_word(status));
        format!(r#"{{{names},{sums},{state},"positionSide":"BOTH"}}"#)
    }

    fn report(
        name: &str,
        id: u64,
        exec: ExecType,
        status: OrderStatus,
        (last, filled): (&str, &str),
    ) -> String {
        let (exec, trade) = match exec {
            ExecType::Trade => ("TRADE", id),
            ExecType::Canceled => ("CANCELED", 0),
            _ => ("NEW", 0),
        };
        let (status, now_ms) = (status_word(status), wall_ms());
        format!(
            r#"{{"e":"ORDER_TRADE_UPDATE","E":{now_ms},"T":{now_ms},"o":{{"s":"BTCUSDT","c":"{name}","S":"BUY","o":"LIMIT","f":"GTC","q":"0.01000","p":"30000.00","ap":"0","sp":"0","x":"{exec}","X":"{status}","i":77,"l":"{last}","z":"{filled}","L":"30000.00","T":{now_ms},"t":{trade},"m":false,"ps":"BOTH","er":"0"}}}}"#
        )
    }
}

impl Scripted for Okx {
    fn log_on(peer: &mut Peer) -> io::Result<()> {
        peer.shake_hands()?;
        let asked = peer.read_text()?;
        peer.reply(&asked, r#"{"code":"0","data":[{"instId":"BTCUSDT","instIdCode":1000}]}"#)?;
        peer.read_text()?;
        peer.send(&text(r#"{"event":"login","code":"0","msg":""}"#))?;
        for _ in 0..2 {
            let id = &json_of(&peer.read_text()?)["id"];
            peer.send(&text(&format!(r#"{{"event":"subscribe","id":{id}}}"#)))?;
        }
        Ok(())
    }

    fn asks(request: &str) -> Asks {
        if request.contains(r#""op":"order""#) {
            Asks::ToPlace
        } else if request.contains("/api/v5/trade/order?") {
            Asks::HowItStands
        } else {
            Asks::SomethingElse
        }
    }

    fn acknowledged(request: &str) -> String {
        let id = &json_of(request)["id"];
        let result = r#"{"clOrdId":"","ordId":"77","sCode":"0","sMsg":""}"#;
        format!(r#"{{"id":{id},"op":"order","data":[{result}],"code":"0","msg":""}}"#)
    }

    fn refused(_request: &str, code: i32) -> String {
        format!(r#"{{"code":"{code}","msg":"A test.","data":[]}}"#)
    }

    fn stands(_request: &str, name: &str, status: OrderStatus, filled: &str) -> String {
        let order = okx_order(name, status, filled, "");
        format!(r#"{{"code":"0","msg":"","data":[{order}]}}"#)
    }

    fn report(
        name: &str,
        id: u64,
        exec: ExecType,
        status: OrderStatus,
        (last, filled): (&str, &str),
    ) -> String {
        let fill = match exec {
            ExecType::Trade => format!(
                r#","tradeId":"{id}","fillPx":"30000","fillSz":"{last}","fillFee":"0","fillFeeCcy":"BTC","execType":"T""#
            ),
            _ => r#","tradeId":"","fillPx":"","fillSz":"0""#.to_owned(),
        };
        let order = okx_order(name, status, filled, &fill);
        format!(r#"{{"arg":{{"channel":"orders","instType":"SPOT"}},"data":[{order}]}}"#)
    }
}

fn okx_order(name: &str, status: OrderStatus, filled: &str, more: &str) -> String {
    let state = match status {
        OrderStatus::PartiallyFilled => "partially_filled",
        OrderStatus::Filled => "filled",
        OrderStatus::Canceled => "canceled",
        _ => "live",
    };
    let now_ms = wall_ms();
    format!(
        r#"{{"instId":"BTCUSDT","ordId":"77","clOrdId":"{name}","px":"30000","sz":"0.01","side":"buy","state":"{state}","accFillSz":"{filled}","avgPx":"","uTime":"{now_ms}"{more}}}"#
    )
}

fn json_of(request: &str) -> serde_json::Value {
    serde_json::from_str(request).expect("requests are JSON")
}

impl Scripted for Bybit {
    fn log_on(peer: &mut Peer) -> io::Result<()> {
        peer.shake_hands()?;
        // Order entry, then the account's stream.
        for _ in 0..2 {
            let request = peer.read_text()?;
            let json = json_of(&request);
            let id = if json["reqId"].is_string() { &json["reqId"] } else { &json["req_id"] };
            let answer = format!(r#"{{"reqId":{id},"retCode":0,"retMsg":"OK","op":"auth"}}"#);
            peer.reply(&request, &answer)?;
        }
        let request = peer.read_text()?;
        let id = &json_of(&request)["req_id"];
        let answer = format!(r#"{{"req_id":{id},"success":true,"ret_msg":"","op":"subscribe"}}"#);
        peer.reply(&request, &answer)
    }

    fn asks(request: &str) -> Asks {
        if request.contains("order.create") {
            Asks::ToPlace
        } else if request.contains("/v5/order/realtime?") {
            Asks::HowItStands
        } else {
            Asks::SomethingElse
        }
    }

    fn acknowledged(request: &str) -> String {
        let id = &json_of(request)["reqId"];
        let data = r#"{"orderId":"77","orderLinkId":""}"#;
        format!(r#"{{"reqId":{id},"retCode":0,"retMsg":"OK","op":"order.create","data":{data}}}"#)
    }

    fn refused(_request: &str, code: i32) -> String {
        format!(r#"{{"retCode":{code},"retMsg":"A test.","result":{{}}}}"#)
    }

    fn stands(_request: &str, name: &str, status: OrderStatus, filled: &str) -> String {
        let order = bybit_order(name, status, filled);
        format!(r#"{{"retCode":0,"retMsg":"OK","result":{{"list":[{order}]}}}}"#)
    }

    fn report(
        name: &str,
        id: u64,
        exec: ExecType,
        status: OrderStatus,
        (last, filled): (&str, &str),
    ) -> String {
        let now_ms = wall_ms();
        if exec != ExecType::Trade {
            let order = bybit_order(name, status, filled);
            return format!(r#"{{"topic":"order.spot","creationTime":{now_ms},"data":[{order}]}}"#);
        }
        let units = |text: &str| -> i64 { text.replace('.', "").parse().expect("a quantity") };
        let left = units("0.01000") - units(filled);
        let left = format!("{}0.{:05}", if left < 0 { "-" } else { "" }, left.abs());
        let fill = format!(
            r#"{{"symbol":"BTCUSDT","orderId":"77","orderLinkId":"{name}","side":"Buy","orderPrice":"30000","orderQty":"0.01","leavesQty":"{left}","execType":"Trade","execId":"{id}","execPrice":"30000","execQty":"{last}","execFee":"0","feeCurrency":"BTC","isMaker":false,"execTime":"{now_ms}"}}"#
        );
        format!(r#"{{"topic":"execution.spot","creationTime":{now_ms},"data":[{fill}]}}"#)
    }
}

fn bybit_order(name: &str, status: OrderStatus, filled: &str) -> String {
    let status = match status {
        OrderStatus::PartiallyFilled => "PartiallyFilled",
        OrderStatus::Filled => "Filled",
        OrderStatus::Canceled => "Cancelled",
        _ => "New",
    };
    let now_ms = wall_ms();
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":"77","orderLinkId":"{name}","side":"Buy","price":"30000","qty":"0.01","orderStatus":"{status}","cancelType":"CancelByUser","rejectReason":"EC_PerCancelRequest","cumExecQty":"{filled}","cumExecValue":"0","updatedTime":"{now_ms}"}}"#
    )
}

impl Scripted for Kraken {
    fn log_on(peer: &mut Peer) -> io::Result<()> {
        peer.shake_hands()?;
        let asked = peer.read_text()?;
        peer.reply(&asked, r#"{"error":[],"result":{"token":"TOKEN","expires":900}}"#)?;
        for _ in 0..2 {
            let id = &json_of(&peer.read_text()?)["req_id"];
            let granted = format!(r#"{{"method":"subscribe","req_id":{id},"success":true}}"#);
            peer.send(&text(&granted))?;
        }
        Ok(())
    }

    fn asks(request: &str) -> Asks {
        if request.contains("add_order") {
            Asks::ToPlace
        } else if request.contains("/0/private/OpenOrders") {
            Asks::HowItStands
        } else {
            Asks::SomethingElse
        }
    }

    fn acknowledged(request: &str) -> String {
        let (id, order) = (&json_of(request)["req_id"], Kraken::ORDER);
        let result = format!(r#"{{"order_id":"{order}"}}"#);
        format!(r#"{{"method":"add_order","req_id":{id},"result":{result},"success":true}}"#)
    }

    fn refused(_request: &str, code: i32) -> String {
        assert_eq!(code, Kraken::CODES.delisted);
        r#"{"error":["EQuery:Unknown asset pair"]}"#.to_owned()
    }

    fn stands(_request: &str, name: &str, status: OrderStatus, filled: &str) -> String {
        let (list, status) = match status {
            OrderStatus::Filled => ("closed", "closed"),
            OrderStatus::Canceled => ("closed", "canceled"),
            _ => ("open", "open"),
        };
        let terms = r#"{"pair":"XBTUSDT","type":"buy","ordertype":"limit","price":"30000.0"}"#;
        let told = format!(
            r#"{{"cl_ord_id":"{name}","status":"{status}","descr":{terms},"vol":"0.01000","vol_exec":"{filled}","cost":"0.00000"}}"#
        );
        let order = Kraken::ORDER;
        format!(r#"{{"error":[],"result":{{"{list}":{{"{order}":{told}}}}}}}"#)
    }

    fn report(
        name: &str,
        id: u64,
        exec: ExecType,
        status: OrderStatus,
        (last, filled): (&str, &str),
    ) -> String {
        let (order, now_ms) = (Kraken::ORDER, wall_ms());
        let time = jiff::Timestamp::from_millisecond(now_ms).expect("a time");
        let names = format!(r#""order_id":"{order}","cl_ord_id":"{name}","timestamp":"{time}""#);
        let terms = r#""symbol":"BTCUSDT","side":"buy","order_type":"limit""#;
        let told = match (exec, status) {
            (ExecType::Trade, _) => format!(
                r#"{{{names},{terms},"exec_type":"trade","trade_id":{id},"last_qty":{last},"last_price":30000.0,"cum_qty":{filled},"fees":[]}}"#
            ),
            (_, OrderStatus::Canceled) => format!(
                r#"{{{names},"exec_type":"canceled","cum_qty":{filled},"reason":"User requested"}}"#
            ),
            _ => format!(
                r#"{{{names},{terms},"exec_type":"pending_new","order_qty":0.01000,"limit_price":30000.0}},{{{names},"exec_type":"new"}}"#
            ),
        };
        format!(r#"{{"channel":"executions","type":"update","data":[{told}]}}"#)
    }
}

impl Scripted for Coinbase {
    const REFUSED: &'static str = "400 Bad Request";

    fn log_on(peer: &mut Peer) -> io::Result<()> {
        peer.shake_hands()?;
        for channel in ["user", "heartbeats"] {
            let request = json_of(&peer.read_text()?);
            assert_eq!(request["channel"], channel);
            assert!(request["jwt"].as_str().is_some_and(|token| token.split('.').count() == 3));
            let granted = format!(r#"{{"subscriptions":{{"{channel}":["all"]}}}}"#);
            peer.send(&text(&coinbase_frame("subscriptions", &granted)))?;
        }
        Ok(())
    }

    fn asks(request: &str) -> Asks {
        if request.starts_with("POST /api/v3/brokerage/orders HTTP") {
            Asks::ToPlace
        } else if request.starts_with("GET /api/v3/brokerage/orders/historical/") {
            Asks::HowItStands
        } else {
            Asks::SomethingElse
        }
    }

    fn acknowledged(request: &str) -> String {
        let (_, body) = request.split_once("HTTP/1.1").expect("it came over REST");
        let (name, order) = (&json_of(body)["client_order_id"], Coinbase::ORDER);
        let done = format!(r#"{{"order_id":"{order}","client_order_id":{name}}}"#);
        format!(r#"{{"success":true,"success_response":{done}}}"#)
    }

    fn refused(_request: &str, code: i32) -> String {
        assert_eq!(code, Coinbase::CODES.delisted);
        r#"{"error":"INVALID_PRODUCT_ID","message":"A test."}"#.to_owned()
    }

    fn stands(request: &str, name: &str, status: OrderStatus, filled: &str) -> String {
        let (order, status) = (Coinbase::ORDER, coinbase_status(status));
        let terms = r#"{"limit_limit_gtc":{"base_size":"0.01","limit_price":"30000"}}"#;
        let told = format!(
            r#"{{"order_id":"{order}","client_order_id":"{name}","product_id":"BTCUSDT","side":"BUY","status":"{status}","order_configuration":{terms},"filled_size":"{filled}","average_filled_price":"0","filled_value":"0"}}"#
        );
        match request.contains("/batch?") {
            true => format!(r#"{{"orders":[{told}],"has_next":false,"cursor":""}}"#),
            false => format!(r#"{{"order":{told}}}"#),
        }
    }

    fn report(
        name: &str,
        _id: u64,
        _exec: ExecType,
        status: OrderStatus,
        (_, filled): (&str, &str),
    ) -> String {
        let units = |text: &str| -> i64 { text.replace('.', "").parse().expect("a quantity") };
        let left = match status {
            OrderStatus::New | OrderStatus::PartiallyFilled => units("0.01000") - units(filled),
            _ => 0,
        };
        let (order, status) = (Coinbase::ORDER, coinbase_status(status));
        let told = format!(
            r#"{{"order_id":"{order}","client_order_id":"{name}","product_id":"BTCUSDT","order_side":"BUY","status":"{status}","cumulative_quantity":"{filled}","leaves_quantity":"0.{left:05}","avg_price":"30000"}}"#
        );
        coinbase_frame("user", &format!(r#"{{"type":"update","orders":[{told}]}}"#))
    }
}

fn coinbase_status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Filled => "FILLED",
        OrderStatus::Canceled => "CANCELLED",
        _ => "OPEN",
    }
}

/// None of these follows another by its number, so none is missing.
pub fn coinbase_frame(channel: &str, event: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(wall_ms()).expect("a time");
    format!(r#"{{"channel":"{channel}","timestamp":"{time}","sequence_num":0,"events":[{event}]}}"#)
}
