//! The few pieces of HTTP/1.1 that the venue speaks: requests without a body, replies with a
//! length.

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Status};

use crate::venue::transport::accept_key;

/// A request head longer than this is refused.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Longest body of a request.
const BODY_BYTES_MAX: usize = 16 << 10;

/// A request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query as sent, without the question mark.
    pub query: String,
    /// Its headers: names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Its body; empty without one.
    pub body: String,
    /// The WebSocket key, when the request asks for an upgrade that this server can give.
    pub websocket_key: Option<String>,
    /// Whether the connection stays open afterwards.
    pub keep_alive: bool,
}

/// What the head of a request says.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head is not complete yet.
    Partial,
    /// A whole head of so many bytes.
    Whole(Box<HttpRequest>, usize),
    /// Not HTTP, or too long.
    Bad,
}

/// Reads one request head from the start of `bytes`.
pub fn parse_request(bytes: &[u8]) -> Parsed {
    let mut headers = [EMPTY_HEADER; 48];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Parsed::Partial,
        _ => return Parsed::Bad,
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let has = |name, token: &str| {
        header(name).is_some_and(|value: &str| {
            value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    };
    let body_bytes = match header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(bytes)) if bytes <= BODY_BYTES_MAX => bytes,
        Some(_) => return Parsed::Bad,
    };
    if header("transfer-encoding").is_some() {
        return Parsed::Bad;
    }
    let Some(body) = bytes.get(length..length + body_bytes) else { return Parsed::Partial };
    let Ok(body) = std::str::from_utf8(body) else { return Parsed::Bad };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let upgrades = has("upgrade", "websocket")
        && has("connection", "upgrade")
        && header("sec-websocket-version") == Some("13");
    let request = HttpRequest {
        method: head.method.unwrap_or("").into(),
        path: path.into(),
        query: query.into(),
        headers: head.headers.iter().filter_map(text_of).collect(),
        body: body.to_owned(),
        websocket_key: header("sec-websocket-key").filter(|_| upgrades).map(Into::into),
        keep_alive: head.version == Some(1) && !has("connection", "close"),
    };
    Parsed::Whole(Box::new(request), length + body_bytes)
}

fn text_of(header: &httparse::Header<'_>) -> Option<(String, String)> {
    let value = std::str::from_utf8(header.value).ok()?;
    Some((header.name.to_ascii_lowercase(), value.trim().to_owned()))
}

impl HttpRequest {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// A parameter of the query, percent-decoded.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| percent_decode(value))
        })
    }
}

fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => b'?',
                }
            }
            byte => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// A reply of the REST side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Beside those that every reply has.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// Status 200 with a JSON body.
    pub fn json(body: Vec<u8>) -> Self {
        Self::new(200, body)
    }

    /// A status with a body.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// No such path.
    pub fn not_found() -> Self {
        Self::new(404, b"{}".to_vec())
    }

    /// Appends the reply's bytes.
    pub fn write(&self, out: &mut Vec<u8>, keep_alive: bool) {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            403 => "Forbidden",
            405 => "Method Not Allowed",
            418 => "I'm a teapot",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            _ => "Status",
        };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let mut head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: application/json;charset=UTF-8\r\n\
             Content-Length: {}\r\nConnection: {connection}\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&self.body);
    }
}

/// The reply that completes a WebSocket handshake.
pub fn write_handshake(out: &mut Vec<u8>, websocket_key: &str) {
    let accept = accept_key(websocket_key);
    out.extend_from_slice(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .as_bytes(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"GET /api/v3/depth?symbol=BTCUSDT&limit=5 HTTP/1.1\r\nHost: a\r\n\r\nrest";
        assert_eq!(parse_request(&text[..30]), Parsed::Partial);
        let Parsed::Whole(request, length) = parse_request(text) else { panic!("whole head") };
        assert_eq!(&text[length..], b"rest");
        assert_eq!((request.path.as_str(), request.keep_alive), ("/api/v3/depth", true));
        assert_eq!(request.parameter("limit").as_deref(), Some("5"));
        assert_eq!((request.header("host"), request.header("x-key")), (Some("a"), None));
        assert_eq!(request.websocket_key, None);
    }

    #[test]
    fn a_body_belongs_to_its_request_and_is_waited_for() {
        let text = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{\"\"}GET";
        for end in [0, 20, text.len() - 4] {
            assert_eq!(parse_request(&text[..end]), Parsed::Partial);
        }
        let Parsed::Whole(request, length) = parse_request(text) else { panic!() };
        assert_eq!((request.body.as_str(), &text[length..]), ("{\"\"}", &b"GET"[..]));
        let long = b"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
        assert_eq!(parse_request(long), Parsed::Bad);
    }

    #[test]
    fn what_is_not_http_is_bad() {
        assert_eq!(parse_request(b"\x16\x03\x01\x02\x00"), Parsed::Bad);
        assert_eq!(parse_request(&[b'a'; HEAD_BYTES_MAX]), Parsed::Bad);
    }

    #[test]
    fn a_list_of_symbols_is_percent_decoded() {
        assert_eq!(percent_decode("%5B%22BTCUSDT%22%5D"), r#"["BTCUSDT"]"#);
        assert_eq!(percent_decode("a%zz"), "a?");
    }
}
