//! One connection: plain HTTP first, a WebSocket after a handshake.

use std::io::{ErrorKind, Read};
use std::time::Instant;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes, WebSocket};

use super::http::{self, Parsed, Request};
use super::session::Session;
use super::wire::Wire;

/// A client's message longer than this ends the connection.
const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// A connection and its session.
pub(super) struct Client {
    state: State,
    pub(super) session: Session,
    /// When bytes last came from it.
    pub(super) heard: Instant,
    /// When it was last pinged.
    pub(super) pinged: Instant,
    /// It is to be dropped once its bytes have left, or at once when they do not.
    pub(super) is_closing: bool,
    /// It is to be dropped now.
    pub(super) is_dead: bool,
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
pub(super) enum Input {
    Request(Box<Request>),
    Text(Utf8Bytes),
}

impl Client {
    pub(super) fn new(wire: Wire, now: Instant, now_ms: i64) -> Self {
        Self {
            state: State::Http { wire, input: Vec::new() },
            session: Session::new(now_ms),
            heard: now,
            pinged: now,
            is_closing: false,
            is_dead: false,
        }
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        match &mut self.state {
            State::Http { wire, .. } => wire,
            State::Open(socket) => socket.get_mut(),
            State::Between => unreachable!("a state is replaced in one step"),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The next request or message, or `None` when there is nothing whole to read now.
    pub(super) fn next_input(&mut self, now: Instant) -> Option<Input> {
        if self.is_dead || self.is_closing {
            return None;
        }
        match self.state {
            State::Http { .. } => self.next_request(now).map(Input::Request),
            State::Open(_) => self.next_text(now).map(Input::Text),
            State::Between => None,
        }
    }

    /// Answers the handshake and becomes a WebSocket.
    pub(super) fn upgrade(&mut self, websocket_key: &str) {
        let State::Http { mut wire, input } = std::mem::replace(&mut self.state, State::Between)
        else {
            unreachable!("only an HTTP request asks for an upgrade")
        };
        http::write_handshake(wire.out(), websocket_key);
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        // Bytes behind the request's head belong to the WebSocket already.
        let socket = WebSocket::from_partially_read(wire, input, Role::Server, Some(config));
        self.state = State::Open(Box::new(socket));
    }

    /// Appends a text frame of several parts.
    pub(super) fn append_text(&mut self, parts: &[&[u8]]) {
        append_frame(self.wire().out(), text_header(), parts);
    }

    /// Appends a ping.
    pub(super) fn append_ping(&mut self, payload: &[u8]) {
        let opcode = OpCode::Control(Control::Ping);
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        append_frame(self.wire().out(), header, &[payload]);
    }

    fn next_request(&mut self, now: Instant) -> Option<Box<Request>> {
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
                    self.heard = now;
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

    fn next_text(&mut self, now: Instant) -> Option<Utf8Bytes> {
        let State::Open(socket) = &mut self.state else { return None };
        loop {
            match socket.read() {
                Ok(message) => {
                    self.heard = now;
                    if let Message::Text(text) = message {
                        return Some(text);
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

/// The header of a whole, unmasked text frame.
pub(super) fn text_header() -> FrameHeader {
    FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() }
}

/// Appends a frame whose payload is `parts` in a row; masks it when the header has a mask.
pub(super) fn append_frame(out: &mut Vec<u8>, header: FrameHeader, parts: &[&[u8]]) {
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
