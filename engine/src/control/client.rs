//! One client of the control socket: its bytes in and out, and its limits.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use mio::net::UnixStream;

use super::parse::parse_line;
use super::protocol::{ControlRequest, LINE_BYTES_MAX, ReplyLine, RequestLine};
use super::refusal::Refusal;
use crate::rate::Bucket;
use crate::text::masked_bytes;

/// Requests a second that one client may send.
pub(super) const REQUESTS_PER_S: u32 = 100;

/// How long a client may take for what, ns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the first byte of a line to its end.
    pub(super) line_ns: u64,
    /// To take something of what waits for it.
    pub(super) write_ns: u64,
    /// Between two lines. Those that watch may be silent.
    pub(super) idle_ns: u64,
    /// From the connection to its kill, in a place that is kept for one.
    pub(super) kill_ns: u64,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            line_ns: 5_000_000_000,
            write_ns: 10_000_000_000,
            idle_ns: 300_000_000_000,
            kill_ns: 1_000_000_000,
        }
    }
}

/// Answers that wait for a client, bytes; beyond it, nothing more is read from it.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;

/// Who is at the other end, as the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) pid: i32,
}

impl Peer {
    /// Asks the system, which knows it from the moment of the connection.
    pub(super) fn of(stream: &UnixStream) -> io::Result<Peer> {
        let credentials = rustix::net::sockopt::socket_peercred(stream.as_fd())?;
        Ok(Peer { uid: credentials.uid.as_raw(), pid: credentials.pid.as_raw_nonzero().get() })
    }
}

/// Readings that a client has asked for.
#[derive(Clone, Debug)]
pub(super) struct Watching {
    pub(super) id: Option<String>,
    pub(super) interval_ns: u64,
    pub(super) next_ns: u64,
}

/// One connection.
pub(super) struct Client {
    pub(super) stream: UnixStream,
    pub(super) peer: Peer,
    pub(super) watching: Option<Watching>,
    patience: Patience,
    bucket: Bucket,
    input: Vec<u8>,
    output: Vec<u8>,
    /// When the line that is not whole yet began.
    line_since_ns: Option<u64>,
    /// When something was last taken of the output, or it was empty.
    written_ns: u64,
    heard_ns: u64,
    /// Reading has stopped before the socket was empty.
    has_unread: bool,
    /// It has sent its last; closed once everything is written.
    is_ending: bool,
    /// Until when it must have asked for a kill, and may ask for nothing else.
    kill_until_ns: Option<u64>,
}

/// What reading has brought.
pub(super) enum Line {
    /// A whole line, without its line feed.
    Whole(Vec<u8>),
    /// Something that ends the connection.
    Bad(Refusal),
}

impl Client {
    pub(super) fn new(stream: UnixStream, peer: Peer, patience: Patience, now_ns: u64) -> Client {
        Client {
            stream,
            peer,
            watching: None,
            patience,
            bucket: Bucket::per_s(REQUESTS_PER_S),
            input: Vec::new(),
            output: Vec::new(),
            line_since_ns: None,
            written_ns: now_ns,
            heard_ns: now_ns,
            has_unread: false,
            is_ending: false,
            kill_until_ns: None,
        }
    }

    /// All other places are taken: from this one, only a kill is carried out, and soon.
    pub(super) fn limit_to_kill(&mut self) {
        self.kill_until_ns = Some(self.heard_ns + self.patience.kill_ns);
    }

    /// Whether only a kill is taken from it.
    pub(super) fn may_only_kill(&self) -> bool {
        self.kill_until_ns.is_some()
    }

    /// Whether its time for a kill is over.
    pub(super) fn has_kept_a_kill_out(&self, now_ns: u64) -> bool {
        !self.is_ending && self.kill_until_ns.is_some_and(|until| now_ns >= until)
    }

    /// A kill among the whole lines that have come: it overtakes those before it. Reads what the
    /// socket has, up to the length of a line.
    pub(super) fn take_kill(&mut self, now_ns: u64) -> Option<RequestLine> {
        if self.is_ending {
            return None;
        }
        // An end or an error is met again by whoever reads in order.
        while self.input.len() <= LINE_BYTES_MAX {
            match self.read(now_ns) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let mut start = 0;
        while let Some(len) = self.input[start..].iter().position(|byte| *byte == b'\n') {
            let end = start + len;
            if let Some(kill) = kill_in(&self.input[start..end]) {
                self.input.drain(start..=end);
                self.line_since_ns = self.line_since_ns.filter(|_| !self.input.is_empty());
                return Some(kill);
            }
            start = end + 1;
        }
        None
    }

    /// Reads once; how many bytes.
    fn read(&mut self, now_ns: u64) -> io::Result<usize> {
        let mut bytes = [0; READ_BYTES];
        let count = self.stream.read(&mut bytes)?;
        self.input.extend_from_slice(&bytes[..count]);
        self.heard_ns = now_ns;
        if self.line_since_ns.is_none() && !self.input.is_empty() {
            self.line_since_ns = Some(now_ns);
        }
        Ok(count)
    }

    /// The next line, read from the socket if need be; `None` when there is none now.
    pub(super) fn next_line(&mut self, now_ns: u64) -> Option<Line> {
        if self.is_ending {
            return None;
        }
        loop {
            if let Some(at) = self.input.iter().position(|byte| *byte == b'\n') {
                if at > LINE_BYTES_MAX {
                    return Some(Line::Bad(Refusal::LineTooLong));
                }
                let mut line: Vec<u8> = self.input.drain(..=at).collect();
                line.pop();
                self.line_since_ns = (!self.input.is_empty()).then_some(now_ns);
                return Some(Line::Whole(line));
            }
            if self.input.len() > LINE_BYTES_MAX {
                return Some(Line::Bad(Refusal::LineTooLong));
            }
            self.has_unread = self.output.len() > OUTPUT_BYTES_MAX;
            if self.has_unread {
                return None;
            }
            match self.read(now_ns) {
                Ok(0) if self.input.is_empty() => {
                    self.end();
                    return None;
                }
                Ok(0) => return Some(Line::Bad(Refusal::HalfLine)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {
                    self.output.clear();
                    self.end();
                    return None;
                }
            }
        }
    }

    /// Whether one more request is within its rate.
    pub(super) fn may_ask(&mut self, now_ns: u64) -> bool {
        self.bucket.take(now_ns)
    }

    /// Queues an answer; [`Client::flush`] writes it.
    pub(super) fn answer(&mut self, line: &ReplyLine, now_ns: u64) {
        if self.output.is_empty() {
            self.written_ns = now_ns;
        }
        // A struct of numbers and texts: it can't fail.
        let written = serde_json::to_vec(line);
        debug_assert!(written.is_ok());
        self.output.extend_from_slice(&masked_bytes(&written.unwrap_or_default()));
        self.output.push(b'\n');
    }

    /// Whether readings wait already: the next ones are left out.
    pub(super) fn is_behind(&self) -> bool {
        !self.output.is_empty()
    }

    /// Writes what the socket takes; false when the connection is gone.
    pub(super) fn flush(&mut self, now_ns: u64) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return false,
                Ok(count) => {
                    self.output.drain(..count);
                    self.written_ns = now_ns;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Nothing more is read from it.
    pub(super) fn end(&mut self) {
        self.is_ending = true;
        self.input.clear();
        self.line_since_ns = None;
        self.watching = None;
    }

    /// Whether reading has stopped for want of room for answers.
    pub(super) fn has_unread(&self) -> bool {
        self.has_unread
    }

    /// Whether nothing is left to be done for it.
    pub(super) fn is_over(&self) -> bool {
        self.is_ending && self.output.is_empty()
    }

    /// Whether it has left a line unfinished for too long.
    pub(super) fn is_half(&self, now_ns: u64) -> bool {
        let is_late = |since_ns| now_ns.saturating_sub(since_ns) >= self.patience.line_ns;
        self.line_since_ns.is_some_and(is_late) && !self.is_behind()
    }

    /// Whether it takes nothing, or has been silent for too long.
    pub(super) fn is_dead(&self, now_ns: u64) -> bool {
        let since = |then_ns| now_ns.saturating_sub(then_ns);
        let takes_nothing = self.is_behind() && since(self.written_ns) >= self.patience.write_ns;
        let is_silent = self.watching.is_none() && since(self.heard_ns) >= self.patience.idle_ns;
        takes_nothing || is_silent
    }

    /// When it has to be looked at by time alone, ns.
    pub(super) fn next_poll_ns(&self) -> Option<u64> {
        let Patience { line_ns, write_ns, idle_ns, .. } = self.patience;
        let is_behind = self.is_behind();
        let half = self.line_since_ns.filter(|_| !is_behind).map(|since_ns| since_ns + line_ns);
        let behind = is_behind.then(|| self.written_ns + write_ns);
        let reading = self.watching.as_ref().map(|watching| watching.next_ns);
        let idle = self.watching.is_none().then(|| self.heard_ns + idle_ns);
        let kill = self.kill_until_ns.filter(|_| !self.is_ending);
        [half, behind, reading, idle, kill].into_iter().flatten().min()
    }
}

/// The request, when the line asks for a kill.
fn kill_in(line: &[u8]) -> Option<RequestLine> {
    const WORD: &[u8] = b"\"kill\"";
    // Few lines hold the word: the others are not parsed twice.
    if !line.windows(WORD.len()).any(|bytes| bytes == WORD) {
        return None;
    }
    parse_line(line).ok().filter(|line| matches!(line.request, ControlRequest::Kill {}))
}
