//! One connection: plain HTTP first, a WebSocket after a handshake.

use std::io::{ErrorKind, Read};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes, WebSocket};

use super::http::{self, HttpRequest, Parsed};
use super::session::Session;
use super::wire::Wire;
use crate::rate::SecondCount;
use crate::venue::simulated::moment::Moment;

/// A client's message longer than this ends the connection.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// The venue pings this often.
const PING_INTERVAL_NS: u64 = 20_000_000_000;
/// Who has not answered a ping for so long is cut off.
const SILENCE_MAX_NS: u64 = 60_000_000_000;

/// A connection and its session.
pub struct Client {
    state: State,
    pub session: Session,
    /// When bytes last came from it, and when it was connected.
    pub heard_ns: u64,
    pub connected_ns: u64,
    /// It was told that it will be disconnected.
    pub is_warned: bool,
    /// Which of all connections it is.
    pub serial: u64,
    pings: Pings,
    messages: SecondCount,
    /// It is to be dropped once its bytes have left, or at once when they do not.
    pub is_closing: bool,
    /// It is to be dropped now.
    pub is_dead: bool,
}

/// The pings of a WebSocket: an answer counts only when it has the payload.
#[derive(Debug)]
struct Pings {
    sent_ns: u64,
    /// Since when an answer is owed, and its payload.
    unanswered: Option<(u64, String)>,
}

enum State {
    Http {
        wire: Wire,
        input: Vec<u8>,
    },
    Open(Box<WebSocket<Wire>>),
    /// Only while a state is replaced.
    Between,
}

/// What a connection has to say.
pub enum Input {
    /// More messages in a second than the session may send.
    TooMany,
    HttpRequest(Box<HttpRequest>),
    Text(Utf8Bytes),
}

impl Client {
    pub fn new(wire: Wire, now: Moment, serial: u64) -> Self {
        Self {
            state: State::Http { wire, input: Vec::new() },
            session: Session::new(now.epoch_ms),
            heard_ns: now.ns,
            connected_ns: now.ns,
            is_warned: false,
            serial,
            pings: Pings { sent_ns: now.ns, unanswered: None },
            messages: SecondCount::default(),
            is_closing: false,
            is_dead: false,
        }
    }

    pub fn wire(&mut self) -> &mut Wire {
        match &mut self.state {
            State::Http { wire, .. } => wire,
            State::Open(socket) => socket.get_mut(),
            State::Between => unreachable!("a state is replaced in one step"),
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The next request or message, or `None` when there is nothing whole to read now.
    pub fn next_input(&mut self, now_ns: u64) -> Option<Input> {
        if self.is_dead || self.is_closing {
            return None;
        }
        match self.state {
            State::Http { .. } => self.next_request(now_ns).map(Input::HttpRequest),
            State::Open(_) => self.next_text(now_ns),
            State::Between => None,
        }
    }

    /// Answers the handshake and becomes a WebSocket.
    pub fn upgrade(&mut self, websocket_key: &str) {
        let State::Http { mut wire, input } = std::mem::replace(&mut self.state, State::Between)
        else {
            unreachable!("only an HTTP request asks for an upgrade")
        };
        http::write_handshake(wire.out(), websocket_key);
        let config = WebSocketConfig::default()
            // Requests are short, and every look for one clears the buffer.
            .read_buffer_size(2 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        // Bytes behind the request's head belong to the WebSocket already.
        let socket = WebSocket::from_partially_read(wire, input, Role::Server, Some(config));
        self.state = State::Open(Box::new(socket));
    }

    /// Appends a text frame of several parts.
    pub fn append_text(&mut self, parts: &[&[u8]]) {
        append_frame(self.wire().out(), text_header(), parts);
    }

    /// The same of one part, with the frame's number where the session's frames have some.
    pub fn append_numbered(&mut self, text: &[u8]) {
        let numbered = self.session.number(text);
        self.append_text(&[numbered.as_deref().unwrap_or(text)]);
    }

    /// Pings when that is due. Whether it did.
    pub fn ping(&mut self, now: Moment) -> bool {
        if !self.is_open() || now.ns < self.pings.sent_ns + PING_INTERVAL_NS {
            return false;
        }
        let payload = now.epoch_ms.to_string();
        let opcode = OpCode::Control(Control::Ping);
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        append_frame(self.wire().out(), header, &[payload.as_bytes()]);
        self.pings.sent_ns = now.ns;
        let since_ns = self.pings.unanswered.take().map_or(now.ns, |(since_ns, _)| since_ns);
        self.pings.unanswered = Some((since_ns, payload));
        true
    }

    /// Whether it owes an answer to a ping for too long, or an HTTP client said nothing for as
    /// long.
    pub fn is_silent(&self, now_ns: u64) -> bool {
        let since_ns = match (&self.state, &self.pings.unanswered) {
            (State::Open(_), None) => return false,
            (State::Open(_), Some((since_ns, _))) => *since_ns,
            _ => self.heard_ns,
        };
        now_ns >= since_ns + SILENCE_MAX_NS
    }

    /// Closes the WebSocket with the code of a policy violation.
    pub fn refuse_more(&mut self) {
        let payload = [&1_008_u16.to_be_bytes()[..], b"Too many requests"].concat();
        let opcode = OpCode::Control(Control::Close);
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        append_frame(self.wire().out(), header, &[&payload]);
        self.is_closing = true;
    }

    fn next_request(&mut self, now_ns: u64) -> Option<Box<HttpRequest>> {
        let State::Http { wire, input } = &mut self.state else { return None };
        loop {
            match http::parse_request(input) {
                Parsed::Whole(request, length) => {
                    input.drain(..length);
                    return Some(request);
                }
                Parsed::Bad => {
                    self.is_dead = true;
                    return None;
                }
                Parsed::Partial => {}
            }
            let mut bytes = [0; 4_096];
            match wire.read(&mut bytes) {
                Ok(0) => self.is_dead = true,
                Ok(count) => {
                    self.heard_ns = now_ns;
                    input.extend_from_slice(&bytes[..count]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.is_dead = true,
            }
            return None;
        }
    }

    fn next_text(&mut self, now_ns: u64) -> Option<Input> {
        let State::Open(socket) = &mut self.state else { return None };
        loop {
            match socket.read() {
                Ok(message) => {
                    self.heard_ns = now_ns;
                    let in_second = self.messages.add(1, now_ns as i64);
                    let most = self.session.messages_per_s;
                    if most.is_some_and(|most| in_second > u64::from(most)) {
                        return Some(Input::TooMany);
                    }
                    match message {
                        Message::Text(text) => return Some(Input::Text(text)),
                        Message::Pong(payload) => self.pings.answer(&payload),
                        _ => {}
                    }
                }
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    return None;
                }
                Err(tungstenite::Error::ConnectionClosed) => {
                    self.is_closing = true;
                    return None;
                }
                Err(_) => {
                    self.is_dead = true;
                    return None;
                }
            }
        }
    }
}

impl Pings {
    fn answer(&mut self, payload: &[u8]) {
        if self.unanswered.as_ref().is_some_and(|(_, expected)| expected.as_bytes() == payload) {
            self.unanswered = None;
        }
    }
}

/// The header of a whole, unmasked text frame.
fn text_header() -> FrameHeader {
    FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() }
}

/// Appends a frame whose payload is `parts` in a row; masks it when the header has a mask.
pub fn append_frame(out: &mut Vec<u8>, header: FrameHeader, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    header.format(length as u64, out).expect("a vector takes every byte");
    let start = out.len();
    for part in parts {
        out.extend_from_slice(part);
    }
    if let Some(mask) = header.mask {
        for (byte, key) in out[start..].iter_mut().zip(mask.into_iter().cycle()) {
            *byte ^= key;
        }
    }
}
