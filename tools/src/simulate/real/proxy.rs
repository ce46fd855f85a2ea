//! The network between an engine and its venue: a listener on loopback that passes bytes on in both
//! directions, and does to them what the plan says.
//!
//! One thread looks at all connections, every half millisecond. It ends with its [`Proxy`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pitlane_engine::world::{NetConditions, SplitMix64};
use rustix::net::sockopt::set_socket_linger;

/// Between two looks.
const LOOK: Duration = Duration::from_micros(500);
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes of one direction that wait in here; beyond, nothing is read from its sender.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// How long the port is asked for again after an outage, in which somebody else may have it.
const PORT_PATIENCE: Duration = Duration::from_secs(5);

/// What a proxy has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Connections that were passed on.
    pub(super) connections: u64,
    /// Connections that were ended as soon as they were there.
    pub(super) refused: u64,
    /// Writes that arrived in two parts.
    pub(super) splits: u64,
    /// Writes that were held up.
    pub(super) holds: u64,
    /// Connections that were cut at some byte.
    pub(super) cuts: u64,
    /// Directions in which nothing arrived any more, and nobody was told.
    pub(super) silences: u64,
    /// Connections that an outage has cut.
    pub(super) outage_cuts: u64,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    refused: AtomicU64,
    splits: AtomicU64,
    holds: AtomicU64,
    cuts: AtomicU64,
    silences: AtomicU64,
    outage_cuts: AtomicU64,
}

#[derive(Default)]
struct Shared {
    conditions: Mutex<NetConditions>,
    is_out: AtomicBool,
    stop: AtomicBool,
    counters: Counters,
    /// Why it can't go on.
    failure: Mutex<Option<String>>,
}

/// A proxy that runs. Dropping it ends all of its connections.
pub(super) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens at a free port of loopback, and passes on to `venue`.
    ///
    /// # Errors
    /// No port or no thread to be had.
    pub(super) fn start(
        venue: SocketAddr,
        conditions: NetConditions,
        seed: u64,
    ) -> io::Result<Proxy> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        *shared.conditions.lock() = conditions;
        let line = Line {
            venue,
            address,
            listener: Some(listener),
            out_since: None,
            pairs: Vec::new(),
            random: SplitMix64::new(seed),
            shared: Arc::clone(&shared),
            buffer: vec![0; CHUNK_BYTES],
        };
        let thread = thread::Builder::new().name("proxy".to_owned()).spawn(move || line.run())?;
        Ok(Proxy { address, shared, thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it does this to what is sent.
    pub(super) fn set_conditions(&self, conditions: NetConditions) {
        *self.shared.conditions.lock() = conditions;
    }

    /// Begins an outage, in which nobody listens and all connections are cut, or ends it.
    pub(super) fn set_out(&self, is_out: bool) {
        self.shared.is_out.store(is_out, Relaxed);
    }

    /// What it has done so far.
    pub(super) fn done(&self) -> Done {
        let of = &self.shared.counters;
        Done {
            connections: of.connections.load(Relaxed),
            refused: of.refused.load(Relaxed),
            splits: of.splits.load(Relaxed),
            holds: of.holds.load(Relaxed),
            cuts: of.cuts.load(Relaxed),
            silences: of.silences.load(Relaxed),
            outage_cuts: of.outage_cuts.load(Relaxed),
        }
    }

    /// Why it can't go on, if it can't.
    pub(super) fn failure(&self) -> Option<String> {
        let has_ended = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        let why = self.shared.failure.lock().clone();
        why.or_else(|| has_ended.then(|| "its thread has ended".to_owned()))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked_and_said_so = thread.join();
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The thread's own.
struct Line {
    venue: SocketAddr,
    address: SocketAddr,
    /// `None` in an outage.
    listener: Option<TcpListener>,
    /// Since when the port is asked for again.
    out_since: Option<Instant>,
    pairs: Vec<Pair>,
    random: SplitMix64,
    shared: Arc<Shared>,
    buffer: Vec<u8>,
}

impl Line {
    fn run(mut self) {
        while !self.shared.stop.load(Relaxed) {
            let turn = self.turn();
            if let Err(error) = turn {
                *self.shared.failure.lock() = Some(error.to_string());
                return;
            }
            thread::sleep(LOOK);
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if self.shared.is_out.load(Relaxed) {
            if self.listener.take().is_some() {
                let cut = self.pairs.len() as u64;
                self.shared.counters.outage_cuts.fetch_add(cut, Relaxed);
                self.pairs.drain(..).for_each(Pair::reset);
            }
            return Ok(());
        }
        if self.listener.is_none() && !self.listen_again(now)? {
            return Ok(());
        }
        self.accept()?;
        let conditions = *self.shared.conditions.lock();
        let Line { pairs, random, shared, buffer, .. } = self;
        let mut at = 0;
        while at < pairs.len() {
            let mut dice = Dice { conditions: &conditions, random, counters: &shared.counters };
            match pairs[at].turn(now, buffer, &mut dice) {
                Fate::Lives => at += 1,
                Fate::Over => drop(pairs.swap_remove(at)),
                Fate::Cut => pairs.swap_remove(at).reset(),
            }
        }
        Ok(())
    }

    /// Whether the port is there again.
    fn listen_again(&mut self, now: Instant) -> io::Result<bool> {
        match listen(self.address) {
            Ok(listener) => {
                (self.listener, self.out_since) = (Some(listener), None);
                Ok(true)
            }
            Err(error) if now - *self.out_since.get_or_insert(now) > PORT_PATIENCE => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let refuse_ppm = self.shared.conditions.lock().refuse_ppm;
        while let Some(listener) = &self.listener {
            let engine = match listener.accept() {
                Ok((engine, _)) => engine,
                Err(error) if is_for_later(&error) => return Ok(()),
                // The client is gone before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            if self.random.hits_ppm(refuse_ppm) {
                self.shared.counters.refused.fetch_add(1, Relaxed);
                reset(&engine);
                continue;
            }
            match Pair::new(engine, self.venue) {
                Ok(pair) => {
                    self.shared.counters.connections.fetch_add(1, Relaxed);
                    self.pairs.push(pair);
                }
                // The venue takes nobody more, and the engine sees that as it would there.
                Err(_) => continue,
            }
        }
        Ok(())
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Has the end of a connection tell its peer of a reset when it is dropped.
fn reset(end: &TcpStream) {
    let _else_it_ends_in_order = set_socket_linger(end, Some(Duration::ZERO));
}

/// A connection of the engine's, with that to the venue.
struct Pair {
    /// Of the engine, and of the venue.
    ends: [TcpStream; 2],
    /// What each end sends to the other.
    pipes: [Pipe; 2],
}

/// One direction.
#[derive(Default)]
struct Pipe {
    /// When the next part arrives, and what is left of it.
    parts: VecDeque<(Instant, VecDeque<u8>)>,
    waiting: usize,
    is_silent: bool,
    /// Its sender has sent its last.
    is_ended: bool,
    /// Its receiver was told so.
    is_passed_on: bool,
    /// The connection is cut once all has arrived.
    is_cut: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Over,
    Cut,
}

/// Chance, and who counts what comes of it.
struct Dice<'a> {
    conditions: &'a NetConditions,
    random: &'a mut SplitMix64,
    counters: &'a Counters,
}

impl Dice<'_> {
    fn hits(&mut self, ppm: u32, counter: &AtomicU64) -> bool {
        let is_hit = self.random.hits_ppm(ppm);
        counter.fetch_add(u64::from(is_hit), Relaxed);
        is_hit
    }
}

impl Pair {
    fn new(engine: TcpStream, venue: SocketAddr) -> io::Result<Pair> {
        let ends = [engine, TcpStream::connect(venue)?];
        for end in &ends {
            end.set_nonblocking(true)?;
            end.set_nodelay(true)?;
        }
        Ok(Pair { ends, pipes: [Pipe::default(), Pipe::default()] })
    }

    fn reset(self) {
        self.ends.iter().for_each(reset);
    }

    fn turn(&mut self, now: Instant, buffer: &mut [u8], dice: &mut Dice<'_>) -> Fate {
        for side in 0..2 {
            let [engine, venue] = &mut self.ends;
            let (from, to) = if side == 0 { (engine, venue) } else { (venue, engine) };
            let pipe = &mut self.pipes[side];
            if pipe.read(from, now, buffer, dice).is_err() || pipe.write(to, now).is_err() {
                return Fate::Cut;
            }
            if pipe.is_cut && pipe.parts.is_empty() {
                return Fate::Cut;
            }
        }
        let is_done = |pipe: &Pipe| pipe.is_passed_on || pipe.is_silent && pipe.is_ended;
        let is_over = self.pipes.iter().all(is_done);
        if is_over { Fate::Over } else { Fate::Lives }
    }
}

impl Pipe {
    fn read(
        &mut self,
        from: &mut TcpStream,
        now: Instant,
        buffer: &mut [u8],
        dice: &mut Dice<'_>,
    ) -> io::Result<()> {
        while !self.is_ended && !self.is_cut && self.waiting < WAITING_BYTES_MAX {
            match from.read(buffer) {
                Ok(0) => self.is_ended = true,
                Ok(count) => self.take(&buffer[..count], now, dice),
                Err(error) if is_for_later(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What the plan makes of one write.
    fn take(&mut self, bytes: &[u8], now: Instant, dice: &mut Dice<'_>) {
        let (conditions, counters) = (dice.conditions, dice.counters);
        self.is_silent = self.is_silent || dice.hits(conditions.silence_ppm, &counters.silences);
        if self.is_silent {
            return;
        }
        let mut ns = conditions.latency_ns + dice.random.between(0, conditions.jitter_ns);
        if dice.hits(conditions.cut_ppm, &counters.cuts) {
            let whole = dice.random.between(0, bytes.len() as u64) as usize;
            self.push(&bytes[..whole], now, ns);
            self.is_cut = true;
            return;
        }
        if dice.hits(conditions.stall_ppm, &counters.holds) {
            ns += conditions.stall_ns;
        }
        let mut tail = bytes;
        if bytes.len() > 1 && dice.hits(conditions.split_ppm, &counters.splits) {
            let at = dice.random.between(1, bytes.len() as u64 - 1) as usize;
            self.push(&bytes[..at], now, ns);
            // More than one look, so that the parts are two writes.
            ns += dice.random.between(1_000_000, 5_000_000);
            tail = &bytes[at..];
        }
        self.push(tail, now, ns);
    }

    fn push(&mut self, bytes: &[u8], now: Instant, after_ns: u64) {
        let due = now + Duration::from_nanos(after_ns);
        let due = self.parts.back().map_or(due, |(before, _)| due.max(*before));
        self.waiting += bytes.len();
        if !bytes.is_empty() {
            self.parts.push_back((due, bytes.iter().copied().collect()));
        }
    }

    fn write(&mut self, to: &mut TcpStream, now: Instant) -> io::Result<()> {
        while let Some((due, part)) = self.parts.front_mut()
            && *due <= now
        {
            match to.write(part.as_slices().0) {
                Ok(count) => {
                    part.drain(..count);
                    self.waiting -= count;
                }
                Err(error) if is_for_later(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
        let is_last = self.is_ended && !self.is_silent && self.parts.is_empty();
        if is_last && !self.is_passed_on {
            self.is_passed_on = true;
            match to.shutdown(Shutdown::Write) {
                Err(error) if error.kind() != ErrorKind::NotConnected => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A venue that says everything again, until the proxy cuts it off.
    fn echo() -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        });
        (address, thread)
    }

    fn conditions() -> NetConditions {
        NetConditions { latency_ns: 1_000, jitter_ns: 0, ..NetConditions::default() }
    }

    fn client(proxy: &Proxy) -> TcpStream {
        let client = TcpStream::connect(proxy.address()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    }

    #[test]
    fn bytes_come_back_in_order_in_parts_and_late() {
        let (venue, thread) = echo();
        let conditions = NetConditions {
            split_ppm: 500_000,
            stall_ppm: 200_000,
            stall_ns: 3_000_000,
            ..conditions()
        };
        let proxy = Proxy::start(venue, conditions, 7).unwrap();
        let mut client = client(&proxy);
        let sent: Vec<u8> = (0..40_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        let mut got = vec![0; sent.len()];
        for (out, into) in sent.chunks(1_000).zip(got.chunks_mut(1_000)) {
            client.write_all(out).unwrap();
            client.read_exact(into).unwrap();
        }
        assert!(got == sent);
        let done = proxy.done();
        assert!(done.splits > 0 && done.holds > 0 && done.connections == 1, "{done:?}");
        drop(client);
        thread.join().unwrap();
    }

    #[test]
    fn a_connection_is_cut_within_a_write_and_both_sides_are_told() {
        let (venue, thread) = echo();
        let cut = NetConditions { cut_ppm: 1_000_000, ..conditions() };
        let proxy = Proxy::start(venue, cut, 3).unwrap();
        let mut client = client(&proxy);
        client.write_all(&[1; 1_000]).unwrap();
        let mut got = Vec::new();
        let _reset_or_end = client.read_to_end(&mut got);
        assert!(got.len() < 1_000, "{}", got.len());
        assert_eq!((proxy.done().cuts, proxy.failure()), (1, None));
        thread.join().unwrap();
    }

    #[test]
    fn in_silence_nothing_arrives_and_nobody_is_told() {
        let (venue, thread) = echo();
        let silent = NetConditions { silence_ppm: 1_000_000, ..conditions() };
        let proxy = Proxy::start(venue, silent, 3).unwrap();
        let mut client = client(&proxy);
        client.write_all(&[1; 10]).unwrap();
        while proxy.done().silences == 0 {
            thread::yield_now();
        }
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        assert!(is_for_later(&client.read(&mut [0; 10]).unwrap_err()));
        drop(proxy);
        thread.join().unwrap();
    }

    #[test]
    fn in_an_outage_nobody_listens_and_afterwards_the_same_port_does() {
        let (venue, thread) = echo();
        let proxy = Proxy::start(venue, conditions(), 3).unwrap();
        let mut cut = client(&proxy);
        cut.write_all(&[1; 10]).unwrap();
        cut.read_exact(&mut [0; 10]).unwrap();
        proxy.set_out(true);
        assert!(matches!(cut.read(&mut [0; 10]), Ok(0) | Err(_)));
        assert_eq!(proxy.done().outage_cuts, 1);
        assert!(TcpStream::connect(proxy.address()).is_err());
        proxy.set_out(false);
        while TcpStream::connect(proxy.address()).is_err() {
            assert_eq!(proxy.failure(), None);
            thread::yield_now();
        }
        thread.join().unwrap();
    }

    #[test]
    fn a_refused_connection_ends_at_once() {
        let venue = TcpListener::bind("127.0.0.1:0").unwrap();
        let refuse = NetConditions { refuse_ppm: 1_000_000, ..conditions() };
        let proxy = Proxy::start(venue.local_addr().unwrap(), refuse, 3).unwrap();
        assert!(matches!(client(&proxy).read(&mut [0; 10]), Ok(0) | Err(_)));
        let done = proxy.done();
        assert_eq!((done.refused, done.connections), (1, 0));
    }
}
