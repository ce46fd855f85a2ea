//! How the orders that a venue allows are shared by those who want to send them.
//!
//! Promises, for each limit of orders: whoever asks has its equal part of nine tenths, and may use
//! what others leave; nobody is kept from its first order by one who asks all the time. A newcomer
//! lives of the last tenth until what the others sent before it no longer counts.

/// Slices that an interval of a window's length can touch.
pub(super) const SLICES: usize = 8;

/// The part, in thousandths, that those who have not asked lately have together.
const NEWCOMERS: u64 = 100;

/// What each owner of orders has sent, in the slices of a window.
#[derive(Clone, Debug, Default)]
pub(super) struct FairShare {
    owners: Vec<Owner>,
    /// Owners that asked within the window.
    active: u64,
}

#[derive(Clone, Debug, Default)]
struct Owner {
    slices: [u32; SLICES],
    sum: u64,
    /// Slices that may pass until it counts as one who does not ask; 0 = it does not.
    active_for: u8,
}

impl FairShare {
    /// Of so many owners. Everything is allocated here.
    pub(super) fn of(owners: usize) -> FairShare {
        FairShare { owners: vec![Owner::default(); owners], active: 0 }
    }

    /// The slice at `place` starts anew.
    pub(super) fn advance(&mut self, place: usize) {
        for owner in &mut self.owners {
            owner.sum -= u64::from(std::mem::take(&mut owner.slices[place]));
            owner.active_for = owner.active_for.saturating_sub(1);
        }
        self.active = self.owners.iter().filter(|owner| owner.active_for > 0).count() as u64;
    }

    /// An owner counts as one who asks from now on.
    #[inline]
    pub(super) fn asks(&mut self, owner: u16) {
        if let Some(asker) = self.owners.get_mut(usize::from(owner)) {
            self.active += u64::from(asker.active_for == 0);
            asker.active_for = SLICES as u8;
        }
    }

    /// Whether an owner that asks may have one more, where `used` of `most` are in use.
    #[inline]
    pub(super) fn admits(&self, owner: u16, used: u64, most: u64) -> bool {
        let count = self.owners.len() as u64;
        let Some(asker) = self.owners.get(usize::from(owner)) else { return true };
        let mine = asker.sum;
        let idle = count - self.active;
        let newcomers = if idle == 0 { 0 } else { most * NEWCOMERS / 1_000 };
        let part = (most - newcomers) / self.active.max(1);
        if mine < part {
            // One of each that has not asked yet stays, as far as half of their part goes.
            return used + idle.min(newcomers / 2) < most;
        }
        let others = self.owners.iter().filter(|other| other.active_for > 0);
        let kept: u64 = others.map(|other| part.saturating_sub(other.sum)).sum();
        used + newcomers + kept < most
    }

    /// Counts one of an owner in the slice at `place`.
    pub(super) fn add(&mut self, owner: u16, place: usize) {
        if let Some(owner) = self.owners.get_mut(usize::from(owner)) {
            owner.slices[place] = owner.slices[place].saturating_add(1);
            owner.sum += 1;
        }
    }

    /// How many slices must pass until one of an owner's orders no longer counts.
    pub(super) fn slices_to_room(&self, owner: u16, slice: u64) -> u64 {
        let Some(owner) = self.owners.get(usize::from(owner)) else { return 1 };
        let is_used = |step: &u64| owner.slices[((slice + step) % SLICES as u64) as usize] > 0;
        (1..=SLICES as u64).find(is_used).unwrap_or(1)
    }
}
