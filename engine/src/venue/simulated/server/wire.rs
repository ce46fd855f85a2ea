//! One socket with its outgoing bytes, and a script of what shall happen to them on the way.
//!
//! Everything that leaves a connection goes through one buffer, so many frames leave in one write.
//! A fault is a mark at an offset of that stream: bytes before it leave, then the mark acts (a
//! pause or the end of the connection). Reading is not touched by it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use crate::world::Stream;

/// What happens when all bytes before a mark have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing leaves for this long.
    Pause(Duration),
    /// The connection ends; with a TCP reset or in an orderly way.
    Close { reset: bool },
}

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// All that may leave now has left.
    Done,
    /// A mark ended the connection, or the peer did.
    Closed,
}

/// A socket and its outgoing bytes.
pub struct Wire {
    socket: Stream,
    out: Vec<u8>,
    /// Bytes of `out` that have left.
    sent: usize,
    /// Marks by their offset in `out`, in order.
    marks: VecDeque<(usize, Mark)>,
    paused_until_ns: Option<u64>,
    is_blocked: bool,
}

/// Bytes that have left are dropped from the buffer when there are this many of them.
const COMPACT_AT: usize = 1 << 18;

impl Wire {
    pub fn new(socket: Stream) -> Self {
        Self {
            socket,
            out: Vec::with_capacity(1 << 14),
            sent: 0,
            marks: VecDeque::new(),
            paused_until_ns: None,
            is_blocked: false,
        }
    }

    /// Where to append outgoing bytes.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Bytes that have not left yet.
    pub fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Lets a mark act when all bytes appended so far have left.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push_back((self.out.len(), mark));
    }

    /// The socket takes bytes again.
    pub fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// When a pause ends.
    pub fn next_due_ns(&self) -> Option<u64> {
        self.paused_until_ns
    }

    /// Writes what may leave now, until the socket takes no more.
    pub fn flush(&mut self, now_ns: u64) -> Flushed {
        loop {
            if self.is_blocked || self.paused_until_ns.is_some_and(|until| now_ns < until) {
                break;
            }
            self.paused_until_ns = None;
            let stop = match self.marks.front() {
                Some(&(at, mark)) if at == self.sent => {
                    self.marks.pop_front();
                    match mark {
                        Mark::Pause(duration) => {
                            self.paused_until_ns = Some(now_ns + duration.as_nanos() as u64)
                        }
                        Mark::Close { reset } => {
                            self.end(reset);
                            return Flushed::Closed;
                        }
                    }
                    continue;
                }
                Some(&(at, _)) => at,
                None => self.out.len(),
            };
            if stop == self.sent {
                break;
            }
            match self.socket.write(&self.out[self.sent..stop]) {
                Ok(0) => return Flushed::Closed,
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Closed,
            }
        }
        self.compact();
        Flushed::Done
    }

    fn end(&mut self, reset: bool) {
        // When it fails the peer is gone, or gets another end, which its test will notice.
        let _ = if reset { self.socket.reset_on_drop() } else { self.socket.shutdown_write() };
    }

    fn compact(&mut self) {
        if self.sent == self.out.len() || self.sent >= COMPACT_AT {
            self.out.drain(..self.sent);
            for (at, _) in &mut self.marks {
                *at -= self.sent;
            }
            self.sent = 0;
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

/// What the WebSocket layer writes (pongs, close frames) joins the same stream of bytes.
impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
