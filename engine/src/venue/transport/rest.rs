//! One GET after the other over HTTP/1.1, without waiting.
//!
//! ```text
//! idle -> connecting -> sending -> reading -> idle, with the reply
//! ```
//!
//! The connection is kept where the venue keeps it. A kept connection that turns out to be closed
//! before the first byte of a reply is opened anew, once: a GET may be sent twice.
//!
//! **No redirect is followed.** What is asked carries weights and, one day, keys, and goes to the
//! configured host or nowhere: a 3xx is an error that names its target.

use std::io::{self, Read, Write};

use mio::event::Source;
use mio::{Interest, Registry, Token};
use thiserror::Error;

use super::{Endpoint, RetryAfter};
use crate::world::{Lookup, Net, Stream};

/// Bytes of a reply's head, at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a reply, at most.
const HEADERS_MAX: usize = 64;
/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Reads in one step, so that other agents get their turn.
const READS_PER_STEP: usize = 16;
const NO_REQUEST: RestError = RestError::Protocol("a request without a method or a path");

/// What a [`RestClient`] is made of.
#[derive(Clone, Debug)]
pub struct RestOptions {
    /// Where to ask; its path comes before the path of each request.
    pub endpoint: Endpoint,
    /// The network.
    pub net: Net,
    /// Number of its socket in the poller; unique there.
    pub token: usize,
    /// Connect, request and reply together may take this long, ns.
    pub timeout_ns: u64,
    /// Bytes of a body, at most.
    pub body_bytes_max: usize,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestReply {
    /// Its status; never 3xx.
    pub status: u16,
    /// When the venue wants the next request, where it says so.
    pub retry_after: Option<RetryAfter>,
    /// Its headers: names and values, as far as they are UTF-8.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why a request has no reply.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum RestError {
    #[error("request failed: {0} (code: io)")]
    Io(#[from] io::Error),
    #[error("request failed: no reply in time (code: deadline)")]
    Deadline,
    #[error("request failed: {0} (code: protocol)")]
    Protocol(&'static str),
    #[error("request failed: redirected to {target}, which is not followed (code: http {status})")]
    Redirected { status: u16, target: String },
    #[error("request failed: a reply of more than {0} bytes (code: size)")]
    Oversize(usize),
}

enum State {
    /// No request; perhaps a kept connection.
    Idle(Option<Stream>),
    Connecting(Stream),
    /// Sending the request, then reading its reply.
    Asking {
        stream: Stream,
        sent: usize,
        is_kept: bool,
    },
}

/// Asks one thing at a time.
pub struct RestClient {
    options: RestOptions,
    registry: Option<Registry>,
    state: State,
    request: Vec<u8>,
    reply: Vec<u8>,
    read: Box<[u8]>,
    deadline_ns: u64,
    lookup: Option<Lookup>,
    next_address: usize,
}

impl RestClient {
    /// A client that connects with its first request.
    #[must_use]
    pub fn new(options: RestOptions) -> RestClient {
        RestClient {
            options,
            registry: None,
            state: State::Idle(None),
            request: Vec::new(),
            reply: Vec::new(),
            read: vec![0; READ_BYTES].into(),
            deadline_ns: u64::MAX,
            lookup: None,
            next_address: 0,
        }
    }

    /// Takes a poller, so that the socket can end its sleep.
    ///
    /// # Errors
    /// The system's.
    pub fn register(&mut self, registry: &Registry) -> io::Result<()> {
        self.registry = Some(registry.try_clone()?);
        Ok(())
    }

    /// Whether the next request opens a connection.
    #[must_use]
    pub fn needs_connection(&self) -> bool {
        matches!(self.state, State::Idle(None))
    }

    /// Whether a request can be taken.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle(_))
    }

    /// When the request is given up, ns; `u64::MAX` without one.
    #[must_use]
    pub fn deadline_ns(&self) -> u64 {
        if self.is_idle() { u64::MAX } else { self.deadline_ns }
    }

    /// Asks for `path`, with its query. The steps that follow do the work.
    ///
    /// # Errors
    /// When no connection can be tried.
    ///
    /// # Panics
    /// When the client isn't idle.
    pub fn get(&mut self, path: &str, now_ns: u64) -> Result<(), RestError> {
        self.ask(format!("GET {path}\n\n").as_bytes(), now_ns)
    }

    /// Asks for what `request` says: a line with the method and the path, lines of headers, an
    /// empty line, and the body, if there is one, without ends of lines.
    ///
    /// # Errors
    /// When no connection can be tried, or the request is none.
    ///
    /// # Panics
    /// When the client isn't idle.
    pub fn ask(&mut self, request: &[u8], now_ns: u64) -> Result<(), RestError> {
        let State::Idle(kept) = &mut self.state else { panic!("one request at a time") };
        let kept = kept.take();
        let endpoint = &self.options.endpoint;
        let (base, host) = (endpoint.path().trim_end_matches('/'), endpoint.host());
        let text = str::from_utf8(request).ok();
        let (method, rest) = text.and_then(|text| text.split_once(' ')).ok_or(NO_REQUEST)?;
        let (path, headers) = rest.split_once('\n').ok_or(NO_REQUEST)?;
        let headers = headers.replace('\n', "\r\n");
        self.request.clear();
        let head = format!(
            "{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: pitlane\r\n\
             Accept: application/json\r\n{headers}"
        );
        self.request.extend_from_slice(head.as_bytes());
        self.reply.clear();
        self.deadline_ns = now_ns + self.options.timeout_ns;
        self.state = match kept {
            Some(stream) => State::Asking { stream, sent: 0, is_kept: true },
            None => State::Connecting(self.connect()?),
        };
        Ok(())
    }

    /// Goes on as far as the socket does. `Some` when the request has come to its end.
    pub fn step(&mut self, now_ns: u64) -> Option<Result<RestReply, RestError>> {
        if self.is_idle() {
            return None;
        }
        let outcome = match self.try_step() {
            Ok(None) if now_ns < self.deadline_ns => return None,
            Ok(None) => Err(RestError::Deadline),
            Ok(Some(reply)) => Ok(reply),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.state = State::Idle(None);
            self.lookup = Some(self.options.net.look_up(self.options.endpoint.authority()));
        }
        Some(outcome)
    }

    fn try_step(&mut self) -> Result<Option<RestReply>, RestError> {
        if let State::Connecting(stream) = &mut self.state {
            if !stream.is_connected()? {
                return Ok(None);
            }
            let State::Connecting(stream) = std::mem::replace(&mut self.state, State::Idle(None))
            else {
                return Ok(None);
            };
            self.state = State::Asking { stream, sent: 0, is_kept: false };
        }
        match self.send_and_read() {
            // The venue had closed the connection that was kept.
            Err(RestError::Io(_)) if self.is_stale() => {
                self.state = State::Connecting(self.connect()?);
                Ok(None)
            }
            outcome => outcome,
        }
    }

    fn is_stale(&self) -> bool {
        matches!(self.state, State::Asking { is_kept: true, .. }) && self.reply.is_empty()
    }

    /// Sends what is left of the request, and reads.
    fn send_and_read(&mut self) -> Result<Option<RestReply>, RestError> {
        let State::Asking { stream, sent, .. } = &mut self.state else { return Ok(None) };
        while *sent < self.request.len() {
            match stream.write(&self.request[*sent..]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(count) => *sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        for _ in 0..READS_PER_STEP {
            let is_end = match stream.read(&mut self.read) {
                Ok(count) => {
                    self.reply.extend_from_slice(&self.read[..count]);
                    count == 0
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            if let Some(whole) = parse(&self.reply, is_end, self.options.body_bytes_max)? {
                let is_reusable = whole.keeps && !is_end && whole.bytes == self.reply.len();
                let state = std::mem::replace(&mut self.state, State::Idle(None));
                if let State::Asking { stream, .. } = state
                    && is_reusable
                {
                    self.state = State::Idle(Some(stream));
                }
                return Ok(Some(whole.reply));
            }
            if is_end {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(None)
    }

    fn connect(&mut self) -> io::Result<Stream> {
        match self.lookup.as_ref().and_then(Lookup::poll) {
            None => {}
            Some(Ok(addresses)) => self.options.endpoint.set_addresses(addresses),
            Some(Err(error)) => {
                let endpoint = &self.options.endpoint;
                log::warn!("[rest] resolving {endpoint} again failed: {error} (code: dns)");
            }
        }
        let addresses = self.options.endpoint.addresses();
        let address = addresses[self.next_address % addresses.len()];
        self.next_address += 1;
        let mut stream = self.options.net.connect(address, self.options.endpoint.tls())?;
        if let Some(registry) = &self.registry {
            let token = Token(self.options.token);
            stream.register(registry, token, Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(stream)
    }
}

/// A reply with all that was read of it.
struct Whole {
    reply: RestReply,
    bytes: usize,
    /// The connection may be used again.
    keeps: bool,
}

/// How long a body is.
enum Length {
    Bytes(usize),
    Chunked,
    UntilEnd,
}

/// Takes a reply apart; `None` when more is to come.
fn parse(bytes: &[u8], is_end: bool, body_bytes_max: usize) -> Result<Option<Whole>, RestError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let at = match head.parse(bytes) {
        Ok(httparse::Status::Complete(at)) => at,
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_BYTES_MAX => {
            return Err(RestError::Protocol("the reply's head does not end"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(RestError::Protocol("the reply is no HTTP")),
    };
    let status = head.code.ok_or(RestError::Protocol("the reply has no status"))?;
    let find = |name: &str| {
        let mut found = head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        found.next().and_then(|header| str::from_utf8(header.value).ok()).map(str::trim)
    };
    if (300..400).contains(&status) {
        let target = find("location").unwrap_or("nowhere").escape_debug().to_string();
        return Err(RestError::Redirected { status, target });
    }
    let length = match (find("transfer-encoding"), find("content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Length::Chunked,
        (Some(_), _) => return Err(RestError::Protocol("an unknown transfer coding")),
        (None, Some(length)) => Length::Bytes(
            length
                .parse()
                .map_err(|_| RestError::Protocol("the length of the body is no number"))?,
        ),
        (None, None) => Length::UntilEnd,
    };
    let rest = &bytes[at..];
    let body = match length {
        Length::Bytes(count) if count > body_bytes_max => {
            return Err(RestError::Oversize(body_bytes_max));
        }
        Length::Bytes(count) => rest.get(..count).map(|body| (body.to_vec(), count)),
        Length::Chunked => chunks(rest, body_bytes_max)?,
        Length::UntilEnd => is_end.then(|| (rest.to_vec(), rest.len())),
    };
    // Chunks have headers of their own; twice the body's limit holds them.
    if rest.len() > 2 * body_bytes_max {
        return Err(RestError::Oversize(body_bytes_max));
    }
    let keeps = !find("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(body.map(|(body, count)| Whole {
        reply: RestReply {
            status,
            retry_after: find("retry-after").and_then(|at| RetryAfter::read(at, find("date"))),
            headers: head.headers.iter().filter_map(text_of).collect(),
            body,
        },
        bytes: at + count,
        keeps,
    }))
}

fn text_of(header: &httparse::Header<'_>) -> Option<(String, String)> {
    let value = str::from_utf8(header.value).ok()?;
    Some((header.name.to_owned(), value.trim().to_owned()))
}

/// Joins the chunks of a body; with the bytes that they took. `None` when more are to come.
fn chunks(bytes: &[u8], body_bytes_max: usize) -> Result<Option<(Vec<u8>, usize)>, RestError> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (header, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(RestError::Protocol("a chunk has no size")),
        };
        let left = body_bytes_max - body.len();
        let size = usize::try_from(size).ok().filter(|size| *size <= left);
        let size = size.ok_or(RestError::Oversize(body_bytes_max))?;
        at += header;
        let Some(chunk) = bytes.get(at..at + size + 2) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err(RestError::Protocol("a chunk does not end where it says"));
        }
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::transport::Scheme;
    use crate::world::{Clock, Listener, ManualTime, NetConditions, VirtualNet};

    const BODY: &str = r#"{"lastUpdateId":7}"#;

    struct Bench {
        net: VirtualNet,
        clock: Clock,
        time: ManualTime,
        listener: Listener,
        served: Option<Stream>,
        client: RestClient,
    }

    impl Bench {
        fn new(split_ppm: u32) -> Bench {
            let (clock, time) = Clock::manual(0);
            let conditions = NetConditions { split_ppm, ..NetConditions::default() };
            let net = VirtualNet::new(clock.clone(), 9, conditions);
            let world = Net::Virtual(net.clone());
            let listener = world.listen("10.0.0.1:80".parse().unwrap()).unwrap();
            let url = "http://10.0.0.1:80/base";
            let options = RestOptions {
                endpoint: Endpoint::parse(url, Scheme::Http, &world, None).unwrap(),
                net: world,
                token: 0,
                timeout_ns: 1_000_000_000,
                body_bytes_max: 1_000,
            };
            let client = RestClient::new(options);
            Bench { net, clock, time, listener, served: None, client }
        }

        /// Asks; the venue gives `replies` to the requests that it reads, and hangs up behind each
        /// if told.
        fn ask(&mut self, reply: &str, hangs_up: bool) -> Result<RestReply, RestError> {
            self.client.get("/depth?symbol=X", self.clock.now_ns()).unwrap();
            let mut request = Vec::new();
            loop {
                if let Some(outcome) = self.client.step(self.clock.now_ns()) {
                    return outcome;
                }
                if let Ok((stream, _)) = self.listener.accept() {
                    self.served = Some(stream);
                }
                let mut bytes = [0; 512];
                if let Some(stream) = &mut self.served
                    && let Ok(count) = stream.read(&mut bytes)
                {
                    request.extend_from_slice(&bytes[..count]);
                    if request.ends_with(b"\r\n\r\n") {
                        assert!(request.starts_with(b"GET /base/depth?symbol=X HTTP/1.1\r\n"));
                        request.clear();
                        reply.as_bytes().chunks(7).for_each(|part| stream.write_all(part).unwrap());
                        if hangs_up {
                            self.served = None;
                        }
                    }
                }
                let next_ns = self.net.next_due_ns().min(self.client.deadline_ns());
                self.time.advance_to_ns(next_ns);
            }
        }
    }

    fn plain(status: &str, headers: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{BODY}", BODY.len())
    }

    #[test]
    fn bodies_of_every_length_come_whole_however_the_bytes_are_split() {
        let chunked = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\nd\r\n{}\r\n0\r\n\r\n",
            &BODY[..5],
            &BODY[5..]
        );
        let until_end = format!("HTTP/1.1 200 OK\r\n\r\n{BODY}");
        let mut bench = Bench::new(500_000);
        for (reply, hangs_up) in
            [(&plain("200 OK", ""), false), (&chunked, false), (&until_end, true)]
        {
            let reply = bench.ask(reply, hangs_up).unwrap();
            assert_eq!((reply.status, reply.body.as_slice()), (200, BODY.as_bytes()));
        }
        assert!(bench.net.totals().splits > 3);
        assert_eq!(bench.net.totals().connections, 1, "the connection was kept");
    }

    #[test]
    fn a_kept_connection_that_the_venue_has_closed_is_opened_anew() {
        let mut bench = Bench::new(0);
        bench.ask(&plain("200 OK", ""), true).unwrap();
        bench.ask(&plain("200 OK", ""), false).unwrap();
        assert_eq!(bench.net.totals().connections, 2);
    }

    #[test]
    fn a_redirect_is_an_error_that_names_its_target() {
        let mut bench = Bench::new(0);
        let moved = plain("302 Found", "Location: http://10.6.6.6/steal\r\n");
        let error = bench.ask(&moved, false).unwrap_err().to_string();
        assert_eq!(
            error,
            "request failed: redirected to http://10.6.6.6/steal, which is not followed (code: http 302)"
        );
        assert_eq!((bench.net.totals().connections, bench.net.totals().refused), (1, 0));
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let mut bench = Bench::new(0);
        let reply = bench.ask(&plain("429 Slow", "Retry-After: 259200\r\n"), false).unwrap();
        let wanted = Some(RetryAfter::Seconds(259_200));
        assert_eq!((reply.status, reply.retry_after), (429, wanted));
        assert!(reply.headers.contains(&("Retry-After".to_owned(), "259200".to_owned())));
    }

    #[test]
    fn what_is_no_reply_is_refused_with_its_reason() {
        let refused = |reply: &str| Bench::new(0).ask(reply, true).unwrap_err();
        assert!(matches!(refused("\u{16}\u{3}\u{1} tls\r\n\r\n"), RestError::Protocol(_)));
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
        assert!(matches!(refused(long), RestError::Oversize(1_000)));
        let cut = &plain("200 OK", "")[..50];
        assert!(matches!(refused(cut), RestError::Io(_)));
        let mut silent = Bench::new(0);
        assert!(matches!(silent.ask("", false).unwrap_err(), RestError::Deadline));
        assert_eq!(silent.clock.now_ns(), 1_000_000_000);
    }
}
