//! The playing end: gives what was noted where it was noted, and compares what leaves.

use std::io;
use std::path::PathBuf;

use super::entry::{Kept, Tag, take_error};
use super::error::Difference;
use super::files::TapeReader;
use super::note::{CallNote, Happening, Observer, Step};
use super::places::Places;
use super::spool::Spool;
use super::sums::{Sums, hash_of};

/// Gives what was noted.
pub struct Player {
    spool: Spool,
    /// Moves the time of what is not on the tape.
    moves_time: Box<dyn FnMut(u64) + Send>,
    now_ns: u64,
    cycles: u64,
    agent: Option<usize>,
    last_call: (u64, u64),
    difference: Option<Difference>,
    is_halted: bool,
    observer: Option<Box<dyn Observer>>,
    sums: Sums,
    pub(super) places: Places,
}

impl Player {
    /// A player of what `reader` reads. `moves_time` is given each reading of the clock, ns.
    #[must_use]
    pub fn new(reader: TapeReader, moves_time: impl FnMut(u64) + Send + 'static) -> Player {
        Player {
            spool: Spool::new(reader),
            moves_time: Box::new(moves_time),
            now_ns: 0,
            cycles: 0,
            agent: None,
            last_call: (0, 0),
            difference: None,
            is_halted: false,
            observer: None,
            sums: Sums::roomy(),
            places: Places::default(),
        }
    }

    /// Gives each reading of the clock, ns, to `moves_time` from now on.
    pub fn move_time(&mut self, moves_time: impl FnMut(u64) + Send + 'static) {
        self.moves_time = Box::new(moves_time);
    }

    /// Has `observer` see what happens.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// What the run was; the first entry. `None` when it is not there.
    pub fn head(&mut self) -> Option<String> {
        self.next_is(Tag::Head).then(|| self.spool.text()).flatten()
    }

    /// The files that were read at the start: path and bytes.
    pub fn files(&mut self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        while self.next_is(Tag::File) {
            let Some(path) = self.spool.text() else { break };
            let Some(bytes) = self.spool.counted() else { break };
            files.push((PathBuf::from(path), bytes));
        }
        files
    }

    /// What has left so far.
    #[must_use]
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Duty cycles that were played.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// The last reading of the clock, ns.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(super) fn has_observer(&self) -> bool {
        self.observer.is_some()
    }

    pub(super) fn next_step(&mut self) -> Step {
        self.agent = None;
        if let Some(step) = self.stopped() {
            return step;
        }
        let Some(tag) = self.spool.byte().and_then(Tag::of) else {
            return self.stopped().unwrap_or(Step::Over);
        };
        let step = match tag {
            Tag::Cycle => {
                self.cycles += 1;
                let agent = self.spool.number().map(|agent| agent as usize);
                self.agent = agent;
                agent.map(Step::Cycle)
            }
            Tag::Operate => self.spool.text().map(Step::Operate),
            Tag::Poll => self.spool.number().map(Step::Poll),
            Tag::Stop => self.spool.number().map(Step::Stop),
            Tag::End => Sums::take(&mut self.spool).map(Step::End),
            missed => {
                self.differs(format!("{} was recorded, and did not happen", missed.words()));
                None
            }
        };
        step.or_else(|| self.stopped()).unwrap_or(Step::Over)
    }

    fn stopped(&self) -> Option<Step> {
        if self.is_halted {
            return Some(Step::Halted);
        }
        if let Some(difference) = &self.difference {
            return Some(Step::Differs(difference.clone()));
        }
        self.spool.is_over().then_some(Step::Over)
    }

    pub(super) fn clock(&mut self) -> u64 {
        if self.expects(Tag::Clock)
            && let Some(passed_ns) = self.spool.number()
        {
            self.now_ns = self.now_ns.wrapping_add(passed_ns);
            (self.moves_time)(self.now_ns);
        }
        self.now_ns
    }

    pub(super) fn kept<T: Kept>(&mut self, tag: Tag) -> Option<T> {
        if self.expects(tag) { T::take(&mut self.spool) } else { None }
    }

    pub(super) fn read(&mut self, connection: usize, into: &mut [u8]) -> Option<io::Result<usize>> {
        if !self.expects(Tag::Read) || !self.is_of(connection, "read") {
            return None;
        }
        let count = match self.spool.byte()? {
            0 => self.spool.number()? as usize,
            code => return take_error(code, &mut self.spool).map(Err),
        };
        if count > into.len() {
            self.differs(format!("room for {} bytes, where {count} were read", into.len()));
            return None;
        }
        into[..count].copy_from_slice(self.spool.take(count)?);
        if self.observer.is_some() {
            let session = self.places.known(connection);
            self.tell(session.unwrap_or(usize::MAX), &into[..count], false);
        }
        Some(Ok(count))
    }

    pub(super) fn wrote(&mut self, connection: usize, bytes: &[u8]) -> Option<io::Result<usize>> {
        if !self.expects(Tag::Write) || !self.is_of(connection, "written") {
            return None;
        }
        let (taken, left) = match self.spool.byte()? {
            0 => (self.spool.number()? as usize, self.spool.number()? as usize),
            code => return take_error(code, &mut self.spool).map(Err),
        };
        let recorded = u32::from_le_bytes(self.spool.array()?);
        let hash = hash_of(&bytes[..taken.min(bytes.len())]);
        let session = self.places.session(connection, bytes, &mut self.sums);
        if taken + left != bytes.len() || hash as u32 != recorded {
            let place = self.place(session);
            let shown = crate::text::escaped(&String::from_utf8_lossy(bytes)).to_string();
            let (now, then) = (bytes.len(), taken + left);
            self.differs(format!(
                "other bytes to {place}: {now} now, {then} recorded; now: {shown}"
            ));
            return None;
        }
        self.sums.wrote(session, taken as u64, hash);
        if self.observer.is_some() {
            self.tell(session, &bytes[..taken], true);
        }
        Some(Ok(taken))
    }

    /// Tells the observer of bytes.
    fn tell(&mut self, session: usize, bytes: &[u8], is_written: bool) {
        let Player { observer, sums, now_ns, is_halted, .. } = self;
        let Some(observer) = observer else { return };
        let place = sums.sessions.get(session).map_or("?", |sum| sum.place.as_str());
        let happening = match is_written {
            true => Happening::Wrote { place, bytes },
            false => Happening::Read { place, bytes },
        };
        *is_halted |= !observer.sees(*now_ns, &happening);
    }

    fn place(&self, session: usize) -> String {
        self.sums.sessions.get(session).map_or_else(String::new, |sum| sum.place.clone())
    }

    pub(super) fn call(&mut self, note: &CallNote<'_>) -> bool {
        if self.is_halted || self.difference.is_some() || self.spool.is_over() {
            return false;
        }
        let last_call = std::mem::replace(&mut self.last_call, (note.trace_id, note.sequence));
        let (consumer, name) = (note.consumer, note.name);
        let recorded = match self.expects_call(note) {
            true => (self.spool.number().map(|number| number as u16), self.spool.array()),
            false => return false,
        };
        let (Some(then), Some(hash)) = recorded else { return false };
        if then != consumer || u32::from_le_bytes(hash) != note.hash as u32 {
            let what = match then == consumer {
                true => format!("{name} of consumer {consumer} is given something else"),
                false => format!("{name} of consumer {consumer} now, of {then} in the record"),
            };
            self.differs_in(what, Some(consumer));
            return false;
        }
        if let Some(observer) = &mut self.observer
            && !observer.sees(self.now_ns, &Happening::Call(note))
        {
            self.is_halted = true;
            self.last_call = last_call;
            return false;
        }
        self.sums.called(consumer, note.hash);
        true
    }

    fn expects_call(&mut self, note: &CallNote<'_>) -> bool {
        let is_there = self.expects(Tag::Call);
        if let Some(difference) = &mut self.difference {
            difference.consumer = Some(note.consumer);
        }
        is_there
    }

    pub(super) fn orders(&mut self, consumer: u16, trace_id: u64, ids: &[u64]) {
        if let Some(observer) = &mut self.observer {
            let happening = Happening::Orders { consumer, trace_id, ids };
            self.is_halted |= !observer.sees(self.now_ns, &happening);
        }
    }

    /// Whether the next entry is this one, which is taken then.
    fn next_is(&mut self, tag: Tag) -> bool {
        let is_next = self.spool.peek() == Some(tag as u8);
        if is_next {
            let _taken = self.spool.byte();
        }
        is_next
    }

    /// The same, where anything else is a difference.
    #[inline]
    fn expects(&mut self, tag: Tag) -> bool {
        if self.difference.is_some() || self.spool.is_over() {
            return false;
        }
        let is_next = self.next_is(tag);
        if !is_next && !self.spool.is_over() {
            let recorded = self.spool.peek().and_then(Tag::of);
            let recorded = recorded.map_or("nothing known", Tag::words);
            self.differs(format!("{} now, {recorded} in the record", tag.words()));
        }
        is_next
    }

    fn is_of(&mut self, connection: usize, done: &str) -> bool {
        let Some(number) = self.spool.number() else { return false };
        if number != connection as u64 {
            let what = format!("connection {connection} is {done} now, {number} in the record");
            self.differs(what);
        }
        number == connection as u64
    }

    fn differs(&mut self, what: String) {
        self.differs_in(what, None);
    }

    #[cold]
    fn differs_in(&mut self, what: String, consumer: Option<u16>) {
        if self.difference.is_none() {
            self.difference = Some(Difference {
                what,
                cycle: self.cycles,
                agent: self.agent,
                at_ns: self.now_ns,
                consumer,
                trace_id: self.last_call.0,
                sequence: self.last_call.1,
            });
        }
    }
}
