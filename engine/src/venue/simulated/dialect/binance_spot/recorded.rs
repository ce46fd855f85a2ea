//! Recordings of combined streams: frames `{"stream":..,"data":..}` and snapshots over REST.

use serde_json::Value;

use super::market_session;
use super::rest::{invalid_symbol, server_time, wanted_symbol};
use crate::venue::simulated::dialect::{
    RecordedDialect, RecordedFrame, RecordedLine, RecordedRequest, UpdateIds,
};
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::limits::LimitRules;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::{Door, HttpRequest, Opening, Reply, Session};

/// How a line begins that is a snapshot.
const SNAPSHOT_START: &str = r#"{"lastUpdateId""#;
/// The same of what the venue says of its symbols (`exchangeInfo`).
const INFO_START: &str = r#"{"timezone""#;
const NS_PER_MS: i64 = 1_000_000;

/// A recording, of spot or of futures.
#[derive(Debug)]
pub struct CombinedStreams;

impl RecordedDialect for CombinedStreams {
    fn stream_path(&self) -> &'static str {
        "/stream"
    }

    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String> {
        if line.starts_with(SNAPSHOT_START) {
            return Ok(RecordedLine::Snapshot);
        }
        if line.starts_with(INFO_START) && line.contains(r#""symbols":["#) {
            return Ok(RecordedLine::Instruments);
        }
        let Some((stream, data)) = combined(line) else {
            let is_answer = serde_json::from_str::<Value>(line)
                .is_ok_and(|value| value.get("id").is_some() && value.get("e").is_none());
            return match is_answer {
                true => Ok(RecordedLine::LeftOut("answers to requests".into())),
                false => Err(r#"no frame {"stream":"..","data":..} of a combined stream"#.into()),
            };
        };
        let Some((symbol, _)) = stream.split_once('@').filter(|(symbol, _)| is_symbol(symbol))
        else {
            let what = format!("frames of {stream:?}, which belong to no symbol,");
            return Ok(RecordedLine::LeftOut(what.into()));
        };
        let kind = super::frame_kind(stream);
        let is_diff = kind == FrameKind::Depth;
        Ok(RecordedLine::Frame(RecordedFrame {
            stream: stream.into(),
            symbol: symbol.to_ascii_uppercase().into(),
            kind,
            updates: is_diff.then(|| updates(data)).flatten(),
            data,
        }))
    }

    /// Best price frames of spot have none.
    fn event_time_ns(&self, line: &str) -> Option<i64> {
        let ms = i64::try_from(number(line, "\"E\":")?).ok()?;
        ms.checked_mul(NS_PER_MS)
    }

    /// It must be whole JSON with both sides.
    fn snapshot_id(&self, body: &str) -> Result<u64, String> {
        let value: Value = serde_json::from_str(body).map_err(|why| format!("no JSON: {why}"))?;
        match value["lastUpdateId"].as_u64() {
            Some(id) if value["bids"].is_array() && value["asks"].is_array() => Ok(id),
            _ => Err("no snapshot with lastUpdateId, bids and asks".to_owned()),
        }
    }

    fn open(&self, request: &HttpRequest) -> Option<Opening> {
        super::opening(request, &LimitRules::default())
    }

    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String> {
        if session.door == Door::Api {
            let message = "A recording takes no orders.";
            let error = format!(r#"{{"code":-1020,"msg":"{message}"}}"#);
            return Some(format!(r#"{{"id":null,"status":400,"error":{error}}}"#));
        }
        let streams_max = LimitRules::default().streams_per_connection;
        Some(market_session::answer(session, text, resolve, |count| count <= streams_max))
    }

    fn rest(&self, request: &HttpRequest, now: Moment) -> RecordedRequest {
        let path = request.path.as_str();
        // Each venue has a path of its own before it.
        if path.ends_with("/depth") {
            return match wanted_symbol(request) {
                Ok(symbol) => RecordedRequest::Snapshot(symbol),
                Err(refusal) => RecordedRequest::Answered(refusal),
            };
        }
        RecordedRequest::Answered(if path.ends_with("/ping") {
            Reply::json(b"{}".to_vec())
        } else if path.ends_with("/time") {
            server_time(now)
        } else {
            Reply::not_found()
        })
    }

    fn no_snapshot(&self) -> Reply {
        invalid_symbol()
    }
}

/// Whether the part of a stream's name before the `@` can be a symbol.
fn is_symbol(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Stream and data of `{"stream":"..","data":..}`; both as they stand in the text.
fn combined(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_end().strip_prefix(r#"{"stream":""#)?;
    let (stream, rest) = rest.split_once('"')?;
    let data = rest.strip_prefix(r#","data":"#)?.strip_suffix('}')?;
    Some((stream, data))
}

/// Those of a diff's data; `None` when it has none.
fn updates(data: &str) -> Option<UpdateIds> {
    Some(UpdateIds { first: number(data, "\"U\":")?, last: number(data, "\"u\":")? })
}

/// The number behind the first `field`.
fn number(text: &str, field: &str) -> Option<u64> {
    let rest = text.split_once(field)?.1.trim_start();
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_a_diff() {
        let diff = r#"{"e":"depthUpdate","E":1,"s":"A","U":157,"u": 160,"b":[]}"#;
        assert_eq!(updates(diff), Some(UpdateIds { first: 157, last: 160 }));
        assert_eq!(updates(r#"{"e":"trade"}"#), None);
    }
}
