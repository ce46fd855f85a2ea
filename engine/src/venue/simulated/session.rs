//! What the venue knows about one WebSocket session, and the requests of market sessions.

use std::time::Instant;

use serde_json::Value;

use super::stream::StreamKey;

/// The venue's own limit of streams a connection.
const STREAMS_MAX: usize = 1_024;

/// Which door the session came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Plain HTTP so far.
    Rest,
    /// `/stream` or `/ws`.
    Market,
    /// `/ws-api/v3`.
    Api,
}

/// The state of a session.
pub(super) struct Session {
    pub(super) door: Door,
    /// Frames are wrapped with their stream's name.
    pub(super) is_combined: bool,
    names: Vec<String>,
    masks: Vec<u8>,
    /// Milliseconds of the epoch.
    pub(super) connected_ms: i64,
    /// Milliseconds of the epoch at which it logged on.
    pub(super) authorized_ms: Option<i64>,
    pub(super) user_subscription: Option<u32>,
    pub(super) returns_rate_limits: bool,
    /// A frame held back by a reorder fault, with its stream.
    pub(super) held: Option<(String, Vec<u8>)>,
    /// Market frames are lost until then.
    pub(super) muted_until: Option<Instant>,
}

impl Session {
    pub(super) fn new(connected_ms: i64) -> Self {
        Self {
            door: Door::Rest,
            is_combined: true,
            names: Vec::new(),
            masks: Vec::new(),
            connected_ms,
            authorized_ms: None,
            user_subscription: None,
            returns_rate_limits: true,
            held: None,
            muted_until: None,
        }
    }

    /// Whether the session wants a stream.
    pub(super) fn wants(&self, key: StreamKey) -> bool {
        self.masks.get(key.index).is_some_and(|mask| mask & key.bit != 0)
    }

    pub(super) fn subscribe(&mut self, name: &str, key: Option<StreamKey>) {
        if self.names.iter().any(|known| known == name) {
            return;
        }
        self.names.push(name.into());
        if let Some(key) = key {
            if self.masks.len() <= key.index {
                self.masks.resize(key.index + 1, 0);
            }
            self.masks[key.index] |= key.bit;
        }
    }

    fn unsubscribe(&mut self, name: &str, key: Option<StreamKey>) {
        self.names.retain(|known| known != name);
        if let Some(mask) = key.and_then(|key| self.masks.get_mut(key.index).zip(Some(key))) {
            *mask.0 &= !mask.1.bit;
        }
    }

    /// Answers a request of a market session. `resolve` finds a stream by its name.
    pub(super) fn market_request(
        &mut self,
        text: &str,
        resolve: impl Fn(&str) -> Option<StreamKey>,
    ) -> String {
        let request = match MarketRequest::parse(text) {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        let id = &request.id;
        match request.method.as_str() {
            "SUBSCRIBE" => {
                if self.names.len() + request.params.len() > STREAMS_MAX {
                    return error(2, "Invalid request: too many parameters", id);
                }
                for name in request.params.iter().filter_map(Value::as_str) {
                    self.subscribe(name, resolve(name));
                }
            }
            "UNSUBSCRIBE" => {
                for name in request.params.iter().filter_map(Value::as_str) {
                    self.unsubscribe(name, resolve(name));
                }
            }
            "LIST_SUBSCRIPTIONS" => {
                let names = Value::from(self.names.clone());
                return format!(r#"{{"result":{names},"id":{id}}}"#);
            }
            "SET_PROPERTY" => match request.params.as_slice() {
                [name, Value::Bool(combined)] if name == "combined" => {
                    self.is_combined = *combined;
                }
                [name, _] if name == "combined" => {
                    return error(1, "Invalid value type: expected Boolean", id);
                }
                _ => return error(0, "Unknown property", id),
            },
            "GET_PROPERTY" => match request.params.as_slice() {
                [name] if name == "combined" => {
                    return format!(r#"{{"result":{},"id":{id}}}"#, self.is_combined);
                }
                _ => return error(0, "Unknown property", id),
            },
            method => {
                let message = format!(
                    "Invalid request: unknown variant `{method}`, expected one of `SUBSCRIBE`, \
                     `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
                );
                return error(2, &message, id);
            }
        }
        format!(r#"{{"result":null,"id":{id}}}"#)
    }
}

/// A request of a market session, its parts checked.
struct MarketRequest {
    method: String,
    params: Vec<Value>,
    id: Value,
}

impl MarketRequest {
    /// The request, or the text that refuses it.
    fn parse(text: &str) -> Result<Self, String> {
        let none = Value::from("");
        let value: Value = serde_json::from_str(text)
            .map_err(|why| error(3, &format!("Invalid JSON: {why}"), &none))?;
        let id = value.get("id").cloned().unwrap_or(Value::Null);
        if !(id.is_u64() || id.is_null() || id.as_str().is_some_and(|id| id.len() <= 36)) {
            let message = "Invalid request: request ID must be an unsigned integer";
            return Err(error(2, message, &none));
        }
        let Some(method) = value.get("method").and_then(Value::as_str) else {
            return Err(error(2, "Invalid request: missing field `method`", &id));
        };
        let params = value.get("params").and_then(Value::as_array).cloned().unwrap_or_default();
        if method.ends_with("SUBSCRIBE") && !params.iter().all(Value::is_string) {
            return Err(error(2, "Invalid request: stream name must be a string", &id));
        }
        Ok(Self { method: method.into(), params, id })
    }
}

/// The venue's error reply of market sessions.
pub(super) fn error(code: i32, message: &str, id: &Value) -> String {
    format!(r#"{{"error":{{"code":{code},"msg":{}}},"id":{id}}}"#, Value::from(message))
}

#[cfg(test)]
mod tests {
    use super::super::stream::StreamKind;
    use super::*;

    const TRADE: &str = "btcusdt@trade";

    fn resolve(name: &str) -> Option<StreamKey> {
        (name == TRADE).then(|| StreamKey::new(3, StreamKind::Trade))
    }

    #[test]
    fn subscriptions_come_and_go() {
        let mut session = Session::new(0);
        let key = StreamKey::new(3, StreamKind::Trade);
        let text = r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","nope@trade"],"id":7}"#;
        assert_eq!(session.market_request(text, resolve), r#"{"result":null,"id":7}"#);
        assert!(session.wants(key));
        assert_eq!(
            session.market_request(r#"{"method":"LIST_SUBSCRIPTIONS","id":8}"#, resolve),
            r#"{"result":["btcusdt@trade","nope@trade"],"id":8}"#
        );
        let text = r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":9}"#;
        session.market_request(text, resolve);
        assert!(!session.wants(key));
    }

    #[test]
    fn bad_requests_are_answered_with_the_venues_codes() {
        let mut session = Session::new(0);
        for (text, code) in [
            ("{", 3),
            (r#"{"method":"X","id":1}"#, 2),
            (r#"{"id":1}"#, 2),
            (r#"{"method":"SUBSCRIBE","params":[1],"id":1}"#, 2),
            (r#"{"method":"SUBSCRIBE","params":[],"id":-1}"#, 2),
            (r#"{"method":"SET_PROPERTY","params":["combined",1],"id":1}"#, 1),
            (r#"{"method":"GET_PROPERTY","params":["colour"],"id":1}"#, 0),
        ] {
            let reply: Value = serde_json::from_str(&session.market_request(text, resolve))
                .expect("replies are JSON");
            assert_eq!(reply["error"]["code"], code, "{text}");
        }
    }
}
