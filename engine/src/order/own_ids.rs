//! Orders that their strategy has given a name of its own, which it may use once.
//!
//! Promises: a name is found as long as its order is open, and then until so many orders with names
//! have ended after it; memory is allocated once, and what finds no room takes the place of what
//! ended first. Open addressing with linear probing; removal moves the entries behind back (Knuth,
//! The Art of Computer Programming 3, 6.4, algorithm R).

use std::collections::VecDeque;

use crate::event::{ClientOrderId, ExecReport, ExecType, OrderStatus, Qty};

/// A strategy's own name of an order: up to 16 bytes, of which at least one is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OwnId([u8; 16]);

impl OwnId {
    /// A name of 1 to 16 bytes; `None` for any other.
    ///
    /// ```
    /// use pitlane_engine::order::OwnId;
    ///
    /// assert_eq!(OwnId::new("close 2026-11-29"), OwnId::new("close 2026-11-29"));
    /// assert_eq!(OwnId::new(""), None);
    /// assert_eq!(OwnId::new("more than sixteen bytes"), None);
    /// ```
    #[must_use]
    pub fn new(name: &str) -> Option<OwnId> {
        let mut bytes = [0; 16];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        OwnId::from_bytes(bytes)
    }

    /// A number as a name; `None` for 0.
    #[must_use]
    pub const fn of_number(number: u128) -> Option<OwnId> {
        if number == 0 { None } else { Some(OwnId(number.to_le_bytes())) }
    }

    /// As it stands in commands and in the journal; `None` where there is none.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<OwnId> {
        (bytes != [0; 16]).then_some(OwnId(bytes))
    }

    /// As it stands in commands and in the journal.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    fn hash(self) -> u64 {
        let number = u128::from_le_bytes(self.0);
        let mixed = (number as u64) ^ ((number >> 64) as u64).rotate_left(32);
        // Fibonacci hashing: the upper bits of the product are well mixed.
        mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16
    }
}

/// What became of an order with a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnceOutcome {
    /// Its number.
    pub id: ClientOrderId,
    /// Its status by the last word on it.
    pub status: OrderStatus,
    /// Filled so far.
    pub filled: Qty,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    own_id: OwnId,
    outcome: OnceOutcome,
}

/// The names of one strategy's orders.
#[derive(Debug)]
pub(crate) struct OwnIds {
    entries: Vec<Entry>,
    /// By hash, the place of an entry plus 1; 0 is free. A power of two, at least twice the
    /// entries.
    index: Box<[u32]>,
    /// Places of open orders.
    open: Vec<u32>,
    /// Places of those that have ended, oldest first.
    closed: VecDeque<u32>,
    /// Places of those that were forgotten.
    free: Vec<u32>,
    closed_max: usize,
}

impl OwnIds {
    /// Memory of such names, bytes.
    pub(crate) fn bytes(closed_max: usize, open_max: usize) -> usize {
        let most = if closed_max == 0 { 0 } else { closed_max + 2 * open_max };
        let slots = if most == 0 { 0 } else { (2 * most).next_power_of_two() };
        let place = size_of::<u32>();
        most * size_of::<Entry>() + (slots + closed_max) * place
    }

    /// Room for the open orders, and for `closed_max` that have ended; with 0 there is none at all.
    pub(crate) fn new(closed_max: usize, open_max: usize) -> OwnIds {
        // What is revived may come on top.
        let most = if closed_max == 0 { 0 } else { closed_max + 2 * open_max };
        let slots = if most == 0 { 0 } else { (2 * most).next_power_of_two() };
        OwnIds {
            entries: Vec::with_capacity(most),
            index: vec![0; slots].into_boxed_slice(),
            open: Vec::with_capacity(most.min(2 * open_max)),
            closed: VecDeque::with_capacity(closed_max),
            free: Vec::with_capacity(most.min(2 * open_max)),
            closed_max,
        }
    }

    /// Whether names are remembered.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        self.closed_max > 0
    }

    /// What became of the order with this name.
    #[inline]
    pub(crate) fn find(&self, own_id: OwnId) -> Option<OnceOutcome> {
        self.place_of(own_id).map(|(_, place)| self.entries[place].outcome)
    }

    /// An order with this name, which is new, has left.
    #[inline]
    pub(crate) fn sent(&mut self, own_id: OwnId, id: ClientOrderId) {
        if !self.is_kept() || self.place_of(own_id).is_some() {
            return;
        }
        let outcome = OnceOutcome { id, status: OrderStatus::PendingNew, filled: Qty(0) };
        let entry = Entry { own_id, outcome };
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.link(own_id, place);
        self.open.push(place);
    }

    /// All names with what became of their orders: those that have ended, oldest first, then those
    /// that are open.
    pub(crate) fn all(&self) -> impl Iterator<Item = (OwnId, OnceOutcome)> {
        self.closed.iter().chain(&self.open).map(|place| {
            let Entry { own_id, outcome } = self.entries[*place as usize];
            (own_id, outcome)
        })
    }

    /// Takes up a name of an earlier start.
    pub(crate) fn recall(&mut self, own_id: OwnId, outcome: OnceOutcome) {
        if !self.is_kept() || self.place_of(own_id).is_some() {
            return;
        }
        self.sent(own_id, outcome.id);
        let Some(place) = self.open.pop() else { return };
        self.entries[place as usize].outcome = outcome;
        match outcome.status.is_terminal() {
            true => self.close(place),
            false => self.open.push(place),
        }
    }

    /// Takes a word on an order, with a name or without.
    #[inline]
    pub(crate) fn told(&mut self, report: &ExecReport) {
        let Some(status) = report.status() else { return };
        let is_revived = report.exec_type() == Some(ExecType::Revived);
        if self.open.is_empty() && !is_revived {
            return;
        }
        let id = ClientOrderId(report.client_order_id);
        let is_it = |place: &u32| self.entries[*place as usize].outcome.id == id;
        let mut at = self.open.iter().position(is_it);
        if at.is_none() && is_revived {
            at = self.reopen(id);
        }
        let Some(at) = at else { return };
        let place = self.open[at];
        let outcome = &mut self.entries[place as usize].outcome;
        (outcome.status, outcome.filled) = (status, Qty(report.filled_qty));
        if status.is_terminal() {
            self.open.swap_remove(at);
            self.close(place);
        }
    }

    fn close(&mut self, place: u32) {
        if self.closed.len() == self.closed_max
            && let Some(oldest) = self.closed.pop_front()
        {
            self.forget(oldest as usize);
            self.free.push(oldest);
        }
        self.closed.push_back(place);
    }

    #[cold]
    fn reopen(&mut self, id: ClientOrderId) -> Option<usize> {
        let is_it = |place: &u32| self.entries[*place as usize].outcome.id == id;
        let at = self.closed.iter().rposition(is_it)?;
        let place = self.closed.remove(at)?;
        self.open.push(place);
        Some(self.open.len() - 1)
    }

    fn slot_of(&self, own_id: OwnId) -> usize {
        own_id.hash() as usize & (self.index.len() - 1)
    }

    fn place_of(&self, own_id: OwnId) -> Option<(usize, usize)> {
        if self.index.is_empty() {
            return None;
        }
        let mut slot = self.slot_of(own_id);
        // Ends: half of the slots are free.
        loop {
            let place = self.index[slot].checked_sub(1)? as usize;
            if self.entries[place].own_id == own_id {
                return Some((slot, place));
            }
            slot = (slot + 1) & (self.index.len() - 1);
        }
    }

    fn link(&mut self, own_id: OwnId, place: u32) {
        let mut slot = self.slot_of(own_id);
        while self.index[slot] != 0 {
            slot = (slot + 1) & (self.index.len() - 1);
        }
        self.index[slot] = place + 1;
    }

    /// Takes an entry out of the index.
    fn forget(&mut self, place: usize) {
        let Some((mut free, _)) = self.place_of(self.entries[place].own_id) else { return };
        let mask = self.index.len() - 1;
        let mut slot = free;
        loop {
            self.index[free] = 0;
            loop {
                slot = (slot + 1) & mask;
                let Some(place) = self.index[slot].checked_sub(1) else { return };
                let home = self.slot_of(self.entries[place as usize].own_id);
                // It may move to the free slot unless its home lies behind that.
                if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(free) & mask {
                    break;
                }
            }
            self.index[free] = self.index[slot];
            free = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, VecDeque};

    use zerocopy::FromZeros;

    use super::*;

    fn report(id: u64, status: OrderStatus) -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        (report.client_order_id, report.status_code) = (id, status.code());
        (report.exec_type_code, report.filled_qty) = (ExecType::Status.code(), id as i64);
        report
    }

    fn name(number: u64) -> OwnId {
        // Names that differ in few bits, as strategies give them.
        OwnId::of_number(u128::from(number) + 1).unwrap()
    }

    #[test]
    fn open_orders_and_the_last_closed_ones_are_found_and_none_besides() {
        const CLOSED: usize = 64;
        let mut ids = OwnIds::new(CLOSED, 8);
        let (capacity, mut open) = (ids.entries.capacity(), VecDeque::new());
        let mut known: HashMap<u64, OrderStatus> = HashMap::new();
        let mut closed = VecDeque::new();
        for id in 0..20_000_u64 {
            ids.sent(name(id), ClientOrderId(id));
            open.push_back(id);
            known.insert(id, OrderStatus::PendingNew);
            // Now the oldest, now the newest ends.
            if open.len() == 8 {
                let of = if id % 3 == 0 { open.pop_back() } else { open.pop_front() };
                let of = of.unwrap();
                ids.told(&report(of, OrderStatus::Filled));
                known.insert(of, OrderStatus::Filled);
                closed.push_back(of);
                if closed.len() > CLOSED {
                    known.remove(&closed.pop_front().unwrap());
                }
            }
            if id % 97 == 0 {
                for probe in id.saturating_sub(200)..=id + 1 {
                    let found = ids.find(name(probe)).map(|outcome| outcome.status);
                    assert_eq!(found, known.get(&probe).copied(), "{probe} at {id}");
                }
            }
        }
        assert_eq!(ids.entries.capacity(), capacity, "it never grows");
        assert_eq!(ids.find(name(19_999)).map(|outcome| outcome.id), Some(ClientOrderId(19_999)));
    }

    #[test]
    fn an_end_that_is_taken_back_is_open_again_and_a_repeat_changes_nothing() {
        let mut ids = OwnIds::new(4, 2);
        ids.sent(name(1), ClientOrderId(1));
        ids.sent(name(1), ClientOrderId(2));
        assert_eq!(ids.find(name(1)).unwrap().id, ClientOrderId(1));
        ids.told(&report(1, OrderStatus::Rejected));
        let mut revived = report(1, OrderStatus::New);
        revived.exec_type_code = ExecType::Revived.code();
        ids.told(&revived);
        assert_eq!((ids.open.len(), ids.closed.len()), (1, 0));
        ids.told(&report(1, OrderStatus::Canceled));
        let outcome = ids.find(name(1)).unwrap();
        assert_eq!((outcome.status, outcome.filled), (OrderStatus::Canceled, Qty(1)));
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut ids = OwnIds::new(0, 64);
        ids.sent(name(1), ClientOrderId(1));
        ids.told(&report(1, OrderStatus::Filled));
        assert!(!ids.is_kept() && ids.find(name(1)).is_none() && ids.index.is_empty());
    }
}
