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
/// Pause before a writer that takes nothing now is tried again: another process that shares a
/// terminal or pipe may have set it so that writes to it do not wait.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

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
    /// What became of the last text, if it could not be written. Behind a reader that has gone away
    /// nothing more is tried; a disk that was full may have room again.
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
        if !has_room || state.error == Some(io::ErrorKind::BrokenPipe) {
            state.drop_texts(1);
            return false;
        }
        // One text with the line itself: the note is no line that could be lost.
        let mut noted = Vec::new();
        if std::mem::take(&mut state.dropped_new) > 0 {
            let (dropped, name) = (state.dropped, self.0.name);
            noted = format!("{dropped} lines were dropped: {name} was blocked, or failed\n").into();
        }
        noted.extend_from_slice(text);
        state.enqueue(noted);
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
            if state.queue.is_empty() && !state.is_writing {
                return state.error.map_or(Ok(()), |kind| Err(kind.into()));
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

    fn drop_texts(&mut self, count: u64) {
        self.dropped += count;
        self.dropped_new += count;
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
            state.error = written.err().map(|error| error.kind());
            if state.error.is_some() {
                // What waits would fail too, and whoever waits for it would wait in vain.
                let waiting = state.queue.len() as u64;
                state.drop_texts(waiting + 1);
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
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut state = self.state.lock();
                    let _ = self.filled.wait_for(&mut state, RETRY_PAUSE);
                }
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
        let dropped = dropped_before + 1;
        let last = format!("{dropped} lines were dropped: test was blocked, or failed\nlast\n");
        assert_eq!(String::from_utf8_lossy(texts.last().unwrap()), last);
    }

    /// A writer that gives these answers, one a write, and then takes everything.
    struct Script {
        errors: std::vec::IntoIter<io::ErrorKind>,
        told: Sender<Vec<u8>>,
    }

    impl Write for Script {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.errors.next() {
                return Err(kind.into());
            }
            self.told.send(text.to_vec()).map_err(|_gone| io::ErrorKind::BrokenPipe)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn script(errors: Vec<io::ErrorKind>) -> (Sink, Receiver<Vec<u8>>) {
        let (told, texts) = channel();
        (Sink::start("test", Script { errors: errors.into_iter(), told }).unwrap(), texts)
    }

    #[test]
    fn what_takes_nothing_just_now_is_tried_again() {
        let (sink, texts) = script(vec![io::ErrorKind::WouldBlock; 3]);
        assert!(sink.send(b"text\n"));
        sink.flush().unwrap();
        assert_eq!((texts.try_iter().next(), sink.dropped()), (Some(b"text\n".to_vec()), 0));
    }

    #[test]
    fn a_full_disk_costs_what_found_no_room_and_nothing_later() {
        let (sink, texts) = script(vec![io::ErrorKind::StorageFull]);
        assert!(sink.send(b"lost\n"));
        assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(sink.dropped(), 1);
        assert!(sink.send(b"later\n"));
        sink.flush().unwrap();
        let written = texts.try_iter().collect::<Vec<_>>().concat();
        assert!(written.ends_with(b"later\n") && written.starts_with(b"1 lines were dropped"));
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
