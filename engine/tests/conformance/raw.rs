//! Servers whose every byte a test decides.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tungstenite::handshake::derive_accept_key;

use crate::harness::{PATIENCE, Patience};
use crate::trader::TraderOptions;

/// A server that runs a script for each connection, one connection at a time. What it is asked over
/// REST, and on a connection of the account's stream, comes to the script that runs.
pub struct RawServer {
    pub address: SocketAddr,
    rest: RestServer,
    accepted: Arc<AtomicUsize>,
    /// What connections of the account's stream asked for, by the first line of their handshake.
    streams: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RawServer {
    /// `script` gets the connection and its number, from 0. Its errors end the connection and no
    /// more: the other side may go at any moment.
    pub fn start(
        mut script: impl FnMut(usize, &mut Peer) -> io::Result<()> + Send + 'static,
    ) -> RawServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (accepted, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, stopped) = (Arc::clone(&accepted), Arc::clone(&stop));
        let streams = Arc::<Mutex<Vec<String>>>::default();
        let wanted = Arc::clone(&streams);
        let (rest, asks, asked) = RestServer::start();
        let asked = Arc::new(Mutex::new(asked));
        let (scripted, connections) = channel::<TcpStream>();
        let accept = move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let stream = stream.expect("a connection");
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                stream.set_nodelay(true).expect("no delay");
                if is_of_account(&stream) {
                    let (asks, wanted) = (asks.clone(), Arc::clone(&wanted));
                    // Ends with the connection, which the trader closes at the latest.
                    std::thread::spawn(move || serve_account(stream, &asks, &wanted));
                    continue;
                }
                counter.fetch_add(1, Ordering::AcqRel);
                if scripted.send(stream).is_err() {
                    return;
                }
            }
        };
        let run = move || {
            let accepting = std::thread::spawn(accept);
            for (number, stream) in connections.iter().enumerate() {
                let asked = Some(Arc::clone(&asked));
                let mut peer = Peer { stream, asked, answers: None, account: None };
                let _ended = script(number, &mut peer);
            }
            let _panicked = accepting.join();
        };
        let thread = std::thread::spawn(run);
        RawServer { address, rest, accepted, streams, stop, thread: Some(thread) }
    }

    /// Of a trader at this server.
    pub fn options(&self) -> TraderOptions {
        TraderOptions { rest: Some(self.rest.address), ..TraderOptions::default() }
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Acquire)
    }

    /// What connections of the account's stream asked for so far.
    pub fn streams(&self) -> Vec<String> {
        self.streams.lock().expect("no panic").clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            assert!(outcome.is_ok() || std::thread::panicking(), "the script panicked");
        }
    }
}

/// One accepted connection.
pub struct Peer {
    pub stream: TcpStream,
    /// `None`: nobody asks it over REST.
    asked: Option<Arc<Mutex<Receiver<Asked>>>>,
    /// Where the last request is answered that did not come on this connection.
    answers: Option<Answers>,
    /// The connection of the account's stream, where it is another one.
    account: Option<TcpStream>,
}

/// Where a request is answered that did not come on the script's connection.
enum Answers {
    Rest(TcpStream),
    Account(TcpStream),
}

/// A question over REST, its first line and its body, or a text of the account's stream; and where
/// it is answered.
type Asked = (String, Answers);

/// Whether a connection is that of an account's stream, beside one for order entry.
fn is_of_account(stream: &TcpStream) -> bool {
    const REQUESTS: [&[u8]; 2] = [b"GET /v5/private", b"GET /private/ws"];
    let mut bytes = [0; REQUESTS[0].len()];
    stream.peek(&mut bytes).is_ok_and(|count| count > 0) && REQUESTS.contains(&&bytes[..])
}

/// Hands over what an account's stream is asked, for as long as it lives.
fn serve_account(stream: TcpStream, asks: &Sender<Asked>, wanted: &Mutex<Vec<String>>) {
    // It may say nothing, and is told of orders all the same.
    let Ok(heard) = stream.try_clone() else { return };
    if asks.send((String::new(), Answers::Account(heard))).is_err() {
        return;
    }
    let mut peer = Peer::new(stream);
    let Ok(head) = peer.read_head() else { return };
    wanted.lock().expect("no panic").push(head.lines().next().unwrap_or_default().to_owned());
    if peer.send(Peer::agreement(&head).as_bytes()).is_err() {
        return;
    }
    while let Ok(request) = peer.read_text() {
        if is_keep_alive(request.as_bytes()) {
            continue;
        }
        let Ok(stream) = peer.stream.try_clone() else { return };
        if asks.send((request, Answers::Account(stream))).is_err() {
            return;
        }
    }
}

/// What a script is asked over REST.
struct RestServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RestServer {
    fn start() -> (RestServer, Sender<Asked>, Receiver<Asked>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (asks, asked) = channel();
        let others = asks.clone();
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let run = move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let (mut stream, asks) = (stream.expect("a connection"), asks.clone());
                // Ends with the connection, which the trader closes at the latest.
                std::thread::spawn(move || {
                    while let Ok(head) = read_head(&mut stream) {
                        let Ok(body) = read_body(&head, &mut stream) else { return };
                        let line = head.lines().next().unwrap_or_default().to_owned() + &body;
                        let answers = Answers::Rest(stream.try_clone().expect("a handle"));
                        if asks.send((line, answers)).is_err() {
                            return;
                        }
                    }
                });
            }
        };
        let thread = Some(std::thread::spawn(run));
        (RestServer { address, stop, thread }, others, asked)
    }
}

impl Drop for RestServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// The body that follows a head; empty where that names none.
fn read_body(head: &str, stream: &mut TcpStream) -> io::Result<String> {
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().expect("a length"))];
    stream.read_exact(&mut body)?;
    Ok(String::from_utf8(body).expect("a body is text"))
}

/// The head of an HTTP request.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head).expect("a head is text"))
}

impl Peer {
    /// One that nobody asks over REST.
    pub fn new(stream: TcpStream) -> Peer {
        Peer { stream, asked: None, answers: None, account: None }
    }

    /// The head of an HTTP request.
    pub fn read_head(&mut self) -> io::Result<String> {
        read_head(&mut self.stream)
    }

    /// Answers a request that [`Peer::read_text`] gave, the way it came.
    pub fn reply(&mut self, request: &str, answer: &str) -> io::Result<()> {
        self.reply_with(request, "200 OK", answer)
    }

    /// The same, with another status where it came over REST.
    pub fn reply_with(&mut self, request: &str, status: &str, answer: &str) -> io::Result<()> {
        match &mut self.answers {
            Some(Answers::Rest(stream)) if is_over_rest(request) => {
                let length = answer.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all((head + answer).as_bytes())
            }
            Some(Answers::Account(stream)) => stream.write_all(&text(answer)),
            _ => self.send(&text(answer)),
        }
    }

    /// Tells the account something.
    pub fn tell(&mut self, what: &str) -> io::Result<()> {
        match &mut self.account {
            Some(account) => account.write_all(&text(what)),
            None => self.send(&text(what)),
        }
    }

    /// The next question over REST, if there is one before the connection has something to read.
    fn asked_over_rest(&mut self) -> io::Result<Option<String>> {
        let Some(rest) = &self.asked else { return Ok(None) };
        let patience = Patience::new();
        self.stream.set_read_timeout(Some(Duration::from_millis(5)))?;
        let asked = loop {
            match rest.lock().expect("no panic").try_recv() {
                Ok((nothing, Answers::Account(stream))) if nothing.is_empty() => {
                    self.account = Some(stream);
                    continue;
                }
                Ok(asked) => break Some(asked),
                Err(_) => {}
            }
            match self.stream.peek(&mut [0]) {
                Ok(_) => break None,
                Err(_) if patience.is_over() => return Err(io::ErrorKind::TimedOut.into()),
                Err(error) if is_not_yet(&error) => {}
                Err(error) => return Err(error),
            }
        };
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.answers = None;
        let Some((request, answers)) = asked else { return Ok(None) };
        if let Answers::Account(stream) = &answers {
            self.account = Some(stream.try_clone()?);
        }
        self.answers = Some(answers);
        Ok(Some(request))
    }

    /// The answer that agrees to the handshake in `head`.
    pub fn agreement(head: &str) -> String {
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .expect("a handshake has a key");
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.trim().as_bytes())
        )
    }

    /// Takes the handshake.
    pub fn shake_hands(&mut self) -> io::Result<()> {
        let head = self.read_head()?;
        self.send(Peer::agreement(&head).as_bytes())
    }

    /// Takes the handshake and the first subscription, and confirms that.
    pub fn subscribe(&mut self, confirmation: &str) -> io::Result<()> {
        self.shake_hands()?;
        let request = self.read_text()?;
        assert!(request.to_ascii_lowercase().contains("subscribe"), "{request}");
        self.send(&text(confirmation))
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next text of the client, or the first line of what it asks over REST; control frames
    /// and keep-alives are passed over.
    pub fn read_text(&mut self) -> io::Result<String> {
        loop {
            if let Some(line) = self.asked_over_rest()? {
                return Ok(line);
            }
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            assert_ne!(head[1] & 0x80, 0, "a client masks");
            let length = match head[1] & 0x7F {
                126 => {
                    let mut more = [0; 2];
                    self.stream.read_exact(&mut more)?;
                    usize::from(u16::from_be_bytes(more))
                }
                short => usize::from(short),
            };
            let mut mask = [0; 4];
            self.stream.read_exact(&mut mask)?;
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload)?;
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            match head[0] & 0x0F {
                1 if self.asked.is_some() && is_keep_alive(&payload) => {}
                1 => return Ok(String::from_utf8(payload).expect("text")),
                8 => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
        }
    }

    /// Reads until the client goes.
    pub fn wait_for_end(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 1_024])? > 0 {}
        Ok(())
    }

    /// Makes the close that follows a reset.
    pub fn reset(&mut self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(std::time::Duration::ZERO))
            .expect("linger is set");
    }
}

/// What OKX, Bybit and Kraken are sent in a quiet connection.
fn is_keep_alive(text: &[u8]) -> bool {
    matches!(text, b"ping" | br#"{"op":"ping"}"# | br#"{"method":"ping"}"#)
}

fn is_over_rest(request: &str) -> bool {
    ["GET ", "POST ", "DELETE "].iter().any(|method| request.starts_with(method))
}

fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// An unmasked text frame.
pub fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

/// An unmasked binary frame.
pub fn binary(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

/// An unmasked frame with this first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(length as u8),
        length @ 126..65_536 => {
            bytes.push(126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}
