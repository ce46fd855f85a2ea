//! The playing end: gives what was noted where it was noted, and compares what leaves.

use std::io;
use std::path::{Path, PathBuf};

use super::entry::{Kept, Tag, take_error};
use super::error::{Difference, Malformed, TapeError};
use super::files::TapeReader;
use super::note::{CallNote, Happening, Observer, Step};
use super::places::Places;
use super::sent::sent_text;
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
    malformed: Option<Malformed>,
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
            malformed: None,
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
        if self.next_is(Tag::Head) {
            let text = self.spool.text();
            return self.read_whole(Tag::Head, text);
        }
        if !self.spool.is_over() {
            self.malformed("it does not begin with what the run was".to_owned());
        }
        None
    }

    /// The files that were read at the start: path and bytes.
    pub fn files(&mut self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        while self.next_is(Tag::File) {
            let file = self.spool.text().zip(self.spool.counted());
            let Some((path, bytes)) = self.read_whole(Tag::File, file) else { break };
            files.push((PathBuf::from(path), bytes));
        }
        files
    }

    /// Why what stands before the first duty cycle is no start of a run, of a record in `folder`;
    /// `None` where nothing is wrong with it.
    pub(crate) fn start_error(&self, folder: &Path) -> Option<TapeError> {
        Some(match self.stopped()? {
            Step::Malformed(malformed) => TapeError::Malformed(malformed),
            Step::Differs(difference) => TapeError::StartDiffers(difference),
            _ => TapeError::Empty { path: folder.to_owned() },
        })
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
        self.spool.begin();
        let Some(code) = self.spool.byte() else { return self.stopped().unwrap_or(Step::Over) };
        let Some(tag) = Tag::of(code) else {
            self.malformed(format!("an entry of an unknown kind, {code}"));
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
        self.read_whole(tag, step).or_else(|| self.stopped()).unwrap_or(Step::Over)
    }

    fn stopped(&self) -> Option<Step> {
        if let Some(malformed) = self.malformed.as_ref().or(self.spool.broken()) {
            return Some(Step::Malformed(malformed.clone()));
        }
        if let Some(difference) = &self.difference {
            return Some(Step::Differs(difference.clone()));
        }
        if self.is_halted {
            return Some(Step::Halted);
        }
        self.spool.is_over().then_some(Step::Over)
    }

    /// Whether nothing more is taken from the record: what an agent still does counts for nothing.
    #[inline]
    fn has_ended(&self) -> bool {
        let is_wrong = self.difference.is_some() || self.malformed.is_some();
        is_wrong || self.is_halted || self.spool.is_over()
    }

    pub(super) fn clock(&mut self) -> u64 {
        if self.expects(Tag::Clock) {
            match self.spool.number() {
                Some(passed_ns) => {
                    self.now_ns = self.now_ns.wrapping_add(passed_ns);
                    (self.moves_time)(self.now_ns);
                }
                None => self.cannot_read(Tag::Clock),
            }
        }
        self.now_ns
    }

    pub(super) fn kept<T: Kept>(&mut self, tag: Tag) -> Option<T> {
        if !self.expects(tag) {
            return None;
        }
        let value = T::take(&mut self.spool);
        self.read_whole(tag, value)
    }

    /// What was read of an entry; nothing, where the record goes on, is malformed.
    #[inline]
    fn read_whole<T>(&mut self, tag: Tag, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.cannot_read(tag);
        }
        value
    }

    #[cold]
    fn cannot_read(&mut self, tag: Tag) {
        if !self.spool.is_over() {
            self.malformed(format!("{} can't be read", tag.words()));
        }
    }

    /// Ends the playing: the present entry can't be what was noted.
    #[cold]
    pub(crate) fn malformed(&mut self, what: String) {
        if !self.has_ended() {
            self.malformed = Some(self.spool.malformed(what));
        }
    }

    pub(super) fn read(&mut self, connection: usize, into: &mut [u8]) -> Option<io::Result<usize>> {
        let read = self.read_entry(connection, into);
        self.read_whole(Tag::Read, read)
    }

    fn read_entry(&mut self, connection: usize, into: &mut [u8]) -> Option<io::Result<usize>> {
        if !self.expects(Tag::Read) || !self.is_of(connection, "read") {
            return None;
        }
        let count = match self.spool.byte()? {
            0 => self.spool.number()?,
            code => return take_error(code, &mut self.spool).map(Err),
        };
        if count > into.len() as u64 {
            self.differs(format!("room for {} bytes, where {count} were read", into.len()));
            return None;
        }
        let count = count as usize;
        into[..count].copy_from_slice(self.spool.take(count)?);
        if self.observer.is_some() {
            let session = self.places.known(connection);
            self.tell(session.unwrap_or(usize::MAX), &into[..count], false);
        }
        Some(Ok(count))
    }

    pub(super) fn wrote(&mut self, connection: usize, bytes: &[u8]) -> Option<io::Result<usize>> {
        let wrote = self.wrote_entry(connection, bytes);
        self.read_whole(Tag::Write, wrote)
    }

    fn wrote_entry(&mut self, connection: usize, bytes: &[u8]) -> Option<io::Result<usize>> {
        if !self.expects(Tag::Write) || !self.is_of(connection, "written") {
            return None;
        }
        let (taken, left) = match self.spool.byte()? {
            0 => (self.spool.number()?, self.spool.number()?),
            code => return take_error(code, &mut self.spool).map(Err),
        };
        let recorded = u32::from_le_bytes(self.spool.array()?);
        let then = taken.saturating_add(left);
        let of_taken = bytes.get(..taken as usize).filter(|_| then == bytes.len() as u64);
        let hash = hash_of(of_taken.unwrap_or_default());
        let session = self.places.session(connection, bytes, &mut self.sums);
        let Some(of_taken) = of_taken.filter(|_| hash as u32 == recorded) else {
            let (place, now, shown) = (self.place(session), bytes.len(), sent_text(bytes));
            self.differs(format!(
                "other bytes to {place}: {now} now, {then} recorded; now: {shown}"
            ));
            return None;
        };
        self.sums.wrote(session, taken, hash);
        if self.observer.is_some() {
            self.tell(session, of_taken, true);
        }
        Some(Ok(of_taken.len()))
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
        if self.has_ended() {
            return false;
        }
        let last_call = std::mem::replace(&mut self.last_call, (note.trace_id, note.sequence));
        let (consumer, name) = (note.consumer, note.name);
        let recorded = match self.expects_call(note) {
            true => (self.spool.number(), self.spool.array()),
            false => return false,
        };
        let (Some(then), Some(hash)) = recorded else {
            self.cannot_read(Tag::Call);
            return false;
        };
        let is_of_it = then == u64::from(consumer);
        if !is_of_it || u32::from_le_bytes(hash) != note.hash as u32 {
            let what = match is_of_it {
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
        self.spool.begin();
        let is_next = self.spool.peek() == Some(tag as u8);
        if is_next {
            let _taken = self.spool.byte();
        }
        is_next
    }

    /// The same, where anything else is a difference.
    #[inline]
    fn expects(&mut self, tag: Tag) -> bool {
        if self.has_ended() {
            return false;
        }
        let is_next = self.next_is(tag);
        if !is_next && let Some(code) = self.spool.peek() {
            match Tag::of(code) {
                Some(other) => {
                    self.differs(format!("{} now, {} in the record", tag.words(), other.words()));
                }
                None => self.malformed(format!("an entry of an unknown kind, {code}")),
            }
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
        if !self.has_ended() {
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
