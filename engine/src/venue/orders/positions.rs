//! What the account holds of contracts, by the venue, against what is counted here: every fill that
//! is told to a strategy, and what the record says of earlier starts.
//!
//! Every fill tells both, one after the other, so for a moment they differ. A difference that stays
//! for a second is asked after, and holds once the venue's list of positions says so that was asked
//! for in peace: nothing was told since, and no order in the instrument is in doubt. From then on
//! new orders in the instrument are refused, but for those that only reduce; cancels go on. The
//! venue is asked again and again, and once both agree all goes on.
//!
//! The same refusal holds earlier, while it is not yet known who is right: once a list says
//! otherwise, once somebody else's fill was told, and when a difference stays however the stream
//! goes on.

use crate::event::{InstrumentId, Side};
use crate::order::recovery::RecordedPosition;
use crate::venue::SymbolMap;
use crate::venue::protocol::AccountPosition;

/// A difference that is as old as this is asked after, ns.
const SETTLE_NS: u64 = 1_000_000_000;
/// One that is as old as this holds new orders back, ns: under a stream of fills none is ever in
/// peace.
const HOLD_NS: u64 = 3_000_000_000;
/// Between two questions while there is one, ns.
const AGAIN_NS: u64 = 1_000_000_000;
/// The same, once it is proved or the venue does not answer.
const PROVED_AGAIN_NS: u64 = 10_000_000_000;

/// Where the two counts of one instrument stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Even,
    /// They differ, or may, since then; whether new orders wait for the answer.
    Uneven { since_ns: u64, holds: bool },
    /// The venue holds so much more.
    Proved { by: i64 },
}

/// One instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    is_traded: bool,
    ours: i64,
    /// `None` until it was told.
    venues: Option<i64>,
    /// When either was told last, ns.
    changed_ns: u64,
    standing: Standing,
}

/// What became of an instrument's difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is proved, or is another one by now.
    Differs,
    /// There is none any more.
    Agrees,
    /// It is taken as none of ours.
    Accepted,
}

/// One verdict: the instrument, what is counted here, and what the venue says.
pub(super) type Finding = (InstrumentId, Verdict, i64, i64);

/// The positions of the account.
#[derive(Debug, Default)]
pub(super) struct HeldPositions {
    /// By instrument; empty where the account holds no contracts.
    rows: Box<[Row]>,
    /// Some row is not even.
    is_uneven: bool,
    /// The venue has told all since the connection was made, or did not answer.
    pub(super) is_told: bool,
    /// No question before, ns.
    next_ns: u64,
    /// What the next list says otherwise is taken as none of ours.
    accepts: bool,
}

impl HeldPositions {
    /// Of an account that trades these, by what is on record.
    pub(super) fn new(symbols: &SymbolMap, recorded: &[RecordedPosition]) -> HeldPositions {
        let last = symbols.iter().map(|(_, symbol)| symbol.instrument.index()).max();
        let mut rows = vec![Row::default(); last.map_or(0, |last| last + 1)];
        for (_, symbol) in symbols.iter() {
            rows[symbol.instrument.index()].is_traded = true;
        }
        for of in recorded {
            if let Some(row) = rows.get_mut(of.instrument.index()) {
                row.ours = row.ours.saturating_add(of.qty);
            }
        }
        HeldPositions { rows: rows.into(), ..HeldPositions::default() }
    }

    /// Whether the account holds contracts at all.
    #[inline]
    pub(super) fn are_held(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Whether nothing of them is waited for.
    pub(super) fn is_told_or_none(&self) -> bool {
        self.is_told || !self.are_held()
    }

    /// A fill of ours is told.
    #[inline]
    pub(super) fn filled(
        &mut self,
        (instrument, side): (InstrumentId, Side),
        qty: i64,
        now_ns: u64,
    ) -> Option<Finding> {
        let row = self.rows.get_mut(instrument.index())?;
        let signed = if side == Side::Buy { qty } else { -qty };
        row.ours = row.ours.saturating_add(signed);
        self.changed(instrument, now_ns)
    }

    /// The venue's stream tells a position.
    pub(super) fn told(&mut self, told: &AccountPosition, now_ns: u64) -> Option<Finding> {
        self.rows.get_mut(told.instrument.index())?.venues = Some(told.qty);
        self.changed(told.instrument, now_ns)
    }

    /// Somebody else has traded on the account: new orders wait until the venue has told what it
    /// holds now.
    pub(super) fn doubt(&mut self, instrument: InstrumentId, now_ns: u64) {
        let Some(row) = self.rows.get_mut(instrument.index()) else { return };
        row.changed_ns = now_ns;
        if !matches!(row.standing, Standing::Proved { .. }) {
            row.standing = Standing::Uneven { since_ns: now_ns, holds: true };
        }
        self.is_uneven = true;
    }

    /// One of the two counts was told. Only the venue's list proves anything but that they agree.
    fn changed(&mut self, instrument: InstrumentId, now_ns: u64) -> Option<Finding> {
        let row = self.rows.get_mut(instrument.index())?;
        row.changed_ns = now_ns;
        let venues = row.venues?;
        let finding = match row.standing {
            Standing::Even if row.ours == venues => return None,
            Standing::Even => {
                row.standing = Standing::Uneven { since_ns: now_ns, holds: false };
                self.is_uneven = true;
                return None;
            }
            _ if row.ours != venues => return None,
            Standing::Uneven { .. } => None,
            Standing::Proved { .. } => Some((instrument, Verdict::Agrees, row.ours, venues)),
        };
        row.standing = Standing::Even;
        self.look_for_uneven();
        finding
    }

    fn look_for_uneven(&mut self) {
        self.is_uneven = self.rows.iter().any(|row| row.standing != Standing::Even);
    }

    /// The venue's list came, which was asked for at `sent_ns`. What is missing in a whole one is
    /// 0. `is_at_rest` says whether no order in an instrument is in doubt.
    #[cold]
    pub(super) fn listed(
        &mut self,
        (listed, is_whole): (&[AccountPosition], bool),
        (sent_ns, now_ns): (u64, u64),
        is_at_rest: impl Fn(InstrumentId) -> bool,
    ) -> Vec<Finding> {
        (self.is_told, self.next_ns) = (true, now_ns + AGAIN_NS);
        let accepts = std::mem::take(&mut self.accepts);
        let mut findings = Vec::new();
        for (index, row) in self.rows.iter_mut().enumerate().filter(|(_, row)| row.is_traded) {
            let instrument = InstrumentId(index as u32);
            let told = listed.iter().find(|of| of.instrument == instrument).map(|of| of.qty);
            let Some(venues) = told.or(is_whole.then_some(0)) else { continue };
            if row.venues.is_some() && row.changed_ns >= sent_ns {
                // The stream has told something newer, or a fill of ours may be in it or not.
                continue;
            }
            let before = row.standing;
            row.venues = Some(venues);
            // What a fill has moved already may not have been told yet: never by the first list.
            let is_old = |since_ns: u64| since_ns.max(row.changed_ns) + SETTLE_NS <= sent_ns;
            let is_settled = is_at_rest(instrument)
                && matches!(before, Standing::Uneven { since_ns, .. } if is_old(since_ns));
            let by = venues.saturating_sub(row.ours);
            let verdict = match before {
                _ if by == 0 => {
                    row.standing = Standing::Even;
                    matches!(before, Standing::Proved { .. }).then_some(Verdict::Agrees)
                }
                _ if accepts => {
                    findings.push((instrument, Verdict::Accepted, row.ours, venues));
                    (row.ours, row.standing) = (venues, Standing::Even);
                    None
                }
                Standing::Proved { by: before } => {
                    row.standing = Standing::Proved { by };
                    (before != by).then_some(Verdict::Differs)
                }
                _ if is_settled => {
                    row.standing = Standing::Proved { by };
                    Some(Verdict::Differs)
                }
                Standing::Uneven { since_ns, .. } => {
                    row.standing = Standing::Uneven { since_ns, holds: true };
                    None
                }
                Standing::Even => {
                    row.standing = Standing::Uneven { since_ns: now_ns, holds: true };
                    None
                }
            };
            findings.extend(verdict.map(|verdict| (instrument, verdict, row.ours, venues)));
        }
        self.look_for_uneven();
        let is_open = |row: &Row| matches!(row.standing, Standing::Uneven { .. });
        if self.is_uneven && !self.rows.iter().any(is_open) {
            self.next_ns = now_ns + PROVED_AGAIN_NS;
        }
        findings
    }

    /// The list is not to be had now.
    pub(super) fn given_up(&mut self, now_ns: u64) {
        (self.is_told, self.next_ns) = (true, now_ns + PROVED_AGAIN_NS);
    }

    /// An operator has switched the venue off and on: differences that were known are taken as none
    /// of ours.
    pub(super) fn accept(&mut self) {
        let is_proved = |row: &Row| matches!(row.standing, Standing::Proved { .. });
        self.accepts = self.rows.iter().any(is_proved);
    }

    /// When the venue is to be asked because of a difference, ns.
    pub(super) fn ask_ns(&self) -> u64 {
        if !self.is_uneven {
            return u64::MAX;
        }
        let due = |row: &Row| match row.standing {
            Standing::Even => u64::MAX,
            Standing::Uneven { since_ns, .. } => since_ns + SETTLE_NS,
            Standing::Proved { .. } => 0,
        };
        self.rows.iter().map(due).min().unwrap_or(u64::MAX).max(self.next_ns)
    }

    /// Whether new orders in this instrument are refused now.
    #[inline]
    pub(super) fn holds(&self, instrument: InstrumentId, now_ns: u64) -> bool {
        if !self.is_uneven {
            return false;
        }
        match self.rows.get(instrument.index()).map(|row| row.standing) {
            None | Some(Standing::Even) => false,
            Some(Standing::Uneven { since_ns, holds }) => holds || now_ns - since_ns >= HOLD_NS,
            Some(Standing::Proved { .. }) => true,
        }
    }

    /// The proved differences: what is counted here, and what the venue says.
    #[cold]
    pub(super) fn differences(&self) -> impl Iterator<Item = (InstrumentId, i64, i64)> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(index, row)| match row.standing {
            Standing::Proved { .. } => {
                Some((InstrumentId(index as u32), row.ours, row.venues.unwrap_or_default()))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const BTC: InstrumentId = InstrumentId(0);

    fn held() -> HeldPositions {
        let recorded =
            RecordedPosition { venue: crate::event::VenueId(0), instrument: BTC, qty: 5 };
        HeldPositions::new(&SymbolMap::of_test(&["BTCUSDT"]), &[recorded])
    }

    fn position(qty: i64) -> AccountPosition {
        AccountPosition { instrument: BTC, qty }
    }

    #[test]
    fn a_fill_that_both_tell_is_no_difference_whoever_is_first() {
        let mut held = held();
        assert!(held.listed((&[position(5)], true), (2 * S, 2 * S), |_| true).is_empty());
        assert_eq!(held.told(&position(7), 3 * S), None);
        assert_eq!(held.ask_ns(), 4 * S, "as long as one is behind");
        assert!(!held.holds(BTC, 3 * S));
        held.filled((BTC, Side::Buy), 2, 3 * S);
        held.filled((BTC, Side::Sell), 7, 3 * S);
        assert_eq!(held.ask_ns(), 4 * S);
        assert_eq!((held.told(&position(0), 3 * S), held.ask_ns()), (None, u64::MAX));
    }

    #[test]
    fn a_difference_is_proved_by_a_list_that_was_asked_for_in_peace() {
        let mut held = held();
        held.filled((BTC, Side::Buy), 1, 8 * S);
        let all: (&[AccountPosition], bool) = (&[position(9)], true);
        assert!(held.listed(all, (9 * S, 9 * S), |_| true).is_empty(), "a report may be late");
        assert!(held.holds(BTC, 9 * S) && held.differences().next().is_none());
        assert!(held.listed(all, (10 * S, 10 * S), |_| false).is_empty(), "an order is in doubt");
        let differs = (BTC, Verdict::Differs, 6, 9);
        assert_eq!(held.listed(all, (11 * S, 11 * S), |_| true), [differs]);
        assert_eq!(held.listed(all, (21 * S, 21 * S), |_| true), [], "once");
        assert_eq!((held.ask_ns(), held.holds(BTC, 22 * S)), (31 * S, true));
        assert_eq!(held.differences().collect::<Vec<_>>(), [(BTC, 6, 9)]);
        let agrees = Some((BTC, Verdict::Agrees, 6, 6));
        assert_eq!(held.told(&position(6), 23 * S), agrees);
        assert!(!held.holds(BTC, 23 * S) && held.ask_ns() == u64::MAX);
    }

    #[test]
    fn a_list_that_was_asked_for_before_the_last_word_says_nothing() {
        let mut held = held();
        assert_eq!(held.told(&position(5), 8 * S), None);
        assert!(held.listed((&[], true), (7 * S, 9 * S), |_| true).is_empty());
        assert!(!held.holds(BTC, 9 * S), "what the stream has told since is newer");
        assert!(held.listed((&[], false), (9 * S, 9 * S), |_| true).is_empty());
        assert!(!held.holds(BTC, 9 * S), "what a list in parts has not is not known");
    }

    #[test]
    fn a_difference_that_stays_holds_orders_also_where_there_is_no_peace() {
        let mut held = held();
        for second in 10..14 {
            held.filled((BTC, Side::Buy), 1, second * S);
            held.told(&position(5 + 2 + second as i64 - 9), second * S);
            assert_eq!(held.holds(BTC, second * S), second == 13);
        }
    }

    #[test]
    fn a_strangers_fill_holds_orders_until_the_list_and_an_operator_may_accept_what_it_says() {
        let mut held = held();
        held.doubt(BTC, 4 * S);
        assert!(held.holds(BTC, 4 * S));
        held.accept();
        held.told(&position(2), 4 * S);
        let differs = (BTC, Verdict::Differs, 5, 2);
        assert_eq!(held.listed((&[position(2)], true), (5 * S, 5 * S), |_| true), [differs]);
        held.accept();
        let accepted = (BTC, Verdict::Accepted, 5, 2);
        assert_eq!(held.listed((&[position(2)], true), (6 * S, 6 * S), |_| true), [accepted]);
        assert!(!held.holds(BTC, 6 * S));
        held.filled((BTC, Side::Buy), 1, 7 * S);
        assert_eq!(held.told(&position(3), 7 * S), None);
        assert_eq!(held.ask_ns(), u64::MAX);
    }
}
