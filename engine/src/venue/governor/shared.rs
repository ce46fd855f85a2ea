//! One address with several accounts: what is counted by the address is counted once.
//!
//! Each account has a governor of its own for its orders. That of the first also keeps what is
//! counted by the address; those of the others ask it for that.

use super::shown::ShownWindow;
use super::{Ask, Counted, Governor, HeldBack, HoldReason, Limit};
use super::{PauseScope, Shared, ToldLimits, Window};

impl Window {
    /// Whether it counts what leaves the address, whatever account it is for.
    pub(super) fn is_of_address(&self) -> bool {
        is_of_address(self.limit.counts)
    }
}

/// Whether something is counted by the address.
pub(super) fn is_of_address(counts: Counted) -> bool {
    match counts {
        Counted::Weight | Counted::Connects | Counted::Requests => true,
        Counted::Orders | Counted::Amends => false,
    }
}

impl Governor {
    /// The governor of another account at the same address: weights, requests, connections and
    /// bans are counted together with those of this one; its orders are counted alone.
    ///
    /// # Panics
    /// With more limits than a venue may have.
    #[must_use]
    pub fn for_account(&self, venue: &str, limits: &[Limit], owners: usize) -> Governor {
        let own: Vec<Limit> =
            limits.iter().filter(|limit| !is_of_address(limit.counts)).copied().collect();
        let address = self.address.clone().unwrap_or_else(|| self.own.clone());
        Governor { address: Some(address), ..Governor::named(venue, &own, owners) }
    }

    /// Where a pause of this scope is kept.
    pub(super) fn keeper(&self, scope: PauseScope) -> &Shared {
        match &self.address {
            Some(address) if scope.is_of_address() => address,
            _ => &self.own,
        }
    }

    /// Decides where the address is another's; `None`: another decision is under way.
    #[cold]
    pub(super) fn decide_with(
        own: &Shared,
        address: &Shared,
        ask: &Ask,
    ) -> Option<Result<(), HeldBack>> {
        let (shown, shown_there) = (&own.shown, &address.shown);
        let mut own = own.state.try_lock()?;
        let mut address = address.state.try_lock()?;
        let until_ns = own.pauses.until_ns(ask.class).max(address.pauses.of_address_ns(ask.class));
        if ask.now_ns < until_ns {
            let held_back = HeldBack { until_ns, reason: HoldReason::Pause };
            shown.held(ask.class, held_back.reason);
            return Some(Err(held_back));
        }
        let later = |one: Option<HeldBack>, other: Option<HeldBack>| match (one, other) {
            (Some(one), Some(other)) if other.until_ns > one.until_ns => Some(other),
            (one, other) => one.or(other),
        };
        let mut all = |each: &mut dyn FnMut((&mut Window, &ShownWindow))| {
            let shared = address.windows.iter_mut().zip(&shown_there.windows);
            let shared = shared.filter(|(window, _)| window.is_of_address());
            own.windows.iter_mut().zip(&shown.windows).chain(shared).for_each(each);
        };
        let mut held_back = None;
        all(&mut |(window, _)| held_back = later(held_back, window.hold(ask)));
        if let Some(held_back) = held_back {
            shown.held(ask.class, held_back.reason);
            return Some(Err(held_back));
        }
        all(&mut |(window, shown)| shown.add_to(window, ask));
        shown.sent(ask.class);
        Some(Ok(()))
    }
}

impl ToldLimits {
    /// Limits of what the account has, with those that are not known, and on what the address
    /// has.
    pub(super) fn by_keeper(&self) -> [ToldLimits; 2] {
        let [mut own, mut shared] = [ToldLimits::default(), ToldLimits::default()];
        for told in self.known() {
            if is_of_address(told.counts) { shared.take(*told) } else { own.take(*told) }
        }
        self.unknown().iter().for_each(|name| own.take_unknown(name));
        [own, shared]
    }
}
