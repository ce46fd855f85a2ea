//! Where the venue lists an order's fills: those of three days in one list, those of a year in
//! another, of which less may be asked. An order that is younger has none there.

use std::collections::VecDeque;

use crate::event::VenueRef;

/// The list of the last three days, and that of the last year, as their paths have them.
pub(super) const RECENT: &str = "fills";
const HISTORY: &str = "fills-history";
/// Fills of an order that is younger than this are in the first of them, ms: three days, less what
/// clocks and the venue's own days may be off.
const RECENT_MS: i64 = 2 * 86_400_000;
/// Orders whose age is known until their fills are asked for.
const KEPT: usize = 64;

/// What is known of the list that is being read.
#[derive(Debug, Default)]
pub(super) struct PastFills {
    /// When orders were created, ms since the Unix epoch, as answers to questions told it.
    created: VecDeque<(VenueRef, i64)>,
    /// The page that is awaited is of the list of the year.
    is_history: bool,
    asked_ms: i64,
}

impl PastFills {
    /// An answer told when an order was created.
    pub(super) fn note(&mut self, told: Option<(VenueRef, i64)>) {
        let Some((order, _)) = told else { return };
        self.created.retain(|(of, _)| *of != order);
        if self.created.len() == KEPT {
            self.created.pop_front();
        }
        self.created.extend(told);
    }

    /// A page is asked for.
    pub(super) fn asked(&mut self, page: &str, time_ms: i64) {
        (self.is_history, self.asked_ms) = (page.starts_with(HISTORY), time_ms);
    }

    /// The page behind the one that was read, whose oldest bill this is; empty where there is none.
    pub(super) fn next_page(
        &self,
        order: Option<VenueRef>,
        oldest_bill: Option<u64>,
        is_full: bool,
    ) -> String {
        let bill = oldest_bill.map_or(String::new(), |bill| bill.to_string());
        match (self.is_history, is_full) {
            (true, true) => format!("{HISTORY}:{bill}"),
            (false, true) => format!("{RECENT}:{bill}"),
            (false, false) if !self.is_young(order) => format!("{HISTORY}:{bill}"),
            (_, false) => String::new(),
        }
    }

    /// Whether an order is known to be so young that it has no fill in the list of the year alone.
    fn is_young(&self, order: Option<VenueRef>) -> bool {
        let created = self.created.iter().find(|(of, _)| Some(*of) == order);
        created.is_some_and(|(_, created_ms)| self.asked_ms - created_ms < RECENT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_year_follows_unless_the_order_is_young() {
        let mut past = PastFills::default();
        let order = Some(VenueRef::number(7));
        past.asked(RECENT, 10 * 86_400_000);
        assert_eq!(past.next_page(order, Some(5), true), "fills:5");
        assert_eq!(past.next_page(order, Some(5), false), "fills-history:5");
        assert_eq!(past.next_page(order, None, false), "fills-history:");
        past.note(Some((VenueRef::number(7), 9 * 86_400_000)));
        assert_eq!(past.next_page(order, None, false), "", "a day old");
        assert_eq!(past.next_page(order, Some(5), true), "fills:5");
        past.note(Some((VenueRef::number(7), 7 * 86_400_000)));
        assert_eq!(past.next_page(order, None, false), "fills-history:", "three days old");
        past.asked("fills-history:5", 10 * 86_400_000);
        assert_eq!(past.next_page(order, Some(2), true), "fills-history:2");
        assert_eq!(past.next_page(order, Some(2), false), "", "it is whole");
        (0..100).for_each(|number| past.note(Some((VenueRef::number(number), 1))));
        assert_eq!(past.created.len(), KEPT);
    }
}
