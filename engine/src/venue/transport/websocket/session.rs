//! A WebSocket client session: one connection after the other, as a state machine without waiting.
//!
//! ```text
//! waiting -> connecting -> handshake -> open -> (closed, by either side or a deadline) -> waiting
//! any of them -> off -> waiting, by its owner
//! ```
//!
//! Promises: no call blocks; every state has a deadline by our own clock (F13, F14), since no
//! timeout of the system would stop a peer that sends one byte a second; each end of a connection
//! has a reason that is told exactly once; between two attempts the backoff passes (F12). In the
//! open state nothing allocates per message.
//!
//! It knows no venue: what is said over the connection is its owner's.
//!
//! **A connection has proved healthy when it has lasted**, by time and by frames, and not before: a
//! venue that answers once and hangs up is not met with the shortest wait again and again. Its
//! host's name is resolved again at each end, beside the thread, so that a venue that moves is
//! found.
//!
//! **The socket is read once a cycle, without asking the poller first.** With one or two sockets a
//! core, a read of an empty socket and an empty `epoll_wait` cost the same system call, and asking
//! first would add one to each read that finds something. The sockets are registered all the same,
//! edge-triggered: that is what ends the sleep of a core that parks.

mod connecting;

use std::io;

use arrayvec::ArrayVec;
use mio::{Registry, Token};
use tungstenite::protocol::frame::coding::Control;

use super::handshake::Handshake;
use super::inbound::Part;
use super::{CloseReason, Inbound, Outbound, SendError, SessionLimits, WireError};
use crate::rate::Rate;
use crate::venue::SessionState;
use crate::venue::governor::{Governor, PauseCause, PauseScope};
use crate::venue::protocol::KeepAlive;
use crate::venue::recorder::Tap;
use crate::venue::transport::{Backoff, Endpoint};
use crate::world::{Clock, Lookup, Net, SplitMix64, Stream};

/// The code of a close that nothing is wrong with (RFC 6455, section 7.4.1).
const CLOSE_CODE_NORMAL: u16 = 1_000;

/// What a [`Session`] is made of.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Lines that the handshake says more, each ended by CR and LF; mostly none.
    pub headers: String,
    /// Deadlines and limits.
    pub limits: SessionLimits,
    /// What the venue allows: asked before each attempt to connect.
    pub governor: Governor,
    /// The network.
    pub net: Net,
    /// Number of its socket in the core's poller; unique on the core.
    pub token: usize,
    /// Seed of jitter, frame masks and handshake keys.
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
        stream: Stream,
        deadline_ns: u64,
    },
    Handshake {
        stream: Stream,
        deadline_ns: u64,
        handshake: Handshake,
    },
    Open {
        stream: Stream,
    },
    /// Closed by its owner until it is resumed.
    Off,
    /// Closed by its owner for good.
    Ended,
}

/// Bytes of a control frame, at most (RFC 6455, section 5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// One client session.
pub struct Session {
    endpoint: Endpoint,
    headers: String,
    net: Net,
    random: SplitMix64,
    limits: SessionLimits,
    governor: Governor,
    token: Token,
    clock: Clock,
    registry: Option<Registry>,
    state: State,
    inbound: Inbound,
    /// Where the last data message stands, until the socket is read again.
    last: Option<(Part, std::ops::Range<usize>)>,
    /// Takes all that is heard and said, where it is recorded.
    tap: Option<Tap>,
    outbound: Outbound,
    backoff: Backoff,
    /// The host's name on its way to addresses.
    lookup: Option<Lookup>,
    /// Which of the endpoint's addresses is tried next.
    next_address: usize,
    /// When the connection was opened.
    opened_ns: u64,
    /// Frames of any kind that it brought.
    frames: u64,
    /// When bytes were read last.
    heard_ns: u64,
    /// When the socket was looked at last. Silence of the venue ends here: what came while we did
    /// not look is not known, be it that the link ahead was full or that the core was held up.
    looked_ns: u64,
    /// The present step's time.
    now_ns: u64,
    keep_alive: KeepAlive,
    ping_due_ns: u64,
    /// One message in so many ns, where the venue counts them.
    messages: Rate,
    message_due_ns: u64,
    /// A ping of the venue that is not answered yet, for want of a message.
    pong_owed: Option<ArrayVec<u8, CONTROL_BYTES_MAX>>,
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
    pub fn new(options: SessionOptions, keep_alive: KeepAlive, clock: Clock) -> Session {
        let SessionOptions { endpoint, headers, limits, governor, net, token, seed } = options;
        let mut random = SplitMix64::new(seed);
        let (backoff_seed, mask_seed) = (random.next_u64(), random.next_u64());
        Session {
            endpoint,
            headers,
            net,
            random,
            limits,
            governor,
            token: Token(token),
            clock,
            registry: None,
            state: State::Waiting { until_ns: 0 },
            inbound: Inbound::new(limits.frame_bytes_max),
            last: None,
            tap: None,
            outbound: Outbound::new(mask_seed),
            backoff: Backoff::new(limits.backoff, backoff_seed),
            lookup: None,
            next_address: 0,
            opened_ns: 0,
            frames: 0,
            heard_ns: 0,
            looked_ns: 0,
            now_ns: 0,
            keep_alive,
            ping_due_ns: 0,
            messages: match limits.messages_per_s {
                // One less: what leaves evenly may arrive in bursts.
                Some(per_s) => Rate::new(u64::from(per_s.max(2)) - 1, 1),
                None => Rate::new(0, 1),
            },
            message_due_ns: 0,
            pong_owed: None,
            has_read: false,
            has_heard: false,
            failure: None,
        }
    }

    /// Takes the core's poller, so that the socket can end its sleep. A failure only costs latency
    /// in plans that park, and is logged.
    pub fn register(&mut self, registry: &Registry) {
        match registry.try_clone() {
            Ok(registry) => self.registry = Some(registry),
            Err(error) => log::warn!("[session] registering a poller failed: {error} (code: io)"),
        }
    }

    /// One step: attempts, deadlines, pings, and bytes that wait to be written. Call it each duty
    /// cycle, before reading.
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

    /// The next whole data message; `None` when there is none now. Pings are answered and closes
    /// noted on the way; what ends the connection is told by the next step. Reads the socket at
    /// most once between two steps.
    #[inline]
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        match self.next_part() {
            Ok(found) => {
                self.last = found;
                self.tap_frame();
                self.last_frame()
            }
            Err(reason) => {
                self.last = None;
                self.failure = Some(reason);
                None
            }
        }
    }

    /// The message that [`Session::next_frame`] gave last, once more; `None` when it gave none, or
    /// the connection has ended.
    #[inline]
    pub fn last_frame(&self) -> Option<Frame<'_>> {
        let (part, range) = self.last.clone()?;
        let read_ns = self.inbound.stamp_ns();
        Some(Frame { bytes: self.inbound.payload(part, range), read_ns })
    }

    /// Has all that is heard and said from now on recorded.
    pub fn record(&mut self, tap: Option<Tap>) {
        self.tap = tap;
    }

    /// Adds a note to the recording, if there is one. `text` is asked only then.
    pub fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(tap) = &mut self.tap {
            tap.note(&text(), self.now_ns);
        }
    }

    /// Whether it is recorded.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.tap.is_some()
    }

    #[inline]
    fn tap_frame(&mut self) {
        if let (Some(tap), Some((part, range))) = (&mut self.tap, &self.last) {
            tap.frame(self.inbound.payload(*part, range.clone()), self.inbound.stamp_ns());
        }
    }

    #[inline]
    fn tap_sent(&mut self, text: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap.sent(text, self.now_ns);
        }
    }

    /// Queues one text message; [`Session::flush`] writes it.
    ///
    /// # Errors
    /// [`SendError`] when the session isn't open or the peer does not read.
    #[inline]
    pub fn send(&mut self, text: &[u8]) -> Result<(), SendError> {
        match self.state {
            State::Open { .. } if self.messages.admits(&mut self.message_due_ns, self.now_ns) => {
                self.tap_sent(text);
                self.outbound.text(text)
            }
            State::Open { .. } => Err(SendError::TooMany),
            _ => Err(SendError::NotOpen),
        }
    }

    /// When the next message may be sent, as far as the venue counts them, ns.
    #[must_use]
    pub fn may_send_ns(&self) -> u64 {
        self.message_due_ns
    }

    /// Writes what is queued, as far as the socket takes it. True when nothing is left. A failure
    /// is told by the next step.
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

    /// Sends a close frame and closes for good.
    pub fn end_for_good(&mut self) {
        self.send_close();
        self.state = State::Ended;
    }

    /// Sends a close frame and closes until [`Session::resume`]. What the connection's end means to
    /// its owner is the owner's to do: no step tells of it.
    pub fn suspend(&mut self) {
        self.send_close();
        self.failure = None;
        self.state = State::Off;
    }

    /// After [`Session::suspend`]: the next step connects.
    pub fn resume(&mut self) {
        if let State::Off = self.state {
            self.look_up();
            self.state = State::Waiting { until_ns: 0 };
        }
    }

    /// The next connection is made at this path of the same host.
    pub(crate) fn set_path(&mut self, path: &str) {
        self.endpoint = self.endpoint.at_path(path);
    }

    /// No attempt to connect before `until_ns`, beside what the backoff and the venue want.
    pub fn wait_until(&mut self, until_ns: u64) {
        if let State::Waiting { until_ns: waits_until_ns } = &mut self.state {
            *waits_until_ns = (*waits_until_ns).max(until_ns);
        }
    }

    fn send_close(&mut self) {
        if let State::Open { stream } = &mut self.state {
            // Without room the peer is not told.
            let _ = self.outbound.control(Control::Close, &CLOSE_CODE_NORMAL.to_be_bytes());
            let _gone = self.outbound.flush(stream);
            let _gone = stream.shutdown_write();
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
            // Found while reading; the next step ends the connection.
            State::Open { .. } if self.failure.is_some() => 0,
            State::Open { .. } => {
                let frame_end_ns = self
                    .inbound
                    .incomplete_since_ns()
                    .map_or(u64::MAX, |since_ns| since_ns + self.limits.frame_ns);
                let idle_end_ns = self.heard_ns + self.limits.idle_ns;
                let pong_ns = if self.pong_owed.is_some() { self.message_due_ns } else { u64::MAX };
                let ping_ns = self.ping_due_ns.max(self.message_due_ns);
                ping_ns.min(idle_end_ns).min(frame_end_ns).min(pong_ns)
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
        if self.pong_owed.is_some() && self.messages.admits(&mut self.message_due_ns, now_ns) {
            let payload = self.pong_owed.take().unwrap_or_default();
            // Without room for a pong the venue's own deadline ends the connection.
            let _backlog = self.outbound.control(Control::Pong, &payload);
            self.outbound.flush(stream).map_err(CloseReason::Write)?;
        }
        if now_ns >= self.ping_due_ns && self.messages.admits(&mut self.message_due_ns, now_ns) {
            if let (Some(tap), KeepAlive::Text(text)) = (&mut self.tap, self.keep_alive) {
                tap.sent(text.as_bytes(), now_ns);
            }
            self.ping_due_ns = now_ns + self.limits.ping_interval_ns;
            // A backlog says the same as a missing answer, and ends in the same deadline.
            let _backlog = match self.keep_alive {
                KeepAlive::None => Ok(()),
                KeepAlive::WsPing => self.outbound.control(Control::Ping, b"pitlane"),
                KeepAlive::Text(text) => self.outbound.text(text.as_bytes()),
            };
            self.outbound.flush(stream).map_err(CloseReason::Write)?;
        }
        Ok(Progress::Idle)
    }

    /// Whether the connection that ends now has lasted.
    fn has_lasted(&self, now_ns: u64) -> bool {
        self.is_open()
            && now_ns.saturating_sub(self.opened_ns) >= self.limits.healthy_ns
            && self.frames >= self.limits.healthy_frames
    }

    /// The connection is gone: waits for the next attempt.
    #[cold]
    fn end(&mut self, reason: CloseReason, now_ns: u64) -> Progress {
        if let State::Open { stream } = &mut self.state
            && let Some(code) = close_code_for(&reason)
        {
            // A close frame, as RFC 6455 wants it; whether it arrives changes nothing for us.
            let _ = self.outbound.control(Control::Close, &code.to_be_bytes());
            let _gone = self.outbound.flush(stream);
        }
        self.note(|| format!("{reason}"));
        if self.has_lasted(now_ns) {
            self.backoff.reset();
        }
        if let CloseReason::HandshakeStatus(status, retry_after) = reason {
            let wait_ns = retry_after.map(|at| at.wait_ns(self.clock.wall_at_ns(now_ns)));
            let cause = PauseCause { status, code: 0 };
            self.governor.obey_http(PauseScope::Connects, cause, wait_ns, &self.clock);
        }
        self.look_up();
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
            self.frames += 1;
            match part {
                Part::Data | Part::Joined => return Ok(Some((part, range))),
                Part::Pong => {}
                Part::Ping => {
                    // Of several, the last one is answered (RFC 6455, section 5.5.3).
                    let payload = self.inbound.payload(part, range);
                    let mut owed = ArrayVec::new();
                    // A longer one was refused.
                    let _ = owed.try_extend_from_slice(payload);
                    self.pong_owed = Some(owed);
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
