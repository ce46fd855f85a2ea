//! One direction of a virtual connection.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};

/// Bytes that may be under way or unread in one direction, like the buffers of two sockets.
const PIPE_BYTES_MAX: usize = 256 * 1024;

/// How a direction ends, behind its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In an orderly way: the reader gets a read of 0 bytes.
    Orderly,
    /// Cut: what was under way is lost.
    Reset,
}

/// Bytes on their way in one direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    /// When bytes arrive, with how many of them do; in order of time.
    arrivals: VecDeque<(u64, usize)>,
    end: Option<(u64, End)>,
    is_silent: bool,
}

impl Pipe {
    /// Bytes that it would still take.
    pub(super) fn room(&self) -> usize {
        PIPE_BYTES_MAX - self.bytes.len()
    }

    /// Whether its writer or its reader has ended it.
    pub(super) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether a cut has reached its ends.
    pub(super) fn is_reset(&self, now_ns: u64) -> bool {
        matches!(self.end, Some((due_ns, End::Reset)) if due_ns <= now_ns)
    }

    /// From now on nothing arrives any more.
    pub(super) fn silence(&mut self) {
        self.is_silent = true;
    }

    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Sends bytes that arrive at `due_ns`, or behind those before them. Returns when they arrive.
    pub(super) fn send(&mut self, bytes: &[u8], due_ns: u64) -> u64 {
        let due_ns = self.last_arrival_ns().max(due_ns);
        self.bytes.extend(bytes);
        self.arrivals.push_back((due_ns, bytes.len()));
        due_ns
    }

    /// Ends the direction at `due_ns`, or behind the last byte. Returns when the reader sees it.
    pub(super) fn finish(&mut self, end: End, due_ns: u64) -> u64 {
        let due_ns = match end {
            End::Orderly if self.is_silent => u64::MAX,
            End::Orderly => self.last_arrival_ns().max(due_ns),
            End::Reset => due_ns,
        };
        if end == End::Reset || self.end.is_none() {
            self.end = Some((due_ns, end));
        }
        due_ns
    }

    /// Takes what has arrived, as far as it fits.
    pub(super) fn receive(&mut self, into: &mut [u8], now_ns: u64) -> io::Result<usize> {
        if self.is_reset(now_ns) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let mut taken = 0;
        while let Some((due_ns, left)) = self.arrivals.front_mut()
            && *due_ns <= now_ns
            && taken < into.len()
        {
            let count = (*left).min(into.len() - taken);
            let (front, rest) = self.bytes.as_slices();
            let (of_front, of_rest) =
                into[taken..taken + count].split_at_mut(count.min(front.len()));
            of_front.copy_from_slice(&front[..of_front.len()]);
            of_rest.copy_from_slice(&rest[..of_rest.len()]);
            self.bytes.drain(..count);
            taken += count;
            *left -= count;
            if *left == 0 {
                self.arrivals.pop_front();
            }
        }
        match self.end {
            _ if taken > 0 => Ok(taken),
            Some((due_ns, End::Orderly)) if due_ns <= now_ns => Ok(0),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn last_arrival_ns(&self) -> u64 {
        self.arrivals.back().map_or(0, |(due_ns, _)| *due_ns)
    }
}
