//! One request after the other over HTTP/1.1, without waiting.
//!
//! ```text
//! idle -> connecting -> sending -> reading -> idle, with the reply
//! ```
//!
//! The connection is kept where the venue keeps it. A kept connection that turns out to be closed
//! before the first byte of a reply is opened anew, once: a GET may be sent twice. What must not be
//! is asked with [`RestClient::ask_once`].
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
/// Headers of every request.
const COMMON: &str = "\r\nUser-Agent: pitlane\r\nAccept: application/json\r\n";
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
    /// The request in hand is written once.
    is_once: bool,
    /// Something of the last request was handed to the system.
    was_sent: bool,
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
            is_once: false,
            was_sent: false,
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
    #[inline]
    pub fn ask(&mut self, request: &[u8], now_ns: u64) -> Result<(), RestError> {
        self.begin(request, false, now_ns)
    }

    /// The same for what changes something: it is written once. A connection that was kept is
    /// looked at before, and one that has ended is opened anew; where it ends later, behind what
    /// was written, that is an error.
    ///
    /// # Errors
    /// As [`RestClient::ask`].
    ///
    /// # Panics
    /// When the client isn't idle.
    #[inline]
    pub fn ask_once(&mut self, request: &[u8], now_ns: u64) -> Result<(), RestError> {
        self.begin(request, true, now_ns)
    }

    /// Allocates nothing where a connection was kept and there is room for the request.
    fn begin(&mut self, request: &[u8], is_once: bool, now_ns: u64) -> Result<(), RestError> {
        let State::Idle(kept) = &mut self.state else { panic!("one request at a time") };
        let mut kept = kept.take();
        // What nobody asked for would be taken for the answer.
        if kept.as_mut().is_some_and(|stream| !is_quiet(stream, &mut self.read)) {
            kept = None;
        }
        let endpoint = &self.options.endpoint;
        let text = str::from_utf8(request).map_err(|_| NO_REQUEST)?;
        let (method, rest) = text.split_once(' ').ok_or(NO_REQUEST)?;
        let (path, headers) = rest.split_once('\n').ok_or(NO_REQUEST)?;
        self.request.clear();
        let base = endpoint.path().trim_end_matches('/');
        let head = [method, " ", base, path, " HTTP/1.1\r\nHost: ", endpoint.host(), COMMON];
        head.iter().for_each(|part| self.request.extend_from_slice(part.as_bytes()));
        for (number, line) in headers.split('\n').enumerate() {
            let end: &[u8] = if number == 0 { b"" } else { b"\r\n" };
            self.request.extend_from_slice(end);
            self.request.extend_from_slice(line.as_bytes());
        }
        self.reply.clear();
        (self.is_once, self.was_sent) = (is_once, false);
        self.deadline_ns = now_ns + self.options.timeout_ns;
        self.state = match kept {
            Some(stream) => State::Asking { stream, sent: 0, is_kept: true },
            None => State::Connecting(self.connect()?),
        };
        Ok(())
    }

    /// Whether something of the last request was handed to the system: the venue may have it.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.was_sent
    }

    /// Whether the request in hand has not left in whole.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        match &self.state {
            State::Idle(_) => false,
            State::Connecting(_) => true,
            State::Asking { sent, .. } => *sent < self.request.len(),
        }
    }

    /// Drops the request in hand where nothing of it has left.
    pub fn give_up_unsent(&mut self) {
        if !self.is_idle() && !self.was_sent {
            self.state = State::Idle(None);
        }
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
        let may_repeat = !self.is_once || !self.was_sent;
        let is_kept = matches!(self.state, State::Asking { is_kept: true, .. });
        is_kept && self.reply.is_empty() && may_repeat
    }

    /// Sends what is left of the request, and reads.
    fn send_and_read(&mut self) -> Result<Option<RestReply>, RestError> {
        let State::Asking { stream, sent, .. } = &mut self.state else { return Ok(None) };
        while *sent < self.request.len() {
            match stream.write(&self.request[*sent..]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(count) => {
                    *sent += count;
                    self.was_sent = true;
                }
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

/// Whether a connection that was kept stands, and nothing has come on it that nobody asked for.
fn is_quiet(stream: &mut Stream, read: &mut [u8]) -> bool {
    matches!(stream.read(read), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
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
mod tests;
