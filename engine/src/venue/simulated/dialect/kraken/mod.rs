//! Kraken, WebSocket v2: its words, and how its recordings are read and served.

mod format;
mod instruments;
mod numbers;
mod orders;
mod rights;

use serde_json::Value;

use super::in_band::note_streams;
use super::{RecordedDialect, RecordedFrame, RecordedLine};
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::server::Session;

pub use format::DIALECT;

/// A recording: streams are channel and symbol, with a colon between them.
#[derive(Debug)]
pub struct Recorded;

impl RecordedDialect for Recorded {
    fn stream_path(&self) -> &'static str {
        "/v2"
    }

    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String> {
        let value: Value = serde_json::from_str(line).map_err(|why| format!("no JSON: {why}"))?;
        if value["method"].is_string() {
            return Ok(RecordedLine::LeftOut("answers to requests".into()));
        }
        let Some(channel) = value["channel"].as_str().filter(|_| value["events"].is_null()) else {
            return Err(r#"no frame {"channel":"..","type":"..","data":[..]}"#.to_owned());
        };
        if channel == "instrument" {
            return Ok(RecordedLine::Instruments);
        }
        let Some(symbol) = value["data"][0]["symbol"].as_str() else {
            let what = format!("frames of {channel:?}, which belong to no symbol,");
            return Ok(RecordedLine::LeftOut(what.into()));
        };
        Ok(RecordedLine::Frame(RecordedFrame {
            stream: format!("{channel}:{symbol}").into(),
            symbol: symbol.to_owned().into(),
            kind: match channel {
                "book" => FrameKind::Depth,
                "ticker" => FrameKind::BookTicker,
                "trade" => FrameKind::Trade,
                "ohlc" => FrameKind::Kline,
                _ => FrameKind::OtherMarket,
            },
            updates: None,
            data: line,
        }))
    }

    fn event_time_ns(&self, line: &str) -> Option<i64> {
        let value: Value = serde_json::from_str(line).ok()?;
        let time: jiff::Timestamp = value["data"][0]["timestamp"].as_str()?.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok()
    }

    /// Those of a book's levels: its checksum counts them.
    fn scales(&self, data: &str) -> Option<(u8, u8)> {
        let decimals = |field: &str| {
            let number = data.split_once(field)?.1;
            let end = number.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let fraction = number[..end].split_once('.').map_or("", |(_, fraction)| fraction);
            u8::try_from(fraction.len()).ok()
        };
        data.contains("\"book\"").then_some(())?;
        Some((decimals("\"price\":")?, decimals("\"qty\":")?))
    }

    /// One text for all symbols of a request, where the venue has one each.
    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String> {
        let request: Value = serde_json::from_str(text).ok()?;
        let method = request["method"].as_str()?;
        if method == "ping" {
            return Some(r#"{"method":"pong"}"#.to_owned());
        }
        let params = &request["params"];
        let channel = params["channel"].as_str()?;
        let symbols = params["symbol"].as_array()?.iter().filter_map(Value::as_str);
        let names = symbols.map(|symbol| format!("{channel}:{symbol}"));
        note_streams(session, method == "subscribe", names, resolve);
        let id = &request["req_id"];
        let result = format!(r#"{{"channel":"{channel}"}}"#);
        Some(format!(r#"{{"method":"{method}","req_id":{id},"result":{result},"success":true}}"#))
    }
}
