//! The list of an order's fills where a venue tells it page by page, the newest first: gathered
//! until it is whole, since only then it is known which part of the order each fill covers.

use crate::event::VenueRef;
use crate::venue::LetterReason;
use crate::venue::codec::DecodeError;
use crate::venue::orders::VenueFill;

use super::ReplyBody;

/// Pages of one list.
const PAGES_MAX: u32 = 100;
/// Why no fill of a list with more pages is told.
const TOO_LONG: DecodeError =
    DecodeError::new(LetterReason::Oversize, "list of fills is longer than is read");

/// The pages of the list that is being read.
#[derive(Debug, Default)]
pub(in crate::venue) struct FillPages {
    /// The request for the page that is awaited.
    asked: Option<u64>,
    order: VenueRef,
    /// Where the next page begins, in the venue's own words; empty where there is none.
    next: String,
    pages: u32,
    fills: Vec<VenueFill>,
}

impl FillPages {
    /// The first page of an order's list is asked for.
    #[cold]
    pub(in crate::venue) fn ask_newest(&mut self, id: u64, order: VenueRef) {
        self.fills.clear();
        self.next.clear();
        (self.asked, self.order, self.pages) = (Some(id), order, 0);
    }

    /// The next page is asked for: where it begins. `None`: there is none.
    #[cold]
    pub(in crate::venue) fn ask_older(&mut self, id: u64, order: VenueRef) -> Option<String> {
        if self.next.is_empty() || order != self.order {
            return None;
        }
        self.asked = Some(id);
        Some(std::mem::take(&mut self.next))
    }

    /// The order whose fills this request asks for.
    pub(in crate::venue) fn awaited(&self, id: u64) -> Option<VenueRef> {
        (self.asked == Some(id)).then_some(self.order)
    }

    /// Where the next page begins, as far as it is known before the answer.
    pub(in crate::venue) fn goes_on_at(&mut self, next: &str) {
        next.clone_into(&mut self.next);
    }

    /// Takes the answer to a request, its fills from the first on: whether it was for a page.
    #[cold]
    pub(in crate::venue) fn answered(&mut self, id: u64, page: &[VenueFill]) -> bool {
        let is_page = self.asked.take_if(|asked| *asked == id).is_some();
        if is_page {
            self.pages += 1;
            self.fills.splice(0..0, page.iter().copied());
        }
        is_page
    }

    /// Puts the fills in the order of their numbers.
    pub(in crate::venue) fn sort_by_number(&mut self) {
        self.fills.sort_by_key(|fill| fill.trade.as_number());
    }

    /// What the answer tells: that there is more, or all of it.
    pub(in crate::venue) fn told(&self) -> ReplyBody<'_> {
        let body = ReplyBody { venue_order_id: self.order, ..ReplyBody::default() };
        match (self.next.is_empty(), self.pages < PAGES_MAX) {
            (true, _) => ReplyBody { fills: &self.fills, ..body },
            (false, true) => ReplyBody { has_older: true, ..body },
            (false, false) => ReplyBody { unreadable: Some(TOO_LONG), ..body },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(numbers: std::ops::Range<u64>) -> Vec<VenueFill> {
        let fill = |number| VenueFill {
            trade: VenueRef::number(number),
            price: 1,
            qty: 1,
            fee: None,
            liquidity: None,
        };
        numbers.map(fill).collect()
    }

    #[test]
    fn pages_are_one_list_once_the_last_is_there() {
        let (mut pages, order) = (FillPages::default(), VenueRef::number(77));
        pages.ask_newest(1, order);
        assert!(!pages.answered(9, &page(0..2)), "to something else");
        pages.goes_on_at("4");
        assert!(pages.answered(1, &page(4..6)));
        assert_eq!((pages.told().has_older, pages.told().fills.len()), (true, 0));
        assert_eq!(pages.ask_older(2, VenueRef::number(78)), None, "of another order");
        assert_eq!(pages.ask_older(2, order).as_deref(), Some("4"));
        assert!(pages.answered(2, &page(1..4)));
        let numbers: Vec<_> = pages.told().fills.iter().map(|of| of.trade.as_number()).collect();
        assert_eq!(numbers, (1..6).map(Some).collect::<Vec<_>>());
        assert_eq!(pages.ask_older(3, order), None, "it is whole");
        pages.ask_newest(4, order);
        assert!(pages.answered(4, &page(7..8)) && pages.told().fills.len() == 1, "a new list");
    }

    #[test]
    fn a_list_without_an_end_is_given_up_and_said_to_be_too_long() {
        let (mut pages, order) = (FillPages::default(), VenueRef::number(77));
        pages.ask_newest(1, order);
        let mut count = 0;
        loop {
            pages.goes_on_at("more");
            assert!(pages.answered(1, &page(0..1)));
            count += 1;
            if !pages.told().has_older {
                break;
            }
            assert!(pages.ask_older(1, order).is_some());
        }
        assert_eq!(
            (count, pages.told().unreadable, pages.told().fills.len()),
            (100, Some(TOO_LONG), 0)
        );
    }
}
