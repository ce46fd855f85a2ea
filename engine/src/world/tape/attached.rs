//! The tape of a thread, and the places that note on it or are given what was noted.

use std::cell::{Cell, RefCell};

use super::entry::{Kept, Tag};
use super::note::{CallNote, Step};
use super::pen::TapeState;
use super::player::Player;
use super::sums::Sums;
use super::writer::Writer;

/// What is attached to a thread.
pub enum Tape {
    /// What happens is noted.
    Recording(Writer),
    /// What was noted happens again.
    Playing(Player),
}

/// What the hooks of a thread do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing: there is no tape, it has ended, or what runs is not part of it.
    Off,
    Recording,
    Playing,
}

/// What the hooks of the calling thread do.
#[inline]
pub(super) fn mode() -> Mode {
    MODE.get()
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Off) };
    static TAPE: RefCell<Option<Box<Tape>>> = const { RefCell::new(None) };
}

/// Attaches a tape to the calling thread, in place of one that was there.
pub fn attach(tape: Tape) {
    MODE.set(match &tape {
        Tape::Recording(_) => Mode::Recording,
        Tape::Playing(_) => Mode::Playing,
    });
    TAPE.set(Some(Box::new(tape)));
}

/// Takes the tape of the calling thread away.
#[must_use]
pub fn detach() -> Option<Tape> {
    MODE.set(Mode::Off);
    TAPE.take().map(|tape| *tape)
}

/// Runs what is no part of the record, as a look at an agent's next timer.
#[inline]
pub(crate) fn outside<R>(run: impl FnOnce() -> R) -> R {
    let mode = MODE.replace(Mode::Off);
    let result = run();
    MODE.set(mode);
    result
}

/// Notes something; `None` where nothing is recorded.
#[inline]
pub(super) fn note<R>(note: impl FnOnce(&mut Writer) -> R) -> Option<R> {
    TAPE.with_borrow_mut(|tape| match tape.as_deref_mut() {
        Some(Tape::Recording(writer)) => {
            let result = note(writer);
            if writer.pen.has_ended() {
                MODE.set(Mode::Off);
            }
            Some(result)
        }
        _ => None,
    })
}

/// Asks the player; `None` where nothing is played.
#[inline]
pub(super) fn ask<R>(ask: impl FnOnce(&mut Player) -> R) -> Option<R> {
    TAPE.with_borrow_mut(|tape| match tape.as_deref_mut() {
        Some(Tape::Playing(player)) => Some(ask(player)),
        _ => None,
    })
}

/// A reading of the clock.
#[inline]
pub(in crate::world) fn clock(live: impl FnOnce() -> u64) -> u64 {
    match MODE.get() {
        Mode::Off => live(),
        Mode::Recording => {
            let now_ns = live();
            note(|writer| writer.clock(now_ns));
            now_ns
        }
        Mode::Playing => ask(Player::clock).unwrap_or_default(),
    }
}

/// What `live` gives, kept under `tag`; `lost` when a record that is played does not have it.
pub(crate) fn kept<T: Kept>(tag: Tag, live: impl FnOnce() -> T, lost: impl FnOnce() -> T) -> T {
    match MODE.get() {
        Mode::Off => live(),
        Mode::Recording => {
            let value = live();
            note(|writer| {
                writer.tag(tag);
                value.put(&mut writer.pen);
            });
            value
        }
        Mode::Playing => ask(|player| player.kept(tag)).flatten().unwrap_or_else(lost),
    }
}

/// Before a duty cycle of an agent.
#[inline]
pub(crate) fn cycle(agent: usize) {
    if MODE.get() == Mode::Recording {
        note(|writer| writer.cycle(agent));
    }
}

/// Before an operator's request is carried out.
pub(crate) fn operate(request: &str) {
    if MODE.get() == Mode::Recording {
        note(|writer| {
            writer.tag(Tag::Operate);
            writer.pen.counted(request.as_bytes());
        });
    }
}

/// Before a look whether a request is answered.
pub(crate) fn poll(number: u64) {
    if MODE.get() == Mode::Recording {
        note(|writer| {
            writer.tag(Tag::Poll);
            number.put(&mut writer.pen);
        });
    }
}

/// Before a step of the stop.
pub(crate) fn stop(step: u64) {
    if MODE.get() == Mode::Recording {
        note(|writer| {
            writer.tag(Tag::Stop);
            step.put(&mut writer.pen);
        });
    }
}

/// Leaves what is noted on its way to the disk.
pub(crate) fn flush() {
    if MODE.get() == Mode::Recording {
        note(Writer::flush);
    }
}

/// What comes next in the record that the calling thread plays.
pub(crate) fn next_step() -> Step {
    ask(Player::next_step).unwrap_or(Step::Over)
}

/// Ends the playing of the calling thread's record: what its present entry says is nothing.
pub(crate) fn malformed(what: String) {
    ask(|player| player.malformed(what));
}

/// Whether a thread has a tape, and so whether callbacks are to be told at all.
#[inline]
pub(crate) fn is_on() -> bool {
    MODE.get() != Mode::Off
}

/// Before a callback. False where it is not to be made: a replay has stopped before it.
#[inline]
pub(crate) fn call(note_of: &CallNote<'_>) -> bool {
    match MODE.get() {
        Mode::Off => true,
        Mode::Recording => {
            note(|writer| writer.call(note_of));
            true
        }
        Mode::Playing => ask(|player| player.call(note_of)).unwrap_or(true),
    }
}

/// Whether an observer wants to know which orders a callback has made.
#[inline]
pub(crate) fn wants_orders() -> bool {
    MODE.get() == Mode::Playing && ask(|player| player.has_observer()).unwrap_or(false)
}

/// Orders that a callback has made, by their numbers.
pub(crate) fn orders(consumer: u16, trace_id: u64, ids: &[u64]) {
    ask(|player| player.orders(consumer, trace_id, ids));
}

/// Notes the end of the calling thread's record.
pub(crate) fn end() {
    if MODE.get() == Mode::Recording {
        note(Writer::end);
    }
}

/// How the record of the calling thread stands; `None` where nothing is recorded.
pub(crate) fn state() -> Option<TapeState> {
    note(|writer| writer.state())
}

/// What has left so far; `None` on a thread without a tape.
pub(crate) fn sums() -> Option<Sums> {
    TAPE.with_borrow(|tape| match tape.as_deref()? {
        Tape::Recording(writer) => Some(writer.sums().clone()),
        Tape::Playing(player) => Some(player.sums().clone()),
    })
}
