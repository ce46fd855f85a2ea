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
use std::time::{Duration, Instant};

use super::clients::{Clients, MarketFrame};
use super::clock::epoch_ms;
use super::counters::{FrameKind, SimulatedVenueReport};
use super::fault::FaultPlan;
use super::http::{Reply, Request};
use super::options::SimulatedVenueError;
use super::recording::{Recording, Step};
use super::rest;
use super::server::{Content, Handle};
use super::stream::StreamKey;

/// Bytes that may wait for a client before the recording pauses for it.
const PENDING_BYTES_MAX: usize = 1 << 20;
/// Frames in one turn of the event loop.
const FRAMES_PER_TURN: usize = 1_024;
/// Between two looks while it is paused.
const PAUSE: Duration = Duration::from_millis(1);

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
        let handle = Handle::start(bind, &FaultPlan::default(), replay)?;
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
    started: Option<Instant>,
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
            started: None,
            left,
        }
    }

    /// When a step is due; `None` = at once.
    fn due(&self, time_ns: i64) -> Option<Instant> {
        match self.pace {
            ReplayPace::Max => None,
            ReplayPace::PerMille(factor) => {
                let offset_ns =
                    (time_ns - self.first_ns).max(0) as u128 * 1_000 / u128::from(factor.max(1));
                let offset_ns = u64::try_from(offset_ns).unwrap_or(u64::MAX);
                self.started.map(|started| started + Duration::from_nanos(offset_ns))
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

    fn take(&mut self, step: &Step, now: Instant, clients: &mut Clients) {
        match step {
            Step::Frame { stream, data } => {
                let name = &self.streams[*stream];
                let kind = FrameKind::of_stream(name);
                if kind == FrameKind::Depth
                    && let Some((symbol, _)) = name.split_once('@')
                {
                    self.has_diffs.insert(symbol.to_ascii_uppercase());
                }
                let frame = MarketFrame { kind, stream: name, data: data.as_bytes() };
                clients.publish(key_of(*stream), &frame, now);
                self.left.fetch_sub(1, Ordering::AcqRel);
            }
            Step::Snapshot { symbol, .. } => {
                *self.passed.entry(symbol.clone()).or_default() += 1;
            }
        }
    }

    fn depth(&mut self, request: &Request) -> Reply {
        let symbol = match rest::wanted_symbol(request) {
            Ok(symbol) => symbol,
            Err(refusal) => return refusal,
        };
        let Some(bodies) = self.snapshots.get_mut(&symbol) else { return rest::invalid_symbol() };
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

    fn rest(&mut self, request: &Request) -> Reply {
        match request.path.as_str() {
            "/api/v3/ping" => Reply::json(b"{}".to_vec()),
            "/api/v3/time" => {
                Reply::json(format!(r#"{{"serverTime":{}}}"#, epoch_ms()).into_bytes())
            }
            "/api/v3/depth" => self.depth(request),
            _ => Reply::not_found(),
        }
    }

    fn api(&mut self, slot: usize, _text: &str, clients: &mut Clients) {
        let text = r#"{"id":null,"status":400,"error":{"code":-1020,"msg":"A recording takes no orders."}}"#;
        clients.reply(slot, text);
    }

    fn tick(&mut self, now: Instant, clients: &mut Clients) {
        if self.started.is_none() {
            if !(0..self.streams.len()).all(|stream| clients.wants(key_of(stream))) {
                return;
            }
            self.started = Some(now);
        }
        for _ in 0..FRAMES_PER_TURN {
            let Some((time_ns, step)) = self.next.take() else { return };
            let is_due = self.due(time_ns).is_none_or(|due| due <= now);
            if !is_due || self.is_held(&step, clients) {
                self.next = Some((time_ns, step));
                return;
            }
            self.take(&step, now, clients);
            self.next = self.steps.next();
        }
    }

    fn next_due(&mut self, clients: &mut Clients) -> Option<Instant> {
        let (time_ns, step) = self.next.as_ref()?;
        self.started?;
        let now = Instant::now();
        match self.due(*time_ns) {
            Some(due) if due > now => Some(due),
            _ if self.is_held(step, clients) => Some(now + PAUSE),
            _ => Some(now),
        }
    }
}
