//! The server: one port, HTTP and WebSocket.
//!
//! It owns the sockets; what is said over them is its [`Content`]: the simulation or a recording.
//! Each turn lets the content do all that is due and writes every connection once; it knows when
//! the next one is due. Whoever runs it waits until then, or until a socket calls.

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

use mio::event::Source;
use mio::{Interest, Registry, Token};

pub use clients::{CLIENTS_MAX, Clients};
pub use frame::{AccountFrame, MarketFrame};
pub use http::{HttpRequest, Reply};
pub use session::{BinaryFrames, Door, Envelope, Session};

use self::client::Input;
use self::wire::Wire;
use super::counters::{SimulatedVenueCounters, SimulatedVenueReport};
use super::exchange::StreamKey;
use super::fault::{Fault, FaultPlan, Faults, Occasion};
use super::limits::LimitRules;
use super::moment::Moment;
use super::options::SimulatedVenueError;
use super::penalties::Penalties;
use crate::runtime::{Agent, Beside, BesideThread};
use crate::world::{Clock, Listener, Net, Stream};

/// The listener's number in the poller, behind those of the connections.
const LISTENER: Token = Token(CLIENTS_MAX);

/// What a session becomes by its handshake.
pub struct Opening {
    pub door: Door,
    pub envelope: Option<&'static Envelope>,
    /// Its market frames are binary.
    pub binary: Option<&'static BinaryFrames>,
    pub returns_rate_limits: bool,
    /// Messages that its client may send in a second; `None`: any number.
    pub messages_per_s: Option<u32>,
    /// The streams that it wants from the start.
    pub streams: Vec<String>,
    /// The part of the venue's address space.
    pub part: &'static str,
    /// What stands before the number of each of its frames, where the venue numbers those of a
    /// connection. The server counts them, from 0.
    pub numbered_by: Option<&'static str>,
    /// It is the account's stream: who may open it was settled before.
    pub hears_account: bool,
}

impl Opening {
    /// A session of market data, whose frames are sent as they stand.
    pub fn market() -> Opening {
        Opening {
            door: Door::Market,
            envelope: None,
            binary: None,
            returns_rate_limits: false,
            messages_per_s: None,
            streams: Vec::new(),
            part: "",
            numbered_by: None,
            hears_account: false,
        }
    }
}

/// What a server serves.
pub trait Content: Send + 'static {
    /// The stream of a name, if there is one.
    fn resolve(&self, stream: &str) -> Option<StreamKey>;
    /// Lets a WebSocket in, or refuses its handshake.
    fn open(&mut self, request: &HttpRequest, now: Moment) -> Result<Opening, Reply>;
    /// Answers a REST request; `None`: it is answered when something is said to its client.
    fn rest(
        &mut self,
        slot: usize,
        request: &HttpRequest,
        clients: &mut Clients,
        now: Moment,
    ) -> Option<Reply>;
    /// Handles a message of a session and answers it.
    fn message(&mut self, slot: usize, text: &str, clients: &mut Clients, now: Moment);
    /// Does all that is due.
    fn tick(&mut self, now: Moment, clients: &mut Clients);
    /// When it wants to be ticked next, if the sockets keep silent; nanoseconds of the monotonic
    /// clock.
    fn next_due_ns(&mut self, now_ns: u64, clients: &mut Clients) -> Option<u64>;
    /// What a session is told before it is disconnected for its age.
    fn shutdown_notice(&self, _session: &Session, _now: Moment) -> Option<String> {
        None
    }
}

/// The owner's end of a server: what it counts, and how to end it.
pub struct Handle {
    address: SocketAddr,
    counters: Arc<SimulatedVenueCounters>,
    stop: Arc<AtomicBool>,
    /// `None` when somebody else runs the agent.
    thread: Option<BesideThread>,
}

/// The server as an agent.
struct Server<C> {
    /// `None` in a world without a poller.
    registry: Option<Registry>,
    listener: Listener,
    clients: Clients,
    content: C,
    clock: Clock,
    next_due_ns: u64,
    stop: Arc<AtomicBool>,
}

/// What a server is started with, beside its content.
pub struct ServerOptions<'a> {
    pub bind: SocketAddr,
    pub fault_plan: &'a FaultPlan,
    /// Whether nothing of it strikes any more.
    pub is_calm: Arc<AtomicBool>,
    pub rules: LimitRules,
    pub penalties: Arc<Penalties>,
    pub clock: Clock,
    pub net: Net,
}

impl Handle {
    /// Binds. Whoever runs the agent serves.
    pub fn bind<C: Content>(
        options: ServerOptions<'_>,
        content: C,
    ) -> Result<(Self, Box<dyn Agent>), SimulatedVenueError> {
        let ServerOptions { bind, fault_plan, is_calm, rules, penalties, clock, net } = options;
        let listener = net.listen(bind).map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => SimulatedVenueError::PortTaken { address: bind },
            _ => SimulatedVenueError::Bind { address: bind, source },
        })?;
        let address = listener.local_address().map_err(SimulatedVenueError::Start)?;
        let counters = Arc::new(SimulatedVenueCounters::default());
        let stop = Arc::new(AtomicBool::new(false));
        let faults = Faults::new(fault_plan, counters.clone(), is_calm);
        let clients = Clients::new(faults, rules, counters.clone(), penalties);
        let (registry, next_due_ns) = (None, clock.now_ns());
        let seen = stop.clone();
        let server =
            Server { registry, listener, clients, content, clock, next_due_ns, stop: seen };
        Ok((Self { address, counters, stop, thread: None }, Box::new(server)))
    }

    /// Binds, and starts a thread of its own.
    pub fn start<C: Content>(
        options: ServerOptions<'_>,
        content: C,
    ) -> Result<Self, SimulatedVenueError> {
        let clock = options.clock.clone();
        let (mut handle, agent) = Self::bind(options, content)?;
        let thread = Beside::new().and_then(|place| place.start("simulated-venue", agent, clock));
        handle.thread = Some(thread.map_err(SimulatedVenueError::Start)?);
        Ok(handle)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn counters(&self) -> &Arc<SimulatedVenueCounters> {
        &self.counters
    }

    /// Ends the server and its thread.
    pub fn stop(mut self) -> Result<SimulatedVenueReport, SimulatedVenueError> {
        self.end()?;
        Ok(self.counters.report())
    }

    fn end(&mut self) -> Result<(), SimulatedVenueError> {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.ask_to_stop();
        thread.join().map_err(SimulatedVenueError::Ended)
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

impl<C: Content> Agent for Server<C> {
    fn name(&self) -> &str {
        "simulated-venue"
    }

    fn on_start(&mut self, registry: &Registry) {
        let registered = self.listener.register(registry, LISTENER, Interest::READABLE);
        match registered.and_then(|()| registry.try_clone()) {
            Ok(registry) => self.registry = Some(registry),
            Err(error) => log::warn!("the simulated venue hears no connection: {error}"),
        }
    }

    /// Takes connections, serves what came, does all that is due and writes every connection once.
    fn duty_cycle(&mut self) -> usize {
        let now = Moment::read(&self.clock);
        let mut served = self.accept(now);
        for slot in 0..CLIENTS_MAX {
            served += self.serve(slot, now);
        }
        self.content.tick(now, &mut self.clients);
        let content = &self.content;
        self.clients.sweep(now, |session| content.shutdown_notice(session, now));
        self.clients.flush(now.ns);
        self.clients.counters.wakeups();
        let content = self.content.next_due_ns(now.ns, &mut self.clients);
        self.next_due_ns = content.unwrap_or(u64::MAX).min(self.clients.next_due_ns());
        served
    }

    fn next_timer_ns(&self) -> u64 {
        self.next_due_ns
    }

    fn is_done(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

impl<C: Content> Server<C> {
    /// Takes all connections that wait; how many.
    fn accept(&mut self, now: Moment) -> usize {
        let mut accepted = 0;
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return accepted,
                // The client may be gone already, or descriptors may be short: both may pass.
                Err(error) => {
                    log::warn!("the simulated venue could not accept a connection: {error}");
                    return accepted;
                }
            };
            accepted += 1;
            let Some(slot) = self.clients.free_slot() else {
                self.clients.counters.connections_refused();
                continue;
            };
            match self.watch(stream, slot) {
                Ok(stream) => {
                    self.clients.insert(slot, Wire::new(stream), now);
                    self.clients.counters.connections();
                }
                Err(error) => log::warn!("the simulated venue lost a connection: {error}"),
            }
        }
    }

    /// Lets a connection wake the server.
    fn watch(&self, mut stream: Stream, slot: usize) -> io::Result<Stream> {
        stream.is_connected()?;
        if let Some(registry) = &self.registry {
            stream.register(registry, Token(slot), Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(stream)
    }

    /// Reads and answers until nothing whole is left to read; how much there was.
    fn serve(&mut self, slot: usize, now: Moment) -> usize {
        let mut served = 0;
        if let Some(client) = self.clients.get(slot) {
            client.wire().unblock();
        }
        while let Some(input) = self.clients.get(slot).and_then(|c| c.next_input(now.ns)) {
            served += 1;
            match input {
                Input::HttpRequest(request) => self.serve_request(slot, &request, now),
                Input::Text(text) => {
                    self.content.message(slot, text.as_str(), &mut self.clients, now);
                }
                Input::TooMany => self.clients.punish_rate(slot),
            }
        }
        served
    }

    fn serve_request(&mut self, slot: usize, request: &HttpRequest, now: Moment) {
        if let Some(key) = &request.websocket_key {
            return self.serve_handshake(slot, request, key, now);
        }
        let reply = match request.method.as_str() {
            "GET" | "DELETE" => self.content.rest(slot, request, &mut self.clients, now),
            // What changes something is told in a body, or says that it has none.
            "POST" if !request.body.is_empty() || request.header("content-length").is_some() => {
                self.content.rest(slot, request, &mut self.clients, now)
            }
            _ => Some(Reply::new(405, b"{}".to_vec())),
        };
        self.clients.counters.rest_requests();
        if let Some((client, reply)) = self.clients.get(slot).zip(reply) {
            reply.write(client.wire().out(), request.keep_alive);
            client.is_closing |= !request.keep_alive;
        }
    }

    fn serve_handshake(&mut self, slot: usize, request: &HttpRequest, key: &str, now: Moment) {
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
        client.session.binary = opening.binary;
        client.session.returns_rate_limits = opening.returns_rate_limits;
        client.session.messages_per_s = opening.messages_per_s;
        client.session.part = opening.part;
        client.session.user_subscription = opening.hears_account.then_some(0);
        client.session.numbered_by = opening.numbered_by.map(|field| (field, 0));
        client.upgrade(key);
        for name in opening.streams {
            client.session.subscribe(&name, self.content.resolve(&name));
        }
        self.clients.counters.handshakes();
    }
}
