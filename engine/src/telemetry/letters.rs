//! Dead letters: raw input or events that could not go on, kept with their reason in a JSONL file.
//!
//! A pinned thread cuts a letter into fixed chunks and publishes them into a lane of its own;
//! housekeeping joins them and writes one line a letter ([`super::DeadLetterFile`]). A lane without
//! room drops the letter, whole, and counts it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_ring::{Consumer, LaneOptions, Publisher, Record, lane};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::event::{ConsumerId, Event};

/// Raw bytes in one chunk.
pub const CHUNK_BYTES: usize = 960;

/// Raw bytes kept of one letter; the rest is cut and the cut is stated.
const LETTER_BYTES_MAX: usize = 64 * 1024;

/// Part of a dead letter in its lane.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct LetterChunk {
    pub(super) wall_ns: i64,
    pub(super) trace_id: u64,
    pub(super) total_bytes: u32,
    chunk_bytes: u32,
    pub(super) venue: u16,
    owner: u16,
    is_last: u8,
    is_critical: u8,
    reason_bytes: u8,
    detail_bytes: u8,
    words: [u8; 32],
    bytes: [u8; CHUNK_BYTES],
}

/// The reason of an event that reaches nobody any more.
pub(super) const UNDELIVERED: &str = "undelivered";

/// Stands for "no consumer of this run" in a chunk.
const NOBODY: u16 = u16::MAX;

const _: () = assert!(size_of::<LetterChunk>() == 1024);

impl Record for LetterChunk {
    fn used_bytes(&self) -> usize {
        size_of::<LetterChunk>() - CHUNK_BYTES + self.chunk_bytes as usize
    }
}

impl LetterChunk {
    /// Its part of the raw bytes.
    pub(super) fn raw(&self) -> &[u8] {
        &self.bytes[..(self.chunk_bytes as usize).min(CHUNK_BYTES)]
    }

    pub(super) fn is_last(&self) -> bool {
        self.is_last == 1
    }

    pub(super) fn is_critical(&self) -> bool {
        self.is_critical == 1
    }

    pub(super) fn owner(&self) -> Option<ConsumerId> {
        (self.owner != NOBODY).then_some(ConsumerId(self.owner))
    }

    pub(super) fn reason(&self) -> String {
        self.text(0, self.reason_bytes)
    }

    pub(super) fn detail(&self) -> String {
        self.text(12, self.detail_bytes)
    }

    fn text(&self, from: usize, bytes: u8) -> String {
        let end = (from + bytes as usize).min(self.words.len());
        String::from_utf8_lossy(&self.words[from..end]).into_owned()
    }
}

/// Counts of one sender, readable by anyone.
#[derive(Debug, Default)]
pub struct DeadLetterCounts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl DeadLetterCounts {
    /// Letters handed to the file's writer.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Letters that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// A pinned thread's side.
pub struct LetterSender {
    lane: Publisher<LetterChunk>,
    counts: Arc<DeadLetterCounts>,
    chunk: Box<LetterChunk>,
    /// Market events that wait for room; never more than it was made for.
    waiting: VecDeque<Waiting>,
    waiting_max: usize,
}

/// A market event that waits for room in the lane.
struct Waiting {
    event: Event,
    wall_ns: i64,
    detail: &'static str,
}

/// Room in the lane that market events leave to critical ones, chunks.
const FOR_CRITICAL: usize = 64;

/// The other end of a lane for dead letters.
pub struct LetterSource {
    /// Who sends them: `VENUE:ROLE` of a session, `dispatcher`, or `consumer:NAME`.
    pub(super) session: String,
    pub(super) lane: Consumer<LetterChunk>,
    pub(super) raw: Vec<u8>,
}

/// A lane for dead letters of `session` with room for `capacity` chunks, a power of two.
#[must_use]
pub fn letter_lane(session: &str, capacity: usize) -> (LetterSender, LetterSource) {
    let (publisher, lane) = lane(LaneOptions { name: format!("letters:{session}"), capacity });
    let counts = Arc::default();
    let chunk = Box::new(LetterChunk::new_zeroed());
    let source = LetterSource { session: session.to_owned(), lane, raw: Vec::new() };
    let waiting = VecDeque::new();
    (LetterSender { lane: publisher, counts, chunk, waiting, waiting_max: 0 }, source)
}

impl LetterSender {
    /// The counts, for the report.
    #[must_use]
    pub fn counts(&self) -> Arc<DeadLetterCounts> {
        Arc::clone(&self.counts)
    }

    /// How many letters of one part each find room now, at most `limit`.
    pub fn room(&mut self, limit: usize) -> usize {
        self.lane.room(limit)
    }

    /// The same with room for so many market events that wait for the lane.
    #[must_use]
    pub(crate) fn with_waiting(mut self, events: usize) -> LetterSender {
        self.waiting = VecDeque::with_capacity(events);
        self.waiting_max = events;
        self
    }

    /// Counts a letter that is given up, so that there is room for others.
    fn give_up(&mut self) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps a market event as far as that leaves room for critical ones. One that finds none
    /// waits; of too many that wait the oldest is given up (EDGE-18).
    #[cold]
    pub(crate) fn keep_market(&mut self, event: &Event, wall_ns: i64, detail: &'static str) {
        self.send_waiting();
        if self.waiting.is_empty() && self.has_room_for_market() {
            self.send(Letter::undelivered(event, wall_ns, detail));
            return;
        }
        if self.waiting.len() == self.waiting_max {
            self.give_up();
            if self.waiting.pop_front().is_none() {
                return; // made without a place to wait
            }
        }
        self.waiting.push_back(Waiting { event: *event, wall_ns, detail });
    }

    /// Whether market events wait for room.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends what waits, the oldest first, as far as there is room; returns how many.
    #[cold]
    pub(crate) fn send_waiting(&mut self) -> usize {
        let mut sent = 0;
        while self.has_room_for_market() {
            let Some(Waiting { event, wall_ns, detail }) = self.waiting.pop_front() else { break };
            self.send(Letter::undelivered(&event, wall_ns, detail));
            sent += 1;
        }
        sent
    }

    /// Sends what waits as far as there is room, and counts the rest as given up.
    pub(crate) fn close(&mut self) {
        self.send_waiting();
        let left = self.waiting.len() as u64;
        self.counts.dropped.fetch_add(left, Ordering::Relaxed);
        self.waiting.clear();
    }

    fn has_room_for_market(&mut self) -> bool {
        self.lane.room(FOR_CRITICAL + 1) > FOR_CRITICAL
    }

    /// Keeps `raw`; false when there was no room. `reason` and `detail` are short texts; together
    /// at most 32 bytes are kept of them.
    pub fn send(&mut self, letter: Letter<'_>) -> bool {
        let kept = &letter.raw[..letter.raw.len().min(LETTER_BYTES_MAX)];
        let chunks = kept.len().div_ceil(CHUNK_BYTES).max(1);
        if self.lane.room(chunks) < chunks {
            self.give_up();
            return false;
        }
        let chunk = &mut *self.chunk;
        chunk.wall_ns = letter.wall_ns;
        chunk.trace_id = letter.trace_id;
        chunk.venue = letter.venue;
        chunk.is_critical = u8::from(letter.is_critical);
        chunk.owner = letter.owner.map_or(NOBODY, |owner| owner.0);
        chunk.total_bytes = u32::try_from(letter.raw.len()).unwrap_or(u32::MAX);
        let reason = &letter.reason.as_bytes()[..letter.reason.len().min(12)];
        let detail = &letter.detail.as_bytes()[..letter.detail.len().min(20)];
        chunk.reason_bytes = reason.len() as u8;
        chunk.detail_bytes = detail.len() as u8;
        chunk.words[..reason.len()].copy_from_slice(reason);
        chunk.words[12..12 + detail.len()].copy_from_slice(detail);
        for index in 0..chunks {
            let part = &kept[index * CHUNK_BYTES..kept.len().min((index + 1) * CHUNK_BYTES)];
            chunk.bytes[..part.len()].copy_from_slice(part);
            chunk.chunk_bytes = part.len() as u32;
            chunk.is_last = u8::from(index + 1 == chunks);
            let published = self.lane.try_publish(chunk);
            debug_assert!(published.is_ok(), "room was checked");
        }
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// A dead letter on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Wall time, ns since the Unix epoch.
    pub wall_ns: i64,
    /// Trace of the frame or event.
    pub trace_id: u64,
    /// The venue it came from.
    pub venue: u16,
    /// Why; at most 12 bytes are kept.
    pub reason: &'static str,
    /// More on why; at most 20 bytes are kept.
    pub detail: &'static str,
    /// Whether it is a critical event, which must not be lost (FR-016).
    pub is_critical: bool,
    /// The consumer that it was for; `None` for raw input.
    pub owner: Option<ConsumerId>,
    /// The bytes as they came.
    pub raw: &'a [u8],
}

impl<'a> Letter<'a> {
    /// A market or reference event that reaches nobody any more.
    pub(crate) fn undelivered(event: &'a Event, wall_ns: i64, detail: &'static str) -> Letter<'a> {
        Letter {
            wall_ns,
            trace_id: event.trace_id,
            venue: event.venue,
            reason: UNDELIVERED,
            detail,
            is_critical: false,
            owner: None,
            raw: event.to_used_bytes(),
        }
    }

    /// The same of a critical event, which must not be lost.
    pub(crate) fn undelivered_critical(
        event: &'a Event,
        wall_ns: i64,
        detail: &'static str,
        owner: Option<ConsumerId>,
    ) -> Letter<'a> {
        Letter { is_critical: true, owner, ..Letter::undelivered(event, wall_ns, detail) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::Quote;

    pub(in super::super) fn letter(raw: &[u8]) -> Letter<'_> {
        let (reason, detail) = ("malformed", "field q");
        let (is_critical, owner) = (false, None);
        Letter { wall_ns: 1, trace_id: 7, venue: 0, reason, detail, is_critical, owner, raw }
    }

    #[test]
    fn a_full_lane_drops_whole_letters_and_counts_them() {
        let (mut sender, mut source) = letter_lane("t", 2);
        let counts = sender.counts();
        let long = vec![b'x'; 2 * CHUNK_BYTES];
        assert!(sender.send(letter(&long)) && !sender.send(letter(b"y")));
        assert_eq!((counts.sent(), counts.dropped()), (1, 1));
        let mut raw = Vec::new();
        source.lane.poll(usize::MAX, |chunk| raw.extend_from_slice(chunk.raw()));
        assert_eq!(raw, long);
    }

    #[test]
    fn of_market_events_the_oldest_is_given_up_first_and_critical_ones_keep_their_room() {
        // EDGE-18: nobody takes anything out of the lane meanwhile.
        let (sender, mut source) = letter_lane("dispatcher", 2 * FOR_CRITICAL);
        let (mut sender, counts) = (sender.with_waiting(4), source.lane.gauge());
        let quote = |number: i64| {
            let payload = Quote { bid_price: number, bid_qty: 1, ask_price: 0, ask_qty: 0 };
            Event::new(&payload)
        };
        let dropped = sender.counts();
        for number in 0..FOR_CRITICAL as i64 + 10 {
            sender.keep_market(&quote(number), number, "queue full");
        }
        assert_eq!((dropped.sent(), dropped.dropped()), (FOR_CRITICAL as u64, 6));
        assert_eq!(counts.in_flight(), FOR_CRITICAL as u64, "the rest is for critical ones");
        for _ in 0..FOR_CRITICAL {
            assert!(sender.send(Letter::undelivered_critical(&quote(-1), 0, "cut off", None)));
        }
        assert_eq!(dropped.dropped(), 6, "no critical one");
        let seen = |source: &mut LetterSource| {
            let mut prices = Vec::new();
            source.lane.poll(usize::MAX, |chunk| {
                let event = Event::from_used_bytes(chunk.raw()).unwrap();
                prices.push(event.get::<Quote>().unwrap().bid_price);
            });
            prices
        };
        let first = seen(&mut source);
        assert_eq!(first[..FOR_CRITICAL], (0..FOR_CRITICAL as i64).collect::<Vec<_>>()[..]);
        assert!(sender.has_waiting() && sender.send_waiting() == 4 && !sender.has_waiting());
        let last = FOR_CRITICAL as i64 + 10;
        assert_eq!(seen(&mut source), (last - 4..last).collect::<Vec<_>>(), "the latest four");
    }

    #[test]
    fn a_chunk_says_whose_event_it_holds() {
        let (mut sender, mut source) = letter_lane("t", 2);
        sender.send(Letter { is_critical: true, owner: Some(ConsumerId(3)), ..letter(b"x") });
        sender.send(letter(b"y"));
        let mut seen = Vec::new();
        source.lane.poll(2, |chunk| seen.push((chunk.is_critical(), chunk.owner())));
        assert_eq!(seen, [(true, Some(ConsumerId(3))), (false, None)]);
    }
}
