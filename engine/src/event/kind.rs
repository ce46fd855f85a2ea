//! Event kinds, and their class: what may give way under load and what never does.

use std::fmt;

/// One more than the largest kind code: the size of a table indexed by [`EventKind::code`].
pub const KIND_SLOTS: usize = 15;

/// What an event is. The codes are part of the schema: they are never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// Best bid and offer.
    Quote = 1,
    /// One public trade, or an aggregate of several (LM-04).
    Trade = 2,
    /// Top of an order book, always a full snapshot of the best levels.
    Book = 3,
    /// Open, high, low, close and volume of an interval.
    Bar = 4,
    /// The result of a merge window over several venues.
    Merged = 5,
    /// Whether a book can be trusted (LM-07).
    BookState = 6,
    /// Reference data of an instrument.
    Instrument = 7,
    /// Balance of one asset at a venue.
    Balance = 8,
    /// A venue's word on one of our orders.
    ExecReport = 9,
    /// Answer to a control command: accepted or refused.
    ControlAck = 10,
    /// Outcome of a control command, by phase.
    ControlResult = 11,
    /// A risk notice of the engine.
    Risk = 12,
    /// Whether a stream of quotes, trades or bars still speaks.
    StreamState = 13,
    /// Mark and index price of a contract, and its funding.
    MarkPrice = 14,
}

/// How a kind behaves under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// Gives way under load: conflated or aggregated, and counted (LM-04).
    Market,
    /// Never filtered, conflated or dropped (FR-016).
    Critical,
    /// Latest wins, but never skipped for its routing version.
    Reference,
}

impl EventKind {
    /// Every kind, in the order of the codes.
    pub const ALL: [EventKind; KIND_SLOTS - 1] = [
        EventKind::Quote,
        EventKind::Trade,
        EventKind::Book,
        EventKind::Bar,
        EventKind::Merged,
        EventKind::BookState,
        EventKind::Instrument,
        EventKind::Balance,
        EventKind::ExecReport,
        EventKind::ControlAck,
        EventKind::ControlResult,
        EventKind::Risk,
        EventKind::StreamState,
        EventKind::MarkPrice,
    ];

    /// Those that venues send as streams of one instrument each.
    pub const STREAMS: [EventKind; 5] =
        [EventKind::Quote, EventKind::Trade, EventKind::Book, EventKind::Bar, EventKind::MarkPrice];

    /// The place in [`EventKind::STREAMS`]; `None` for a kind that has no stream.
    #[inline]
    #[must_use]
    pub const fn stream_place(self) -> Option<usize> {
        match self {
            EventKind::Quote => Some(0),
            EventKind::Trade => Some(1),
            EventKind::Book => Some(2),
            EventKind::Bar => Some(3),
            EventKind::MarkPrice => Some(4),
            _ => None,
        }
    }

    /// The kind with this code; `None` for 0 and for codes no schema has given out.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<EventKind> {
        if code == 0 || code as usize >= KIND_SLOTS {
            return None;
        }
        Some(Self::ALL[code as usize - 1])
    }

    /// The code in the event's header, 1 to 14.
    #[inline]
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The class of this kind.
    #[inline]
    #[must_use]
    pub const fn class(self) -> EventClass {
        match self {
            EventKind::Quote
            | EventKind::Trade
            | EventKind::Book
            | EventKind::Bar
            | EventKind::Merged
            | EventKind::MarkPrice => EventClass::Market,
            EventKind::BookState
            | EventKind::Instrument
            | EventKind::Balance
            | EventKind::StreamState => EventClass::Reference,
            EventKind::ExecReport
            | EventKind::ControlAck
            | EventKind::ControlResult
            | EventKind::Risk => EventClass::Critical,
        }
    }

    /// Whether this kind travels in the critical lane.
    #[inline]
    #[must_use]
    pub const fn is_critical(self) -> bool {
        matches!(self.class(), EventClass::Critical)
    }

    /// The name in reports and configuration, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Quote => "quote",
            EventKind::Trade => "trade",
            EventKind::Book => "book",
            EventKind::Bar => "bar",
            EventKind::Merged => "merged",
            EventKind::BookState => "book_state",
            EventKind::Instrument => "instrument",
            EventKind::Balance => "balance",
            EventKind::ExecReport => "exec_report",
            EventKind::ControlAck => "control_ack",
            EventKind::ControlResult => "control_result",
            EventKind::Risk => "risk",
            EventKind::StreamState => "stream_state",
            EventKind::MarkPrice => "mark_price",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A count for each kind: a term of the accounting identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts([u64; KIND_SLOTS]);

impl KindCounts {
    /// Adds `count` to the term of `kind`.
    #[inline]
    pub fn add(&mut self, kind: EventKind, count: u64) {
        self.0[kind.code() as usize] += count;
    }

    /// The count of `kind`.
    #[inline]
    #[must_use]
    pub fn get(&self, kind: EventKind) -> u64 {
        self.0[kind.code() as usize]
    }

    /// The sum over all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds every term of `other`.
    pub fn merge(&mut self, other: &KindCounts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_zero_is_no_kind() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(EventKind::from_code(0), None);
        assert_eq!(EventKind::from_code(KIND_SLOTS as u8), None);
        assert_eq!(EventKind::from_code(255), None);
    }

    #[test]
    fn every_stream_has_its_place() {
        for kind in EventKind::ALL {
            let place = EventKind::STREAMS.iter().position(|stream| *stream == kind);
            assert_eq!(kind.stream_place(), place, "{kind}");
        }
    }

    #[test]
    fn exactly_four_kinds_are_critical() {
        let critical: Vec<_> = EventKind::ALL.into_iter().filter(|k| k.is_critical()).collect();
        assert_eq!(
            critical,
            [
                EventKind::ExecReport,
                EventKind::ControlAck,
                EventKind::ControlResult,
                EventKind::Risk
            ]
        );
    }

    #[test]
    fn counts_add_and_merge_by_kind() {
        let mut counts = KindCounts::default();
        counts.add(EventKind::Quote, 2);
        let mut other = KindCounts::default();
        other.add(EventKind::Quote, 1);
        other.add(EventKind::Risk, 5);
        counts.merge(&other);
        assert_eq!(counts.get(EventKind::Quote), 3);
        assert_eq!(counts.get(EventKind::Risk), 5);
        assert_eq!(counts.total(), 8);
    }
}
