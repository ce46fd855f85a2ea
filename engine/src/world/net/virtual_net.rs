//! A network in memory, in virtual time: what it does to bytes follows from its seed.
//!
//! Bytes arrive in order, each after the latency and a drawn delay. By seed a write is split (its
//! tail arrives later), stalled, or cut (a part arrives, then both sides see a reset). Every fault
//! is counted, so that a test can prove that it happened.
//!
//! It is shared by all ends of one simulated world, which runs on one thread; the lock is never
//! waited for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::pipe::{End, Pipe};
use crate::world::fnv::fnv_words;
use crate::world::{Clock, SplitMix64};

/// The first port that a listener at port 0, and the first that a client, is given.
const LISTENER_PORT_FIRST: u16 = 20_000;
const CLIENT_PORT_FIRST: u16 = 40_000;

/// How a virtual net treats what is written. Rates are in a million writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetConditions {
    /// From a write to its arrival, ns; at least 1.
    pub latency_ns: u64,
    /// The most that is drawn on top of the latency, ns.
    pub jitter_ns: u64,
    /// Writes whose tail arrives later than their head.
    pub split_ppm: u32,
    /// Writes that are held up.
    pub stall_ppm: u32,
    /// For how long, ns.
    pub stall_ns: u64,
    /// Writes in which the connection is cut.
    pub cut_ppm: u32,
    /// Writes from which on nothing arrives any more in that direction, and nobody is told.
    pub silence_ppm: u32,
    /// Connections that are refused, of a million.
    pub refuse_ppm: u32,
    /// Names that are not found, of a million look-ups.
    pub lost_name_ppm: u32,
}

impl Default for NetConditions {
    /// A good line: 50 us and up to 20 us more, and no fault.
    fn default() -> NetConditions {
        NetConditions {
            latency_ns: 50_000,
            jitter_ns: 20_000,
            split_ppm: 0,
            stall_ppm: 0,
            stall_ns: 0,
            cut_ppm: 0,
            silence_ppm: 0,
            refuse_ppm: 0,
            lost_name_ppm: 0,
        }
    }
}

/// What a virtual net has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NetTotals {
    pub connections: u64,
    pub refused: u64,
    pub bytes: u64,
    /// A hash over every write: its connection, its side, its bytes.
    pub hash: u64,
    pub splits: u64,
    pub stalls: u64,
    pub cuts: u64,
    pub silences: u64,
    pub lost_names: u64,
}

/// A network in memory. Cheap to clone; all clones are one net.
#[derive(Clone, Debug)]
pub struct VirtualNet(Arc<Shared>);

/// Nobody in particular.
const NOBODY: usize = usize::MAX;

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// Who is running: the reader of what it looks at.
    present: AtomicUsize,
    state: Mutex<State>,
}

/// Who is told of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The one with this number, see [`VirtualNet::runs`].
    Number(usize),
    /// It is not known who.
    Anybody,
}

/// Something arrives: when, at which connection, at which of its sides.
type Arrival = (u64, u64, usize);

#[derive(Debug)]
struct State {
    random: SplitMix64,
    conditions: NetConditions,
    names: BTreeMap<String, Vec<SocketAddr>>,
    listeners: BTreeMap<SocketAddr, Backlog>,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    next_listener_port: u16,
    next_client_port: u16,
    due: BinaryHeap<Reverse<Arrival>>,
    totals: NetTotals,
}

/// Connections that a listener has not accepted yet.
type Backlog = VecDeque<u64>;

#[derive(Debug)]
struct Connection {
    peer: SocketAddr,
    /// When both sides know of it.
    ready_ns: u64,
    is_refused: bool,
    /// What each side writes.
    pipes: [Pipe; 2],
    is_held: [bool; 2],
    /// Who has looked at each side last.
    readers: [usize; 2],
}

impl VirtualNet {
    /// A net without listeners or names.
    #[must_use]
    pub fn new(clock: Clock, seed: u64, conditions: NetConditions) -> VirtualNet {
        let state = State {
            random: SplitMix64::new(seed),
            conditions,
            names: BTreeMap::new(),
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            next_listener_port: LISTENER_PORT_FIRST,
            next_client_port: CLIENT_PORT_FIRST,
            due: BinaryHeap::new(),
            totals: NetTotals::default(),
        };
        let present = AtomicUsize::new(NOBODY);
        VirtualNet(Arc::new(Shared { clock, present, state: Mutex::new(state) }))
    }

    /// Gives the host and port of `authority` these addresses in place of those before.
    pub fn set_name(&self, authority: &str, addresses: Vec<SocketAddr>) {
        self.0.state.lock().names.insert(authority.to_owned(), addresses);
    }

    /// Changes what happens to the writes from now on.
    pub fn set_conditions(&self, conditions: NetConditions) {
        self.0.state.lock().conditions = conditions;
    }

    /// Cuts every connection now; each side sees a reset after the latency.
    pub fn cut_all(&self) {
        let now_ns = self.0.clock.now_ns();
        let state = &mut *self.0.state.lock();
        let due_ns = now_ns + state.conditions.latency_ns.max(1);
        for (id, connection) in &mut state.connections {
            for (side, pipe) in connection.pipes.iter_mut().enumerate() {
                pipe.finish(End::Reset, due_ns);
                state.due.push(Reverse((due_ns, *id, side)));
            }
            state.totals.cuts += 1;
        }
    }

    /// Ends of connections that somebody still holds.
    #[must_use]
    pub fn open_ends(&self) -> usize {
        let held = |connection: &Connection| connection.is_held.iter().filter(|is| **is).count();
        self.0.state.lock().connections.values().map(held).sum()
    }

    /// What it has done so far.
    #[must_use]
    pub fn totals(&self) -> NetTotals {
        self.0.state.lock().totals
    }

    /// Says who runs from now on: what it looks at it is told of.
    pub fn runs(&self, number: usize) {
        self.0.present.store(number, Ordering::Relaxed);
    }

    /// The same of nobody in particular; and whoever was told of arrivals is not any more.
    pub fn forget_readers(&self) {
        self.runs(NOBODY);
        let connections = &mut self.0.state.lock().connections;
        connections.values_mut().for_each(|connection| connection.readers = [NOBODY; 2]);
    }

    /// When something arrives next after now, ns; `u64::MAX` when nothing is under way. For whoever
    /// looks at all connections then: nobody is told of what has arrived before.
    #[must_use]
    pub fn next_due_ns(&self) -> u64 {
        self.take_arrived(|_reader| {});
        self.next_arrival_ns()
    }

    /// When something has arrived or arrives of which nobody was told, ns; `u64::MAX` when nothing
    /// is under way.
    #[must_use]
    pub fn next_arrival_ns(&self) -> u64 {
        self.0.state.lock().due.peek().map_or(u64::MAX, |due| due.0.0)
    }

    /// Tells `take` who is to look at what has arrived since it was last called.
    pub fn take_arrived(&self, mut take: impl FnMut(Reader)) {
        let now_ns = self.0.clock.now_ns();
        let State { due, connections, .. } = &mut *self.0.state.lock();
        while due.peek().is_some_and(|due| due.0.0 <= now_ns)
            && let Some(Reverse((_, id, side))) = due.pop()
        {
            let Some(connection) = connections.get(&id) else { continue };
            match connection.readers[side] {
                NOBODY => take(Reader::Anybody),
                number => take(Reader::Number(number)),
            }
        }
    }

    fn present(&self) -> usize {
        self.0.present.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn now_ns(&self) -> u64 {
        self.0.clock.now_ns()
    }

    pub(super) fn resolve(&self, authority: &str) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = authority.parse() {
            return Ok(vec![address]);
        }
        let state = &mut *self.0.state.lock();
        if state.random.hits_ppm(state.conditions.lost_name_ppm) {
            state.totals.lost_names += 1;
            return Err(ErrorKind::NotFound.into());
        }
        let found = state.names.get(authority).cloned();
        found.filter(|addresses| !addresses.is_empty()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Listens at `address`, or at a free port; where.
    pub(super) fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let state = &mut *self.0.state.lock();
        let mut address = address;
        if address.port() == 0 {
            address.set_port(state.next_listener_port);
            state.next_listener_port += 1;
        }
        if state.listeners.contains_key(&address) {
            return Err(ErrorKind::AddrInUse.into());
        }
        state.listeners.insert(address, Backlog::new());
        Ok(address)
    }

    /// The next connection that waits at `address`: its number, and the client's address.
    pub(super) fn accept(&self, address: SocketAddr) -> io::Result<(u64, SocketAddr)> {
        let now_ns = self.0.clock.now_ns();
        let state = &mut *self.0.state.lock();
        let backlog = state.listeners.get_mut(&address).ok_or(ErrorKind::NotConnected)?;
        let id = *backlog.front().ok_or(ErrorKind::WouldBlock)?;
        // The listener holds its side, so a connection whose client is gone is still there.
        let connection = state.connections.get_mut(&id).ok_or(ErrorKind::NotConnected)?;
        if connection.ready_ns > now_ns {
            return Err(ErrorKind::WouldBlock.into());
        }
        backlog.pop_front();
        connection.readers[1] = self.present();
        Ok((id, connection.peer))
    }

    /// Ends the listening at `address`; connections that were not accepted are cut.
    pub(super) fn stop_listening(&self, address: SocketAddr) {
        let backlog = self.0.state.lock().listeners.remove(&address);
        for id in backlog.into_iter().flatten() {
            self.end(id, 1, End::Reset);
            self.drop_end(id, 1);
        }
    }

    /// Starts to connect to `address`; the connection's number.
    pub(super) fn connect(&self, address: SocketAddr) -> u64 {
        let now_ns = self.0.clock.now_ns();
        let state = &mut *self.0.state.lock();
        let id = state.next_connection;
        state.next_connection += 1;
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), state.next_client_port);
        state.next_client_port = state.next_client_port.checked_add(1).unwrap_or(CLIENT_PORT_FIRST);
        let ready_ns = now_ns + state.delay_ns();
        let is_unlucky = state.random.hits_ppm(state.conditions.refuse_ppm);
        let backlog = state.listeners.get_mut(&address).filter(|_| !is_unlucky);
        let is_refused = backlog.is_none();
        match backlog {
            Some(backlog) => {
                backlog.push_back(id);
                state.totals.connections += 1;
            }
            None => state.totals.refused += 1,
        }
        state.due.push(Reverse((ready_ns, id, 0)));
        state.due.push(Reverse((ready_ns, id, 1)));
        let pipes = [Pipe::default(), Pipe::default()];
        let (is_held, readers) = ([true, !is_refused], [self.present(), NOBODY]);
        let connection = Connection { peer, ready_ns, is_refused, pipes, is_held, readers };
        state.connections.insert(id, connection);
        id
    }

    pub(super) fn is_connected(&self, id: u64) -> io::Result<bool> {
        let now_ns = self.0.clock.now_ns();
        let state = self.0.state.lock();
        match state.connections.get(&id) {
            Some(connection) if now_ns < connection.ready_ns => Ok(false),
            Some(connection) if !connection.is_refused => Ok(true),
            _ => Err(ErrorKind::ConnectionRefused.into()),
        }
    }

    pub(super) fn receive(&self, id: u64, side: usize, into: &mut [u8]) -> io::Result<usize> {
        let now_ns = self.0.clock.now_ns();
        let mut state = self.0.state.lock();
        let State { connections, due, .. } = &mut *state;
        let connection = connections.get_mut(&id).ok_or(ErrorKind::NotConnected)?;
        let pipe = &mut connection.pipes[1 - side];
        connection.readers[side] = self.present();
        let was_full = pipe.room() == 0;
        let taken = pipe.receive(into, now_ns)?;
        if was_full && taken > 0 {
            // Its writer may go on, as a poller would tell it.
            due.push(Reverse((now_ns + 1, id, 1 - side)));
        }
        Ok(taken)
    }

    pub(super) fn send(&self, id: u64, side: usize, bytes: &[u8]) -> io::Result<usize> {
        let now_ns = self.0.clock.now_ns();
        self.0.state.lock().send(id, side, bytes, now_ns)
    }

    pub(super) fn end(&self, id: u64, side: usize, end: End) {
        let now_ns = self.0.clock.now_ns();
        let state = &mut *self.0.state.lock();
        let due_ns = now_ns + state.delay_ns();
        let Some(connection) = state.connections.get_mut(&id) else { return };
        let due_ns = connection.pipes[side].finish(end, due_ns);
        if end == End::Reset {
            connection.pipes[1 - side].finish(end, now_ns);
            state.due.push(Reverse((now_ns, id, side)));
        }
        state.due.push(Reverse((due_ns, id, 1 - side)));
    }

    pub(super) fn drop_end(&self, id: u64, side: usize) {
        self.end(id, side, End::Orderly);
        let state = &mut *self.0.state.lock();
        let Some(connection) = state.connections.get_mut(&id) else { return };
        connection.is_held[side] = false;
        if connection.is_held == [false; 2] {
            state.connections.remove(&id);
        }
    }
}

impl State {
    fn send(&mut self, id: u64, side: usize, bytes: &[u8], now_ns: u64) -> io::Result<usize> {
        let due_ns = now_ns + self.delay_ns();
        let connection = self.connections.get_mut(&id).ok_or(ErrorKind::NotConnected)?;
        let is_heard = connection.is_held[1 - side];
        let pipe = &mut connection.pipes[side];
        if pipe.is_reset(now_ns) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if pipe.is_ended() || !is_heard {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(pipe.room());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let bytes = &bytes[..count];
        self.totals.bytes += count as u64;
        let number = (id << 1 | side as u64).to_le_bytes();
        self.totals.hash = fnv_words(fnv_words(self.totals.hash, &number), bytes);
        let conditions = &self.conditions;
        if !pipe.is_silent() && self.random.hits_ppm(conditions.silence_ppm) {
            self.totals.silences += 1;
            pipe.silence();
        }
        if pipe.is_silent() {
            pipe.send(bytes, u64::MAX);
            return Ok(count);
        }
        if self.random.hits_ppm(conditions.cut_ppm) {
            self.totals.cuts += 1;
            let whole = self.random.between(0, count as u64) as usize;
            let due_ns = pipe.send(&bytes[..whole], due_ns);
            // One nanosecond behind the part, so that a reader which looks in between has seen it.
            connection.pipes.iter_mut().for_each(|pipe| {
                pipe.finish(End::Reset, due_ns + 1);
            });
            self.due.push(Reverse((due_ns, id, 1 - side)));
            self.due.push(Reverse((due_ns + 1, id, side)));
            self.due.push(Reverse((due_ns + 1, id, 1 - side)));
            return Ok(count);
        }
        let mut due_ns = due_ns;
        if self.random.hits_ppm(conditions.stall_ppm) {
            self.totals.stalls += 1;
            due_ns += conditions.stall_ns;
        }
        let mut tail = bytes;
        if count > 1 && self.random.hits_ppm(conditions.split_ppm) {
            self.totals.splits += 1;
            let (head, rest) = bytes.split_at(self.random.between(1, count as u64 - 1) as usize);
            due_ns = pipe.send(head, due_ns);
            self.due.push(Reverse((due_ns, id, 1 - side)));
            due_ns += self.random.between(1, conditions.latency_ns.max(1));
            tail = rest;
        }
        let due_ns = pipe.send(tail, due_ns);
        self.due.push(Reverse((due_ns, id, 1 - side)));
        Ok(count)
    }

    fn delay_ns(&mut self) -> u64 {
        self.conditions.latency_ns.max(1) + self.random.between(0, self.conditions.jitter_ns)
    }
}
