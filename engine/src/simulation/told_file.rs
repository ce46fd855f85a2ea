//! What the strategies of an engine in another process are told, in a file: written before each
//! callback, so that it is there after a kill, and read by who judges.
//!
//! A record is its length (u32), its kind (u8), the strategy's number (u16), wall time (i64, ns
//! since the Unix epoch) and what belongs to the kind; numbers have their lowest byte first. The
//! last record may be cut off: the process was killed in it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::notes::Notes;
use super::standing::{Holds, Standing};
use crate::consumer::Context;
use crate::event::Event;
use crate::world::{File, Files};

const START: u8 = 1;
const EVENT: u8 = 2;
const TIMER: u8 = 3;
const AFTER: u8 = 4;

/// The file of one process. Cheap to clone; all clones are one file.
#[derive(Clone)]
pub(super) struct ToldFile(Arc<Mutex<File>>);

/// The last that was written of one strategy's standing.
pub(super) type Last = Option<(Holds, Vec<(u64, bool)>)>;

impl ToldFile {
    /// Creates it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn create(path: &Path) -> io::Result<ToldFile> {
        Ok(ToldFile(Arc::new(Mutex::new(Files::Real.create_private(path)?))))
    }

    /// What a strategy has before its first callback.
    pub(super) fn start(&self, name: &str, ctx: &Context) {
        let open: Vec<_> = ctx.open().collect();
        self.write(START, ctx, &[&standing(ctx.holds(), &open), name.as_bytes()]);
    }

    pub(super) fn event(&self, event: &Event, ctx: &Context) {
        self.write(EVENT, ctx, &[event.to_used_bytes()]);
    }

    pub(super) fn timer(&self, id: u64, ctx: &Context) {
        self.write(TIMER, ctx, &[&id.to_le_bytes()]);
    }

    /// What a strategy has after a callback, where it differs from the `last` that was written.
    pub(super) fn after(&self, ctx: &Context, last: &mut Last) {
        let holds = ctx.holds();
        if let Some((held, open)) = last
            && *held == holds
            && open.iter().copied().eq(ctx.open())
        {
            return;
        }
        let open: Vec<_> = ctx.open().collect();
        self.write(AFTER, ctx, &[&standing(holds, &open)]);
        *last = Some((holds, open));
    }

    fn write(&self, kind: u8, ctx: &Context, parts: &[&[u8]]) {
        let mut record = vec![0; 4];
        record.push(kind);
        record.extend(ctx.number().to_le_bytes());
        record.extend(ctx.wall_ns().to_le_bytes());
        parts.iter().for_each(|part| record.extend_from_slice(part));
        let len = (record.len() - 4) as u32;
        record[..4].copy_from_slice(&len.to_le_bytes());
        // Contained as a failure of the strategy: the run is not judged as if nothing were missing.
        self.0.lock().write_all(&record).expect("the file of what was told takes it");
    }
}

fn standing(holds: Holds, open: &[(u64, bool)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(holds.net.to_le_bytes());
    bytes.extend(holds.cash.to_le_bytes());
    bytes.extend((open.len() as u32).to_le_bytes());
    for (id, is_cancelled) in open {
        bytes.extend(id.to_le_bytes());
        bytes.push(u8::from(*is_cancelled));
    }
    bytes
}

/// A strategy at the time of a record.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    number: u16,
    at_ns: u64,
    holds: Holds,
    open: Vec<(u64, bool)>,
}

impl Standing for Kept {
    fn number(&self) -> u16 {
        self.number
    }

    fn at_ns(&self) -> u64 {
        self.at_ns
    }

    fn holds(&self) -> Holds {
        self.holds
    }

    fn open(&self) -> impl Iterator<Item = (u64, bool)> {
        self.open.iter().copied()
    }
}

/// Takes the next `N` bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// Gives the notes all whole records that `bytes` begins with; how many bytes those are. `None`
/// where something is no record.
pub(super) fn tell(notes: &mut Notes, bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    loop {
        let mut ahead = rest;
        let Some(len) = take::<4>(&mut ahead).map(u32::from_le_bytes) else { break };
        let Some((record, behind)) = ahead.split_at_checked(len as usize) else { break };
        tell_one(notes, record)?;
        rest = behind;
    }
    Some(bytes.len() - rest.len())
}

fn tell_one(notes: &mut Notes, record: &[u8]) -> Option<()> {
    let mut record = record;
    let [kind] = take(&mut record)?;
    let number = u16::from_le_bytes(take(&mut record)?);
    let wall_ns = i64::from_le_bytes(take(&mut record)?);
    let at_ns = wall_ns.saturating_sub(notes.wall_start_ns).max(0).cast_unsigned();
    let mut kept = Kept { number, at_ns, ..Kept::default() };
    match kind {
        START => {
            kept.read(&mut record)?;
            notes.start(std::str::from_utf8(record).ok()?, &kept);
        }
        EVENT => notes.event(&Event::from_used_bytes(record)?, &kept),
        TIMER => notes.timer(u64::from_le_bytes(take(&mut record)?), &kept),
        AFTER => {
            kept.read(&mut record)?;
            notes.after(&kept);
        }
        _ => return None,
    }
    Some(())
}

impl Kept {
    fn read(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let net = i128::from_le_bytes(take(bytes)?);
        self.holds = Holds { net, cash: i128::from_le_bytes(take(bytes)?) };
        let count = u32::from_le_bytes(take(bytes)?);
        for _ in 0..count {
            let id = u64::from_le_bytes(take(bytes)?);
            let [is_cancelled] = take(bytes)?;
            self.open.push((id, is_cancelled != 0));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as a process writes it.
    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((11 + body.len()) as u32).to_le_bytes().to_vec();
        bytes.push(kind);
        bytes.extend(7_u16.to_le_bytes());
        bytes.extend(1_500_i64.to_le_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn what_was_written_is_noted_and_a_record_that_is_cut_off_waits_for_its_rest() {
        let holds = Holds { net: -3, cash: 40 };
        let body = [&standing(holds, &[(9, true), (11, false)])[..], b"trader"].concat();
        let mut bytes = record(START, &body);
        bytes.extend(record(AFTER, &standing(holds, &[(11, true)])));
        for cut in 0..bytes.len() {
            let mut notes = Notes { wall_start_ns: 1_000, ..Notes::default() };
            let taken = tell(&mut notes, &bytes[..cut]).unwrap();
            assert!(taken <= cut, "{taken} of {cut}");
            assert_eq!(tell(&mut notes, &bytes[taken..]), Some(bytes.len() - taken));
            let told = &notes.consumers[&7];
            assert_eq!((told.name.as_str(), told.holds, told.open), ("trader", holds, 1));
            assert_eq!(told.orders[&11].cancel_ns, Some(500), "by the time of the run");
        }
    }

    #[test]
    fn what_is_no_record_is_said_to_be_none() {
        let mut notes = Notes::default();
        assert_eq!(tell(&mut notes, &record(9, &[])), None);
        assert_eq!(tell(&mut notes, &record(EVENT, &[1; 20])), None);
        assert_eq!(tell(&mut notes, &record(TIMER, &[1; 7])), None);
        assert_eq!(tell(&mut notes, &5_u32.to_le_bytes()), Some(0));
    }
}
