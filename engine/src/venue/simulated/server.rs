//! The event loop: one thread, one port, HTTP and WebSocket.
//!
//! The loop owns the sockets; what is said over them is its [`Content`]: the simulation or a
//! recording. Each turn lets the content do all that is due, writes every connection once, and then
//! blocks until a socket or the clock calls.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use serde_json::Value;

use super::client::{Client, Input};
use super::clients::Clients;
use super::clock::epoch_ms;
use super::counters::{SimulatedVenueReport, VenueCounters};
use super::fault::{Fault, FaultPlan, Occasion};
use super::http::{Reply, Request};
use super::options::SimulatedVenueError;
use super::session::{self, Door};
use super::stream::StreamKey;
use super::wire::Wire;
use crate::runtime::give_way;

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// What a server serves.
pub(super) trait Content: Send + 'static {
    /// The stream of a name, if there is one.
    fn resolve(&self, stream: &str) -> Option<StreamKey>;
    /// Answers a REST request.
    fn rest(&mut self, request: &Request) -> Reply;
    /// Handles a request of a `/ws-api/v3` session and answers it.
    fn api(&mut self, slot: usize, text: &str, clients: &mut Clients);
    /// Does all that is due.
    fn tick(&mut self, now: Instant, clients: &mut Clients);
    /// When it wants to be ticked next, if the sockets keep silent.
    fn next_due(&mut self, clients: &mut Clients) -> Option<Instant>;
}

/// A started server: its thread, and how to end it.
pub(super) struct Handle {
    address: SocketAddr,
    counters: Arc<VenueCounters>,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

struct Server<C> {
    poll: Poll,
    listener: TcpListener,
    clients: Clients,
    content: C,
    stop: Arc<AtomicBool>,
}

impl Handle {
    /// Binds, then starts the thread.
    pub(super) fn start<C: Content>(
        bind: SocketAddr,
        fault_plan: &FaultPlan,
        content: C,
    ) -> Result<Self, SimulatedVenueError> {
        let mut listener = TcpListener::bind(bind).map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => SimulatedVenueError::PortTaken { address: bind },
            _ => SimulatedVenueError::Bind { address: bind, source },
        })?;
        let start = SimulatedVenueError::Start;
        let address = listener.local_addr().map_err(start)?;
        let poll = Poll::new().map_err(start)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(start)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(start)?);
        let counters = Arc::new(VenueCounters::default());
        let stop = Arc::new(AtomicBool::new(false));
        let clients = Clients::new(fault_plan, counters.clone());
        let server = Server { poll, listener, clients, content, stop: stop.clone() };
        let thread = std::thread::Builder::new()
            .name("simulated-venue".into())
            .spawn(move || server.run())
            .map_err(start)?;
        Ok(Self { address, counters, stop, waker, thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn counters(&self) -> &Arc<VenueCounters> {
        &self.counters
    }

    /// Ends the thread and joins it.
    pub(super) fn stop(mut self) -> Result<SimulatedVenueReport, SimulatedVenueError> {
        self.end()?;
        Ok(self.counters.report())
    }

    fn end(&mut self) -> Result<(), SimulatedVenueError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.stop.store(true, Ordering::Release);
        self.waker.wake().map_err(SimulatedVenueError::Loop)?;
        match thread.join() {
            Ok(result) => result.map_err(SimulatedVenueError::Loop),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).into()));
                Err(SimulatedVenueError::Panicked(text.unwrap_or_else(|| "no message".into())))
            }
        }
    }
}

impl Drop for Handle {
    /// A handle that is dropped without `stop` still ends its thread; a failure is only logged.
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            log::warn!("the simulated venue did not end well: {error}");
        }
    }
}

impl<C: Content> Server<C> {
    fn run(mut self) -> io::Result<()> {
        give_way();
        let mut events = Events::with_capacity(128);
        while !self.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            self.content.tick(now, &mut self.clients);
            self.clients.sweep(now);
            self.clients.flush(now);
            let due = self.clients.next_due();
            let due = self.content.next_due(&mut self.clients).map_or(due, |next| next.min(due));
            let timeout = due.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.clients.counters.wakeups();
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(now)?,
                    WAKER => {}
                    Token(slot) => {
                        if event.is_writable()
                            && let Some(client) = self.clients.get(slot)
                        {
                            client.wire().unblock();
                        }
                        self.serve(slot, now);
                    }
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, now: Instant) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The client may be gone already, or descriptors may be short: both may pass.
                Err(error) => {
                    log::warn!("the simulated venue could not accept a connection: {error}");
                    return Ok(());
                }
            };
            let Some(slot) = self.clients.free_slot() else {
                self.clients.counters.connections_refused();
                continue;
            };
            // Frames are small and written in batches: waiting for more would only add latency.
            socket.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(slot), interest)?;
            self.clients.insert(slot, Client::new(Wire::new(socket), now, epoch_ms()));
            self.clients.counters.connections();
        }
    }

    /// Reads and answers until nothing whole is left to read.
    fn serve(&mut self, slot: usize, now: Instant) {
        while let Some(input) = self.clients.get(slot).and_then(|client| client.next_input(now)) {
            match input {
                Input::Request(request) => self.serve_request(slot, &request),
                Input::Text(text) => self.serve_text(slot, text.as_str()),
            }
        }
    }

    fn serve_request(&mut self, slot: usize, request: &Request) {
        if let Some(key) = &request.websocket_key {
            return self.serve_handshake(slot, request, key);
        }
        let reply = match self.clients.strike(Occasion::Rest) {
            Some(Fault::RefuseRest { status }) => Reply::error(status, -1003, "Refused."),
            _ if request.method != "GET" => Reply { status: 405, body: b"{}".to_vec() },
            _ => self.content.rest(request),
        };
        self.clients.counters.rest_requests();
        if let Some(client) = self.clients.get(slot) {
            reply.write(client.wire().out(), request.keep_alive);
            client.is_closing |= !request.keep_alive;
        }
    }

    fn serve_handshake(&mut self, slot: usize, request: &Request, key: &str) {
        let fault = self.clients.strike(Occasion::Handshake);
        let Some(client) = self.clients.get(slot) else { return };
        let streams = match fault {
            Some(Fault::NeverAnswerHandshake) => return,
            Some(_) => {
                Reply::error(503, -1001, "Refused.").write(client.wire().out(), false);
                client.is_closing = true;
                return;
            }
            None => streams_of(request),
        };
        let Some((door, is_combined, names)) = streams else {
            Reply::not_found().write(client.wire().out(), false);
            client.is_closing = true;
            return;
        };
        client.session.door = door;
        client.session.is_combined = is_combined;
        client.session.returns_rate_limits =
            request.parameter("returnRateLimits").as_deref() != Some("false");
        client.upgrade(key);
        for name in names {
            client.session.subscribe(&name, self.content.resolve(&name));
        }
        self.clients.counters.handshakes();
    }

    fn serve_text(&mut self, slot: usize, text: &str) {
        match self.clients.get(slot).map(|client| client.session.door) {
            Some(Door::Api) => self.content.api(slot, text, &mut self.clients),
            Some(Door::Market) => {
                let is_refused = text.contains("\"SUBSCRIBE\"")
                    && self.clients.strike(Occasion::Subscribe).is_some();
                let Some(client) = self.clients.get(slot) else { return };
                let reply = if is_refused {
                    let id = serde_json::from_str::<Value>(text)
                        .map_or(Value::Null, |request| request["id"].clone());
                    session::error(2, "Invalid request: refused", &id)
                } else {
                    client.session.market_request(text, |name| self.content.resolve(name))
                };
                self.clients.reply(slot, &reply);
            }
            Some(Door::Rest) | None => {}
        }
    }
}

/// The door, whether frames are wrapped, and the streams that a handshake's target asks for.
fn streams_of(request: &Request) -> Option<(Door, bool, Vec<String>)> {
    let names = |list: &str| list.split('/').filter(|s| !s.is_empty()).map(Into::into).collect();
    match request.path.trim_end_matches('/') {
        "/ws-api/v3" => Some((Door::Api, false, Vec::new())),
        "/stream" => {
            let list = request.parameter("streams").map_or(Vec::new(), |list| names(&list));
            Some((Door::Market, true, list))
        }
        "/ws" => Some((Door::Market, false, Vec::new())),
        path => Some((Door::Market, false, names(path.strip_prefix("/ws/")?))),
    }
}
