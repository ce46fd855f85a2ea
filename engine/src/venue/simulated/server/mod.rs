//! The server: one port, HTTP and WebSocket.
//!
//! It owns the sockets; what is said over them is its [`Content`]: the simulation or a recording.
//! Each turn lets the content do all that is due and writes every connection once; it knows when the
//! next one is due. Whoever owns it blocks until then, or until a socket calls.

mod client;
mod clients;
mod frame;
mod http;
mod session;
mod spoil;
mod wire;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

pub use clients::{CLIENTS_MAX, Clients};
pub use frame::{AccountFrame, MarketFrame};
pub use http::{Reply, Request};
pub use session::{Door, Envelope, Session};

use self::client::Input;
use self::wire::Wire;
use super::counters::{SimulatedVenueReport, VenueCounters};
use super::exchange::StreamKey;
use super::fault::{Fault, FaultPlan, Faults, Occasion};
use super::limits::LimitRules;
use super::moment::Moment;
use super::options::SimulatedVenueError;
use super::penalties::Penalties;
use crate::runtime::give_way;
use crate::world::Clock;

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// What a session becomes by its handshake.
pub struct Opening {
    pub door: Door,
    pub envelope: Option<&'static Envelope>,
    pub returns_rate_limits: bool,
    /// Messages that its client may send in a second; `None`: any number.
    pub messages_per_s: Option<u32>,
    /// The streams that it wants from the start.
    pub streams: Vec<String>,
}

/// What a server serves.
pub trait Content: Send + 'static {
    /// The stream of a name, if there is one.
    fn resolve(&self, stream: &str) -> Option<StreamKey>;
    /// Lets a WebSocket in, or refuses its handshake.
    fn open(&mut self, request: &Request, now: Moment) -> Result<Opening, Reply>;
    /// Answers a REST request.
    fn rest(&mut self, request: &Request, clients: &mut Clients, now: Moment) -> Reply;
    /// Handles a message of a session and answers it.
    fn message(&mut self, slot: usize, text: &str, clients: &mut Clients, now: Moment);
    /// Does all that is due.
    fn tick(&mut self, now: Moment, clients: &mut Clients);
    /// When it wants to be ticked next, if the sockets keep silent; nanoseconds of the monotonic clock.
    fn next_due_ns(&mut self, now_ns: u64, clients: &mut Clients) -> Option<u64>;
    /// What a session is told before it is disconnected for its age.
    fn shutdown_notice(&self, _session: &Session, _now: Moment) -> Option<String> {
        None
    }
}

/// A started server: its thread, and how to end it.
pub struct Handle {
    address: SocketAddr,
    counters: Arc<VenueCounters>,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

struct Server<C> {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    clients: Clients,
    content: C,
    clock: Clock,
}

/// What a server is started with, beside its content.
pub struct ServerOptions<'a> {
    pub bind: SocketAddr,
    pub fault_plan: &'a FaultPlan,
    pub rules: LimitRules,
    pub penalties: Arc<Penalties>,
    pub clock: Clock,
}

impl Handle {
    /// Binds, then starts the thread.
    pub fn start<C: Content>(
        options: ServerOptions<'_>,
        content: C,
    ) -> Result<Self, SimulatedVenueError> {
        let ServerOptions { bind, fault_plan, rules, penalties, clock } = options;
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
        let faults = Faults::new(fault_plan, counters.clone());
        let clients = Clients::new(faults, rules, counters.clone(), penalties);
        let events = Events::with_capacity(128);
        let mut server = Server { poll, events, listener, clients, content, clock };
        let is_over = stop.clone();
        let thread = std::thread::Builder::new()
            .name("simulated-venue".into())
            .spawn(move || {
                give_way();
                while !is_over.load(Ordering::Acquire) {
                    server.do_work()?;
                    server.wait()?;
                }
                Ok(())
            })
            .map_err(start)?;
        Ok(Self { address, counters, stop, waker, thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn counters(&self) -> &Arc<VenueCounters> {
        &self.counters
    }

    /// Ends the thread and joins it.
    pub fn stop(mut self) -> Result<SimulatedVenueReport, SimulatedVenueError> {
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
    /// One turn: all that is due, then what is to be written. Never blocks.
    fn do_work(&mut self) -> io::Result<()> {
        let now = Moment::read(&self.clock);
        self.content.tick(now, &mut self.clients);
        let content = &self.content;
        self.clients.sweep(now, |session| content.shutdown_notice(session, now));
        self.clients.flush(now.ns);
        Ok(())
    }

    /// When the next turn is due, if the sockets keep silent; nanoseconds of the monotonic clock.
    fn next_due_ns(&mut self) -> u64 {
        let due_ns = self.clients.next_due_ns();
        let now_ns = self.clock.now_ns();
        let content = self.content.next_due_ns(now_ns, &mut self.clients);
        content.map_or(due_ns, |next_ns| next_ns.min(due_ns))
    }

    /// Waits for the sockets or for the next turn, and serves what came.
    fn wait(&mut self) -> io::Result<()> {
        let due_ns = self.next_due_ns();
        let timeout = Duration::from_nanos(due_ns.saturating_sub(self.clock.now_ns()));
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        self.clients.counters.wakeups();
        let ready: Vec<(Token, bool)> =
            self.events.iter().map(|event| (event.token(), event.is_writable())).collect();
        for (token, is_writable) in ready {
            let now = Moment::read(&self.clock);
            match token {
                LISTENER => self.accept(now)?,
                WAKER => {}
                Token(slot) => {
                    if is_writable && let Some(client) = self.clients.get(slot) {
                        client.wire().unblock();
                    }
                    self.serve(slot, now);
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, now: Moment) -> io::Result<()> {
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
            self.clients.insert(slot, Wire::new(socket), now);
            self.clients.counters.connections();
        }
    }

    /// Reads and answers until nothing whole is left to read.
    fn serve(&mut self, slot: usize, now: Moment) {
        while let Some(input) = self.clients.get(slot).and_then(|c| c.next_input(now.ns)) {
            match input {
                Input::Request(request) => self.serve_request(slot, &request, now),
                Input::Text(text) => {
                    self.content.message(slot, text.as_str(), &mut self.clients, now);
                }
                Input::TooMany => self.clients.punish_rate(slot),
            }
        }
    }

    fn serve_request(&mut self, slot: usize, request: &Request, now: Moment) {
        if let Some(key) = &request.websocket_key {
            return self.serve_handshake(slot, request, key, now);
        }
        let reply = match request.method.as_str() {
            "GET" => self.content.rest(request, &mut self.clients, now),
            _ => Reply::new(405, b"{}".to_vec()),
        };
        self.clients.counters.rest_requests();
        if let Some(client) = self.clients.get(slot) {
            reply.write(client.wire().out(), request.keep_alive);
            client.is_closing |= !request.keep_alive;
        }
    }

    fn serve_handshake(&mut self, slot: usize, request: &Request, key: &str, now: Moment) {
        let opening = match self.clients.faults.strike(Occasion::Handshake) {
            Some(Fault::NeverAnswerHandshake) => return,
            Some(_) => Err(Reply::new(503, b"{}".to_vec())),
            None => self.content.open(request, now),
        };
        let Some(client) = self.clients.get(slot) else { return };
        let opening = match opening {
            Ok(opening) => opening,
            Err(refusal) => {
                refusal.write(client.wire().out(), false);
                client.is_closing = true;
                return;
            }
        };
        client.session.door = opening.door;
        client.session.envelope = opening.envelope;
        client.session.returns_rate_limits = opening.returns_rate_limits;
        client.session.messages_per_s = opening.messages_per_s;
        client.upgrade(key);
        for name in opening.streams {
            client.session.subscribe(&name, self.content.resolve(&name));
        }
        self.clients.counters.handshakes();
    }
}
