//! A recording as content of the server: its frames at its pace, its snapshots on request.
//!
//! Nothing is lost by being early or fast: it starts once every stream of the recording is subscribed to,
//! pauses while one is not, and while a client has not read what it was sent. What was recorded behind a
//! snapshot is sent only once that snapshot has been fetched; where no diff of its symbol was recorded
//! before it, nothing asks for it yet, and it is not waited for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::SimulatedVenueReport;
use super::dialect::binance_spot;
use super::exchange::StreamKey;
use super::fault::FaultPlan;
use super::frame_kind::FrameKind;
use super::limits::LimitRules;
use super::moment::Moment;
use super::options::SimulatedVenueError;
use super::recording::{Recording, Step};
use super::server::{
    Clients, Content, Handle, MarketFrame, Opening, Reply, Request, ServerOptions,
};
use crate::world::Clock;

/// Bytes that may wait for a client before the recording pauses for it.
const PENDING_BYTES_MAX: usize = 1 << 20;
/// Frames in one turn of the event loop.
const FRAMES_PER_TURN: usize = 1_024;
/// Between two looks while it is paused.
const PAUSE_NS: u64 = 1_000_000;

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayPace {
    /// As fast as it is taken.
    Max,
    /// This many thousandths of the recorded pace, at least 1: 1,000 is as recorded.
    PerMille(u32),
}

/// A recording that is being played. Dropping it ends it, too.
pub struct RecordedSession {
    handle: Handle,
    frames: u64,
    left: Arc<AtomicU64>,
}

impl RecordedSession {
    /// Binds the port and starts the server's one thread.
    ///
    /// # Errors
    /// A port that is taken, or no thread to be had.
    pub fn start(
        recording: Recording,
        bind: SocketAddr,
        pace: ReplayPace,
    ) -> Result<RecordedSession, SimulatedVenueError> {
        let frames = recording.frames();
        let left = Arc::new(AtomicU64::new(frames));
        let replay = Replay::new(recording, pace, Arc::clone(&left));
        let handle = Handle::start(
            ServerOptions {
                bind,
                fault_plan: &FaultPlan::default(),
                rules: LimitRules::default(),
                penalties: Arc::default(),
                clock: Clock::start(),
            },
            replay,
        )?;
        Ok(RecordedSession { handle, frames, left })
    }

    /// Where it listens, with the port the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    /// How many frames the recording has.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How many of them are still to be sent.
    #[must_use]
    pub fn frames_left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }

    /// Closes all connections, joins the thread and returns the last counters.
    ///
    /// # Errors
    /// When the event loop had failed, or the thread panicked.
    pub fn stop(self) -> Result<SimulatedVenueReport, SimulatedVenueError> {
        self.handle.stop()
    }
}

struct Replay {
    steps: std::vec::IntoIter<(i64, Step)>,
    next: Option<(i64, Step)>,
    streams: Vec<String>,
    /// Snapshots by symbol, in the order in which they were fetched.
    snapshots: HashMap<String, VecDeque<String>>,
    /// Symbols of which a diff was sent.
    has_diffs: HashSet<String>,
    /// How many snapshots of a symbol were fetched, and how many were passed in the recording.
    fetched: HashMap<String, u64>,
    passed: HashMap<String, u64>,
    pace: ReplayPace,
    /// The moment at which the recording's first step is due.
    started_ns: Option<u64>,
    first_ns: i64,
    left: Arc<AtomicU64>,
}

impl Replay {
    fn new(recording: Recording, pace: ReplayPace, left: Arc<AtomicU64>) -> Replay {
        let streams = recording.streams().to_vec();
        let mut snapshots: HashMap<String, VecDeque<String>> = HashMap::new();
        for (_, step) in &recording.steps {
            if let Step::Snapshot { symbol, body } = step {
                snapshots.entry(symbol.clone()).or_default().push_back(body.clone());
            }
        }
        let mut steps = recording.steps.into_iter();
        let next = steps.next();
        Replay {
            first_ns: next.as_ref().map_or(0, |(time_ns, _)| *time_ns),
            steps,
            next,
            streams,
            snapshots,
            has_diffs: HashSet::new(),
            fetched: HashMap::new(),
            passed: HashMap::new(),
            pace,
            started_ns: None,
            left,
        }
    }

    /// When a step is due; `None` = at once.
    fn due_ns(&self, time_ns: i64) -> Option<u64> {
        match self.pace {
            ReplayPace::Max => None,
            ReplayPace::PerMille(factor) => {
                let offset_ns =
                    (time_ns - self.first_ns).max(0) as u128 * 1_000 / u128::from(factor.max(1));
                let offset_ns = u64::try_from(offset_ns).unwrap_or(u64::MAX);
                self.started_ns.map(|started_ns| started_ns.saturating_add(offset_ns))
            }
        }
    }

    /// Whether the step may not be taken yet, although it is due.
    fn is_held(&self, step: &Step, clients: &mut Clients) -> bool {
        match step {
            Step::Frame { stream, .. } => {
                let key = key_of(*stream);
                !clients.wants(key) || clients.most_pending(key) > PENDING_BYTES_MAX
            }
            Step::Snapshot { symbol, .. } => {
                let count = |counts: &HashMap<String, u64>| counts.get(symbol).copied();
                let is_missing =
                    count(&self.fetched).unwrap_or(0) <= count(&self.passed).unwrap_or(0);
                is_missing && self.has_diffs.contains(symbol)
            }
        }
    }

    fn take(&mut self, step: &Step, now_ns: u64, clients: &mut Clients) {
        match step {
            Step::Frame { stream, data } => {
                let name = &self.streams[*stream];
                let kind = binance_spot::frame_kind(name);
                if kind == FrameKind::Depth
                    && let Some((symbol, _)) = name.split_once('@')
                {
                    self.has_diffs.insert(symbol.to_ascii_uppercase());
                }
                let frame = MarketFrame { kind, stream: name, data: data.as_bytes() };
                clients.publish(key_of(*stream), &frame, now_ns);
                self.left.fetch_sub(1, Ordering::AcqRel);
            }
            Step::Snapshot { symbol, .. } => {
                *self.passed.entry(symbol.clone()).or_default() += 1;
            }
        }
    }

    fn depth(&mut self, request: &Request) -> Reply {
        let symbol = match binance_spot::wanted_symbol(request) {
            Ok(symbol) => symbol,
            Err(refusal) => return refusal,
        };
        let Some(bodies) = self.snapshots.get_mut(&symbol) else {
            return binance_spot::invalid_symbol();
        };
        *self.fetched.entry(symbol).or_default() += 1;
        // The last one is given again and again: there is no newer one.
        let body = if bodies.len() > 1 { bodies.pop_front() } else { bodies.front().cloned() };
        Reply::json(body.unwrap_or_default().into_bytes())
    }
}

fn key_of(stream: usize) -> StreamKey {
    StreamKey { index: stream, bit: 1 }
}

impl Content for Replay {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.streams.iter().position(|known| known == stream).map(key_of)
    }

    fn open(&mut self, request: &Request, _now: Moment) -> Result<Opening, Reply> {
        binance_spot::opening(request, &LimitRules::default()).ok_or_else(Reply::not_found)
    }

    fn rest(&mut self, request: &Request, _clients: &mut Clients, now: Moment) -> Reply {
        match request.path.as_str() {
            "/api/v3/ping" => Reply::json(b"{}".to_vec()),
            "/api/v3/time" => binance_spot::server_time(now),
            "/api/v3/depth" => self.depth(request),
            _ => Reply::not_found(),
        }
    }

    fn message(&mut self, slot: usize, text: &str, clients: &mut Clients, _now: Moment) {
        let Some(client) = clients.get(slot) else { return };
        let serial = client.serial;
        let resolve = |name: &str| self.resolve(name);
        let answer = binance_spot::recorded_answer(&mut client.session, text, resolve);
        clients.reply(slot, serial, &answer);
    }

    fn tick(&mut self, now: Moment, clients: &mut Clients) {
        if self.started_ns.is_none() {
            if !(0..self.streams.len()).all(|stream| clients.wants(key_of(stream))) {
                return;
            }
            self.started_ns = Some(now.ns);
        }
        for _ in 0..FRAMES_PER_TURN {
            let Some((time_ns, step)) = self.next.take() else { return };
            let is_due = self.due_ns(time_ns).is_none_or(|due_ns| due_ns <= now.ns);
            if !is_due || self.is_held(&step, clients) {
                self.next = Some((time_ns, step));
                return;
            }
            self.take(&step, now.ns, clients);
            self.next = self.steps.next();
        }
    }

    fn next_due_ns(&mut self, now_ns: u64, clients: &mut Clients) -> Option<u64> {
        let (time_ns, step) = self.next.as_ref()?;
        self.started_ns?;
        match self.due_ns(*time_ns) {
            Some(due_ns) if due_ns > now_ns => Some(due_ns),
            _ if self.is_held(step, clients) => Some(now_ns + PAUSE_NS),
            _ => Some(now_ns),
        }
    }
}
