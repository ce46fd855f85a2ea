//! Puts streams in order; the rules of the game are in [`super`].

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::{Pool, PoolGauge, Record};
use zerocopy::FromZeros;

use super::StreamStats;
use super::gap::{Gap, Held, Place};
use crate::event::{Event, EventKind};
use crate::orchestrator::Stamped;
use crate::rate::Rate;
use crate::venue::{StreamOrder, StreamOrders};

/// Streams that can have a gap at a time; one more releases the one that waits longest.
const GAPS_MAX: usize = 256;

/// Kinds that are ordered have the codes 1 to 4.
const ORDERED: [EventKind; 4] =
    [EventKind::Quote, EventKind::Trade, EventKind::Book, EventKind::Bar];

const _: () = {
    let mut index = 0;
    while index < ORDERED.len() {
        assert!(ORDERED[index].code() as usize == index + 1);
        index += 1;
    }
};

/// A stream of which nothing new came for so long, while old numbers kept growing, is numbered
/// anew, ns.
const RENUMBERED_NS: u64 = 1_000_000_000;
/// Old numbers in a row, each above the one before, that make a new numbering: fewer are late
/// events.
const RENUMBERED_EVENTS: u32 = 3;

/// No epoch: the next event starts the stream.
const UNSTARTED: u16 = u16::MAX;

/// No gap.
const NONE: u16 = u16::MAX;

/// What a [`Sequencer`] is made with.
#[derive(Clone, Debug, Default)]
pub(crate) struct SequencerOptions {
    /// By venue.
    pub(crate) venues: Vec<StreamOrders>,
    /// Number of instruments.
    pub(crate) instruments: usize,
    /// Longest wait for a missing event, ns.
    pub(crate) lateness_ns: u64,
    /// Most events of one stream that wait.
    pub(crate) max_buffered: usize,
    /// Most events of all streams that wait.
    pub(crate) held_events: usize,
    /// Market events a second of one stream; 0 = no limit.
    pub(crate) flood_events_per_s: u64,
    /// Events that one stream may bring at once above that rate.
    pub(crate) flood_burst: u64,
}

/// Takes what may go on.
pub(crate) trait Pass: FnMut(Stamped<'_>) {}

impl<F: FnMut(Stamped<'_>)> Pass for F {}

/// Orders. Owned by the dispatcher's agent.
pub(crate) struct Sequencer {
    /// By (venue, instrument, ordered kind).
    streams: Box<[Stream]>,
    /// Beside them: touched by old events alone.
    rivals: Box<[Rival]>,
    instruments: usize,
    gaps: Box<[Gap]>,
    /// Places in `gaps`: of those in use, and the others.
    open: Vec<u16>,
    free: Vec<u16>,
    pool: Pool<Event>,
    /// Nothing held has to go before it.
    deadline_ns: u64,
    lateness_ns: u64,
    max_buffered: usize,
    flood: Rate,
    stats: Arc<CachePadded<StreamStats>>,
}

/// Old numbers of one stream that grow. One absurd number makes all that follow old; so does a
/// venue that starts to number anew on a live connection.
#[derive(Clone, Copy, Default)]
struct Rival {
    /// Number of the stream's last event when they began: nothing new has passed since.
    behind: u64,
    /// The last of them.
    sequence: u64,
    since_ns: u64,
    count: u32,
}

impl Rival {
    /// Takes one more old number; whether they are a numbering of their own by now.
    fn takes_over(&mut self, sequence: u64, last: u64, now_ns: u64) -> bool {
        if self.behind != last || sequence <= self.sequence {
            *self = Rival { behind: last, sequence, since_ns: now_ns, count: 1 };
            return false;
        }
        self.sequence = sequence;
        self.count = self.count.saturating_add(1);
        let waited_ns = now_ns.saturating_sub(self.since_ns);
        self.count >= RENUMBERED_EVENTS && waited_ns >= RENUMBERED_NS
    }
}

/// How far one stream is.
#[derive(Clone, Copy)]
struct Stream {
    /// Number of the last event that passed.
    last: u64,
    /// Bit n set: number `last - n` has passed.
    passed: u64,
    /// When its next event is due at the rate it may have.
    due_ns: u64,
    /// Connection of the last event, or `UNSTARTED`.
    epoch: u16,
    /// Place of its gap, or `NONE`.
    gap: u16,
    order: StreamOrder,
}

impl Sequencer {
    pub(crate) fn new(options: &SequencerOptions) -> Sequencer {
        let stream =
            |order| Stream { last: 0, passed: 0, due_ns: 0, epoch: UNSTARTED, gap: NONE, order };
        let of_venue = |orders: &StreamOrders| {
            let row = ORDERED.map(|kind| stream(orders.of(kind)));
            std::iter::repeat_n(row, options.instruments).flatten().collect::<Vec<_>>()
        };
        let is_contiguous = |orders: &StreamOrders| {
            ORDERED.iter().any(|kind| orders.of(*kind) == StreamOrder::Contiguous)
        };
        // Without a contiguous stream nothing is ever held.
        let holds = options.venues.iter().any(is_contiguous) && options.max_buffered > 0;
        let streams: Box<[Stream]> = options.venues.iter().flat_map(of_venue).collect();
        let held_events = if holds { options.held_events.max(1) } else { 1 };
        let gaps = if holds { GAPS_MAX.min(streams.len()).min(held_events) } else { 0 };
        Sequencer {
            rivals: vec![Rival::default(); streams.len()].into(),
            streams,
            instruments: options.instruments,
            gaps: (0..gaps).map(|_| Gap::new(options.max_buffered)).collect(),
            open: Vec::with_capacity(gaps),
            free: (0..gaps as u16).collect(),
            pool: Pool::new("order", held_events, Event::new_zeroed),
            deadline_ns: u64::MAX,
            lateness_ns: options.lateness_ns,
            max_buffered: options.max_buffered,
            flood: Rate::new(options.flood_events_per_s, options.flood_burst),
            stats: Arc::default(),
        }
    }

    /// Venues and instruments that it knows.
    pub(crate) fn dimensions(&self) -> (usize, usize) {
        let rows = self.streams.len() / ORDERED.len();
        (rows / self.instruments.max(1), self.instruments)
    }

    /// The counters, for other threads.
    pub(crate) fn stats(&self) -> Arc<CachePadded<StreamStats>> {
        Arc::clone(&self.stats)
    }

    /// A view of the pool of held events for other threads.
    pub(crate) fn gauge(&self) -> PoolGauge {
        self.pool.gauge()
    }

    /// Events that wait.
    pub(crate) fn held(&self) -> usize {
        self.pool.owned()
    }

    /// When something held has to go; `u64::MAX` when nothing is held. May be early.
    #[inline]
    pub(crate) fn next_timer_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// Takes an event of the market lane; `pass` gets what may go on, in order.
    #[inline]
    pub(crate) fn admit(&mut self, stamped: Stamped<'_>, pass: &mut impl Pass) {
        let event = stamped.event;
        let Some(index) = self.index(event) else {
            self.admit_unordered(stamped, pass);
            return;
        };
        let stream = &mut self.streams[index];
        let is_same_epoch = stream.epoch == u16::from(event.epoch);
        let in_order = match stream.order {
            StreamOrder::Unsequenced => true,
            StreamOrder::Monotonic => {
                let is_newer = is_same_epoch && event.sequence > stream.last;
                if is_newer {
                    stream.last = event.sequence;
                }
                is_newer
            }
            StreamOrder::Contiguous => {
                let is_next = is_same_epoch && stream.gap == NONE && stream.is_next(event.sequence);
                if is_next {
                    stream.last = event.sequence;
                    stream.passed = stream.passed << 1 | 1;
                }
                is_next
            }
        };
        if in_order {
            self.go_on(index, stamped, pass);
        } else {
            self.out_of_order(index, stamped, pass);
        }
    }

    /// Releases what has waited for too long.
    pub(crate) fn expire(&mut self, now_ns: u64, pass: &mut impl Pass) -> usize {
        if now_ns < self.deadline_ns {
            return 0;
        }
        let mut count = 0;
        let due = |gap: &Gap, lateness_ns| gap.oldest_ns.saturating_add(lateness_ns) <= now_ns;
        let mut place = 0;
        while let Some(&id) = self.open.get(place) {
            let gap = usize::from(id);
            if due(&self.gaps[gap], self.lateness_ns) {
                count += self.give_up(gap, now_ns, pass);
            }
            // A gap that closed has left its place to another one.
            let is_settled = !due(&self.gaps[gap], self.lateness_ns);
            if self.open.get(place) == Some(&id) && is_settled {
                place += 1;
            }
        }
        self.find_deadline();
        count
    }

    /// Releases everything that waits: nothing more will come.
    pub(crate) fn release_all(&mut self, now_ns: u64, pass: &mut impl Pass) -> usize {
        let mut count = 0;
        while let Some(&gap) = self.open.first() {
            count += self.give_up(usize::from(gap), now_ns, pass);
        }
        self.find_deadline();
        count
    }

    /// The place of the event's stream; `None` when it is of no ordered kind.
    #[inline]
    fn index(&self, event: &Event) -> Option<usize> {
        let kind = usize::from(event.kind_code).wrapping_sub(1);
        if kind >= ORDERED.len() {
            return None;
        }
        self.index_of(event, kind)
    }

    #[inline]
    fn index_of(&self, event: &Event, kind: usize) -> Option<usize> {
        let instrument = event.instrument as usize;
        let row = usize::from(event.venue) * self.instruments + instrument;
        let index = row * ORDERED.len() + kind;
        (instrument < self.instruments && index < self.streams.len()).then_some(index)
    }

    fn admit_unordered(&mut self, stamped: Stamped<'_>, pass: &mut impl Pass) {
        let event = stamped.event;
        if event.kind_code == EventKind::BookState.code() {
            let book = usize::from(EventKind::Book.code()) - 1;
            if let Some(index) = self.index_of(event, book) {
                self.streams[index].epoch = UNSTARTED;
            }
        }
        pass(stamped);
    }

    /// Passes an event whose turn it is, unless its stream floods.
    #[inline]
    fn go_on(&mut self, index: usize, stamped: Stamped<'_>, pass: &mut impl Pass) {
        if self.flood.admits(&mut self.streams[index].due_ns, stamped.now_ns) {
            pass(stamped);
        } else {
            self.stats.flooded.increment();
        }
    }

    #[cold]
    fn out_of_order(&mut self, index: usize, stamped: Stamped<'_>, pass: &mut impl Pass) {
        let Stamped { event, now_ns, .. } = stamped;
        let stream = self.streams[index];
        if event.sequence == 0 {
            self.go_on(index, stamped, pass);
        } else if stream.epoch != u16::from(event.epoch) {
            self.start_anew(index, stamped, pass);
        } else if event.sequence <= stream.last {
            if self.rivals[index].takes_over(event.sequence, stream.last, now_ns) {
                self.start_anew(index, stamped, pass);
            } else {
                self.count_old(stream, event.sequence);
            }
        } else {
            self.behind_gap(index, stamped, pass);
        }
    }

    fn start_anew(&mut self, index: usize, stamped: Stamped<'_>, pass: &mut impl Pass) {
        let Stamped { event, now_ns, .. } = stamped;
        while self.streams[index].gap != NONE {
            self.give_up(usize::from(self.streams[index].gap), now_ns, pass);
        }
        let stream = &mut self.streams[index];
        (stream.last, stream.passed) = (event.sequence, 1);
        stream.epoch = u16::from(event.epoch);
        self.find_deadline();
        self.go_on(index, stamped, pass);
    }

    fn count_old(&self, stream: Stream, sequence: u64) {
        let back = stream.last - sequence;
        let is_late = match stream.order {
            StreamOrder::Contiguous => back < 64 && stream.passed >> back & 1 == 0,
            _ => back > 0,
        };
        if is_late {
            self.stats.late.increment();
        } else {
            self.stats.duplicate.increment();
        }
    }

    /// An event of a contiguous stream that is newer than the last, and not just in order: it fills
    /// the stream's gap, or lies behind one.
    fn behind_gap(&mut self, index: usize, stamped: Stamped<'_>, pass: &mut impl Pass) {
        let Stamped { event, now_ns, .. } = stamped;
        loop {
            let stream = &mut self.streams[index];
            let gap = usize::from(stream.gap);
            let is_next = stream.is_next(event.sequence);
            if event.sequence <= stream.last {
                // A release has passed it by: it was given up in this very step.
                let stream = *stream;
                return self.count_old(stream, event.sequence);
            }
            if is_next || self.lateness_ns == 0 || self.gaps.is_empty() {
                if is_next {
                    self.stats.reordered.add(u64::from(stream.gap != NONE));
                } else {
                    self.stats.gap_given_up.increment();
                }
                stream.advance(event.sequence);
                self.go_on(index, stamped, pass);
                if gap != usize::from(NONE) {
                    self.release_run(gap, now_ns, pass);
                    self.find_deadline();
                }
                return;
            }
            if gap == usize::from(NONE) {
                self.open_gap(index, now_ns, pass);
            } else if self.gaps[gap].len() == self.max_buffered {
                if matches!(self.gaps[gap].place(event.sequence), Place::Known) {
                    return self.stats.duplicate.increment();
                }
                self.release_early(gap, now_ns, pass);
            } else if self.hold(gap, stamped) {
                return;
            } else {
                self.release_oldest(now_ns, pass);
            }
        }
    }

    fn open_gap(&mut self, index: usize, now_ns: u64, pass: &mut impl Pass) {
        while self.free.is_empty() && !self.open.is_empty() {
            self.release_oldest(now_ns, pass);
        }
        if let Some(id) = self.free.pop() {
            self.gaps[usize::from(id)].stream = index;
            self.open.push(id);
            self.streams[index].gap = id;
        }
    }

    /// Copies an event to where it waits. False when there is no room.
    fn hold(&mut self, gap: usize, stamped: Stamped<'_>) -> bool {
        let Stamped { event, version, now_ns } = stamped;
        let Place::At(place) = self.gaps[gap].place(event.sequence) else {
            self.stats.duplicate.increment();
            return true;
        };
        let Some(handle) = self.pool.claim() else { return false };
        if let Some(copy) = self.pool.get_mut(handle) {
            copy.copy_used_from(event);
            copy.routing_version = version;
        }
        let gap = &mut self.gaps[gap];
        self.stats.held.increment();
        self.stats.reordered.add(u64::from(place < gap.len()));
        gap.insert(place, Held { sequence: event.sequence, arrived_ns: now_ns, handle });
        self.deadline_ns = self.deadline_ns.min(now_ns.saturating_add(self.lateness_ns));
        true
    }

    /// Releases the run of the gap that waits longest, to make room.
    fn release_oldest(&mut self, now_ns: u64, pass: &mut impl Pass) {
        let oldest = self.open.iter().min_by_key(|id| self.gaps[usize::from(**id)].oldest_ns);
        if let Some(&id) = oldest {
            self.release_early(usize::from(id), now_ns, pass);
        }
    }

    fn release_early(&mut self, gap: usize, now_ns: u64, pass: &mut impl Pass) {
        let count = self.give_up(gap, now_ns, pass);
        self.stats.released_early.add(count as u64);
        self.find_deadline();
    }

    /// Waits no longer for what is missing before the first held event. Returns how many were
    /// released.
    fn give_up(&mut self, gap: usize, now_ns: u64, pass: &mut impl Pass) -> usize {
        if let Some(sequence) = self.gaps[gap].first_sequence() {
            self.stats.gap_given_up.increment();
            let stream = &mut self.streams[self.gaps[gap].stream];
            stream.advance(sequence - 1);
            stream.passed &= !1; // it has not passed
        }
        self.release_run(gap, now_ns, pass)
    }

    /// Releases the held events whose turn it is, and closes the gap when none is left.
    fn release_run(&mut self, gap: usize, now_ns: u64, pass: &mut impl Pass) -> usize {
        let index = self.gaps[gap].stream;
        let mut count = 0;
        while self.gaps[gap]
            .first_sequence()
            .is_some_and(|first| self.streams[index].is_next(first))
        {
            let Some(held) = self.gaps[gap].pop() else { break };
            let stream = &mut self.streams[index];
            stream.advance(held.sequence);
            if self.flood.admits(&mut stream.due_ns, now_ns) {
                let event = self.pool.get(held.handle).into_iter();
                event.for_each(|event| pass(Stamped::held(event, now_ns)));
            } else {
                self.stats.flooded.increment();
            }
            let returned = self.pool.give_back(held.handle);
            debug_assert!(returned.is_ok(), "a held event is released once");
            count += 1;
        }
        self.gaps[gap].find_oldest();
        if self.gaps[gap].is_empty() {
            self.streams[index].gap = NONE;
            self.open.retain(|id| usize::from(*id) != gap);
            self.free.push(gap as u16);
        }
        count
    }

    fn find_deadline(&mut self) {
        let oldest_ns = self.open.iter().map(|id| self.gaps[usize::from(*id)].oldest_ns).min();
        self.deadline_ns = oldest_ns.map_or(u64::MAX, |ns| ns.saturating_add(self.lateness_ns));
    }
}

impl Stream {
    /// The largest number has no next one: 0 is no number.
    #[inline]
    fn is_next(&self, sequence: u64) -> bool {
        sequence.wrapping_sub(self.last) == 1 && sequence != 0
    }

    /// Number `sequence`, above the last one, has passed.
    fn advance(&mut self, sequence: u64) {
        let by = sequence - self.last;
        self.passed = if by < 64 { self.passed << by | 1 } else { 1 };
        self.last = sequence;
    }
}
