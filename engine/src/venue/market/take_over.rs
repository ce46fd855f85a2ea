//! A market feed goes over to its next connection, where the stream tells books whole: from one
//! moment on the books are those of the next connection, and of what waited there everything is
//! told that the old one has not told.

use super::feed::MarketFeed;
use super::intake::FrameOutcome;
use super::next_feed::NextFeed;
use super::overlap::{Mark, Overlap};
use crate::venue::protocol::{MarketProtocol, MarketSink};
use crate::venue::{EventOutlet, LetterReason};

/// Room that a message which waited needs: itself, and the word that its stream is back.
pub(super) const ROOM: usize = 2;
/// Messages that waited which one duty cycle takes: most were told, and need no room.
const TOLD_PER_CYCLE: usize = 256;

impl<P: MarketProtocol> MarketFeed<P> {
    /// The next connection is open.
    #[cold]
    pub(super) fn open_next(&mut self, now_ns: u64) {
        let MarketFeed { next, symbols, next_options, stamper, .. } = self;
        let made_with = (stamper.venue, stamper.clock.clone());
        let make = || Box::new(NextFeed::new(symbols, next_options, made_with));
        next.get_or_insert_with(make).open(now_ns);
    }

    /// Takes one whole frame of the next connection. Of what it says nothing is published yet.
    #[cold]
    pub(super) fn on_next_frame(
        &mut self,
        raw: &[u8],
        (receive_ns, trace_id): (u64, u64),
        outlet: &mut impl EventOutlet,
    ) -> FrameOutcome {
        let Some(next) = &mut self.next else { return FrameOutcome::KeptAlive };
        let outcome = next.on_frame(raw, receive_ns, trace_id);
        let stats = &self.stamper.stats;
        if outcome != Ok(FrameOutcome::Unfinished) {
            stats.frames();
        }
        match outcome {
            Ok(FrameOutcome::Unfinished) => FrameOutcome::Unfinished,
            Ok(FrameOutcome::Decoded) => {
                stats.decoded();
                FrameOutcome::Decoded
            }
            Ok(outcome) => {
                stats.control();
                outcome
            }
            Err(error) => {
                stats.refused();
                if error.reason == LetterReason::Unknown {
                    stats.unknown();
                }
                outlet.dead_letter(error.reason, error.detail, raw);
                FrameOutcome::Refused
            }
        }
    }

    /// Whether the next connection has every book that the present one has.
    pub(super) fn is_next_ready(&self) -> bool {
        self.next.as_ref().is_some_and(|next| next.has_books_of(&self.books))
    }

    /// The next connection is the present one from now on. How many messages that waited there had
    /// no place and are gone.
    #[cold]
    pub(super) fn take_over_next(&mut self, now_ns: u64) -> u64 {
        let Some(next) = &mut self.next else { return 0 };
        std::mem::swap(&mut self.protocol, &mut next.protocol);
        self.books.take_over(&mut next.books, now_ns);
        std::mem::swap(&mut self.kept, &mut next.kept);
        self.marks.clear();
        self.marks.extend(self.numbers.iter().map(Mark::of));
        next.left_out
    }

    /// Whether something that waited is still to be told.
    #[inline]
    pub(super) fn has_kept(&self) -> bool {
        !self.kept.is_empty() || self.books.has_untold()
    }

    /// Tells what waited, as long as there is room.
    #[cold]
    pub(super) fn tell_kept(&mut self, now_ns: u64, outlet: &mut impl EventOutlet) -> usize {
        let mut told = 0;
        self.overlap = Overlap::Behind;
        while told < TOLD_PER_CYCLE
            && outlet.room() >= ROOM
            && let Some(kept) = self.kept.pop_front()
        {
            self.stamper.trace_id = kept.trace_id;
            let run = |_: &mut P, intake: &mut super::intake::Intake<'_, _>| {
                intake.take(kept.message);
            };
            self.with_intake(kept.receive_ns, outlet, run);
            told += 1;
        }
        if self.kept.is_empty() {
            self.books.tell_untold(&mut self.stamper, now_ns, outlet);
        }
        told + 1
    }
}
