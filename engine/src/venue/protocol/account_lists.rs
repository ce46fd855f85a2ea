//! What is asked of an account as a whole, and is told in lists: its open orders, page by page, and
//! what it has of each asset.

use super::account_list::AccountList;
use super::order_messages::{AssetBalance, ListedOrder, ReplyBody};
use crate::venue::LetterReason;
use crate::venue::codec::DecodeError;

/// Pages of one list.
const PAGES_MAX: u32 = 200;
/// What lies beyond the last page is not known.
const TOO_LONG: DecodeError =
    DecodeError::new(LetterReason::Oversize, "list of open orders is longer than is read");

/// The lists of an account that are being read.
#[derive(Debug, Default)]
pub(in crate::venue) struct AccountLists {
    /// The request for the page of open orders that is awaited.
    orders: Option<u64>,
    /// The request for balances that is awaited.
    balances: Option<u64>,
    /// Where the next page begins, in the venue's own words; empty where a list begins anew.
    next: String,
    pages: u32,
    listed: Vec<ListedOrder>,
    /// Why an order is not in the list.
    unreadable: Option<DecodeError>,
}

impl AccountLists {
    /// A page of the open orders is asked for: where it begins, empty for the first. A page that
    /// failed is asked for again.
    #[cold]
    pub(in crate::venue) fn ask_orders(&mut self, id: u64) -> &str {
        if self.next.is_empty() {
            (self.pages, self.unreadable) = (0, None);
            self.listed.clear();
        }
        self.orders = Some(id);
        &self.next
    }

    /// The balances are asked for.
    pub(in crate::venue) fn ask_balances(&mut self, id: u64) {
        self.balances = Some(id);
    }

    /// Whether a request asks for a list.
    pub(in crate::venue) fn is_asked(&self, id: u64) -> bool {
        self.orders == Some(id) || self.balances == Some(id)
    }

    /// The list that a request asks for; told once.
    #[cold]
    pub(in crate::venue) fn answered(&mut self, id: u64) -> Option<AccountList> {
        if self.orders.take_if(|asked| *asked == id).is_some() {
            return Some(AccountList::OpenOrders);
        }
        self.balances.take_if(|asked| *asked == id).map(|_| AccountList::Balances)
    }

    /// One order more, or why it can't be read.
    pub(in crate::venue) fn push(&mut self, order: Result<ListedOrder, DecodeError>) {
        match order {
            Ok(order) => self.listed.push(order),
            Err(error) => self.unreadable = self.unreadable.or(Some(error)),
        }
    }

    /// A page was read whole, and behind it the list goes on here; empty where it does not. What is
    /// told: that there is more, or all of it.
    #[cold]
    pub(in crate::venue) fn end_page(&mut self, next: &str) -> ReplyBody<'_> {
        next.clone_into(&mut self.next);
        self.pages += 1;
        if !next.is_empty() && self.pages < PAGES_MAX {
            return ReplyBody { has_older: true, ..ReplyBody::default() };
        }
        if !next.is_empty() {
            self.unreadable = self.unreadable.or(Some(TOO_LONG));
            self.next.clear();
        }
        let (listed, unreadable) = (&self.listed, self.unreadable);
        ReplyBody { listed, unreadable, ..ReplyBody::default() }
    }
}

/// What an answer tells of balances.
pub(in crate::venue) fn told_balances(
    balances: &[AssetBalance],
    unreadable: Option<DecodeError>,
) -> ReplyBody<'_> {
    ReplyBody { balances, unreadable, ..ReplyBody::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Side, VenueRef};
    use crate::venue::protocol::listed_text;

    fn order(number: u64) -> ListedOrder {
        ListedOrder {
            name: number.to_string().bytes().collect(),
            venue_order_id: VenueRef::number(number),
            native: listed_text("BTC"),
            side: Side::Buy,
            price: listed_text("1"),
            qty: listed_text("1"),
            filled: listed_text("0"),
            state: None,
        }
    }

    #[test]
    fn pages_are_one_list_and_one_that_failed_is_asked_for_again() {
        let mut lists = AccountLists::default();
        assert_eq!(lists.ask_orders(1), "");
        lists.ask_balances(2);
        assert_eq!(lists.answered(9), None, "of something else");
        assert_eq!(lists.answered(2), Some(AccountList::Balances));
        assert_eq!(lists.answered(1), Some(AccountList::OpenOrders));
        assert_eq!(lists.answered(1), None, "told once");
        (1..3).for_each(|number| lists.push(Ok(order(number))));
        let body = lists.end_page("2");
        assert!(body.has_older && body.listed.is_empty());
        assert_eq!(lists.ask_orders(3), "2");
        // Refused, and asked for again.
        assert_eq!(lists.answered(3), Some(AccountList::OpenOrders));
        assert_eq!(lists.ask_orders(4), "2");
        lists.push(Ok(order(3)));
        lists.push(Err(DecodeError::number("no number")));
        let body = lists.end_page("");
        assert_eq!((body.has_older, body.listed.len()), (false, 3));
        assert!(body.unreadable.is_some(), "half a list");
        assert_eq!(lists.ask_orders(5), "", "a new list");
        let body = lists.end_page("");
        assert_eq!((body.listed.len(), body.unreadable), (0, None));
    }

    #[test]
    fn a_list_without_an_end_is_told_as_half_a_list() {
        let mut lists = AccountLists::default();
        for pages in 1.. {
            lists.ask_orders(pages);
            lists.push(Ok(order(pages)));
            let body = lists.end_page("more");
            if !body.has_older {
                assert_eq!((pages, body.unreadable), (u64::from(PAGES_MAX), Some(TOO_LONG)));
                assert_eq!(body.listed.len(), pages as usize);
                break;
            }
        }
        assert_eq!(lists.ask_orders(1), "", "and not for ever");
    }
}
