//! One open window: who contributed, and where the contributions lie.

use pitlane_ring::{Pool, PoolHandle};

use super::rule::{MERGE_VENUES_MAX, bits};
use crate::event::{Bar, Event};

/// The state of one rule's window. Its memory is taken once.
pub(super) struct Window {
    /// Stamp of the event that opened it.
    pub(super) opened_ns: u64,
    /// Latest stamp in it.
    pub(super) latest_ns: u64,
    /// Opened before every window with a larger number.
    pub(super) age: u64,
    /// Bit n set: venue n has contributed.
    pub(super) seen: u64,
    /// Events it took.
    pub(super) events: u32,
    /// Of bars: start and interval of those in it.
    pub(super) bar: (i64, u32),
    /// By venue; valid where `seen` says so.
    parts: Box<[Option<PoolHandle>]>,
}

/// The contributions of a window, by venue.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pool: &'a Pool<Event>,
    window: &'a Window,
}

impl Window {
    pub(super) fn new() -> Window {
        Window {
            opened_ns: 0,
            latest_ns: 0,
            age: 0,
            seen: 0,
            events: 0,
            bar: (0, 0),
            parts: vec![None; MERGE_VENUES_MAX].into_boxed_slice(),
        }
    }

    pub(super) fn open(&mut self, at_ns: u64, age: u64) {
        (self.opened_ns, self.latest_ns, self.age) = (at_ns, at_ns, age);
        (self.seen, self.events) = (0, 0);
    }

    /// The place of a venue's contribution; `None` when there is none.
    #[inline]
    pub(super) fn part(&self, venue: usize) -> Option<PoolHandle> {
        if self.seen & (1 << venue) == 0 { None } else { self.parts[venue] }
    }

    #[inline]
    pub(super) fn put(&mut self, venue: usize, handle: PoolHandle) {
        self.seen |= 1 << venue;
        self.parts[venue] = Some(handle);
    }

    /// Returns one contribution.
    pub(super) fn withdraw(&mut self, venue: usize, pool: &mut Pool<Event>) {
        if let Some(handle) = self.part(venue) {
            give_back(pool, handle);
            self.seen &= !(1 << venue);
        }
    }

    /// Returns every contribution (FR-007); how many there were.
    #[inline]
    pub(super) fn clear(&mut self, pool: &mut Pool<Event>) -> u64 {
        for venue in bits(self.seen) {
            if let Some(handle) = self.parts[venue] {
                give_back(pool, handle);
            }
        }
        let count = u64::from(self.seen.count_ones());
        self.seen = 0;
        count
    }

    #[inline]
    pub(super) fn parts<'a>(&'a self, pool: &'a Pool<Event>) -> Parts<'a> {
        Parts { pool, window: self }
    }
}

impl<'a> Parts<'a> {
    /// The contributions, lowest venue first.
    #[inline]
    pub(super) fn iter(self) -> impl Iterator<Item = &'a Event> {
        bits(self.window.seen).filter_map(move |venue| self.pool.get(self.window.parts[venue]?))
    }
}

/// Start and interval: what bars that are combined have in common.
#[inline]
pub(super) fn bar_key(bar: &Bar) -> (i64, u32) {
    (bar.open_time_ns, bar.interval_s)
}

#[inline]
fn give_back(pool: &mut Pool<Event>, handle: PoolHandle) {
    let returned = pool.give_back(handle);
    debug_assert!(returned.is_ok(), "a window returns each contribution once");
}
