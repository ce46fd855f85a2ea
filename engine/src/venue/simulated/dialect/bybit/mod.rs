//! Bybit v5: its words, and how its recordings are read and served.

mod format;
mod instruments;
mod orders;
mod rights;

use serde_json::Value;

use super::in_band::note_streams;
use super::{RecordedDialect, RecordedFrame, RecordedLine};
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::server::{HttpRequest, Opening, Session};

pub use format::DIALECT;

const NS_PER_MS: i64 = 1_000_000;

/// A recording: streams are the venue's topics.
#[derive(Debug)]
pub struct Recorded;

impl RecordedDialect for Recorded {
    fn stream_path(&self) -> &'static str {
        "/v5/public/linear"
    }

    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String> {
        let value: Value = serde_json::from_str(line).map_err(|why| format!("no JSON: {why}"))?;
        let Some(topic) = value["topic"].as_str() else {
            return match value["op"].is_string() {
                true => Ok(RecordedLine::LeftOut("answers to requests".into())),
                false => Err(r#"no frame {"topic":"..","data":..}"#.to_owned()),
            };
        };
        let Some((channel, symbol)) = topic.rsplit_once('.') else {
            return Ok(RecordedLine::LeftOut(format!("frames of {topic:?}").into()));
        };
        Ok(RecordedLine::Frame(RecordedFrame {
            stream: topic.to_owned().into(),
            symbol: symbol.to_owned().into(),
            kind: match channel.split('.').next() {
                Some("orderbook") if channel == "orderbook.1" => FrameKind::BookTicker,
                Some("orderbook") => FrameKind::Depth,
                Some("publicTrade") => FrameKind::Trade,
                Some("kline") => FrameKind::Kline,
                _ => FrameKind::OtherMarket,
            },
            updates: None,
            data: line,
        }))
    }

    fn event_time_ns(&self, line: &str) -> Option<i64> {
        let value: Value = serde_json::from_str(line).ok()?;
        value["ts"].as_i64()?.checked_mul(NS_PER_MS)
    }

    fn open(&self, request: &HttpRequest) -> Option<Opening> {
        request.path.starts_with("/v5/public/").then(Opening::market)
    }

    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String> {
        let request: Value = serde_json::from_str(text).ok()?;
        let op = request["op"].as_str()?;
        if op == "ping" {
            return Some(r#"{"success":true,"ret_msg":"pong","op":"ping"}"#.to_owned());
        }
        let names = request["args"].as_array()?.iter().filter_map(Value::as_str);
        note_streams(session, op == "subscribe", names.map(str::to_owned), resolve);
        let id = &request["req_id"];
        Some(format!(r#"{{"success":true,"ret_msg":"","req_id":{id},"op":"{op}"}}"#))
    }
}
