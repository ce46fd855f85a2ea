//! Recordings of binary streams: frames as `{"binary":"BASE64"}`, and between them what is text:
//! answers to requests, and snapshots over REST.

use std::borrow::Cow;

use data_encoding::BASE64;

use super::spoiled;
use crate::venue::binance_sbe::told;
use crate::venue::simulated::dialect::binance_spot::CombinedStreams;
use crate::venue::simulated::dialect::{
    RecordedDialect, RecordedFrame, RecordedLine, RecordedRequest, UpdateIds,
};
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::{HttpRequest, Opening, Reply, Session};

/// A recording.
#[derive(Debug)]
pub struct BinaryStreams;

/// The frame's text in base64, where a line is one.
fn packed(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix(r#"{"binary":""#)?.strip_suffix(r#""}"#)
}

impl RecordedDialect for BinaryStreams {
    fn stream_path(&self) -> &'static str {
        CombinedStreams.stream_path()
    }

    fn line<'l>(&self, line: &'l str) -> Result<RecordedLine<'l>, String> {
        let Some(data) = packed(line) else {
            return match CombinedStreams.line(line)? {
                RecordedLine::Frame(_) => {
                    Err(r#"a frame in text, where frames are {"binary":".."}"#.to_owned())
                }
                line => Ok(line),
            };
        };
        let frame = self.binary(data).ok_or("what is binary is no base64")?;
        let frame = told(&frame).map_err(|error| error.to_string())?;
        Ok(RecordedLine::Frame(RecordedFrame {
            stream: format!("{}@{}", frame.symbol.to_ascii_lowercase(), frame.stream).into(),
            kind: match frame.stream {
                "bestBidAsk" => FrameKind::BookTicker,
                "trade" => FrameKind::Trade,
                "depth" => FrameKind::Depth,
                _ => FrameKind::OtherMarket,
            },
            symbol: Cow::Owned(frame.symbol),
            updates: frame.updates.map(|(first, last)| UpdateIds { first, last }),
            data,
        }))
    }

    fn event_time_ns(&self, line: &str) -> Option<i64> {
        let frame = told(&self.binary(packed(line)?)?).ok()?;
        Some(frame.venue_time_ns)
    }

    fn binary(&self, data: &str) -> Option<Vec<u8>> {
        BASE64.decode(data.as_bytes()).ok()
    }

    fn snapshot_id(&self, body: &str) -> Result<u64, String> {
        CombinedStreams.snapshot_id(body)
    }

    fn open(&self, request: &HttpRequest) -> Option<Opening> {
        let opening = CombinedStreams.open(request)?;
        Some(Opening { envelope: None, binary: Some(&spoiled::SPOILED), ..opening })
    }

    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> Option<String> {
        let answer = CombinedStreams.answer(session, text, resolve);
        session.envelope = None;
        answer
    }

    fn rest(&self, request: &HttpRequest, now: Moment) -> RecordedRequest {
        CombinedStreams.rest(request, now)
    }

    fn no_snapshot(&self) -> Reply {
        CombinedStreams.no_snapshot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::binance_sbe::{SbeSymbol, SbeTrade, SbeWriter};

    #[test]
    fn a_line_says_what_its_frame_is_about() {
        let mut writer = SbeWriter::default();
        let symbol = SbeSymbol { name: "BTCUSDT", price_scale: 2, qty_scale: 5 };
        let levels: [&[(u64, u64)]; 2] = [&[(5, 1)], &[]];
        let mut frames = Vec::new();
        writer.best(symbol, (1_000, 7), ((5, 1), (6, 1)));
        frames.push((writer.bytes().to_vec(), "btcusdt@bestBidAsk", FrameKind::BookTicker, None));
        writer.trades(symbol, 1_000, &[SbeTrade { id: 9, price: 5, qty: 1, is_buyer_maker: true }]);
        frames.push((writer.bytes().to_vec(), "btcusdt@trade", FrameKind::Trade, None));
        writer.diff(symbol, 1_000, (7, 8), levels);
        let updates = Some(UpdateIds { first: 7, last: 8 });
        frames.push((writer.bytes().to_vec(), "btcusdt@depth", FrameKind::Depth, updates));
        writer.snapshot(symbol, (1_000, 8), levels);
        frames.push((writer.bytes().to_vec(), "btcusdt@depth20", FrameKind::OtherMarket, None));
        for (bytes, stream, kind, updates) in frames {
            let line = format!(r#"{{"binary":"{}"}}"#, BASE64.encode(&bytes));
            let Ok(RecordedLine::Frame(frame)) = BinaryStreams.line(&line) else {
                panic!("{stream} is a frame")
            };
            let about = (frame.stream.as_ref(), frame.symbol.as_ref(), frame.kind, frame.updates);
            assert_eq!(about, (stream, "BTCUSDT", kind, updates));
            assert_eq!(BinaryStreams.binary(frame.data), Some(bytes));
            assert_eq!(BinaryStreams.event_time_ns(&line), Some(1_000_000));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_with_the_reason() {
        let line = |line| BinaryStreams.line(line);
        assert!(line(r#"{"binary":"!"}"#).is_err() && line(r#"{"binary":"AAAA"}"#).is_err());
        let text = r#"{"stream":"btcusdt@trade","data":{"e":"trade"}}"#;
        assert!(line(text).is_err_and(|why| why.contains("a frame in text")));
        let answer = line(r#"{"result":null,"id":1}"#);
        assert!(matches!(answer, Ok(RecordedLine::LeftOut(_))), "{answer:?}");
    }
}
