//! What the account has, whoever has brought it there: its open orders at the start, and its
//! balances with each connection.
//!
//! An order of ours of which there is no record is taken up where its name is one that an earlier
//! start of this journal gives out, behind the last number on record: the end of a journal may be
//! lost with the power. Any other is left alone and shown: a journal that is not there any more,
//! another engine, and a stranger can't be told apart by a name.

use super::account_step::Step;
use super::inspection::Inspection;
use super::positions::HeldPositions;
use super::requests_in_flight::Asked;
use crate::event::{Balance, InstrumentId};
use crate::order::recovery::{OtherOrder, RecordedOrder};
use crate::venue::protocol::{AssetBalance, ListedOrder, Outcome};

/// Orders of others that are shown; all are counted.
const OTHERS_MAX: usize = 1_000;

/// What is asked of the account as a whole, and what was found.
#[derive(Debug)]
pub(super) struct AccountCheck {
    pub(super) open_orders: Step,
    pub(super) balances: Step,
    pub(super) positions: Step,
    /// Part of the answer could not be read: what is not in it may be there.
    pub(super) is_half_listed: bool,
    pub(super) has_half_balances: bool,
    /// The first time that the limits held a request back, ns; 0 for never.
    pub(super) held_back_ns: u64,
    /// Whether orders with names like ours that no record has are cancelled.
    pub(super) cancels_unrecorded: bool,
    /// These, and how far their cancels are.
    pub(super) unrecorded: Vec<(ListedOrder, Step)>,
    /// Orders of ours that were not on record and are taken up.
    pub(super) adopted: Vec<RecordedOrder>,
    /// The others.
    pub(super) others: Vec<OtherOrder>,
    pub(super) others_count: u64,
    /// What the account had when the start asked.
    pub(super) found: Vec<AssetBalance>,
    /// What was told last of each asset, by its number, and the instrument that it goes with.
    pub(super) told: Box<[Option<(InstrumentId, Balance)>]>,
    /// Whether its positions are asked for with each connection.
    pub(super) asks_positions: bool,
    /// What it holds of contracts.
    pub(super) held: HeldPositions,
    /// What else is asked, where somebody wants to know what it may do.
    pub(super) inspection: Option<Inspection>,
}

impl AccountCheck {
    /// One that asks, or never does.
    pub(super) fn new(asks: bool, cancels_unrecorded: bool) -> AccountCheck {
        let first = if asks { Step::FIRST } else { Step::GivenUp };
        AccountCheck {
            open_orders: first,
            balances: first,
            positions: Step::GivenUp,
            is_half_listed: false,
            has_half_balances: false,
            held_back_ns: 0,
            cancels_unrecorded,
            unrecorded: Vec::new(),
            adopted: Vec::new(),
            others: Vec::new(),
            others_count: 0,
            found: Vec::new(),
            told: Box::default(),
            asks_positions: false,
            held: HeldPositions::default(),
            inspection: None,
        }
    }

    /// With what the account holds of contracts, which it asks for with each connection, or only
    /// where there is a difference.
    pub(super) fn with_positions(self, mut held: HeldPositions, asks: bool) -> AccountCheck {
        let positions = if asks { Step::FIRST } else { Step::GivenUp };
        held.is_told = !asks;
        AccountCheck { positions, held, asks_positions: asks, ..self }
    }

    /// Whether nothing more is to be found out at the start.
    pub(super) fn is_over(&self) -> bool {
        let are_cancelled = self.unrecorded.iter().all(|(_, step)| step.is_over());
        self.open_orders.is_over() && self.balances.is_over() && are_cancelled
    }

    /// Whether the venue has told all that is open.
    pub(super) fn is_listed(&self) -> bool {
        self.open_orders == Step::Answered && !self.is_half_listed
    }

    /// Whether the venue has told all that the account has.
    pub(super) fn has_balances(&self) -> bool {
        self.balances == Step::Answered && !self.has_half_balances
    }

    /// When the next request is due, ns.
    pub(super) fn due_ns(&self) -> u64 {
        let steps = self.unrecorded.iter().map(|(_, step)| *step);
        let inspected = self.inspection.iter().flat_map(Inspection::steps).map(|(_, step)| step);
        let steps = steps.chain(inspected);
        let all = steps.chain([self.open_orders, self.balances, self.positions]);
        let differs_ns = if self.positions.is_over() { self.held.ask_ns() } else { u64::MAX };
        all.map(Step::due_ns).min().unwrap_or(u64::MAX).min(differs_ns)
    }

    pub(super) fn due(&self, now_ns: u64) -> Option<Asked> {
        if self.open_orders.is_due(now_ns) {
            return Some(Asked::OpenOrders);
        }
        if self.balances.is_due(now_ns) {
            return Some(Asked::Balances);
        }
        let differs = self.positions.is_over() && self.held.ask_ns() <= now_ns;
        if differs || self.positions.is_due(now_ns) {
            return Some(Asked::Positions);
        }
        if let Some(place) = self.unrecorded.iter().position(|(_, step)| step.is_due(now_ns)) {
            return u16::try_from(place).ok().map(Asked::CancelListed);
        }
        let mut inspected = self.inspection.iter().flat_map(Inspection::steps);
        let due = inspected.find(|(_, step)| step.is_due(now_ns));
        due.map(|(place, _)| Asked::Account(place))
    }

    pub(super) fn step(&mut self, asked: Asked) -> Option<&mut Step> {
        match asked {
            Asked::OpenOrders => Some(&mut self.open_orders),
            Asked::Balances => Some(&mut self.balances),
            Asked::Positions => Some(&mut self.positions),
            Asked::CancelListed(place) => {
                self.unrecorded.get_mut(usize::from(place)).map(|(_, step)| step)
            }
            Asked::Account(place) => self.inspection.as_mut()?.step(place),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, asked: Asked, step: Step) {
        if let Some(of) = self.step(asked) {
            *of = step;
        }
    }

    /// It is not asked for, or not any more.
    pub(super) fn give_up(&mut self, asked: Asked, now_ns: u64) {
        self.set(asked, Step::GivenUp);
        if asked == Asked::Positions {
            self.held.given_up(now_ns);
        }
    }

    /// A request failed, or was not answered in time.
    pub(super) fn failed(&mut self, asked: Asked, outcome: Option<Outcome>, now_ns: u64) {
        let is_gone = matches!(outcome, Some(Outcome::NotOpen | Outcome::NoSuchOrder));
        if let Asked::CancelListed(place) = asked
            && is_gone
        {
            return self.canceled(place);
        }
        let may_change = matches!(
            outcome,
            None | Some(Outcome::Unknown | Outcome::SlowDown | Outcome::WrongTime)
        );
        if let Some(step) = self.step(asked) {
            step.failed(!may_change, now_ns);
        }
        if asked == Asked::Positions && self.positions == Step::GivenUp {
            self.held.given_up(now_ns);
        }
    }

    /// The order at this place is cancelled.
    pub(super) fn canceled(&mut self, place: u16) {
        self.set(Asked::CancelListed(place), Step::Answered);
        let Some((order, _)) = self.unrecorded.get(usize::from(place)) else { return };
        let name = String::from_utf8_lossy(&order.name);
        if let Some(other) = self.others.iter_mut().find(|other| other.name == name) {
            other.is_canceled = true;
        }
    }

    /// What was on its way is asked again. Balances are told only where they change, and what
    /// changed meanwhile was not told: they are asked for with each connection.
    pub(super) fn disconnected(&mut self) {
        self.held_back_ns = 0;
        self.inspection.iter_mut().for_each(Inspection::disconnected);
        if self.balances == Step::Answered {
            self.balances = Step::FIRST;
        }
        if self.asks_positions {
            self.positions = Step::FIRST;
            self.held.is_told = false;
        }
        let steps = self.unrecorded.iter_mut().map(|(_, step)| step);
        let own = [&mut self.open_orders, &mut self.balances, &mut self.positions];
        for step in steps.chain(own) {
            if let Step::Asked { tries } = *step {
                *step = Step::Wanted { from_ns: 0, tries };
            }
        }
    }

    pub(super) fn other(&mut self, order: &ListedOrder, what: &str) {
        self.others_count += 1;
        if self.others.len() < OTHERS_MAX {
            self.others.push(OtherOrder {
                name: String::from_utf8_lossy(&order.name).into_owned(),
                symbol: order.native.as_str().to_owned(),
                side: order.side.name().to_owned(),
                price: order.price.as_str().to_owned(),
                qty: order.qty.as_str().to_owned(),
                filled: order.filled.as_str().to_owned(),
                what: what.to_owned(),
                is_canceled: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::account_step::AGAIN_NS;
    use super::*;

    #[test]
    fn what_fails_is_asked_again_a_few_times_and_what_is_refused_is_not() {
        let mut account = AccountCheck::new(true, false);
        let mut pauses = Vec::new();
        let mut now_ns = 0;
        while let Some(Asked::OpenOrders) = account.due(now_ns) {
            account.open_orders.sent();
            assert_eq!(account.due(now_ns), Some(Asked::Balances), "one does not wait for another");
            account.failed(Asked::OpenOrders, None, now_ns);
            if let Step::Wanted { from_ns, .. } = account.open_orders {
                pauses.push((from_ns - now_ns) / AGAIN_NS);
                now_ns = from_ns;
            }
        }
        assert_eq!((pauses, account.open_orders), (vec![1, 2], Step::GivenUp));
        account.balances.sent();
        assert!(!account.is_over());
        let refused = Outcome::Refused(crate::event::RejectReason::Venue);
        account.failed(Asked::Balances, Some(refused), now_ns);
        assert!(account.is_over() && !account.is_listed() && !account.has_balances());
        assert_eq!(account.due_ns(), u64::MAX);
    }

    #[test]
    fn a_new_connection_asks_for_balances_again_and_for_open_orders_once() {
        let mut account = AccountCheck::new(true, false);
        account.open_orders.sent();
        account.disconnected();
        assert_eq!(account.due(0), Some(Asked::OpenOrders), "its answer was lost");
        (account.open_orders, account.balances) = (Step::Answered, Step::Answered);
        assert!(account.is_over());
        account.disconnected();
        assert_eq!(account.due(0), Some(Asked::Balances));
        (account.open_orders, account.balances) = (Step::GivenUp, Step::GivenUp);
        account.disconnected();
        assert_eq!(account.due(0), None, "a venue that has no such request is not asked again");
        let mut without_journal = AccountCheck::new(false, false);
        without_journal.disconnected();
        assert!(without_journal.due(0).is_none() && without_journal.is_over());
    }
}
