//! Conflation cells: where records wait that a full market lane could not take.
//!
//! Cells are grouped. A group keeps its order: while anything of it waits, everything of it goes to
//! its cells. Each cell keeps either the latest record or a bounded queue. All memory is taken when
//! the groups are made.

use std::collections::VecDeque;

use crate::bits::Bits;
use crate::record::Record;

/// Members a group can have: one bit each in a word.
const MEMBERS_MAX: usize = 64;

/// A record that can wait in a cell.
pub trait Conflate: Record {
    /// `self` waits and `newer` has arrived: makes `self` what should be delivered in place of
    /// both.
    fn absorb(&mut self, newer: &Self) -> Absorbed;

    /// `self` comes to wait in a cell that [clears](CellSpec::clears) its group, where `older`
    /// waits in another cell: whether `older` is of no use any more. By default it is not, whatever
    /// it is.
    #[inline]
    fn outdates(&self, _older: &Self) -> bool {
        true
    }
}

/// Of bare numbers the newer stands.
impl Conflate for u64 {
    fn absorb(&mut self, newer: &Self) -> Absorbed {
        *self = *newer;
        Absorbed::Replaced
    }
}

/// What became of two records of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// The newer stands, the older is gone.
    Replaced,
    /// The older stands and now contains the newer.
    Aggregated,
}

/// Why a record will not be delivered by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Displaced {
    /// A newer one of its cell, or a clearing one of its group, has replaced it.
    Conflated,
    /// It is contained in the one that waits.
    Aggregated,
    /// It was the oldest of a full queue.
    Evicted,
}

/// What became of an offered record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is in the lane.
    Published,
    /// It waits with the publisher, or was merged into one that does.
    Held,
}

/// Which cell a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellId {
    /// Index into the groups the publisher was made with.
    pub group: u32,
    /// Index into the members of the group. Lower ones are flushed first.
    pub member: u8,
}

/// Cells whose records must not overtake each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellGroupSpec {
    /// The cells, 1 to 64 of them.
    pub members: Vec<CellSpec>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellSpec {
    /// What it keeps.
    pub policy: CellPolicy,
    /// Whether a record that comes to wait here drops what waits in the other cells of the group
    /// and is [outdated](Conflate::outdates) by it.
    pub clears: bool,
}

/// What a cell keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellPolicy {
    /// One record, which absorbs those that follow.
    Latest,
    /// The newest `capacity` records (at least 1), in order; the oldest is evicted when one more
    /// comes.
    Queue {
        /// Number of records.
        capacity: usize,
    },
}

/// Memory of cells, made ahead for a publisher that is to get more of them while it runs; see
/// [`MarketPublisher::extend_cells`](crate::MarketPublisher::extend_cells).
pub struct CellMemory<E: Conflate>(pub(crate) Cells<E>);

impl<E: Conflate> CellMemory<E> {
    /// Takes the memory for these groups: those that the publisher has, in their order, and after
    /// them the new ones. [`MarketPublisher::extend_cells`](crate::MarketPublisher::extend_cells)
    /// has an example.
    ///
    /// # Panics
    /// As [`MarketPublisher::new`](crate::MarketPublisher::new).
    #[must_use]
    pub fn new(groups: &[CellGroupSpec]) -> Self {
        Self(Cells::new(groups))
    }
}

/// All cells of one publisher.
pub(crate) struct Cells<E> {
    groups: Box<[Group]>,
    cells: Box<[Cell]>,
    records: Box<[E]>,
    /// Groups with something waiting, by the moment they got it.
    waiting: VecDeque<u32>,
    pending: usize,
    /// Holds what is being replaced while the sink looks at it.
    scratch: E,
}

struct Group {
    first_cell: u32,
    /// Bit `n`: member `n` has something.
    occupied: u64,
    /// Whether it is in `waiting`; always, when something is occupied.
    is_listed: bool,
}

struct Cell {
    first_record: u32,
    capacity: u32,
    head: u32,
    len: u32,
    is_queue: bool,
    clears: bool,
}

impl<E: Conflate> Cells<E> {
    /// # Panics
    /// When there are more than 2^32 groups, a group without members or with more than 64, a
    /// queue without room, or more than 2^32 records in all.
    pub(crate) fn new(specs: &[CellGroupSpec]) -> Self {
        assert!(u32::try_from(specs.len()).is_ok(), "{} groups are too many", specs.len());
        let mut groups = Vec::with_capacity(specs.len());
        let mut cells = Vec::new();
        let mut record_count = 0_u32;
        for spec in specs {
            let member_count = spec.members.len();
            assert!(
                (1..=MEMBERS_MAX).contains(&member_count),
                "a group has 1 to {MEMBERS_MAX} members, not {member_count}"
            );
            groups.push(Group { first_cell: cells.len() as u32, occupied: 0, is_listed: false });
            for member in &spec.members {
                let cell = Cell::new(member, record_count);
                record_count = record_count.checked_add(cell.capacity).expect("too many records");
                cells.push(cell);
            }
        }
        Self {
            waiting: VecDeque::with_capacity(groups.len()),
            groups: groups.into_boxed_slice(),
            cells: cells.into_boxed_slice(),
            records: vec![E::new_zeroed(); record_count as usize].into_boxed_slice(),
            pending: 0,
            scratch: E::new_zeroed(),
        }
    }

    /// Records that wait.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// Whether anything of the group waits.
    #[inline]
    pub(crate) fn is_waiting(&self, group: u32) -> bool {
        self.groups[group as usize].occupied != 0
    }

    /// Puts a record into its cell and tells `displaced` what gives way. Whatever `displaced` does,
    /// all is accounted for when it is called.
    pub(crate) fn put(
        &mut self,
        record: &E,
        id: CellId,
        displaced: &mut impl FnMut(&E, Displaced),
    ) {
        let index = self.index(id);
        if self.cells[index].clears {
            self.clear_others(record, id, displaced);
        }
        let cell = &self.cells[index];
        if cell.len == cell.capacity {
            if !cell.is_queue {
                return self.absorb(index, record, displaced);
            }
            let oldest = self.remove_oldest(id.group, id.member.into());
            displaced(&self.records[oldest], Displaced::Evicted);
        }
        let place = self.cells[index].push();
        self.records[place].copy_used_from(record);
        self.pending += 1;
        let group = &mut self.groups[id.group as usize];
        group.occupied |= 1 << id.member;
        if !group.is_listed {
            group.is_listed = true;
            self.waiting.push_back(id.group);
        }
    }

    /// Takes the next record to be delivered: oldest group first, inside it by member, inside a
    /// queue by age.
    pub(crate) fn take_next(&mut self) -> Option<&E> {
        loop {
            let id = *self.waiting.front()?;
            let occupied = self.groups[id as usize].occupied;
            if occupied == 0 {
                // Cleared for a record that never came, since the sink panicked.
                self.unlist_first();
                continue;
            }
            let place = self.remove_oldest(id, occupied.trailing_zeros());
            if self.groups[id as usize].occupied == 0 {
                self.unlist_first();
            }
            return Some(&self.records[place]);
        }
    }

    /// Shows all that waits, in the order in which it would be delivered.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&E)) {
        for group in &self.waiting {
            let group = &self.groups[*group as usize];
            for member in Bits(group.occupied) {
                let cell = &self.cells[(group.first_cell + member) as usize];
                (0..cell.len).for_each(|age| f(&self.records[cell.place(age)]));
            }
        }
    }

    /// Removes every waiting record that is `unwanted`, and tells `dropped` of each; the others
    /// keep their order. Looks at all that waits.
    pub(crate) fn discard(&mut self, unwanted: impl Fn(&E) -> bool, dropped: &mut impl FnMut(&E)) {
        for listed in 0..self.waiting.len() {
            let id = self.waiting[listed];
            for member in Bits(self.groups[id as usize].occupied) {
                self.sift(id, member, &unwanted, dropped);
            }
        }
    }

    /// Removes what is `unwanted` from one cell; the rest keeps its order.
    fn sift(
        &mut self,
        group: u32,
        member: u32,
        unwanted: &impl Fn(&E) -> bool,
        dropped: &mut impl FnMut(&E),
    ) {
        let index = self.groups[group as usize].first_cell + member;
        for _ in 0..self.cells[index as usize].len {
            let from = self.remove_oldest(group, member);
            if unwanted(&self.records[from]) {
                dropped(&self.records[from]);
                continue;
            }
            // Back to the end: after as many steps as there were records, the order is the old one.
            let to = self.cells[index as usize].push();
            if to != from {
                self.records[to] = self.records[from];
            }
            self.pending += 1;
            self.groups[group as usize].occupied |= 1 << member;
        }
    }

    /// Takes over all that waits in `other`, whose groups are the first of these. What it held is
    /// empty then. Moves what waits and nothing else, and allocates nothing.
    ///
    /// # Panics
    /// When something waits here, or the groups are not those of `other` with others behind.
    pub(crate) fn take_over(&mut self, other: &mut Self) {
        assert!(self.pending == 0 && self.waiting.is_empty(), "something waits in the new cells");
        let shared = (other.groups.len(), other.cells.len(), other.records.len());
        let is_extension = self.groups.len() >= shared.0
            && self.cells.len() >= shared.1
            && self.records.len() >= shared.2
            && other.groups.last().map(|group| group.first_cell)
                == shared.0.checked_sub(1).map(|last| self.groups[last].first_cell);
        assert!(is_extension, "the new cells are not the old ones with others behind");
        while let Some(id) = other.waiting.pop_front() {
            let from = &mut other.groups[id as usize];
            let to = &mut self.groups[id as usize];
            to.occupied = std::mem::take(&mut from.occupied);
            to.is_listed = true;
            from.is_listed = false;
            for member in Bits(to.occupied) {
                let index = (to.first_cell + member) as usize;
                let cell = &mut other.cells[index];
                for age in 0..cell.len {
                    let place = cell.place(age);
                    self.records[place].copy_used_from(&other.records[place]);
                }
                self.cells[index].head = std::mem::take(&mut cell.head);
                self.cells[index].len = std::mem::take(&mut cell.len);
            }
            self.waiting.push_back(id);
        }
        self.pending = std::mem::take(&mut other.pending);
    }

    fn index(&self, id: CellId) -> usize {
        let group = id.group as usize;
        let first = self.groups[group].first_cell as usize;
        let end = self.groups.get(group + 1).map_or(self.cells.len(), |g| g.first_cell as usize);
        let index = first + usize::from(id.member);
        assert!(index < end, "group {} has no member {}", id.group, id.member);
        index
    }

    fn clear_others(&mut self, record: &E, id: CellId, displaced: &mut impl FnMut(&E, Displaced)) {
        let others = self.groups[id.group as usize].occupied & !(1 << id.member);
        let is_outdated = |older: &E| record.outdates(older);
        for member in Bits(others) {
            let mut dropped = |older: &E| displaced(older, Displaced::Conflated);
            self.sift(id.group, member, &is_outdated, &mut dropped);
        }
    }

    /// Lets the one record of a cell take in a newer one.
    fn absorb(&mut self, index: usize, newer: &E, displaced: &mut impl FnMut(&E, Displaced)) {
        let waiting = &mut self.records[self.cells[index].first_record as usize];
        self.scratch.copy_used_from(waiting);
        match waiting.absorb(newer) {
            Absorbed::Replaced => displaced(&self.scratch, Displaced::Conflated),
            Absorbed::Aggregated => displaced(newer, Displaced::Aggregated),
        }
    }

    /// Takes the oldest of a cell that has something; its place.
    fn remove_oldest(&mut self, group: u32, member: u32) -> usize {
        let group = &mut self.groups[group as usize];
        let cell = &mut self.cells[(group.first_cell + member) as usize];
        let place = cell.pop();
        if cell.len == 0 {
            group.occupied &= !(1 << member);
        }
        self.pending -= 1;
        place
    }

    /// Strikes the group that has waited longest off the list.
    fn unlist_first(&mut self) {
        if let Some(group) = self.waiting.pop_front() {
            self.groups[group as usize].is_listed = false;
        }
    }
}

impl Cell {
    fn new(spec: &CellSpec, first_record: u32) -> Self {
        let (capacity, is_queue) = match spec.policy {
            CellPolicy::Latest => (1, false),
            CellPolicy::Queue { capacity } => (capacity, true),
        };
        assert!(capacity > 0, "a queue cell needs room for a record");
        let capacity = u32::try_from(capacity).expect("a queue cell is too large");
        Self { first_record, capacity, head: 0, len: 0, is_queue, clears: spec.clears }
    }

    /// Place of the record of this age, 0 being the oldest.
    fn place(&self, age: u32) -> usize {
        let offset = u64::from(self.head) + u64::from(age);
        let capacity = u64::from(self.capacity);
        let offset = if offset < capacity { offset } else { offset - capacity };
        (u64::from(self.first_record) + offset) as usize
    }

    /// Place for a newest record; there must be room.
    fn push(&mut self) -> usize {
        debug_assert!(self.len < self.capacity, "no room in a cell");
        self.len += 1;
        self.place(self.len - 1)
    }

    /// Place of the oldest record, which leaves; there must be one.
    fn pop(&mut self) -> usize {
        debug_assert!(self.len > 0, "nothing in a cell");
        let place = self.place(0);
        self.len -= 1;
        self.head = if self.head + 1 < self.capacity { self.head + 1 } else { 0 };
        place
    }
}
