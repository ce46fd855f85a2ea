//! What becomes of the messages of one frame: judged, put into books, published.

use arrayvec::ArrayVec;

use super::bars::{BarIs, Bars};
use super::books::FeedBooks;
use super::overlap::{Mark, Overlap};
use super::plausible::{Number, Numbers, Times};
use super::silence::SilenceWatch;
use super::stamper::{Origin, Stamper};
use super::streams::Streams;
use super::topics::Stream;
use crate::event::{Bar, BookStatusReason, EventKind, EventPayload, StreamState, StreamStatus};
use crate::venue::book::Diff;
use crate::venue::codec::DecodeError;
use crate::venue::protocol::{MarketMessage, MarketSink, WholeBook};
use crate::venue::{EventOutlet, Symbol};

/// Streams that come back in one duty cycle and are said by name.
pub(super) const BACK_MAX: usize = 16;

/// What a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOutcome {
    /// Market data. It was published, or it went into a book that isn't live yet.
    Decoded,
    /// Answer to a request on this connection.
    Reply {
        /// The request's number.
        id: u64,
        /// The venue's error code; `None` = done.
        error: Option<i32>,
    },
    /// Answer to the oldest request that has none yet.
    NextReply {
        /// The venue's error code; `None` = done.
        error: Option<i32>,
    },
    /// Too long for one duty cycle, and only begun: it is to be handed over again.
    Unfinished,
    /// The server will close this connection soon: reconnect.
    Shutdown,
    /// Nothing but a sign of life.
    KeptAlive,
    /// Could not be decoded; kept as a dead letter.
    Refused,
}

/// The word on a stream.
pub(super) fn state_of(kind: EventKind, status: StreamStatus, silent_ns: u64) -> StreamState {
    let (kind_code, status_code) = (kind.code(), status.code());
    StreamState { kind_code, status_code, reserved: [0; 6], silent_ns }
}

/// Where the messages of one frame go.
pub(super) struct Intake<'f, O> {
    pub(super) books: &'f mut FeedBooks,
    pub(super) stamper: &'f mut Stamper,
    pub(super) watch: &'f mut SilenceWatch,
    pub(super) streams: &'f mut Streams,
    pub(super) numbers: &'f mut [Numbers],
    /// By slot.
    pub(super) bars: &'f mut [Bars],
    /// What bars were subscribed to, where that is one interval.
    pub(super) interval_s: Option<u32>,
    pub(super) times: &'f mut Times,
    pub(super) back: &'f mut ArrayVec<Stream, BACK_MAX>,
    pub(super) outlet: &'f mut O,
    pub(super) receive_ns: u64,
    pub(super) outcome: FrameOutcome,
    /// Why a message was left out although it could be decoded.
    pub(super) refused: Option<DecodeError>,
    /// A time was not believed.
    pub(super) is_untimely: bool,
    /// Whether another connection tells the same.
    pub(super) overlap: Overlap,
    /// What the connection before had told of each stream.
    pub(super) marks: &'f [Mark],
}

impl<O: EventOutlet> Intake<'_, O> {
    #[inline]
    fn origin(&mut self, symbol: Symbol, sequence: u64, venue_time_ns: i64) -> Origin {
        let venue_time_ns = self.time(venue_time_ns);
        Origin {
            instrument: symbol.instrument,
            sequence,
            venue_time_ns,
            receive_ns: self.receive_ns,
            trace_id: self.stamper.trace_id,
            renumbered: 0,
        }
    }

    /// Whether a price makes no sense after those before it.
    #[inline]
    fn is_far(&mut self, symbol: Symbol, kind: EventKind, price: i64) -> bool {
        let place = Streams::place(symbol.slot, kind);
        let numbers = place.and_then(|place| self.numbers.get_mut(place));
        let is_far = numbers.is_some_and(|numbers| !numbers.take_price(price));
        if is_far {
            self.refused = Some(DecodeError::nonsense("price far from the one before"));
        }
        is_far
    }

    /// A time, or 0 for one that is not believed.
    #[inline]
    fn time(&mut self, venue_time_ns: i64) -> i64 {
        if venue_time_ns == 0 || self.times.is_plausible(venue_time_ns, self.receive_ns) {
            return venue_time_ns;
        }
        self.is_untimely = true;
        0
    }

    /// Publishes what is numbered, unless its number makes no sense.
    #[inline]
    fn publish<T: EventPayload>(
        &mut self,
        payload: &T,
        symbol: Symbol,
        sequence: u64,
        venue_time_ns: i64,
    ) {
        self.watch.heard(T::KIND, self.receive_ns);
        let mut origin = self.origin(symbol, sequence, venue_time_ns);
        let Some(place) = Streams::place(symbol.slot, T::KIND) else { return };
        if let Some(numbers) = self.numbers.get_mut(place) {
            if self.overlap != Overlap::None {
                let mark = self.marks.get(place).copied().unwrap_or_default();
                let told = (sequence, origin.venue_time_ns);
                if self.overlap.leaves_out(T::KIND, (numbers, mark), told) {
                    return self.stamper.stats.repeats();
                }
            }
            if sequence == 0 {
                numbers.note_time(origin.venue_time_ns);
            }
            if numbers.take(sequence, self.receive_ns) == Number::Absurd {
                self.refused = Some(DecodeError::nonsense("number far from the one before"));
                return;
            }
            origin.renumbered = numbers.renumbered;
        }
        if self.streams.heard(place, self.receive_ns) {
            self.tell_back(symbol, T::KIND);
        }
        self.stamper.publish(payload, origin, self.outlet);
    }

    /// What was passed on before.
    #[cold]
    fn repeat(&mut self, place: usize, symbol: Symbol, kind: EventKind) {
        self.stamper.stats.repeats();
        if self.streams.heard(place, self.receive_ns) {
            self.tell_back(symbol, kind);
        }
    }

    /// Publishes a bar, unless it makes no sense or was told before.
    fn bar(&mut self, bar: &Bar, symbol: Symbol, venue_time_ns: i64) {
        let at_ns = self.time(venue_time_ns);
        let Some(bars) = self.bars.get_mut(symbol.slot) else { return };
        match bars.take(bar, at_ns, self.interval_s) {
            // Bars have no number of their own; 0 says so.
            BarIs::New => self.publish(bar, symbol, 0, at_ns),
            BarIs::Repeat => {
                self.watch.heard(EventKind::Bar, self.receive_ns);
                if let Some(place) = Streams::place(symbol.slot, EventKind::Bar) {
                    self.repeat(place, symbol, EventKind::Bar);
                }
            }
            BarIs::Absurd(why) => self.refused = Some(DecodeError::nonsense(why)),
        }
    }

    /// A stream that was told as stale is heard again.
    #[cold]
    fn tell_back(&mut self, symbol: Symbol, kind: EventKind) {
        // Of more than fit only the first are said; their subscribers are told of each.
        let _ = self.back.try_push((symbol.instrument, kind));
        if kind != EventKind::Book {
            let state = state_of(kind, StreamStatus::Live, 0);
            let origin = Origin::of_no_frame(symbol.instrument, self.receive_ns, self.stamper);
            self.stamper.publish(&state, origin, self.outlet);
        }
    }

    /// A book that the stream tells whole.
    #[inline]
    fn whole(&mut self, symbol: Symbol, book: &WholeBook<'_>) {
        self.watch.heard(EventKind::Book, self.receive_ns);
        let origin = self.origin(symbol, book.last_update_id, book.venue_time_ns);
        self.books.on_whole(self.stamper, symbol.slot, book, origin, self.outlet);
        self.heard(symbol, EventKind::Book);
    }

    /// A stream speaks.
    #[inline]
    fn heard(&mut self, symbol: Symbol, kind: EventKind) {
        if let Some(place) = Streams::place(symbol.slot, kind)
            && self.streams.heard(place, self.receive_ns)
        {
            self.tell_back(symbol, kind);
        }
    }

    #[inline]
    fn depth(&mut self, symbol: Symbol, mut diff: Diff<'_>) {
        self.watch.heard(EventKind::Book, self.receive_ns);
        let origin = self.origin(symbol, diff.final_update_id, diff.venue_time_ns);
        if origin.venue_time_ns == 0
            && let Some((last_ns, _)) = self.times.last()
        {
            // It would tell a repeat from a new numbering.
            diff.venue_time_ns = last_ns;
        }
        let told = (origin, self.overlap);
        if self.books.on_diff(self.stamper, symbol.slot, &diff, told, self.outlet) {
            self.heard(symbol, EventKind::Book);
        }
    }
}

impl<O: EventOutlet> MarketSink for Intake<'_, O> {
    #[inline]
    fn take(&mut self, message: MarketMessage<'_>) {
        self.outcome = FrameOutcome::Decoded;
        match message {
            MarketMessage::Quote { symbol, update_id, venue_time_ns, quote } => {
                let price = quote.bid_price.max(quote.ask_price);
                if self.is_far(symbol, EventKind::Quote, price) {
                    return;
                }
                // What waited is older than the book that took over.
                if self.overlap != Overlap::Behind {
                    self.books.quoted(symbol.slot, &quote, self.receive_ns);
                }
                self.publish(&quote, symbol, update_id, venue_time_ns);
            }
            MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade } => {
                if self.is_far(symbol, EventKind::Trade, trade.last_price) {
                    return;
                }
                if self.overlap != Overlap::Behind {
                    self.books.traded(symbol.slot, trade.last_price, self.receive_ns);
                }
                self.publish(&trade, symbol, trade_id, venue_time_ns);
            }
            MarketMessage::Bar { .. } if self.overlap.waits() => self.stamper.stats.repeats(),
            MarketMessage::Bar { symbol, venue_time_ns, bar } => {
                self.bar(&bar, symbol, venue_time_ns);
            }
            MarketMessage::Mark { .. } if self.overlap.waits() => self.stamper.stats.repeats(),
            MarketMessage::Mark { symbol, venue_time_ns, mark } => {
                if !self.is_far(symbol, EventKind::MarkPrice, mark.mark_price_e10) {
                    // It has no number; 0 says so.
                    self.publish(&mark, symbol, 0, venue_time_ns);
                }
            }
            MarketMessage::Depth { symbol, diff } => self.depth(symbol, diff),
            MarketMessage::Book { symbol, book } => self.whole(symbol, &book),
            MarketMessage::Gap => {
                self.stamper.stats.gaps();
                self.books.distrust_all(BookStatusReason::Gap);
            }
            MarketMessage::Unchanged { symbol, kind } => {
                self.outcome = FrameOutcome::KeptAlive;
                self.heard(symbol, kind);
            }
            MarketMessage::KeptAlive => self.outcome = FrameOutcome::KeptAlive,
            MarketMessage::Reply { id, error } => self.outcome = FrameOutcome::Reply { id, error },
            MarketMessage::NextReply { error } => self.outcome = FrameOutcome::NextReply { error },
            MarketMessage::Shutdown => self.outcome = FrameOutcome::Shutdown,
        }
    }
}
