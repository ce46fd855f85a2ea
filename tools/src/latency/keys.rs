//! Waits for keys, and notices when the terminal is gone.
//!
//! The library that reads keys asks a terminal that was taken away for more without end, and no
//! signal tells of it where the terminal is not the process's own. So the waiting is done here, and
//! the library is asked only when there is something to be read.

use std::io;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What came while waiting.
pub(super) enum Waited {
    /// Something was typed, or the window has changed.
    Event(Event),
    /// The time is over.
    Nothing,
    /// The terminal is gone.
    Gone,
}

/// What a terminal that was taken away answers.
const GONE: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);

/// Whether the terminal that standard input is has been taken away.
pub(super) fn is_gone() -> bool {
    let terminal = io::stdin();
    let mut polled = [PollFd::new(&terminal, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default()))
        .is_ok_and(|_| polled[0].revents().intersects(GONE))
}

/// Waits for the next event of the terminal that standard input is, until `until` at most. A signal
/// ends the waiting early.
///
/// # Errors
/// The terminal's.
pub(super) fn wait(until: Instant) -> io::Result<Waited> {
    let terminal = io::stdin();
    let mut polled = [PollFd::new(&terminal, PollFlags::IN)];
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap_or_default();
    match poll(&mut polled, Some(&timeout)) {
        Err(rustix::io::Errno::INTR) | Ok(0) => return Ok(Waited::Nothing),
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    if polled[0].revents().intersects(GONE) {
        return Ok(Waited::Gone);
    }
    // Half a key, or a part of an escape sequence, is no event yet.
    match event::poll(Duration::ZERO)? {
        true => event::read().map(Waited::Event),
        false => Ok(Waited::Nothing),
    }
}
