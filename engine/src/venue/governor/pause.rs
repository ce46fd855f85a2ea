//! Pauses that a venue imposes: until when, on what, and why.

use super::{REQUEST_CLASSES, RequestClass};

/// A pause after a refusal that names no end doubles from its first length up to this, ns.
const UNTOLD_MAX_NS: u64 = 3_600 * 1_000_000_000;

/// Whose requests a pause stops, and for whom it stays when the key changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseScope {
    /// All that leaves this address for the venue.
    Address,
    /// All that leaves this address but cancels over sessions that stand.
    AllButCancels,
    /// New orders of the account and amendments; cancels and questions go on.
    Orders,
    /// What is asked over REST.
    Rest,
    /// Attempts to connect.
    Connects,
    /// Attempts of the order session to connect: its key does not open the account.
    Account,
}

impl PauseScope {
    /// Its name, in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PauseScope::Address => "all requests",
            PauseScope::AllButCancels => "all but cancels",
            PauseScope::Orders => "new orders",
            PauseScope::Rest => "REST",
            PauseScope::Connects => "connections",
            PauseScope::Account => "logons",
        }
    }

    /// The classes of requests that it stops.
    #[must_use]
    pub const fn classes(self) -> &'static [RequestClass] {
        match self {
            PauseScope::Address => &RequestClass::ALL,
            PauseScope::AllButCancels => &RequestClass::ALL_BUT_CANCELS,
            PauseScope::Orders => &[RequestClass::Order, RequestClass::Amend],
            PauseScope::Rest => &[RequestClass::Snapshot, RequestClass::Refresh],
            PauseScope::Connects => &[RequestClass::Connect],
            PauseScope::Account => &[RequestClass::Logon],
        }
    }

    /// Whether it is about the address, whatever account asks.
    pub(super) const fn is_of_address(self) -> bool {
        !matches!(self, PauseScope::Orders | PauseScope::Account)
    }

    /// All of them.
    pub const ALL: [PauseScope; 6] = [
        PauseScope::Address,
        PauseScope::AllButCancels,
        PauseScope::Orders,
        PauseScope::Rest,
        PauseScope::Connects,
        PauseScope::Account,
    ];
}

/// Why a venue imposed a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PauseCause {
    /// Status of HTTP, or like it; 0 where there was none.
    pub status: u16,
    /// The venue's code; 0 where there was none.
    pub code: i32,
}

impl std::fmt::Display for PauseCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.status, self.code) {
            (0, code) => write!(f, "code: {code}"),
            (status, 0) => write!(f, "code: http {status}"),
            (status, code) => write!(f, "code: http {status}, {code}"),
        }
    }
}

/// When the latest pause of each scope ends, ns, and why it was imposed.
pub(super) type Ends = [(u64, PauseCause); PauseScope::ALL.len()];

/// The pauses of one venue.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    by_scope: Ends,
    /// The latest end, by class.
    by_class: [u64; REQUEST_CLASSES],
    pub(super) count: u64,
    /// Refusals in a row that named no end, by scope.
    untold: [u32; PauseScope::ALL.len()],
}

impl Pauses {
    /// When a request of this class may be sent, ns.
    #[inline]
    pub(super) fn until_ns(&self, class: RequestClass) -> u64 {
        self.by_class[class as usize]
    }

    /// As [`Pauses::until_ns`], of the pauses that are about the address.
    pub(super) fn of_address_ns(&self, class: RequestClass) -> u64 {
        let stops = |scope: &PauseScope| scope.is_of_address() && scope.classes().contains(&class);
        let scopes = PauseScope::ALL.into_iter().filter(stops);
        scopes.map(|scope| self.by_scope[scope as usize].0).max().unwrap_or(0)
    }

    /// Takes a pause. True when it ends later than all that were known of its scope; none is ever
    /// shortened.
    pub(super) fn impose(&mut self, scope: PauseScope, until_ns: u64, cause: PauseCause) -> bool {
        self.count += 1;
        for class in scope.classes() {
            let until = &mut self.by_class[*class as usize];
            *until = (*until).max(until_ns);
        }
        let place = &mut self.by_scope[scope as usize];
        let is_later = until_ns > place.0;
        if is_later {
            *place = (until_ns, cause);
        }
        is_later
    }

    /// Takes an end off that the operator, not the venue, has set right.
    pub(super) fn lift(&mut self, scope: PauseScope) {
        self.by_scope[scope as usize] = (0, PauseCause::default());
        self.untold[scope as usize] = 0;
        for class in scope.classes() {
            let of_class = PauseScope::ALL.into_iter().filter(|s| s.classes().contains(class));
            let latest = of_class.map(|scope| self.by_scope[scope as usize].0).max();
            self.by_class[*class as usize] = latest.unwrap_or(0);
        }
    }

    /// Length of a pause whose end was not told: twice as long after each. What is refused while
    /// one is under way left before it, and is told of the same one.
    pub(super) fn untold_ns(&mut self, scope: PauseScope, first_ns: u64, now_ns: u64) -> u64 {
        let is_under_way = self.by_scope[scope as usize].0 > now_ns;
        let times = &mut self.untold[scope as usize];
        if is_under_way {
            *times = times.saturating_sub(1);
        }
        let length_ns = first_ns.saturating_mul(1 << (*times).min(16)).min(UNTOLD_MAX_NS);
        *times += 1;
        length_ns
    }

    /// Something was granted: the next pause without an end is a short one again.
    #[inline]
    pub(super) fn granted(&mut self, scope: PauseScope) {
        self.untold[scope as usize] = 0;
        if scope == PauseScope::Address {
            self.untold[PauseScope::AllButCancels as usize] = 0;
        }
    }

    /// When each ends.
    pub(super) fn ends(&self) -> &Ends {
        &self.by_scope
    }
}

/// Pauses that are not over: scope, end in ns, cause.
pub(super) fn present(
    ends: Ends,
    now_ns: u64,
) -> impl Iterator<Item = (PauseScope, u64, PauseCause)> {
    let all = PauseScope::ALL.into_iter().zip(ends);
    all.filter(move |(_, (until_ns, _))| *until_ns > now_ns)
        .map(|(scope, (until_ns, cause))| (scope, until_ns, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn no_pause_is_shortened_and_one_that_is_lifted_leaves_the_others() {
        let (mut pauses, cause) = (Pauses::default(), PauseCause { status: 429, code: -1003 });
        assert!(pauses.impose(PauseScope::Address, 5 * S, cause));
        assert!(!pauses.impose(PauseScope::Address, S, cause));
        assert!(pauses.impose(PauseScope::Account, 9 * S, cause));
        assert_eq!(pauses.until_ns(RequestClass::Logon), 9 * S);
        assert_eq!(pauses.until_ns(RequestClass::Order), 5 * S);
        pauses.lift(PauseScope::Account);
        assert_eq!(pauses.until_ns(RequestClass::Logon), 5 * S);
        assert_eq!(present(*pauses.ends(), S).count(), 1);
        assert_eq!((present(*pauses.ends(), 5 * S).count(), pauses.count), (0, 3));
    }

    #[test]
    fn pauses_without_an_end_double_up_to_an_hour() {
        let mut pauses = Pauses::default();
        let lengths: Vec<u64> =
            (0..9).map(|_| pauses.untold_ns(PauseScope::Address, 60 * S, 0) / S).collect();
        assert_eq!(lengths, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
        pauses.granted(PauseScope::Address);
        assert_eq!(pauses.untold_ns(PauseScope::Address, 60 * S, 0), 60 * S);
        // Three that left before the pause are told of it.
        pauses.impose(PauseScope::Address, 60 * S, PauseCause::default());
        for now_ns in [0, S, 59 * S] {
            assert_eq!(pauses.untold_ns(PauseScope::Address, 60 * S, now_ns), 60 * S);
        }
        assert_eq!(pauses.untold_ns(PauseScope::Address, 60 * S, 60 * S), 120 * S);
    }
}
