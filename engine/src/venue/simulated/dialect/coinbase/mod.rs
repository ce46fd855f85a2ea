//! Coinbase Advanced: its words, and how its recordings are read and served.

mod format;
mod instruments;
mod orders;
mod rights;
mod texts;
mod tokens;

use serde_json::{Value, json};

use super::in_band::note_streams;
use super::{RecordedDialect, RecordedFrame, RecordedLine};
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::server::Session;

pub use format::DIALECT;

/// What stands before the number of a frame.
const NUMBER: &str = "\"sequence_num\":";

/// A recording: streams are channel and product, with a colon between them.
#[derive(Debug)]
pub struct Recorded;

/// The channel that is subscribed to, where frames have another name for it.
fn channel_of(name: &str) -> &str {
    if name == "l2_data" { "level2" } else { name }
}

/// The product of a frame's first event.
fn product_of(frame: &Value) -> Option<&str> {
    let event = &frame["events"][0];
    let list = ["trades", "tickers", "candles"].into_iter().find(|list| event[list].is_array());
    match list {
        Some(list) => event[list][0]["product_id"].as_str(),
        None => event["product_id"].as_str(),
    }
}

impl RecordedDialect for Recorded {
    fn stream_path(&self) -> &'static str {
        "/"
    }

    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String> {
        let frame: Value = serde_json::from_str(line).map_err(|why| format!("no JSON: {why}"))?;
        let channel = frame["channel"].as_str().filter(|_| frame["events"].is_array());
        let Some(channel) = channel else {
            return Err(r#"no frame {"channel":"..","events":[..]}"#.to_owned());
        };
        let what = match channel {
            "subscriptions" => Some("answers to requests".to_owned()),
            "heartbeats" => Some("heartbeats".to_owned()),
            _ if product_of(&frame).is_none() => {
                Some(format!("frames of {channel:?}, which belong to no product,"))
            }
            _ => None,
        };
        if let Some(what) = what {
            return Ok(RecordedLine::LeftOut(what.into()));
        }
        let (channel, product) = (channel_of(channel), product_of(&frame).unwrap_or_default());
        Ok(RecordedLine::Frame(RecordedFrame {
            stream: format!("{channel}:{product}").into(),
            symbol: product.to_owned().into(),
            kind: match channel {
                "level2" => FrameKind::Depth,
                "ticker" => FrameKind::BookTicker,
                "market_trades" => FrameKind::Trade,
                "candles" => FrameKind::Kline,
                _ => FrameKind::OtherMarket,
            },
            updates: None,
            data: line,
        }))
    }

    fn event_time_ns(&self, line: &str) -> Option<i64> {
        let (_, behind) = line.split_once("\"timestamp\":\"")?;
        let time: jiff::Timestamp = behind.split('"').next()?.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok()
    }

    fn numbered_by(&self) -> Option<&'static str> {
        Some(NUMBER)
    }

    fn number(&self, line: &str) -> Option<u64> {
        let (_, behind) = line.split_once(NUMBER)?;
        behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String> {
        let request: Value = serde_json::from_str(text).ok()?;
        let channel = request["channel"].as_str()?;
        let products: Vec<&str> = match request["product_ids"].as_array() {
            Some(products) => products.iter().filter_map(Value::as_str).collect(),
            None => vec![channel],
        };
        let names = products.iter().map(|product| format!("{channel}:{product}"));
        note_streams(session, request["type"] == "subscribe", names, resolve);
        let mut subscribed = serde_json::Map::new();
        for (channel, product) in session.names.iter().filter_map(|name| name.split_once(':')) {
            let products = subscribed.entry(channel).or_insert_with(|| json!([]));
            products.as_array_mut()?.push(json!(product));
        }
        let subscribed = Value::Object(subscribed);
        Some(format!(
            r#"{{"channel":"subscriptions",{NUMBER}0,"events":[{{"subscriptions":{subscribed}}}]}}"#
        ))
    }
}
