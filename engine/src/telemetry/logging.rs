//! Logging without waiting: pinned threads format into a fixed record and publish it to a lane of
//! their own; one drain feeds `env_logger`. Other threads log directly. Nobody waits for standard
//! error itself: its lines go through the [`Sink`] of the process, which drops and counts what a
//! blocked terminal does not take.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use env_logger::fmt::Formatter;
use env_logger::fmt::style::AnsiColor;
use env_logger::{Target, WriteStyle};
use jiff::Timestamp;
use log::{Level, Log, Metadata, Record as LogEntry};
use parking_lot::Mutex;
use pitlane_ring::{Consumer, LaneOptions, Publisher, Record, lane};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::sink::Sink;
use super::thinning::{Thinned, Thinning};
use crate::text::shown;
use crate::world::{Clock, wall_now_ns};

/// Bytes of text in one record; longer messages are cut.
const TEXT_BYTES: usize = 448;

/// Bytes of the target in one record; longer ones are cut.
const TARGET_BYTES: usize = 48;

/// Lines alike that are written in a second; the rest is counted.
const ALIKE_PER_S_MAX: u32 = 20;

/// Characters by which two lines are alike.
const KIND_CHARS: usize = 64;

/// Log records that found no room in their lane.
static DROPPED: AtomicU64 = AtomicU64::new(0);

static LOGGER: OnceLock<RingLogger> = OnceLock::new();

/// A log line in its lane.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct LogRecord {
    level: u8,
    cut: u8,
    text_bytes: u16,
    target_bytes: u8,
    reserved: [u8; 11],
    target: [u8; TARGET_BYTES],
    text: [u8; TEXT_BYTES],
}

const _: () = assert!(size_of::<LogRecord>() == 512);

impl Record for LogRecord {
    fn used_bytes(&self) -> usize {
        size_of::<LogRecord>() - TEXT_BYTES + usize::from(self.text_bytes)
    }
}

impl fmt::Write for LogRecord {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let used = usize::from(self.text_bytes);
        let mut end = text.len().min(TEXT_BYTES - used);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text[used..used + end].copy_from_slice(&text.as_bytes()[..end]);
        self.text_bytes += end as u16;
        self.cut |= u8::from(end < text.len());
        Ok(())
    }
}

thread_local! {
    /// In place of the system's.
    static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
    static ATTACHED: Cell<bool> = const { Cell::new(false) };
    static LANE: RefCell<Option<Publisher<LogRecord>>> = const { RefCell::new(None) };
}

/// Makes this thread log through `lane` from now on.
pub fn attach_thread(lane: Publisher<LogRecord>) {
    LANE.with(|slot| *slot.borrow_mut() = Some(lane));
    ATTACHED.with(|attached| attached.set(true));
}

/// Takes the lane away: this thread logs as any other again.
pub(crate) fn detach_thread() {
    ATTACHED.with(|attached| attached.set(false));
    LANE.with(|slot| *slot.borrow_mut() = None);
}

/// Lines that this thread logs in `run` carry the wall time of `clock`, with milliseconds: for a
/// simulated world.
pub fn log_by_clock<R>(clock: &Clock, run: impl FnOnce() -> R) -> R {
    let before = CLOCK.replace(Some(clock.clone()));
    let result = run();
    CLOCK.set(before);
    result
}

/// Wall time of a simulated world, where this thread is one.
fn simulated_wall_ns() -> Option<i64> {
    CLOCK.with(|slot| slot.borrow().as_ref().map(Clock::wall_ns))
}

/// Installs the logger of the process, once; later calls have no effect. The filter comes from
/// `RUST_LOG` and is `info` without it.
pub fn install_logger() {
    let logger = LOGGER.get_or_init(|| {
        let environment = env_logger::Env::default().default_filter_or("info");
        let mut builder = env_logger::Builder::from_env(environment);
        // The library sees a pipe and would leave colours out, also where a person looks.
        if std::env::var_os("RUST_LOG_STYLE").is_none()
            && std::env::var_os("NO_COLOR").is_none()
            && io::stderr().is_terminal()
        {
            builder.write_style(WriteStyle::Always);
        }
        builder.target(Target::Pipe(Box::new(LogLines(Sink::standard_error()))));
        builder.format(write_line);
        let thinning = Mutex::new(Thinning::new(ALIKE_PER_S_MAX));
        RingLogger { sink: builder.build(), thinning }
    });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(logger.sink.filter());
    }
}

/// Lines on their way to a sink. The library flushes behind each, with a lock in its hand that
/// every thread needs to log: here nobody waits for what a terminal takes.
struct LogLines(&'static Sink);

impl io::Write for LogLines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // What finds no room is counted there.
        let _ = self.0.send(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As the library writes a line, but for the time.
fn write_line(out: &mut Formatter, entry: &LogEntry<'_>) -> io::Result<()> {
    let time = match simulated_wall_ns() {
        None => out.timestamp().to_string(),
        Some(wall_ns) => {
            let time = Timestamp::from_nanosecond(i128::from(wall_ns)).unwrap_or_default();
            format!("{time:.3}")
        }
    };
    let (grey, level) =
        (AnsiColor::BrightBlack.on_default(), out.default_level_style(entry.level()));
    let (name, target, text) = (entry.level(), entry.target(), entry.args());
    writeln!(out, "{grey}[{grey:#}{time} {level}{name:<5}{level:#} {target}{grey}]{grey:#} {text}")
}

struct RingLogger {
    sink: env_logger::Logger,
    thinning: Mutex<Thinning>,
}

impl RingLogger {
    /// Writes a line, masked and escaped, unless too many like it came in this second.
    fn deliver(&self, entry: &LogEntry<'_>) {
        let text = entry.args().to_string();
        let kind = kind_of(entry.target(), &text);
        let wall_ns = simulated_wall_ns().unwrap_or_else(wall_now_ns);
        let thinned = self.thinning.lock().take(&kind, wall_ns);
        let note = match thinned {
            Thinned::Passes => None,
            Thinned::LeftOut { note: None } => return,
            Thinned::LeftOut { note } => note,
        };
        let text = one_entry(&shown(&text));
        let mut line = LogEntry::builder();
        line.level(entry.level()).target(entry.target());
        match note {
            None => self.sink.log(&line.args(format_args!("{text}")).build()),
            Some(count) => self.sink.log(
                &line
                    .args(format_args!(
                        "{text} (more than {ALIKE_PER_S_MAX} such lines a second: {count} are left out so far)"
                    ))
                    .build(),
            ),
        }
    }
}

/// What a text continues with stands behind a margin: nobody who is quoted in a line can begin one
/// that looks like another.
fn one_entry(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

/// What makes two lines alike: their target and their first words, whatever the numbers in them.
fn kind_of(target: &str, text: &str) -> String {
    let words = text.chars().filter(|character| !character.is_ascii_digit()).take(KIND_CHARS);
    target.chars().chain(words).collect()
}

impl Log for RingLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.sink.enabled(metadata)
    }

    fn log(&self, entry: &LogEntry<'_>) {
        if !self.sink.matches(entry) {
            return;
        }
        if ATTACHED.with(Cell::get) {
            publish(entry);
        } else {
            self.deliver(entry);
        }
    }

    fn flush(&self) {
        self.sink.flush();
    }
}

fn publish(entry: &LogEntry<'_>) {
    let mut record = LogRecord::new_zeroed();
    record.level = entry.level() as u8;
    let target = &entry.target().as_bytes()[..entry.target().len().min(TARGET_BYTES)];
    record.target[..target.len()].copy_from_slice(target);
    record.target_bytes = target.len() as u8;
    // Formatting into a fixed buffer: it can't fail and it does not allocate.
    let _written = record.write_fmt(*entry.args());
    LANE.with(|lane| {
        let published = lane
            .try_borrow_mut()
            .ok()
            .and_then(|mut lane| lane.as_mut().map(|lane| lane.try_publish(&record).is_ok()));
        if published != Some(true) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Log lanes, each with the name of its thread.
type NamedLanes = Vec<(String, Consumer<LogRecord>)>;

/// Makes log lanes while the engine runs, and hands their ends to the drain. Cheap to clone.
#[derive(Clone)]
pub struct LogLanes {
    capacity: usize,
    new: Arc<Mutex<NamedLanes>>,
}

impl LogLanes {
    /// A maker of lanes with `capacity` slots.
    #[must_use]
    pub fn new(capacity: usize) -> LogLanes {
        LogLanes { capacity, new: Arc::default() }
    }

    /// A lane for the thread of this name; the drain will find its end.
    #[must_use]
    pub fn make(&self, thread: &str) -> Publisher<LogRecord> {
        let options = LaneOptions { name: format!("log:{thread}"), capacity: self.capacity };
        let (publisher, consumer) = lane(options);
        self.new.lock().push((thread.to_owned(), consumer));
        publisher
    }
}

/// Takes log records out of the lanes and writes them. Owned by housekeeping.
pub struct LogDrain {
    lanes: NamedLanes,
    more: LogLanes,
}

impl LogDrain {
    /// A drain of `lanes`, each with the name of its thread, and of those that `more` makes.
    #[must_use]
    pub fn new(lanes: Vec<(String, Consumer<LogRecord>)>, more: LogLanes) -> LogDrain {
        LogDrain { lanes, more }
    }

    /// Writes what has come in; returns how many lines.
    pub fn drain(&mut self) -> usize {
        self.lanes.append(&mut self.more.new.lock());
        let mut count = 0;
        for (thread, lane) in &mut self.lanes {
            count += lane.poll(usize::MAX, |record| emit(thread, record));
        }
        count
    }

    /// Log lines of this process that found no room in their lane, or that standard error did not
    /// take.
    #[must_use]
    pub fn dropped() -> u64 {
        DROPPED.load(Ordering::Relaxed) + Sink::standard_error().dropped()
    }
}

fn emit(thread: &str, record: &LogRecord) {
    let level = Level::iter().find(|level| *level as u8 == record.level).unwrap_or(Level::Error);
    let bytes = &record.text[..usize::from(record.text_bytes).min(TEXT_BYTES)];
    let text = String::from_utf8_lossy(bytes);
    let cut = if record.cut == 1 { " (cut)" } else { "" };
    let target = &record.target[..usize::from(record.target_bytes).min(TARGET_BYTES)];
    let target = String::from_utf8_lossy(target);
    log::logger().log(
        &LogEntry::builder()
            .level(level)
            .target(&target)
            .args(format_args!("{{{thread}}} {text}{cut}"))
            .build(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that was stopped.
    struct Stopped(std::sync::mpsc::Receiver<()>);

    impl io::Write for Stopped {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _gone = self.0.recv();
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Whoever waited here would wait for ever: the sink has all the patience that there is.
    #[test]
    fn a_line_waits_for_no_terminal() {
        let (go_on, stopped) = std::sync::mpsc::channel();
        let sink = Box::leak(Box::new(Sink::start("stopped", Stopped(stopped)).unwrap()));
        let logger = env_logger::Builder::new()
            .filter_level(log::LevelFilter::Info)
            .target(Target::Pipe(Box::new(LogLines(sink))))
            .format(write_line)
            .build();
        for _ in 0..3 {
            logger.log(&LogEntry::builder().level(Level::Warn).args(format_args!("x")).build());
        }
        logger.flush();
        drop(go_on);
        sink.flush().unwrap();
    }

    #[test]
    fn no_text_begins_a_line_of_its_own() {
        assert_eq!(
            one_entry("a stack:\n  one\nERROR forged\n"),
            "a stack:\n      one\n    ERROR forged"
        );
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let mut record = LogRecord::new_zeroed();
        write!(record, "{}", "é".repeat(400)).unwrap();
        assert_eq!(record.cut, 1);
        let bytes = &record.text[..usize::from(record.text_bytes)];
        assert_eq!(std::str::from_utf8(bytes).unwrap().chars().count(), TEXT_BYTES / 2);
    }
}
