//! What every test needs: outlets over vectors, a duty cycle in a loop as a core runs it, a log
//! that can be read, and the limits that make a test short.

use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use pitlane_engine::event::{BookState, BookStatus, Event, EventKind, InstrumentId};
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::runtime::{Agent, Clock, ManualTime};
use pitlane_engine::venue::transport::{BackoffOptions, SessionLimits};
use pitlane_engine::venue::{EventOutlet, LetterReason, SymbolMap};
use pitlane_engine::world::wall_now_ns;

/// Longest wait for a condition before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The one instrument of most tests.
pub const BTC: InstrumentId = InstrumentId(0);
/// One millisecond, ns.
pub const MS: u64 = 1_000_000;

/// Everything that came out of an agent.
#[derive(Default)]
pub struct Seen {
    pub events: Vec<Event>,
    pub letters: Vec<Letter>,
    /// Room that is left, when it is limited.
    pub room: Option<usize>,
}

/// A dead letter.
#[derive(Clone, Debug)]
pub struct Letter {
    pub reason: LetterReason,
    pub detail: &'static str,
    pub raw: Vec<u8>,
}

/// An outlet that keeps everything.
#[derive(Clone, Default)]
pub struct Outlet(pub Arc<Mutex<Seen>>);

impl Outlet {
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventOutlet for Outlet {
    fn room(&mut self) -> usize {
        self.seen().room.unwrap_or(usize::MAX)
    }

    fn publish(&mut self, event: &Event) {
        let mut seen = self.seen();
        if let Some(room) = &mut seen.room {
            *room = room.checked_sub(1).expect("published without room");
        }
        seen.events.push(*event);
    }

    fn dead_letter(&mut self, reason: LetterReason, detail: &'static str, raw: &[u8]) {
        self.seen().letters.push(Letter { reason, detail, raw: raw.to_vec() });
    }
}

impl Seen {
    /// How many events of a kind there are.
    pub fn count(&self, kind: EventKind) -> usize {
        self.events.iter().filter(|event| event.kind() == Some(kind)).count()
    }

    /// The payloads of one type.
    pub fn all<P: pitlane_engine::event::EventPayload + Copy>(&self) -> Vec<P> {
        self.events.iter().filter_map(|event| event.get::<P>().copied()).collect()
    }

    /// Every word on the state of books, in order.
    pub fn states(&self) -> Vec<BookStatus> {
        self.all::<BookState>().iter().filter_map(BookState::status).collect()
    }

    /// Nothing of a book may follow the word that it can't be trusted, until it can be again.
    pub fn assert_no_book_while_distrusted(&self) {
        let mut is_live = false;
        for (index, event) in self.events.iter().enumerate() {
            if let Some(state) = event.get::<BookState>() {
                is_live = state.status() == Some(BookStatus::Live);
            } else if event.kind() == Some(EventKind::Book) {
                assert!(is_live, "event {index} is a book that nobody can trust");
            }
        }
    }

    /// Letters of a reason.
    pub fn letters_of(&self, reason: LetterReason) -> Vec<&Letter> {
        self.letters.iter().filter(|letter| letter.reason == reason).collect()
    }
}

/// A core with one agent: it parks in its poller when there is nothing to do, as the engine does.
pub struct Core {
    poll: Poll,
    events: Events,
}

impl Core {
    pub fn new(agent: &mut impl Agent) -> Core {
        let poll = Poll::new().expect("a poller");
        agent.on_start(poll.registry());
        Core { poll, events: Events::with_capacity(16) }
    }

    /// One duty cycle, and a short sleep if it found nothing to do.
    pub fn turn(&mut self, agent: &mut impl Agent, clock: &Clock) {
        if agent.duty_cycle() > 0 {
            return;
        }
        let due_ns = agent.next_timer_ns().saturating_sub(clock.now_ns());
        // Conditions of tests also change where no socket tells.
        let timeout = Duration::from_nanos(due_ns.min(2 * MS));
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout)) {
            assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
        }
    }
}

/// Gives up on a condition that does not come.
pub struct Patience(Instant);

impl Patience {
    pub fn new() -> Patience {
        Patience(Instant::now())
    }

    pub fn is_over(&self) -> bool {
        self.0.elapsed() > PATIENCE
    }
}

/// Limits that make a test short. Every deadline is far above what a loaded machine needs for a
/// good peer.
pub fn limits() -> SessionLimits {
    SessionLimits {
        handshake_ns: 2_000 * MS,
        frame_ns: 1_500 * MS,
        ping_interval_ns: 100 * MS,
        idle_ns: 5_000 * MS,
        backoff: BackoffOptions { min_ns: 5 * MS, max_ns: 40 * MS },
        frame_bytes_max: 64 * 1024,
        ..SessionLimits::default()
    }
}

/// How many times as fast time passes for orders, and at simulated venues, as it does for us: what
/// venues have one wait for is counted in tens of seconds. Of deadlines that only a lost peer
/// misses, it takes nothing away: [`unhurried`].
pub const PACE: u32 = 4;

/// Fast time, from one beginning for all clocks.
struct FastTime {
    real: Clock,
    /// Wall time at the beginning, ns.
    wall_ns: i64,
    /// The clocks that it moves, and when each began.
    clocks: Mutex<Vec<(ManualTime, u64)>>,
}

impl FastTime {
    fn get() -> &'static FastTime {
        static TIME: OnceLock<FastTime> = OnceLock::new();
        TIME.get_or_init(|| {
            std::thread::spawn(|| {
                loop {
                    FastTime::get().tick();
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
            let (real, wall_ns) = (Clock::start(), wall_now_ns());
            FastTime { real, wall_ns, clocks: Mutex::default() }
        })
    }

    fn passed_ns(&self) -> u64 {
        self.real.now_ns() * u64::from(PACE)
    }

    fn wall_ns(&self, passed_ns: u64) -> i64 {
        self.wall_ns + passed_ns.cast_signed()
    }

    fn tick(&self) {
        let clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ns = self.passed_ns();
        for (time, began_ns) in &*clocks {
            time.advance_to_ns(now_ns - began_ns);
        }
    }
}

/// A clock of orders or of a simulated venue: it begins now, and all have one wall time.
pub fn fast_clock() -> Clock {
    let fast = FastTime::get();
    let mut clocks = fast.clocks.lock().unwrap_or_else(PoisonError::into_inner);
    let began_ns = fast.passed_ns();
    let (clock, time) = Clock::manual(fast.wall_ns(began_ns));
    clocks.push((time, began_ns));
    clock
}

/// Limits by the fast clock, with as much time for a good peer.
pub fn unhurried(limits: SessionLimits) -> SessionLimits {
    SessionLimits {
        handshake_ns: limits.handshake_ns * u64::from(PACE),
        frame_ns: limits.frame_ns * u64::from(PACE),
        idle_ns: limits.idle_ns * u64::from(PACE),
        ..limits
    }
}

/// The wall clock of the fast clock, ms since the Unix epoch.
pub fn wall_ms() -> i64 {
    let fast = FastTime::get();
    fast.wall_ns(fast.passed_ns()) / 1_000_000
}

/// BTC-USDT as the simulated venue trades it.
pub fn instruments() -> Arc<Instruments> {
    let spec = InstrumentSpec::btc_usdt();
    Arc::new(Instruments::new(vec![spec]).expect("one good instrument"))
}

/// The venue's name for it.
pub fn symbols() -> SymbolMap {
    SymbolMap::new(&[("BTCUSDT".to_owned(), BTC)], instruments()).expect("one good symbol")
}

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.level(), record.args());
            LOG.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    fn flush(&self) {}
}

/// Keeps the log's lines from now on.
pub fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Log).expect("no other logger");
        log::set_max_level(log::LevelFilter::Info);
    });
}

/// Whether a line of the log holds all of `parts`. Tests run side by side: name the venue in one of
/// them.
pub fn logged(parts: &[&str]) -> bool {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().any(|line| parts.iter().all(|part| line.contains(part)))
}
