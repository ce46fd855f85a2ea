//! A WebSocket client session: one connection after the other, as a state machine without waiting.
//!
//! ```text
//! waiting -> connecting -> handshake -> open -> (closed, by either side or a deadline) -> waiting
//! any of them -> off -> waiting, by its owner
//! ```
//!
//! Promises: no call blocks; every state has a deadline by our own clock (F13, F14), since no timeout of
//! the system would stop a peer that sends one byte a second; each end of a connection has a reason that
//! is told exactly once; between two attempts the backoff passes (F12). In the open state nothing
//! allocates per message.
//!
//! It knows no venue: what is said over the connection, and when it has proved healthy, is its owner's.
//!
//! **The socket is read once a cycle, without asking the poller first.** With one or two sockets a core,
//! a read of an empty socket and an empty `epoll_wait` cost the same system call, and asking first would
//! add one to each read that finds something. The sockets are registered all the same, edge-triggered:
//! that is what ends the sleep of a core that parks.

use std::io::{self, Read};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tungstenite::protocol::frame::coding::Control;

use super::handshake::Handshake;
use super::inbound::Part;
use super::{
    Backoff, BackoffOptions, CloseReason, Endpoint, Inbound, Outbound, SendError, WireError,
};
use crate::runtime::Clock;
use crate::venue::SessionState;

/// The code of a close that nothing is wrong with (RFC 6455, section 7.4.1).
const CLOSE_CODE_NORMAL: u16 = 1_000;

/// Deadlines and limits of a session, all by the engine's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// From the attempt to connect to the answered handshake, ns.
    pub handshake_ns: u64,
    /// From the first byte of a frame (or fragmented message) to its last, ns.
    pub frame_ns: u64,
    /// Between two of our pings, ns.
    pub ping_interval_ns: u64,
    /// Nothing read at all, also no pong: the connection is given up, ns.
    pub idle_ns: u64,
    /// Waits between attempts.
    pub backoff: BackoffOptions,
    /// Largest frame, and largest joined message, bytes.
    pub frame_bytes_max: usize,
}

impl Default for SessionLimits {
    /// Those of the configuration's `[session]`.
    fn default() -> SessionLimits {
        const SECOND_NS: u64 = 1_000_000_000;
        SessionLimits {
            handshake_ns: 5 * SECOND_NS,
            frame_ns: 2 * SECOND_NS,
            ping_interval_ns: 20 * SECOND_NS,
            idle_ns: 60 * SECOND_NS,
            backoff: BackoffOptions::default(),
            frame_bytes_max: 1024 * 1024,
        }
    }
}

/// What a [`Session`] is made of.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Deadlines and limits.
    pub limits: SessionLimits,
    /// Number of its socket in the core's poller; unique on the core.
    pub token: usize,
    /// Seed of jitter and frame masks.
    pub seed: u64,
}

/// What a step of the state machine did.
#[derive(Debug)]
pub enum Progress {
    /// Nothing.
    Idle,
    /// It moved on.
    Moved,
    /// The connection is open: subscribe or log on.
    Opened,
    /// The connection has ended, or an attempt has failed; the next attempt comes by itself.
    Closed(CloseReason),
}

/// One whole text or binary message.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// When the read that brought its last byte returned, ns of the engine's clock.
    pub read_ns: u64,
}

enum State {
    Waiting {
        until_ns: u64,
    },
    Connecting {
        stream: TcpStream,
        deadline_ns: u64,
    },
    Handshake {
        stream: TcpStream,
        deadline_ns: u64,
        handshake: Handshake,
    },
    Open {
        stream: TcpStream,
    },
    /// Closed by its owner until it is resumed.
    Off,
    /// Closed by its owner for good.
    Ended,
}

/// One client session.
pub struct Session {
    endpoint: Endpoint,
    limits: SessionLimits,
    token: Token,
    clock: Clock,
    registry: Option<Registry>,
    state: State,
    inbound: Inbound,
    outbound: Outbound,
    backoff: Backoff,
    /// Which of the endpoint's addresses is tried next.
    next_address: usize,
    /// When bytes were read last.
    heard_ns: u64,
    /// When the socket was looked at last. Silence of the venue ends here: what came while we did not
    /// look is not known, be it that the link ahead was full or that the core was held up.
    looked_ns: u64,
    /// The present step's time.
    now_ns: u64,
    ping_due_ns: u64,
    /// The socket was read since the last step.
    has_read: bool,
    /// It gave bytes.
    has_heard: bool,
    /// Why the connection has to end; found while reading, acted on by the next step.
    failure: Option<CloseReason>,
}

impl Session {
    /// A session that connects with its first step.
    #[must_use]
    pub fn new(options: SessionOptions, clock: Clock) -> Session {
        let SessionOptions { endpoint, limits, token, seed } = options;
        Session {
            endpoint,
            limits,
            token: Token(token),
            clock,
            registry: None,
            state: State::Waiting { until_ns: 0 },
            inbound: Inbound::new(limits.frame_bytes_max),
            outbound: Outbound::new(seed),
            backoff: Backoff::new(limits.backoff, seed),
            next_address: 0,
            heard_ns: 0,
            looked_ns: 0,
            now_ns: 0,
            ping_due_ns: 0,
            has_read: false,
            has_heard: false,
            failure: None,
        }
    }

    /// Takes the core's poller, so that the socket can end its sleep. A failure only costs latency in
    /// plans that park, and is logged.
    pub fn register(&mut self, registry: &Registry) {
        match registry.try_clone() {
            Ok(registry) => self.registry = Some(registry),
            Err(error) => log::warn!("[session] registering a poller failed: {error} (code: io)"),
        }
    }

    /// One step: attempts, deadlines, pings, and bytes that wait to be written. Call it each duty cycle,
    /// before reading.
    #[inline]
    pub fn step(&mut self, now_ns: u64) -> Progress {
        self.has_read = false;
        self.has_heard = false;
        self.now_ns = now_ns;
        match self.try_step(now_ns) {
            Ok(progress) => progress,
            Err(reason) => self.end(reason, now_ns),
        }
    }

    /// The next whole data message; `None` when there is none now. Pings are answered and closes noted on
    /// the way; what ends the connection is told by the next step. Reads the socket at most once between
    /// two steps.
    #[inline]
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        match self.next_part() {
            Ok(Some((part, range))) => {
                let read_ns = self.inbound.stamp_ns();
                Some(Frame { bytes: self.inbound.payload(part, range), read_ns })
            }
            Ok(None) => None,
            Err(reason) => {
                self.failure = Some(reason);
                None
            }
        }
    }

    /// Queues one text message; [`Session::flush`] writes it.
    ///
    /// # Errors
    /// [`SendError`] when the session isn't open or the peer does not read.
    #[inline]
    pub fn send(&mut self, text: &[u8]) -> Result<(), SendError> {
        match self.state {
            State::Open { .. } => self.outbound.text(text),
            _ => Err(SendError::NotOpen),
        }
    }

    /// Writes what is queued, as far as the socket takes it. True when nothing is left. A failure is told
    /// by the next step.
    #[inline]
    pub fn flush(&mut self) -> bool {
        let State::Open { stream } = &mut self.state else { return false };
        match self.outbound.flush(stream) {
            Ok(is_empty) => is_empty,
            Err(error) => {
                self.failure.get_or_insert(CloseReason::Write(error));
                false
            }
        }
    }

    /// Ends the connection at the next step, for a reason that only the owner can see.
    pub fn fail(&mut self, reason: CloseReason) {
        self.failure.get_or_insert(reason);
    }

    /// The connection has proved healthy: the next failure starts with the shortest wait again.
    pub fn healthy(&mut self) {
        self.backoff.reset();
    }

    /// Says goodbye and closes for good.
    pub fn end_for_good(&mut self) {
        self.say_goodbye();
        self.state = State::Ended;
    }

    /// Says goodbye and closes until [`Session::resume`]. What the connection's end means to its owner is
    /// the owner's to do: no step tells of it.
    pub fn suspend(&mut self) {
        self.say_goodbye();
        self.failure = None;
        self.state = State::Off;
    }

    /// After [`Session::suspend`]: the next step connects.
    pub fn resume(&mut self) {
        if let State::Off = self.state {
            self.backoff.reset();
            self.state = State::Waiting { until_ns: 0 };
        }
    }

    fn say_goodbye(&mut self) {
        if let State::Open { stream } = &mut self.state {
            let _no_room = self.outbound.control(Control::Close, &CLOSE_CODE_NORMAL.to_be_bytes());
            let _gone = self.outbound.flush(stream);
            let _gone = stream.shutdown(Shutdown::Write);
        }
    }

    /// Where the connection is.
    #[must_use]
    pub fn state(&self) -> SessionState {
        match self.state {
            State::Waiting { .. } => SessionState::Waiting,
            State::Connecting { .. } => SessionState::Connecting,
            State::Handshake { .. } => SessionState::Handshake,
            State::Open { .. } => SessionState::Open,
            State::Off => SessionState::Off,
            State::Ended => SessionState::Ended,
        }
    }

    /// Whether messages can be exchanged.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether the socket gave bytes since the last step: then there may be more.
    #[inline]
    #[must_use]
    pub fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// Where it connects.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// After a protocol error: the bytes from the offending frame on.
    #[must_use]
    pub fn offending_bytes(&self) -> &[u8] {
        self.inbound.rest()
    }

    /// When the next step has something to do by time alone, ns of the engine's clock.
    #[must_use]
    pub fn next_timer_ns(&self) -> u64 {
        match &self.state {
            State::Waiting { until_ns } => *until_ns,
            State::Connecting { deadline_ns, .. } | State::Handshake { deadline_ns, .. } => {
                *deadline_ns
            }
            State::Open { .. } => {
                let frame_end_ns = self
                    .inbound
                    .incomplete_since_ns()
                    .map_or(u64::MAX, |since_ns| since_ns + self.limits.frame_ns);
                let idle_end_ns = self.heard_ns + self.limits.idle_ns;
                self.ping_due_ns.min(idle_end_ns).min(frame_end_ns)
            }
            State::Off | State::Ended => u64::MAX,
        }
    }

    #[inline]
    fn try_step(&mut self, now_ns: u64) -> Result<Progress, CloseReason> {
        if let State::Open { .. } = self.state {
            return self.step_open(now_ns);
        }
        self.step_closed(now_ns)
    }

    #[inline]
    fn step_open(&mut self, now_ns: u64) -> Result<Progress, CloseReason> {
        if let Some(reason) = self.failure.take() {
            return Err(reason);
        }
        let State::Open { stream } = &mut self.state else { return Ok(Progress::Idle) };
        if !self.outbound.is_empty() {
            self.outbound.flush(stream).map_err(CloseReason::Write)?;
        }
        if self.looked_ns.saturating_sub(self.heard_ns) > self.limits.idle_ns {
            return Err(CloseReason::Idle);
        }
        if let Some(since_ns) = self.inbound.incomplete_since_ns()
            && self.looked_ns.saturating_sub(since_ns) > self.limits.frame_ns
        {
            return Err(CloseReason::FrameDeadline);
        }
        if now_ns >= self.ping_due_ns {
            self.ping_due_ns = now_ns + self.limits.ping_interval_ns;
            // A backlog says the same as a missing pong, and ends in the same deadline.
            let _backlog = self.outbound.control(Control::Ping, b"pitlane");
            self.outbound.flush(stream).map_err(CloseReason::Write)?;
        }
        Ok(Progress::Idle)
    }

    #[cold]
    fn step_closed(&mut self, now_ns: u64) -> Result<Progress, CloseReason> {
        match std::mem::replace(&mut self.state, State::Waiting { until_ns: u64::MAX }) {
            State::Waiting { until_ns } if now_ns < until_ns => {
                self.state = State::Waiting { until_ns };
                Ok(Progress::Idle)
            }
            State::Waiting { .. } => {
                let stream = self.connect().map_err(CloseReason::Connect)?;
                let deadline_ns = now_ns + self.limits.handshake_ns;
                self.state = State::Connecting { stream, deadline_ns };
                Ok(Progress::Moved)
            }
            State::Connecting { stream, deadline_ns } => {
                if !is_connected(&stream).map_err(CloseReason::Connect)? {
                    if now_ns >= deadline_ns {
                        return Err(CloseReason::HandshakeDeadline);
                    }
                    self.state = State::Connecting { stream, deadline_ns };
                    return Ok(Progress::Idle);
                }
                let handshake = Handshake::new(&self.endpoint);
                self.state = State::Handshake { stream, deadline_ns, handshake };
                Ok(Progress::Moved)
            }
            State::Handshake { mut stream, deadline_ns, mut handshake } => {
                let Some(rest) = handshake.step(&mut stream)? else {
                    if now_ns >= deadline_ns {
                        return Err(CloseReason::HandshakeDeadline);
                    }
                    self.state = State::Handshake { stream, deadline_ns, handshake };
                    return Ok(Progress::Idle);
                };
                self.inbound.preload(&rest, now_ns);
                self.outbound.reset();
                self.failure = None;
                (self.heard_ns, self.looked_ns) = (now_ns, now_ns);
                self.ping_due_ns = now_ns + self.limits.ping_interval_ns;
                self.state = State::Open { stream };
                Ok(Progress::Opened)
            }
            state @ (State::Open { .. } | State::Off | State::Ended) => {
                self.state = state;
                Ok(Progress::Idle)
            }
        }
    }

    fn connect(&mut self) -> io::Result<TcpStream> {
        let addresses = self.endpoint.addresses();
        let address = addresses[self.next_address % addresses.len()];
        self.next_address += 1;
        let mut stream = TcpStream::connect(address)?;
        if let Some(registry) = &self.registry {
            registry.register(&mut stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(stream)
    }

    /// The connection is gone: waits for the next attempt.
    #[cold]
    fn end(&mut self, reason: CloseReason, now_ns: u64) -> Progress {
        if let State::Open { stream } = &mut self.state
            && let Some(code) = close_code_for(&reason)
        {
            // A word of goodbye, as RFC 6455 wants it; whether it arrives changes nothing for us.
            let _no_room = self.outbound.control(Control::Close, &code.to_be_bytes());
            let _gone = self.outbound.flush(stream);
        }
        // Dropping the stream closes it, and takes it out of the poller.
        self.state = State::Waiting { until_ns: now_ns + self.backoff.next_delay_ns() };
        self.failure = None;
        Progress::Closed(reason)
    }

    #[inline]
    fn next_part(&mut self) -> Result<Option<(Part, std::ops::Range<usize>)>, CloseReason> {
        let State::Open { stream } = &mut self.state else { return Ok(None) };
        if self.failure.is_some() {
            return Ok(None);
        }
        loop {
            let Some((part, range)) = self.inbound.advance()? else {
                if std::mem::replace(&mut self.has_read, true) {
                    return Ok(None);
                }
                self.looked_ns = self.now_ns;
                match self.inbound.fill(stream, &self.clock) {
                    Ok(0) if self.inbound.incomplete_since_ns().is_some() => {
                        return Err(CloseReason::CutInFrame);
                    }
                    Ok(0) => return Err(CloseReason::Ended),
                    Ok(_count) => {
                        self.heard_ns = self.inbound.stamp_ns();
                        self.has_heard = true;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                    Err(error) => return Err(CloseReason::Read(error)),
                }
                continue;
            };
            match part {
                Part::Data | Part::Joined => return Ok(Some((part, range))),
                Part::Pong => {}
                Part::Ping => {
                    // Without room for a pong the venue's own deadline ends the connection.
                    let payload = self.inbound.payload(part, range);
                    let _backlog = self.outbound.control(Control::Pong, payload);
                }
                Part::Close => {
                    let payload = self.inbound.payload(part, range);
                    let code = Inbound::close_code(payload);
                    return Err(CloseReason::PeerClosed(code));
                }
            }
        }
    }
}

/// What a peer that can still be talked to is told at the end (RFC 6455, section 7.4.1).
fn close_code_for(reason: &CloseReason) -> Option<u16> {
    match reason {
        CloseReason::PeerClosed(_) | CloseReason::Refused { .. } | CloseReason::Stopped => {
            Some(CLOSE_CODE_NORMAL)
        }
        CloseReason::Protocol(WireError::Oversize { .. }) => Some(1_009),
        CloseReason::Protocol(WireError::Utf8) => Some(1_007),
        CloseReason::Protocol(_) => Some(1_002),
        _ => None,
    }
}

/// Whether a non-blocking connect has succeeded.
fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => {
            // Orders are single small writes: none may wait for the one before to be acknowledged.
            stream.set_nodelay(true)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deadlines as the configuration has them, in ms.
impl From<&crate::config::SessionConfig> for SessionLimits {
    fn from(config: &crate::config::SessionConfig) -> SessionLimits {
        let ns = |ms: u64| Duration::from_millis(ms).as_nanos() as u64;
        SessionLimits {
            handshake_ns: ns(config.handshake_ms),
            frame_ns: ns(config.frame_ms),
            ping_interval_ns: ns(config.ping_interval_ms),
            idle_ns: ns(config.idle_ms),
            backoff: BackoffOptions {
                min_ns: ns(config.backoff_min_ms),
                max_ns: ns(config.backoff_max_ms),
            },
            frame_bytes_max: config.frame_bytes_max,
        }
    }
}

/// Reads of a socket that may be interrupted, as [`Inbound::fill`] needs them.
pub(super) fn read_some(stream: &mut impl Read, bytes: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            outcome => return outcome.map(Some),
        }
    }
}
