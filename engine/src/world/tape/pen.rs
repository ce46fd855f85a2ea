//! The writing end: bytes become blocks, blocks go to a ring or a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use pitlane_ring::{Consumer, LaneOptions, Publisher, Record, lane};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::files::TapeFolder;

const BLOCK_BYTES: usize = 4_096;
const BLOCK_ROOM: usize = BLOCK_BYTES - 8;

/// A piece of a record on its way to the disk.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Block {
    used: u64,
    bytes: [u8; BLOCK_ROOM],
}

const _: () = assert!(size_of::<Block>() == BLOCK_BYTES);

impl Record for Block {
    #[inline]
    fn used_bytes(&self) -> usize {
        8 + self.used as usize
    }
}

impl Block {
    fn used(&self) -> &[u8] {
        &self.bytes[..(self.used as usize).min(BLOCK_ROOM)]
    }
}

/// How a record stands, for who does not write it. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct TapeState(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicU64,
    end: AtomicU8,
}

const NOT_ENDED: u8 = 0;
const RING_FULL: u8 = 1;
const DISK_FAILED: u8 = 2;
const BOUND: u8 = 3;
const END_LOST: u8 = 4;

impl TapeState {
    /// Bytes on the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Why it has ended before the run; `None` where it goes on, or is whole.
    #[must_use]
    pub fn ended_early(&self) -> Option<&'static str> {
        match self.0.end.load(Ordering::Relaxed) {
            RING_FULL => Some("the disk was slower than what entered: its ring was full"),
            DISK_FAILED => Some("its file could not be written"),
            BOUND => Some("it has as many bytes as were allowed"),
            END_LOST => Some("its last part was not taken to the disk"),
            _ => None,
        }
    }

    /// Whether something of it was lost that it was allowed to keep.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.ended_early().is_some() && self.0.end.load(Ordering::Relaxed) != BOUND
    }

    /// What takes it to the disk has not ended, or has failed.
    pub(crate) fn loses_its_end(&self) {
        self.end(END_LOST);
    }

    fn end(&self, why: u8) {
        let end = &self.0.end;
        let _ = end.compare_exchange(NOT_ENDED, why, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn has_ended(&self) -> bool {
        self.0.end.load(Ordering::Relaxed) != NOT_ENDED
    }
}

/// Where blocks go.
enum Out {
    Ring(Publisher<Block>),
    Folder(TapeFolder),
}

/// Takes blocks to the disk.
pub struct TapeDrain {
    blocks: Consumer<Block>,
    folder: TapeFolder,
    state: TapeState,
    /// The disk or the bound has ended it: what is in the ring finds no place any more. A ring that
    /// was full is no reason, as all that is in it came before.
    is_broken: bool,
}

impl TapeDrain {
    /// Writes what has come; how many blocks that was.
    pub fn drain(&mut self) -> usize {
        let TapeDrain { blocks, folder, state, is_broken } = self;
        blocks.poll(usize::MAX, |block| {
            *is_broken = *is_broken || !append(folder, block.used(), state);
        })
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.blocks.is_closed() && !self.blocks.has_available()
    }
}

/// A record ends with the first block that finds no place: nothing behind it could be played.
fn append(folder: &mut TapeFolder, block: &[u8], state: &TapeState) -> bool {
    if !folder.has_room(block.len()) {
        state.end(BOUND);
        return false;
    }
    let written = folder.append(block);
    state.0.bytes.store(folder.bytes(), Ordering::Relaxed);
    if let Err(error) = &written {
        log::error!("{error}; the run goes on, and its record ends here");
        state.end(DISK_FAILED);
    }
    written.is_ok()
}

fn ring(slots: usize) -> (Out, Consumer<Block>) {
    let (publisher, blocks) = lane(LaneOptions { name: "record".to_owned(), capacity: slots });
    (Out::Ring(publisher), blocks)
}

/// Writes bytes. Nothing here waits or allocates, but where it writes to the disk itself.
pub struct Pen {
    block: Box<Block>,
    out: Out,
    state: TapeState,
}

impl Pen {
    /// One that writes to the disk itself, for a thread that may wait.
    #[must_use]
    pub fn to_folder(folder: TapeFolder) -> Pen {
        Pen::of(Out::Folder(folder))
    }

    /// From here on it waits for no disk: a ring of `slots` blocks, and what takes them to the
    /// folder. `None` where there is a ring already.
    pub(super) fn through_ring(&mut self, slots: usize) -> Option<TapeDrain> {
        self.flush();
        let (out, blocks) = ring(slots);
        match std::mem::replace(&mut self.out, out) {
            Out::Folder(folder) => {
                Some(TapeDrain { blocks, folder, state: self.state(), is_broken: false })
            }
            ring => {
                self.out = ring;
                None
            }
        }
    }

    fn of(out: Out) -> Pen {
        Pen { block: Box::new(Block::new_zeroed()), out, state: TapeState::default() }
    }

    pub(super) fn state(&self) -> TapeState {
        self.state.clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.has_ended()
    }

    /// Leaves what is written, so that it is on the disk although little happens.
    pub(super) fn flush(&mut self) {
        if self.block.used > 0 {
            self.send();
        }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        let used = self.block.used as usize;
        if let Some(place) = self.block.bytes.get_mut(used) {
            *place = byte;
            self.block.used += 1;
        }
        if used + 1 >= BLOCK_ROOM {
            self.send();
        }
    }

    /// A number, seven bits a byte, the low ones first.
    #[inline]
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    pub(super) fn counted(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes(bytes);
    }

    pub(super) fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = self.block.used as usize;
            let count = bytes.len().min(BLOCK_ROOM - used);
            let (head, rest) = bytes.split_at(count);
            self.block.bytes[used..used + count].copy_from_slice(head);
            self.block.used += count as u64;
            if used + count == BLOCK_ROOM {
                self.send();
            }
            bytes = rest;
        }
    }

    /// The block is on its way, or the record ends.
    fn send(&mut self) {
        let Pen { block, out, state } = self;
        if !state.has_ended() {
            match out {
                Out::Ring(publisher) => {
                    if publisher.try_publish(block).is_err() {
                        state.end(RING_FULL);
                    }
                }
                Out::Folder(folder) => {
                    // A failure is in the state.
                    let _ = append(folder, block.used(), state);
                }
            }
        }
        block.used = 0;
    }
}

/// What led to a panic is in the last block.
impl Drop for Pen {
    fn drop(&mut self) {
        self.flush();
    }
}
