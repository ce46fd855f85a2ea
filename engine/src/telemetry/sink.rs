//! A thread that writes for others: terminals, pipes and files may block, threads that steer may
//! not.
//!
//! Promises: a write here never blocks (a full queue drops the text and counts it); what was taken
//! is written in order; a flush waits only as long as the other end still reads. A terminal that
//! was stopped with Ctrl-S, a full pipe, or a FIFO without a reader therefore holds up nothing but
//! this thread (F36).

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::world::start_thread;

/// Bytes that wait at most, unless one text alone is larger.
const QUEUED_BYTES_MAX: usize = 1 << 20;
/// Bytes handed to the system at a time, so that a slow reader still shows progress.
const CHUNK_BYTES: usize = 4_096;

/// The queue in front of one writer. Cheap to clone.
#[derive(Clone)]
pub struct Sink(Arc<Shared>);

struct Shared {
    name: &'static str,
    state: Mutex<State>,
    /// Something was queued.
    filled: Condvar,
    /// Something was written.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Vec<u8>>,
    queued_bytes: usize,
    /// Dropped since the last text that got through.
    dropped_new: u64,
    dropped: u64,
    /// Bytes that the system has taken.
    written_bytes: u64,
    is_writing: bool,
    /// The writer's last error: from then on texts are dropped.
    error: Option<io::ErrorKind>,
    /// How long a flush waits without progress; `None` for as long as it takes.
    patience: Option<Duration>,
}

impl Sink {
    /// A sink that hands what it is given to `writer`, on a thread of its own.
    ///
    /// # Errors
    /// The system's error when it starts no thread.
    pub fn start(name: &'static str, writer: impl Write + Send + 'static) -> io::Result<Sink> {
        let shared = Arc::new(Shared {
            name,
            state: Mutex::new(State::default()),
            filled: Condvar::new(),
            moved: Condvar::new(),
        });
        let writing = Arc::clone(&shared);
        start_thread(&format!("sink-{name}"), move || writing.run(writer))?;
        Ok(Sink(shared))
    }

    /// The process's standard error. Everything that is written there goes through this one queue.
    ///
    /// # Panics
    /// When the system starts no thread.
    #[must_use]
    pub fn standard_error() -> &'static Sink {
        static SINK: OnceLock<Sink> = OnceLock::new();
        SINK.get_or_init(|| {
            let sink = Sink::start("stderr", io::stderr()).expect("a thread for standard error");
            sink.set_patience(Some(Duration::from_secs(1)));
            sink
        })
    }

    /// The process's standard output.
    ///
    /// # Panics
    /// When the system starts no thread.
    #[must_use]
    pub fn standard_output() -> &'static Sink {
        static SINK: OnceLock<Sink> = OnceLock::new();
        SINK.get_or_init(|| {
            Sink::start("stdout", io::stdout()).expect("a thread for standard output")
        })
    }

    /// Limits how long a flush waits while the other end reads nothing.
    pub fn set_patience(&self, patience: Option<Duration>) {
        self.0.state.lock().patience = patience;
    }

    /// Queues `text`; false when it was dropped.
    pub fn send(&self, text: &[u8]) -> bool {
        let mut state = self.0.state.lock();
        let has_room =
            state.queue.is_empty() || state.queued_bytes + text.len() <= QUEUED_BYTES_MAX;
        if !has_room || state.error.is_some() {
            state.dropped += 1;
            state.dropped_new += 1;
            return false;
        }
        if std::mem::take(&mut state.dropped_new) > 0 {
            let note =
                format!("{} lines were dropped: {} was blocked\n", state.dropped, self.0.name);
            state.enqueue(note.into_bytes());
        }
        state.enqueue(text.to_vec());
        self.0.filled.notify_one();
        true
    }

    /// Texts that were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.state.lock().dropped
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// The writer's own error; `TimedOut` when the other end read nothing for as long as the
    /// patience lasts.
    pub fn flush(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(kind) = state.error {
                return Err(kind.into());
            }
            if state.queue.is_empty() && !state.is_writing {
                return Ok(());
            }
            let Some(patience) = state.patience else {
                self.0.moved.wait(&mut state);
                continue;
            };
            let before = state.written_bytes;
            let is_late = self.0.moved.wait_for(&mut state, patience).timed_out();
            if is_late && state.written_bytes == before {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl State {
    fn enqueue(&mut self, text: Vec<u8>) {
        self.queued_bytes += text.len();
        self.queue.push_back(text);
    }
}

impl Shared {
    fn run(&self, mut writer: impl Write) {
        loop {
            let mut state = self.state.lock();
            let text = loop {
                if let Some(text) = state.queue.pop_front() {
                    break text;
                }
                self.filled.wait(&mut state);
            };
            state.queued_bytes -= text.len();
            state.is_writing = true;
            drop(state);
            let written = self.write(&text, &mut writer);
            let mut state = self.state.lock();
            state.is_writing = false;
            if let Err(error) = written {
                // Nobody reads any more: what follows would fail too.
                state.error = Some(error.kind());
                state.queue.clear();
                state.queued_bytes = 0;
            }
            self.moved.notify_all();
        }
    }

    fn write(&self, mut text: &[u8], writer: &mut impl Write) -> io::Result<()> {
        while !text.is_empty() {
            match writer.write(&text[..text.len().min(CHUNK_BYTES)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    text = &text[count..];
                    self.state.lock().written_bytes += count as u64;
                    self.moved.notify_all();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        writer.flush()
    }
}

/// [`Write`] for a sink: a write takes all or drops all, and never blocks; a flush waits within the
/// patience.
pub struct SinkWriter(pub &'static Sink);

impl Write for SinkWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let error = || self.0.0.state.lock().error.map_or(Ok(text.len()), |kind| Err(kind.into()));
        if self.0.send(text) { Ok(text.len()) } else { error() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A writer that waits for leave before each write, and tells what it wrote.
    struct Gate {
        leave: Receiver<()>,
        told: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.leave.recv().map_err(|_gone| io::ErrorKind::BrokenPipe)?;
            self.told.send(text.to_vec()).map_err(|_gone| io::ErrorKind::BrokenPipe)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Sink, Sender<()>, Receiver<Vec<u8>>) {
        let (leave, wait) = channel();
        let (told, texts) = channel();
        let sink = Sink::start("test", Gate { leave: wait, told }).unwrap();
        sink.set_patience(Some(Duration::from_millis(20)));
        (sink, leave, texts)
    }

    #[test]
    fn a_blocked_writer_drops_counts_and_says_so_once_it_is_free() {
        let (sink, leave, texts) = gate();
        let full = vec![b'x'; QUEUED_BYTES_MAX];
        assert!(sink.send(b"first\n"));
        // Until the thread has taken the first text, it takes room in the queue.
        while !sink.send(&full) {
            std::thread::yield_now();
        }
        let dropped_before = sink.dropped();
        assert!(!sink.send(b"lost\n"), "the queue is full");
        assert_eq!(sink.dropped(), dropped_before + 1);
        assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::TimedOut);
        // More than it will ask for.
        for _ in 0..2 * QUEUED_BYTES_MAX.div_ceil(CHUNK_BYTES) {
            leave.send(()).unwrap();
        }
        sink.set_patience(None);
        sink.flush().unwrap();
        assert!(sink.send(b"last\n"));
        sink.flush().unwrap();
        let texts: Vec<_> = texts.try_iter().collect();
        assert_eq!(texts[0], b"first\n");
        assert_eq!(texts.last().unwrap(), b"last\n");
        let note = String::from_utf8_lossy(&texts[texts.len() - 2]).into_owned();
        assert!(note.contains("were dropped: test was blocked"), "{note}");
    }

    #[test]
    fn a_reader_that_has_gone_away_ends_every_wait() {
        let (sink, leave, _texts) = gate();
        sink.set_patience(None);
        drop(leave);
        assert!(sink.send(b"text"));
        assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!sink.send(b"more"));
    }
}
