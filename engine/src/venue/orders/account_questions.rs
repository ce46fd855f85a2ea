//! How the account is asked for what it has, and what its answers come to.

use super::account_step::Step;
use super::agent::OrderAgent;
use super::listing::Known;
use super::order::KnownOrder;
use super::reconcile::Reconciler;
use super::requests_in_flight::Asked;
use super::stage::{POLL_NS, Stage};
use crate::event::{Balance, InstrumentId, Side};
use crate::order::recovery::RecordedOrder;
use crate::runtime::Phase;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{
    AccountList, AccountQuestion, AssetBalance, ListedOrder, OrderProtocol, OrderRequest,
    ReplyBody, Way,
};
use crate::venue::{EventOutlet, LetterReason, Scales};

/// A request that the venue's limits hold back for so long is given up, ns.
const HELD_BACK_NS: u64 = 20_000_000_000;
/// After a session is logged on its stream's first lists are waited for so long, ns.
const STREAM_LIST_NS: u64 = 10_000_000_000;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// When the account is to be asked after, ns.
    pub(super) fn account_poll_ns(&self) -> u64 {
        if !matches!(self.stage, Stage::Asking | Stage::Ready) {
            return u64::MAX;
        }
        match self.orders.account.due_ns() {
            u64::MAX => u64::MAX,
            due_ns => due_ns.max(self.orders.now_ns + POLL_NS),
        }
    }

    /// Asks for what the account has, one request at a time.
    pub(super) fn ask_account(&mut self) -> usize {
        let now_ns = self.orders.now_ns;
        if self.orders.account.inspection.is_some() {
            self.orders.note_ready(self.stage == Stage::Ready);
        }
        let Some(asked) = self.orders.account.due(now_ns) else { return 0 };
        if self.stop.phase() >= Phase::Draining || self.rollover.is_joining() {
            return 0;
        }
        if P::STREAM_LISTS && !matches!(asked, Asked::CancelListed(_) | Asked::Account(_)) {
            return self.wait_for_list(asked);
        }
        let question = self.question_for_account(asked);
        if question.is_some_and(|of| of.way == Way::Rest) && self.rest.questions.is_none() {
            self.orders.give_up_on_account(asked, "the venue has no rest_url");
            return 1;
        }
        let known = &self.orders.known;
        let (class, weight, known) = match asked {
            Asked::OpenOrders => {
                (RequestClass::Query, self.protocol.open_orders_weight(), known.open_orders)
            }
            Asked::Balances => {
                (RequestClass::Query, self.protocol.balances_weight(), known.balances)
            }
            Asked::Positions => {
                (RequestClass::Query, self.protocol.positions_weight(), known.positions)
            }
            Asked::Account(_) => {
                (RequestClass::Query, question.map_or(0, |of| of.weight), Known::Untried)
            }
            _ => (RequestClass::Cancel, self.protocol.weight(RequestClass::Cancel), Known::Untried),
        };
        if known == Known::EndsSession {
            self.orders.account.give_up(asked, now_ns);
            return 1;
        }
        if !self.orders.gate.may_send(class, weight, now_ns) {
            return self.hold_account_back(asked, weight);
        }
        self.orders.account.held_back_ns = 0;
        let Some(id) = self.orders.requests.add(asked, now_ns) else { return 0 };
        let is_written = self.write_for_account(asked, id);
        let is_sent = is_written
            && match asked {
                Asked::CancelListed(_) => self.send_order(id).is_ok(),
                Asked::Account(_) => self.send_by(question.map_or(Way::Session, |of| of.way), id),
                _ if P::ASKS_OVER_REST => self.ask_over_rest(id),
                _ => self.session.send(&self.text).is_ok(),
            };
        if is_sent {
            if let Some(step) = self.orders.account.step(asked) {
                step.sent();
            }
        } else {
            self.orders.requests.take(id);
            if !is_written {
                self.orders.account.give_up(asked, now_ns);
            }
        }
        1
    }

    /// The question that is meant, where it is one of what the account may do.
    fn question_for_account(&self, asked: Asked) -> Option<&'static AccountQuestion> {
        match asked {
            Asked::Account(place) => self.orders.account.inspection.as_ref()?.question(place),
            _ => None,
        }
    }

    #[cold]
    fn write_for_account(&mut self, asked: Asked, id: u64) -> bool {
        let time_ms = self.time_ms();
        let Self { protocol, text, orders, symbols, .. } = self;
        match asked {
            Asked::Account(place) => {
                let native = symbols.iter().next().map_or("", |(native, _)| native);
                protocol.account_question(usize::from(place), native, id, time_ms, text);
                true
            }
            Asked::OpenOrders => protocol.open_orders(id, time_ms, text),
            Asked::Balances => protocol.balances(id, time_ms, text),
            Asked::Positions => protocol.positions(id, time_ms, text),
            Asked::CancelListed(place) => {
                let listed = orders.account.unrecorded.get(usize::from(place));
                let Some((order, _)) = listed else { return false };
                let (native, name) = (order.native.as_str(), order.name.as_slice());
                let scales = Scales { price: 0, qty: 0 };
                let (venue_order_id, sent) = (order.venue_order_id, None);
                let request =
                    OrderRequest { id, native, scales, name, venue_order_id, time_ms, sent };
                protocol.cancel(&request, text);
                true
            }
            _ => false,
        }
    }

    /// The stream has not told it yet: a start does not wait for that without an end.
    #[cold]
    fn wait_for_list(&mut self, asked: Asked) -> usize {
        let (now_ns, account) = (self.orders.now_ns, &mut self.orders.account);
        if account.held_back_ns == 0 {
            account.held_back_ns = now_ns.max(1);
        } else if now_ns - account.held_back_ns > STREAM_LIST_NS {
            account.held_back_ns = 0;
            account.set(asked, Step::GivenUp);
            let (venue, what) = (&self.orders.venue, asked.what());
            log::warn!("[{venue}] {what} is given up: the account's stream did not begin with it");
        }
        0
    }

    /// The limits have no room: a start does not wait for that without an end.
    #[cold]
    fn hold_account_back(&mut self, asked: Asked, weight: u32) -> usize {
        let (now_ns, account) = (self.orders.now_ns, &mut self.orders.account);
        if account.held_back_ns == 0 {
            account.held_back_ns = now_ns.max(1);
        } else if now_ns - account.held_back_ns > HELD_BACK_NS {
            account.held_back_ns = 0;
            account.give_up(asked, now_ns);
            self.orders.give_up_on_account(asked, "the venue's limits had no room for it");
            let (venue, what) = (&self.orders.venue, asked.what());
            log::warn!(
                "[{venue}] {what} is given up: the venue's limits had no room for its weight of \
                 {weight}"
            );
        }
        0
    }
}

impl<O: EventOutlet> Reconciler<O> {
    /// A list with which the stream begins. Its open orders are of use at the start alone.
    #[cold]
    pub(super) fn on_listed_by_stream(
        &mut self,
        list: AccountList,
        body: &ReplyBody<'_>,
        is_whole: bool,
        raw: &[u8],
    ) {
        self.account.held_back_ns = 0;
        match list {
            AccountList::OpenOrders if self.account.open_orders.is_over() => {}
            AccountList::OpenOrders => {
                self.on_open_orders(body, raw);
                self.account.is_half_listed |= !is_whole;
            }
            // Nobody asks what the account has, and it is told all the same.
            AccountList::Balances if self.account.balances == Step::GivenUp => {
                self.on_balances(0, body.balances, raw);
                if let Some(error) = body.unreadable {
                    self.letter(error.reason, error.detail, raw);
                }
            }
            AccountList::Balances => {
                self.on_account_balances(body, raw);
                self.account.has_half_balances |= !is_whole;
            }
        }
    }

    /// The list of what the account has open.
    #[cold]
    pub(super) fn on_open_orders(&mut self, body: &ReplyBody<'_>, raw: &[u8]) {
        if body.has_older {
            self.account.open_orders = Step::FIRST;
            return;
        }
        self.account.open_orders = Step::Answered;
        self.note_listed(Asked::OpenOrders, body);
        self.account.is_half_listed = body.unreadable.is_some();
        if let Some(error) = body.unreadable {
            self.letter(error.reason, error.detail, raw);
        }
        for order in body.listed {
            self.on_listed(order, raw);
        }
    }

    fn on_listed(&mut self, order: &ListedOrder, raw: &[u8]) {
        let Some(key) = self.names.parse(&order.name) else {
            let is_like_ours = self.names.is_like_ours(&order.name);
            self.account.other(order, if is_like_ours { "unrecorded" } else { "stranger" });
            if is_like_ours && self.account.cancels_unrecorded {
                self.account.unrecorded.push((order.clone(), Step::FIRST));
            }
            return;
        };
        self.table.recall(key);
        if let Some(known) = self.table.get(key) {
            if !known.is_open() {
                // Its own query says whether the list is behind, or the order lives.
                self.table.doubt_end(key, self.now_ns);
            }
            return;
        }
        let Some((price, answer)) = order.state.filter(|_| self.names.is_behind_record(key)) else {
            return self.account.other(order, "ended_on_record");
        };
        let side = answer.side.unwrap_or(Side::Buy);
        let terms = (answer.instrument, side, price, answer.qty.unwrap_or_default());
        let wall_ns = self.clock.wall_at_ns(self.now_ns);
        let recorded = RecordedOrder::unrecorded(key, self.venue_id, terms, wall_ns);
        self.table.take_up(KnownOrder::taken_up(&recorded, self.now_ns, wall_ns), self.now_ns);
        let name = order.name.escape_ascii();
        log::error!(
            "[{}] order {name} is open at the venue, and the journal does not have it: what it \
             had at its end is lost. It is taken up",
            self.venue
        );
        self.account.adopted.push(recorded);
        self.on_answer(key, 0, &answer, raw);
    }

    /// What the account has of each asset; what is missing is 0.
    #[cold]
    pub(super) fn on_account_balances(&mut self, body: &ReplyBody<'_>, raw: &[u8]) {
        self.account.balances = Step::Answered;
        self.note_listed(Asked::Balances, body);
        self.account.has_half_balances = body.unreadable.is_some() || body.balances.is_empty();
        if let Some(error) = body.unreadable {
            self.letter(error.reason, error.detail, raw);
        } else if body.balances.is_empty() {
            self.letter(LetterReason::Field, "account without a balance", raw);
        }
        self.read_ns = self.now_ns;
        if body.unreadable.is_none() && !body.balances.is_empty() {
            self.tell_missing(body.balances);
        }
        for entry in body.balances {
            self.tell_balance(entry, 0);
        }
        self.account.found = body.balances.to_vec();
    }

    /// Of an asset that was told and is missing in a whole list, the account has nothing any more.
    #[cold]
    fn tell_missing(&mut self, listed: &[AssetBalance]) {
        let is_listed = |told: &Balance| {
            let mut ids = listed.iter().filter_map(|entry| self.instruments.asset(&entry.asset));
            ids.any(|asset| asset.id.0 == told.asset_id)
        };
        let told = self.account.told.iter().flatten();
        let missing: Vec<(InstrumentId, Balance)> = told
            .filter(|(_, told)| (told.free, told.locked) != (0, 0) && !is_listed(told))
            .map(|(first, told)| (*first, Balance { free: 0, locked: 0, ..*told }))
            .collect();
        for (first, none) in missing {
            self.account.told[none.asset_id as usize] = Some((first, none));
            self.publish(first, 0, &none);
        }
    }
}
