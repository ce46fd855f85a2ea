//! A plain blocking client: what any user of the protocol would write.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tungstenite::{Message, WebSocket};

/// No answer within this time fails the test: nothing here takes longer than a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// One `GET` on a connection of its own: status and JSON body.
pub fn get(address: SocketAddr, target: &str) -> (u16, Value) {
    let (status, _, body) = get_with_head(address, target);
    (status, body)
}

/// Like [`get`], with the head of the reply.
pub fn get_with_head(address: SocketAddr, target: &str) -> (u16, String, Value) {
    let mut socket = connect(address);
    write!(socket, "GET {target} HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n\r\n")
        .expect("the request is written");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("the reply is read to its end");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head ends with an empty line");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = serde_json::from_str(body).expect("the body is JSON");
    (status, format!("{head}\r\n"), body)
}

/// A socket that gives up instead of hanging the test.
pub fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the venue listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a read timeout is set");
    socket
}

/// A WebSocket session.
pub struct Client {
    pub socket: WebSocket<TcpStream>,
    next_id: u64,
}

impl Client {
    /// Connects and shakes hands.
    pub fn open(address: SocketAddr, path: &str) -> Self {
        let (socket, _) = tungstenite::client(format!("ws://{address}{path}"), connect(address))
            .expect("the handshake succeeds");
        Self { socket, next_id: 1 }
    }

    /// Sends so many requests at once; the code with which the venue closes.
    pub fn flood(&mut self, count: u64) -> Option<u16> {
        for id in 0..count {
            let text = format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#);
            // The venue may have cut the connection already.
            if self.socket.send(Message::text(text)).is_err() {
                break;
            }
        }
        loop {
            match self.socket.read().ok()? {
                Message::Close(frame) => return frame.map(|frame| frame.code.into()),
                _ => continue,
            }
        }
    }

    /// Sends a text.
    pub fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("it is sent");
    }

    /// The next text.
    pub fn text(&mut self) -> Result<String, tungstenite::Error> {
        loop {
            if let Message::Text(text) = self.socket.read()? {
                return Ok(text.as_str().to_owned());
            }
        }
    }

    /// The next JSON.
    pub fn json(&mut self) -> Value {
        let text = self.text().expect("a frame arrives");
        serde_json::from_str(&text).expect("frames are JSON")
    }

    /// Sends a market request and returns its answer; frames that come before are lost.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let text = serde_json::json!({"method": method, "params": params, "id": id}).to_string();
        self.socket.send(Message::text(text)).expect("the request is sent");
        loop {
            let reply = self.json();
            if reply["id"] == id {
                return reply;
            }
        }
    }

    /// The next market frame's data whose stream ends with `suffix`.
    pub fn data(&mut self, suffix: &str) -> Value {
        loop {
            let mut frame = self.json();
            if frame["stream"].as_str().is_some_and(|stream| stream.ends_with(suffix)) {
                return frame["data"].take();
            }
        }
    }
}
