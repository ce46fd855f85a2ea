//! The requests of market sessions: subscribe, unsubscribe, list, properties.

use serde_json::Value;

use super::super::super::exchange::StreamKey;
use super::super::super::fault::Occasion;
use super::super::super::server::{Envelope, Session};
use super::super::{Saying, Talk};

/// How a combined session gets its frames.
pub static COMBINED: Envelope =
    Envelope { before: r#"{"stream":""#, between: r#"","data":"#, after: "}" };

/// Takes a request of a market session, and refuses a subscription where a fault wants that.
/// `resolve` finds a stream by its name.
pub fn take(text: &str, talk: &mut Talk<'_>, resolve: impl Fn(&str) -> Option<StreamKey>) {
    let is_refused =
        text.contains("\"SUBSCRIBE\"") && talk.faults.strike(Occasion::Subscribe).is_some();
    let reply = if is_refused {
        let request = serde_json::from_str::<Value>(text).unwrap_or_default();
        error(2, "Invalid request: refused", &request["id"])
    } else {
        let limits = &*talk.limits;
        answer(talk.session, text, resolve, |count| limits.streams(count))
    };
    talk.says.push(Saying::Now(reply));
}

/// Answers a request of a market session. `resolve` finds a stream by its name, `may_have` says
/// whether the session may have so many.
pub fn answer(
    session: &mut Session,
    text: &str,
    resolve: impl Fn(&str) -> Option<StreamKey>,
    may_have: impl Fn(usize) -> bool,
) -> String {
    let request = match MarketRequest::parse(text) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let id = &request.id;
    match request.method.as_str() {
        "SUBSCRIBE" => {
            if !may_have(session.names.len() + request.params.len()) {
                return error(2, "Invalid request: too many parameters", id);
            }
            for name in request.params.iter().filter_map(Value::as_str) {
                session.subscribe(name, resolve(name));
            }
        }
        "UNSUBSCRIBE" => {
            for name in request.params.iter().filter_map(Value::as_str) {
                session.unsubscribe(name, resolve(name));
            }
        }
        "LIST_SUBSCRIPTIONS" => {
            let names = Value::from(session.names.clone());
            return format!(r#"{{"result":{names},"id":{id}}}"#);
        }
        "SET_PROPERTY" => match request.params.as_slice() {
            [name, Value::Bool(combined)] if name == "combined" => {
                session.envelope = combined.then_some(&COMBINED);
            }
            [name, _] if name == "combined" => {
                return error(1, "Invalid value type: expected Boolean", id);
            }
            _ => return error(0, "Unknown property", id),
        },
        "GET_PROPERTY" => match request.params.as_slice() {
            [name] if name == "combined" => {
                return format!(r#"{{"result":{},"id":{id}}}"#, session.envelope.is_some());
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
fn error(code: i32, message: &str, id: &Value) -> String {
    format!(r#"{{"error":{{"code":{code},"msg":{}}},"id":{id}}}"#, Value::from(message))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::exchange::Feed;
    use super::*;

    const TRADE: &str = "btcusdt@trade";

    fn resolve(name: &str) -> Option<StreamKey> {
        (name == TRADE).then(|| StreamKey::new(3, Feed::Trades))
    }

    #[test]
    fn subscriptions_come_and_go() {
        let mut session = Session::new(0);
        let key = StreamKey::new(3, Feed::Trades);
        let text = r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","nope@trade"],"id":7}"#;
        assert_eq!(answer(&mut session, text, resolve, |_| true), r#"{"result":null,"id":7}"#);
        assert!(session.wants(key));
        assert_eq!(
            answer(&mut session, r#"{"method":"LIST_SUBSCRIPTIONS","id":8}"#, resolve, |_| true),
            r#"{"result":["btcusdt@trade","nope@trade"],"id":8}"#
        );
        let text = r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":9}"#;
        answer(&mut session, text, resolve, |_| true);
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
            let reply: Value = serde_json::from_str(&answer(&mut session, text, resolve, |_| true))
                .expect("replies are JSON");
            assert_eq!(reply["error"]["code"], code, "{text}");
        }
    }
}
