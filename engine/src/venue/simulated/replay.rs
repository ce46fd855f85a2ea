//! A recording as content of the server: its frames at its pace, its snapshots on request.
//!
//! Nothing is lost by being early or fast: it starts once every stream of the recording is
//! subscribed to, pauses while one is not, and while a client has not read what it was sent. What
//! was recorded behind a snapshot is sent only once that snapshot has been fetched, where a
//! client's book needs it: at the first diff of a symbol, and behind a gap in its diffs. One that
//! was recorded beside a book that is whole (an hourly one) is passed. No wait is silent or for
//! ever: see [`PATIENCE_NS`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::SimulatedVenueReport;
use super::dialect::{RecordedDialect, RecordedRequest, UpdateIds};
use super::exchange::StreamKey;
use super::fault::FaultPlan;
use super::limits::LimitRules;
use super::moment::Moment;
use super::options::SimulatedVenueError;
use super::recording::{RecordedStream, Recording, Step};
use super::server::{
    Clients, Content, Handle, HttpRequest, MarketFrame, Opening, Reply, ServerOptions,
};
use crate::world::{Clock, Net};

/// Bytes that may wait for a client before the recording pauses for it.
const PENDING_BYTES_MAX: usize = 1 << 20;
/// Frames in one turn of the event loop.
const FRAMES_PER_TURN: usize = 1_024;
/// Between two polls while it is paused.
const PAUSE_NS: u64 = 1_000_000;

/// A wait of this length is logged.
const LONG_WAIT_NS: u64 = 5 * NS_PER_S;
/// How long a subscription or a snapshot is waited for. A client whose snapshots are limited by a
/// venue's weights may have to wait out a minute.
const PATIENCE_NS: u64 = 90 * NS_PER_S;
/// How long the last frames may take to be decoded, once they were sent.
const LAST_FRAMES_NS: u64 = 10 * NS_PER_S;
const NS_PER_S: u64 = 1_000_000_000;
/// No moment yet.
const NEVER_NS: u64 = u64::MAX;

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
    left_out: u64,
    notes: Vec<String>,
    progress: Arc<Progress>,
    clock: Clock,
}

/// How far it is, readable from any thread.
#[derive(Debug)]
struct Progress {
    /// Frames still to be sent.
    left: AtomicU64,
    /// Answers to requests of clients: frames, and none of the recording's.
    answers: AtomicU64,
    /// When nothing more was left to be sent, or what was missing was given up; [`NEVER_NS`]
    /// before.
    ended_ns: AtomicU64,
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
        let (frames, left_out) = (recording.frames(), recording.left_out());
        let notes = recording.notes().to_vec();
        let (left, ended_ns) = (AtomicU64::new(frames), AtomicU64::new(NEVER_NS));
        let answers = AtomicU64::default();
        let progress = Arc::new(Progress { left, answers, ended_ns });
        let replay = Replay::new(recording, pace, Arc::clone(&progress));
        let clock = Clock::start();
        let handle = Handle::start(
            ServerOptions {
                bind,
                fault_plan: &FaultPlan::default(),
                is_calm: Arc::default(),
                rules: LimitRules::default(),
                penalties: Arc::default(),
                clock: clock.clone(),
                net: Net::real(),
            },
            replay,
        )?;
        Ok(RecordedSession { handle, frames, left_out, notes, progress, clock })
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
        self.progress.left.load(Ordering::Acquire)
    }

    /// Answers that it gave to requests of clients, beside the recording's frames.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.progress.answers.load(Ordering::Acquire)
    }

    /// Lines of the recording that are not played; see [`Recording::left_out`].
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What is to be known about how it is played; see [`Recording::notes`].
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether nothing more can come of it: it was given up, or what it sent last was lost on its
    /// way.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        let ended_ns = self.progress.ended_ns.load(Ordering::Acquire);
        let since_ns = self.clock.now_ns().saturating_sub(ended_ns);
        ended_ns != NEVER_NS && (self.frames_left() > 0 || since_ns >= LAST_FRAMES_NS)
    }

    /// Closes all connections, joins the thread and returns the last counters.
    ///
    /// # Errors
    /// When the event loop had failed, or the thread panicked.
    pub fn stop(self) -> Result<SimulatedVenueReport, SimulatedVenueError> {
        self.handle.stop()
    }
}

/// The snapshots of one symbol, and whether a client's book needs one.
#[derive(Debug, Default)]
struct SymbolBook {
    /// In the order of the recording: id and body.
    snapshots: Vec<(u64, String)>,
    /// Of the last diff that was sent.
    last_sent: Option<u64>,
    /// The first update since the start, or since a gap: a book needs a snapshot that it builds on.
    from: Option<u64>,
    /// Id of the snapshot that was fetched last.
    fetched: Option<u64>,
}

impl SymbolBook {
    /// A diff with these updates is sent.
    fn pass(&mut self, ids: UpdateIds) {
        let is_next = self.last_sent.is_some_and(|last| ids.first <= last.saturating_add(1));
        if !is_next {
            self.from = Some(ids.first);
        }
        self.last_sent = Some(ids.last);
    }

    /// Whether a book of the diffs sent can be built on a snapshot with this id.
    fn builds_on(&self, id: u64) -> bool {
        self.from.is_some_and(|from| id.saturating_add(1) >= from)
    }

    /// Whether the one with this id is missing to the client.
    fn needs(&self, id: u64) -> bool {
        let has_one = self.fetched.is_some_and(|fetched| self.builds_on(fetched));
        self.builds_on(id) && !has_one
    }

    /// The first snapshot that a book can be built on, else the newest.
    fn fetch(&mut self) -> Option<String> {
        let usable = |(id, _): &&(u64, String)| self.from.is_none() || self.builds_on(*id);
        let (id, body) = self.snapshots.iter().find(usable).or(self.snapshots.last())?;
        self.fetched = Some(*id);
        Some(body.clone())
    }
}

struct Replay {
    dialect: &'static dyn RecordedDialect,
    steps: std::vec::IntoIter<(i64, Step)>,
    next: Option<(i64, Step)>,
    streams: Vec<RecordedStream>,
    books: BTreeMap<String, SymbolBook>,
    pace: ReplayPace,
    /// The moment at which the recording's first step is due.
    started_ns: Option<u64>,
    first_ns: i64,
    /// Since when a client has been waited for, and whether that was logged.
    waits: Option<(u64, bool)>,
    progress: Arc<Progress>,
}

impl Replay {
    fn new(recording: Recording, pace: ReplayPace, progress: Arc<Progress>) -> Replay {
        let mut books: BTreeMap<String, SymbolBook> = BTreeMap::new();
        for (_, step) in &recording.steps {
            if let Step::Snapshot { symbol, last_update_id, body } = step {
                let book = books.entry(symbol.clone()).or_default();
                book.snapshots.push((*last_update_id, body.clone()));
            }
        }
        let mut steps = recording.steps.into_iter();
        let next = steps.next();
        Replay {
            dialect: recording.dialect,
            first_ns: next.as_ref().map_or(0, |(time_ns, _)| *time_ns),
            steps,
            next,
            streams: recording.streams,
            books,
            pace,
            started_ns: None,
            waits: None,
            progress,
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

    /// What the step has to wait for, although it is due.
    fn held_for(&self, step: &Step, clients: &mut Clients) -> Option<String> {
        match step {
            Step::Frame { stream, .. } => {
                let key = key_of(*stream);
                let name = &self.streams[*stream].name;
                if !clients.wants(key) {
                    Some(format!("a subscription to {name}"))
                } else {
                    let is_behind = clients.most_pending(key) > PENDING_BYTES_MAX;
                    is_behind.then(|| format!("the reader of {name}"))
                }
            }
            Step::Snapshot { symbol, last_update_id, .. } => {
                let book = self.books.get(symbol)?;
                book.needs(*last_update_id)
                    .then(|| format!("a request for the snapshot of {symbol}"))
            }
        }
    }

    fn take(&mut self, step: &Step, now_ns: u64, clients: &mut Clients) {
        let Step::Frame { stream, updates, lost, data } = step else { return };
        let RecordedStream { name, symbol, kind } = &self.streams[*stream];
        if let Some(ids) = updates {
            self.books.entry(symbol.clone()).or_default().pass(*ids);
        }
        let binary = self.dialect.binary(data);
        let data = binary.as_deref().unwrap_or(data.as_bytes());
        let frame = MarketFrame { kind: *kind, stream: name, data, lost: *lost };
        clients.publish(key_of(*stream), &frame, now_ns);
        self.progress.left.fetch_sub(1, Ordering::AcqRel);
    }

    fn snapshot(&mut self, symbol: &str) -> Reply {
        match self.books.get_mut(symbol).and_then(SymbolBook::fetch) {
            Some(body) => Reply::json(body.into_bytes()),
            None => self.dialect.no_snapshot(),
        }
    }

    /// Notes that a client is waited for; true when that has lasted too long.
    fn wait(&mut self, now_ns: u64, what: &str) -> bool {
        let (since_ns, is_logged) = self.waits.get_or_insert((now_ns, false));
        let waited_ns = now_ns.saturating_sub(*since_ns);
        if waited_ns >= LONG_WAIT_NS && !*is_logged {
            *is_logged = true;
            log::warn!("[recording] has waited for {what} for {} s", LONG_WAIT_NS / NS_PER_S);
        }
        if waited_ns < PATIENCE_NS {
            return false;
        }
        self.waits = None;
        let left = self.progress.left.load(Ordering::Acquire);
        log::error!(
            "[recording] {what} has not come in {} s, with {left} frames left to play (code: deadline)",
            PATIENCE_NS / NS_PER_S
        );
        true
    }

    /// Whether the recording may begin.
    fn may_start(&mut self, now_ns: u64, clients: &mut Clients) -> bool {
        let missing = (0..self.streams.len()).find(|stream| !clients.wants(key_of(*stream)));
        match missing {
            None => {
                self.waits = None;
                self.started_ns = Some(now_ns);
                true
            }
            Some(stream) => {
                let what = format!("a subscription to {}", self.streams[stream].name);
                if self.wait(now_ns, &what) {
                    self.end(now_ns);
                }
                false
            }
        }
    }

    /// Plays nothing more: all was sent, or a client is missing.
    fn end(&mut self, now_ns: u64) {
        self.next = None;
        self.progress.ended_ns.fetch_min(now_ns, Ordering::AcqRel);
    }
}

fn key_of(stream: usize) -> StreamKey {
    StreamKey { index: stream, bit: 1 }
}

impl Content for Replay {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.streams.iter().position(|known| known.name == stream).map(key_of)
    }

    fn open(&mut self, request: &HttpRequest, _now: Moment) -> Result<Opening, Reply> {
        self.dialect.open(request).ok_or_else(Reply::not_found)
    }

    fn rest(
        &mut self,
        _slot: usize,
        request: &HttpRequest,
        _clients: &mut Clients,
        now: Moment,
    ) -> Option<Reply> {
        Some(match self.dialect.rest(request, now) {
            RecordedRequest::Snapshot(symbol) => self.snapshot(&symbol),
            RecordedRequest::Answered(reply) => reply,
        })
    }

    fn message(&mut self, slot: usize, text: &str, clients: &mut Clients, _now: Moment) {
        let Some(client) = clients.get(slot) else { return };
        let serial = client.serial;
        let resolve = |name: &str| self.resolve(name);
        if let Some(answer) = self.dialect.answer(&mut client.session, text, &resolve) {
            clients.reply(slot, serial, &answer);
            self.progress.answers.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn tick(&mut self, now: Moment, clients: &mut Clients) {
        let now_ns = now.ns;
        if self.next.is_none() || (self.started_ns.is_none() && !self.may_start(now_ns, clients)) {
            return;
        }
        for _ in 0..FRAMES_PER_TURN {
            let Some((time_ns, step)) = self.next.take() else { return self.end(now_ns) };
            if self.due_ns(time_ns).is_some_and(|due_ns| due_ns > now_ns) {
                self.next = Some((time_ns, step));
                return;
            }
            if let Some(what) = self.held_for(&step, clients) {
                if !self.wait(now_ns, &what) {
                    self.next = Some((time_ns, step));
                    return;
                }
                // Nobody wants the snapshot. A frame that nobody takes is the end.
                if matches!(step, Step::Frame { .. }) {
                    return self.end(now_ns);
                }
            }
            self.waits = None;
            self.take(&step, now_ns, clients);
            self.next = self.steps.next();
        }
        if self.next.is_none() {
            self.end(now_ns);
        }
    }

    fn next_due_ns(&mut self, now_ns: u64, clients: &mut Clients) -> Option<u64> {
        let (time_ns, step) = self.next.as_ref()?;
        if self.started_ns.is_none() {
            // Subscriptions wake it; this is for its patience.
            return Some(now_ns + LONG_WAIT_NS);
        }
        match self.due_ns(*time_ns) {
            Some(due_ns) if due_ns > now_ns => Some(due_ns),
            _ if self.held_for(step, clients).is_some() => Some(now_ns + PAUSE_NS),
            _ => Some(now_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(ids: &[u64]) -> SymbolBook {
        let snapshots = ids.iter().map(|id| (*id, id.to_string())).collect();
        SymbolBook { snapshots, ..SymbolBook::default() }
    }

    fn diff(first: u64, last: u64) -> UpdateIds {
        UpdateIds { first, last }
    }

    #[test]
    fn an_hourly_snapshot_beside_a_whole_book_is_not_waited_for() {
        let mut book = book(&[10, 3_600]);
        assert!(!book.needs(10), "no diff was sent: nothing asks for it yet");
        book.pass(diff(9, 11));
        assert!(book.needs(10));
        assert_eq!(book.fetch().as_deref(), Some("10"));
        book.pass(diff(12, 3_599));
        assert!(!book.needs(10) && !book.needs(3_600));
    }

    #[test]
    fn behind_a_gap_the_next_snapshot_is_waited_for_and_given() {
        let mut book = book(&[10, 60, 90]);
        book.pass(diff(9, 11));
        assert_eq!(book.fetch().as_deref(), Some("10"));
        book.pass(diff(51, 55));
        assert!(!book.needs(49), "too old");
        assert!(book.needs(60));
        assert_eq!(book.fetch().as_deref(), Some("60"));
        assert!(!book.needs(60) && !book.needs(90));
        book.pass(diff(200, 201));
        assert_eq!(book.fetch().as_deref(), Some("90"), "there is no newer one");
    }

    #[test]
    fn one_fetched_before_the_first_diff_counts() {
        let mut book = book(&[10]);
        assert_eq!(book.fetch().as_deref(), Some("10"));
        book.pass(diff(9, 11));
        assert!(!book.needs(10));
    }
}
