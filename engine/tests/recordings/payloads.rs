//! Recorded and documented payloads, one by one: each decodes to what its text says, or is refused
//! with the reason that is stated here.

use std::path::Path;

use pitlane_engine::event::{ExecType, OrderStatus, Side, parse_scaled};
use pitlane_engine::venue::LetterReason;
use pitlane_engine::venue::binance::{MarketDecoder, UserDecoder, UserMessage};
use pitlane_engine::venue::protocol::MarketMessage;
use serde_json::{Value, json};

use super::replay::{SCALES, lines, recordings, symbols};

const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Every symbol that occurs in the payloads and is to be known.
fn natives() -> Vec<String> {
    let natives = [
        "ACHUSDT", "BTCUSDT", "ETHUSDT", "ETHBTC", "BNBBTC", "BNBUSDT", "LTCBNB", "BAZUSD",
        "LTCBTC", "LTCUSDT",
    ];
    natives.map(str::to_owned).to_vec()
}

fn user_decoder() -> UserDecoder {
    UserDecoder::new(symbols(&natives(), SCALES), FRAME_BYTES_MAX)
}

fn scaled(value: &Value) -> i64 {
    parse_scaled(value.as_str().unwrap().as_bytes(), SCALES.price).unwrap()
}

fn kind(message: &UserMessage<'_>) -> &'static str {
    match message {
        UserMessage::Execution(_) => "execution",
        UserMessage::Balances { .. } => "balances",
        UserMessage::Reply(_) => "reply",
        UserMessage::Unsolicited(..) => "unsolicited",
        UserMessage::Shutdown => "shutdown",
        UserMessage::StreamTerminated => "terminated",
        UserMessage::Other(name) => name,
    }
}

/// What a user frame became, or why it was refused.
fn user(frame: &str) -> Result<&'static str, LetterReason> {
    let mut decoder = user_decoder();
    decoder.decode(frame.as_bytes()).map(|message| kind(&message)).map_err(|error| error.reason)
}

fn documents(folder: &Path) -> Vec<(String, Value)> {
    let lines = lines(&folder.join("binance/official_docs_examples.jsonl"));
    let entries = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries
        .map(|entry| (entry["doc"].as_str().unwrap().to_owned(), entry["json"].clone()))
        .collect()
}

#[test]
fn recorded_orders_are_accepted_and_filled() {
    let Some(folder) = recordings() else { return };
    let folder = folder.join("binance/user_data_qc");
    for name in ["Limit", "Market"] {
        let path = folder.join(format!("WebSocketGlobalSpot{name}SubmittedFilled.jsonl"));
        let mut decoder = user_decoder();
        let mut seen = Vec::new();
        for line in lines(&path) {
            let raw: Value = serde_json::from_str(&line).unwrap();
            let event = &raw["event"];
            let Ok(UserMessage::Execution(report)) = decoder.decode(line.as_bytes()) else {
                panic!("{line}");
            };
            assert_eq!(report.client_order_id, event["c"].as_str().unwrap().as_bytes());
            assert_eq!(report.orig_client_order_id, b"");
            assert_eq!(Some(report.order_id), event["i"].as_u64());
            assert_eq!(report.execution_id, event["I"].as_u64());
            assert_eq!(report.trade_id, event["t"].as_u64());
            assert_eq!((report.price, report.qty), (scaled(&event["p"]), scaled(&event["q"])));
            assert_eq!(report.last_price, scaled(&event["L"]));
            assert_eq!(report.last_qty, scaled(&event["l"]));
            assert_eq!(report.filled_qty, scaled(&event["z"]));
            assert_eq!(report.event_time_ns, event["E"].as_i64().unwrap() * 1_000_000);
            assert_eq!((report.side, report.reject_reason), (Side::Buy, ""));
            seen.push((report.exec_type, report.status));
        }
        assert_eq!(
            seen,
            [(ExecType::New, OrderStatus::New), (ExecType::Trade, OrderStatus::Filled)]
        );
    }
    // Futures speak another protocol.
    for name in ["LimitSubmittedCancelled", "LimitSubmittedFilled", "MarketSubmittedFilled"] {
        for line in lines(&folder.join(format!("WebSocketFuture{name}.jsonl"))) {
            assert_eq!(user(&line), Err(LetterReason::Unknown), "{line}");
        }
    }
}

#[test]
fn edge_payloads_of_binance_end_as_stated() {
    let Some(folder) = recordings() else { return };
    let mut seen = 0;
    for line in lines(&folder.join("edge/edge_cases.jsonl")) {
        let case: Value = serde_json::from_str(&line).unwrap();
        let (venue, why) = (case["venue"].as_str().unwrap(), case["why"].as_str().unwrap());
        let raw = case["raw"].as_str().unwrap();
        if venue != "binance" {
            // Another venue's frame is never taken for one of ours.
            assert!(user(raw).is_err(), "{raw}");
            continue;
        }
        seen += 1;
        let expected = match why {
            "official example: Server Shutdown" => Ok("shutdown"),
            "official example: Event Stream Terminated" => Ok("terminated"),
            // A fill at price 0 contradicts itself.
            "TRADE execution report with last quantity 0" => Err(LetterReason::Nonsense),
            "empty client order id"
            | "REJECTED execution report"
            | "self-trade prevention (TRADE_PREVENTION)" => Ok("execution"),
            "official example: Authenticate after connection" => Ok("unsolicited"),
            // Error bodies without an id, and replies whose id is a text: none answers a request of
            // ours.
            _ => Err(LetterReason::Unknown),
        };
        assert_eq!(user(raw), expected, "{why}: {raw}");
    }
    assert_eq!(seen, 32);
}

#[test]
fn documented_market_streams_end_as_stated() {
    let Some(folder) = recordings() else { return };
    let mut decoder = MarketDecoder::new(symbols(&natives(), SCALES), FRAME_BYTES_MAX);
    let mut counts = std::collections::BTreeMap::new();
    for (doc, json) in documents(&folder) {
        if doc != "web-socket-streams.md" || json.get("method").is_some() {
            continue;
        }
        let event = json["e"].as_str().or(json["data"]["e"].as_str());
        let expected = match event {
            Some("serverShutdown") => "shutdown",
            Some("trade" | "aggTrade") => "trade",
            // The example's low lies above its open. Real bars are in the recordings.
            Some("kline") => "nonsense",
            Some("depthUpdate") => "depth",
            // Streams that are never subscribed to.
            Some(_) => "unknown",
            None if json.get("id").is_some() => "reply",
            None if json.get("B").is_some() => "quote",
            None => "unknown",
        };
        let found = match decoder.decode(json.to_string().as_bytes()) {
            Ok(MarketMessage::Quote { .. }) => "quote",
            Ok(MarketMessage::Trade { .. }) => "trade",
            Ok(MarketMessage::Bar { .. }) => "bar",
            Ok(MarketMessage::Depth { .. }) => "depth",
            Ok(
                other @ (MarketMessage::Book { .. }
                | MarketMessage::Mark { .. }
                | MarketMessage::Gap
                | MarketMessage::NextReply { .. }
                | MarketMessage::Unchanged { .. }
                | MarketMessage::KeptAlive),
            ) => {
                panic!("spot has no {other:?}")
            }
            Ok(MarketMessage::Reply { error: None, .. }) => "reply",
            Ok(MarketMessage::Reply { .. }) => "failed reply",
            Ok(MarketMessage::Shutdown) => "shutdown",
            Err(error) if error.reason == LetterReason::Unknown => "unknown",
            Err(error) if error.reason == LetterReason::Nonsense => "nonsense",
            Err(error) => panic!("{error}: {json}"),
        };
        assert_eq!(found, expected, "{json}");
        *counts.entry(found).or_insert(0) += 1;
    }
    println!("{counts:?}");
    assert_eq!(counts.len(), 7);
}

#[test]
fn documented_user_events_end_as_stated() {
    let Some(folder) = recordings() else { return };
    let mut seen = Vec::new();
    for (doc, json) in documents(&folder) {
        if doc == "user-data-stream.md" {
            seen.push(
                user(&json.to_string()).unwrap_or_else(|reason| panic!("{reason:?}: {json}")),
            );
        }
    }
    let expected = [
        "balances",
        "balanceUpdate",
        "execution",
        "listStatus",
        "terminated",
        "externalLockUpdate",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn documented_replies_carry_status_error_and_order() {
    let Some(folder) = recordings() else { return };
    let mut decoder = user_decoder();
    let (mut replies, mut errors, mut orders) = (0, 0, 0);
    for (doc, mut json) in documents(&folder) {
        let is_reply = json.get("id").is_some() && json.get("status").is_some();
        if doc != "web-socket-api.md" || !is_reply {
            continue;
        }
        // The examples number their requests by texts; the engine never does.
        if json["id"].is_null() && json.get("error").is_some() {
            assert_eq!(user(&json.to_string()), Ok("unsolicited"), "{json}");
        } else if !json["id"].is_u64() {
            assert_eq!(user(&json.to_string()), Err(LetterReason::Unknown), "{json}");
        }
        json["id"] = json!(7);
        let text = json.to_string();
        let decoded = decoder.decode(text.as_bytes());
        // A misprint of the documentation, and so the symbol of nobody.
        if json["result"]["amendedOrder"]["symbol"] == "BTUCSDT" {
            assert!(decoded.is_err(), "{json}");
            continue;
        }
        let reply = match decoded {
            Ok(UserMessage::Reply(reply)) => reply,
            other => panic!("{other:?}: {json}"),
        };
        replies += 1;
        assert_eq!((reply.id, Some(u64::from(reply.status))), (7, json["status"].as_u64()));
        assert_eq!(reply.error.map(|e| i64::from(e.code)), json["error"]["code"].as_i64());
        assert_eq!(reply.error.map(|e| e.message), json["error"]["msg"].as_str());
        errors += u32::from(reply.error.is_some());
        // The reply to an amendment has the order one level deeper.
        let result = json["result"].get("amendedOrder").unwrap_or(&json["result"]);
        let Some(order) = reply.order else {
            assert!(!(result["orderId"].is_u64() && result["symbol"].is_string()), "{json}");
            continue;
        };
        orders += 1;
        assert_eq!(Some(order.order_id), result["orderId"].as_u64());
        let id = |name: &str| result[name].as_str().unwrap_or_default().as_bytes();
        assert_eq!(order.client_order_id, id("clientOrderId"));
        assert_eq!(order.orig_client_order_id, id("origClientOrderId"));
        assert_eq!(order.status.is_some(), result["status"].is_string());
        assert_eq!(order.side.is_some(), result["side"].is_string());
        let number = |name: &str| result[name].is_string().then(|| scaled(&result[name]));
        assert_eq!(order.price, number("price"));
        assert_eq!(order.qty, number("origQty").or(number("qty")));
        assert_eq!(order.filled_qty, number("executedQty"));
    }
    assert_eq!((replies, errors, orders), (88, 10, 8));
}

#[test]
fn transcripts_of_the_order_connection_are_understood() {
    let Some(folder) = recordings() else { return };
    let (mut understood, mut hedged, mut refused) = (0, 0, 0);
    for line in lines(&folder.join("binance/ws_api_and_streams_jkorf.jsonl")) {
        let entry: Value = serde_json::from_str(&line).unwrap();
        for frame in entry["frames"].as_array().unwrap() {
            if frame["dir"] == "sent" {
                continue;
            }
            let mut json = frame["json"].clone();
            if json["id"].is_string() {
                json["id"] = json!(9);
            }
            let events =
                ["executionReport", "outboundAccountPosition", "balanceUpdate", "listStatus"];
            let event = ["event", "data"].map(|wrapper| json[wrapper]["e"].as_str());
            let is_event = event.into_iter().flatten().any(|event| events.contains(&event));
            let is_reply = json.get("id").is_some() && json.get("status").is_some();
            let outcome = user(&json.to_string());
            if json["result"]["positionSide"] == "SHORT" {
                // Of an account with positions on both sides, which is not traded.
                hedged += 1;
                assert_eq!(outcome, Err(LetterReason::Unknown), "{json}");
            } else if is_reply || is_event {
                understood += 1;
                assert!(outcome.is_ok(), "{outcome:?}: {json}");
            } else {
                // Market data, futures, and replies of a stream, which have no status.
                refused += 1;
                let reason = outcome.unwrap_err();
                let known = [LetterReason::Unknown, LetterReason::Field];
                assert!(known.contains(&reason), "{reason:?}: {json}");
            }
        }
    }
    assert_eq!((understood, hedged, refused), (44, 5, 66));
}
