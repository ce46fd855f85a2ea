//! One limit, and what counts for it.

use super::share::{FairShare, SLICES};
use super::{Counted, HeldBack, HoldReason, Limit, RequestClass, ToldLimit};

/// Windows of at least this length end by the venue's calendar, in UTC: what is counted in them
/// would otherwise hold us back for up to twice their length, ns.
const CALENDAR_NS: u64 = 3_600_000_000_000;
/// A limit of connections over a window this short is open again by the time that one of them has
/// failed: nothing of it is kept for later, ns.
const SHORT_NS: u64 = 10_000_000_000;
/// How far our wall clock may be off, ns.
const CLOCK_MARGIN_NS: u64 = 60_000_000_000;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) class: RequestClass,
    pub(super) weight: u32,
    /// Whose order it is, where the limits of orders are to be shared.
    pub(super) owner: Option<u16>,
    pub(super) now_ns: u64,
}

/// A venue's count of so many times the limit is none.
const ABSURD_TIMES: u64 = 10;

/// A limit, and what was sent in the slices that count for it.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) limit: Limit,
    /// The venue itself has said it.
    pub(super) is_learned: bool,
    slice_ns: u64,
    pub(super) slices: [u64; SLICES],
    /// Number of the slice that is being filled; its place is the remainder by [`SLICES`].
    pub(super) slice: u64,
    /// When it ends, ns.
    slice_end_ns: u64,
    /// Of all slices.
    sum: u64,
    /// What the venue said that it has counted, and what was sent since then.
    pub(super) told: u64,
    pub(super) told_until_ns: u64,
    /// When something was counted last, ns.
    last_ns: u64,
    share: FairShare,
}

/// Length of the slices of a window of this length, ns.
pub(super) fn slice_ns(window_ns: u64) -> u64 {
    window_ns.div_ceil(SLICES as u64 - 1).max(1)
}

impl Window {
    pub(super) fn new(limit: Limit, share: FairShare) -> Window {
        let slice_ns = slice_ns(limit.window_ns);
        Window {
            limit,
            is_learned: false,
            slice_ns,
            slices: [0; SLICES],
            slice: 0,
            slice_end_ns: slice_ns,
            sum: 0,
            told: 0,
            told_until_ns: 0,
            last_ns: 0,
            share,
        }
    }

    /// What a request costs here.
    #[inline]
    pub(super) fn cost(&self, ask: &Ask) -> u64 {
        match (self.limit.counts, ask.class) {
            (Counted::Weight, _) => ask.weight.into(),
            (Counted::Orders, RequestClass::Order) => 1,
            (Counted::Amends, RequestClass::Amend) => 1,
            (Counted::Connects, RequestClass::Connect) => 1,
            (Counted::Requests, class) if class != RequestClass::Connect => 1,
            (Counted::Orders | Counted::Amends | Counted::Connects | Counted::Requests, _) => 0,
        }
    }

    /// Why and until when the request must wait for this limit.
    #[inline]
    pub(super) fn hold(&mut self, ask: &Ask) -> Option<HeldBack> {
        let cost = self.cost(ask);
        if cost == 0 {
            return None;
        }
        let used = self.used(ask.now_ns);
        if let (Counted::Orders, Some(owner)) = (self.limit.counts, ask.owner) {
            self.share.asks(owner);
        }
        let amount = u64::from(self.limit.amount);
        let is_short = self.limit.window_ns <= SHORT_NS;
        let most = match self.limit.counts {
            Counted::Connects if is_short => amount,
            // A class that may use only a part of the limit may still send one request that is
            // larger.
            _ => (amount * ask.class.share() / 1_000).max(cost.min(amount)),
        };
        if used + cost > most {
            let reason = HoldReason::of_limit(self.limit.counts);
            return Some(HeldBack { until_ns: self.room_at(cost, most, ask.now_ns), reason });
        }
        match self.limit.counts {
            Counted::Orders => self.hold_by_share(ask, used, most),
            Counted::Connects if !is_short => self.hold_by_pace(ask, used, most),
            Counted::Connects | Counted::Weight | Counted::Requests | Counted::Amends => None,
        }
    }

    fn hold_by_share(&mut self, ask: &Ask, used: u64, most: u64) -> Option<HeldBack> {
        let owner = ask.owner?;
        if self.share.admits(owner, used, most) {
            return None;
        }
        let slice = self.slice + self.share.slices_to_room(owner, self.slice);
        let until_ns = (slice * self.slice_ns).max(ask.now_ns + 1);
        Some(HeldBack { until_ns, reason: HoldReason::Share })
    }

    /// Once half of the attempts are used, the other half is spread over the window: so there is
    /// always one left for a venue that comes back.
    fn hold_by_pace(&self, ask: &Ask, used: u64, most: u64) -> Option<HeldBack> {
        let until_ns = self.last_ns + 3 * self.limit.window_ns / most.max(1);
        (2 * used >= most && ask.now_ns < until_ns)
            .then_some(HeldBack { until_ns, reason: HoldReason::Pace })
    }

    /// Counts a request; whether it is of those that this limit counts.
    #[inline]
    pub(super) fn add(&mut self, ask: &Ask) -> bool {
        let cost = self.cost(ask);
        if cost == 0 {
            return false;
        }
        let place = (self.slice % SLICES as u64) as usize;
        self.slices[place] += cost;
        self.sum += cost;
        self.told += cost;
        self.last_ns = ask.now_ns;
        if let (Counted::Orders, Some(owner)) = (self.limit.counts, ask.owner) {
            self.share.add(owner, place);
        }
        true
    }

    /// What counts now: the worse of what we have sent and of what the venue says.
    #[inline]
    pub(super) fn used(&mut self, now_ns: u64) -> u64 {
        if now_ns >= self.slice_end_ns {
            self.advance(now_ns);
        }
        if now_ns < self.told_until_ns { self.sum.max(self.told) } else { self.sum }
    }

    /// Follows what the venue tells of this limit. `wall_ns` is the wall time of `now_ns`. False
    /// where a number makes no sense: a venue bans long before so much is used.
    pub(super) fn learn(&mut self, told: &ToldLimit, now_ns: u64, wall_ns: i64) -> bool {
        if let Some(amount) = told.amount.filter(|amount| *amount > 0) {
            self.limit.amount = amount;
            self.is_learned = true;
        }
        let Some(used) = told.used.map(u64::from) else { return true };
        if used > ABSURD_TIMES * u64::from(self.limit.amount) {
            return false;
        }
        if now_ns >= self.told_until_ns {
            self.told = 0;
        }
        // Somewhat less than we think: requests are on their way, or fills gave orders back. Much
        // less: the venue's window began anew.
        if used < self.told && 2 * used >= self.told {
            return true;
        }
        self.told = used;
        self.told_until_ns = self.end_of_theirs(now_ns, wall_ns);
        true
    }

    /// When the venue's present window is over for sure.
    fn end_of_theirs(&self, now_ns: u64, wall_ns: i64) -> u64 {
        let length_ns = self.limit.window_ns;
        if length_ns < CALENDAR_NS {
            return now_ns.saturating_add(length_ns);
        }
        let into_ns = u64::try_from(wall_ns).unwrap_or(0) % length_ns;
        now_ns.saturating_add(length_ns - into_ns + CLOCK_MARGIN_NS)
    }

    /// Forgets the slices that are over.
    #[cold]
    fn advance(&mut self, now_ns: u64) {
        let slice = now_ns / self.slice_ns;
        // A clock that stepped back counts on in the slice that it had reached.
        let passed = slice.saturating_sub(self.slice);
        for step in 1..=passed.min(SLICES as u64) {
            let place = ((self.slice + step) % SLICES as u64) as usize;
            self.sum -= std::mem::take(&mut self.slices[place]);
            self.share.advance(place);
        }
        self.slice = self.slice.max(slice);
        self.slice_end_ns = (self.slice + 1).saturating_mul(self.slice_ns);
    }

    /// When there is room for `cost` below `most`.
    #[cold]
    fn room_at(&self, cost: u64, most: u64, now_ns: u64) -> u64 {
        let wanted = (self.sum + cost).saturating_sub(most.min(self.sum + cost));
        let mut freed = 0;
        let mut until_ns = now_ns + 1;
        if wanted > 0 {
            let step = (1..=SLICES as u64).find(|step| {
                freed += self.slices[((self.slice + step) % SLICES as u64) as usize];
                freed >= wanted
            });
            until_ns = (self.slice + step.unwrap_or(SLICES as u64)) * self.slice_ns;
        }
        if now_ns < self.told_until_ns && self.told + cost > most {
            until_ns = until_ns.max(self.told_until_ns);
        }
        until_ns.max(now_ns + 1)
    }
}
