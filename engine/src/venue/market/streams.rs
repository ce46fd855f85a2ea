//! Whether each stream of a connection still speaks: what is expected of it is learned from itself.
//!
//! A stream is an instrument and a kind. Nothing else tells that one of them died while the
//! connection and all others live: a venue that lost it sends nothing, and pongs go on.
//!
//! Promises: a stream that is silent for longer than it ever was before by far, and for longer than
//! the configured floor, is told as stale once, and told again when it is back; it is subscribed to
//! anew, and after that the connection is given up, once; where nothing helps, both come ever more
//! rarely, up to once an hour. A stream that never spoke is treated so, too. A look costs nothing
//! as long as nothing is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::event::EventKind;

/// Kinds that have streams, by their places.
pub(super) const KINDS: [EventKind; 5] = EventKind::STREAMS;

/// A stream counts as silent after so many times its longest pause of late.
const PAUSES: u64 = 4;
/// Trades and bars that may be quiet are asked for after so many times what counts as silence.
const QUIET: u64 = 3;
/// Bars that were never told, or now and then, are not asked for earlier, ns: they are of a minute.
const BAR_NS: u64 = 65_000_000_000;
/// Messages of a stream that speaks all the time.
const BUSY: u32 = 256;
/// What a pause in the past still counts for goes by this part with each message.
const FADES: u64 = 256;
/// The longest pause that is expected, and between two requests that did not help, ns.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Between two reconnects of one connection for streams that stay silent, ns, at first; doubles.
const RECONNECT_NS: u64 = 60_000_000_000;
/// Without room for the word that a stream is stale, it is looked at again after this time, ns.
const RETRY_NS: u64 = 10_000_000;

/// What is known of one stream.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// When it was heard last, or subscribed to, ns.
    heard_ns: u64,
    /// The longest pause of late, ns.
    pause_ns: u64,
    /// Messages, saturating.
    count: u32,
    /// Whether it was subscribed to.
    is_expected: bool,
    /// It lies among those that are looked at.
    is_queued: bool,
    is_stale: bool,
    /// The connection was given up for it since it spoke last.
    is_given_up: bool,
    /// Requests for it since it spoke last.
    asked: u8,
    /// It is silent, and was left alone so far.
    has_waited: bool,
}

/// What is to be done about a silent stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    /// Slot of the symbol.
    pub(super) slot: usize,
    /// Its kind.
    pub(super) kind: EventKind,
    /// Nothing was heard for so long, ns.
    pub(super) silent_ns: u64,
    /// Nobody was told yet.
    pub(super) is_new: bool,
    /// What helps, perhaps.
    pub(super) remedy: Remedy,
}

/// What helps against silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// There is no connection, or it was made a moment ago.
    Wait,
    /// To subscribe to it anew.
    Resubscribe,
    /// To connect anew.
    Reconnect,
}

/// The streams of one connection.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    streams: Box<[Stream]>,
    /// When each stream that is watched is looked at, at the latest; the next one first.
    due: BinaryHeap<Reverse<(u64, u32)>>,
    /// The shortest silence that counts, ns; `None`: none does.
    floor_ns: Option<u64>,
    connected_ns: Option<u64>,
    /// Silence before that says nothing, ns: we did not read.
    excused_ns: u64,
    /// When any of them was heard last, ns.
    any_ns: u64,
    may_reconnect_ns: u64,
    reconnect_wait_ns: u64,
}

impl Streams {
    /// Streams of this many symbols.
    pub(super) fn new(symbols: usize, floor_ns: Option<u64>) -> Streams {
        let count = symbols * KINDS.len();
        Streams {
            streams: vec![Stream::default(); count].into(),
            due: BinaryHeap::with_capacity(count),
            floor_ns,
            connected_ns: None,
            excused_ns: 0,
            any_ns: 0,
            may_reconnect_ns: 0,
            reconnect_wait_ns: RECONNECT_NS,
        }
    }

    /// The place of a stream; `None` for a kind that has none.
    #[inline]
    pub(super) fn place(slot: usize, kind: EventKind) -> Option<usize> {
        kind.stream_place().map(|place| slot * KINDS.len() + place)
    }

    /// The stream was subscribed to.
    pub(super) fn expect(&mut self, place: usize, now_ns: u64) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        if !stream.is_expected {
            (stream.is_expected, stream.heard_ns) = (true, now_ns);
            self.queue(place, now_ns);
        }
    }

    /// There is a connection; silence of those that were never heard is measured from now on.
    pub(super) fn connected(&mut self, now_ns: u64) {
        self.connected_ns = Some(now_ns);
        for place in 0..self.streams.len() {
            let stream = &mut self.streams[place];
            stream.has_waited = false;
            if stream.is_expected && stream.count == 0 {
                stream.heard_ns = now_ns;
            }
        }
    }

    /// There is none.
    pub(super) fn disconnected(&mut self) {
        self.connected_ns = None;
    }

    /// A message of the stream was read; whether it had been told as stale.
    #[inline]
    pub(super) fn heard(&mut self, place: usize, now_ns: u64) -> bool {
        let Some(stream) = self.streams.get_mut(place) else { return false };
        let pause_ns = now_ns.saturating_sub(stream.heard_ns.max(self.excused_ns));
        stream.heard_ns = now_ns;
        self.any_ns = now_ns;
        stream.count = stream.count.saturating_add(1);
        if stream.is_stale || !stream.is_queued {
            return self.is_back(place, pause_ns, now_ns);
        }
        if stream.count > 1 {
            stream.pause_ns = pause_ns.max(stream.pause_ns - stream.pause_ns / FADES);
        }
        false
    }

    #[cold]
    fn is_back(&mut self, place: usize, pause_ns: u64, now_ns: u64) -> bool {
        let limit_ns = self.limit_ns(place);
        let stream = &mut self.streams[place];
        let was_stale = std::mem::replace(&mut stream.is_stale, false);
        if was_stale {
            // It may be as quiet as that, or it was dead: it is expected twice as late. One that
            // came back by itself is as quiet as that.
            let is_quiet = stream.has_waited && stream.asked == 0;
            let longest_ns = if is_quiet { LONGEST_NS } else { 2 * limit_ns / PAUSES };
            stream.pause_ns = stream.pause_ns.max(pause_ns.min(longest_ns));
            (stream.asked, stream.is_given_up, stream.has_waited) = (0, false, false);
        }
        stream.is_expected = true;
        self.queue(place, now_ns);
        was_stale
    }

    /// The link was full and nothing was read: silence until now says nothing.
    #[cold]
    pub(super) fn excuse(&mut self, now_ns: u64) {
        self.excused_ns = now_ns;
    }

    /// When the next stream is to be looked at, ns; `u64::MAX`: none.
    #[inline]
    pub(super) fn due_ns(&self) -> u64 {
        self.due.peek().map_or(u64::MAX, |Reverse((due_ns, _))| *due_ns)
    }

    /// The next stream that is silent for too long. Call it until it gives none.
    pub(super) fn next_silent(&mut self, now_ns: u64, has_room: bool) -> Option<Silence> {
        while self.due_ns() <= now_ns {
            let Reverse((_, place)) = self.due.pop()?;
            let place = place as usize;
            self.streams[place].is_queued = false;
            let heard_ns = self.streams[place].heard_ns.max(self.excused_ns);
            let quiet_until_ns = heard_ns + self.limit_ns(place);
            if !self.streams[place].is_stale && now_ns < quiet_until_ns {
                self.push(place, quiet_until_ns);
            } else if !has_room {
                self.push(place, now_ns + RETRY_NS);
            } else {
                return Some(self.silence(place, now_ns));
            }
        }
        None
    }

    fn silence(&mut self, place: usize, now_ns: u64) -> Silence {
        let limit_ns = self.limit_ns(place);
        let is_fresh = self.connected_ns.is_none_or(|at_ns| now_ns < at_ns + limit_ns);
        let (patience, quiet_ns) = (self.patience(place), self.quiet_ns(place));
        let stream = &mut self.streams[place];
        let is_new = !std::mem::replace(&mut stream.is_stale, true);
        let silent_ns = now_ns.saturating_sub(stream.heard_ns);
        let (remedy, wait_ns) = if is_fresh {
            (Remedy::Wait, limit_ns)
        } else if silent_ns < quiet_ns {
            stream.has_waited = true;
            (Remedy::Wait, limit_ns)
        } else if stream.asked < patience {
            stream.asked += 1;
            (Remedy::Resubscribe, limit_ns << (stream.asked - 1))
        } else if !stream.is_given_up && now_ns >= self.may_reconnect_ns {
            self.give_up(now_ns);
            (Remedy::Reconnect, limit_ns)
        } else {
            stream.asked = stream.asked.saturating_add(1);
            let doublings = u32::from(stream.asked).min(20);
            (Remedy::Resubscribe, limit_ns.saturating_mul(1 << doublings))
        };
        self.push(place, now_ns + wait_ns.min(LONGEST_NS));
        let (slot, kind) = (place / KINDS.len(), KINDS[place % KINDS.len()]);
        Silence { slot, kind, silent_ns, is_new, remedy }
    }

    /// The connection is given up: it is tried for all that are silent now.
    fn give_up(&mut self, now_ns: u64) {
        for stream in self.streams.iter_mut().filter(|stream| stream.is_stale) {
            stream.is_given_up = true;
        }
        // Where many streams are quiet, some always come back: only an hour without one helps.
        if now_ns >= self.may_reconnect_ns.saturating_add(LONGEST_NS) {
            self.reconnect_wait_ns = RECONNECT_NS;
        }
        self.may_reconnect_ns = now_ns + self.reconnect_wait_ns;
        self.reconnect_wait_ns = (2 * self.reconnect_wait_ns).min(LONGEST_NS);
    }

    /// How long a stream is left alone before it is asked for, ns: one that has spoken now and
    /// then, or not yet, of a kind that is silent where nothing is traded, on a connection that
    /// lives. A bar may be told at its end alone.
    fn quiet_ns(&self, place: usize) -> u64 {
        let (stream, limit_ns) = (&self.streams[place], self.limit_ns(place));
        let are_others_heard = self.any_ns > stream.heard_ns + limit_ns / 2;
        match (stream.count, KINDS[place % KINDS.len()]) {
            (..BUSY, EventKind::Bar) if are_others_heard => (QUIET * limit_ns).max(BAR_NS),
            (..BUSY, EventKind::Trade) if are_others_heard => QUIET * limit_ns,
            _ => 0,
        }
    }

    /// Requests before the connection is given up. Books and quotes change soon where anything is
    /// traded; trades may not come for hours, unless they came all the time. A connection on which
    /// others are heard is given up later: a new one costs every book of it a snapshot.
    fn patience(&self, place: usize) -> u8 {
        let stream = &self.streams[place];
        let are_others_heard = self.any_ns > stream.heard_ns + self.limit_ns(place);
        match (stream.count, KINDS[place % KINDS.len()]) {
            (..BUSY, EventKind::Quote | EventKind::Book) if are_others_heard => 3,
            (0, EventKind::Quote | EventKind::Book) => 2,
            (_, EventKind::Quote | EventKind::Book) | (BUSY.., _) => 1,
            _ => 4,
        }
    }

    /// The silence that is too long for this stream, ns.
    fn limit_ns(&self, place: usize) -> u64 {
        let floor_ns = self.floor_ns.unwrap_or(LONGEST_NS);
        let stream = &self.streams[place];
        (PAUSES * stream.pause_ns).clamp(floor_ns, LONGEST_NS.max(floor_ns))
    }

    fn queue(&mut self, place: usize, now_ns: u64) {
        if !self.streams[place].is_queued {
            let limit_ns = self.limit_ns(place);
            self.push(place, now_ns + limit_ns);
        }
    }

    fn push(&mut self, place: usize, due_ns: u64) {
        if self.floor_ns.is_some() {
            self.streams[place].is_queued = true;
            self.due.push(Reverse((due_ns, place as u32)));
        } else {
            // Not watched: as if it were.
            self.streams[place].is_queued = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const QUOTE: usize = 0;

    fn streams(symbols: usize) -> Streams {
        let mut streams = Streams::new(symbols, Some(10 * S));
        streams.connected(0);
        streams
    }

    /// Looks once a second until `until_s`; what was found, by the second.
    fn look(streams: &mut Streams, from_s: u64, until_s: u64) -> Vec<(u64, bool, Remedy)> {
        let mut found = Vec::new();
        for second in from_s..=until_s {
            while let Some(silence) = streams.next_silent(second * S, true) {
                found.push((second, silence.is_new, silence.remedy));
            }
        }
        found
    }

    #[test]
    fn one_quote_and_then_nothing_is_told_asked_for_and_the_connection_given_up_once() {
        // F34
        let mut streams = streams(1);
        streams.expect(QUOTE, 0);
        assert!(!streams.heard(QUOTE, S));
        let found = look(&mut streams, 1, 40);
        let expected = [
            (11, true, Remedy::Resubscribe),
            (21, false, Remedy::Reconnect),
            (31, false, Remedy::Resubscribe),
        ];
        assert_eq!(found, expected);
        assert!(streams.heard(QUOTE, 41 * S), "it was told as stale");
        assert!(!streams.heard(QUOTE, 42 * S));
    }

    #[test]
    fn a_stream_that_never_spoke_is_silent_too_beside_others_that_live() {
        let mut streams = streams(1);
        streams.expect(QUOTE, 0);
        streams.expect(QUOTE + 1, 0);
        let mut found = Vec::new();
        for second in 1..=100 {
            streams.heard(QUOTE, second * S);
            found.extend(look(&mut streams, second, second));
        }
        // Trades may be as rare as that.
        assert_eq!(found[..2], [(10, true, Remedy::Wait), (20, false, Remedy::Wait)]);
        assert_eq!(found[2], (30, false, Remedy::Resubscribe));
        let later = &found[2..];
        assert!(later.iter().all(|(_, _, remedy)| *remedy == Remedy::Resubscribe), "{found:?}");
    }

    #[test]
    fn a_quiet_stream_is_learned_and_does_not_storm() {
        // A trade every five minutes for a day.
        let mut streams = streams(1);
        streams.expect(QUOTE + 1, 0);
        let mut found = Vec::new();
        for second in 1..=86_400 {
            if second % 300 == 0 {
                streams.heard(QUOTE + 1, second * S);
            }
            found.extend(look(&mut streams, second, second));
        }
        let late = found.iter().filter(|(second, ..)| *second > 7_200).count();
        assert_eq!(late, 0, "it is known by then: {found:?}");
        assert!(found.len() < 60, "{}", found.len());
        // And it is still noticed when it dies.
        let found = look(&mut streams, 86_401, 2 * 86_400);
        assert_eq!(found.first().map(|(_, is_new, _)| *is_new), Some(true));
        assert!(found.len() < 60 && found[0].0 < 86_400 + 7_200, "{found:?}");
    }

    #[test]
    fn trades_beside_quotes_that_live_are_left_alone_once_and_their_pause_is_learned() {
        let mut streams = streams(1);
        let mut found = Vec::new();
        for second in 1..=400 {
            streams.heard(QUOTE, second * S);
            if [1, 2, 17, 60, 120].contains(&second) {
                streams.heard(QUOTE + 1, second * S);
            }
            found.extend(look(&mut streams, second, second));
        }
        // Four times the longest pause, once that is longer than the floor.
        assert_eq!(found, [(12, true, Remedy::Wait), (360, true, Remedy::Wait)]);
    }

    #[test]
    fn a_busy_stream_is_found_dead_after_the_floor_and_after_an_outage_soon_again() {
        let mut streams = streams(1);
        for tick in 0..1_000 {
            streams.heard(QUOTE, tick * S / 50);
        }
        assert_eq!(look(&mut streams, 20, 30).first().map(|found| found.0), Some(30));
        // Back after ten minutes: it is not expected to pause for ten minutes from now on.
        assert!(streams.heard(QUOTE, 620 * S));
        for tick in 0..2_000 {
            streams.heard(QUOTE, 620 * S + tick * S / 50);
        }
        assert_eq!(look(&mut streams, 660, 700).first().map(|found| found.0), Some(670));
    }

    #[test]
    fn a_hundred_quiet_streams_share_one_reconnect() {
        let mut streams = streams(100);
        (0..400).for_each(|place| streams.expect(place, 0));
        let found = look(&mut streams, 1, 3_600);
        let reconnects = found.iter().filter(|(.., remedy)| *remedy == Remedy::Reconnect).count();
        assert!(reconnects <= 2, "{reconnects}");
        assert_eq!(found.iter().filter(|(_, is_new, _)| *is_new).count(), 400);
        assert!(found.len() < 400 * 12, "each is asked for ever more rarely: {}", found.len());
    }

    #[test]
    fn trades_that_come_now_and_then_cost_few_reconnects() {
        let mut streams = streams(50);
        let mut chance = crate::world::SplitMix64::new(11);
        let mut next_s = [0; 50];
        let mut reconnects = 0;
        for second in 1..=6 * 3_600 {
            for (slot, at_s) in next_s.iter_mut().enumerate() {
                if second >= *at_s {
                    streams.heard(slot * KINDS.len() + 1, second * S);
                    *at_s = second + chance.between(5, 180);
                }
            }
            let found = look(&mut streams, second, second);
            reconnects += found.iter().filter(|found| found.2 == Remedy::Reconnect).count();
        }
        assert!(reconnects <= 3, "{reconnects}");
    }

    #[test]
    fn without_a_connection_streams_are_stale_and_nothing_is_asked_for() {
        let mut streams = streams(1);
        streams.heard(QUOTE, S);
        streams.disconnected();
        let found = look(&mut streams, 1, 60);
        assert_eq!(found[0], (11, true, Remedy::Wait));
        assert!(found.iter().all(|(.., remedy)| *remedy == Remedy::Wait), "{found:?}");
        streams.connected(60 * S);
        assert_eq!(look(&mut streams, 60, 69).iter().filter(|f| f.2 != Remedy::Wait).count(), 0);
    }

    #[test]
    fn without_room_the_word_waits_and_what_we_held_back_is_no_silence() {
        let mut streams = streams(1);
        streams.heard(QUOTE, 0);
        assert_eq!(streams.next_silent(11 * S, false), None);
        assert!(streams.next_silent(11 * S + RETRY_NS, true).is_some());
        let mut streams = streams_held_back();
        streams.excuse(11 * S);
        assert_eq!(streams.next_silent(20 * S, true), None);
    }

    fn streams_held_back() -> Streams {
        let mut streams = streams(1);
        streams.heard(QUOTE, 0);
        streams
    }

    #[test]
    fn looks_and_messages_allocate_nothing() {
        let mut streams = streams(1_000);
        (0..4_000).for_each(|place| streams.expect(place, 0));
        let allocated = crate::allocations_of(|| {
            for second in 0..1_000_u64 {
                for place in (0..4_000).step_by(7) {
                    streams.heard(place, second * S);
                }
                while streams.next_silent(second * S, true).is_some() {}
            }
        });
        assert_eq!(allocated, 0);
    }
}
