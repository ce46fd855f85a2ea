//! Requests that wait for their answers: a fixed table, found by the request's id.

use std::ops::RangeInclusive;

use crate::event::{ConsumerId, InstrumentId};
use crate::order::OrderKey;

/// Requests that may wait at a time; a power of two.
const SLOTS: usize = 1_024;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A step of the logon, by its name.
    Logon(&'static str),
    /// Place this order.
    Submit(OrderKey),
    /// Cancel this order.
    Cancel(OrderKey),
    /// Amend this order.
    Amend(OrderKey),
    /// Tell the state of this order, of which so many reports had counted.
    Query(OrderKey, u32),
    /// List the fills of this order.
    Fills(OrderKey),
    /// Tell the venue's time.
    Time,
    /// Subscribe to the account's stream, unless it stands.
    Subscribe,
    /// Set the venue's timer that cancels all.
    DeadMan,
    /// Keep the account's stream alive.
    Upkeep,
    /// Cancel all that is open in this instrument, for this consumer.
    CancelSymbol(ConsumerId, InstrumentId),
    /// List what the account has open.
    OpenOrders,
    /// Tell what the account has of each asset.
    Balances,
    /// Tell what positions it holds.
    Positions,
    /// Cancel the order at this place of the list of those that no record has.
    CancelListed(u16),
    /// Tell what the account and its key may do: the question at this place.
    Account(u8),
}

impl Asked {
    /// The order that it is about.
    pub(super) fn order(self) -> Option<OrderKey> {
        match self {
            Asked::Logon(_)
            | Asked::Time
            | Asked::Subscribe
            | Asked::DeadMan
            | Asked::Upkeep
            | Asked::CancelSymbol(..) => None,
            Asked::OpenOrders | Asked::Balances | Asked::Positions => None,
            Asked::CancelListed(_) | Asked::Account(_) => None,
            Asked::Submit(key) | Asked::Cancel(key) | Asked::Amend(key) => Some(key),
            Asked::Query(key, _) | Asked::Fills(key) => Some(key),
        }
    }

    /// What it is, in messages; the order's name follows.
    pub(super) fn what(self) -> &'static str {
        match self {
            Asked::Logon(step) => step,
            Asked::Time => "the question for the time",
            Asked::Subscribe => "whether the account's stream stands",
            Asked::DeadMan => "the timer that cancels all",
            Asked::Upkeep => "the upkeep of the account's stream",
            Asked::CancelSymbol(..) => "the cancel of a whole symbol",
            Asked::OpenOrders => "the request for the account's open orders",
            Asked::Balances => "the request for the account's balances",
            Asked::Positions => "the request for the account's positions",
            Asked::CancelListed(_) => "the cancel of an order that is not on record",
            Asked::Account(_) => "the question for what the account may do",
            Asked::Submit(_) => "order",
            Asked::Cancel(_) => "the cancel of order",
            Asked::Amend(_) => "the amendment of order",
            Asked::Query(..) => "the query of order",
            Asked::Fills(_) => "the request for the fills of order",
        }
    }

    /// Whether it may add risk at the venue.
    #[inline]
    pub(super) fn adds_risk(self) -> bool {
        matches!(self, Asked::Submit(_) | Asked::Amend(_))
    }

    /// Whether it only asks what stands.
    pub(super) fn is_question(self) -> bool {
        self.is_query() || self.is_fills()
    }

    fn is_query(self) -> bool {
        matches!(self, Asked::Query(..))
    }

    fn is_fills(self) -> bool {
        matches!(self, Asked::Fills(_))
    }
}

/// The unanswered requests of one connection.
#[derive(Debug)]
pub(super) struct RequestsInFlight {
    slots: Box<[Option<Waiting>]>,
    next_id: u64,
    count: usize,
    /// Of them, those that are not overdue.
    waiting: usize,
    /// Of these, queries, and lists of fills.
    queries: usize,
    fills: usize,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: u64,
    /// The last one that went out together with it; itself where it went alone.
    last: u64,
    sent_ns: u64,
    asked: Asked,
    is_overdue: bool,
    /// Its slot is free, and kept until it is needed.
    is_answered: bool,
}

impl Waiting {
    fn takes_slot(slot: Option<&Waiting>) -> bool {
        slot.is_some_and(|waiting| !waiting.is_answered)
    }
}

/// What a reply is the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// A request that waited.
    First(Asked),
    /// One that was answered before.
    Again(Asked),
}

impl RequestsInFlight {
    pub(super) fn new() -> RequestsInFlight {
        RequestsInFlight {
            slots: vec![None; SLOTS].into_boxed_slice(),
            next_id: 1,
            count: 0,
            waiting: 0,
            queries: 0,
            fills: 0,
        }
    }

    /// How many wait and are not overdue.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many of them have to be waited for before the session may end.
    #[inline]
    pub(super) fn holding(&self) -> usize {
        self.waiting - self.fills
    }

    /// How many lists of fills wait and are not overdue.
    #[inline]
    pub(super) fn fills(&self) -> usize {
        self.fills
    }

    /// How many queries wait and are not overdue.
    #[inline]
    pub(super) fn queries(&self) -> usize {
        self.queries
    }

    /// The id for a new request; `None` while as many wait as may.
    #[inline]
    pub(super) fn add(&mut self, asked: Asked, sent_ns: u64) -> Option<u64> {
        if self.count == SLOTS {
            return None;
        }
        // Ends: at least one slot is free, and ids pass all of them in turn.
        while Waiting::takes_slot(self.slots[slot(self.next_id)].as_ref()) {
            self.next_id += 1;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.slots[slot(id)] =
            Some(Waiting { id, last: id, sent_ns, asked, is_overdue: false, is_answered: false });
        self.count += 1;
        self.waiting += 1;
        self.queries += usize::from(asked.is_query());
        self.fills += usize::from(asked.is_fills());
        Some(id)
    }

    /// The requests with these ids went out together.
    #[cold]
    pub(super) fn went_together(&mut self, (first, last): (u64, u64)) {
        for id in first..=last {
            if let Some(waiting) = self.slots[slot(id)].as_mut().filter(|of| of.id == id) {
                waiting.last = last;
            }
        }
    }

    /// The ids of the requests that went out together with this one, and behind it.
    #[inline]
    pub(super) fn behind(&self, id: u64) -> RangeInclusive<u64> {
        let waiting = self.slots[slot(id)].filter(|waiting| waiting.id == id);
        let last = waiting.map_or(id, |waiting| waiting.last);
        id.saturating_add(1)..=last
    }

    /// What the request with this id is for, while it waits.
    #[inline]
    pub(super) fn asked(&self, id: u64) -> Option<Asked> {
        let waiting = self.slots[slot(id)].filter(|of| of.id == id && !of.is_answered)?;
        Some(waiting.asked)
    }

    /// When the request with this id was sent; `None` when no reply to it is awaited.
    pub(super) fn sent_ns(&self, id: u64) -> Option<u64> {
        let waiting = self.slots[slot(id)]?;
        (waiting.id == id && !waiting.is_answered).then_some(waiting.sent_ns)
    }

    /// What the request with this id was for; it no longer waits. `None` for one that was never
    /// sent, or too long ago.
    #[inline]
    pub(super) fn take(&mut self, id: u64) -> Option<Answered> {
        let waiting = self.slots[slot(id)].as_mut().filter(|waiting| waiting.id == id)?;
        if waiting.is_answered {
            return Some(Answered::Again(waiting.asked));
        }
        waiting.is_answered = true;
        let (asked, is_overdue) = (waiting.asked, waiting.is_overdue);
        self.count -= 1;
        if !is_overdue {
            self.waits_no_more(asked);
        }
        Some(Answered::First(asked))
    }

    /// A request that was sent before `before_ns` and has become overdue with this call. Its reply
    /// still finds it until [`RequestsInFlight::forget`].
    pub(super) fn next_overdue(&mut self, before_ns: u64) -> Option<Asked> {
        let is_late = |waiting: &&mut Waiting| {
            !waiting.is_answered && !waiting.is_overdue && waiting.sent_ns < before_ns
        };
        let overdue = self.slots.iter_mut().flatten().find(is_late)?;
        overdue.is_overdue = true;
        let asked = overdue.asked;
        self.waits_no_more(asked);
        Some(asked)
    }

    #[inline]
    fn waits_no_more(&mut self, asked: Asked) {
        self.waiting -= 1;
        self.queries -= usize::from(asked.is_query());
        self.fills -= usize::from(asked.is_fills());
    }

    /// Forgets what is overdue and was sent before `before_ns`: no reply comes any more.
    pub(super) fn forget(&mut self, before_ns: u64) {
        for slot in &mut self.slots {
            let is_over = |waiting: Waiting| {
                waiting.is_overdue && !waiting.is_answered && waiting.sent_ns < before_ns
            };
            if slot.is_some_and(is_over) {
                *slot = None;
                self.count -= 1;
            }
        }
    }

    /// Whether such a request waits, overdue or not.
    #[cold]
    pub(super) fn waits_for(&self, asked: Asked) -> bool {
        let mut waiting = self.slots.iter().flatten().filter(|waiting| !waiting.is_answered);
        waiting.any(|waiting| waiting.asked == asked)
    }

    /// Forgets the steps of a logon: the connection they went out on is gone.
    #[cold]
    pub(super) fn forget_logons(&mut self) {
        for index in 0..SLOTS {
            let of_logon = |waiting: &Waiting| matches!(waiting.asked, Asked::Logon(_));
            if let Some(waiting) = self.slots[index].filter(of_logon) {
                self.take(waiting.id);
            }
        }
    }

    /// Takes out the cancel of a whole symbol that was sent first.
    #[cold]
    pub(super) fn next_symbol_cancel(&mut self) -> Option<(ConsumerId, InstrumentId)> {
        let open = self.slots.iter().flatten().filter(|waiting| !waiting.is_answered);
        let is_one = |waiting: &&Waiting| matches!(waiting.asked, Asked::CancelSymbol(..));
        let Waiting { id, asked, .. } = *open.filter(is_one).min_by_key(|waiting| waiting.id)?;
        self.take(id);
        match asked {
            Asked::CancelSymbol(consumer, instrument) => Some((consumer, instrument)),
            _ => None,
        }
    }

    /// Forgets all: the connection they went out on is gone.
    pub(super) fn clear(&mut self) {
        self.slots.fill(None);
        (self.count, self.waiting, self.queries, self.fills) = (0, 0, 0, 0);
    }
}

fn slot(id: u64) -> usize {
    id as usize & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ClientOrderId;

    fn submit(id: u64) -> Asked {
        Asked::Submit(OrderKey { consumer: ConsumerId(0), id: ClientOrderId(id) })
    }

    #[test]
    fn an_answer_finds_its_request_once() {
        let mut requests = RequestsInFlight::new();
        let id = requests.add(submit(5), 0).unwrap();
        assert_eq!(requests.take(id + SLOTS as u64), None, "another id of the same slot");
        assert_eq!(requests.take(id), Some(Answered::First(submit(5))));
        assert_eq!((requests.take(id), requests.waiting()), (Some(Answered::Again(submit(5))), 0));
    }

    #[test]
    fn a_full_table_takes_no_more_and_one_old_request_blocks_no_other() {
        let mut requests = RequestsInFlight::new();
        let oldest = requests.add(Asked::Logon("logon"), 0).unwrap();
        for round in 0..5 * SLOTS as u64 {
            let id = requests.add(submit(round), round).unwrap();
            assert_eq!(requests.take(id), Some(Answered::First(submit(round))));
        }
        while requests.add(submit(1), 9).is_some() {}
        assert_eq!(requests.waiting(), SLOTS);
        assert_eq!(requests.next_overdue(1), Some(Asked::Logon("logon")));
        assert_eq!((requests.next_overdue(1), requests.waiting()), (None, SLOTS - 1));
        requests.forget(1);
        assert_eq!(requests.take(oldest), None);
        assert!(requests.add(submit(2), 9).is_some());
    }
}
