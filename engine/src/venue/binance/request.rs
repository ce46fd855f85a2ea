//! Requests of the WebSocket API, as spot and futures have them, and what their failures mean.

use super::credentials::Credentials;
use crate::event::{RejectReason, push_scaled};
use crate::venue::protocol::{Failure, OrderRequest, Outcome};

/// Unknown outcome: internal error, disconnected, unexpected response, timed out.
const UNKNOWN_OUTCOME: [i32; 4] = [-1000, -1001, -1006, -1007];
/// Too many requests.
const TOO_MANY_REQUESTS: i32 = -1003;
/// Too many orders; comes with status 429, and speaks of the account's orders alone.
const TOO_MANY_ORDERS: i32 = -1015;
/// No such order; archived without a fill.
const NO_SUCH_ORDER: [i32; 2] = [-2013, -2026];
/// Unauthorized, invalid signature, and three of the key: unknown, malformed, not allowed.
const BAD_KEY: [i32; 5] = [-1002, -1022, -2008, -2014, -2015];
/// A cancel of an order that is not open.
const CANCEL_OF_NOTHING: i32 = -2011;
/// The time stamp is ahead of the venue's time, or older than `recvWindow`.
const WRONG_TIMESTAMP: i32 = -1021;
/// A user data stream of this account is active on this connection already.
const STREAM_ACTIVE: i32 = -2035;

/// What a failure means at either.
pub(in crate::venue) fn outcome(failure: &Failure<'_>) -> Outcome {
    let Failure { status, code, .. } = *failure;
    if code == TOO_MANY_ORDERS {
        return Outcome::TooManyOrders;
    }
    // 403 is the firewall's, which has no code of the venue.
    if code == TOO_MANY_REQUESTS || matches!(status, 418 | 429) || (status, code) == (403, 0) {
        return Outcome::SlowDown;
    }
    if status >= 500 || UNKNOWN_OUTCOME.contains(&code) {
        return Outcome::Unknown;
    }
    if NO_SUCH_ORDER.contains(&code) {
        return Outcome::NoSuchOrder;
    }
    if BAD_KEY.contains(&code) {
        return Outcome::BadKey;
    }
    if code == CANCEL_OF_NOTHING {
        return Outcome::NotOpen;
    }
    if code == WRONG_TIMESTAMP {
        return Outcome::WrongTime;
    }
    if code == STREAM_ACTIVE {
        return Outcome::Subscribed;
    }
    Outcome::Refused(RejectReason::Venue)
}

/// A request with nothing but its time.
#[cold]
pub(in crate::venue) fn write_timed(id: u64, method: &str, time_ms: i64, out: &mut Vec<u8>) {
    let mut text = RequestText::start(out, id, method);
    text.text(r#"{"timestamp":"#);
    text.bytes(itoa::Buffer::new().format(time_ms).as_bytes());
    text.text("}}");
}

/// `session.logon`, signed.
#[cold]
pub(in crate::venue) fn write_logon(
    id: u64,
    credentials: &Credentials,
    time_ms: i64,
    out: &mut Vec<u8>,
) {
    let api_key = credentials.api_key();
    // The parameters in the order of their names, as they are signed.
    let signature = credentials.sign(&format!("apiKey={api_key}&timestamp={time_ms}"));
    crate::text::hide_passing(&signature);
    let params = format!(r#""apiKey":"{api_key}","signature":"{signature}","timestamp":{time_ms}"#);
    let mut request = RequestText::start(out, id, "session.logon");
    request.text("{");
    request.text(&params);
    request.text("}}");
}

/// A signed question over REST: path, and query.
#[cold]
pub(in crate::venue) fn write_signed_get(
    credentials: &Credentials,
    (path, query): (&str, &str),
    time_ms: i64,
    out: &mut Vec<u8>,
) {
    write_signed(credentials, "GET", (path, query), time_ms, out);
}

/// The same with any method: all of it is in the query.
#[cold]
pub(in crate::venue) fn write_signed(
    credentials: &Credentials,
    method: &str,
    (path, query): (&str, &str),
    time_ms: i64,
    out: &mut Vec<u8>,
) {
    let and = if query.is_empty() { "" } else { "&" };
    let query = format!("{query}{and}timestamp={time_ms}");
    let signature = escaped(&credentials.sign(&query));
    crate::text::hide_passing(&signature);
    let api_key = credentials.api_key();
    out.clear();
    let length = if method == "POST" { "Content-Length: 0\n" } else { "" };
    let text = format!(
        "{method} {path}?{query}&signature={signature}\nX-MBX-APIKEY: {api_key}\n{length}\n"
    );
    out.extend_from_slice(text.as_bytes());
}

/// Base64 as it stands in a query.
fn escaped(base64: &str) -> String {
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// One request's text, written without formatting machinery.
pub(in crate::venue) struct RequestText<'a>(&'a mut Vec<u8>);

impl<'a> RequestText<'a> {
    pub(in crate::venue) fn start(out: &'a mut Vec<u8>, id: u64, method: &str) -> RequestText<'a> {
        out.clear();
        let mut request = RequestText(out);
        request.text(r#"{"id":"#);
        request.bytes(itoa::Buffer::new().format(id).as_bytes());
        request.text(r#","method":""#);
        request.text(method);
        request.text(r#"","params":"#);
        request
    }

    pub(in crate::venue) fn of_order(
        out: &'a mut Vec<u8>,
        request: &OrderRequest<'_>,
        method: &str,
    ) -> RequestText<'a> {
        let mut text = RequestText::start(out, request.id, method);
        text.text(r#"{"symbol":""#);
        text.text(request.native);
        text.text(r#"","origClientOrderId":""#);
        text.bytes(request.name);
        text.text("\"");
        text
    }

    pub(in crate::venue) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(in crate::venue) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// `,"NAME":"NUMBER"`, of a number in units of 10^-`scale`.
    pub(in crate::venue) fn number(&mut self, name: &str, value: i64, scale: u8) {
        self.text(",\"");
        self.text(name);
        self.text("\":\"");
        push_scaled(self.0, value, scale);
        self.text("\"");
    }

    pub(in crate::venue) fn end(&mut self, time_ms: i64) {
        self.text(r#","timestamp":"#);
        self.bytes(itoa::Buffer::new().format(time_ms).as_bytes());
        self.text("}}");
    }
}
