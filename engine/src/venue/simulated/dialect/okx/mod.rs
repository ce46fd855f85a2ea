//! OKX v5: its words, and how its recordings are read and served.

mod format;
mod orders;
mod rights;

use serde_json::Value;

use super::in_band::note_streams;
use super::{RecordedDialect, RecordedFrame, RecordedLine};
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::server::Session;

pub use format::DIALECT;

const NS_PER_MS: i64 = 1_000_000;

/// A recording: streams are channel and instrument, with a colon between them.
#[derive(Debug)]
pub struct Recorded;

/// The stream of `{"channel":..,"instId":..}`, and its instrument.
fn stream_of(arg: &Value) -> Option<(String, &str)> {
    let (channel, instrument) = (arg["channel"].as_str()?, arg["instId"].as_str()?);
    Some((format!("{channel}:{instrument}"), instrument))
}

impl RecordedDialect for Recorded {
    fn stream_path(&self) -> &'static str {
        "/ws/v5/public"
    }

    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String> {
        if line == "pong" {
            return Ok(RecordedLine::LeftOut("answers to pings".into()));
        }
        let value: Value = serde_json::from_str(line).map_err(|why| format!("no JSON: {why}"))?;
        if value["event"].is_string() {
            return Ok(RecordedLine::LeftOut("answers to requests, and notices,".into()));
        }
        let arg = &value["arg"];
        if !arg["channel"].is_string() || !value["data"].is_array() {
            return Err(r#"no frame {"arg":{"channel":..},"data":[..]}"#.to_owned());
        }
        if arg["channel"] == "instruments" {
            return Ok(RecordedLine::Instruments);
        }
        let Some((stream, instrument)) = stream_of(arg) else {
            let what = format!("frames of {arg}, which belong to no instrument,");
            return Ok(RecordedLine::LeftOut(what.into()));
        };
        Ok(RecordedLine::Frame(RecordedFrame {
            symbol: instrument.to_owned().into(),
            kind: match arg["channel"].as_str() {
                Some("books") => FrameKind::Depth,
                Some("bbo-tbt" | "tickers") => FrameKind::BookTicker,
                Some("trades") => FrameKind::Trade,
                _ => FrameKind::OtherMarket,
            },
            stream: stream.into(),
            updates: None,
            data: line,
        }))
    }

    fn event_time_ns(&self, line: &str) -> Option<i64> {
        let value: Value = serde_json::from_str(line).ok()?;
        let ms: i64 = value["data"][0]["ts"].as_str()?.parse().ok()?;
        ms.checked_mul(NS_PER_MS)
    }

    /// One text for all topics of a request, where the venue has one each.
    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String> {
        if text == "ping" {
            return Some("pong".to_owned());
        }
        let request: Value = serde_json::from_str(text).ok()?;
        let op = request["op"].as_str()?;
        let args = request["args"].as_array()?;
        let names = args.iter().filter_map(|arg| Some(stream_of(arg)?.0));
        note_streams(session, op == "subscribe", names, resolve);
        let (id, arg) = (&request["id"], args.first()?);
        Some(format!(r#"{{"id":{id},"event":"{op}","arg":{arg},"connId":"0"}}"#))
    }
}
