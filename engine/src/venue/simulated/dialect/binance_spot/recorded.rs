//! Recordings of combined streams: frames `{"stream":..,"data":..}` and snapshots over REST.

use super::market_session;
use super::rest::{invalid_symbol, server_time, wanted_symbol};
use crate::venue::simulated::dialect::{RecordedDialect, RecordedRequest};
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::limits::LimitRules;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::{Door, Opening, Reply, Request, Session};

/// The texts around a recording, of spot or of futures.
pub struct CombinedStreams;

impl RecordedDialect for CombinedStreams {
    fn frame_kind(&self, stream: &str) -> FrameKind {
        super::frame_kind(stream)
    }

    fn open(&self, request: &Request) -> Option<Opening> {
        super::opening(request, &LimitRules::default())
    }

    fn answer(
        &self,
        session: &mut Session,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<StreamKey>,
    ) -> String {
        if session.door == Door::Api {
            return r#"{"id":null,"status":400,"error":{"code":-1020,"msg":"A recording takes no orders."}}"#
                .into();
        }
        let streams_max = LimitRules::default().streams_per_connection;
        market_session::answer(session, text, resolve, |count| count <= streams_max)
    }

    fn rest(&self, request: &Request, now: Moment) -> RecordedRequest {
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
