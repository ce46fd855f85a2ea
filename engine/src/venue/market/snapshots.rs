//! Fetches book snapshots over REST, on a thread of its own: it blocks, and a pinned thread must not.
//!
//! ```text
//! market agent --(lane of requests)--> thread "rest-NAME" --(Exchange of answers)--> market agent
//! ```
//!
//! The body is parsed on this thread too, so that a cold snapshot of thousands of levels costs the core
//! nothing but its application; an answer that was applied goes back to be freed here. When the venue
//! asks to slow down (429, or 418 when it was ignored), the thread waits as long as it was told.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, Thread};
use std::time::Duration;

use pitlane_ring::{Consumer, Exchange, LaneGauge, LaneOptions, Publisher, Record, lane};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::InstrumentId;
use crate::runtime::{Clock, CoreWakers, give_way};
use crate::venue::SymbolMap;
use crate::venue::codec::DecodeError;
use crate::venue::protocol::{MarketProtocol, Snapshot};
use crate::venue::transport::Endpoint;

/// Requests that may wait: the pacer allows one a symbol, and a few a second.
const REQUESTS: usize = 1_024;
/// Pause between two looks at the requests, if nobody wakes the thread.
const LOOK: Duration = Duration::from_millis(20);
/// The longest wait that a venue can impose, should its answer be absurd.
const SLOW_DOWN_MAX: Duration = Duration::from_secs(120);
/// The wait when the venue asks to slow down without saying for how long.
const SLOW_DOWN_DEFAULT: Duration = Duration::from_secs(10);
/// Bytes of an answer, at most.
const BODY_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A request: whose snapshot.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Request {
    instrument: u64,
}

impl Record for Request {
    fn used_bytes(&self) -> usize {
        size_of::<Request>()
    }
}

/// What came of a request.
pub(super) struct Answer {
    pub(super) instrument: InstrumentId,
    /// `None` when it failed; why is in the log.
    pub(super) snapshot: Option<Snapshot>,
}

/// What a [`SnapshotThread`] is made of.
pub struct SnapshotThreadOptions {
    /// The venue's name, for the log.
    pub venue: String,
    /// The thread's name.
    pub thread: String,
    /// Address of the REST interface.
    pub rest: Endpoint,
    /// The symbols that may be asked for.
    pub symbols: SymbolMap,
    /// Connect, request and answer together may take this long.
    pub timeout: Duration,
    /// The clock.
    pub clock: Clock,
    /// Wakes the core that waits for an answer.
    pub wakers: CoreWakers,
}

/// The agent's end: asks and takes answers, and never waits.
pub struct SnapshotClient {
    requests: Publisher<Request>,
    shared: Arc<Shared>,
    thread: Thread,
}

/// The owner's handle of the thread.
pub struct SnapshotThread {
    name: String,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    answers: Exchange<Answer>,
    /// Answers that were applied, to be freed by the thread.
    spent: Exchange<Answer>,
    stop: AtomicBool,
}

/// Why a snapshot could not be had. Reads like every other error of a venue.
#[derive(Debug, Error)]
enum FetchError {
    #[error("snapshot failed: {0} (code: transport)")]
    Transport(Box<ureq::Error>),
    #[error("snapshot failed: refused by the venue (code: http {status})")]
    Status { status: u16, slow_down: Option<Duration> },
    #[error("snapshot failed: {0}")]
    Decode(DecodeError),
}

impl SnapshotThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's error when it gives no thread.
    pub fn start<P: MarketProtocol>(
        options: SnapshotThreadOptions,
    ) -> std::io::Result<(SnapshotThread, SnapshotClient)> {
        let name = options.thread.clone();
        let lane_options = LaneOptions { name: name.clone(), capacity: REQUESTS };
        let (requests, requested) = lane(lane_options);
        let shared = Arc::<Shared>::default();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent();
        let worker = Worker::<P> {
            options,
            agent,
            requested,
            queue: Vec::new(),
            shared: Arc::clone(&shared),
            protocol: PhantomData,
        };
        let thread = Builder::new().name(name.clone()).spawn(move || worker.run())?;
        let client =
            SnapshotClient { requests, shared: shared.clone(), thread: thread.thread().clone() };
        Ok((SnapshotThread { name, shared, thread }, client))
    }

    /// The thread's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the thread to end; a request in progress is finished or times out.
    pub fn ask_to_stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Joins the thread.
    ///
    /// # Errors
    /// A line that says that it panicked.
    pub fn join(self) -> Result<(), String> {
        self.thread.join().map_err(|_| format!("thread {} panicked", self.name))
    }
}

impl SnapshotClient {
    /// Asks for a snapshot. False when too many requests wait; ask again later.
    pub(super) fn ask(&mut self, instrument: InstrumentId) -> bool {
        let request = Request { instrument: u64::from(instrument.0) };
        let is_taken = self.requests.try_publish(&request).is_ok();
        self.thread.unpark();
        is_taken
    }

    /// The next answer, if there is one.
    #[inline]
    pub(super) fn take(&self) -> Option<Box<Answer>> {
        self.shared.answers.take()
    }

    /// Gives an answer back that was applied, so that the thread frees it.
    pub(super) fn give_back(&self, answer: Box<Answer>) {
        // Only when the thread has not yet freed the one before, it is freed here.
        let _freed_here = self.shared.spent.put(answer);
        self.thread.unpark();
    }

    /// A view of the lane of requests.
    pub fn gauge(&self) -> LaneGauge {
        self.requests.gauge()
    }
}

struct Worker<P> {
    options: SnapshotThreadOptions,
    agent: ureq::Agent,
    requested: Consumer<Request>,
    /// Whose snapshots are to be fetched, each once: while the venue has us wait, requests are repeated.
    queue: Vec<InstrumentId>,
    shared: Arc<Shared>,
    protocol: PhantomData<P>,
}

impl<P: MarketProtocol> Worker<P> {
    fn run(mut self) {
        give_way();
        while !self.is_stopped() {
            drop(self.shared.spent.take());
            self.take_requests();
            if self.queue.is_empty() {
                std::thread::park_timeout(LOOK);
                continue;
            }
            let instrument = self.queue.remove(0);
            let snapshot = match self.fetch(instrument) {
                Ok(snapshot) => Some(snapshot),
                Err(error) => {
                    log::warn!("[{}] {error}", self.options.venue);
                    if let FetchError::Status { slow_down: Some(wait), .. } = error {
                        self.pause(wait);
                        // What was asked for again meanwhile is this very request.
                        self.take_requests();
                        self.queue.retain(|queued| *queued != instrument);
                    }
                    None
                }
            };
            self.answer(Box::new(Answer { instrument, snapshot }));
        }
    }

    fn take_requests(&mut self) {
        let queue = &mut self.queue;
        self.requested.poll(REQUESTS, |request| {
            let instrument = InstrumentId(request.instrument as u32);
            if !queue.contains(&instrument) {
                queue.push(instrument);
            }
        });
    }

    fn fetch(&self, instrument: InstrumentId) -> Result<Snapshot, FetchError> {
        let SnapshotThreadOptions { rest, symbols, .. } = &self.options;
        let (Some(native), Some(symbol)) = (symbols.native(instrument), symbols.symbol(instrument))
        else {
            return Err(FetchError::Decode(DecodeError::symbol()));
        };
        let url = format!(
            "http://{}{}{}",
            rest.authority(),
            rest.path().trim_end_matches('/'),
            P::snapshot_path(native)
        );
        let transport = |error| FetchError::Transport(Box::new(error));
        let mut response = self.agent.get(&url).call().map_err(transport)?;
        let status = response.status().as_u16();
        if status != 200 {
            let header = response.headers().get("retry-after").and_then(|v| v.to_str().ok());
            let seconds = header.and_then(|text| text.trim().parse().ok());
            let wait = seconds.map_or(SLOW_DOWN_DEFAULT, Duration::from_secs).min(SLOW_DOWN_MAX);
            let slow_down = matches!(status, 418 | 429).then_some(wait);
            return Err(FetchError::Status { status, slow_down });
        }
        let body = response
            .body_mut()
            .with_config()
            .limit(BODY_BYTES_MAX)
            .read_to_vec()
            .map_err(transport)?;
        P::read_snapshot(instrument, &body, symbol.scales).map_err(FetchError::Decode)
    }

    /// Leaves the answer for the agent; tries until it has taken the one before.
    fn answer(&self, mut answer: Box<Answer>) {
        while let Err(back) = self.shared.answers.put(answer) {
            if self.is_stopped() {
                return;
            }
            answer = back;
            drop(self.shared.spent.take());
            std::thread::park_timeout(Duration::from_millis(1));
        }
        self.options.wakers.wake();
    }

    /// Waits, unless it is asked to stop.
    fn pause(&self, wait: Duration) {
        let clock = &self.options.clock;
        let until_ns = clock.now_ns() + wait.as_nanos() as u64;
        while !self.is_stopped() {
            let left_ns = until_ns.saturating_sub(clock.now_ns());
            if left_ns == 0 {
                return;
            }
            std::thread::park_timeout(Duration::from_nanos(left_ns));
        }
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }
}
