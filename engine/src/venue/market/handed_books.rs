//! Books that go over from one connection to the next, where the stream tells them whole.

use super::books::{BookSlot, FeedBooks};
use super::stamper::{Origin, Stamper};
use crate::event::BookStatus;
use crate::venue::EventOutlet;
use crate::venue::book::BookRule;

impl BookSlot {
    /// The venue's time of the book, ns; 0 where it tells none.
    fn time_ns(&self) -> i64 {
        self.whole_ns.max(self.sync.last_applied_ns())
    }

    /// How far it is, by what two connections of one venue have in common: numbers that count the
    /// book's own updates, or the time.
    fn place(&self) -> i64 {
        match self.sync.rule() {
            BookRule::Contiguous => self.sync.last_update_id().cast_signed(),
            BookRule::Linked => self.time_ns(),
        }
    }

    /// Whether what is to be told was told by the connection before.
    #[cold]
    pub(super) fn is_held(&mut self, origin: &Origin) -> bool {
        let place = match self.sync.rule() {
            BookRule::Contiguous => origin.sequence.cast_signed(),
            BookRule::Linked => origin.venue_time_ns,
        };
        let is_held = place != 0 && place <= self.held_until;
        if !is_held {
            self.held_until = 0;
        }
        is_held
    }
}

impl FeedBooks {
    /// Goes on with the books of another connection, which keeps these. A book that is live in both
    /// stays so without a word; one that is behind is not published before it has caught up.
    #[cold]
    pub(super) fn take_over(&mut self, next: &mut FeedBooks, now_ns: u64) {
        // What was asked of the old connection is answered by nobody.
        self.refresh.start(now_ns);
        for index in 0..self.books.len().min(next.books.len()) {
            let (slot, other) = (&mut self.books[index], &mut next.books[index]);
            let (had, place) = (slot.sync.status(), slot.place());
            let is_same = slot.sync.book().top() == other.sync.book().top();
            std::mem::swap(&mut slot.sync, &mut other.sync);
            std::mem::swap(&mut slot.whole_ns, &mut other.whole_ns);
            let (has, is_behind) = (slot.sync.status(), slot.place() < place);
            slot.held_until = if is_behind && had == BookStatus::Live { place } else { 0 };
            slot.doubt.restart();
            slot.doubted_at = None;
            if had != has {
                self.mark(index);
            }
            if has == BookStatus::Live && !is_behind && (had != has || !is_same) {
                self.untold.push_back(index);
            }
            self.look_whether_wanted(index);
        }
    }

    /// Whether a book is further than what was told.
    #[inline]
    pub(super) fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Publishes the books that are further than what was told, as long as there is room.
    #[cold]
    pub(super) fn tell_untold(
        &mut self,
        stamper: &mut Stamper,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) {
        // Its status goes first, where that has not been told yet.
        while outlet.room() > 1
            && let Some(index) = self.untold.pop_front()
        {
            let slot = &self.books[index];
            if slot.sync.status() == BookStatus::Live {
                let origin = Origin::of_no_frame(slot.instrument, now_ns, stamper);
                let (sequence, venue_time_ns) = (slot.sync.last_update_id(), slot.time_ns());
                let origin = Origin { sequence, venue_time_ns, ..origin };
                self.announce(stamper, index, origin, outlet);
                self.publish_book(stamper, index, origin, outlet);
            }
        }
    }
}
